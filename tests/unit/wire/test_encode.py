"""Answers in our own words: whole ones, streams of both lanes, and errors."""

import json
from typing import Any

import pytest
from msgspec import Raw

from llmgateway.domain.errors import UPSTREAM_ERROR, GatewayError
from llmgateway.domain.reply import ChoiceDelta, Chunk, Delta, ToolCallDelta, ToolFunctionDelta
from llmgateway.wire.openai_chat.encode import DONE, StreamEncoder, error_body, whole_answer
from llmgateway.wire.openai_chat.stream import ChatDecoder
from tests.support.fakes import candidates

PREFIX = b'{"id":"theirs","object":"chat.completion.chunk","created":5,"model":"m","system_fingerprint":"fp","choices":'


def encoder(*, naive: bool = True, hide_reasoning: bool = False) -> StreamEncoder:
    return StreamEncoder(fallback_id="ours", created=9, model="p/m", naive=naive, hide_reasoning=hide_reasoning)


def says(content: str, **members: Any) -> Chunk:
    return Chunk([ChoiceDelta(0, Delta(content=content))], **members)


def events(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(line[6:]) for line in data.split(b"\n\n") if line and line != b"data: [DONE]"]


def wire(*tails: bytes) -> Chunk:
    """As the decoder makes it of a read behind a first event."""
    decoder = ChatDecoder(to=candidates("one", clean=True).deployments[0], native=True)
    decoder.feed(b"data: " + PREFIX + tail(""))
    (chunk,) = decoder.feed(b"".join(b"data: " + PREFIX + tail for tail in tails))
    assert chunk.wire is not None
    return chunk


def tail(text: str, rest: bytes = b"") -> bytes:
    content = json.dumps(text).encode()
    return b'[{"index":0,"delta":{"content":%b},"finish_reason":null}]%b}\n\n' % (content, rest)


def test_the_first_event_fixes_the_envelope() -> None:
    one = encoder()
    told = events(one.feed([says("a", id="first")]) + one.feed([says("b", id="second")]))
    assert [(event["id"], event["created"], event["model"]) for event in told] == [("first", 9, "p/m")] * 2


def test_an_answer_without_id_gets_ours() -> None:
    assert events(encoder().feed([says("a")]))[0]["id"] == "ours"


NULL = b',"usage":null'
PADDED = b',"usage":null,"obfuscation":"abc"'
TEXT = ',"usage":null}\n\n'


@pytest.mark.parametrize(
    "rests", [[b""], [NULL], [NULL, NULL, NULL], [NULL, b"", NULL], [b"", NULL], [PADDED, PADDED], [PADDED, NULL]]
)
@pytest.mark.parametrize("text", ["hi", TEXT, '"choices":', "data: "])
def test_native_events_get_our_envelope_and_lose_the_null_that_stands_for_no_usage(
    rests: list[bytes], text: str
) -> None:
    told = events(encoder().feed([says("", id="i"), wire(*(tail(text, rest) for rest in rests))]))[1:]
    assert [event["choices"][0]["delta"]["content"] for event in told] == [text] * len(rests)
    for event in told:
        assert "usage" not in event
        assert (event["id"], event["created"], event["model"], event["system_fingerprint"]) == ("i", 9, "p/m", "fp")


def test_the_last_chunk_shows_naive_clients_a_choice_and_others_none() -> None:
    for naive, choices in ((True, [{"index": 0, "delta": {}, "logprobs": None, "finish_reason": None}]), (False, [])):
        data = encoder(naive=naive).final(usage=b'{"total_tokens":1}', metadata=b"{}", extra=None)
        assert data.endswith(DONE)
        assert events(data)[0]["choices"] == choices
        assert events(data)[0]["usage"] == {"total_tokens": 1}


def test_a_failure_is_one_event_and_done() -> None:
    error = GatewayError(UPSTREAM_ERROR, "It broke.")
    data = encoder().failure(error, usage=b"{}", metadata=None)
    assert data.endswith(DONE)
    (told,) = events(data)
    assert told["choices"] == []
    assert told["error"] == {
        "message": "It broke.",
        "type": "upstream_error",
        "param": None,
        "code": "upstream_error",
        "status": 502,
    }


def test_members_with_line_ends_stay_on_one_line() -> None:
    data = encoder().feed([says("a", extra={"x": Raw(b'{\n "y": "z\\n"\r\n}')})])
    assert data.count(b"\n") == 2
    assert events(data)[0]["x"] == {"y": "z\n"}


def test_hidden_reasoning_leaves_no_empty_event() -> None:
    thought = Chunk([ChoiceDelta(0, Delta(reasoning="hm"))])
    assert encoder(hide_reasoning=True).feed([thought]) == b""


def test_hidden_reasoning_still_tells_the_role() -> None:
    first = Chunk([ChoiceDelta(0, Delta(role="assistant", reasoning="hm"))])
    assert events(encoder(hide_reasoning=True).feed([first]))[0]["choices"][0]["delta"] == {"role": "assistant"}


def test_a_whole_answer_has_no_index_in_its_lists_and_no_null_where_there_is_none() -> None:
    call = ToolCallDelta(0, id="c", type="function", function=ToolFunctionDelta("f", "{}"))
    message = Delta(tool_calls=[call], annotations=[{"type": "url_citation", "index": 0}], extra={"new": 1})
    body = whole_answer(
        Chunk([ChoiceDelta(0, message, finish_reason="tool_calls")]),
        answer_id="i", created=1, model="p/m", usage=b"{}", metadata=b"{}", hide_reasoning=False,
    )  # fmt: skip
    told = json.loads(body)["choices"][0]
    assert told["message"] == {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
        "annotations": [{"type": "url_citation"}],
        "new": 1,
    }
    assert told["finish_reason"] == "tool_calls"


def test_an_error_body_has_all_four_members() -> None:
    body = json.loads(
        error_body(GatewayError(UPSTREAM_ERROR, 'It "broke".\n', param="a[0]"), metadata=b'{"routing":[]}')
    )
    assert body["error"] == {
        "message": 'It "broke".\n',
        "type": "upstream_error",
        "param": "a[0]",
        "code": "upstream_error",
    }
    assert body["metadata"] == {"routing": []}
