"""The end of an exchange: what is billed, what the record says, and what the caller is told of cost and way."""

from typing import Any

import msgspec
import pytest

from llmgateway.domain import errors
from llmgateway.domain.chat import Chat
from llmgateway.domain.errors import ErrorKind, GatewayError, UpstreamError
from llmgateway.domain.plan import RoutePlan
from llmgateway.domain.reply import ChoiceDelta, Chunk, Delta, ToolCallDelta, ToolFunctionDelta, Wire
from llmgateway.domain.usage import Price, Usage
from llmgateway.engine.exchange import Exchange, RequestFacts
from llmgateway.engine.settle import Settlement, settle
from llmgateway.wire.openai_chat.request import read_request
from tests.support.fakes import KEY, offer, planned, request_body, snapshot

USED = Usage(prompt_tokens=100, cached_tokens=40, output_tokens=20, reasoning_tokens=5)
PRICE = Price(input=1_000_000, output=2_000_000, cached_input=100_000, as_of="2030-01-01", service_tiers={"flex": 5000})
TIMEOUT = GatewayError(errors.UPSTREAM_TIMEOUT, "acme did not answer.")


def begun(*, price: Price | None = PRICE, model: str = "gpt-x", **fields: Any) -> Exchange:
    """An exchange whose request is planned and whose first attempt has begun."""
    chat: Chat = read_request(request_body(model=model, **fields))
    exchange = Exchange(log_id="log", key=KEY, facts=RequestFacts("request-1"))
    exchange.chat = chat
    exchange.plan = planned(chat, snapshot=snapshot(offer(price=price, regions=("eu",))))
    exchange.begin(exchange.plan.deployments[0])
    exchange.attempts[0].status_code = 200
    return exchange


def answered(exchange: Exchange, *, text: str = "Hi", usage: Usage | None = USED, **fields: Any) -> Exchange:
    exchange.observe(Chunk([ChoiceDelta(0, Delta(content=text), finish_reason="stop", raw_finish_reason="eos")]))
    exchange.observe(Chunk([], usage=usage, **fields))
    return exchange


def row(settlement: Settlement) -> dict[str, Any]:
    return msgspec.structs.asdict(settlement.record.exchange)


def tried(settlement: Settlement) -> list[dict[str, Any]]:
    return [msgspec.structs.asdict(attempt) for attempt in settlement.record.attempts]


def told(part: bytes | None) -> Any:
    assert part is not None
    return msgspec.json.decode(part)


# An answer


def test_the_record_of_an_answer_has_its_usage_cost_and_way() -> None:
    settlement = settle(answered(begun(stream=True)))
    found = row(settlement)
    expected = {
        "log_id": "log", "request_id": "request-1", "project": "project-1", "key_id": "key-1", "stream": True,
        "requested_model": "gpt-x", "requested_provider": None, "used_model": "acme/gpt-x", "used_provider": "acme",
        "used_region": None, "upstream_model": "gpt-x-upstream", "status": 200, "outcome": "completed",
        "finish_reason": "stop", "raw_finish_reason": "eos", "error_type": None, "error_code": None,
        "truncated": False, "attempts": 1, "prompt_tokens": 100, "completion_tokens": 20, "reasoning_tokens": 5,
        "cached_tokens": 40, "cache_write_tokens": 0, "usage_source": "reported", "cost_input": 60_000_000,
        "cost_cached_input": 4_000_000, "cost_output": 40_000_000, "cost_total": 104_000_000,
        "price_version": "2030-01-01", "dropped_parameters": None, "routing": None,
    }  # fmt: skip
    assert {name: found[name] for name in expected} == expected
    assert found["ttft_us"] is not None
    assert found["duration_us"] >= found["ttft_us"]
    (attempt,) = tried(settlement)
    assert (attempt["log_id"], attempt["exchange_id"], attempt["seq"]) == ("log-1", "log", 1)
    assert (attempt["succeeded"], attempt["error_type"], attempt["upstream_cost"]) == (True, "none", 0)


def test_usage_tells_every_figure_and_cost_of_the_api() -> None:
    usage = told(settle(answered(begun())).usage)
    assert usage == {
        "prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120, "reasoning_tokens": 5,
        "prompt_tokens_details": {"cached_tokens": 40, "cache_write_tokens": 0, "audio_tokens": 0, "image_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 5, "audio_tokens": 0, "image_tokens": 0},
        "cost_usd_total": 0.000104, "cost_usd_input": 0.00006, "cost_usd_output": 0.00004,
        "cost_usd_cached_input": 0.000004, "cost_usd_request": 0, "cost": 0.000104,
        "cost_details": {
            "upstream_inference_cost": 0.000104, "input_cost": 0.00006, "output_cost": 0.00004,
            "cached_input_cost": 0.000004, "cache_write_input_cost": 0, "request_cost": 0, "web_search_cost": 0,
            "total_cost": 0.000104,
        },
    }  # fmt: skip


def test_metadata_has_every_key_and_nulls_only_where_they_may_be() -> None:
    metadata = told(settle(answered(begun())).metadata)
    assert metadata["routing"][0].pop("latency_ms") >= 0
    assert metadata == {
        "request_id": "request-1", "requested_model": "gpt-x", "requested_provider": None,
        "used_model": "acme/gpt-x", "used_provider": "acme", "used_region": None,
        "underlying_used_model": "gpt-x-upstream", "log_id": "log-1", "cached": False, "dropped_parameters": [],
        "routing": [{
            "provider": "acme", "model": "gpt-x", "region": None, "status_code": 200, "error_type": "none",
            "succeeded": True, "apiKeyHash": "acmeffffffffffff", "logId": "log-1",
        }],
    }  # fmt: skip


def test_a_pin_and_a_region_are_told_as_they_were_asked_for() -> None:
    settlement = settle(answered(begun(model="acme/gpt-x:eu")))
    metadata = told(settlement.metadata)
    asked = ("requested_model", "requested_provider", "used_model", "used_region")
    assert [metadata[name] for name in asked] == ["acme/gpt-x:eu", "acme", "acme/gpt-x:eu", "eu"]
    assert row(settlement)["requested_provider"] == "acme"


def test_another_model_that_the_answer_names_is_reported() -> None:
    settlement = settle(answered(begun(), reported_model="gpt-x-0613"))
    assert told(settlement.metadata)["reported_model"] == "gpt-x-0613"
    assert row(settlement)["reported_model"] == "gpt-x-0613"
    assert "reported_model" not in told(settle(answered(begun(), reported_model="gpt-x-upstream")).metadata)


def test_the_tier_that_served_sets_the_price() -> None:
    assert row(settle(answered(begun(service_tier="auto"), service_tier="flex")))["cost_total"] == 52_000_000


def test_without_a_known_price_there_are_no_costs_and_a_word_why() -> None:
    settlement = settle(answered(begun(price=None)))
    usage = told(settlement.usage)
    assert usage["info"] == "no price known"
    assert not any(name.startswith("cost") for name in usage)
    found = row(settlement)
    assert all(found[name] is None for name in found if name.startswith("cost"))
    assert found["price_version"] is None
    assert found["prompt_tokens"] == 100


def test_a_price_of_zero_is_a_known_price() -> None:
    settlement = settle(answered(begun(price=Price(input=0, output=0))))
    assert told(settlement.usage)["cost_usd_total"] == 0
    assert "info" not in told(settlement.usage)
    assert row(settlement)["cost_total"] == 0


def test_costs_that_are_rare_are_told_only_when_there_are_some() -> None:
    price = Price(input=1, output=1, cache_write_5m=2, web_search=3, output_image=4)
    used = Usage(10, cache_write_5m_tokens=5, output_tokens=10, output_image_tokens=10, web_searches=1)
    usage = told(settle(answered(begun(price=price), usage=used)).usage)
    names = ("cost_usd_cache_write", "cost_usd_web_search", "cost_usd_image_output")
    assert [usage[name] for name in names] == [1e-11, 3e-12, 4e-11]


def test_a_provider_that_reports_nothing_is_estimated_and_says_so() -> None:
    said = "What is the weather in Paris today, and what will it be tomorrow?"
    settlement = settle(answered(begun(messages=[{"role": "user", "content": said}]), text=said, usage=None))
    usage = told(settlement.usage)
    assert usage["info"] == "estimated"
    assert 14 <= usage["prompt_tokens"] <= 28
    assert 12 <= usage["completion_tokens"] <= 19
    assert row(settlement)["usage_source"] == "estimated"


def test_figures_that_cannot_be_are_not_believed() -> None:
    """They would not fit a column, and stop the rows of everybody else."""
    settlement = settle(answered(begun(), usage=Usage(prompt_tokens=10**30, output_tokens=1)))
    assert row(settlement)["usage_source"] == "estimated"


def test_more_cached_than_read_is_said() -> None:
    usage = told(settle(answered(begun(), usage=Usage(prompt_tokens=10, cached_tokens=20))).usage)
    assert "cached tokens" in usage["info"]
    assert usage["cost_usd_input"] == 0


@pytest.mark.parametrize(
    ("finish", "outcome"),
    [("stop", "completed"), ("length", "length_limit"), ("tool_calls", "tool_calls"), ("function_call", "tool_calls"),
     ("content_filter", "content_filter"), (None, "completed")],
)  # fmt: skip
def test_the_outcome_follows_the_finish_reason(finish: str | None, outcome: str) -> None:
    exchange = begun()
    exchange.observe(Chunk([ChoiceDelta(0, Delta(content="x"), finish_reason=finish)], usage=USED))
    assert row(settle(exchange))["outcome"] == outcome


def test_what_was_left_out_and_who_was_left_out_is_on_record() -> None:
    exchange = answered(begun())
    exchange.dropped = ("seed", "top_k")
    of = snapshot(offer("cheap", lacks=frozenset({"n"}), price=Price(input=0, output=0)), offer("acme"))
    exchange.plan = planned(read_request(request_body(n=2)), snapshot=of)
    settlement = settle(exchange)
    assert row(settlement)["dropped_parameters"] == "seed, top_k"
    assert told(settlement.metadata)["dropped_parameters"] == ["seed", "top_k"]
    assert msgspec.json.decode(row(settlement)["routing"]) == {
        "chosen_by": "only",
        "candidates": [{"provider": "acme", "model": "gpt-x"}],
        "excluded": [{"provider": "cheap", "model": "gpt-x", "reason": "capability:n", "param": "n"}],
    }


def test_how_the_candidates_compared_is_on_record() -> None:
    exchange = answered(begun())
    prices = {"cheap": Price(input=1, output=1), "dear": Price(input=3, output=3)}
    of = snapshot(*[offer(name, price=price) for name, price in prices.items()])
    exchange.plan = planned(read_request(request_body()), snapshot=of)
    note = msgspec.json.decode(row(settle(exchange))["routing"])
    assert note["chosen_by"] == "score"
    assert note["fallbacks"] == 1
    first, second = note["candidates"]
    assert (first["provider"], first["score"]["total"], first["score"]["price"]) == ("cheap", 0, 0)
    assert (second["provider"], second["score"]["price"]) == ("dear", 2)
    assert second["score"]["total"] > 0
    assert second["figures"] == {"uptime": 100, "latency": 1000, "throughput": 50, "attempts": 0}


def test_what_the_edge_knows_is_on_record() -> None:
    exchange = answered(begun())
    facts = exchange.facts
    facts.session_id, facts.source, facts.user_agent, facts.trace_id = "s", "app", "ua", "t"
    facts.client_ip, facts.custom = "192.0.2.1", {"team": "blue"}
    found = row(settle(exchange))
    assert [found[name] for name in ("session_id", "source", "user_agent", "trace_id", "client_ip")] == [
        "s", "app", "ua", "t", "192.0.2.1",
    ]  # fmt: skip
    assert found["custom"] == '{"team":"blue"}'


# Other endings


def test_a_failed_request_costs_the_caller_nothing() -> None:
    exchange = begun()
    exchange.failed(UpstreamError(errors.UPSTREAM_TIMEOUT, "acme did not answer."))
    settlement = settle(exchange, error=TIMEOUT, status=504)
    found = row(settlement)
    assert (found["status"], found["outcome"], found["error_code"]) == (504, "upstream_error", "upstream_timeout")
    assert (found["cost_total"], found["usage_source"], found["truncated"]) == (0, None, False)
    assert settlement.usage is None
    assert told(settlement.metadata).keys() == {"request_id", "routing"}
    (attempt,) = tried(settlement)
    assert (attempt["error_type"], attempt["error_message"]) == ("timeout", "acme did not answer.")


def test_what_it_cost_the_operator_is_on_the_attempts_row() -> None:
    exchange = answered(begun())
    exchange.failed(UpstreamError(errors.UPSTREAM_ERROR, "x"))
    (attempt,) = tried(settle(exchange, error=TIMEOUT, status=504))
    assert attempt["upstream_cost"] == 104_000_000


def test_an_answer_cut_after_content_is_billed_as_estimated() -> None:
    exchange = answered(begun(stream=True), text="y" * 40, usage=None)
    exchange.relayed = True
    exchange.failed(UpstreamError(errors.UPSTREAM_TIMEOUT, "x", status_code=0))
    settlement = settle(exchange, error=TIMEOUT, status=504)
    found = row(settlement)
    assert (found["truncated"], found["usage_source"], found["completion_tokens"]) == (True, "estimated", 10)
    assert found["cost_output"] == 20_000_000
    assert told(settlement.usage)["info"] == "estimated"
    metadata = told(settlement.metadata)
    assert metadata["used_model"] == "acme/gpt-x"
    assert metadata["routing"][0]["error_type"] == "timeout"
    (attempt,) = tried(settlement)
    assert (attempt["upstream_cost"], attempt["status_code"], attempt["succeeded"]) == (0, 200, False)
    assert attempt["ttft_us"] is not None


def test_an_answer_cut_after_content_is_billed_as_reported_where_it_was() -> None:
    exchange = answered(begun(stream=True))
    exchange.relayed = True
    assert row(settle(exchange, error=TIMEOUT, status=504))["usage_source"] == "reported"


@pytest.mark.parametrize("relayed", [False, True])
def test_a_caller_who_left_pays_for_what_was_relayed(relayed: bool) -> None:
    exchange = answered(begun(stream=True), text="y" * 40, usage=None)
    exchange.relayed = relayed
    settlement = settle(exchange, status=499)
    found = row(settlement)
    assert (found["status"], found["outcome"], found["error_code"]) == (499, "canceled", "request_cancelled")
    assert found["usage_source"] == ("estimated" if relayed else None)
    assert bool(found["cost_total"]) is relayed
    assert tried(settlement)[0]["succeeded"] == 0


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        (errors.INVALID_VALUE, "client_error"),
        (errors.RATE_LIMITED, "client_error"),
        (errors.UPSTREAM_REFUSED, "client_error"),
        (errors.UPSTREAM_AUTH, "upstream_error"),
        (errors.INTERNAL, "gateway_error"),
        (errors.OVERLOADED, "gateway_error"),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_whom_an_error_blames_decides_the_outcome(kind: ErrorKind, outcome: str) -> None:
    error = GatewayError(kind, "x")
    assert row(settle(begun(), error=error, status=error.status))["outcome"] == outcome


def test_a_request_that_could_not_be_read_has_a_row_without_a_model() -> None:
    exchange = Exchange(log_id="log", key=KEY, facts=RequestFacts("request-1"))
    settlement = settle(exchange, error=GatewayError(errors.INVALID_JSON, "No."), status=400)
    found = row(settlement)
    assert (found["requested_model"], found["used_model"], found["attempts"], found["stream"]) == (None, None, 0, False)
    assert (settlement.usage, settlement.metadata, settlement.record.attempts) == (None, None, ())


def test_every_attempt_has_a_row_and_an_entry_in_order() -> None:
    exchange = begun()
    exchange.failed(UpstreamError(errors.UPSTREAM_RATE_LIMITED, "slow down", status_code=429))
    assert isinstance(exchange.plan, RoutePlan)
    exchange.begin(exchange.plan.deployments[0])
    settlement = settle(answered(exchange))
    assert [(one["seq"], one["log_id"], one["error_type"]) for one in tried(settlement)] == [
        (1, "log-1", "rate_limited"),
        (2, "log-2", "none"),
    ]
    metadata = told(settlement.metadata)
    assert [entry["logId"] for entry in metadata["routing"]] == ["log-1", "log-2"]
    assert metadata["log_id"] == "log-2"
    assert row(settlement)["attempts"] == 2


# What is noted on the way


def test_only_text_a_client_sees_starts_the_clock() -> None:
    exchange = begun()
    exchange.observe(Chunk([ChoiceDelta(0, Delta(role="assistant", content=""))]))
    exchange.observe(Chunk([], prefix=b"p", wire=Wire([b""], 0)))
    assert exchange.first_content_ns == 0
    exchange.observe(Chunk([], prefix=b"p", wire=Wire([b""], 3)))
    assert exchange.first_content_ns
    assert exchange.content_characters == 3


def test_reasoning_has_a_clock_of_its_own() -> None:
    exchange = begun()
    exchange.observe(Chunk([ChoiceDelta(0, Delta(reasoning="hm"))]))
    assert exchange.first_reasoning_ns
    assert row(settle(exchange))["ttfr_us"] is not None


def test_arguments_refusals_and_reasoning_count_as_output() -> None:
    exchange = begun()
    called = ToolCallDelta(0, function=ToolFunctionDelta("name", "{12}"))
    exchange.observe(Chunk([ChoiceDelta(0, Delta(content="12", reasoning="123", refusal="1", tool_calls=[called]))]))
    assert exchange.content_characters == 2 + 3 + 1 + 4 + 4


def test_usage_told_several_times_counts_once_with_its_last_value() -> None:
    exchange = begun()
    for tokens in (1, 2, 3):
        exchange.observe(Chunk([], usage=Usage(10, output_tokens=tokens)))
    assert row(settle(exchange))["completion_tokens"] == 3
