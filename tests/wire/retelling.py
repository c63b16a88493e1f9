"""What the gateway tells of an assistant's turn: the members of our message that a client can only hand back.

Signed and encrypted reasoning travels in `reasoning_details` and `extra_content`, whose inside is the gateway's own. A
client gets them with an answer and sends them with the next request; so do the tests, turn by turn.
"""

import json
from collections.abc import Callable
from typing import Any

from tests.wire.playback import Playback

_ASKED = json.dumps({"model": "recorded/m", "messages": [{"role": "user", "content": "Hello"}]}).encode()
_JSON = ((b"content-type", b"application/json"),)


def retelling(playback: Playback) -> Callable[[Any], dict[str, Any]]:
    """The vendor's own content of a turn → our message."""
    answer = _ANSWERS[playback.protocol]

    def retold(content: Any) -> dict[str, Any]:
        client = playback.ask(_ASKED, status=200, headers=_JSON, body=json.dumps(answer(content)).encode())
        assert client.status == 200, client.body
        return json.loads(client.body)["choices"][0]["message"]

    return retold


def _anthropic(blocks: list[Any]) -> dict[str, Any]:
    usage = {"input_tokens": 1, "output_tokens": 1}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": blocks}
    return {**message, "stop_reason": "end_turn", "stop_sequence": None, "usage": usage}


def _google(parts: list[Any]) -> dict[str, Any]:
    candidate = {"content": {"role": "model", "parts": parts}, "finishReason": "STOP", "index": 0}
    return {"candidates": [candidate], "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1}}


def _bedrock(blocks: list[Any]) -> dict[str, Any]:
    usage = {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2}
    return {"output": {"message": {"role": "assistant", "content": blocks}}, "stopReason": "end_turn", "usage": usage}


def _cohere(message: dict[str, Any]) -> dict[str, Any]:
    usage = {"tokens": {"input_tokens": 1, "output_tokens": 1}}
    content = message.get("content")
    if isinstance(content, str):
        message = {**message, "content": [{"type": "text", "text": content}]}
    return {"id": "c_1", "message": message, "finish_reason": "COMPLETE", "usage": usage}


def _responses(items: list[Any]) -> dict[str, Any]:
    usage = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
    envelope = {"id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "model": "m"}
    return {**envelope, "output": [_item(item) for item in items], "usage": usage}


def _item(item: dict[str, Any]) -> dict[str, Any]:
    """An item that is sent may be shorter than one that comes."""
    if item.get("type") in (None, "message"):
        content = item["content"]
        parts = [{"type": "output_text", "text": content}] if isinstance(content, str) else content
        parts = [{**part, "type": "output_text", "annotations": part.get("annotations") or []} for part in parts]
        return {"id": "msg_1", "status": "completed", **item, "type": "message", "content": parts}
    return {"id": "item_1", "status": "completed", **item} if item["type"] != "reasoning" else item


_ANSWERS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "anthropic": _anthropic,
    "google": _google,
    "bedrock": _bedrock,
    "cohere": _cohere,
    "openai-responses": _responses,
}
