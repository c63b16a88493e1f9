"""Ids: ours are unique and sort by time, a caller's are a label of a narrow alphabet."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgateway.domain.ids import LogIds, clean_request_id


def test_log_ids_are_unique_and_in_order() -> None:
    ids = LogIds()
    made = [ids.next() for _ in range(100_000)]
    assert len(set(made)) == len(made)
    assert made == sorted(made)
    assert {len(one) for one in made} == {28}


def test_two_processes_do_not_make_the_same_ids() -> None:
    one, other = LogIds(), LogIds()
    assert one.next()[18:] != other.next()[18:]


@pytest.mark.parametrize("given_id", [b"a", b"req-1_2.3:4", b"x" * 128])
def test_a_well_formed_request_id_is_kept(given_id: bytes) -> None:
    assert clean_request_id(given_id) == given_id.decode()


@pytest.mark.parametrize("given_id", [None, b"", b"x" * 129, b"a b", b"a\r\nx: y", b"a\n", b"\xc3\xa9", b"a/b", b"a\0"])
def test_any_other_request_id_is_not(given_id: bytes | None) -> None:
    assert clean_request_id(given_id) is None


@given(st.binary(max_size=200))
def test_what_is_kept_can_stand_in_any_header(given_id: bytes) -> None:
    kept = clean_request_id(given_id)
    assert kept is None or (kept.isascii() and kept.isprintable() and " " not in kept)
