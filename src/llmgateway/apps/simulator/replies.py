"""The answers themselves: what each kind of simulated model says, calls, thinks, draws, cites or refuses."""

import base64
import zlib

import msgspec

from llmgateway.apps.simulator.instance import instance_of
from llmgateway.apps.simulator.models import Preset
from llmgateway.apps.simulator.scenario import Ask, Call, Citation, Finish, Offer, Reply, Steering
from llmgateway.apps.simulator.seal import signature
from llmgateway.apps.simulator.text import MAX_OUTPUT_TOKENS, lorem, pieces_of

_WEATHER = Offer(
    "get_weather",
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False},
)
_REASONING = "The user wants an answer. I look at what was asked, weigh it briefly, and then reply."
_REDACTED = "What the user should not see of it."
_REFUSAL = "I'm sorry, but I can't help with that."
_SPLIT_TEXT = "Grüße aus Köln: 你好, 世界 👋🏽 – naïve café."
_MAX_PARALLEL = 8
_DISTINCT = 4
_FILLER = "0123456789abcdef"
_HUGE_PIECE_CHARS = 16 * 1024
HUGE_EVENT_CHARS = 5 * 1024 * 1024
HUGE_CHUNK_CHARS = 10 * 1024 * 1024
_HUGE = {"huge-event": (HUGE_EVENT_CHARS, 1), "huge-chunk": (_HUGE_PIECE_CHARS, HUGE_CHUNK_CHARS // _HUGE_PIECE_CHARS)}
SIGNED = "simulator"


def replies_of(ask: Ask, *, preset: Preset, steering: Steering, fault: str | None, key: str) -> tuple[Reply, ...]:
    """One reply per choice that was asked for; of many, only the first few differ."""
    distinct = [
        _reply(ask, preset=preset, steering=steering, fault=fault, key=key, index=i)
        for i in range(min(ask.n, _DISTINCT))
    ]
    return tuple([distinct[i % _DISTINCT] for i in range(ask.n)])


def _reply(ask: Ask, *, preset: Preset, steering: Steering, fault: str | None, key: str, index: int) -> Reply:
    if steering.refusal is not None or preset.answer == "refusal":
        refusal = _REFUSAL if steering.refusal is None else steering.refusal
        return Reply(refusal=pieces_of(refusal), finish=steering.finish_reason or "stop")
    if fault in _HUGE:
        chars, pieces = _HUGE[fault]
        return Reply(content=(_FILLER * (chars // len(_FILLER)),) * pieces)
    reasoning = _reasoning(preset, steering)
    calls = _calls(ask, preset=preset, steering=steering, key=key, index=index)
    content: tuple[str, ...] = ()
    stopped: str | None = None
    finish: Finish = "tool_calls"
    if not calls:
        content, stopped = _content(ask, preset, steering, fault=fault, index=index)
        finish = "stop"
    reasoning, content, finish = _limited(ask, reasoning, content, finish)
    return Reply(
        content=content,
        reasoning=reasoning,
        signature=signature("".join(reasoning), purpose=SIGNED) if reasoning else "",
        redacted=_redacted(preset, steering),
        calls=calls,
        stopped=stopped if finish == "stop" else None,
        images=_images(preset, steering),
        citations=_citations(ask, preset, steering, length=sum(map(len, content))),
        finish=steering.finish_reason or finish,
    )


def _reasoning(preset: Preset, steering: Steering) -> tuple[str, ...]:
    if steering.reasoning is not None:
        return pieces_of(steering.reasoning)
    return pieces_of(_REASONING) if preset.answer in ("reasoning", "redacted") else ()


def _redacted(preset: Preset, steering: Steering) -> str:
    if steering.redacted is not None:
        return steering.redacted
    return _REDACTED if preset.answer == "redacted" and steering.reasoning is None else ""


def _calls(ask: Ask, *, preset: Preset, steering: Steering, key: str, index: int) -> tuple[Call, ...]:
    if steering.tool_calls is not None:
        made = [(call.name, msgspec.json.encode(call.arguments).decode()) for call in steering.tool_calls]
    else:
        made = [
            (offer.name, _arguments(offer, variant=variant))
            for offer, variant in _chosen(ask, preset, steering, index=index)
        ]
    return tuple([Call(f"call_{key}{index:x}{i:02x}", name, arguments) for i, (name, arguments) in enumerate(made)])


def _chosen(ask: Ask, preset: Preset, steering: Steering, *, index: int) -> list[tuple[Offer, int]]:
    """The tools to call, each with the variant of its arguments."""
    always = preset.answer in ("tools", "parallel-tools")
    wanted = always or preset.answer in ("auto", "reasoning", "redacted")
    if ask.json or ask.forbids_tools or ask.tool_result is not None or steering.text is not None or not wanted:
        return []
    offers: tuple[Offer, ...] = ask.tools or ((_WEATHER,) if always else ())
    if not offers:
        return []
    named = [offer for offer in offers if offer.name == ask.forced]
    several = (named or list(offers))[:_MAX_PARALLEL]
    if preset.answer != "parallel-tools" or not ask.parallel:
        return [(several[0], index)]
    return [(offer, index) for offer in several] if len(several) > 1 else [(several[0], index), (several[0], index + 1)]


def _arguments(offer: Offer, *, variant: int) -> str:
    value = None if offer.parameters is None else instance_of(offer.parameters, variant=variant)
    return msgspec.json.encode(value).decode() if isinstance(value, dict) else "{}"


def _content(
    ask: Ask, preset: Preset, steering: Steering, *, fault: str | None, index: int
) -> tuple[tuple[str, ...], str | None]:
    if steering.text is not None:
        text = steering.text
    elif preset.answer == "lorem":
        return _stopped(ask, lorem(preset.tokens))
    elif fault == "utf8-split":
        text = _SPLIT_TEXT
    elif preset.answer == "echo":
        text = ask.text
    elif ask.json:
        text = msgspec.json.encode(
            {"ok": True} if ask.schema is None else instance_of(ask.schema, variant=index)
        ).decode()
    else:
        text = _sentence(ask, index=index)
    return _stopped(ask, pieces_of(text))


def _sentence(ask: Ask, *, index: int) -> str:
    if ask.tool_result is not None:
        text = f"The tool answered: {ask.tool_result[:200]}"
    else:
        text = f"Hello from the simulator, 你好 👋. You said: {ask.text[:200]}"
    return text if index == 0 else f"{text} (choice {index})"


def _stopped(ask: Ask, pieces: tuple[str, ...]) -> tuple[tuple[str, ...], str | None]:
    """The pieces up to the first stop sequence, and which it was."""
    if not ask.stop:
        return pieces, None
    text = "".join(pieces)
    ends = [(at, sequence) for sequence in ask.stop if sequence and (at := text.find(sequence)) >= 0]
    if not ends:
        return pieces, None
    at, sequence = min(ends)
    return pieces_of(text[:at]), sequence


def _limited(
    ask: Ask, reasoning: tuple[str, ...], content: tuple[str, ...], finish: Finish
) -> tuple[tuple[str, ...], tuple[str, ...], Finish]:
    limit = MAX_OUTPUT_TOKENS // ask.n
    if ask.limit is not None:
        limit = min(limit, ask.limit)
    if len(reasoning) + len(content) <= limit:
        return reasoning, content, finish
    return reasoning[:limit], content[: max(limit - len(reasoning), 0)], "length"


def _images(preset: Preset, steering: Steering) -> tuple[str, ...]:
    count = (1 if preset.answer == "image" else 0) if steering.images is None else steering.images
    return tuple([_png(bytes((0, 128, 255 - i, 255))) for i in range(count)])


def _citations(ask: Ask, preset: Preset, steering: Steering, *, length: int) -> tuple[Citation, ...]:
    """None without a text that they could be about."""
    found = preset.answer == "citations" or (ask.searches and preset.answer == "auto" and not ask.json)
    count = (2 if found else 0) if steering.citations is None else steering.citations
    count = count if length or steering.citations is not None else 0
    return tuple([Citation(f"https://example.com/{i + 1}", f"Source {i + 1}", 0, length) for i in range(count)])


def _png(rgba: bytes) -> str:
    """A data URL of a one-pixel PNG of that colour (https://www.w3.org/TR/png-3/)."""
    header = bytes((0, 0, 0, 1, 0, 0, 0, 1, 8, 6, 0, 0, 0))
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0" + rgba)), (b"IEND", b""))
    png = b"\x89PNG\r\n\x1a\n" + b"".join(
        [
            len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")
            for kind, data in chunks
        ]
    )
    return "data:image/png;base64," + base64.b64encode(png).decode()
