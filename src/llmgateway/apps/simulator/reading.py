"""How dialects read request bodies: JSON to typed values, with what does not fit told as the vendor's 400."""

import base64
import binascii
from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET, Raw, UnsetType

from llmgateway.apps.simulator.dialect import InvalidAsk
from llmgateway.apps.simulator.text import prompt_tokens_of

T = TypeVar("T")


def read(body: bytes | Raw, kind: type[T]) -> T:
    """Raises InvalidAsk."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidAsk(f"The request is invalid: {error}", code="invalid_request") from None


def plain(raw: Raw | UnsetType | None) -> Any:
    """The JSON value; None where there is none."""
    return None if raw is None or raw is UNSET else msgspec.json.decode(raw)


def size_of(*parts: Raw | UnsetType | None) -> int:
    """Tokens of the given parts of a prompt."""
    return prompt_tokens_of(sum([memoryview(part).nbytes for part in parts if isinstance(part, Raw)]))


def refuse_unknown(members: Iterable[str], *, known: Iterable[str], message: str) -> None:
    """Raises InvalidAsk with `message`, {name} filled in, for the first member that is not known."""
    allowed = set(known)
    for name in members:
        if name not in allowed:
            raise InvalidAsk(message.format(name=name), param=name)


def is_base64(data: str) -> bool:
    try:
        base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True
