"""Says what a recording of the OpenAI responses protocol holds, as the vendor's own SDK reads it.

The recorded bytes are handed to the official client as the answer of a server; what it makes of them, whole or event
by event, is turned into the same `Answer` that the chat recordings are compared by. Nothing of the gateway is used.
"""

from typing import Any

import httpx2
from openai import OpenAI
from openai.types.responses import Response

from tests.support.corpus import Recording
from tests.support.independent_chat_reader import Answer, Call, Tokens, Told, parsed

_FOR_CLIENT = frozenset(
    ("apply_patch_call", "computer_call", "local_shell_call", "mcp_approval_request", "shell_call", "tool_search_call")
)


def spoken(recording: Recording) -> bool:
    """A request for a response (not for a token count or a compaction), with a body that was answered."""
    return recording.path.endswith("/responses")


def read(recording: Recording) -> Answer:
    """What the recorded answer, of status 200, holds."""
    if not recording.streamed:
        answer = _client(recording).responses.create(model="m", input="", stream=False)
        return of_response(answer)
    answer = Answer()
    for event in _client(recording).responses.create(model="m", input="", stream=True):
        if event.type == "response.completed" or event.type == "response.incomplete" or event.type == "response.failed":
            return of_response(event.response)
        if event.type == "error":
            answer.error = {"code": event.code, "message": event.message}
            return answer
    return answer


def of_response(response: Response) -> Answer:
    answer = Answer(id=response.id, model=response.model, tokens=_tokens(response))
    if response.status in ("failed", "cancelled", "queued", "in_progress"):
        answer.error = response.error or response.status
        return answer
    told = answer.choices[0] = Told(text=response.output_text)
    ran = {getattr(item, "call_id", None) for item in response.output if str(item.type).endswith("_output")}
    for item in response.output:
        _add(told, item)
        if item.type in _FOR_CLIENT and getattr(item, "call_id", None) not in ran:
            _add_native(told, item)
    if response.status == "incomplete" and response.incomplete_details is not None:
        filtered = response.incomplete_details.reason == "content_filter"
        told.finish = "content_filter" if filtered else "length"
    else:
        told.finish = "tool_calls" if told.calls else "stop"
    return answer


def _add_native(told: Told, item: Any) -> None:
    """A call that the client is to carry out with OpenAI's own tool; a search for tools only if it says so."""
    if item.type == "tool_search_call" and item.execution != "client":
        return
    members = item.to_dict(warnings=False)
    del members["type"]
    told.calls.append(Call(item.type, members, members.pop("call_id", None) or item.id))


def _add(told: Told, item: Any) -> None:
    if item.type == "message":
        for part in item.content:
            if part.type == "refusal":
                told.refusal += part.refusal
            elif part.type == "output_text":
                told.annotations = (told.annotations or 0) + len(part.annotations or ())
                told.logprobs = (told.logprobs or 0) + len(part.logprobs or ())
    elif item.type == "reasoning":
        told.reasoning += "".join(part.text for part in (*(item.summary or ()), *(item.content or ())))
        told.details += len(item.summary or ()) + len(item.content or ()) + bool(item.encrypted_content)
    elif item.type == "function_call":
        told.calls.append(Call(item.name, parsed(item.arguments), item.call_id))
    elif item.type == "custom_tool_call":
        told.calls.append(Call(item.name, parsed(item.input), item.call_id))
    elif item.type == "image_generation_call":
        told.images += bool(item.result)


def _tokens(response: Response) -> Tokens | None:
    usage = response.usage
    if usage is None:
        return None
    read, written = usage.input_tokens_details, usage.output_tokens_details
    return Tokens(
        prompt=usage.input_tokens,
        cached=read.cached_tokens or 0,
        cache_write=getattr(read, "cache_write_tokens", 0) or 0,
        completion=usage.output_tokens,
        reasoning=written.reasoning_tokens or 0,
    )


def _client(recording: Recording) -> OpenAI:
    headers = [(name.decode(), value.decode()) for name, value in recording.headers]
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, headers=headers, content=recording.body))
    return OpenAI(
        api_key="k", base_url="http://upstream.test/v1", max_retries=0, http_client=httpx2.Client(transport=transport)
    )
