"""How dialects read request bodies: JSON to typed values, with what does not fit told as the vendor's 400."""

import base64
import binascii
from collections.abc import Iterable
from typing import Any, TypeVar, cast

import msgspec
from msgspec import UNSET, Raw, UnsetType

from llmgateway.apps.simulator.dialect import InvalidAsk, Json
from llmgateway.apps.simulator.text import prompt_tokens_of

T = TypeVar("T")
_ANY: msgspec.json.Decoder[Any] = msgspec.json.Decoder(Any)
MEMBERS = msgspec.json.Decoder(dict[str, Raw])


def read(body: bytes | Raw, decoder: msgspec.json.Decoder[T]) -> T:
    """Raises InvalidAsk."""
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidAsk(f"The request is invalid: {error}", code="invalid_request") from None


def plain(raw: Raw | UnsetType | None) -> Any:
    """The JSON value; None where there is none. Raises InvalidAsk."""
    return None if raw is None or raw is UNSET else read(raw, _ANY)


def mapping(value: object) -> Json:
    """The value if it is an object, else an empty one."""
    return cast("Json", value) if isinstance(value, dict) else {}


def sequence(value: object) -> list[Any]:
    """The value if it is a list, else an empty one."""
    return cast("list[Any]", value) if isinstance(value, list) else []


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
