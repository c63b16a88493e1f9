"""The providers' side of the wire on virtual time: a Transport whose answers are the world's, in OpenAI's bytes.

The gateway's own codec reads them. A request is known by the number that its caller wrote behind its last message; what
it is told of tokens, and which attempts were sent where, is kept for the report.
"""

import asyncio
from array import array
from collections.abc import Callable, Mapping
from typing import Final

from llmgateway.domain.errors import UpstreamError
from llmgateway.domain.routing import HttpRequest, Origin, Timeouts
from llmgateway.engine.errand import Waiter
from llmgateway.engine.ports import Headers
from llmgateway.infra.transport.failures import timed_out, unreachable
from tests.simulation.virtual import BEGAN_S
from tests.simulation.world import Fate, Wanted

MARK: Final = b"#"
DIGITS: Final = 9
_EVENTS: Final[Headers] = ((b"content-type", b"text/event-stream"),)
_JSON: Final[Headers] = ((b"content-type", b"application/json"),)
_HEAD: Final = (
    b'"id":"chatcmpl-5f0c","object":"chat.completion%b","created":1784000000,"model":"deepseek-ai/DeepSeek-V3.2",'
)
_EVENT: Final = b'data: {%b"choices":[{"index":0,"delta":%%b,"finish_reason":%%b}]}\n\n' % (_HEAD % b".chunk")
_FIRST: Final = _EVENT % (b'{"role":"assistant","content":""}', b"null") + _EVENT % (b'{"content":"Well"}', b"null")
_REST: Final = _EVENT % (b'{"content":", that depends."}', b"null") + _EVENT % (b"{}", b'"stop"')
_HOLLOW: Final = _EVENT % (b'{"role":"assistant","content":""}', b"null") + _EVENT % (b"{}", b'"stop"')
_USAGE: Final = (
    b'"usage":{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d,'
    b'"prompt_tokens_details":{"cached_tokens":%d}}'
)
_LAST: Final = b'data: {%b"choices":[],%%b}\n\ndata: [DONE]\n\n' % (_HEAD % b".chunk")
_WHOLE: Final = (
    b'{%b"choices":[{"index":0,"message":{"role":"assistant","content":%%b},"finish_reason":"stop"}],%%b}'
    % (_HEAD % b"")
)
_ERROR: Final = b'{"error":{"message":"The server had an error.","type":"server_error","code":null}}'

Fates = Callable[[Wanted, int, int, float], Fate]
"""What becomes of a request's attempt at a host: the request, the host, how many it made there before, when."""
Caches = Callable[[HttpRequest, int], int]
"""Tokens of the prompt that a host had cached."""


class Sent:
    """Every attempt, in order: column by column, in as little memory as a million of them ask for.

    `regular`: sent there because the provider was thought well of, not to see how it does.
    """

    def __init__(self) -> None:
        self.at = array("d")
        self.request = array("l")
        self.host = array("b")
        self.answered = array("b")
        self.over_at = array("d")
        self.regular = array("b")

    def add(self, *, at: float, request: int, host: int, answered: bool, over_at: float, regular: bool) -> None:
        self.at.append(at)
        self.request.append(request)
        self.host.append(host)
        self.answered.append(answered)
        self.over_at.append(over_at)
        self.regular.append(regular)


class Asked:
    """A request under way: at which hosts it was tried, and which row of `Sent` its first attempt is."""

    __slots__ = ("first", "tries", "wanted")

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted
        self.tries: list[int] = []
        self.first = 0


class Providers:
    """Implements Transport. `asked`: the requests under way, put in and taken out by whoever makes them.

    `probing` says whether the attempt that begins now is one that somebody who rested is tried with.
    """

    def __init__(self, hosts: Mapping[Origin, int], *, fates: Fates, caches: Caches | None = None) -> None:
        self.asked: dict[int, Asked] = {}
        self.sent = Sent()
        self._loop = asyncio.get_running_loop()
        self._hosts = hosts
        self._fates = fates
        self._caches = caches
        self.probing: Callable[[], bool] = lambda: False

    async def send(self, request: HttpRequest, *, timeouts: Timeouts, total_s: float) -> "Answer":
        loop = self._loop
        mark = request.body.rfind(MARK) + 1
        asked = self.asked[int(request.body[mark : mark + DIGITS])]
        wanted, host = asked.wanted, self._hosts[request.origin]
        before = asked.tries.count(host)
        if not asked.tries:
            asked.first = len(self.sent.at)
        asked.tries.append(host)
        now = loop.time()
        fate = self._fates(wanted, host, before, now - BEGAN_S)
        self._note(fate, wanted, host, now=now, timeouts=timeouts, total_s=total_s)
        await _no_head(fate, loop, timeouts=timeouts, total_s=total_s, peer=request.origin.host)
        if fate.ending == "status":
            return Answer(loop, fate.status, _asking_to_wait(fate), [(now + fate.first_s, _ERROR)])
        cached = 0 if self._caches is None or fate.ending == "empty" else self._caches(request, host)
        pieces = _told(fate, wanted, cached=cached, now=now)
        await _until(pieces[0][0], loop)
        return Answer(loop, 200, _EVENTS if wanted.streamed else _JSON, pieces)

    async def close(self) -> None:
        """There is nothing to close."""

    def looked(self, number: int) -> None:
        """The request's first attempt went where it did to see how that provider does."""
        self.sent.regular[self.asked[number].first] = 0

    def _note(self, fate: Fate, wanted: Wanted, host: int, *, now: float, timeouts: Timeouts, total_s: float) -> None:
        took_s = fate.first_s
        if fate.ending == "lost":
            took_s = min(timeouts.connect, total_s)
        elif fate.ending == "stalled":
            took_s = min(timeouts.first_byte, total_s)
        at = now - BEGAN_S
        self.sent.add(
            at=at,
            request=wanted.number,
            host=host,
            answered=fate.answers,
            over_at=at + took_s,
            regular=not self.probing(),
        )


class Answer:
    """Implements UpstreamResponse: pieces of the body, each with the moment it arrives."""

    __slots__ = ("_loop", "_next", "_pieces", "headers", "status")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, status: int, headers: Headers, pieces: list[tuple[float, bytes]]
    ) -> None:
        self.status = status
        self.headers = headers
        self._loop = loop
        self._pieces = pieces
        self._next = 0

    async def read(self) -> bytes:
        if self._next == len(self._pieces):
            return b""
        at, data = self._pieces[self._next]
        self._next += 1
        await _until(at, self._loop)
        return data

    async def pump(self, step: Callable[[bytes], bool]) -> bool:
        while data := await self.read():
            if step(data):
                return True
        return False

    async def body(self, *, limit: int) -> bytes:
        body = b""
        while data := await self.read():
            body += data
        return body

    def bear(self, idle_s: float) -> None:
        """No silence here is longer than any patience."""

    def close(self) -> None:
        """Nothing is held."""

    def release(self) -> None:
        """Nothing is held."""


async def _no_head(
    fate: Fate, loop: asyncio.AbstractEventLoop, *, timeouts: Timeouts, total_s: float, peer: str
) -> None:
    """Raises, once its time has come, what the real transport says of a provider that does not answer at all."""
    error: UpstreamError
    if fate.ending == "refused":
        after_s, error = fate.first_s, unreachable(peer, "refused the connection")
    elif fate.ending == "lost":
        after_s, error = min(timeouts.connect, total_s), timed_out(peer, "connect")
    elif fate.ending == "stalled":
        after_s, error = min(timeouts.first_byte, total_s), timed_out(peer, "first byte")
    elif fate.ending == "status":
        return await _until(loop.time() + fate.first_s, loop)
    else:
        return None
    await _until(loop.time() + after_s, loop)
    raise error


async def _until(at: float, loop: asyncio.AbstractEventLoop) -> None:
    if at > loop.time():
        waiter = Waiter()
        timer = loop.call_at(at, waiter.wake)
        try:
            await waiter
        finally:
            timer.cancel()


def _asking_to_wait(fate: Fate) -> Headers:
    return _JSON if fate.retry_after_s is None else (*_JSON, (b"retry-after", b"%d" % fate.retry_after_s))


def _told(fate: Fate, wanted: Wanted, *, cached: int, now: float) -> list[tuple[float, bytes]]:
    """A stream has its first token when it has it; the head of a whole answer comes with the last one."""
    output = 0 if fate.ending == "empty" else wanted.output_tokens
    usage = _USAGE % (wanted.prompt_tokens, output, wanted.prompt_tokens + output, cached)
    first_at, last_at = now + fate.first_s, now + fate.last_s
    if fate.ending == "empty":
        body = _HOLLOW + _LAST % usage if wanted.streamed else _WHOLE % (b'""', usage)
        return [(first_at, body)]
    if wanted.streamed:
        return [(first_at, _FIRST), (last_at, _REST + _LAST % usage)]
    return [(last_at, _WHOLE % (b'"Well, that depends."', usage))]
