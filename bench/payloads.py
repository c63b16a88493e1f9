"""The bytes of the bench: request bodies, the mock's answers, and what one answer costs.

Knows the shapes of OpenAI chat traffic and nothing of processes or sockets. Everything is generated from fixed seeds,
so that two runs on two machines send and answer the same bytes.
"""

import random
from collections.abc import Sequence

import msgspec

PRICES_USD_PER_MTOK = {"input": 0.15, "cached_input": 0.075, "output": 0.60}
USAGE = {
    "prompt_tokens": 120,
    "completion_tokens": 40,
    "total_tokens": 160,
    "prompt_tokens_details": {"cached_tokens": 20, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
}
COST_PICOUSD = 100 * 150_000 + 20 * 75_000 + 40 * 600_000
"""What each answer of the mocks costs at these prices: 100 fresh, 20 cached and 40 output tokens."""

CHUNKS = 100
"""Delta events of one stream; the usage event and [DONE] travel with the last one."""

PHRASE = (
    "the gateway sends every request to a provider and writes down what came back with its price in whole numbers "
    "so that nobody has to guess later which model answered how long it took or why a second one was asked "
    "naïve café 你好"
)
WORDS = PHRASE.split(" ")
STAMP = "<number of this request>"
"""What the load writes a number over."""

Json = dict[str, object]


def prose(seed: int, *, length: int) -> str:
    """About `length` bytes of words, the same for the same seed."""
    rng = random.Random(seed)
    words: list[str] = []
    size = 0
    while size < length:
        word = rng.choice(WORDS)
        words.append(word)
        size += len(word.encode()) + 1
    return " ".join(words)


def small_body(seed: int, *, model: str, stream: bool = False) -> bytes:
    """A request of about 500 bytes."""
    body: Json = {
        "model": model,
        "messages": [
            {"role": "system", "content": "You are a concise assistant. Answer in one sentence."},
            {"role": "user", "content": prose(seed, length=270)},
        ],
        "temperature": 0.7,
        "max_tokens": 256,
    }
    return encoded(body, stream=stream)


def large_body(seed: int, *, model: str, stream: bool = False) -> bytes:
    """A request of about 40 KB: 30 messages of an agent's loop, tool calls and results among them, and 10 tools."""
    tools = [tool(number) for number in range(10)]
    body: Json = {"model": model, "messages": conversation(seed), "tools": tools, "temperature": 0.2}
    return encoded(body, stream=stream)


def new_body(seed: int, *, model: str, stream: bool = False) -> bytes:
    """The same with the STAMP as the first words, so that its conversation has nothing in common with any other."""
    opening = b'"content":"'
    return large_body(seed, model=model, stream=stream).replace(opening, opening + STAMP.encode(), 1)


def conversation(seed: int) -> list[Json]:
    """The messages of an agent's loop."""
    messages: list[Json] = [{"role": "system", "content": prose(seed, length=2_000)}]
    for turn in range(7):
        base = seed * 1_000 + turn * 10
        call = {
            "id": f"call_{base}",
            "type": "function",
            "function": {"name": f"tool_{turn}", "arguments": arguments(base)},
        }
        messages += [
            {"role": "user", "content": prose(base, length=900)},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": f"call_{base}", "content": prose(base + 1, length=1_300)},
            {"role": "assistant", "content": prose(base + 2, length=1_100)},
        ]
    messages.append({"role": "user", "content": prose(seed + 7, length=500)})
    return messages


def arguments(seed: int) -> str:
    """A tool call's arguments: JSON inside a JSON string, with the escapes that brings."""
    value = {"query": prose(seed, length=120), "filters": {"since": "2025-01-01", "tags": ["a", "b"]}, "limit": 20}
    return msgspec.json.encode(value).decode()


def tool(number: int) -> Json:
    """One function tool of about 1.3 KB."""
    properties = {
        f"field_{index}": {"type": "string", "description": prose(number * 100 + index, length=75)}
        for index in range(7)
    }
    parameters = {"type": "object", "properties": properties, "required": ["field_0"], "additionalProperties": False}
    description = prose(number, length=200)
    return {
        "type": "function",
        "function": {"name": f"tool_{number}", "description": description, "parameters": parameters},
    }


def encoded(body: Json, *, stream: bool) -> bytes:
    extra: Json = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
    return msgspec.json.encode(body | extra)


def whole_answer() -> bytes:
    """A chat.completion of about 500 bytes."""
    message = {"role": "assistant", "content": prose(1, length=60), "refusal": None, "annotations": []}
    answer: Json = {
        "id": "chatcmpl-BxYkq0m3vQp6Zr1s",
        "object": "chat.completion",
        "created": 1_760_000_000,
        "model": "bench-model",
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": USAGE,
        "system_fingerprint": "fp_44709d6fcb",
    }
    return msgspec.json.encode(answer)


def stream_events() -> list[bytes]:
    """The data of one clean stream: CHUNKS events, then the usage event and [DONE]."""
    deltas: list[Json] = [{"role": "assistant", "content": ""}]
    words = (prose(index, length=8).split()[0] for index in range(CHUNKS - 2))
    deltas += [dict[str, object](content=f" {word}") for word in words]
    events = [event(delta, finish=None) for delta in deltas]
    events += [event({}, finish="stop"), envelope([], usage=USAGE), b"data: [DONE]\n\n"]
    return events


def unclean_events() -> list[bytes]:
    """The same answer from a provider that repeats the role, sends reasoning_content, and usage with every event."""
    events: list[bytes] = []
    for index in range(CHUNKS):
        text = f" {prose(index, length=8).split()[0]}"
        thinking = index < CHUNKS // 4
        delta: Json = {"role": "assistant", "content": "" if thinking else text}
        if thinking:
            delta["reasoning_content"] = text
        finish = "stop" if index == CHUNKS - 1 else None
        running = USAGE | {"completion_tokens": min(index, 40), "total_tokens": 120 + min(index, 40)}
        events.append(event(delta, finish=finish, usage=running))
    return [*events, b"data: [DONE]\n\n"]


def event(delta: Json, *, finish: str | None, usage: object = None) -> bytes:
    choice: Json = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return envelope([choice], usage=usage)


def envelope(choices: Sequence[Json], *, usage: object = None) -> bytes:
    """One `data:` event; clean ones are about 200 bytes."""
    chunk: Json = {
        "id": "chatcmpl-Bx7Q",
        "object": "chat.completion.chunk",
        "created": 1_760_000_000,
        "model": "bench-1",
        "system_fingerprint": "fp_44709d",
        "choices": choices,
    }
    if usage is not None:
        chunk["usage"] = usage
    return b"data: " + msgspec.json.encode(chunk) + b"\n\n"
