"""What models thought before they called tools, kept for clients that do not send it back.

Providers sign or encrypt such reasoning and want to see it again with the results of the calls. Most clients drop
members they do not know, so it is remembered for a day by project and tool call id, in bounded memory, and put back
into assistant messages that carry the calls but no `reasoning_details`. What only one provider can read goes back to
that provider alone.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec import Raw

from llmgateway.domain.chat import Chat, JsonObject, Message
from llmgateway.domain.reply import Delta
from llmgateway.domain.routing import Deployment

LIFE_S: Final = 24 * 3600.0
MAX_BYTES: Final = 64 * 1024 * 1024
_MAX_DETAILS_BYTES: Final = 1024 * 1024
_MAX_CALLS: Final = 128
_MAX_PIECES: Final = 100_000
_GROWING: Final = frozenset(("text", "summary", "data"))
_MAX_ID_CHARACTERS: Final = 256
_OVERHEAD_BYTES: Final = 400
_MESSAGES: Final = msgspec.json.Decoder(list[dict[str, Raw]])
_DETAILS: Final = msgspec.json.Decoder(list[JsonObject])


class Thought:
    """The reasoning and the tool calls of one choice, as they come; put together only when they are remembered."""

    __slots__ = ("calls", "pieces")

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.pieces: list[dict[str, Any]] = []

    def add(self, delta: Delta) -> None:
        if delta.reasoning_details:
            self.pieces += delta.reasoning_details
        for call in delta.tool_calls or ():
            if call.id and len(self.calls) < _MAX_CALLS and len(call.id) <= _MAX_ID_CHARACTERS:
                self.calls.append(call.id)

    def details(self) -> list[dict[str, Any]]:
        """Each item whole: members of a later piece win, texts are joined."""
        items: dict[int, dict[str, Any]] = {}
        texts: dict[tuple[int, str], list[str]] = {}
        for piece in self.pieces:
            index = piece.get("index", len(items))
            for name, value in piece.items():
                item = items.setdefault(index, {})
                if name in _GROWING and isinstance(value, str):
                    texts.setdefault((index, name), []).append(value)
                    item.setdefault(name, "")
                elif value is not None:
                    item[name] = value
        for (index, name), parts in texts.items():
            items[index][name] = "".join(parts)
        return [items[index] for index in sorted(items)]


class _Memory:
    """`encoded`: the details as JSON. `keys`: all under which it is found."""

    __slots__ = ("encoded", "format", "keys", "provider", "until")

    def __init__(
        self, encoded: bytes, keys: tuple[tuple[str, str], ...], *, format_: str, provider: str, until: float
    ) -> None:
        self.encoded = encoded
        self.format = format_
        self.keys = keys
        self.provider = provider
        self.until = until

    @property
    def weight(self) -> int:
        return len(self.encoded) + _OVERHEAD_BYTES * (1 + len(self.keys))


class Recall:
    """The memory of one process. `monotonic`: its clock in seconds."""

    def __init__(
        self, *, max_bytes: int = MAX_BYTES, life_s: float = LIFE_S, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._max_bytes = max_bytes
        self._life_s = life_s
        self._monotonic = monotonic
        self._by_key: dict[tuple[str, str], _Memory] = {}
        self._oldest_first: OrderedDict[int, _Memory] = OrderedDict()
        self._bytes = 0

    @property
    def bytes_held(self) -> int:
        return self._bytes

    def remember(self, thought: Thought, *, project: str, of: Deployment) -> None:
        """Keeps what was thought before tools were called, if it could ever be wanted back."""
        if not thought.calls or not of.replays or len(thought.pieces) > _MAX_PIECES:
            return
        details = thought.details()
        if not any(map(_sealed, details)):
            return
        encoded = msgspec.json.encode(details)
        if len(encoded) > _MAX_DETAILS_BYTES:
            return
        memory = _Memory(
            encoded,
            tuple((project, call) for call in dict.fromkeys(thought.calls)),
            format_=str(details[0].get("format")),
            provider=of.provider.id if of.replays_privately else "",
            until=self._monotonic() + self._life_s,
        )
        for key in memory.keys:
            known = self._by_key.get(key)
            if known is not None:
                self._forget(known)
            self._by_key[key] = memory
        self._oldest_first[id(memory)] = memory
        self._bytes += memory.weight
        self._trim()

    def refilled(self, chat: Chat, *, project: str, to: Deployment) -> Chat:
        """The chat with the reasoning that its tool calls came from, as far as this deployment can read it."""
        if not self._by_key or not to.replays:
            return chat
        found = {
            index: encoded
            for index, message in enumerate(chat.messages)
            if message.tool_calls and not message.reasoning_details
            for encoded in (self._recalled(message, project, to),)
            if encoded is not None
        }
        return _with_details(chat, found) if found else chat

    def _recalled(self, message: Message, project: str, to: Deployment) -> bytes | None:
        for call in message.tool_calls or ():
            memory = self._by_key.get((project, call.id)) if call.id else None
            if memory is not None:
                readable = memory.format == to.replays and memory.provider in ("", to.provider.id)
                return memory.encoded if readable and memory.until > self._monotonic() else None
        return None

    def _trim(self) -> None:
        now = self._monotonic()
        while self._oldest_first:
            oldest = next(iter(self._oldest_first.values()))
            if self._bytes <= self._max_bytes and oldest.until > now:
                return
            self._forget(oldest)

    def _forget(self, memory: _Memory) -> None:
        if self._oldest_first.pop(id(memory), None) is None:
            return
        self._bytes -= memory.weight
        for key in memory.keys:
            if self._by_key.get(key) is memory:
                del self._by_key[key]


def _sealed(detail: dict[str, Any]) -> bool:
    """Signed or encrypted: only that is worth sending back."""
    return bool(detail.get("signature") or detail.get("data"))


def _with_details(chat: Chat, found: dict[int, bytes]) -> Chat:
    messages = list(chat.messages)
    spans = _MESSAGES.decode(chat.raw["messages"])
    for index, encoded in found.items():
        messages[index] = msgspec.structs.replace(messages[index], reasoning_details=_DETAILS.decode(encoded))
        spans[index]["reasoning_details"] = Raw(encoded)
    refilled = msgspec.structs.replace(
        chat,
        traits=msgspec.structs.replace(chat.traits, rebuild=True),
        raw={**chat.raw, "messages": Raw(msgspec.json.encode(spans))},
    )
    return refilled.knowing(messages)
