"""Signs requests for AWS: Signature Version 4, a pure function of request, credential and time.

The path is encoded once more than it stands in the request line, as every service but S3 wants it, and every header of
the request is signed but those that a proxy may change (docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html).
"""

import hmac
from datetime import datetime
from hashlib import sha256
from typing import Final
from urllib.parse import quote

from msgspec import Struct

from llmgateway.domain.routing import HttpRequest

_UNSIGNED: Final = frozenset(
    (
        "baggage",
        "connection",
        "expect",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "traceparent",
        "tracestate",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "x-amzn-trace-id",
    )
)


class AwsCredential(Struct, frozen=True, kw_only=True):
    access_key: str
    secret_key: str
    session_token: str | None = None

    def __repr__(self) -> str:
        return f"AwsCredential({self.access_key[:4]}…)"


def signed(request: HttpRequest, *, credential: AwsCredential, region: str, service: str, at: datetime) -> HttpRequest:
    """The request with the headers of its signature. Headers added later are not covered by it."""
    lines = signature_lines(request, credential=credential, region=region, service=service, at=at)
    return HttpRequest(request.origin, request.head + lines, request.body, request.method)


def signature_lines(
    request: HttpRequest, *, credential: AwsCredential, region: str, service: str, at: datetime
) -> bytes:
    """The header lines to add. `at` is in UTC; AWS refuses requests signed more than five minutes ago."""
    stamp = at.strftime("%Y%m%dT%H%M%SZ")
    added = {"x-amz-date": stamp}
    if credential.session_token:
        added["x-amz-security-token"] = credential.session_token
    target, headers = _read_head(request)
    headers.update(added)
    names = ";".join(sorted(headers))
    path, _, query = target.partition("?")
    canonical = "\n".join(
        (
            request.method,
            quote(path or "/", safe="/~"),
            "&".join([f"{name}={value}" for name, value in sorted(_pairs(query))]),
            *(f"{name}:{headers[name]}" for name in sorted(headers)),
            "",
            names,
            sha256(request.body).hexdigest(),
        )
    )
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{sha256(canonical.encode('latin-1')).hexdigest()}"
    key = f"AWS4{credential.secret_key}".encode()
    for part in scope.split("/"):
        key = _mac(key, part)
    added["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={credential.access_key}/{scope}, SignedHeaders={names}, "
        f"Signature={_mac(key, text).hex()}"
    )
    return "".join([f"{name}: {value}\r\n" for name, value in added.items()]).encode("latin-1")


def _pairs(query: str) -> list[tuple[str, str]]:
    split = [pair.partition("=") for pair in query.split("&")] if query else []
    return [(name, value) for name, _, value in split]


def _mac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


def _read_head(request: HttpRequest) -> tuple[str, dict[str, str]]:
    """The target of the request line, and the headers that are signed: lower-case names, inner white space joined."""
    first, *lines = request.head.decode("latin-1").split("\r\n")
    headers: dict[str, str] = {}
    for line in lines:
        name, separator, value = line.partition(":")
        name = name.strip().lower()
        if separator and name not in _UNSIGNED:
            value = " ".join(value.split())
            headers[name] = f"{headers[name]},{value}" if name in headers else value
    return first.split(" ")[1], headers
