"""Reasoning between tags: split off wherever the text is cut, and only where the answer begins with it."""

import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmgateway.domain.reply import Chunk, Delta, Fold
from llmgateway.wire.openai_chat.request import read_request
from llmgateway.wire.openai_chat.upstream import OpenAIChat
from llmgateway.wire.tags import TagSplitter, Variant
from tests.unit.wire.deployments import deployment

CHAT = read_request(b'{"model":"m","messages":[{"role":"user","content":"Hi"}],"stream":true}')
WORDS = st.text(alphabet="<>/[]think◁▷ \nab|channel", max_size=30)


def split(text: str, variant: Variant = "tagged", *, cuts: list[int] | None = None) -> tuple[str, str]:
    """Content and reasoning of a text that comes in pieces, cut at these places."""
    splitter = TagSplitter(variant)
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts or ()), len(text)]
    told = [splitter.feed(text[start:end]) for start, end in itertools.pairwise(edges)] + [splitter.close()]
    return "".join(one for one, _ in told), "".join(one for _, one in told)


@pytest.mark.parametrize(
    ("text", "content", "reasoning"),
    [
        ("<think>\nHm.\n\nSo.\n</think>\n\nYes.", "Yes.", "Hm.\n\nSo."),
        ("<think>Hm.</think>Yes.", "Yes.", "Hm."),
        (" \n<think>Hm.</think> Yes. ", "Yes. ", "Hm."),
        ("<think>\n\n</think>\n\nYes.", "Yes.", ""),
        ("<thinking>Hm.</thinking>Yes.", "Yes.", "Hm."),
        ("<reasoning>Hm.</reasoning>Yes.", "Yes.", "Hm."),
        ("<thought>Hm.</thought>Yes.", "Yes.", "Hm."),
        ("<seed:think>Hm.</seed:think>Yes.", "Yes.", "Hm."),
        ("[THINK]Hm.[/THINK]Yes.", "Yes.", "Hm."),
        ("◁think▷Hm.◁/think▷Yes.", "Yes.", "Hm."),
        ("<|channel>thought\nHm.<channel|>Yes.", "Yes.", "Hm."),
        ("<think>a < b, </thin, <think></think>Yes.", "Yes.", "a < b, </thin, <think>"),
        ("<think>of </thinking> </think>Yes.", "Yes.", "of </thinking>"),
        ("<think>Hm, cut off </thi", "", "Hm, cut off </thi"),
        ("<think>Hm.</think>Use <think>x</think> tags.", "Use <think>x</think> tags.", "Hm."),
    ],
)
def test_an_answer_that_opens_with_a_tag_is_split(text: str, content: str, reasoning: str) -> None:
    assert split(text) == (content, reasoning)


@pytest.mark.parametrize(
    "text",
    ["Yes.", "", " \n ", "Use the tag <think>x</think> for it.", "</think>Yes.", "<thin", "<b>think</b>", "< think>a"],
)
def test_other_text_stays_as_it_is(text: str) -> None:
    assert split(text) == (text, "")


@pytest.mark.parametrize(
    ("text", "content", "reasoning"),
    [
        ("Hm.\n</think>\n\nYes.", "Yes.", "Hm."),
        ("\n\nHm.</think>Yes.", "Yes.", "Hm."),
        ("<think>Hm.</think>Yes.", "Yes.", "Hm."),
        ("</think>Yes.", "Yes.", ""),
        ("Hm, cut off", "", "Hm, cut off"),
        ("Hm.</think>Say </think> to end.", "Say </think> to end.", "Hm."),
    ],
)
def test_an_answer_that_begins_inside_is_split_at_the_closing_tag(text: str, content: str, reasoning: str) -> None:
    assert split(text, "open") == (content, reasoning)


@settings(max_examples=500, deadline=None, derandomize=True)
@given(
    text=st.builds("{}{}{}{}{}".format, st.sampled_from(["", " ", "\n"]), st.sampled_from(["", "<think>", "[THINK]"]),
                   WORDS, st.sampled_from(["", "</think>", " </think>\n", "[/THINK]"]), WORDS),
    cuts=st.lists(st.integers(0, 90), max_size=12),
    variant=st.sampled_from(["tagged", "open"]),
)  # fmt: skip
def test_any_split_gives_the_same(text: str, cuts: list[int], variant: Variant) -> None:
    assert split(text, variant, cuts=cuts) == split(text, variant)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(reasoning=WORDS, content=WORDS, cuts=st.lists(st.integers(0, 90), max_size=12))
def test_what_is_put_between_tags_comes_out_of_them(reasoning: str, content: str, cuts: list[int]) -> None:
    reasoning, content = reasoning.replace("</think>", "").strip(), content.lstrip()
    text = f"<think>\n{reasoning}\n</think>\n\n{content}"
    assert split(text, cuts=cuts) == (content, reasoning)


def events(*deltas: dict[str, Any], finish: str = "stop") -> bytes:
    choices = [{"index": 0, "delta": delta} for delta in deltas] + [{"index": 0, "delta": {}, "finish_reason": finish}]
    return b"".join(b"data: %b\n\n" % json.dumps({"choices": [one]}).encode() for one in choices) + b"data: [DONE]\n\n"


def streamed(quirk: str, *deltas: dict[str, Any], finish: str = "stop") -> tuple[list[Chunk], Delta]:
    decoder = OpenAIChat().decoder(chat=CHAT, to=deployment(quirks=(quirk,), clean=True))
    fold = Fold()
    chunks = [chunk for byte in events(*deltas, finish=finish) for chunk in decoder.feed(bytes([byte]))]
    for chunk in chunks:
        fold.add(chunk)
    assert decoder.finished
    return chunks, fold.response().choices[0].delta


def test_a_stream_is_split_while_it_comes() -> None:
    said = [
        {"role": "assistant"},
        *[{"content": text} for text in ("<th", "ink>H", "m", ".</", "think>", "\nYe", "s.")],
    ]
    chunks, message = streamed("think_tags", *said)
    assert (message.content, message.reasoning) == ("Yes.", "Hm.")
    told = [(c.delta.reasoning or "", c.delta.content or "") for chunk in chunks for c in chunk.choices]
    assert [one for one in told if any(one)] == [("H", ""), ("m", ""), (".", ""), ("", "Ye"), ("", "s.")]
    assert chunks[-1].done


def test_a_half_tag_is_told_when_tools_are_called_or_the_answer_ends() -> None:
    call = {"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    _, message = streamed("think_tags", {"content": "<thi"}, {"tool_calls": [call]}, finish="tool_calls")
    assert message.content == "<thi"
    _, message = streamed("think_tags", {"content": "<think>Hm <"}, finish="length")
    assert (message.content, message.reasoning) == (None, "Hm <")


def test_reasoning_under_its_own_name_says_that_the_content_holds_none() -> None:
    _, message = streamed("think_open", {"reasoning_content": "Hm."}, {"content": "Yes."})
    assert (message.content, message.reasoning) == ("Yes.", "Hm.")


@pytest.mark.parametrize(
    ("quirks", "content", "reasoning"),
    [(("think_tags",), "Yes.", "Hm."), (("think_open",), "Yes.", "Hm."), ((), "<think>Hm.</think>Yes.", None)],
)
def test_whole_answers_are_split_too(quirks: tuple[str, ...], content: str, reasoning: str | None) -> None:
    body = b'{"choices":[{"message":{"content":"<think>Hm.</think>Yes."},"finish_reason":"stop"}]}'
    chunk = OpenAIChat().whole(body, chat=CHAT, to=deployment(quirks=quirks))
    assert chunk.choices[0].delta.content == content
    assert (chunk.choices[0].delta.reasoning or None) == reasoning
