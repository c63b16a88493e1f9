"""Bodies that are no JSON object, numbers and texts that JSON should not hold, and sizes that nobody needs."""

import json
from typing import Any

from tests.hostile.case import INVALID_JSON, INVALID_VALUE, MODEL, Case, refused, served
from tests.hostile.target import BEARER, JSON, chat, conversation
from tests.support.rawhttp import request

_GOOD = json.dumps(conversation("Hi")).encode()
_HEAD = b'{"model": "counting/hello", "messages": [{"role": "user", "content": '
_TAIL = b"}]}"


def _text(content: bytes) -> bytes:
    """A good body whose message says these bytes, quotes and all."""
    return _HEAD + content + _TAIL


def _with(member: bytes) -> bytes:
    """A good body with one more member."""
    return _GOOD[:-1] + b", " + member + b"}"


NOT_JSON: tuple[Case, ...] = (
    refused("no body", b"", INVALID_JSON),
    refused("white space", b" \r\n\t ", INVALID_JSON),
    refused("truncated object", _GOOD[:-1], INVALID_JSON),
    refused("truncated string", _GOOD[:30], INVALID_JSON),
    refused("one brace", b"{", INVALID_JSON),
    refused("array at the top", b"[" + _GOOD + b"]", INVALID_JSON),
    refused("null at the top", b"null", INVALID_JSON),
    refused("string at the top", b'"hello"', INVALID_JSON),
    refused("number at the top", b"42", INVALID_JSON),
    refused("true at the top", b"true", INVALID_JSON),
    refused("trailing garbage", _GOOD + b"x", INVALID_JSON),
    refused("a second object", _GOOD + _GOOD, INVALID_JSON),
    refused("trailing comma", _GOOD[:-1] + b",}", INVALID_JSON),
    refused("single quotes", _GOOD.replace(b'"', b"'"), INVALID_JSON),
    refused("comment", b"/* hi */" + _GOOD, INVALID_JSON),
    refused("form encoding", b"model=counting%2Fhello&messages=Hi", INVALID_JSON),
    refused("gzip bytes without saying so", bytes.fromhex("1f8b0800000000000003") + bytes(50), INVALID_JSON),
    refused("zero bytes", bytes(100), INVALID_JSON),
    refused("unquoted key", b"{model: 1}", INVALID_JSON),
    refused("unknown escape", _text(rb'"\x41"'), INVALID_JSON),
    refused("cut escape", _text(rb'"\u12"'), INVALID_JSON),
    refused("line break in a string", _text(b'"a\nb"'), INVALID_JSON),
    refused("zero byte in a string", _text(b'"a\0b"'), INVALID_JSON),
)

NUMBERS: tuple[Case, ...] = (
    refused("NaN", _with(b'"temperature": NaN'), INVALID_JSON),
    refused("Infinity", _with(b'"temperature": Infinity'), INVALID_JSON),
    refused("-Infinity", _with(b'"temperature": -Infinity'), INVALID_JSON),
    Case(name="hexadecimal", data=chat(_with(b'"max_tokens": 0x10')), any_param=True),
    refused("leading zero", _with(b'"max_tokens": 010'), INVALID_JSON),
    refused("leading plus", _with(b'"max_tokens": +1'), INVALID_JSON),
    refused("1e999", _with(b'"temperature": 1e999'), INVALID_VALUE, "temperature"),
    refused("1e999 in a field nobody knows", _with(b'"guided": 1e999'), INVALID_VALUE, "guided"),
    refused("5,000 digits", _with(b'"seed": ' + b"9" * 5000), INVALID_VALUE, "seed"),
    refused("5,000 digits in a float", _with(b'"temperature": ' + b"9" * 5000), INVALID_VALUE, "temperature"),
    refused("5,000 digits in a field nobody knows", _with(b'"guided": ' + b"9" * 5000), INVALID_VALUE, "guided"),
    refused("float for an integer", _with(b'"max_tokens": 10.0'), INVALID_VALUE, "max_tokens"),
    refused("exponent for an integer", _with(b'"max_tokens": 1.5e1'), INVALID_VALUE, "max_tokens"),
)

TEXTS: tuple[Case, ...] = (
    refused("invalid UTF-8", _text(b'"\xff\xfe"'), INVALID_JSON),
    refused("invalid UTF-8 in metadata", _with(b'"metadata": {"a": "\xff"}'), INVALID_JSON),
    refused("invalid UTF-8 in a name nobody knows", _with(b'"\xff": 1'), INVALID_JSON),
    refused("invalid UTF-8 in a field nobody knows", _with(b'"guided": {"a": ["\xff"]}'), INVALID_JSON),
    refused("invalid UTF-8 in a message's unknown member", _text(b'"Hi", "x": "\xff"'), INVALID_JSON),
    refused(
        "invalid UTF-8 in a tool schema",
        _with(b'"tools": [{"type": "function", "function": {"name": "f", "parameters": {"a": "\xe2\x82"}}}]'),
        INVALID_JSON,
    ),
    refused("overlong UTF-8", _text(b'"\xc0\xaf"'), INVALID_JSON),
    refused("UTF-8 of a surrogate", _text(b'"\xed\xa0\x80"'), INVALID_JSON),
    refused("cut UTF-8", _text(b'"\xe2\x82"'), INVALID_JSON),
    refused("UTF-16", json.dumps(conversation("Hi")).encode("utf-16"), INVALID_JSON),
    refused("UTF-16 without mark", json.dumps(conversation("Hi")).encode("utf-16-le"), INVALID_JSON),
    refused("UTF-32", json.dumps(conversation("Hi")).encode("utf-32"), INVALID_JSON),
    served("byte order mark", b"\xef\xbb\xbf" + _GOOD),
    refused("two byte order marks", b"\xef\xbb\xbf\xef\xbb\xbf" + _GOOD, INVALID_JSON),
    served("lone surrogate", _text(rb'"\ud83d alone"')),
    served("lone low surrogate", _text(rb'"\ude00\ud83d"')),
    served("surrogate pair", _text(rb'"\ud83d\ude00"')),
    served("escaped zero", _text(rb'"a\u0000b"')),
    served("every control character, escaped", _text(json.dumps("".join(map(chr, range(32)))).encode())),
    served("direction marks and joiners", _text('"\u202e\u200d\ufeff\U000e0041"'.encode())),
)

DUPLICATES: tuple[Case, ...] = (
    served("duplicate key, the last one counts", b'{"model": "nobody", ' + _GOOD[1:]),
    served("duplicate key, the first one bad", b'{"model": 5, ' + _GOOD[1:]),
    refused("duplicate key, the last one bad", _with(b'"model": 5'), INVALID_VALUE, "model"),
    refused("duplicate messages, the last ones bad", _with(b'"messages": []'), INVALID_VALUE, "messages"),
    served("key spelled with escapes", _GOOD.replace(b'"model"', rb'"\u006dodel"')),
)


def _nested(depth: int, opening: str, closing: str) -> bytes:
    return (opening * depth + closing * depth).encode()


def _deep_tool(depth: int) -> bytes:
    """A tool whose schema has an object in an object, so many times."""
    schema = b'{"type": "object", "properties": {"a": ' * depth + b"{}" + b"}}" * depth
    return _with(b'"tools": [{"type": "function", "function": {"name": "f", "parameters": ' + schema + b"}}]")


def _tools(count: int, *, name: str = "f", parameters: Any = None) -> list[Any]:
    return [
        {"type": "function", "function": {"name": f"{name}{n}", "parameters": parameters or {}}} for n in range(count)
    ]


_LOOP = {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}

SIZES: tuple[Case, ...] = (
    refused("100,000 nested arrays", _nested(100_000, "[", "]"), INVALID_JSON),
    refused("100,000 open brackets", b"[" * 100_000, INVALID_JSON),
    refused("100,000 open objects", b'{"a":' * 100_000, INVALID_JSON),
    refused("nested arrays in content", _text(_nested(100_000, "[", "]")), INVALID_JSON),
    Case(
        name="nested arrays in an unknown field",
        data=chat(_with(b'"x": ' + _nested(100_000, "[", "]"))),
        any_param=True,
    ),
    Case(
        name="nested arrays in metadata",
        data=chat(_with(b'"metadata": {"a": ' + _nested(100_000, "[", "]") + b"}")),
        any_param=True,
    ),
    served("a tool schema 450 objects deep", _deep_tool(450)),
    refused("a tool schema 900 objects deep", _deep_tool(900), INVALID_JSON),
    served("a tool schema that refers to itself", conversation("Hi", tools=_tools(1, parameters=_LOOP))),
    served("10,000 messages", {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}] * 10_000}),
    refused("5,000 tools", conversation("Hi", tools=_tools(5000)), INVALID_VALUE, "tools"),
    refused(
        "a tool name of a million characters",
        conversation("Hi", tools=_tools(1, name="f" * 1_000_000)),
        INVALID_VALUE,
        "tools[0].function.name",
    ),
    refused("50,000 fields", conversation("Hi") | {f"x{n}": n for n in range(50_000)}, INVALID_VALUE),
    served(
        "a message of 10,000 parts",
        {"model": MODEL, "messages": [{"role": "user", "content": [{"type": "text", "text": "a"}] * 10_000}]},
    ),
    served("100,000 spaces", _GOOD.replace(b": ", b":" + b" " * 100_000)),
    Case(
        name="a prompt longer than the context",
        data=chat(conversation("word " * 150_000)),
        code="context_length_exceeded",
        param="messages",
    ),
    Case(
        name="a body over the limit", data=chat(conversation("x" * 1_048_577)), status=(413,), code="request_too_large"
    ),
    Case(
        name="a body over the limit, only announced",
        data=request(headers=(BEARER, JSON, ("content-length", "1048577"))),
        status=(413,),
        code="request_too_large",
    ),
    Case(
        name="a petabyte, only announced",
        data=request(headers=(BEARER, JSON, ("content-length", str(10**15)))),
        status=(413,),
        code="request_too_large",
    ),
    Case(
        name="a chunked body over the limit",
        data=request(headers=(BEARER, JSON, ("transfer-encoding", "chunked")))
        + (b"10000\r\n" + bytes(65536) + b"\r\n") * 20,
        status=(413,),
        code="request_too_large",
    ),
    Case(
        name="a chunked body over the limit in crumbs",
        data=request(headers=(BEARER, JSON, ("transfer-encoding", "chunked"))) + b"1\r\na\r\n" * 1_048_580,
        status=(413,),
        code="request_too_large",
    ),
)

MEDIA: tuple[Case, ...] = tuple(
    Case(name=name, data=chat(headers=(BEARER, *headers)), status=(415,), code="unsupported_media_type")
    for name, headers in (
        ("gzip", (JSON, ("content-encoding", "gzip"))),
        ("gzip twice", (JSON, ("content-encoding", "gzip, gzip"))),
        ("brotli", (JSON, ("content-encoding", "br"))),
        ("an encoding nobody knows", (JSON, ("content-encoding", "rot13"))),
        ("text/plain", (("content-type", "text/plain"),)),
        ("a form", (("content-type", "application/x-www-form-urlencoded"),)),
        ("multipart", (("content-type", "multipart/form-data; boundary=x"),)),
        ("a content type of 10,000 characters", (("content-type", "x" * 10_000),)),
        ("a content type of bytes", (("content-type", "\xff\xfe"),)),
    )
)

CASES: tuple[Case, ...] = (*NOT_JSON, *NUMBERS, *TEXTS, *DUPLICATES, *SIZES, *MEDIA)
