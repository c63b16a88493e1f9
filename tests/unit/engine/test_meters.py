"""Counters: what each record adds, in maps that callers cannot fill."""

from typing import Any

import msgspec
import pytest

from llmgateway.domain.record import ExchangeRow, LogRecord
from llmgateway.engine.meters import DURATION_BOUNDS_S, Histogram, Meters
from tests.support.fakes import JSON, Bench, Script, whole


async def recorded() -> LogRecord:
    bench = Bench(Script(whole(), headers=JSON))
    await bench.ask()
    return bench.journal.records[0]


def changed(record: LogRecord, **fields: Any) -> LogRecord:
    row: ExchangeRow = msgspec.structs.replace(record.exchange, **fields)
    return LogRecord(row, record.others)


async def test_a_record_adds_to_its_request_its_attempts_and_its_route() -> None:
    meters, record = Meters(), await recorded()
    meters.count(record)
    meters.count(record)
    assert meters.requests == {("acme", "acme/gpt-x", "completed", 200): 2}
    assert meters.attempts == {("acme", "acme/gpt-x", "none"): 2}
    route = meters.routes["acme", "acme/gpt-x"]
    assert (route.prompt_tokens, route.completion_tokens, route.cost_picousd) == (20, 10, 40_000_000)
    assert sum(route.duration.buckets) == sum(route.ttft.buckets) == 2


async def test_requests_without_a_provider_are_counted_together() -> None:
    meters, record = Meters(), await recorded()
    nothing = {"used_provider": None, "used_model": None, "credential": None, "ttft_us": None}
    nowhere = changed(record, status=404, outcome="client_error", **nothing)
    meters.count(LogRecord(nowhere.exchange, ()))
    assert meters.requests == {("", "", "client_error", 404): 1}
    assert meters.attempts == {}
    assert sum(meters.routes["", ""].ttft.buckets) == 0


async def test_an_unknown_cost_adds_nothing() -> None:
    meters, record = Meters(), await recorded()
    meters.count(changed(record, cost_total=None))
    assert meters.routes["acme", "acme/gpt-x"].cost_picousd == 0


async def test_models_that_callers_make_up_do_not_fill_the_memory() -> None:
    meters, record = Meters(), await recorded()
    for number in range(10_050):
        meters.count(changed(record, used_model=f"acme/{number}"))
    assert len(meters.routes) <= 10_000
    assert len(meters.requests) <= 10_000


@pytest.mark.parametrize(
    ("value_us", "bucket"), [(0, 0), (50_000, 0), (50_001, 1), (600_000_000, 12), (600_000_001, 13)]
)
def test_a_bound_belongs_to_the_bucket_below_it(value_us: int, bucket: int) -> None:
    histogram = Histogram()
    histogram.add(value_us)
    assert histogram.buckets.index(1) == bucket
    assert len(histogram.buckets) == len(DURATION_BOUNDS_S) + 1
    assert histogram.sum_us == value_us
