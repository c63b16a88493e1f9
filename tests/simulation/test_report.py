"""The report is text from figures: what is written by hand stays, and the same figures are the same page."""

import msgspec

from tests.simulation.conversing import Conversing
from tests.simulation.figures import Measures, lived
from tests.simulation.report import MARK, page

TALK = Conversing(
    flap="naps",
    seed=1,
    conversations=10,
    direct_calm=0.8,
    direct_flapping=0.8,
    direct_failures=3,
    gateway=0.7,
    failures=0,
    turns=60,
    moves=2,
    forced=1,
)


def measures() -> Measures:
    return lived(3, 1_500)


def test_what_is_written_by_hand_stays_and_the_rest_is_replaced() -> None:
    text = page(f"# By hand\n\nA word.\n\n{MARK}\n\nold figures\n", [measures()], [])
    assert text.startswith(f"# By hand\n\nA word.\n\n{MARK}\n\n## Against the limits")
    assert "old figures" not in text
    assert page(text, [measures()], []) == text


def test_a_missed_limit_is_told() -> None:
    day = measures()
    good = msgspec.structs.replace(
        day, success_healthy=1.0, cost_of_oracle=1.0, amplification_single=(1.0, 1.0), amplification_total=1.0
    )
    bad = msgspec.structs.replace(good, success_healthy=0.9998, cost_of_oracle=1.06, amplification_total=1.3)
    assert page("", [good], []).count("**missed**") == 0
    assert page("", [good, bad], []).count("**missed**") == 3
    assert page("", [day], [TALK]).count("**missed**") == page("", [day], []).count("**missed**") + 1


def test_the_worst_seed_counts() -> None:
    day = measures()
    worse = msgspec.structs.replace(day, seed=9, success_healthy=0.75)
    assert page("", [day, worse], []).count("| 75.0000 % |") == 2
