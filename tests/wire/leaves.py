"""Takes recorded bodies apart into JSON values and puts them together again with one of them changed.

A body is a list of documents (one of a whole answer, one for each event of a stream) and a way to write them. Which
leaves of them mean something is said here by their paths, so that a change that must be noticed can be made.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from botocore.eventstream import EventStreamBuffer

from tests.support.aws_frames import encoded
from tests.support.corpus import Recording

Path = tuple[str | int, ...]
Write = Callable[[Sequence[Any]], bytes]

TEXTS = {
    "openai-chat": r"choices\.#\.(?:message|delta)\.(?:content|reasoning|reasoning_content|refusal)|"
    r"choices\.#\.(?:message|delta)\.tool_calls\.#\.function\.arguments",
    "openai-responses": r"output\.#\.content\.#\.(?:text|refusal)|output\.#\.summary\.#\.text|output\.#\.arguments|"
    r"@response\.(?:output_text|refusal|function_call_arguments|reasoning_summary_text|reasoning_text)\.delta\.delta",
    "anthropic": r"content\.#\.(?:text|thinking)|content\.#\.input\..*|delta\.(?:text|thinking|partial_json)",
    "google": r"candidates\.#\.content\.parts\.#\.(?:text|functionCall\.args\..*)",
    "bedrock": r"output\.message\.content\.#\.(?:text|toolUse\.input\..*|reasoningContent\.reasoningText\.text)|"
    r"delta\.(?:text|toolUse\.input|reasoningContent\.text)",
    "cohere": r"message\.(?:content\.#\.(?:text|thinking)|tool_plan|tool_calls\.#\.function\.arguments)|"
    r"delta\.message\.(?:content\.(?:text|thinking)|tool_plan|tool_calls\.function\.arguments)",
}
"""Where what was said stands; `#` is a place in a list, `@…` an event's type before the path."""

NAMES = {
    "openai-chat": r"choices\.#\.(?:message|delta)\.tool_calls\.#\.(?:id|function\.name)",
    "openai-responses": r"(?:response\.)?output\.#\.(?:call_id|name)",
    "anthropic": r"content\.#\.(?:id|name|signature|data)|content_block\.(?:id|name)|delta\.signature",
    "google": r"candidates\.#\.content\.parts\.#\.(?:functionCall\.(?:name|id)|thoughtSignature)",
    "bedrock": r"output\.message\.content\.#\.toolUse\.(?:name|toolUseId)|start\.toolUse\.(?:name|toolUseId)|"
    r".*reasoningText\.signature",
    "cohere": r"(?:delta\.)?message\.tool_calls\.(?:#\.)?(?:id|function\.name)",
}
"""Where names and ids stand; they are changed wherever they occur."""

COUNTS = {
    "openai-chat": r"usage\.(?:prompt_tokens|completion_tokens)",
    "openai-responses": r"(?:response\.)?usage\.(?:input_tokens|output_tokens|input_tokens_details\.cached_tokens|"
    r"output_tokens_details\.reasoning_tokens)",
    "anthropic": r"(?:message\.)?usage\.(?:input_tokens|output_tokens|cache_creation_input_tokens|"
    r"cache_read_input_tokens)",
    "google": r"usageMetadata\.(?:promptTokenCount|candidatesTokenCount|thoughtsTokenCount|cachedContentTokenCount)",
    "bedrock": r"usage\.(?:inputTokens|outputTokens|cacheReadInputTokens|cacheWriteInputTokens)",
    "cohere": r"(?:delta\.)?usage\.tokens\.(?:input_tokens|output_tokens)",
}
"""Where tokens are counted; the last figure of a stream counts."""

ENDS: dict[str, tuple[str, str, str]] = {
    "openai-chat": (r"choices\.#\.finish_reason", "length", "stop"),
    "openai-responses": (r"status", "incomplete", "completed"),
    "anthropic": (r"stop_reason|delta\.stop_reason", "max_tokens", "end_turn"),
    "google": (r"candidates\.#\.finishReason", "MAX_TOKENS", "STOP"),
    "bedrock": (r"stopReason", "max_tokens", "end_turn"),
    "cohere": (r"finish_reason|delta\.finish_reason", "MAX_TOKENS", "COMPLETE"),
}
"""Where it is said why an answer ended: the path, and two reasons of which one is always another."""


def documents(recording: Recording) -> tuple[list[Any], Write]:
    """The JSON values of a body, and how they become a body again."""
    body = recording.body
    if b"amazon.eventstream" in dict(recording.headers).get(b"content-type", b""):
        return _frames(body)
    text = body.decode("utf-8-sig").replace("\r\n", "\n")
    if recording.streamed and text.lstrip().startswith("["):
        return json.loads(text), lambda documents: json.dumps(documents).encode()
    if not recording.streamed or text.lstrip().startswith("{"):
        return [json.loads(text)], lambda documents: json.dumps(documents[0]).encode()
    blocks = [block for block in text.split("\n\n") if block.strip()]
    payloads = [_payload(block) for block in blocks]
    places = [at for at, payload in enumerate(payloads) if payload.startswith("{")]

    def write(documents: Sequence[Any]) -> bytes:
        written = list(blocks)
        for at, document in zip(places, documents, strict=True):
            kept = [line for line in blocks[at].split("\n") if not line.startswith("data:")]
            written[at] = "\n".join([*kept, f"data: {json.dumps(document)}"])
        return "".join(f"{block}\n\n" for block in written).encode()

    return [json.loads(payloads[at]) for at in places], write


def leaves(document: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    if isinstance(document, dict | list):
        for name, value in document.items() if isinstance(document, dict) else enumerate(document):
            yield from leaves(value, (*path, name))
    else:
        yield path, document


def replaced(document: Any, path: Path, value: Any) -> Any:
    """A copy with another value at one place; what lies beside the path is shared."""
    if not path:
        return value
    copied: Any = list(document) if isinstance(document, list) else dict(document)
    step: Any = path[0]
    copied[step] = replaced(document[step], path[1:], value)
    return copied


def matches(pattern: str, path: Path, document: Any) -> bool:
    """A path may begin anywhere below a wrapper of events (`message`, `response`), if the pattern says so."""
    steps = ".".join("#" if isinstance(step, int) else step for step in path).removeprefix("#.")
    kind = document.get("type") if isinstance(document, dict) else None
    return re.fullmatch(pattern, steps) is not None or re.fullmatch(pattern, f"@{kind}.{steps}") is not None


def _payload(block: str) -> str:
    return "\n".join(line[5:].removeprefix(" ") for line in block.split("\n") if line.startswith("data:")).strip()


def _frames(body: bytes) -> tuple[list[Any], Write]:
    buffer = EventStreamBuffer()
    buffer.add_data(body)
    frames = [(dict(frame.headers), json.loads(frame.payload)) for frame in buffer]

    def write(documents: Sequence[Any]) -> bytes:
        pairs = zip(frames, documents, strict=True)
        return b"".join(encoded(headers, json.dumps(document).encode()) for (headers, _), document in pairs)

    return [payload for _, payload in frames], write
