"""What Google answers, in the forms that recordings do not show."""

import base64
import io
import json
import wave
from typing import Any

import pytest

from llmgateway.domain.errors import (
    STREAM_TRUNCATED,
    UPSTREAM_AUTH,
    UPSTREAM_CONTEXT,
    UPSTREAM_ERROR,
    UPSTREAM_FORBIDDEN,
    UPSTREAM_RATE_LIMITED,
    UPSTREAM_REFUSED,
    UPSTREAM_TIMEOUT,
    UpstreamError,
)
from llmgateway.domain.reply import Chunk
from llmgateway.wire.gemini.upstream import Gemini
from llmgateway.wire.openai_chat.request import read_request
from tests.unit.wire.gemini.asking import at

STOP = {"finishReason": "STOP"}


def chat(**fields: Any) -> Any:
    return read_request(json.dumps({"model": "m", "messages": [{"role": "user", "content": "x"}], **fields}).encode())


def whole(*candidates: dict[str, Any], model: str = "gemini-3-flash", asked: Any = None, **members: Any) -> Chunk:
    body = {"candidates": list(candidates), **members} if candidates else members
    return Gemini().whole(json.dumps(body).encode(), chat=asked or chat(), to=at(model))


def parts(*several: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {"content": {"parts": list(several), "role": "model"}, **members}


def streamed(*events: Any, asked: Any = None) -> list[Chunk]:
    decoder = Gemini().decoder(chat=asked or chat(stream=True), to=at())
    body = b"".join(b"data: %b\r\n\r\n" % json.dumps(event).encode() for event in events)
    return decoder.feed(body) + decoder.close()


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("STOP", "stop"), ("MAX_TOKENS", "length"), ("CONTINUATION", "length"), ("SAFETY", "content_filter"),
        ("RECITATION", "content_filter"), ("BLOCKLIST", "content_filter"), ("PROHIBITED_CONTENT", "content_filter"),
        ("SPII", "content_filter"), ("IMAGE_SAFETY", "content_filter"), ("LANGUAGE", "content_filter"),
        ("MODEL_ARMOR", "content_filter"), ("OTHER", "stop"), ("NEVER_HEARD_OF", "stop"), (3, "content_filter"),
        (2, "length"), ("", "stop"),
    ],
)  # fmt: skip
def test_finish_reasons(reason: Any, finish: str) -> None:
    assert whole(parts({"text": "a"}, finishReason=reason)).choices[0].finish_reason == finish


def test_the_raw_reason_is_kept() -> None:
    assert whole(parts({"text": "a"}, finishReason="SPII")).choices[0].raw_finish_reason == "SPII"


@pytest.mark.parametrize("reason", ["SAFETY", "RECITATION", "MAX_TOKENS"])
def test_an_answer_that_was_held_back_as_a_whole_is_one_without_content(reason: str) -> None:
    choice = whole({"finishReason": reason, "index": 0}).choices[0]
    assert choice.delta.content is None
    assert choice.finish_reason in ("content_filter", "length")


@pytest.mark.parametrize("reason", ["OTHER", "NO_IMAGE", "IMAGE_OTHER", "TOO_MANY_TOOL_CALLS", "NEVER_HEARD_OF", 77])
def test_a_reason_without_a_cause_is_a_failure_where_nothing_was_said(reason: Any) -> None:
    with pytest.raises(UpstreamError, match="finish reason"):
        whole({"finishReason": reason})


@pytest.mark.parametrize("reason", ["MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE", "MISSING_THOUGHT_SIGNATURE"])
def test_what_could_not_be_said_is_a_failure_whatever_came_before(reason: str) -> None:
    with pytest.raises(UpstreamError, match=reason) as failed:
        whole(parts({"text": "I will call"}, finishReason=reason))
    assert failed.value.kind is UPSTREAM_ERROR
    usage = {"promptTokenCount": 3, "candidatesTokenCount": 2}
    chunks = streamed({"candidates": [parts({"text": "a"}, finishReason=reason)], "usageMetadata": usage})
    assert chunks[-1].error is not None
    assert chunks[-1].usage is not None
    assert chunks[-1].choices == []


def test_a_call_of_an_unknown_function_is_told_as_a_call() -> None:
    choice = whole(parts({"functionCall": {"name": "f"}}, finishReason="UNEXPECTED_TOOL_CALL")).choices[0]
    assert choice.finish_reason == "tool_calls"


def test_a_blocked_prompt_is_an_answer_that_was_filtered() -> None:
    blocked = {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": {"promptTokenCount": 4}}
    choice = whole(**blocked).choices[0]
    assert (choice.finish_reason, choice.raw_finish_reason) == ("content_filter", "BLOCKED:PROHIBITED_CONTENT")
    assert choice.delta.content is None
    last = streamed(blocked)[-1]
    assert last.choices[0].delta.role == "assistant"
    assert last.choices[0].finish_reason == "content_filter"
    assert last.done


def test_old_models_say_stop_in_every_event() -> None:
    chunks = streamed(*({"candidates": [parts({"text": text}, **STOP)]} for text in "abc"))
    assert [choice.finish_reason for chunk in chunks for choice in chunk.choices] == [None, None, None, "stop"]


def test_the_usage_of_the_last_event_counts_and_absent_figures_keep_theirs() -> None:
    first = {
        "promptTokenCount": 5,
        "cachedContentTokenCount": 4,
        "candidatesTokenCount": 1,
        "toolUsePromptTokenCount": 3,
    }
    last = {"promptTokenCount": 5, "candidatesTokenCount": 9, "thoughtsTokenCount": 2, "serviceTier": "priority"}
    chunks = streamed(
        {"candidates": [parts({"text": "a"})], "usageMetadata": first},
        {"candidates": [parts({"text": ""}, **STOP)], "usageMetadata": last},
    )
    usage = chunks[-1].usage
    assert usage is not None
    assert (usage.prompt_tokens, usage.cached_tokens, usage.output_tokens, usage.reasoning_tokens) == (8, 4, 11, 2)
    assert chunks[-1].service_tier == "priority"
    assert chunks[-1].done


def test_modalities_of_tokens() -> None:
    counted = {
        "promptTokenCount": 30,
        "candidatesTokenCount": 20,
        "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 7}, {"modality": "IMAGE", "tokenCount": 8}],
        "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 9}, {"modality": "AUDIO", "tokenCount": 4}],
        "trafficType": "ON_DEMAND_FLEX",
    }
    answer = whole(parts({"text": "a"}, **STOP), usageMetadata=counted)
    usage = answer.usage
    assert usage is not None
    assert (usage.input_audio_tokens, usage.input_image_tokens) == (7, 8)
    assert (usage.output_image_tokens, usage.output_audio_tokens) == (9, 4)
    assert answer.service_tier == "flex"


def test_several_calls_in_one_list() -> None:
    first = {"functionCall": {"name": "f", "args": {"b": 1.50, "a": [1]}, "id": "x1"}, "thoughtSignature": "c2ln"}
    delta = whole(parts({"text": "so"}, first, {"functionCall": {"name": "g"}}, **STOP)).choices[0].delta
    calls = delta.tool_calls or []
    assert [call.function.name for call in calls if call.function] == ["f", "g"]
    assert [call.function.arguments for call in calls if call.function] == ['{"b":1.5,"a":[1]}', "{}"]
    assert calls[0].id == "x1"
    assert calls[0].extra_content == {"google": {"thought_signature": "c2ln"}}
    assert str(calls[1].id).startswith("call_")
    assert [call.index for call in calls] == [0, 1]
    assert delta.reasoning_details == [
        {"type": "reasoning.encrypted", "data": "c2ln", "id": "x1", "format": "google-gemini-v1", "index": 0}
    ]


def test_callers_of_the_old_functions_get_one() -> None:
    called = parts({"functionCall": {"name": "f", "args": {"a": 1}}}, **STOP)
    choice = whole(called, asked=chat(functions=[{"name": "f"}])).choices[0]
    assert choice.finish_reason == "function_call"
    assert choice.delta.function_call
    assert choice.delta.function_call.arguments == '{"a":1}'


def test_thoughts_in_pieces_are_one_item_until_they_are_signed() -> None:
    chunks = streamed(
        {"candidates": [parts({"text": "a", "thought": True})]},
        {
            "candidates": [
                parts({"text": "b", "thought": True}, {"text": "c", "thought": True, "thoughtSignature": "s"})
            ]
        },
        {"candidates": [parts({"text": "d", "thought": True}, {"text": "e"}, **STOP)]},
    )
    details = [item for chunk in chunks for one in chunk.choices for item in one.delta.reasoning_details or ()]
    assert [(item["index"], item["text"], item.get("signature")) for item in details] == [
        (0, "a", None),
        (0, "bc", "s"),
        (1, "d", None),
    ]


def test_pictures() -> None:
    picture = {"inlineData": {"mimeType": "image/png", "data": "iVBORw0="}, "thoughtSignature": "sig"}
    draft = {"inlineData": {"mimeType": "image/png", "data": "AAAA"}, "thought": True}
    delta = whole(parts(draft, {"text": "here"}, picture, **STOP)).choices[0].delta
    url = {"url": "data:image/png;base64,iVBORw0="}
    assert delta.images == [{"type": "image_url", "image_url": url, "index": 0}]
    assert delta.reasoning_details
    assert delta.reasoning_details[0]["id"] == "image_0"


SAMPLES = bytes(range(200)) * 5


def pieces(*sizes: int) -> list[dict[str, Any]]:
    found, at_byte = [], 0
    for size in sizes:
        data = base64.b64encode(SAMPLES[at_byte : at_byte + size]).decode()
        found.append(parts({"inlineData": {"mimeType": "audio/L16;codec=pcm;rate=16000", "data": data}}))
        at_byte += size
    return found


def test_sound_in_pieces_is_base64_that_can_be_joined() -> None:
    asked = chat(stream=True, modalities=["audio"], audio={"voice": "Kore", "format": "pcm16"})
    sizes = (100, 1, 333, 566)
    events = [{"candidates": [piece]} for piece in pieces(*sizes)]
    chunks = streamed(*events, {"candidates": [STOP]}, asked=asked)
    told = [choice.delta.audio for chunk in chunks for choice in chunk.choices if choice.delta.audio]
    assert base64.b64decode("".join(piece.get("data", "") for piece in told)) == SAMPLES
    assert [index for index, piece in enumerate(told) if "id" in piece] == [0]


def test_sound_as_wav() -> None:
    asked = chat(modalities=["audio"], audio={"voice": "Kore", "format": "wav"})
    audio = whole({**pieces(1000)[0], **STOP}, asked=asked).choices[0].delta.audio
    assert audio
    with wave.open(io.BytesIO(base64.b64decode(audio["data"]))) as sound:
        assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (16_000, 1, 2)
        assert sound.readframes(10_000) == SAMPLES


def grounded(**grounding: Any) -> dict[str, Any]:
    return parts({"text": "Zürich ist groß. Bern auch."}, **STOP, groundingMetadata=grounding)


def test_citations_point_at_characters_of_the_text() -> None:
    pages = [{"web": {"uri": "https://a.test", "title": "A"}}, {"web": {"uri": "https://b.test"}}, {"maps": {}}]
    supports = [
        {"groundingChunkIndices": [0, 7], "segment": {"endIndex": 18, "text": "Zürich ist groß."}},
        {"groundingChunkIndices": [0], "segment": {"startIndex": 2, "endIndex": 5, "text": "Bern auch."}},
        {"groundingChunkIndices": [0], "segment": {"endIndex": 900, "text": "not there"}},
    ]
    annotations = whole(grounded(groundingChunks=pages, groundingSupports=supports)).choices[0].delta.annotations
    assert annotations
    cited = [one["url_citation"] for one in annotations]
    assert cited == [
        {"url": "https://a.test", "title": "A", "start_index": 0, "end_index": 16},
        {"url": "https://a.test", "title": "A", "start_index": 17, "end_index": 27},
        {"url": "https://a.test", "title": "A"},
        {"url": "https://b.test", "title": ""},
    ]
    assert [one["index"] for one in annotations] == [0, 1, 2, 3]


def test_recited_sources_are_citations_too() -> None:
    for member in ("citationSources", "citations"):
        recited = {member: [{"startIndex": 0, "endIndex": 5, "uri": "https://a.test"}]}
        delta = whole(parts({"text": "Hello, world"}, **STOP, citationMetadata=recited)).choices[0].delta
        assert delta.annotations
        assert delta.annotations[0]["url_citation"]["end_index"] == 5


@pytest.mark.parametrize(("model", "searches"), [("gemini-2.5-flash", 1), ("gemini-3-flash-preview", 2)])
def test_searches_are_counted_as_they_are_billed(model: str, searches: int) -> None:
    queried = grounded(webSearchQueries=["a", "b", "a", ""])
    usage = whole(queried, model=model, usageMetadata={"promptTokenCount": 1}).usage
    assert usage is not None
    assert usage.web_searches == searches


def test_log_probabilities() -> None:
    result = {
        "chosenCandidates": [{"token": "é", "tokenId": 1, "logProbability": -0.5}],
        "topCandidates": [{"candidates": [{"token": "é", "logProbability": -0.5}, {"token": "e"}]}],
    }
    logprobs = whole(parts({"text": "é"}, **STOP, logprobsResult=result)).choices[0].logprobs
    assert logprobs is not None
    (token,) = logprobs["content"]
    assert (token["token"], token["logprob"], token["bytes"]) == ("é", -0.5, [195, 169])
    assert [other["token"] for other in token["top_logprobs"]] == ["é", "e"]


def test_several_candidates() -> None:
    answer = whole(parts({"text": "a"}, **STOP), parts({"text": "b"}, finishReason="MAX_TOKENS", index=1))
    assert [(one.index, one.delta.content, one.finish_reason) for one in answer.choices] == [
        (0, "a", "stop"),
        (1, "b", "length"),
    ]


def test_a_whole_answer_needs_no_reason_but_a_stream_does() -> None:
    assert whole(parts({"text": "a"})).choices[0].finish_reason == "stop"
    with pytest.raises(UpstreamError) as cut:
        Gemini().whole(b'[{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}]', chat=chat(), to=at())
    assert cut.value.kind is STREAM_TRUNCATED


@pytest.mark.parametrize(
    "body", [b"", b"<html>502</html>", b"{}", b"[]", b"null", b'{"x":1}', b'{"candidates":[]}', b"{"]
)
def test_what_is_no_answer(body: bytes) -> None:
    with pytest.raises(UpstreamError) as failed:
        Gemini().whole(body, chat=chat(), to=at())
    assert failed.value.kind is UPSTREAM_ERROR


def test_an_error_in_a_stream_is_its_last_chunk() -> None:
    error = {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}
    chunks = streamed({"candidates": [parts({"text": "a"})]}, error, {"candidates": [parts({"text": "b"})]})
    assert len(chunks) == 2
    assert chunks[1].error is not None
    assert "overloaded" in chunks[1].error.message


def failure(code: int, **error: Any) -> UpstreamError:
    body = json.dumps({"error": {"code": code, **error}}).encode()
    alone = Gemini().error(code, (), body, to=at())
    listed = Gemini().error(code, (), b"[%b]" % body, to=at())
    assert (alone.kind, alone.message, alone.retry_after_s) == (listed.kind, listed.message, listed.retry_after_s)
    return alone


INVALID = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]
RETRY = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.4s"}]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (failure(400, message="API key not valid.", status="INVALID_ARGUMENT", details=INVALID), UPSTREAM_AUTH),
        (failure(400, message="User location is not supported for the API use."), UPSTREAM_AUTH),
        (failure(400, message="* unknown field", status="INVALID_ARGUMENT"), UPSTREAM_REFUSED),
        (failure(400, message="The input token count (9) exceeds the maximum number of tokens."), UPSTREAM_CONTEXT),
        (failure(403, message="Permission denied", status="PERMISSION_DENIED"), UPSTREAM_FORBIDDEN),
        (failure(400, message="No field 'API key not valid'.", status="INVALID_ARGUMENT"), UPSTREAM_REFUSED),
        (failure(429, message="You exceeded your current quota", status="RESOURCE_EXHAUSTED"), UPSTREAM_RATE_LIMITED),
        (failure(500, message="internal", status="INTERNAL"), UPSTREAM_ERROR),
        (failure(504, message="late", status="DEADLINE_EXCEEDED"), UPSTREAM_TIMEOUT),
    ],
    ids=lambda value: value.kind.name if isinstance(value, UpstreamError) else value.name,
)
def test_errors(error: UpstreamError, kind: Any) -> None:
    assert error.kind is kind


def test_when_to_come_back() -> None:
    assert failure(429, message="slow down", status="RESOURCE_EXHAUSTED", details=RETRY).retry_after_s == 34.4
    given = [(b"retry-after", b"7")]
    body = json.dumps({"error": {"code": 429, "message": "x", "details": RETRY}}).encode()
    assert Gemini().error(429, given, body, to=at()).retry_after_s == 7


def test_the_words_of_a_refused_key_are_not_relayed() -> None:
    error = failure(400, message="API key AIzaSecret not valid.", details=INVALID)
    assert "AIza" not in error.message
    assert error.status_code == 400
