"""Finish reasons: Google's for ours, and those with which it says that it failed.

https://ai.google.dev/api/generate-content#FinishReason and, for what was not even begun, #BlockReason.
"""

from typing import Final

_BY_NUMBER: Final = {
    0: "FINISH_REASON_UNSPECIFIED",
    1: "STOP",
    2: "MAX_TOKENS",
    3: "SAFETY",
    4: "RECITATION",
    5: "OTHER",
    6: "LANGUAGE",
    7: "BLOCKLIST",
    8: "PROHIBITED_CONTENT",
    9: "SPII",
    10: "MALFORMED_FUNCTION_CALL",
    11: "IMAGE_SAFETY",
}
_REASONS: Final = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "CONTINUATION": "length",
    **dict.fromkeys(
        (
            "SAFETY",
            "RECITATION",
            "LANGUAGE",
            "BLOCKLIST",
            "PROHIBITED_CONTENT",
            "SPII",
            "IMAGE_SAFETY",
            "IMAGE_PROHIBITED_CONTENT",
            "IMAGE_RECITATION",
            "ESCALATION",
            "PUP_LIMITED_DISABLED",
            "MODEL_ARMOR",
        ),
        "content_filter",
    ),
}
_FAILED: Final = frozenset(("MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE", "MISSING_THOUGHT_SIGNATURE"))


def name_of(reason: str | int) -> str:
    """The name of a reason that may have come as a number."""
    return _BY_NUMBER.get(reason, f"REASON_{reason}") if isinstance(reason, int) else reason or "STOP"


def finish_of(raw: str, *, said: bool, called: bool, functions: bool) -> tuple[str | None, str | None]:
    """Our finish reason, or why this is a failure.

    What the model could not finish saying is a failure, whatever came before it. Reasons that name no cause (OTHER,
    NO_IMAGE, UNEXPECTED_TOOL_CALL, ones nobody has heard of) end what was said; where nothing was, they are failures.
    """
    if raw.startswith("BLOCKED:"):
        return "content_filter", None
    if raw in _FAILED or (raw not in _REASONS and not said):
        return None, f"finish reason {raw[:60]!r}"
    reason = _REASONS.get(raw, "stop")
    if reason == "stop" and called:
        return ("function_call" if functions else "tool_calls"), None
    return reason, None
