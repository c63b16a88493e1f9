"""What a response that failed, or an `error` event, means: an UpstreamError, by the shared reader of error bodies.

Answers that fail do so inside a 200, with a code instead of a status
(https://platform.openai.com/docs/api-reference/responses/object#responses/object-error).
"""

import re
from typing import Any, Final

from llmgateway.domain.errors import UpstreamError
from llmgateway.domain.routing import Deployment
from llmgateway.wire.errors import in_band_error

_POLICY_CODES: Final = frozenset(
    ("invalid_prompt", "bio_policy", "misalignment_policy_violation", "image_content_policy_violation")
)
_CALLER_CODES: Final = re.compile(
    r"invalid_|image_|unsupported_|empty_image|failed_to_download|context_length|data_residency|string_above"
)
_QUOTA_CODES: Final = frozenset(("insufficient_quota", "billing_hard_limit_reached"))
_SAID: Final = ("message", "code", "param", "type", "status")


def failure(error: Any, *, to: Deployment) -> UpstreamError:
    """`error`: the object of a failed response, an `error` event itself, or what it holds."""
    source = _innermost(error)
    said = {name: source[name] for name in _SAID if source.get(name) is not None}
    if said.get("type") == "error":
        del said["type"]
    code = said.get("code")
    if isinstance(code, str):
        _place(said, code)
    return in_band_error(said, to=to)


def _place(said: dict[str, Any], code: str) -> None:
    """The status that this code has when it comes as one."""
    if code in _POLICY_CODES:
        said["status"], said["type"] = 400, "content_policy_violation"
    elif _CALLER_CODES.match(code):
        said["status"] = 400
    elif code in _QUOTA_CODES:
        said["status"] = 429


def _innermost(error: Any) -> dict[str, Any]:
    if isinstance(error, dict):
        inner: Any = error.get("error")  # pyright: ignore[reportUnknownMemberType,reportUnknownVariableType]  # JSON of a provider
        if isinstance(inner, dict) and inner:
            return inner  # pyright: ignore[reportUnknownVariableType]  # as above
        return {**error, "message": inner} if isinstance(inner, str) else error  # pyright: ignore[reportUnknownVariableType]  # as above
    return {"message": error} if isinstance(error, str) else {}
