"""Request lines, headers, keys, addresses and framing that are wrong, or meant to be read in two ways."""

from tests.hostile.case import Case
from tests.hostile.target import BEARER, JSON, KEY, chat, conversation
from tests.support.rawhttp import request

_TOKEN = KEY
_BODY = b'{"model": "counting/hello", "messages": [{"role": "user", "content": "Hi"}]}'
_ADDRESS = b"POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\n"
_WITH_KEY = b"authorization: Bearer " + KEY.encode() + b"\r\n"
_LENGTH = b"content-length: %d\r\n" % len(_BODY)
_CHUNKED = b"transfer-encoding: chunked\r\n"


def _key(name: str, *headers: tuple[str, str], status: tuple[int, ...] = (401,), path: str = "") -> Case:
    data = chat(headers=(*headers, JSON), path=path or "/v1/chat/completions")
    code = "invalid_api_key" if status == (401,) else None
    return Case(name=f"key: {name}", data=data, status=status, code=code)


KEYS: tuple[Case, ...] = (
    _key("none"),
    _key("empty", ("authorization", "")),
    _key("no token", ("authorization", "Bearer")),
    _key("blank token", ("authorization", "Bearer  ")),
    _key("basic", ("authorization", "Basic dXNlcjpwYXNz")),
    _key("without scheme", ("authorization", _TOKEN)),
    _key("wrong", ("authorization", "Bearer sk-wrong")),
    _key("one character short", ("authorization", f"Bearer {_TOKEN[:-1]}")),
    _key("one character long", ("authorization", f"Bearer {_TOKEN}1")),
    _key("other case", ("authorization", f"Bearer {_TOKEN.upper()}")),
    _key("twice the scheme", ("authorization", f"Bearer Bearer {_TOKEN}")),
    _key("with a comma", ("authorization", f"Bearer {_TOKEN}, Bearer other")),
    _key("of the provider", ("authorization", "Bearer upstream-secret")),
    _key("not latin-1", ("authorization", "Bearer \xff\xfe\xfd")),
    _key("of bytes in x-api-key", ("x-api-key", "\xe9\xe8")),
    _key("two headers", BEARER, BEARER),
    _key("two headers that disagree", BEARER, ("authorization", "Bearer other")),
    _key("x-api-key that disagrees", BEARER, ("x-api-key", "other")),
    _key("x-api-key wrong", ("x-api-key", "other")),
    _key("two x-api-key", ("x-api-key", _TOKEN), ("x-api-key", "other")),
    _key("in the query", path=f"/v1/chat/completions?key={_TOKEN}&api_key={_TOKEN}"),
    _key("in a cookie", ("cookie", f"authorization=Bearer {_TOKEN}")),
    _key("of 10,000 characters", ("authorization", "Bearer " + "k" * 10_000)),
    _key("of a megabyte", ("authorization", "Bearer " + "k" * 1_000_000), status=(431,)),
)


def _address(method: str, path: str, status: int, code: str, *, allow: str | None = None, key: bool = True) -> Case:
    data = request(method, path, headers=(BEARER,) if key else ())
    shown = path if len(path) < 40 else f"{path[:40]}…"
    return Case(name=f"{method} {shown}", data=data, status=(status,), code=code, allow=allow, method=method)


ADDRESSES: tuple[Case, ...] = (
    *(
        _address(method, "/v1/chat/completions", 405, "method_not_allowed", allow="POST")
        for method in ("GET", "HEAD", "DELETE", "PUT", "PATCH", "OPTIONS", "TRACE", "BREW", "PROPFIND", "get", "X" * 30)
    ),
    *(
        _address(method, "/v1/models", 405, "method_not_allowed", allow="GET, HEAD")
        for method in ("POST", "DELETE", "BREW")
    ),
    *(
        _address("GET", path, 404, "not_found")
        for path in (
            "/",
            "//",
            "//v1/models",
            "/v1//models",
            "/v1/chat/completions/",
            "/v1/key/",
            "/healthz/",
            "/v1/chat/%63ompletions",
            "/v1/%2e%2e/healthz",
            "/v1/../healthz",
            "/v1/chat/completions%00",
            "/v1/chat/completions%0d%0ax-evil:1",
            "/V1/MODELS",
            "/admin",
            "/.env",
            "/v1/chat/completions;a=b",
            "/healthz#fragment",
            "/<script>alert(1)</script>",
        )
    ),
    _address("BREW", "/nowhere", 404, "not_found"),
    _address("HEAD", "/nowhere", 404, "not_found"),
    _address("GET", "/v1/models", 401, "invalid_api_key", key=False),
    _address("GET", "/v1/models/gpt-4o", 401, "invalid_api_key", key=False),
    _address("GET", "/v1/key", 401, "invalid_api_key", key=False),
    _address("CONNECT", "/", 501, "not_implemented"),
    _address("GET", "/" + "a" * 3000, 414, "uri_too_long"),
    _address("GET", "/v1/models?" + "a=b&" * 1000, 414, "uri_too_long"),
    _address("M" * 100, "/", 400, "bad_request"),
)
_ODD_MODELS: tuple[Case, ...] = tuple(
    Case(
        name=f"GET /v1/models{path}",
        data=request("GET", f"/v1/models{path}", headers=(BEARER,)),
        status=(status,),
        code=code,
        param=param,
    )
    for path, status, code, param in (
        ("/", 404, "model_not_found", "model"),
        ("/..%2f..%2fetc%2fpasswd", 404, "model_not_found", "model"),
        ("/%ff%fe", 404, "model_not_found", "model"),
        ("/a%0d%0ab", 404, "model_not_found", "model"),
        ("/" + "m" * 2000, 404, "model_not_found", "model"),
        ("?available=maybe", 400, "invalid_value", "available"),
    )
)


def _bytes(name: str, data: bytes, *status: int, code: str | None = "bad_request") -> Case:
    return Case(name=f"framing: {name}", data=data, status=status or (400,), code=code if status != (0,) else None)


def _post(headers: bytes, body: bytes = _BODY) -> bytes:
    return _ADDRESS + _WITH_KEY + headers + b"\r\n" + body


def _chunks(data: bytes) -> bytes:
    return _post(_CHUNKED, data)


_TOO_MANY = b"".join(b"x-%d: a\r\n" % number for number in range(10_000))

FRAMING: tuple[Case, ...] = (
    _bytes("two lengths that disagree", _post(_LENGTH + b"content-length: 5\r\n")),
    _bytes("two lengths that agree", _post(_LENGTH * 2)),
    _bytes("a list of lengths", _post(b"content-length: 5, 5\r\n")),
    _bytes("length and chunks", _post(_LENGTH + _CHUNKED)),
    _bytes("chunks and length", _post(_CHUNKED + _LENGTH)),
    _bytes("negative length", _post(b"content-length: -5\r\n")),
    _bytes("length with a plus", _post(b"content-length: +5\r\n")),
    _bytes("length in hexadecimal", _post(b"content-length: 0x10\r\n")),
    _bytes("length with a space", _post(b"content-length: 5 5\r\n")),
    _bytes("empty length", _post(b"content-length: \r\n")),
    _bytes("length in words", _post(b"content-length: five\r\n")),
    _bytes("length beyond 64 bits", _post(b"content-length: 99999999999999999999\r\n")),
    _bytes("space before the colon of a length", _post(b"content-length : 5\r\n")),
    *(
        _bytes(f"transfer-encoding {shown}", _post(b"transfer-encoding: %b\r\n" % value, b"0\r\n\r\n"))
        for shown, value in (
            ("gzip", b"gzip"),
            ("gzip, chunked", b"gzip, chunked"),
            ("chunked, gzip", b"chunked, gzip"),
            ("chunked, chunked", b"chunked, chunked"),
            ("identity", b"identity"),
            ("xchunked", b"xchunked"),
            ("chunked with a vertical tab", b"\x0bchunked"),
            ("quoted", b'"chunked"'),
            ("empty", b""),
            ("chunked;q=1", b"chunked;q=1"),
        )
    ),
    _bytes("transfer-encoding twice", _post(_CHUNKED * 2, b"0\r\n\r\n")),
    _bytes("transfer-encoding over two lines", _post(b"transfer-encoding:\r\n chunked\r\n", b"0\r\n\r\n")),
    _bytes("chunks in HTTP/1.0", _chunks(b"0\r\n\r\n").replace(b"HTTP/1.1", b"HTTP/1.0")),
    *(
        _bytes(f"chunk size {shown}", _chunks(size + b"\r\n" + b"a" * 16 + b"\r\n0\r\n\r\n"))
        for shown, size in (
            ("zz", b"zz"),
            ("-1", b"-1"),
            ("0x10", b"0x10"),
            ("1_0", b"1_0"),
            ("empty", b""),
            ("with a space", b" 10"),
            ("beyond 64 bits", b"f" * 17),
            ("of a plus", b"+10"),
        )
    ),
    _bytes("chunk longer than said", _chunks(b"4\r\nabcdefgh\r\n0\r\n\r\n")),
    _bytes("chunks ended by line feeds", _chunks(b"4\nabcd\n0\n\n")),
    _bytes("endless chunk extension", _chunks(b"4;" + b"a" * 600_000), 431, code="headers_too_large"),
    _bytes("endless trailer", _chunks(b"4\r\nabcd\r\n0\r\nx: " + b"a" * 600_000), 431, code="headers_too_large"),
    _bytes("10,000 trailers", _chunks(b"4\r\nabcd\r\n0\r\n" + _TOO_MANY * 4), 400, 431, code=None),
    _bytes("obsolete folding", _post(b"x-a: 1\r\n 2\r\n" + _LENGTH)),
    _bytes("folding of the first header", b"GET /healthz HTTP/1.1\r\n host: gateway\r\n\r\n"),
    _bytes("bare line feeds", b"GET /healthz HTTP/1.1\nhost: gateway\n\n"),
    _bytes("one bare line feed", b"GET /healthz HTTP/1.1\r\nhost: gateway\nx: y\r\n\r\n"),
    _bytes("bare carriage return", b"GET /healthz HTTP/1.1\r\nhost: gateway\rx: y\r\n\r\n"),
    _bytes("zero in a header", b"GET /healthz HTTP/1.1\r\nhost: gateway\r\nx: a\0b\r\n\r\n"),
    _bytes("zero in a header's name", b"GET /healthz HTTP/1.1\r\nhost: gateway\r\nx\0: a\r\n\r\n"),
    _bytes("zero in the address", b"GET /healthz\0 HTTP/1.1\r\nhost: gateway\r\n\r\n"),
    _bytes("control character in a header", b"GET /healthz HTTP/1.1\r\nhost: gateway\r\nx: a\x07\r\n\r\n"),
    _bytes("header without a name", b"GET /healthz HTTP/1.1\r\nhost: gateway\r\n: a\r\n\r\n"),
    _bytes("header without a colon", b"GET /healthz HTTP/1.1\r\nhost: gateway\r\nnonsense\r\n\r\n"),
    _bytes("header name with a space", b"GET /healthz HTTP/1.1\r\nhost: gateway\r\nx y: a\r\n\r\n"),
    _bytes("header name not ASCII", b"GET /healthz HTTP/1.1\r\nhost: gateway\r\nx\xe9: a\r\n\r\n"),
    _bytes("no host", b"GET /healthz HTTP/1.1\r\n\r\n"),
    _bytes("two hosts", b"GET /healthz HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n"),
    _bytes("absolute form", b"GET http://gateway/healthz HTTP/1.1\r\nhost: gateway\r\n\r\n"),
    _bytes("absolute form of another server", b"GET http://example.com/ HTTP/1.1\r\nhost: gateway\r\n\r\n"),
    _bytes("asterisk", b"OPTIONS * HTTP/1.1\r\nhost: gateway\r\n\r\n"),
    _bytes("authority form", b"CONNECT example.com:443 HTTP/1.1\r\nhost: example.com:443\r\n\r\n", 501, code=None),
    _bytes("space in the address", b"GET /health z HTTP/1.1\r\nhost: gateway\r\n\r\n"),
    _bytes("bytes in the address", b"GET /\xff\xfe HTTP/1.1\r\nhost: gateway\r\n\r\n"),
    _bytes("no address", b"GET HTTP/1.1\r\nhost: gateway\r\n\r\n"),
    _bytes("HTTP/0.9", b"GET /healthz\r\n\r\n", 400, 505, code=None),
    _bytes("HTTP/2.0", b"GET /healthz HTTP/2.0\r\nhost: gateway\r\n\r\n", 505, code="http_version_not_supported"),
    _bytes("HTTP/1.2", b"GET /healthz HTTP/1.2\r\nhost: gateway\r\n\r\n", 505, code="http_version_not_supported"),
    _bytes("HTTP/11", b"GET /healthz HTTP/11\r\nhost: gateway\r\n\r\n", 400, 505, code=None),
    _bytes("other protocol", b"GET /healthz ICE/1.0\r\nhost: gateway\r\n\r\n", 400, 505, code=None),
    _bytes("HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, 505, code=None),
    _bytes("TLS", bytes.fromhex("16030100c8010000c40303") + bytes(200)),
    _bytes("SSH", b"SSH-2.0-OpenSSH_9.6\r\n"),
    _bytes("an HTTP answer", b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"),
    _bytes("random bytes", bytes(range(128, 256)) * 4),
    _bytes("10,000 headers", _post(_TOO_MANY), 431, code="headers_too_large"),
    _bytes("101 headers", _post(b"x: a\r\n" * 101), 431, code="headers_too_large"),
    _bytes("a header of a megabyte", _post(b"x: " + b"a" * 1_000_000), 431, code="headers_too_large"),
    _bytes("headers just over the limit", _post(b"x: " + b"a" * 16_384 + b"\r\n"), 431, code="headers_too_large"),
    _bytes("a header that never ends", _ADDRESS + b"x: " + b"a" * 600_000, 431, code="headers_too_large"),
    _bytes("an address that never ends", b"GET /" + b"a" * 100_000, 414, code="uri_too_long"),
    _bytes("a method that never ends", b"G" * 100_000),
)

ODD_BUT_FINE: tuple[Case, ...] = tuple(
    Case(name=f"fine: {name}", data=data, status=(200,), served=True)
    for name, data in (
        ("x-api-key", chat(headers=(("x-api-key", KEY), JSON))),
        ("the same key in both headers", chat(headers=(BEARER, ("x-api-key", KEY), JSON))),
        ("no content type", chat(headers=(BEARER,))),
        ("a charset", chat(headers=(BEARER, ("content-type", "Application/JSON; charset=utf-8")))),
        ("content-encoding identity", chat(headers=(BEARER, JSON, ("content-encoding", "identity")))),
        ("a query", chat(path="/v1/chat/completions?stream=true&x=%00")),
        ("line breaks before the request", b"\r\n\r\n" + chat()),
        (
            "a chunked body with extensions and trailers",
            _chunks(b"%x;a=b;c\r\n%b\r\n0\r\nx-request-id: evil\r\nx-api-key: evil\r\n\r\n" % (len(_BODY), _BODY)),
        ),
        ("an offer to upgrade", _post(b"connection: upgrade\r\nupgrade: h2c\r\n" + _LENGTH)),
        ("a websocket's handshake", _post(b"connection: upgrade\r\nupgrade: websocket\r\n" + _LENGTH)),
        ("a header of bytes", _post(b"x-source: \xff\xfe\r\nuser-agent: \xf0\x9f\x98\x80\r\n" + _LENGTH)),
        ("an absurd timeout", chat(headers=(BEARER, ("x-request-timeout", "nan"), JSON))),
        (
            "text in user and metadata that looks like headers",
            chat(conversation("Hi", user="a\r\nx-evil: 1", metadata={"a\r\nb": "c\r\nx-evil: 2"})),
        ),
    )
)

CASES: tuple[Case, ...] = (*KEYS, *ADDRESSES, *_ODD_MODELS, *FRAMING, *ODD_BUT_FINE)
