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


def check_head(inbound: Inbound, *, version: str, max_header_bytes: int) -> int | None:
    """The body's length as declared, None for a chunked body. Raises GatewayError."""
    if version not in _VERSIONS:
        raise GatewayError(errors.HTTP_VERSION, f"HTTP/{version} is not supported. Use HTTP/1.1.")
    length: int | None = 0
    hosts = size = 0
    framed = False
    for name, value in inbound.headers:
        size += len(name) + len(value)
        if name == b"host":
            hosts += 1
        elif name == b"content-length" or name == b"transfer-encoding":  # twice as fast as a tuple
            if framed:
                raise malformed("Content-Length and Transfer-Encoding exclude each other, and come once")
            framed = True
            length = _declared(name, value, version)
        elif name == b"expect":
            inbound.expects = version == "1.1" and value.strip().lower() == b"100-continue"
    if size > max_header_bytes:
        raise GatewayError(errors.HEADERS_TOO_LARGE, "The request's headers are too large.")
    if hosts > 1 or (hosts == 0 and version == "1.1"):
        raise malformed("exactly one Host header is needed")
    if inbound.method == b"CONNECT":
        raise GatewayError(errors.NOT_IMPLEMENTED, "CONNECT is not supported: this is no proxy.")
    if not inbound.path.startswith(b"/"):
        raise malformed("the request target must be a path")
    return length


def _declared(name: bytes, value: bytes, version: str) -> int | None:
    if name == b"content-length":
        if not value.isdigit() or len(value) > _MAX_LENGTH_DIGITS:
            raise malformed("Content-Length is not one number")
        return int(value)
    if value.strip().lower() != b"chunked" or version == "1.0":
        raise malformed("Transfer-Encoding is not 'chunked'")
    return None


def malformed(why: str) -> GatewayError:
    return GatewayError(errors.BAD_REQUEST, f"The request is not well-formed HTTP: {why}.")


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
