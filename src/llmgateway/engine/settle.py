"""Ends an exchange: usage to cost to record, and the objects that tell the caller. What becomes of them, and that it is
done once, is left to the pipeline.

Failed attempts nothing of which reached the client are not billed; an answer that was cut or left is billed as
reported, else as estimated.
"""

from types import SimpleNamespace
from typing import Any, Final

import msgspec

from llmgateway.domain.errors import CANCELLED, GatewayError
from llmgateway.domain.plan import Attempt
from llmgateway.domain.record import AttemptRow, ExchangeRow, LogRecord
from llmgateway.domain.usage import Cost, Usage, cost_of
from llmgateway.engine.exchange import Exchange
from llmgateway.engine.note import note_of
from llmgateway.engine.tokens import estimate_chat, estimate_text, family_of
from llmgateway.wire.openai_chat.account import (
    ErrorMetadata,
    Metadata,
    RoutingEntry,
    usage_json,
)

_OUTCOMES: Final = {
    "stop": "completed",
    "function_call": "tool_calls",
    "length": "length_limit",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
}
_ENCODE: Final = msgspec.json.Encoder().encode
_NOTHING: Final = Usage()
_FREE: Final = Cost()
_OK: Final = 200
_UNPRICED: Final[Any] = SimpleNamespace(**dict.fromkeys((*Cost.__struct_fields__, "total")))
_NOWHERE: Final[Any] = SimpleNamespace(
    used_model=None, region=None, provider=SimpleNamespace(id=None), mapping=SimpleNamespace(upstream=None, price=None)
)
"""What a row says of an exchange without a price, and of one without an attempt: nothing."""


class Settlement(msgspec.Struct, frozen=True):
    """The record for the journal; `usage` and `metadata` as JSON for the caller, None where there is none."""

    record: LogRecord
    usage: bytes | None
    metadata: bytes | None


def settle(exchange: Exchange, *, error: GatewayError | None = None, status: int = 200) -> Settlement:
    """`error`: what the caller was told instead of, or after, an answer. `status` 499: it had left.

    An attempt that answered with 200 is told by its exchange's row; the others have rows of their own.
    """
    now_ns = exchange.clock.now_ns()
    attempt = exchange.attempts[-1] if exchange.attempts else None
    answered = exchange.relayed or (error is None and status == 200)
    if attempt is not None and not attempt.ended_ns:
        exchange.ended(attempt, now_ns=now_ns, answered=answered)
        attempt.succeeded = error is None and status == 200
    usage, cost = _billed(exchange, answered=answered)
    told = attempt if attempt is not None and attempt.succeeded and attempt.status_code == _OK else None
    routing: list[RoutingEntry] = []
    rows: list[AttemptRow] = []
    for one in exchange.attempts:
        routing.append(_entry(one))
        if one is not told:
            rows.append(_attempt_row(exchange, len(routing), one))
    metadata = None
    if error is not None and not exchange.relayed:
        if routing:
            metadata = _ENCODE(ErrorMetadata(exchange.facts.request_id, routing))
    elif attempt is not None:
        metadata = _ENCODE(_metadata(exchange, attempt, routing))
    row = _exchange_row(exchange, attempt, told, usage or _NOTHING, cost, error, status, now_ns)
    return Settlement(LogRecord(row, tuple(rows)), usage_json(usage, cost) if usage is not None else None, metadata)


def _billed(exchange: Exchange, *, answered: bool) -> tuple[Usage | None, Cost | None]:
    """Usage and cost; None for an exchange without an answer, a cost of None where no price is known."""
    chat = exchange.chat
    if not answered or chat is None or not exchange.attempts:
        return None, _FREE
    to = exchange.attempts[-1].deployment
    usage = exchange.usage
    if usage is None:
        prompt = estimate_chat(chat, mapping=to.mapping, protocol=to.protocol)
        family = family_of(to.mapping, protocol=to.protocol)
        output = estimate_text(exchange.content_characters, family=family)
        usage = Usage(prompt_tokens=prompt, output_tokens=output, estimated=True)
    price = to.mapping.price
    return usage, None if price is None else cost_of(usage, price, service_tier=exchange.service_tier)


def _entry(attempt: Attempt) -> RoutingEntry:
    deployment = attempt.deployment
    return RoutingEntry(
        deployment.provider.id,
        deployment.mapping.model,
        deployment.region,
        attempt.status_code,
        attempt.error_type,
        attempt.succeeded,
        deployment.credential.fingerprint,
        attempt.log_id,
        (attempt.ended_ns - attempt.started_ns) // 1_000_000,
    )


def _metadata(exchange: Exchange, attempt: Attempt, routing: list[RoutingEntry]) -> Metadata:
    deployment = attempt.deployment
    sent = deployment.mapping.upstream
    reported = exchange.reported_model
    return Metadata(
        exchange.facts.request_id,
        exchange.chat.request.model if exchange.chat is not None else "",
        exchange.plan.requested_provider if exchange.plan is not None else None,
        deployment.used_model,
        deployment.provider.id,
        deployment.region,
        sent,
        routing,
        attempt.log_id,
        False,
        exchange.dropped,
        reported if reported is not None and reported != sent else msgspec.UNSET,
        msgspec.UNSET if exchange.healer is None else exchange.healer.told,
    )


def _outcome(exchange: Exchange, error: GatewayError | None, status: int) -> str:
    if status == CANCELLED.status:
        return "canceled"
    if error is None:
        return _OUTCOMES.get(exchange.finish_reason or "stop", "completed")
    if error.kind.blames == "caller":
        return "client_error"
    return "gateway_error" if error.kind.blames == "gateway" else "upstream_error"


def _exchange_row(
    exchange: Exchange,
    attempt: Attempt | None,
    told: Attempt | None,
    usage: Usage,
    cost: Cost | None,
    error: GatewayError | None,
    status: int,
    now_ns: int,
) -> ExchangeRow:
    facts, chat, plan, key = exchange.facts, exchange.chat, exchange.plan, exchange.key
    to = attempt.deployment if attempt is not None else _NOWHERE
    price = to.mapping.price
    paid = cost if cost is not None else _UNPRICED
    began = exchange.started_ns
    credential, at_us, took_us = None, None, None
    if told is not None:
        credential = to.credential.fingerprint
        at_us = (exchange.began_ns + told.started_ns - began) // 1000
        took_us = (told.ended_ns - told.started_ns) // 1000
    if error is not None:
        kind, code, message, status = error.kind.type, error.code, error.message, error.status
    else:
        kind, code, message = None, CANCELLED.code if status == CANCELLED.status else None, None
    return ExchangeRow(
        exchange.log_id,  # log_id
        facts.request_id,  # request_id
        exchange.began_ns // 1000,  # started_us
        (now_ns - began) // 1000,  # duration_us
        (exchange.first_content_ns - began) // 1000 if exchange.first_content_ns else None,  # ttft_us
        (exchange.first_reasoning_ns - began) // 1000 if exchange.first_reasoning_ns else None,  # ttfr_us
        key.project.id,  # project
        key.id,  # key_id
        facts.session_id,  # session_id
        facts.source,  # source
        facts.user_agent,  # user_agent
        facts.trace_id,  # trace_id
        facts.client_ip,  # client_ip
        msgspec.json.encode(facts.custom).decode() if facts.custom else None,  # custom
        1 if chat is not None and chat.streamed else 0,  # stream
        chat.request.model if chat is not None else None,  # requested_model
        plan.requested_provider if plan is not None else None,  # requested_provider
        to.used_model,  # used_model
        to.provider.id,  # used_provider
        to.region,  # used_region
        to.mapping.upstream,  # upstream_model
        exchange.reported_model,  # reported_model
        status,  # status
        _outcome(exchange, error, status),  # outcome
        exchange.finish_reason,  # finish_reason
        exchange.raw_finish_reason,  # raw_finish_reason
        kind,  # error_type
        code,  # error_code
        message,  # error_message
        1 if error is not None and exchange.relayed else 0,  # truncated
        0,  # cached
        len(exchange.attempts),  # attempts
        usage.prompt_tokens,  # prompt_tokens
        usage.output_tokens,  # completion_tokens
        usage.reasoning_tokens,  # reasoning_tokens
        usage.cached_tokens,  # cached_tokens
        usage.cache_write_tokens,  # cache_write_tokens
        None if usage is _NOTHING else "estimated" if usage.estimated else "reported",  # usage_source
        paid.total,  # cost_total
        paid.input,  # cost_input
        paid.cached_input,  # cost_cached_input
        paid.cache_write,  # cost_cache_write
        paid.output,  # cost_output
        paid.request,  # cost_request
        paid.web_search,  # cost_web_search
        paid.image_output,  # cost_image_output
        price.as_of or price.source or None if price is not None else None,  # price_version
        ", ".join(exchange.dropped) or None,  # dropped_parameters
        note_of(plan) if plan is not None else None,  # routing
        credential,  # credential
        at_us,  # attempt_started_us
        took_us,  # attempt_us
    )


def _attempt_row(exchange: Exchange, seq: int, attempt: Attempt) -> AttemptRow:
    deployment = attempt.deployment
    started = attempt.started_ns
    return AttemptRow(
        attempt.log_id,  # log_id
        exchange.log_id,  # exchange_id
        seq,  # seq
        deployment.provider.id,  # provider
        deployment.mapping.model,  # model
        deployment.region,  # region
        deployment.mapping.upstream,  # upstream_model
        deployment.credential.fingerprint,  # credential
        (exchange.began_ns + started - exchange.started_ns) // 1000,  # started_us
        (attempt.ended_ns - started) // 1000,  # duration_us
        (attempt.first_byte_ns - started) // 1000 if attempt.first_byte_ns else None,  # ttft_us
        attempt.status_code,  # status_code
        attempt.error_type,  # error_type
        attempt.error_code,  # error_code
        attempt.error_message,  # error_message
        1 if attempt.succeeded else 0,  # succeeded
        attempt.upstream_cost,  # upstream_cost
    )
