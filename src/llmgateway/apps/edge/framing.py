"""The strictness of the door beyond its parser: a head that two servers could read as two requests is refused.

Judges one head; what a well-framed request may do is `Front`'s word. See RFC 9112, sections 3.2, 6.1 and 11.2.
"""

import re
from typing import Final

import httptools

from llmgateway.apps.edge.inbound import Inbound
from llmgateway.domain import errors
from llmgateway.domain.errors import GatewayError

_REQUEST_LINE: Final = re.compile(rb"(?:\r\n)*([!-~]{1,64}) (/[!-~]*|\*) HTTP/1\.[01]\r\n")
_VERSIONS: Final = frozenset(("1.0", "1.1"))
_MAX_LENGTH_DIGITS: Final = 18


def check_size(inbound: Inbound, *, max_header_bytes: int) -> None:
    """Raises GatewayError HEADERS_TOO_LARGE."""
    fields = inbound.fields
    if len(b"".join(fields)) + len(b"".join(fields.values())) > max_header_bytes:
        raise GatewayError(errors.HEADERS_TOO_LARGE, "The request's headers are too large.")


def check_head(inbound: Inbound, *, version: str) -> int | None:
    """The body's length as declared, None for a chunked body. Raises GatewayError."""
    if version not in _VERSIONS:
        raise GatewayError(errors.HTTP_VERSION, f"HTTP/{version} is not supported. Use HTTP/1.1.")
    fields = inbound.fields
    host = fields.get(b"host")
    if (host is None and version == "1.1") or (host is not None and b"," in host):
        raise malformed("exactly one Host header is needed")
    if inbound.method == b"CONNECT":
        raise GatewayError(errors.NOT_IMPLEMENTED, "CONNECT is not supported: this is no proxy.")
    if not inbound.path.startswith(b"/"):
        raise malformed("the request target must be a path")
    expected = fields.get(b"expect")
    if expected is not None:
        inbound.expects = version == "1.1" and expected.strip().lower() == b"100-continue"
    return _length(fields.get(b"content-length"), fields.get(b"transfer-encoding"), version)


def _length(given: bytes | None, coding: bytes | None, version: str) -> int | None:
    if coding is not None:
        if given is not None:
            raise malformed("Content-Length and Transfer-Encoding exclude each other")
        if coding.strip().lower() != b"chunked" or version == "1.0":
            raise malformed("Transfer-Encoding is not 'chunked'")
        return None
    if given is None:
        return 0
    if not given.isdigit() or len(given) > _MAX_LENGTH_DIGITS:
        raise malformed("Content-Length is not one number")
    return int(given)


def malformed(why: str) -> GatewayError:
    return GatewayError(errors.BAD_REQUEST, f"The request is not well-formed HTTP: {why}.")


def not_http(error: httptools.HttpParserError) -> GatewayError:
    """What the parser could not read."""
    if "HTTP version" in str(error):
        return GatewayError(errors.HTTP_VERSION, "This HTTP version is not supported. Use HTTP/1.1.")
    return malformed(str(error))


def foreign_request_line(data: bytes) -> tuple[bytes, bytes] | None:
    """Method and path of a request line whose only fault is a method that the parser does not know."""
    line = _REQUEST_LINE.match(data)
    if line is None:
        return None
    try:
        httptools.HttpRequestParser(object()).feed_data(line.group(1) + b" / HTTP/1.1\r\n")
    except httptools.HttpParserInvalidMethodError:
        return line.group(1), line.group(2).partition(b"?")[0]
    return None
