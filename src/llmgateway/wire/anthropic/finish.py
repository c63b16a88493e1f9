"""Why an answer ended (platform.claude.com/docs/en/build-with-claude/handling-stop-reasons)."""

from typing import Any, Final, cast

from msgspec import Raw

from llmgateway.domain.reply import ChoiceDelta
from llmgateway.wire.anthropic.blocks import Blocks
from llmgateway.wire.spans import is_null, value_of

_FINISH: Final = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "tool_use": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "content_filter",
    "sensitive": "content_filter",
}


def finishing(blocks: Blocks, raw: str, details: Raw, *, functions: bool) -> ChoiceDelta:
    """The last delta of the choice. A stop with calls is a stop for them; a refusal says why, where it does."""
    reason = _FINISH.get(raw, "stop")
    if reason == "stop" and blocks.calls:
        reason = "function_call" if functions else "tool_calls"
    delta = blocks.end()
    if raw == "refusal" and not is_null(details):
        told: Any = value_of(details)
        why = cast("dict[str, Any]", told).get("explanation") if isinstance(told, dict) else None
        if isinstance(why, str) and why:
            delta.refusal = why
    return ChoiceDelta(0, delta, None, reason, raw)
