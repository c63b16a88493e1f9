"""The measures of a day, on days small enough to be counted by hand."""

from array import array
from types import SimpleNamespace
from typing import Any

import pytest

from tests.simulation.figures import amplification, leaving, worst_ten_seconds
from tests.simulation.providers import Sent
from tests.simulation.scenario import Event

OUT = Event("deepinfra", "unreachable", 1_000, 1_300)


def day(at: list[float], attempts: list[tuple[float, int, bool, bool]]) -> Any:
    """Requests, and attempts: when, at which host, whether answered, whether regular."""
    sent = Sent()
    for number, (when, host, answered, regular) in enumerate(sorted(attempts)):
        sent.add(at=when, request=number, host=host, answered=answered, over_at=when + 0.5, regular=regular)
    return SimpleNamespace(at=array("d", at), providers=SimpleNamespace(sent=sent))


def test_amplification_is_of_what_is_sent_from_ten_seconds_on() -> None:
    before = [(1_000.0 + n, 0, False, True) for n in range(10) for _ in range(5)]
    behind = [(1_010.0 + n, 0, False, True) for n in range(100)] + [(1_050.5, 1, True, True)] * 50
    after = [(1_300.0, 0, True, True)] * 7
    made = [1_000.0 + n for n in range(110)] + [1_300.0]
    assert amplification(day(made, before + behind + after), OUT) == 1.5


def test_the_worst_ten_seconds_are_found_wherever_they_are() -> None:
    made = [1_000.0 + n for n in range(300)]
    sent = [(at, 0, False, True) for at in made] + [(1_042.2, 0, False, True)] * 20
    assert worst_ten_seconds(day(made, sent), OUT) == pytest.approx(3)


def test_a_provider_is_left_with_the_last_regular_attempt_behind_its_first_failure() -> None:
    calm = [(600.0 + n, 0, True, True) for n in range(400)] + [(700.0 + n, 1, True, True) for n in range(100)]
    out = [(1_002.0, 0, False, True), (1_003.0, 0, False, True), (1_040.0, 0, False, False), (1_009.5, 0, False, True)]
    back = [(1_310.0, 0, True, False), (1_330.0, 0, True, True)]
    full = [(1_365.0 + n, n % 2, True, True) for n in range(50)] + [(1_421.0 + n, 0, True, True) for n in range(59)]
    found = leaving(day([], calm + out + back + full), OUT)
    assert (found.left_s, found.sent, found.probes) == (7.0, 2, 1)
    assert found.share_before == 0.8
    assert found.first_s == 30
    assert found.back_s == 0


def test_back_is_the_first_minute_with_half_the_share_of_before() -> None:
    calm = [(900.0 + n, 0, True, True) for n in range(100)]
    slow = [(1_300.0 + n, 0 if n % 5 == 0 else 1, True, True) for n in range(120)]
    soon = [(1_420.0 + n, n % 2, True, True) for n in range(60)]
    found = leaving(day([], [*calm, (1_000.0, 0, False, True), *slow, *soon]), OUT)
    assert (found.first_s, found.back_s) == (0, 120)


def test_who_had_no_traffic_does_not_return_and_who_never_failed_is_not_left() -> None:
    found = leaving(day([], [(900.0 + n, 1, True, True) for n in range(500)]), OUT)
    assert (found.left_s, found.first_s, found.back_s, found.sent) == (None, None, None, 0)
