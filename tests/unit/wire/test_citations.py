"""Sources that stand beside the choices become annotations, once, whole and streamed."""

import json
from typing import Any

from llmgateway.domain.reply import Fold
from llmgateway.wire.openai_chat.request import read_request
from llmgateway.wire.openai_chat.upstream import OpenAIChat
from tests.unit.wire.deployments import deployment

CHAT = read_request(b'{"model":"m","messages":[{"role":"user","content":"Hi"}],"stream":true}')
TO = deployment(quirks=("citations",), clean=True)
RESULTS = [{"title": "One", "url": "https://a.example", "date": "2030-01-01"}, {"url": "https://b.example"}, "x"]
SOURCES: dict[str, Any] = {"citations": ["https://a.example", "https://b.example"], "search_results": RESULTS}
EXPECTED = [
    {"type": "url_citation", "url_citation": {"url": "https://a.example", "title": "One"}, "index": 0},
    {"type": "url_citation", "url_citation": {"url": "https://b.example"}, "index": 1},
]


def whole(**beside: Any) -> Any:
    body = {"choices": [{"message": {"content": "A [1]."}, "finish_reason": "stop"}], **beside}
    return OpenAIChat().whole(json.dumps(body).encode(), chat=CHAT, to=TO).choices[0].delta


def test_a_whole_answer_is_annotated() -> None:
    assert whole(**SOURCES).annotations == EXPECTED


def test_urls_alone_are_enough() -> None:
    assert [one["url_citation"] for one in whole(citations=SOURCES["citations"]).annotations] == [
        {"url": "https://a.example"},
        {"url": "https://b.example"},
    ]


def test_an_answer_without_sources_or_with_senseless_ones_is_left_alone() -> None:
    for beside in ({}, {"citations": []}, {"citations": "x"}, {"search_results": {"a": 1}}, {"citations": [1, None]}):
        assert not whole(**beside).annotations


def test_a_stream_is_annotated_once_at_its_end() -> None:
    deltas = [{"content": "A "}, {"content": "[1]."}]
    events = [{"choices": [{"index": 0, "delta": delta}], **SOURCES} for delta in deltas]
    events.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], **SOURCES})
    data = b"".join(b"data: %b\n\n" % json.dumps(event).encode() for event in events) + b"data: [DONE]\n\n"
    decoder = OpenAIChat().decoder(chat=CHAT, to=TO)
    fold = Fold()
    told = 0
    for byte in data:
        for chunk in decoder.feed(bytes([byte])):
            told += sum(bool(choice.delta.annotations) for choice in chunk.choices)
            fold.add(chunk)
    assert decoder.finished
    assert told == 1
    assert fold.response().choices[0].delta.annotations == EXPECTED
