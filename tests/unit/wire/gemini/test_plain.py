"""Runs of plain events: only what is text and nothing else is taken, and nothing of it is lost."""

import json
from typing import Any

import pytest

from llmgateway.wire.gemini.plain import read_plain
from llmgateway.wire.gemini.upstream import Gemini
from llmgateway.wire.openai_chat.request import read_request
from tests.unit.wire.gemini.asking import at

FIGURES = {"promptTokenCount": 3, "candidatesTokenCount": 1}


def event(*texts: str, **members: Any) -> bytes:
    """`members`: of the candidate."""
    parts = [{"text": text} for text in texts]
    candidate = {"content": {"parts": parts, "role": "model"}, "index": 0, **members}
    return json.dumps({"candidates": [candidate], "usageMetadata": FIGURES, "responseId": "r"}).encode()


def texts(payloads: list[bytes], *, begin: int = 0) -> tuple[int, list[str], int]:
    taken, told, reported = read_plain(payloads, begin=begin)
    tails = told.tails if told is not None else []
    found = [json.loads(b'{"choices":' + tail)["choices"][0]["delta"]["content"] for tail in tails]
    assert told is None or told.content_bytes == sum(map(len, found))
    return taken, found, len(reported)


def test_a_run_is_read_whole() -> None:
    """Parts of one event are one piece, escapes are written anew, and an empty text says nothing."""
    run = [event("a"), event("b", 'c"\n'), event(""), event("你", finishReason=None), event("z", groundingMetadata={})]
    assert texts(run) == (5, ["a", 'bc"\n', "你", "z"], 5)
    assert texts(run, begin=3) == (2, ["你", "z"], 2)
    assert texts([event("")]) == (1, [], 1)


@pytest.mark.parametrize(
    "other",
    [
        event("x", finishReason="STOP"),
        event("x", index=1),
        event("x", groundingMetadata={"webSearchQueries": ["q"]}),
        event("x", citationMetadata={}),
        event("x", logprobsResult={}),
        event("x", content=None),
        event("x", content={"parts": []}),
        event("x", content={"parts": [{"text": "x", "thought": True}]}),
        event("x", content={"parts": [{"text": "x", "thoughtSignature": "s"}]}),
        event("x", content={"parts": [{"text": "x"}, {"functionCall": {"name": "f"}}]}),
        event("x").replace(b'"responseId"', b'"error": {"code": 503}, "x"'),
        event("x").replace(b'"responseId"', b'"promptFeedback": {"blockReason": "SAFETY"}, "x"'),
        event("x").replace(b'"promptTokenCount": 3', b'"promptTokenCount": "3"'),
        event("x").replace(b'"x"', b'"\xff"'),
        event("x", unheard="y").replace(b'"y"', b'"\xff"'),
        event("x").replace(b'"x"', b'"\\ud83d"'),
        event("x")[:-1],
        event("x") + b"}",
        b'{"candidates": []}',
        b"[" * 5_000,
        b"null",
        b"",
    ],
)
def test_the_first_event_that_is_more_than_text_ends_it(other: bytes) -> None:
    assert texts([event("a"), other, event("b")]) == (1, ["a"], 1)
    assert texts([other, event("b")]) == (0, [], 0)


@pytest.mark.parametrize(
    ("asked", "runs"),
    [({"stream": True}, True), ({}, False), ({"stream": True, "web_search": True}, False)],
)
def test_runs_are_told_where_nobody_else_must_see_the_text(asked: dict[str, Any], runs: bool) -> None:
    """Who folds or heals an answer, and who looks for places in its text, is told every event."""
    chat = read_request(json.dumps({"model": "m", "messages": [{"role": "user", "content": "x"}], **asked}).encode())
    decoder = Gemini().decoder(chat=chat, to=at())
    chunks = decoder.feed(b"".join(b"data: %b\r\n\r\n" % event(text) for text in "abcd"))
    assert any(chunk.wire is not None for chunk in chunks) == runs
    assert len([chunk for chunk in chunks if chunk.choices]) == (1 if runs else 4)


def test_what_is_not_text_is_told_in_its_place_among_runs() -> None:
    """The order of a stream is kept, and text is told in runs again behind what interrupts it."""
    chat = read_request(b'{"model":"m","messages":[{"role":"user","content":"x"}],"stream":true}')
    decoder = Gemini().decoder(chat=chat, to=at())
    call = event(content={"parts": [{"functionCall": {"name": "f", "args": {}}}]})
    told: list[list[str]] = []
    for _ in range(5):
        chunks = decoder.feed(b"".join(b"data: %b\n\n" % one for one in (event("a"), event("b"), call, event("c"))))
        told.append(["wire" if one.wire else "choices" for one in chunks if one.wire or one.choices])
    assert told == [["choices", "wire", "choices", "choices"], *[["wire", "choices", "choices"]] * 4]
