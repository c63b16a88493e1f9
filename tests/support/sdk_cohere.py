"""Says what a recording of Cohere's v2 chat holds, by the vendor's own SDK, in the terms of `Answer`.

Of our own knowledge there are only the documented rules: how token counts are named, and which finish reason is
which of ours. A plan that comes before tool calls is reasoning; a call of which no arguments came has none, `{}`.
"""

from typing import Any

import cohere
from cohere.core.api_error import ApiError
from cohere.types.usage import Usage

from tests.support.corpus import Recording
from tests.support.independent_chat_reader import (
    UNCOUNTED,
    Answer,
    Call,
    Refusal,
    Tokens,
    Told,
    counted,
    parsed,
    refusal_of,
)
from tests.support.replayed_http import BASE_URL, old_client

FINISH = {"COMPLETE": "stop", "STOP_SEQUENCE": "stop", "MAX_TOKENS": "length", "TOOL_CALL": "tool_calls"}
BROKEN = {"ERROR", "TIMEOUT"}
_ASKED: Any = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}


def read(recording: Recording) -> Answer:
    """What a 200 says."""
    sdk = _sdk(recording)
    return _streamed(sdk.chat_stream(**_ASKED)) if recording.streamed else _whole(sdk.chat(**_ASKED))


def refusal(recording: Recording) -> Refusal:
    try:
        _sdk(recording).chat(**_ASKED)
    except ApiError as error:
        message = error.body.get("message") if isinstance(error.body, dict) else None
        return refusal_of(error.status_code or 0, message, "upstream_refused")
    raise AssertionError(f"the SDK sees no error in {recording}")


def _sdk(recording: Recording) -> cohere.ClientV2:
    return cohere.ClientV2(api_key="k", base_url=BASE_URL, httpx_client=old_client(recording))


def _whole(source: cohere.V2ChatResponse) -> Answer:
    told = counted(annotations=UNCOUNTED)
    told.reasoning = source.message.tool_plan or ""
    for part in source.message.content or ():
        if part.type == "text":
            told.text += part.text
        elif part.type == "thinking":
            told.reasoning += part.thinking
    for call in source.message.tool_calls or ():
        assert call.function is not None
        told.calls.append(Call(call.function.name or "", parsed(call.function.arguments or "{}"), call.id))
    answer = Answer({0: told}, tokens=_tokens(source.usage), id=source.id)
    _finish(answer, source.finish_reason)
    return answer


def _streamed(events: Any) -> Answer:
    answer = Answer()
    told = counted(annotations=UNCOUNTED)
    for event in events:
        message: Any = getattr(getattr(event, "delta", None), "message", None)
        if event.type == "message-start":
            answer.id, answer.choices = event.id, {0: told}
        elif event.type in ("content-start", "content-delta"):
            _content(told, message.content)
        elif event.type == "tool-plan-delta":
            told.reasoning += message.tool_plan
        elif event.type == "tool-call-start":
            call = message.tool_calls
            told.calls.append(Call(call.function.name, call.function.arguments or "", call.id))
        elif event.type == "tool-call-delta":
            told.calls[-1].arguments += message.tool_calls.function.arguments
        elif event.type == "message-end":
            answer.tokens = _tokens(event.delta.usage)
            _finish(answer, event.delta.finish_reason)
    for call in told.calls:
        call.arguments = parsed(call.arguments or "{}")
    return answer


def _content(told: Told, content: Any) -> None:
    told.text += getattr(content, "text", None) or ""
    told.reasoning += getattr(content, "thinking", None) or ""


def _finish(answer: Answer, reason: str | None) -> None:
    told = answer.choices[0]
    if reason in BROKEN:
        answer.broken = reason
    elif reason is not None:
        told.finish = FINISH.get(reason, "content_filter" if reason == "ERROR_TOXIC" else "stop")
        if told.calls and told.finish == "stop":
            told.finish = "tool_calls"


def _tokens(usage: Usage | None) -> Tokens | None:
    """Tokens as they were counted, not as they are billed."""
    if usage is None or usage.tokens is None:
        return None
    return Tokens(
        prompt=int(usage.tokens.input_tokens or 0),
        cached=int(usage.cached_tokens or 0),
        cache_write=0,
        completion=int(usage.tokens.output_tokens or 0),
        reasoning=int((usage.tokens.model_extra or {}).get("reasoning_tokens") or 0),
    )
