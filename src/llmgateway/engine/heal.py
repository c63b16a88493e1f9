"""Response healing of one answer: its content is held back, put right as JSON, and told in one piece.

It applies where the caller asked for the `response-healing` plugin together with a JSON response_format, and by itself
where a codec could only ask the model for JSON in words (`EMULATES`). Reasoning and everything else goes on as it
comes. How JSON is found and mended is `mend`'s knowledge, what fits a schema `conform`'s.
"""

from typing import Final, Protocol

import msgspec
from msgspec import UNSET

from llmgateway.domain.chat import Chat
from llmgateway.domain.reply import ChoiceDelta, Chunk, Delta
from llmgateway.domain.routing import Deployment
from llmgateway.engine.conform import conforms
from llmgateway.engine.mend import MAX_TEXT, Kind, Mended, mended
from llmgateway.wire.anthropic import vocabulary as anthropic
from llmgateway.wire.bedrock import vocabulary as bedrock
from llmgateway.wire.cohere import vocabulary as cohere
from llmgateway.wire.gemini import vocabulary as gemini
from llmgateway.wire.openai_chat import emulation
from llmgateway.wire.openai_chat.account import Healing
from llmgateway.wire.upstream import Decoder, Upstream

JSON_FORMATS: Final = frozenset(("json_object", "json_schema"))


class Emulates(Protocol):
    """How a codec asks for JSON where the protocol or the mapping has no word for it; None where it has."""

    def __call__(self, chat: Chat, *, to: Deployment) -> str | None: ...


EMULATES: Final[dict[str, Emulates]] = {
    "openai-chat": emulation.emulates,
    "anthropic": anthropic.emulates,
    "google": gemini.emulates,
    "bedrock": bedrock.emulates,
    "cohere": cohere.emulates,
}
"""By protocol; one that is not here emulates nothing."""


def healer(chat: Chat, *, to: Deployment) -> "Healer | None":
    """Of one attempt's answer; None where nothing is to be healed."""
    shape = chat.request.response_format
    if shape is None or shape.type not in JSON_FORMATS:
        return None
    emulates = EMULATES.get(to.protocol)
    if not chat.request.plugins and (emulates is None or emulates(chat, to=to) is None):
        return None
    schema = shape.json_schema.schema if shape.json_schema is not None else None
    if shape.type == "json_object" or schema is None:
        return Healer(kind="object" if shape.type == "json_object" else None, schema=None)
    return Healer(kind=_kind(schema), schema=msgspec.json.encode(schema))


def _kind(schema: dict[str, msgspec.Raw]) -> Kind | None:
    """What the root has to be, where the schema says it plainly."""
    named = bytes(schema.get("type", b""))
    return "object" if named == b'"object"' else "array" if named == b'"array"' else None


class Healer:
    """Heals every choice of one answer, whole or streamed; `told` is what metadata.healing says of them all."""

    def __init__(self, *, kind: Kind | None, schema: bytes | None) -> None:
        self._kind: Kind | None = kind
        self._schema = schema
        self._told: list[Healing] = []

    @property
    def told(self) -> Healing:
        """Healed if any choice was, by the method of the first that was; valid if all are."""
        healed = [one for one in self._told if one.healed]
        verdicts = [one.schema_valid for one in self._told]
        valid = False if False in verdicts else None if None in verdicts or not verdicts else True
        return Healing(bool(healed), healed[0].method if healed else None, valid)

    def decoder(self, codec: Upstream, *, chat: Chat, to: Deployment) -> Decoder:
        """The codec's decoder with the content held back; nothing is forwarded, since nobody would read it."""
        request = msgspec.structs.replace(chat.request, stream=None)
        return _HealingDecoder(codec.decoder(chat=chat.asking(request), to=to), self)

    def whole(self, chunk: Chunk) -> Chunk:
        """The same answer, each choice's content put right."""
        for choice in chunk.choices:
            if choice.delta.content:
                choice.delta.content = self.heal(choice.delta.content)
        return chunk

    def heal(self, content: str) -> str:
        """The content of one choice put right, as far as it can be."""
        found = mended(content, kind=self._kind)
        if found is None:
            self._told.append(Healing(False, None, None if self._schema is None or len(content) > MAX_TEXT else False))
            return content
        self._told.append(Healing(found.method is not None, found.method, self._verdict(found)))
        return found.text

    def _verdict(self, found: Mended) -> bool | None:
        return None if self._schema is None else conforms(found.value, self._schema)


class _HealingDecoder:
    """Implements `Decoder`. A choice's content comes in one piece right before its finish reason."""

    def __init__(self, inner: Decoder, healer: Healer) -> None:
        self._inner = inner
        self._healer = healer
        self._held: dict[int, list[str]] = {}
        self._characters = 0
        self._through = False

    @property
    def finished(self) -> bool:
        return self._inner.finished

    def feed(self, data: bytes) -> list[Chunk]:
        return self._passed(self._inner.feed(data))

    def close(self) -> list[Chunk]:
        return self._passed(self._inner.close())

    def _passed(self, chunks: list[Chunk]) -> list[Chunk]:
        told: list[Chunk] = []
        for chunk in chunks:
            pieces = [piece for choice in chunk.choices if (piece := self._choice(choice)) is not None]
            if pieces:
                told.append(Chunk(pieces, id=chunk.id, reported_model=chunk.reported_model))
            chunk.choices = [choice for choice in chunk.choices if choice.tells]
            if chunk.tells:
                told.append(chunk)
        return told

    def _choice(self, choice: ChoiceDelta) -> ChoiceDelta | None:
        """Holds the content back; at the finish reason, what is to be told before it."""
        content = choice.delta.content
        if content and not self._through:
            self._held.setdefault(choice.index, []).append(content)
            self._characters += len(content)
            choice.delta.content = UNSET
        if choice.finish_reason is None and self._characters <= MAX_TEXT:
            return None
        held = self._held.pop(choice.index, None)
        if held is None:
            return None
        text = "".join(held)
        if self._characters > MAX_TEXT:  # too much to heal: told as it comes from here on
            self._through = True
        delta = Delta(content=self._healer.heal(text))
        if choice.delta.role is not UNSET:
            delta.role, choice.delta.role = choice.delta.role, UNSET
        return ChoiceDelta(choice.index, delta)
