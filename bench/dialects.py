"""The mock's stream in the protocols of Anthropic and Google, framed and padded as they send it.

Each has CHUNKS pieces of text, and bills what OpenAI's stream bills.
"""

import json

import msgspec

from bench.payloads import CHUNKS, Json, prose

READ, CACHED, WRITTEN = 120, 20, 40
"""Tokens of USAGE, for protocols that count them under other names."""
_PADDINGS = (13, 0, 8, 15, 3, 10, 5)
"""Spaces that Anthropic puts before the end of an event, to hide how long its text is."""


def pieces() -> list[str]:
    return [f" {prose(index, length=8).split()[0]}" for index in range(CHUNKS)]


def anthropic_events() -> list[bytes]:
    """CHUNKS deltas, the first behind what begins a message; then the end of the block and of the message."""
    read: Json = {
        "input_tokens": READ - CACHED,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": CACHED,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
    }
    message: Json = {
        "model": "bench-1",
        "id": "msg_01Bx7Q",
        "type": "message",
        "role": "assistant",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": read | {"output_tokens": 1, "service_tier": "standard"},
    }
    deltas = [
        _named({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}}, pad=place)
        for place, piece in enumerate(pieces())
    ]
    deltas[0] = b"".join(
        (
            _named({"type": "message_start", "message": message}),
            _named({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
            _named({"type": "ping"}),
            deltas[0],
        )
    )
    ended = {"stop_reason": "end_turn", "stop_sequence": None}
    return [
        *deltas,
        _named({"type": "content_block_stop", "index": 0}),
        _named({"type": "message_delta", "delta": ended, "usage": {**read, "output_tokens": WRITTEN}}),
        _named({"type": "message_stop"}),
    ]


def google_events() -> list[bytes]:
    """CHUNKS events, each with a piece of text and what was used so far; the last has the finish reason."""
    return [_answer(piece, place=place, last=place == CHUNKS - 1) for place, piece in enumerate(pieces())]


def _named(event: Json, *, pad: int = 0) -> bytes:
    data = msgspec.json.encode(event)[:-1] + b" " * _PADDINGS[pad % len(_PADDINGS)]
    return b"event: %b\ndata: %b}\n\n" % (str(event["type"]).encode(), data)


def _answer(text: str, *, place: int, last: bool) -> bytes:
    written = WRITTEN if last else min(place + 1, WRITTEN)
    candidate: Json = {"content": {"parts": [{"text": text}], "role": "model"}}
    if last:
        candidate["finishReason"] = "STOP"
    candidate["index"] = 0
    usage: Json = {
        "promptTokenCount": READ,
        "cachedContentTokenCount": CACHED,
        "candidatesTokenCount": written,
        "totalTokenCount": READ + written,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": READ}],
    }
    return _spaced({"candidates": [candidate], "usageMetadata": usage, "modelVersion": "bench-1", "responseId": "Bx7Q"})


def _spaced(answer: Json) -> bytes:
    """Google puts a space behind each colon, ends lines with CR LF, and names no event."""
    return b"data: %b\r\n\r\n" % json.dumps(answer, ensure_ascii=False, separators=(",", ": ")).encode()
