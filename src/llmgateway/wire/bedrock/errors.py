"""What AWS means by an error: its class, from a header, the body or a frame, decides; the status alone is too coarse.

The class says what the status does not: a throttled request answered with 400, a model that is not ready answered with
429, the failure of a model answered with 424.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from llmgateway.domain.errors import UpstreamError
from llmgateway.domain.routing import Deployment
from llmgateway.wire.errors import in_band_error, read_error

_STATUS: Final = {
    "validation": 400,
    "throttling": 429,
    "throttled": 429,
    "toomanyrequests": 429,
    "servicequotaexceeded": 429,
    "accessdenied": 403,
    "unrecognizedclient": 403,
    "invalidclienttokenid": 403,
    "invalidsignature": 403,
    "incompletesignature": 403,
    "signaturedoesnotmatch": 403,
    "missingauthenticationtoken": 403,
    "expiredtoken": 403,
    "requestexpired": 403,
    "optinrequired": 403,
    "notauthorized": 403,
    "resourcenotfound": 404,
    "unknownoperation": 404,
    "modeltimeout": 408,
    "requesttimeout": 408,
    "modelnotready": 503,
    "serviceunavailable": 503,
    "internalserver": 500,
    "internalfailure": 500,
    "modelerror": 502,
    "modelstreamerror": 502,
    "conflict": 409,
}
"""docs.aws.amazon.com/bedrock/latest/APIReference: CommonErrors and the errors of Converse."""
_MODEL_FAILED: Final = 424
_JSON: Final = msgspec.json.Decoder()


def error_of(status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes, *, to: Deployment) -> UpstreamError:
    """The error of a non-2xx answer."""
    source = _object(body)
    named = next((value for name, value in headers if name == b"x-amzn-errortype"), b"").decode("latin-1")
    kind = _class(named or source.get("__type") or source.get("code"))
    told = _STATUS.get(_key(kind), 502 if status == _MODEL_FAILED else status)
    error = read_error(told, headers, msgspec.json.encode(_said(source, kind)) if source or kind else body, to=to)
    error.status_code = status
    return error


def in_band(source: Any, *, to: Deployment, kind: str = "") -> UpstreamError | None:
    """The error that an object told inside a 200, or a frame of a stream, is; None if it is none."""
    if not isinstance(source, dict):
        source = {}
    members: dict[str, Any] = source  # pyright: ignore[reportUnknownVariableType]  # JSON of a provider
    kind = _class(kind or members.get("__type"))
    said = _said(members, kind)
    if not kind and not isinstance(said.get("message"), str):
        return None
    return in_band_error({**said, "status_code": _STATUS.get(_key(kind), 502)}, to=to)


def _said(source: dict[str, Any], kind: str) -> dict[str, Any]:
    message = source.get("message") or source.get("Message") or source.get("originalMessage")
    said: dict[str, Any] = {"message": message} if isinstance(message, str) else {}
    return {**said, "code": kind} if kind else said


def _class(named: Any) -> str:
    """`ThrottlingException` of `com.amazon.coral.service#ThrottlingException:http://…`."""
    if not isinstance(named, str):
        return ""
    return named.partition(":")[0].rpartition("#")[2].strip()[:100]


def _key(kind: str) -> str:
    return kind.removesuffix("Exception").lower()


def _object(body: bytes) -> dict[str, Any]:
    try:
        source = _JSON.decode(body.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return source if isinstance(source, dict) else {}  # pyright: ignore[reportUnknownVariableType]  # JSON of a provider
