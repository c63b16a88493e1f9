"""The stores behind sessions and preferences: bounded, forgetful, and keyed by what does not tell who asked."""

from hypothesis import given
from hypothesis import strategies as st

from llmgateway.engine.affinity import Memory, Place, preference_key, session_key

HERE, THERE = Place("a/x", "key-1"), Place("b/x")


def test_a_place_is_forgotten_when_its_time_is_over() -> None:
    memory = Memory()
    memory.put("k", HERE, until_ns=100, at_most=10)
    assert memory.get("k", now_ns=99) == HERE
    assert memory.get("k", now_ns=100) is None
    assert len(memory) == 0


def test_the_one_put_longest_ago_makes_room() -> None:
    memory = Memory()
    for key in ("one", "two", "three"):
        memory.put(key, HERE, until_ns=100, at_most=3)
    memory.put("one", THERE, until_ns=100, at_most=3)
    memory.put("four", HERE, until_ns=100, at_most=3)
    assert [memory.get(key, now_ns=0) for key in ("one", "two", "three", "four")] == [THERE, None, HERE, HERE]


def test_a_smaller_bound_takes_effect_with_the_next_one() -> None:
    memory = Memory()
    for number in range(10):
        memory.put(str(number), HERE, until_ns=100, at_most=10)
    memory.put("new", HERE, until_ns=100, at_most=2)
    assert len(memory) == 2


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 50)), max_size=60), st.integers(1, 5))
def test_it_never_holds_more_than_its_bound(puts: list[tuple[str, int]], bound: int) -> None:
    memory = Memory()
    for key, until_ns in puts:
        memory.put(key, HERE, until_ns=until_ns, at_most=bound)
        assert len(memory) <= bound
        assert memory.get(key, now_ns=until_ns - 1) == HERE


def test_a_session_key_is_a_hash_that_every_process_makes_alike() -> None:
    key = session_key("p", "gpt-x", "secret-session")
    assert key == "0677cfaa1d0b3dd9b7015646477a5829"
    assert "secret" not in key
    assert len(session_key("p", "gpt-x", "x" * 1_000_000)) == 32


def test_keys_of_other_projects_models_and_values_differ() -> None:
    told = [("p", "m", "v"), ("q", "m", "v"), ("p", "n", "v"), ("p", "m", "w"), ("p", "mv", ""), ("pm", "", "v")]
    assert len({session_key(*one) for one in told}) == len(told)
    assert preference_key("p", "m") != preference_key("pm", "")
