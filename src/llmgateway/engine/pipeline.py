"""The straight line of one request: decode, plan, attempt, relay, settle; whatever happens, settled exactly once."""

import asyncio
import math
import random
from collections.abc import Callable
from functools import partial
from typing import Final

from msgspec import Raw, Struct

from llmgateway.domain import errors
from llmgateway.domain.chat import Chat
from llmgateway.domain.errors import GatewayError, UpstreamError
from llmgateway.domain.identity import ApiKey
from llmgateway.domain.ids import LogIds
from llmgateway.domain.plan import RoutePlan
from llmgateway.domain.reply import Chunk
from llmgateway.engine.affinity import Affinity
from llmgateway.engine.attempt import Committed, Means, attempt, decide, lost, verdict
from llmgateway.engine.auto import is_asked, without_filters
from llmgateway.engine.clock import REAL, SECOND_NS, Clock
from llmgateway.engine.errand import Together
from llmgateway.engine.exchange import Exchange, RequestFacts
from llmgateway.engine.health import Health
from llmgateway.engine.media import check_media
from llmgateway.engine.meters import Meters
from llmgateway.engine.plan import plan_route
from llmgateway.engine.ports import Downstream, Fetcher, Journal, Signer, Transport, UpstreamResponse
from llmgateway.engine.recall import Recall
from llmgateway.engine.settle import Settlement, settle
from llmgateway.engine.snapshot import Snapshot
from llmgateway.wire.folding import truncated
from llmgateway.wire.openai_chat.encode import StreamEncoder, error_body, whole_answer
from llmgateway.wire.openai_chat.known import Known
from llmgateway.wire.openai_chat.request import read_request
from llmgateway.wire.upstream import Decoder, Upstream


class Gateway:
    """The data plane. `snapshot` is read once per request, so that a reload never changes one under way.

    `report` hears of bugs: the exchange's log id and the exception. `signer` is needed where deployments sign.
    """

    def __init__(
        self,
        *,
        snapshot: Snapshot,
        codecs: dict[str, Upstream],
        transport: Transport,
        fetcher: Fetcher,
        journal: Journal,
        meters: Meters,
        report: Callable[[str, BaseException], None],
        signer: Signer | None = None,
        health: Health | None = None,
        affinity: Affinity | None = None,
        clock: Clock = REAL,
        draw: random.Random | None = None,
        known: Known | None = None,
    ) -> None:
        self.snapshot = snapshot
        self.journal = journal
        self.meters = meters
        self.health = health or Health(snapshot.policy, clock=clock)
        self.recall = Recall()
        self.affinity = affinity or Affinity(clock=clock)
        self._draw = draw or random.Random()
        self._means = Means(
            codecs=codecs,
            transport=transport,
            fetcher=fetcher,
            health=self.health,
            clock=clock,
            signer=signer,
            recall=self.recall,
            draw=self._draw,
        )
        self._clock = clock
        self._fetcher = fetcher
        self.report = report
        self._known = known or Known()
        self._wholes = Together(self._answer_together)
        self.ids = LogIds()

    async def chat(self, body: bytes, *, key: ApiKey, facts: RequestFacts, down: Downstream) -> None:
        """One POST /v1/chat/completions, from its body to its last byte."""
        clock = self._clock
        log_id = facts.log_id or self.ids.next()
        exchange = Exchange(log_id=log_id, key=key, facts=facts, started_ns=clock.now_ns(), clock=clock)
        line = _Line(self, exchange, down)
        try:
            chat = exchange.chat = read_request(body, known=self._known)
            snapshot = self.snapshot
            exchange.plan = self._plan(chat, exchange, snapshot=snapshot)
            if is_asked(chat):
                chat = exchange.chat = without_filters(chat, exchange.plan)
            if "vision" in chat.traits.needs or "documents" in chat.traits.needs:
                check_media(chat, fetcher=self._fetcher, to=exchange.plan.deployments)
            if chat.streamed:
                down.stream(partial(_timing, exchange, self.meters))
            policy = key.project.routing or snapshot.policy
            committed = await attempt(exchange, chat, means=self._means, policy=policy)
            if exchange.plan.ties is not None:
                self.affinity.won(exchange.plan, exchange.attempts[-1].deployment)
            if chat.streamed:
                if exchange.undecided is not None:
                    exchange.committed = True
                    self.health.committed(exchange.undecided)
                await line.relay(chat, committed)
            else:
                line.chunk = committed.chunks[0]
                self._wholes.add(line)
        except GatewayError as error:
            line.fail(error)
        except asyncio.CancelledError:
            line.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - a bug must not lose a request its record nor its answer
            line.break_off(error)

    def _answer_together(self, lines: "list[_Line]") -> None:
        """Whole answers that came in one turn, step by step."""
        for step in _STEPS:
            for line in lines:
                try:
                    step(line)
                except Exception as error:  # noqa: BLE001 - as above; it has no errand any more that would hear of it
                    line.break_off(error)

    def _plan(self, chat: Chat, exchange: Exchange, *, snapshot: Snapshot) -> RoutePlan:
        return plan_route(
            chat,
            snapshot=snapshot,
            health=self.health,
            affinity=self.affinity,
            project=exchange.key.project,
            session=exchange.facts.session_id,
            no_fallback=exchange.facts.no_fallback,
            draw=self._draw,
        )

    def refuse(self, error: GatewayError, *, key: ApiKey, facts: RequestFacts, down: Downstream) -> None:
        """An authenticated request that is refused before its body is read: it has a record all the same."""
        _Line(self, Exchange(log_id=self.ids.next(), key=key, facts=facts), down).fail(error)


class _Line(Struct, eq=False):
    """The way back of one exchange."""

    _gateway: Gateway
    _exchange: Exchange
    _down: Downstream
    _encoder: StreamEncoder | None = None
    _extra: dict[str, Raw] | None = None
    _settlement: Settlement | None = None
    _body: bytes = b""
    chunk: Chunk | None = None

    def settle(self) -> None:
        """The first step of a whole answer, which is `chunk`."""
        self._settlement = self._settled()

    def _settled(self) -> Settlement:
        exchange = self._exchange
        if exchange.thoughts is not None:
            exchange.remember(self._gateway.recall)
        return settle(exchange)

    def write(self) -> None:
        """The second: its bytes."""
        exchange, chat, chunk, settlement = self._exchange, self._exchange.chat, self.chunk, self._settlement
        if chunk is None or settlement is None:
            return
        self._body = whole_answer(
            chunk,
            answer_id=chunk.id or f"chatcmpl-{exchange.log_id}",
            created=exchange.began_ns // SECOND_NS,
            model=exchange.attempts[-1].deployment.used_model,
            usage=settlement.usage or b"{}",
            metadata=settlement.metadata or b"{}",
            hide_reasoning=chat is not None and chat.hides_reasoning,
        )

    def record(self) -> None:
        """The last: it leaves behind its record."""
        if self._settlement is not None:
            self._record(self._settlement, then=partial(self._answer, 200, (), self._body), well=True)

    def break_off(self, error: Exception) -> None:
        """A bug: the caller is told so, whatever else goes wrong."""
        exchange, report = self._exchange, self._gateway.report
        told = GatewayError(errors.INTERNAL, f"The gateway failed. Report log id {exchange.log_id}.")
        self._settlement = None
        report(exchange.log_id, error)
        try:
            self.fail(told)
        except Exception as again:  # noqa: BLE001 - then without a record
            report(exchange.log_id, again)
            self._down.send(told.status, (), error_body(told))

    async def relay(self, chat: Chat, committed: Committed) -> None:
        """Hands on what comes until the provider is done, fails, or the caller leaves (then this is cancelled)."""
        encoder = self._encoder = self._stream_encoder(chat)
        decoder, response = committed.decoder, committed.response
        try:
            ended = self._pass_on(committed.chunks, encoder)
            if decoder is not None and response is not None and not ended:
                await self._pump(chat, decoder, response, encoder)
            if decoder is not None and not decoder.finished:
                raise truncated(self._exchange.attempts[-1].deployment)
        except UpstreamError as error:
            lost(self._exchange, error, health=self._gateway.health)
            self.fail(verdict([error]))
        else:
            self._finish(encoder)
            if response is not None:
                response.release()
                response = None
        finally:
            if response is not None:
                response.close()

    async def _pump(self, chat: Chat, decoder: Decoder, response: UpstreamResponse, encoder: StreamEncoder) -> None:
        """Each read goes out as it comes in; a caller that reads too slowly stops the reading.

        What the provider says went wrong is always told; a connection that breaks behind a complete answer is not.
        """
        down = self._down
        ended = False
        told: UpstreamError | None = None

        def step(data: bytes) -> bool:
            nonlocal ended, told
            try:
                ended = self._pass_on(decoder.feed(data), encoder, observe=True)
            except UpstreamError as error:
                told = error
            return ended or told is not None or down.congested

        while not ended:
            if down.congested:
                await down.drain()
            try:
                more = await response.pump(step)
            except UpstreamError:
                if not _complete(chat, decoder):
                    raise
                more = False
            if told is not None:
                raise told
            if not more:
                self._pass_on(_remainder(chat, decoder), encoder, observe=True)
                return

    def fail(self, error: GatewayError) -> None:
        """Tells the caller: as a whole answer, or as the last event of a stream that has begun."""
        exchange, down = self._exchange, self._down
        if exchange.settled:
            return
        settlement = settle(exchange, error=error, status=error.status)
        if down.begun or exchange.relayed:
            encoder = self._encoder or self._stream_encoder(exchange.chat)
            last = encoder.failure(error, usage=settlement.usage, metadata=settlement.metadata)
            self._record(settlement, then=lambda: down.end(last))
        else:
            headers, body = error_headers(error), error_body(error, metadata=settlement.metadata)
            self._record(settlement, then=partial(self._answer, error.status, headers, body))

    def _answer(self, status: int, headers: tuple[tuple[bytes, bytes], ...], body: bytes) -> None:
        exchange = self._exchange
        if exchange.attempts:
            headers += _timing(exchange, self._gateway.meters)
        self._down.send(status, headers, body)

    def cancel(self) -> None:
        """The caller has left; nothing is told to anyone but the record."""
        if not self._exchange.settled:
            self._record(settle(self._exchange, status=errors.CANCELLED.status))

    def _finish(self, encoder: StreamEncoder) -> None:
        settlement = self._settled()
        usage, metadata = settlement.usage or b"{}", settlement.metadata or b"{}"
        last = encoder.final(usage=usage, metadata=metadata, extra=self._extra)
        self._record(settlement, then=lambda: self._down.end(last), well=True)

    def _record(self, settlement: Settlement, *, then: Callable[[], None] | None = None, well: bool = False) -> None:
        """The end of the exchange: only now, with the last bytes ready to follow the record, is it settled."""
        exchange = self._exchange
        if exchange.undecided is not None:
            decide(exchange, health=self._gateway.health, well=well)
        exchange.settled = True
        self._gateway.meters.count(settlement.record)
        self._gateway.journal.append(settlement.record, then=then)

    def _pass_on(self, chunks: list[Chunk], encoder: StreamEncoder, *, observe: bool = False) -> bool:
        """Writes what came in one read in one piece; True once the provider said it is done. Raises its error."""
        exchange = self._exchange
        ended = False
        error: UpstreamError | None = None
        for chunk in chunks:
            if observe:
                exchange.observe(chunk)
            ended = ended or chunk.done
            error = error or chunk.error
            if chunk.extra and not chunk.choices:
                self._extra = {**(self._extra or {}), **chunk.extra}
        data = encoder.feed(chunks)
        if data:
            exchange.relayed = True
            self._down.write(data)
        if error is not None:
            raise error
        return ended

    def _stream_encoder(self, chat: Chat | None) -> StreamEncoder:
        exchange = self._exchange
        options = chat.request.stream_options if chat is not None else None
        attempts = exchange.attempts
        return StreamEncoder(
            fallback_id=f"chatcmpl-{exchange.log_id}",
            created=exchange.began_ns // SECOND_NS,
            model=attempts[-1].deployment.used_model if attempts else "",
            naive=options is None or not options.include_usage,
            hide_reasoning=chat is not None and chat.hides_reasoning,
        )


_STEPS: Final = (_Line.settle, _Line.write, _Line.record)


def _timing(exchange: Exchange, meters: Meters) -> tuple[tuple[bytes, bytes], ...]:
    """Whose time it was until now, as the head goes out. Holds nothing that holds the connection in turn."""
    own_ns, waited_ns = exchange.spent()
    meters.overhead.add(own_ns // 1000)
    return ((b"server-timing", b"gateway;dur=%.3f, provider;dur=%.1f" % (own_ns * 1e-6, waited_ns * 1e-6)),)


def _complete(chat: Chat, decoder: Decoder) -> bool:
    """All that was asked for has its finish reason; how the connection ends then does not matter."""
    return decoder.finished and chat.request.n in (None, 1)


def _remainder(chat: Chat, decoder: Decoder) -> list[Chunk]:
    """What an event without its end still holds; half an event behind a complete answer does not undo it."""
    complete = _complete(chat, decoder)
    return [chunk for chunk in decoder.close() if chunk.error is None or not complete]


def error_headers(error: GatewayError) -> tuple[tuple[bytes, bytes], ...]:
    """`retry-after`, and `x-should-retry` for SDKs: our own retries are done, unless we know when to come back."""
    headers: list[tuple[bytes, bytes]] = []
    if error.retry_after_s is not None:
        headers.append((b"retry-after", b"%d" % max(1, math.ceil(error.retry_after_s))))
    should = error.kind.should_retry
    if should is not None and (should or error.retry_after_s is None):
        headers.append((b"x-should-retry", b"true" if should else b"false"))
    return tuple(headers)
