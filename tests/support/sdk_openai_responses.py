"""Says what a recording of OpenAI's responses holds, by the vendor's own SDK, in the terms of `Answer`.

Of our own knowledge there are only the documented rules: how token buckets are named, and how a status becomes a
finish reason. Several messages of one response are one text, as the SDK's `output_text` has it.
"""

from typing import Any

from openai import APIError, APIStatusError, OpenAI
from openai.types.responses import Response, ResponseUsage

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
    parsed,
    refusal_of,
)
from tests.support.replayed_http import BASE_URL, client

FINISH = {"max_output_tokens": "length", "content_filter": "content_filter"}
CLIENT_CALLS = {"computer_call", "local_shell_call", "shell_call", "apply_patch_call", "mcp_approval_request"}
"""Calls that the client is to carry out, and that are no functions; those with their output beside them are not."""
_ENDS = ("response.completed", "response.incomplete", "response.failed", "response.cancelled")
_ASKED: Any = {"model": "m", "input": "Hello"}


def read(recording: Recording) -> Answer:
    """What a 200 says; an error event, or a response that failed, is an answer with `error`."""
    sdk = _sdk(recording)
    try:
        if recording.streamed:
            return _streamed(sdk.responses.create(**_ASKED, stream=True))
        return _answer(sdk.responses.create(**_ASKED))
    except APIError as error:
        return Answer(error=error.body or str(error))


def refusal(recording: Recording) -> Refusal:
    try:
        _sdk(recording).responses.create(**_ASKED)
    except APIStatusError as error:
        body: Any = error.body
        inner = body if isinstance(body, dict) else {}
        code = inner.get("code")
        return refusal_of(
            error.status_code, inner.get("message"), code if isinstance(code, str) and code else inner.get("type")
        )
    raise AssertionError(f"the SDK sees no error in {recording}")


def _sdk(recording: Recording) -> OpenAI:
    return OpenAI(api_key="k", base_url=BASE_URL, http_client=client(recording), max_retries=0)


def _streamed(events: Any) -> Answer:
    """The last event holds the whole response; where a server leaves its output empty, the items that were done.

    Encrypted reasoning is encrypted anew in each event; that of the item's own event is as good and comes first.
    """
    begun: Response | None = None
    ended: Response | None = None
    items: dict[int, Any] = {}
    for event in events:
        if event.type == "error":
            return Answer(error=event.to_dict(warnings=False))
        if event.type == "response.output_item.done":
            items[event.output_index] = event.item
        elif event.type in _ENDS:
            ended = event.response
        elif begun is None and getattr(event, "response", None) is not None:
            begun = event.response
    if ended is None:
        return Answer(id=begun.id if begun is not None else None)
    if not ended.output:
        ended.output = [items[index] for index in sorted(items)]
    for index, item in items.items():
        if item.type == "reasoning":
            ended.output[index] = item
    answer = _answer(ended)
    answer.id = begun.id if begun is not None else answer.id
    return answer


def _answer(response: Response) -> Answer:
    if response.status == "failed" or (response.error is not None and response.status != "completed"):
        return Answer(
            error=response.error.to_dict(warnings=False) if response.error is not None else {"status": response.status}
        )
    told, thoughts = counted(annotations=UNCOUNTED), list[str]()
    items = [item.to_dict(warnings=False) for item in response.output or ()]
    carried_out = {item.get("call_id") for item in items if str(item["type"]).endswith("_output")}
    for item in items:
        _item(told, thoughts, item)
        if _is_for_client(item) and item.get("call_id") not in carried_out:
            members = {name: value for name, value in item.items() if name not in ("type", "call_id")}
            told.calls.append(Call(str(item["type"]), members, str(item.get("call_id") or item["id"])))
    told.reasoning = BETWEEN.join(thoughts)
    if response.status == "incomplete":
        reason = response.incomplete_details.reason if response.incomplete_details is not None else None
        told.finish = FINISH.get(reason or "", "length")
    elif response.status in ("completed", None):
        told.finish = "tool_calls" if told.calls else "stop"
    return Answer({0: told}, tokens=_tokens(response.usage), id=response.id, model=response.model)


def _is_for_client(item: dict[str, Any]) -> bool:
    return item["type"] in CLIENT_CALLS or (item["type"] == "tool_search_call" and item.get("execution") == "client")


def _item(told: Told, thoughts: list[str], item: dict[str, Any]) -> None:
    """Calls of tools that OpenAI runs itself are steps on the way, not calls for the client."""
    kind = item["type"]
    if kind == "message":
        for part in item["content"]:
            _part(told, part)
    elif kind == "reasoning":
        parts = [*(item.get("summary") or ()), *(item.get("content") or ())]
        thoughts += [part["text"] for part in parts]
        told.sign([item["encrypted_content"]] if item.get("encrypted_content") else ())
    elif kind == "function_call":
        told.calls.append(Call(item["name"], parsed(item["arguments"]), item["call_id"]))
    elif kind == "custom_tool_call":
        told.calls.append(Call(item["name"], parsed(item["input"]), item["call_id"]))
    elif kind == "image_generation_call" and item.get("result"):
        told.images += 1
        told.show(f"data:image/{item.get('output_format') or 'png'};base64,{item['result']}")
    elif kind == "web_search_call":
        sources = (item.get("action") or {}).get("sources") or ()
        told.found |= {source["url"] for source in sources if source.get("url")}


def _part(told: Told, part: dict[str, Any]) -> None:
    if part["type"] == "refusal":
        told.refusal += part["refusal"]
    elif part["type"] == "output_text":
        told.text += part["text"]
        told.logprobs = told.logprobs + len(part.get("logprobs") or ())
        notes = part.get("annotations") or ()
        told.cite(note["url"] for note in notes if note.get("type") == "url_citation")


def _tokens(usage: ResponseUsage | None) -> Tokens | None:
    """Everything that was read, and everything that was written."""
    if usage is None:
        return None
    read, written = usage.to_dict(warnings=False).get("input_tokens_details") or {}, usage.output_tokens_details
    reading: Any = read
    return Tokens(
        prompt=usage.input_tokens,
        cached=reading.get("cached_tokens") or 0,
        cache_write=reading.get("cache_write_tokens") or 0,
        completion=usage.output_tokens,
        reasoning=(written.reasoning_tokens or 0) if written is not None else 0,
    )
