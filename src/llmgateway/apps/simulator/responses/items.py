"""The input items of OpenAI's responses protocol as a request has them."""

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from llmgateway.apps.simulator.reading import read


class Part(Struct, frozen=True):
    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: str | None = None
    file_data: str | None = None


class Item(Struct, frozen=True):
    type: str = "message"
    id: str | None = None
    role: str | None = None
    content: Raw | UnsetType = UNSET
    call_id: str | None = None
    name: str | None = None
    arguments: Raw | UnsetType = UNSET
    output: Raw | UnsetType = UNSET
    summary: Raw | UnsetType = UNSET
    encrypted_content: str | None = None


_PARTS: msgspec.json.Decoder[str | list[Part]] = msgspec.json.Decoder(str | list[Part])


def parts_of(content: Raw | UnsetType) -> list[Part]:
    if content is UNSET:
        return []
    found = read(content, _PARTS)
    return [Part("text", text=found)] if isinstance(found, str) else found


def text_of(content: Raw | UnsetType) -> str:
    return "".join([part.text or "" for part in parts_of(content)])
