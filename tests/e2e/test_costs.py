"""What an answer costs, on the wire, in its row and on the key's page, against arithmetic of this file's own."""

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tests.e2e.setting import METERED_KEY
from tests.support.gateway import Gateway, wait_until
from tests.support.http_client import Answer

DOLLAR = 10**12
"""Pico-dollars. A price of 1 USD per million tokens is 1,000,000 of them per token."""


class Case(msgspec.Struct, frozen=True):
    """Tokens as the provider reports them, and pico-dollars by bucket, written out."""

    name: str
    model: str
    usage: dict[str, Any]
    fresh: int
    output: int
    cached: int = 0
    written: int = 0
    request: int = 0

    @property
    def total(self) -> int:
        return self.fresh + self.cached + self.written + self.output + self.request


def reported(
    prompt: int, completion: int, *, cached: int = 0, written: int = 0, reasoning: int = 0, total: int | None = None
) -> dict[str, Any]:
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion if total is None else total,
        "prompt_tokens_details": {"cached_tokens": cached, "cache_write_tokens": written},
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }


CASES = (
    Case("fresh", "told/plain-price", reported(1234, 567), 1234 * 150_000, 567 * 600_000),
    Case("request-price", "told/metered", reported(100, 10), 100 * 1_250_000, 10 * 10_000_000, request=700_000_000),
    Case(
        "cached-and-written",
        "told/metered",
        reported(3001, 77, cached=2048, written=512),
        (3001 - 2048 - 512) * 1_250_000,
        77 * 10_000_000,
        cached=2048 * 125_000,
        written=512 * 1_562_500,
        request=700_000_000,
    ),
    Case(
        "no-price-of-their-own",
        "told/plain-price",
        reported(1000, 1, cached=300, written=200),
        500 * 150_000,
        600_000,
        cached=300 * 150_000,
        written=200 * 150_000,
    ),
    Case("reasoning-is-output", "told/plain-price", reported(10, 900, reasoning=850), 10 * 150_000, 900 * 600_000),
    Case(
        "reasoning-left-out-of-completion",
        "told/plain-price",
        reported(10, 50, reasoning=850, total=910),
        10 * 150_000,
        900 * 600_000,
    ),
    Case("first-tier", "told/tiered", reported(1000, 10), 1000 * 1_000_000, 10 * 2_000_000),
    Case(
        "second-tier-prices-it-all",
        "told/tiered",
        reported(1001, 10, cached=1),
        1000 * 3_000_000,
        10 * 4_000_000,
        cached=300_000,
    ),
    Case("third-tier", "told/tiered", reported(5001, 3, cached=1), 5000 * 5_000_000, 3 * 6_000_000, cached=5_000_000),
    Case("dear", "told/metered", reported(2_000_000, 1), 2_000_000 * 1_250_000, 10_000_000, request=700_000_000),
    Case("free", "told/free", reported(500, 500), 0, 0),
)
each_case = pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
both_ways = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])


@pytest.fixture(scope="module")
def answers(gateway: Gateway) -> dict[str, Answer]:
    """Every case, whole and streamed, with a key of its own; by request id."""
    found: dict[str, Answer] = {}
    for case in CASES:
        for streamed in (False, True):
            name = request_id(case, streamed)
            headers = {"authorization": f"Bearer {METERED_KEY}", "x-request-id": name}
            found[name] = gateway.chat(case.model, headers=headers, stream=streamed, told={"usage": case.usage})
    return found


def request_id(case: Case, streamed: bool) -> str:
    return f"cost:{case.name}:{'streamed' if streamed else 'whole'}"


def usage_of(answer: Answer, *, streamed: bool) -> dict[str, Any]:
    """With numbers as they are written, so that no float rounds them."""
    text = answer.frames[-2].removeprefix("data: ") if streamed else answer.body.decode()
    return json.loads(text, parse_float=Decimal)["usage"]


def usd(picousd: int) -> Decimal:
    return Decimal(picousd) / DOLLAR


@each_case
@both_ways
def test_costs_on_the_wire_are_exact(answers: dict[str, Answer], case: Case, streamed: bool) -> None:
    usage = usage_of(answers[request_id(case, streamed)], streamed=streamed)
    page = ("cost_usd_input", "cost_usd_cached_input", "cost_usd_output", "cost_usd_request", "cost_usd_total")
    expected = [usd(amount) for amount in (case.fresh, case.cached, case.output, case.request, case.total)]
    assert [usage[name] for name in page] == expected
    assert usage.get("cost_usd_cache_write", 0) == usd(case.written)
    assert usage["cost"] == usd(case.total)
    assert usage["cost_details"] == {
        "upstream_inference_cost": usd(case.total - case.request),
        "input_cost": usd(case.fresh),
        "output_cost": usd(case.output),
        "cached_input_cost": usd(case.cached),
        "cache_write_input_cost": usd(case.written),
        "request_cost": usd(case.request),
        "web_search_cost": 0,
        "total_cost": usd(case.total),
    }
    assert "info" not in usage


@each_case
@both_ways
def test_amounts_are_plain_decimal_numbers(answers: dict[str, Answer], case: Case, streamed: bool) -> None:
    body = answers[request_id(case, streamed)].body
    costs = body[body.rindex(b'"cost_usd_total"') :].partition(b'"metadata"')[0]
    assert b"e-" not in costs
    assert b'":"' not in costs


@each_case
@both_ways
def test_tokens_are_normalised(answers: dict[str, Answer], case: Case, streamed: bool) -> None:
    usage = usage_of(answers[request_id(case, streamed)], streamed=streamed)
    reported = case.usage
    completion = reported["total_tokens"] - reported["prompt_tokens"]
    assert usage["prompt_tokens"] == reported["prompt_tokens"]
    assert usage["completion_tokens"] == completion
    assert usage["total_tokens"] == usage["prompt_tokens"] + completion
    reasoning = reported["completion_tokens_details"]["reasoning_tokens"]
    assert usage["reasoning_tokens"] == usage["completion_tokens_details"]["reasoning_tokens"] == reasoning
    assert usage["prompt_tokens_details"] == {
        **reported["prompt_tokens_details"], "audio_tokens": 0, "image_tokens": 0,
    }  # fmt: skip


@each_case
@both_ways
def test_the_row_says_the_same_in_picodollars(
    gateway: Gateway, answers: dict[str, Answer], case: Case, streamed: bool
) -> None:
    assert answers[request_id(case, streamed)].status == 200
    row = gateway.exchange(request_id(case, streamed))
    names = ("cost_input", "cost_cached_input", "cost_cache_write", "cost_output", "cost_request", "cost_total")
    expected = [case.fresh, case.cached, case.written, case.output, case.request, case.total]
    assert [row[name] for name in names] == expected
    assert row["usage_source"] == "reported"


def test_rows_answers_and_the_keys_page_add_up(gateway: Gateway, answers: dict[str, Answer]) -> None:
    told = [usage_of(answer, streamed=name.endswith("streamed")) for name, answer in answers.items()]
    query = (
        "SELECT count(*) AS requests, sum(prompt_tokens) AS prompt, sum(completion_tokens) AS completion,"
        " sum(cost_total) AS cost FROM exchanges WHERE key_id = 'static:metered'"
    )
    rows = wait_until(
        lambda: found if (found := gateway.ask(query)[0])["requests"] >= len(answers) else {}, what="all rows"
    )
    page = json.loads(gateway.get("/v1/key", key=METERED_KEY).body, parse_float=Decimal)
    assert rows["cost"] == sum(2 * case.total for case in CASES)
    assert sum(usage["cost_usd_total"] for usage in told) == usd(rows["cost"])
    assert page["usage"] == {
        "requests": len(answers),
        "prompt_tokens": rows["prompt"],
        "completion_tokens": rows["completion"],
        "total_tokens": rows["prompt"] + rows["completion"],
        "cost_usd": usd(rows["cost"]),
    }
    assert (page["name"], page["project"], page["limit"]) == ("metered", "default", None)


@both_ways
def test_an_unknown_price_has_no_costs_and_says_so(gateway: Gateway, streamed: bool) -> None:
    name = f"unpriced-{streamed}"
    answer = gateway.chat("told/unpriced", headers={"x-request-id": name}, stream=streamed)
    usage = usage_of(answer, streamed=streamed)
    assert [field for field in usage if field.startswith("cost")] == []
    assert usage["info"] == "no price known"
    assert gateway.exchange(name)["cost_total"] is None


@both_ways
def test_usage_that_nobody_reports_is_estimated_and_priced(gateway: Gateway, streamed: bool) -> None:
    answer = gateway.chat("told/plain-price", stream=streamed, told={"usage": None, "text": "four tokens or so"})
    usage = usage_of(answer, streamed=streamed)
    assert usage["info"] == "estimated"
    assert 3 <= usage["completion_tokens"] <= 6
    expected = usage["prompt_tokens"] * 150_000 + usage["completion_tokens"] * 600_000
    assert usage["cost_usd_total"] == usd(expected)


@both_ways
def test_more_cached_tokens_than_prompt_tokens_are_noticed(gateway: Gateway, streamed: bool) -> None:
    """Fresh input is floored at 0, and `info` says why."""
    answer = gateway.chat("told/plain-price", stream=streamed, told={"usage": reported(10, 1, cached=50)})
    usage = usage_of(answer, streamed=streamed)
    assert usage["cost_usd_input"] == 0
    assert usage["info"]


def test_a_failed_attempt_is_not_billed(gateway: Gateway) -> None:
    headers = {"x-request-id": "failed-and-free"}
    assert gateway.chat("listed/gone", headers=headers).status == 502
    row = gateway.exchange("failed-and-free")
    assert (row["cost_total"], row["prompt_tokens"], row["completion_tokens"]) == (0, 0, 0)
