"""A gateway that is its own upstream, alone or by way of another one, says so instead of asking itself for ever."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.gateway import STATIC_KEY, Gateway, custom_provider, static_key
from tests.support.http_client import Answer

_MODEL = '[[providers.next.models]]\nid = "round"\n'
_SERVER = "[server]\nmax_in_flight = 20\n"


@pytest.fixture
def ring(tmp_path: Path) -> Iterator[list[Gateway]]:
    """Two gateways, each the other's provider."""
    gateways = [Gateway(tmp_path / name, configuration="") for name in ("first", "second")]
    with ExitStack() as stack:
        for gateway, following in zip(gateways, reversed(gateways), strict=True):
            point(gateway, following)
            stack.callback(gateway.kill)
            gateway.start()
        yield gateways
        for gateway in gateways:
            gateway.stop()


def point(gateway: Gateway, following: Gateway) -> None:
    following_url = f"{following.url}/v1"
    timeouts = "timeout_s = { first_byte = 2 }"
    provider = custom_provider("next", following_url, timeouts, key=STATIC_KEY)
    gateway.config.write_text("\n".join((_SERVER, provider, _MODEL, static_key())))


def check(answer: Answer) -> None:
    assert answer.status == 508, answer.body
    assert answer.json["error"]["code"] == "loop_detected"


@pytest.mark.parametrize("stream", [False, True])
def test_a_gateway_before_itself_is_noticed(tmp_path: Path, stream: bool) -> None:
    gateway = Gateway(tmp_path, configuration="")
    point(gateway, gateway)
    try:
        gateway.start()
        check(gateway.chat("next/round", stream=stream))
        assert len(gateway.ask("SELECT 1 FROM exchanges")) <= 2
        gateway.stop()
    finally:
        gateway.kill()


def test_two_gateways_in_a_ring_are_noticed(ring: list[Gateway]) -> None:
    check(ring[0].chat("next/round"))
    assert ring[0].metric("overloaded_requests_total") == 0
