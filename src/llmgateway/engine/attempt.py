"""Tries the deployments of a plan until one is committed: its first content has been decoded.

Until then a failure is an entry of metadata.routing and the next candidate may take over; after it, the relay goes on
and what fails is told to the caller. What each failure means is the error table's word.
"""

import random
from typing import Final

import msgspec

from llmgateway.domain import errors
from llmgateway.domain.chat import Chat
from llmgateway.domain.errors import GatewayError, UpstreamError
from llmgateway.domain.policy import RoutingPolicy
from llmgateway.domain.reply import Chunk, Fold
from llmgateway.domain.routing import Deployment, HttpRequest
from llmgateway.engine.clock import REAL, SECOND_NS, Clock
from llmgateway.engine.course import Course
from llmgateway.engine.deadline import allowed_s, hurried, patience
from llmgateway.engine.errand import within
from llmgateway.engine.exchange import Exchange, RequestFacts
from llmgateway.engine.heal import healer
from llmgateway.engine.health import Health
from llmgateway.engine.media import inlined
from llmgateway.engine.ports import Fetcher, Signer, Transport, UpstreamResponse
from llmgateway.engine.recall import Recall
from llmgateway.engine.tokens import estimate_text
from llmgateway.wire.folding import truncated
from llmgateway.wire.upstream import Decoder, Upstream

MAX_WHOLE_BYTES: Final = 64 * 1024 * 1024
MAX_ERROR_BYTES: Final = 1024 * 1024
_HELD_CHUNKS: Final = 1000
_JSON: Final = b"json"
_JSON_TYPE: Final = b"application/json"
_MEDIA: Final = frozenset(("vision", "documents"))


class Committed(msgspec.Struct, eq=False):
    """An answer under way: the chunks decoded so far, and where the rest comes from (None: there is no rest)."""

    chunks: list[Chunk]
    decoder: Decoder | None
    response: UpstreamResponse | None


class Means(msgspec.Struct, kw_only=True):
    """What attempts are made with. `draw` decides how long pauses are."""

    codecs: dict[str, Upstream]
    transport: Transport
    fetcher: Fetcher
    health: Health
    clock: Clock = REAL
    signer: Signer | None = None
    recall: Recall | None = None
    draw: random.Random = msgspec.field(default_factory=random.Random)


async def attempt(exchange: Exchange, chat: Chat, *, means: Means, policy: RoutingPolicy) -> Committed:
    """Raises GatewayError once all that may be tried has failed, or a provider refused the request itself.

    A deployment that was committed is left `undecided` in the exchange: its health is told how the answer ends.
    """
    plan = exchange.plan
    if plan is None:
        raise AssertionError("attempt needs a plan")  # a bug, not an input
    course: Course | None = None
    candidate = plan.candidates[0]
    to = candidate.deployments[0]
    if len(plan.candidates) > 1 or len(candidate.deployments) > 1 or candidate.benched:
        course = Course(plan, health=means.health, policy=policy, draw=means.draw)
        to = course.first()
    limit_s = allowed_s(streamed=chat.streamed, asked_s=exchange.facts.timeout_s, policy=policy)
    exchange.deadline_ns = exchange.started_ns + int(limit_s * SECOND_NS)
    failures: list[UpstreamError] = []
    while True:
        try:
            return await _try(exchange, chat, to, means=means, policy=policy)
        except UpstreamError as error:
            lost(exchange, error, health=means.health)
            failures.append(error)
            course = course or Course(plan, health=means.health, policy=policy, draw=means.draw)
            left_s = (exchange.deadline_ns - means.clock.now_ns()) / SECOND_NS
            step = course.after(to, error, left_s=left_s)
        if step is None:
            raise verdict(failures)
        to, pause_s = step
        if pause_s:
            await means.clock.sleep(pause_s)
            exchange.heard()
            if not means.health.open(to):
                raise verdict(failures)


def lost(exchange: Exchange, error: UpstreamError, *, health: Health) -> None:
    """The attempt under way has failed, before its content or behind it."""
    error.__traceback__ = None  # its frames hold it in turn: a circle left to the garbage collector
    exchange.failed(error)
    to, exchange.undecided = exchange.undecided, None
    if to is None:
        return
    if hurried(exchange, error):
        health.left(to, committed=exchange.committed)
    else:
        health.failed(to, error, committed=exchange.committed)


def decide(exchange: Exchange, *, health: Health, well: bool) -> None:
    """The committed attempt's verdict once its exchange is settled; none if the caller left, or the gateway failed."""
    to, exchange.undecided = exchange.undecided, None
    if to is None:
        return
    if not well:
        health.left(to, committed=exchange.committed)
        return
    tried, first_ns, usage = exchange.attempts[-1], exchange.first_content_ns, exchange.usage
    streamed = exchange.chat is not None and exchange.chat.streamed
    health.succeeded(
        to,
        ttft_ms=(first_ns - tried.started_ns) / 1_000_000 if streamed and first_ns else None,
        tokens=estimate_text(exchange.content_characters) if usage is None else usage.output_tokens,
        seconds=(tried.ended_ns - tried.started_ns) / SECOND_NS,
        committed=exchange.committed,
    )


async def _readable(exchange: Exchange, chat: Chat, to: Deployment, *, means: Means) -> Chat:
    """The request with what the deployment cannot look up by itself."""
    if to.inline and not _MEDIA.isdisjoint(chat.traits.needs):
        left_s = (exchange.deadline_ns - exchange.clock.now_ns()) / SECOND_NS
        exchange.asks()
        try:
            async with within(left_s):
                chat = await inlined(chat, to=to, fetcher=means.fetcher)
        except TimeoutError as error:
            message = "The request's time was over while its images and files were fetched."
            raise GatewayError(errors.UPSTREAM_TIMEOUT, message) from error
        exchange.heard()
    if to.replays and means.recall is not None:
        chat = means.recall.refilled(chat, project=exchange.key.project.id, to=to)
    return chat


async def _try(exchange: Exchange, chat: Chat, to: Deployment, *, means: Means, policy: RoutingPolicy) -> Committed:
    """All that depends on the deployment is worked out for it here: body, parameters, limits."""
    if to.replays or (to.inline and not _MEDIA.isdisjoint(chat.traits.needs)):
        chat = await _readable(exchange, chat, to, means=means)
    tried = exchange.begin(to)
    left_ns = exchange.deadline_ns - tried.started_ns
    if left_ns <= 0:
        raise UpstreamError(errors.UPSTREAM_TIMEOUT, "The request's time was over before an attempt.")
    exchange.undecided = to
    means.health.began(to)
    codec = means.codecs[to.protocol]
    request, exchange.dropped = codec.build(chat, to=to)
    if chat.request.response_format is not None or chat.request.plugins is not None:
        _begin_healing(exchange, chat, to)
    if exchange.facts.hops or exchange.facts.simulator:
        request = _with_headers(request, exchange.facts, to=to)
    if to.signing and means.signer is not None:
        request = await means.signer.sign(request, to=to)
        left_ns = exchange.deadline_ns - exchange.clock.now_ns()
    streamed = chat.streamed
    if exchange.key.project.routing is None:  # worked out beforehand
        timeouts = to.timeouts if streamed else to.timeouts_whole
    else:
        timeouts = patience(to.provider.timeouts, to.mapping, streamed=streamed, policy=policy)
    total_s = min(timeouts.total_stream if streamed else timeouts.total, left_ns / SECOND_NS)
    exchange.asks()
    response = await means.transport.send(request, timeouts=timeouts, total_s=total_s)
    try:
        tried.status_code = response.status
        return await _read(exchange, chat, response, codec=codec, to=to)
    except BaseException:
        response.close()
        raise


async def _read(
    exchange: Exchange, chat: Chat, response: UpstreamResponse, *, codec: Upstream, to: Deployment
) -> Committed:
    if not 200 <= response.status < 300:
        raise codec.error(response.status, response.headers, await response.body(limit=MAX_ERROR_BYTES), to=to)
    if _is_stream(response, codec.stream_type, expected=chat.streamed, to=to):
        return await _open_stream(exchange, chat, response, codec=codec, to=to)
    body = await response.body(limit=MAX_WHOLE_BYTES)
    exchange.heard()
    chunk = codec.whole(body, chat=chat, to=to)
    if exchange.healer is not None:
        chunk = exchange.healer.whole(chunk)
    exchange.observe(chunk)
    if not exchange.first_content_ns:
        _refuse_empty(exchange, chunk, to)
    response.close()
    return Committed([chunk], None, None)


def _begin_healing(exchange: Exchange, chat: Chat, to: Deployment) -> None:
    """Of this attempt alone. The plugin without a JSON format has nothing to do, which the caller is told."""
    exchange.healer = healer(chat, to=to)
    if chat.request.plugins and exchange.healer is None:
        exchange.dropped = (*exchange.dropped, "plugins")


def _with_headers(request: HttpRequest, facts: RequestFacts, *, to: Deployment) -> HttpRequest:
    """The hops of gateways before us go on, so that the one that closes a ring sees itself among them."""
    head = request.head
    if facts.hops:
        head += b"x-llmgateway-hop: %b\r\n" % facts.hops
    if facts.simulator and "x_simulator" in to.provider.quirks:
        head += b"x-simulator: %b\r\n" % facts.simulator
    return HttpRequest(request.origin, head, request.body)


def _is_stream(response: UpstreamResponse, stream_type: bytes, *, expected: bool, to: Deployment) -> bool:
    """Events or one JSON object, by the content type; a provider may answer with the one we did not ask for."""
    kind = b""
    for name, value in response.headers:
        if name == b"content-type":
            if value == _JSON_TYPE:
                return False
            kind = value.lower()
            break
    if kind.startswith(stream_type):
        return True
    if not kind or kind.startswith((b"text/plain", b"application/octet-stream")):
        return expected
    if _JSON in kind:
        return False
    shown = kind[:100].decode("latin-1")
    raise UpstreamError(
        errors.UPSTREAM_ERROR,
        f"{to.provider.id} answered with content type '{shown}' where JSON or an event stream was expected.",
        status_code=response.status,
    )


async def _open_stream(
    exchange: Exchange, chat: Chat, response: UpstreamResponse, *, codec: Upstream, to: Deployment
) -> Committed:
    """Reads until the first content, or to the end of an answer that has none."""
    if exchange.healer is None:
        decoder = codec.decoder(chat=chat, to=to)
    else:
        decoder = exchange.healer.decoder(codec, chat=chat, to=to)
    held: list[Chunk] = []
    ended = False
    received = 0
    while not ended:
        data = await response.read()
        exchange.heard()
        received += len(data)
        chunks = decoder.feed(data) if data else decoder.close()
        ended = not data
        for chunk in chunks:
            exchange.observe(chunk)
            if chunk.error is not None:
                if not exchange.first_content_ns:
                    raise chunk.error
                ended = True
            ended = ended or chunk.done
        held += chunks
        if chat.streamed and exchange.first_content_ns:
            if "reasoning" in to.mapping.has:
                response.bear(to.provider.timeouts.idle)
            return Committed(held, decoder, response)
        if received > MAX_WHOLE_BYTES or (len(held) > _HELD_CHUNKS and chat.streamed):
            raise UpstreamError(
                errors.UPSTREAM_ERROR, f"{to.provider.id} streams without end or content.", status_code=200
            )
    return _ended_early(exchange, chat, held, decoder, response, to)


def _ended_early(
    exchange: Exchange, chat: Chat, held: list[Chunk], decoder: Decoder, response: UpstreamResponse, to: Deployment
) -> Committed:
    """The stream is over: folded for a caller who wants one object, else checked for being an answer at all."""
    for chunk in held:
        if chunk.error is not None:
            raise chunk.error
    if not any(chunk.choices for chunk in held):
        raise _empty(to)
    if not decoder.finished:
        raise truncated(to) if any(chunk.choices for chunk in held) else _empty(to)
    fold = Fold()
    for chunk in held:
        fold.add(chunk)
    whole = fold.response()
    _refuse_empty(exchange, whole, to)
    response.release()
    return Committed(held if chat.streamed else [whole], None, None)


def _refuse_empty(exchange: Exchange, chunk: Chunk, to: Deployment) -> None:
    """A 200 with nothing in it is a failure: no content, no tokens, no reason to stop but `stop`."""
    if exchange.first_content_ns or (exchange.usage is not None and exchange.usage.output_tokens):
        return
    if all(choice.finish_reason in (None, "stop") for choice in chunk.choices):
        raise _empty(to)


def _empty(to: Deployment) -> UpstreamError:
    return UpstreamError(errors.UPSTREAM_ERROR, f"{to.provider.id} sent an empty answer.", status_code=200)


def verdict(failures: list[UpstreamError]) -> GatewayError:
    """What the caller is told after every attempt failed: the request's own fault first, then what all have in common,
    else the last."""
    last = failures[-1]
    refused = [error for error in failures if error.kind.blames == "caller"]
    if refused:
        chosen = refused[0]
    elif all(error.kind is errors.UPSTREAM_RATE_LIMITED for error in failures):
        waits = [error.retry_after_s for error in failures if error.retry_after_s is not None]
        return GatewayError(last.kind, last.message, retry_after_s=min(waits) if waits else None)
    else:
        chosen = last
    return GatewayError(
        chosen.kind,
        chosen.message,
        param=chosen.param,
        retry_after_s=chosen.retry_after_s,
        status=chosen.status,
        code=chosen.code,
    )
