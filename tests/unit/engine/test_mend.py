"""From a model's text to its JSON: each step in its order, and none of them without an end."""

import itertools
import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmgateway.engine.mend import MAX_REPAIR, MAX_TEXT, mended

FENCED = 'Here you are:\n```json\n{"a": 1}\n```\nAnything else?'


@pytest.mark.parametrize(
    "text", ['{"a": 1}', " [1, 2]\n", '{"a":{"b":[]}}', '"a string"', "42", '{"a": "```json\\n{}\\n```"}']
)
def test_valid_json_stays_as_it_is_byte_for_byte(text: str) -> None:
    found = mended(text)
    assert found is not None
    assert (found.text, found.method) == (text, None)


@pytest.mark.parametrize(
    ("text", "expected", "method"),
    [
        (FENCED, '{"a": 1}', "fence"),
        ("```\n[1, 2]\n```", "[1, 2]", "fence"),
        ('```JSON\r\n{"a": 1}\r\n```', '{"a": 1}', "fence"),
        ('```json\n{"a": 1}', '{"a": 1}', "fence"),
        ('```python\nprint()\n```\n```json\n{"a": 1}\n```', '{"a": 1}', "fence"),
        ('Sure! {"a": [1, {"b": "}"}]} Hope it helps.', '{"a": [1, {"b": "}"}]}', "extract"),
        ('```json\n{"md": "```py\\nx\\n```"}\n``` done', '{"md": "```py\\nx\\n```"}', "fence"),
        ('Use {name} here: {"a": "say \\"hi\\" {"}', '{"a": "say \\"hi\\" {"}', "extract"),
        ("The list is [1, 2, 3], in order.", "[1, 2, 3]", "extract"),
        ('{"a": 1}{"b": 2}', '{"a": 1}', "extract"),
    ],
)
def test_json_is_found_in_a_fence_or_in_the_text(text: str, expected: str, method: str) -> None:
    found = mended(text)
    assert found is not None
    assert (found.text, found.method) == (expected, method)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1,}', {"a": 1}),
        ("[1, 2,]", [1, 2]),
        ("{a: 1, b_2: 'x'}", {"a": 1, "b_2": "x"}),
        ("{'a': 'it is', 'b': [1]}", {"a": "it is", "b": [1]}),
        ('{"a": 1, // one\n "b": 2 /* two */}', {"a": 1, "b": 2}),
        ('{"a": True, "b": None, "c": False}', {"a": True, "b": None, "c": False}),
        ('{"a": "two\nlines"}', {"a": "two\nlines"}),
        ('{"a": 1 "b": 2}', {"a": 1, "b": 2}),
        ("```json\n{'a': 1,}\n```", {"a": 1}),
        ('Here: {"a": .5, "b": 2,} done', {"a": 0.5, "b": 2}),
        ('{"url": "http://x.y/z", "n": 1,}', {"url": "http://x.y/z", "n": 1}),
    ],
)
def test_broken_syntax_is_repaired(text: str, value: object) -> None:
    found = mended(text)
    assert found is not None
    assert (json.loads(found.text), found.value, found.method) == (value, value, "repair")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": "b", "c": ', {"a": "b"}),
        ('{"a": "b", "c', {"a": "b"}),
        ('{"a": "b", ', {"a": "b"}),
        ('{"a": [1, 2, {"x": "hel', {"a": [1, 2, {"x": "hel"}]}),
        ('{"a": tru', {}),
        ('{"a": [1, 2', {"a": [1, 2]}),
        ('{"a": "back\\', {"a": "back"}),
        ('{"a": "half \\u00', {"a": "half "}),
        ('{"a": "half a pair \\ud83d', {"a": "half a pair "}),
        ('{"a": "whole \\\\', {"a": "whole \\"}),
        ('Sure:\n```json\n{"a": {"b": [1, [2', {"a": {"b": [1, [2]]}}),
        ("{", {}),
        ('[{"a": 1}, {"b": ', [{"a": 1}, {}]),
        ("{'a': 1, 'b': [2, ", {"a": 1, "b": [2]}),
    ],
)
def test_what_was_cut_off_is_completed_and_nothing_is_made_up(text: str, value: object) -> None:
    found = mended(text)
    assert found is not None
    assert (json.loads(found.text), found.value, found.method) == (value, value, "complete")


@pytest.mark.parametrize("text", ["", "Hello.", "I cannot do that (see [the rules]).", "} ] ,", "{ not json at all }"])
def test_text_without_json_is_left_alone(text: str) -> None:
    assert mended(text) is None


def test_the_kind_that_is_wanted_is_preferred() -> None:
    text = 'As [1] says: {"a": 1} and [2, 3].'
    wanted = {kind: mended(text, kind=kind) for kind in (None, "object", "array")}
    assert {kind: found and found.text for kind, found in wanted.items()} == {
        None: "[1]",
        "object": '{"a": 1}',
        "array": "[1]",
    }


def test_a_value_of_the_other_kind_is_better_than_none() -> None:
    found = mended("Well: [1, 2].", kind="object")
    assert found is not None
    assert found.text == "[1, 2]"


def test_a_broken_object_is_repaired_rather_than_a_list_taken_for_it() -> None:
    found = mended("As [1] says: {'a': 1,}", kind="object")
    assert found is not None
    assert (found.value, found.method) == ({"a": 1}, "repair")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
ROOTS = st.lists(VALUES, max_size=4) | st.dictionaries(st.text(max_size=6), VALUES, max_size=4)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(value=ROOTS, indent=st.sampled_from([None, 1]), ascii_only=st.booleans())
def test_any_json_in_any_wrapping_is_found_whole(value: object, indent: int | None, ascii_only: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    for wrapped in (text, f"```json\n{text}\n```", f"```json\n{text}", f"Here:\n{text}\nGood?", f"So: {text}."):
        found = mended(wrapped)
        assert found is not None
        assert found.text == text if wrapped is not text else found.method is None
        assert found.value == value


@settings(max_examples=300, deadline=None, derandomize=True)
@given(value=ROOTS, cut=st.floats(0, 1), ascii_only=st.booleans())
def test_json_cut_anywhere_is_completed_to_json(value: object, cut: float, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    part = text[: 1 + int(cut * (len(text) - 1))]
    found = mended(part)
    assert found is not None
    assert type(found.value) is type(value)
    assert json.loads(found.text) == found.value


@settings(max_examples=300, deadline=None, derandomize=True)
@given(text=st.text(alphabet="{}[]\",:\\/*'`\n abt1-“”#(", max_size=120))
def test_any_text_gives_json_or_nothing(text: str) -> None:
    found = mended(text)
    assert found is None or json.loads(found.text) == found.value


HOSTILE = ['{"k":"', "{", "["]
PIECES = ["{", "[", '"', "'", ",", ":", "}", "]", "a", "\\", "/", "*", "#", "\n", "“", "`", '"a":', "```json", "("]


def test_hostile_text_ends_soon() -> None:
    """Without a meter json-repair takes minutes for some of these."""
    slow: list[tuple[float, str]] = []
    for first, second in itertools.islice(itertools.product(PIECES, repeat=2), 0, None, 7):
        for opening in HOSTILE:
            text = opening + (first + second) * (20_000 // len(first + second))
            started = time.process_time()
            mended(text)
            slow.append((time.process_time() - started, text[:20]))
    assert max(slow)[0] < 2
    assert sum(took for took, _ in slow) < 40


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 50_000, "{a:" * 10_000, "```\n" * 50_000, "{ " * 100_000])
def test_deep_and_long_text_does_no_harm(text: str) -> None:
    started = time.process_time()
    mended(text)
    assert time.process_time() - started < 2


def test_text_too_long_is_left_alone() -> None:
    assert mended("x" * MAX_TEXT + '{"a": 1}') is None
    assert mended("{'a': '" + "x" * MAX_REPAIR + "'}") is None
