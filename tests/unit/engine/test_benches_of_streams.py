"""Failures in a row where many attempts are under way: first content counts, and a few of many are no outage."""

from tests.unit.engine.health_cases import A1, Case


def test_first_content_ends_a_row_though_the_stream_goes_on() -> None:
    case = Case()
    for _ in range(5):
        case.lose(A1, times=2)
        case.begin(A1)
        case.speak(A1)
    assert case.open(A1) == [True]


def test_streams_that_are_cut_again_and_again_are_a_row() -> None:
    case = Case()
    for cut in range(3):
        assert case.open(A1) == [True], cut
        case.begin(A1)
        case.speak(A1)
        case.fall(A1, committed=True)
    assert case.open(A1) == [False]


def test_a_stream_that_ends_well_ends_a_row_of_cut_ones() -> None:
    case = Case()
    for _ in range(5):
        for _ in range(2):
            case.begin(A1)
            case.speak(A1)
            case.fall(A1, committed=True)
        case.begin(A1)
        case.speak(A1)
        case.end(A1, committed=True)
    assert case.open(A1) == [True]


def test_a_probe_has_succeeded_with_its_first_content() -> None:
    case = Case()
    case.lose(A1, times=3)
    case.wait(30)
    case.begin(A1)
    assert case.open(A1) == [False]
    case.speak(A1)
    assert case.open(A1) == [True]


def test_of_many_that_begin_together_the_first_to_fail_are_no_outage() -> None:
    case = Case()
    for _ in range(100):
        case.begin(A1)
    for _ in range(10):
        case.fall(A1)
    assert case.open(A1) == [True]


def test_an_outage_is_seen_when_half_as_many_have_failed_as_are_still_under_way() -> None:
    case = Case()
    for _ in range(100):
        case.begin(A1)
    for _ in range(33):
        case.fall(A1)
    assert case.open(A1) == [True]
    case.fall(A1)
    assert case.open(A1) == [False]


def test_who_has_spoken_or_left_is_not_waited_for() -> None:
    case = Case()
    for _ in range(100):
        case.begin(A1)
    for _ in range(50):
        case.speak(A1)
    for _ in range(45):
        case.health.left(A1)
    for _ in range(50):
        case.health.left(A1, committed=True)
    case.fall(A1)
    case.fall(A1)
    assert case.open(A1) == [True]
    case.fall(A1)
    assert case.open(A1) == [False]


def test_of_many_streams_the_first_to_be_cut_are_no_outage() -> None:
    case = Case()
    for _ in range(100):
        case.begin(A1)
        case.speak(A1)
    for _ in range(33):
        case.fall(A1, committed=True)
    assert case.open(A1) == [True]
    case.fall(A1, committed=True)
    assert case.open(A1) == [False]
