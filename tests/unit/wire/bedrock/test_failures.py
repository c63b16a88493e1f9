"""What goes wrong: errors by their class, exceptions among the events, frames that are none, and bytes of any kind."""

import json
import struct
import tracemalloc
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmgateway.domain import errors
from llmgateway.domain.errors import ErrorKind, UpstreamError
from llmgateway.domain.reply import Chunk
from llmgateway.wire.bedrock.upstream import Bedrock
from tests.support.frames import event, exception, frame, string
from tests.unit.wire.bedrock.converse import CLAUDE, asked, bedrock
from tests.unit.wire.bedrock.replies import HELLO, stream

CODEC = Bedrock()
CHAT = asked()
BODY = {"message": "Words."}


def refused(status: int, kind: str = "", body: dict[str, Any] | bytes = BODY) -> UpstreamError:
    headers = [(b"content-type", b"application/json")]
    if kind:
        headers.append((b"x-amzn-errortype", kind.encode()))
    return CODEC.error(status, headers, body if isinstance(body, bytes) else json.dumps(body).encode(), to=bedrock())


def streamed(body: bytes) -> list[Chunk]:
    decoder = CODEC.decoder(chat=CHAT, to=bedrock())
    return decoder.feed(body) + decoder.close()


def failure(body: bytes) -> UpstreamError:
    last = streamed(body)[-1]
    assert last.error is not None
    return last.error


@pytest.mark.parametrize(
    ("status", "kind", "told"),
    [
        (429, "ThrottlingException", errors.UPSTREAM_RATE_LIMITED),
        (400, "ThrottlingException:http://internal.amazon.com/coral/", errors.UPSTREAM_RATE_LIMITED),
        (400, "ServiceQuotaExceededException", errors.UPSTREAM_RATE_LIMITED),
        (400, "ValidationException", errors.UPSTREAM_REFUSED),
        (403, "AccessDeniedException", errors.UPSTREAM_FORBIDDEN),
        (403, "UnrecognizedClientException", errors.UPSTREAM_AUTH),
        (400, "ExpiredTokenException", errors.UPSTREAM_AUTH),
        (400, "IncompleteSignature", errors.UPSTREAM_AUTH),
        (403, "InvalidSignatureException", errors.UPSTREAM_AUTH),
        (429, "ModelNotReadyException", errors.UPSTREAM_ERROR),
        (503, "ServiceUnavailableException", errors.UPSTREAM_ERROR),
        (500, "InternalServerException", errors.UPSTREAM_ERROR),
        (424, "ModelErrorException", errors.UPSTREAM_ERROR),
        (424, "", errors.UPSTREAM_ERROR),
        (408, "ModelTimeoutException", errors.UPSTREAM_TIMEOUT),
        (404, "ResourceNotFoundException", errors.UPSTREAM_ERROR),
        (403, "", errors.UPSTREAM_FORBIDDEN),
        (400, "NewException", errors.UPSTREAM_REFUSED),
    ],
)
def test_the_class_decides_what_the_status_only_hints_at(status: int, kind: str, told: ErrorKind) -> None:
    error = refused(status, kind)
    assert error.kind is told
    assert error.status_code == status
    assert ("Words." in error.message) is (told not in (errors.UPSTREAM_AUTH, errors.UPSTREAM_FORBIDDEN))


@pytest.mark.parametrize(
    "body",
    [
        {"__type": "com.amazon.coral.service#ThrottlingException", "message": "Words."},
        {"__type": "ThrottlingException", "Message": "Words."},
        {"code": "ThrottlingException", "message": "Words."},
    ],
)
def test_the_class_may_stand_in_the_body(body: dict[str, Any]) -> None:
    error = refused(400, body=body)
    assert error.kind is errors.UPSTREAM_RATE_LIMITED
    assert "Words." in error.message


@pytest.mark.parametrize(
    "message",
    [
        "Input is too long for requested model.",
        "The model returned the following errors: prompt is too long: 210000 tokens > 200000 maximum",
        "The model returned the following errors: Input tokens exceed the configured limit of 300000 tokens.",
    ],
)
def test_a_prompt_that_is_too_long(message: str) -> None:
    assert refused(400, "ValidationException", {"message": message}).kind is errors.UPSTREAM_CONTEXT


def test_a_refusal_names_its_class() -> None:
    error = refused(400, "ValidationException", {"message": "The provided model identifier is invalid."})
    assert (error.status, error.code) == (400, "ValidationException")
    assert error.message == "acme: The provided model identifier is invalid."


@pytest.mark.parametrize("body", [b"", b"<html>502</html>", b"[]", b"null", b'"x"', b"\xff", b"[" * 5000])
def test_bodies_that_say_nothing(body: bytes) -> None:
    assert refused(502, body=body).kind is errors.UPSTREAM_ERROR
    assert refused(429, body=body).kind is errors.UPSTREAM_RATE_LIMITED


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("throttlingException", errors.UPSTREAM_RATE_LIMITED),
        ("validationException", errors.UPSTREAM_REFUSED),
        ("internalServerException", errors.UPSTREAM_ERROR),
        ("serviceUnavailableException", errors.UPSTREAM_ERROR),
        ("modelStreamErrorException", errors.UPSTREAM_ERROR),
        ("modelTimeoutException", errors.UPSTREAM_TIMEOUT),
        ("somethingNewException", errors.UPSTREAM_ERROR),
    ],
)
def test_exceptions_among_the_events_end_the_stream(kind: str, told: ErrorKind) -> None:
    chunks = streamed(stream(("messageStart", {"role": "assistant"})) + exception(kind, BODY) + HELLO)
    assert chunks[-1].error is not None
    assert chunks[-1].error.kind is told
    assert chunks[-1].error.status_code == 200
    assert "Words." in chunks[-1].error.message
    assert sum(len(chunk.choices) for chunk in chunks) == 1


def test_errors_that_the_service_does_not_model() -> None:
    headers = [
        string(":message-type", "error"),
        string(":error-code", "InternalError"),
        string(":error-message", "Words."),
    ]
    error = failure(frame(headers, b""))
    assert (error.kind, "Words." in error.message) == (errors.UPSTREAM_ERROR, True)


def test_an_exception_without_anything() -> None:
    assert failure(frame([string(":message-type", "exception")], b"")).kind is errors.UPSTREAM_ERROR


def test_events_nobody_knows_are_passed_over() -> None:
    before = event("somethingNew", {"a": 1}) + frame([], b"") + frame([string(":event-type", "x")], b"\xff")
    assert streamed(before + HELLO) == streamed(HELLO)


def huge() -> bytes:
    prelude = struct.pack(">II", 16 * 1024 * 1024, 0)
    return prelude + struct.pack(">I", zlib.crc32(prelude))


@pytest.mark.parametrize(
    "broken",
    [
        HELLO[:-1] + bytes([HELLO[-1] ^ 1]),
        HELLO[:30],
        HELLO[:-9],
        huge(),
        b"data: {}\n\n" * 3,
        frame([("x", 99, b"")], b"{}"),
        event("contentBlockDelta", {"delta": 5}),
        event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": 5}}),
        frame([string(":event-type", "contentBlockDelta")], b"{"),
        frame([string(":event-type", "contentBlockDelta")], b'{"delta":{"text":"\xff"}}'),
        frame([string(":event-type", "metadata")], b"[" * 3000),
    ],
    ids=[
        "checksum",
        "cut",
        "cut at the end",
        "16 MB",
        "not frames",
        "header type",
        "shape",
        "type",
        "json",
        "utf-8",
        "deep",
    ],
)
def test_bytes_that_are_no_answer_are_an_error(broken: bytes) -> None:
    decoder = CODEC.decoder(chat=CHAT, to=bedrock())
    tracemalloc.start()
    try:
        chunks = decoder.feed(broken) + decoder.close()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    error = chunks[-1].error
    assert error is not None
    assert error.kind is errors.UPSTREAM_ERROR
    assert peak < 1_000_000
    assert decoder.feed(HELLO) == []
    assert decoder.close() == []


def test_an_image_that_is_not_base64_is_an_error() -> None:
    error = failure(
        stream(("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"image": {"source": {"bytes": "A"}}}}))
    )
    assert "base64" in error.message


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", errors.UPSTREAM_ERROR),
        (b"<html>", errors.UPSTREAM_ERROR),
        (b"[]", errors.UPSTREAM_ERROR),
        (b"{}", errors.UPSTREAM_ERROR),
        (b'{"output":{}}', errors.UPSTREAM_ERROR),
        (b'{"output":{"message":{"content":5}}}', errors.UPSTREAM_ERROR),
        (b'{"Output":{"__type":"x#UnknownOperationException"},"Version":"1.0"}', errors.UPSTREAM_ERROR),
        (b'{"__type":"x#ThrottlingException","message":"Slow down."}', errors.UPSTREAM_RATE_LIMITED),
    ],
)
def test_a_200_that_is_no_answer(body: bytes, kind: ErrorKind) -> None:
    with pytest.raises(UpstreamError) as raised:
        CODEC.whole(body, chat=CHAT, to=bedrock())
    assert raised.value.kind is kind


VALUES = st.sampled_from([None, 0, -1, 1e300, "", "x", [], {}, [None], {"a": 1}, True, "A" * 300, {"text": "a"}])
MEMBERS = [
    "text", "signature", "redactedContent", "input", "toolUseId", "name", "type", "source", "location", "title",
    "reasoningText", "content", "citations", "format", "bytes",
]  # fmt: skip
INNER = st.dictionaries(st.sampled_from(MEMBERS), VALUES, max_size=4)
DELTAS = st.dictionaries(
    st.sampled_from(["text", "toolUse", "reasoningContent", "citation", "image", "x"]), VALUES | INNER, max_size=2
)
BLOCK_MEMBERS = st.sampled_from(["text", "toolUse", "reasoningContent", "citationsContent", "image"])
BLOCKS = st.lists(st.dictionaries(BLOCK_MEMBERS, VALUES | INNER), max_size=3)
PAYLOADS = st.dictionaries(
    st.sampled_from(["contentBlockIndex", "delta", "start", "stopReason", "usage", "serviceTier", "trace", "role"]),
    VALUES | DELTAS,
    max_size=4,
)
KINDS = st.sampled_from(
    ["messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata", "other"]
)
HUNT = settings(max_examples=300, deadline=None, derandomize=True)


@HUNT
@given(st.lists(st.tuples(KINDS, PAYLOADS), max_size=6), st.sampled_from([CLAUDE, "amazon.nova-lite-v1:0"]))
def test_events_of_any_shape_never_raise(events: list[tuple[str, dict[str, Any]]], upstream: str) -> None:
    decoder = CODEC.decoder(chat=CHAT, to=bedrock(upstream))
    chunks = decoder.feed(stream(*events)) + decoder.close()
    assert sum(chunk.error is not None or chunk.done for chunk in chunks) <= 1


@HUNT
@given(st.binary(max_size=200), st.floats(0, 1), st.integers(0, 30))
def test_bytes_of_any_kind_never_raise(junk: bytes, where: float, removed: int) -> None:
    at = int(where * len(HELLO))
    streamed(HELLO[:at] + junk + HELLO[at + removed :])
    streamed(junk)


@HUNT
@given(BLOCKS, VALUES, VALUES)
def test_whole_answers_of_any_shape_are_answers_or_upstream_errors(blocks: Any, stop: Any, usage: Any) -> None:
    body = {"output": {"message": {"content": blocks}}, "stopReason": stop, "usage": usage}
    try:
        chunk = CODEC.whole(json.dumps(body).encode(), chat=CHAT, to=bedrock())
    except UpstreamError:
        return
    assert chunk.choices[0].finish_reason is not None


@HUNT
@given(
    st.integers(400, 599),
    st.binary(max_size=40),
    st.binary(max_size=60) | st.builds(lambda v: json.dumps(v).encode(), VALUES),
)
def test_errors_of_any_shape_are_upstream_errors(status: int, kind: bytes, body: bytes) -> None:
    error = CODEC.error(status, [(b"x-amzn-errortype", kind)], body, to=bedrock())
    assert len(error.message) < 1200


@pytest.mark.parametrize("kind", ["calls", "citations", "image", "text"])
def test_what_is_remembered_of_an_answer_is_bounded(kind: str) -> None:
    decoder = CODEC.decoder(chat=CHAT, to=bedrock())
    image = "A" * 40_000
    tracemalloc.start()
    try:
        for turn in range(6000):
            member: dict[str, Any] = {"text": "x"}
            if kind == "citations":
                member = {"citation": {"title": f"{turn}" + "t" * 50}}
            elif kind == "image":
                member = {"image": {"source": {"bytes": image}}}
            name = "contentBlockDelta" if kind != "calls" else "contentBlockStart"
            payload: dict[str, Any] = {"contentBlockIndex": 0, "delta": member}
            if kind == "calls":
                payload = {"contentBlockIndex": turn, "start": {"toolUse": {"toolUseId": "t", "name": "n"}}}
            if any(chunk.error is not None for chunk in decoder.feed(event(name, payload))):
                break
        assert tracemalloc.get_traced_memory()[1] < 80 * 1024 * 1024
    finally:
        tracemalloc.stop()
    assert kind not in ("calls", "image") or decoder.feed(HELLO) == []
