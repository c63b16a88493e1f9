"""Reads what the gateway told a client, naively, as clients do, and checks what every stream must keep.

The invariants: an envelope that never changes, a role once and first, tool calls introduced once, one finish reason
per choice, usage once and last, one [DONE] with nothing after it, and no null where clients do not expect one.
"""

import json
from collections.abc import Iterable
from typing import Any

from tests.support.independent_chat_reader import Answer, Call, Tokens, Told, counted, parsed, signatures_of, url_of

NEVER_NULL = ("tool_calls", "function_call", "annotations", "images", "audio", "reasoning", "reasoning_details")
LISTS = ("tool_calls", "images", "annotations", "reasoning_details")
FINISHES = {"stop", "length", "tool_calls", "content_filter", "function_call"}


def events_of(stream: bytes) -> list[dict[str, Any]]:
    """The events, [DONE] checked and taken off. Only `data:` lines, each one JSON object, may be there."""
    assert stream.endswith(b"data: [DONE]\n\n"), stream[-200:]
    assert stream.count(b"data: [DONE]") == 1
    blocks = stream.decode().split("\n\n")[:-2]
    assert all(block.startswith("data: {") and "\n" not in block for block in blocks), blocks
    return [json.loads(block[6:]) for block in blocks]


def read_told_stream(events: list[dict[str, Any]]) -> Answer:
    """Text is appended, calls are merged by index; nothing cleverer than that."""
    check_stream(events)
    answer = Answer(id=events[0]["id"])
    details: dict[tuple[int, int], dict[str, str]] = {}
    for event in events:
        if "error" in event:
            answer.error = event["error"]
        for choice in event["choices"]:
            told = answer.choices.setdefault(choice["index"], counted())
            _add(told, choice["delta"], choice)
            _grow(details, choice["index"], choice["delta"].get("reasoning_details", ()))
    last = events[-1]
    answer.choices = {
        index: told for index, told in answer.choices.items() if told.finish or answer.error or not _is_naive(last)
    }
    for index, told in answer.choices.items():
        _parse_arguments(told)
        told.sign(signatures_of([detail for (choice, _), detail in details.items() if choice == index]))
    answer.tokens = tokens_of(last.get("usage"))
    answer.model = (last.get("metadata") or {}).get("reported_model")
    return answer


def read_told_whole(body: bytes) -> Answer:
    source = json.loads(body)
    assert source["object"] == "chat.completion"
    _no_nulls(source)
    answer = Answer(id=source["id"], tokens=tokens_of(source["usage"]))
    for choice in source["choices"]:
        assert choice["finish_reason"] in FINISHES
        assert choice["message"]["role"] == "assistant"
        assert "content" in choice["message"]
        told = answer.choices[choice["index"]] = counted()
        message = choice["message"]
        _add(told, {**message, "tool_calls": _numbered(message.get("tool_calls", []))}, choice)
        told.sign(signatures_of(message.get("reasoning_details", ())))
        _parse_arguments(told)
    return answer


def tokens_of(usage: dict[str, Any] | None) -> Tokens | None:
    """None where the gateway had to estimate."""
    if usage is None or "estimated" in usage.get("info", ""):
        return None
    read, written = usage["prompt_tokens_details"], usage["completion_tokens_details"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert usage["reasoning_tokens"] == written["reasoning_tokens"]
    return Tokens(
        prompt=usage["prompt_tokens"],
        cached=read["cached_tokens"],
        cache_write=read["cache_write_tokens"],
        completion=usage["completion_tokens"],
        reasoning=written["reasoning_tokens"],
        prompt_audio=read["audio_tokens"],
        completion_audio=written["audio_tokens"],
        prompt_image=read.get("image_tokens", 0),
        completion_image=written.get("image_tokens", 0),
    )


def check_stream(events: list[dict[str, Any]]) -> None:
    envelopes = {(event["id"], event["object"], event["created"], event["model"]) for event in events}
    assert len(envelopes) == 1, envelopes
    assert next(iter(envelopes))[1] == "chat.completion.chunk"
    for event in events[:-1]:
        assert event.keys().isdisjoint(("usage", "metadata", "error")), event
        assert event["choices"], event
    last = events[-1]
    assert "metadata" in last
    assert "usage" in last
    finishes: dict[int, str] = {}
    begun: set[int] = set()
    calls: dict[tuple[int, int], str | None] = {}
    for event in events:
        _no_nulls(event)
        for choice in event["choices"]:
            _check_choice(choice, begun, finishes, calls, naive=event is last)
    if "error" not in last:
        assert finishes.keys() == begun, (finishes, begun)
    else:
        assert last["choices"] == []


def _check_choice(
    choice: dict[str, Any],
    begun: set[int],
    finishes: dict[int, str],
    calls: dict[tuple[int, int], str | None],
    *,
    naive: bool,
) -> None:
    index, delta, finish = choice["index"], choice["delta"], choice["finish_reason"]
    assert "message" not in choice
    if naive:
        assert delta == {}
        assert finish is None
        return
    assert ("role" in delta) == (index not in begun), choice
    begun.add(index)
    if finish is not None:
        assert index not in finishes, "a second finish reason"
        assert finish in FINISHES
        finishes[index] = finish
    for name in LISTS:
        assert all(type(item["index"]) is int for item in delta.get(name, ())), delta
    for call in delta.get("tool_calls", ()):
        place = (index, call["index"])
        name = (call.get("function") or call.get("custom") or {}).get("name")
        if place in calls:
            assert call.keys().isdisjoint(("id", "type")), call
            assert name is None or calls[place] is None, call
            calls[place] = calls[place] or name
        else:
            assert call["id"], call
            assert call["type"], call
            assert call["index"] == sum(1 for known in calls if known[0] == index)
            calls[place] = name


def _no_nulls(source: dict[str, Any]) -> None:
    for choice in source["choices"]:
        message = choice.get("delta", choice.get("message"))
        assert not [name for name in NEVER_NULL if name in message and message[name] is None], message
        for name in LISTS:
            assert not any(_has_null(item) for item in message.get(name, ())), message[name]
    assert source.get("usage", {}) is not None
    assert None not in source.get("usage", {}).values()


def _has_null(value: Any) -> bool:
    """An object with a member of null, in an object; lists are a provider's own."""
    return isinstance(value, dict) and any(member is None or _has_null(member) for member in value.values())


def _grow(details: dict[tuple[int, int], dict[str, str]], choice: int, additions: Iterable[dict[str, Any]]) -> None:
    """Details of one index are one detail, whose texts are appended."""
    for addition in additions:
        whole = details.setdefault((choice, addition["index"]), {})
        for name in ("signature", "data"):
            if addition.get(name):
                whole[name] = whole.get(name, "") + addition[name]


def _numbered(calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**call, "index": place} for place, call in enumerate(calls)]


def _is_naive(last: dict[str, Any]) -> bool:
    return bool(last["choices"])


def _add(told: Told, delta: dict[str, Any], choice: dict[str, Any]) -> None:
    told.text += delta.get("content") or ""
    told.reasoning += delta.get("reasoning", "")
    told.refusal += delta.get("refusal") or ""
    told.annotations += len(delta.get("annotations", ()))
    told.cite(url for note in delta.get("annotations", ()) if (url := url_of(note)))
    told.images += len(delta.get("images", ()))
    for image in delta.get("images", ()):
        told.show(image["image_url"]["url"])
    told.details += len(delta.get("reasoning_details", ()))
    told.audio = told.audio or "audio" in delta
    told.logprobs += len((choice.get("logprobs") or {}).get("content") or ())
    told.finish = choice["finish_reason"] or told.finish
    for call in delta.get("tool_calls", ()):
        body = call.get("function") or call.get("custom") or {}
        if call["index"] == len(told.calls):
            told.calls.append(Call("", "", call["id"]))
        told.sign(_signature_of(call))
        told.calls[call["index"]].name += body.get("name", "")
        told.calls[call["index"]].arguments += body.get("arguments", body.get("input", ""))
    function = delta.get("function_call")
    if function is not None:
        told.function = told.function or Call(function.get("name", ""), "")
        told.function.arguments += function.get("arguments", "")


def _signature_of(call: dict[str, Any]) -> set[str]:
    """Google's, of a call (ai.google.dev/gemini-api/docs/thought-signatures)."""
    given = call.get("extra_content", {}).get("google", {}).get("thought_signature")
    return {given} if given else set()


def _parse_arguments(told: Told) -> None:
    for call in (*told.calls, *([told.function] if told.function else [])):
        call.arguments = parsed(call.arguments)
