"""Says what a recording of Google's generateContent holds, by the vendor's own SDK, in the terms of `Answer`.

Of our own knowledge there are only the documented rules: how token buckets add up, and which finish reason is
which of ours. Answers that were streamed as a JSON array (without `alt=sse`) are cut into events for the SDK, which
never asks for them so; and enumerations that were asked for as numbers (`enum-encoding=int`) get their names.
"""

import base64
import functools
import json
import math
import re
from typing import Any

import httpx
from google import genai
from google.genai import errors, types

from tests.support.corpus import Recording
from tests.support.independent_chat_reader import (
    BETWEEN,
    UNCOUNTED,
    Answer,
    Call,
    Refusal,
    Tokens,
    Told,
    counted,
    refusal_of,
)
from tests.support.replayed_http import BASE_URL

LENGTH = {"MAX_TOKENS"}
FILTERED = {
    "SAFETY",
    "RECITATION",
    "LANGUAGE",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "IMAGE_SAFETY",
    "IMAGE_PROHIBITED_CONTENT",
    "IMAGE_RECITATION",
    "MODEL_ARMOR",
}
_NUMBERED = {
    "finishReason": {1: "STOP", 2: "MAX_TOKENS", 3: "SAFETY", 4: "RECITATION", 5: "OTHER"},
    "modality": {1: "TEXT", 2: "IMAGE", 3: "VIDEO", 4: "AUDIO", 5: "DOCUMENT"},
}
_UNREAD = ("safetyRatings", "trafficType")
_ASKED: Any = {"model": "m", "contents": "Hello"}


def read(recording: Recording) -> Answer:
    """What a 200 says."""
    models = _sdk(recording).models
    if not recording.streamed:
        return _answer([models.generate_content(**_ASKED)])
    try:
        return _answer(list(models.generate_content_stream(**_ASKED)))
    except errors.APIError as error:
        return Answer(error=error.details)


def refusal(recording: Recording) -> Refusal:
    try:
        _sdk(recording).models.generate_content(**_ASKED)
    except errors.APIError as error:
        wait = _retry_delay(error.details)
        if error.code == 429 and wait is not None:
            return Refusal(429, "upstream_rate_limited", relayed=error.message, retry_after=math.ceil(wait))
        return refusal_of(error.code, error.message, error.status)
    raise AssertionError(f"the SDK sees no error in {recording}")


def _retry_delay(details: Any) -> float | None:
    """Seconds, of google.rpc.RetryInfo (cloud.google.com/apis/design/errors): a rate, whatever the words say."""
    for detail in details["error"].get("details") or ():
        if detail.get("@type", "").endswith("google.rpc.RetryInfo") and detail.get("retryDelay"):
            return float(detail["retryDelay"].removesuffix("s"))
    return None


def _has_numbers(body: bytes) -> bool:
    return re.search(rb'"(?:finishReason|modality)"\s*:\s*\d', body) is not None


def _named(value: Any) -> Any:
    """Names for the numbers of the enumerations that are read; the others are left out, as the SDK refuses them."""
    if isinstance(value, list):
        return [_named(item) for item in value]
    if not isinstance(value, dict):
        return value
    named = {name: _named(member) for name, member in value.items() if name not in _UNREAD}
    for name, names in _NUMBERED.items():
        if isinstance(named.get(name), int):
            named[name] = names[named[name]]
    return named


class _Recorded(httpx.BaseTransport):
    """Answers with whichever recording is being read."""

    recording: Recording

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        recording, body = self.recording, self.recording.body
        if recording.status == 200 and _has_numbers(body):
            body = json.dumps(_named(json.loads(body))).encode()
        if recording.streamed and body.lstrip().startswith(b"["):
            body = b"".join(b"data: %b\n\n" % json.dumps(event).encode() for event in json.loads(body))
        return httpx.Response(recording.status, headers=list(recording.headers), content=body)


@functools.cache
def _client() -> tuple[genai.Client, _Recorded]:
    """One for all recordings, since making it reads certificates and is slow."""
    transport = _Recorded()
    http = httpx.Client(transport=transport)
    options = types.HttpOptions(base_url=BASE_URL, httpx_client=http, retry_options=types.HttpRetryOptions(attempts=1))
    return genai.Client(api_key="k", vertexai=False, http_options=options), transport


def _sdk(recording: Recording) -> genai.Client:
    client, transport = _client()
    transport.recording = recording
    return client


def _answer(chunks: list[types.GenerateContentResponse]) -> Answer:
    """Chunks add up; of usage the last figures count."""
    usage: dict[str, Any] = {}
    answer = Answer(id=next((chunk.response_id for chunk in chunks if chunk.response_id), None))
    thoughts: dict[int, list[str]] = {}
    for chunk in chunks:
        answer.model = answer.model or chunk.model_version
        if chunk.prompt_feedback is not None and chunk.prompt_feedback.block_reason is not None:
            answer.choices[0] = Told(finish="content_filter", annotations=UNCOUNTED)
        for place, candidate in enumerate(chunk.candidates or ()):
            index = candidate.index or place
            told = answer.choices.setdefault(index, counted(annotations=UNCOUNTED))
            _candidate(told, thoughts.setdefault(index, []), candidate)
        if chunk.usage_metadata is not None:
            usage.update(chunk.usage_metadata.model_dump(exclude_none=True))
    answer.tokens = _tokens(types.GenerateContentResponseUsageMetadata.model_validate(usage))
    for index, told in answer.choices.items():
        told.reasoning = BETWEEN.join(thoughts.get(index, ()))
        if told.finish == "stop" and told.calls:
            told.finish = "tool_calls"
    return answer


def _candidate(told: Told, thoughts: list[str], candidate: types.Candidate) -> None:
    for part in (candidate.content.parts if candidate.content else None) or ():
        _part(told, thoughts, part)
    if candidate.finish_reason is not None:
        raw = candidate.finish_reason.value
        told.finish = "length" if raw in LENGTH else "content_filter" if raw in FILTERED else "stop"
    if candidate.logprobs_result is not None:
        told.logprobs = told.logprobs + len(candidate.logprobs_result.chosen_candidates or ())
    grounding = candidate.grounding_metadata
    if grounding is not None:
        urls = [chunk.web.uri if chunk.web else None for chunk in grounding.grounding_chunks or ()]
        told.found |= {url for url in urls if url}
        for support in grounding.grounding_supports or ():
            told.cite(url for place in support.grounding_chunk_indices or () if (url := urls[place]))


def _part(told: Told, thoughts: list[str], part: types.Part) -> None:
    """Code that Google ran itself, and what came of it, are steps on the way."""
    if part.thought_signature:
        told.sign([base64.b64encode(part.thought_signature).decode()])
    if part.text is not None and part.thought:
        thoughts.append(part.text)
    elif part.text is not None:
        told.text += part.text
    elif part.function_call is not None:
        call = part.function_call
        told.calls.append(Call(call.name or "", call.args or {}, call.id))
    elif part.inline_data is not None and part.inline_data.data is not None and not part.thought:
        kind, data = part.inline_data.mime_type, base64.b64encode(part.inline_data.data).decode()
        told.images += 1
        told.show(f"data:{kind};base64,{data}")


def _tokens(usage: types.GenerateContentResponseUsageMetadata) -> Tokens | None:
    """Everything that was read, and everything that was written."""
    if usage.prompt_token_count is None and usage.total_token_count is None:
        return None
    thoughts = usage.thoughts_token_count or 0
    return Tokens(
        prompt=(usage.prompt_token_count or 0) + (usage.tool_use_prompt_token_count or 0),
        cached=usage.cached_content_token_count or 0,
        cache_write=0,
        completion=(usage.candidates_token_count or 0) + thoughts,
        reasoning=thoughts,
        prompt_audio=_of("AUDIO", usage.prompt_tokens_details),
        completion_audio=_of("AUDIO", usage.candidates_tokens_details),
        prompt_image=_of("IMAGE", usage.prompt_tokens_details),
        completion_image=_of("IMAGE", usage.candidates_tokens_details),
    )


def _of(modality: str, counts: list[types.ModalityTokenCount] | None) -> int:
    return sum(one.token_count or 0 for one in counts or () if one.modality is not None and one.modality == modality)
