"""One row of the corpus: what is sent, and what must come back."""

import json
from typing import Any

import msgspec

from tests.hostile.target import MODEL, chat

INVALID_JSON = "invalid_json"
INVALID_VALUE = "invalid_value"
MISSING = "missing_required_parameter"
UNSUPPORTED = "unsupported_parameter"
NOT_FOUND = "model_not_found"
NO_PROVIDER = "no_provider_available"


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """`status` 0 among the allowed ones: the server may close without a word. `code`, `param`: checked where given;
    `any_param` leaves the param open. `served`: it is no attack after all, and reaches the upstream once."""

    name: str
    data: bytes
    status: tuple[int, ...] = (400,)
    code: str | None = None
    param: str | None = None
    any_param: bool = False
    method: str = "GET"
    allow: str | None = None
    served: bool = False


def refused(name: str, body: Any, code: str, param: str | None = None) -> Case:
    """A chat body that is answered with 400."""
    return Case(name=name, data=chat(body), code=code, param=param)


def served(name: str, body: Any) -> Case:
    """A chat body that looks odd and is served."""
    return Case(name=name, data=chat(body), status=(200,), served=True)


def field(path: str, value: Any, code: str = INVALID_VALUE, *, param: str | None = None) -> Case:
    """A good request but for one top-level field. `param`: the path that must be named, if not the field itself."""
    shown = json.dumps(value)
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}]}
    name = f"{param or path} = {shown if len(shown) < 60 else shown[:28] + '…' + shown[-28:]}"
    return refused(name, body | {path: value}, code, param or path)


def message(value: Any, code: str, param: str, *, name: str = "") -> Case:
    """A good request but for its second message."""
    shown = f"message: {name or json.dumps(value)}"
    return refused(shown, {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}, value]}, code, param)


def part(value: Any, code: str, param: str = "", *, name: str = "") -> Case:
    """A good request but for the second part of its message. `param`: what follows the part's own path."""
    path = f"messages[0].content[1]{param}"
    content = [{"type": "text", "text": "Hi"}, value]
    shown = f"part: {name or json.dumps(value)}"
    return refused(shown, {"model": MODEL, "messages": [{"role": "user", "content": content}]}, code, path)
