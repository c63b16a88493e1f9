"""Plan, attempts and affinity together, through the whole gateway: who is asked, and who is asked next time."""

from typing import Any

import msgspec

from llmgateway.domain.policy import RoutingPolicy
from llmgateway.engine.exchange import RequestFacts
from tests.support.desk import price
from tests.support.fakes import JSON, Bench, FakeDownstream, Script, offer, snapshot, whole

POLICY = RoutingPolicy(exploration_rate=0, same_credential_retries=0)
ANSWER = Script(whole(), headers=JSON)
FAILURE = Script(b"{}", status=500, headers=JSON)


class Visits(Bench):
    """A gateway in front of `a` (the cheapest) and `b` (nine times as dear); `visit` says who was asked, in order."""

    async def visit(self, *, session: str | None = None, no_fallback: bool = False, **fields: Any) -> list[str]:
        self.down = FakeDownstream()
        before = len(self.transport.requests)
        facts = RequestFacts("request-1", session_id=session, no_fallback=no_fallback)
        await self.ask(facts=facts, **fields)
        return [request.origin.host.partition(".")[0] for request in self.transport.requests[before:]]


def visits(*scripts: Script) -> Visits:
    of = snapshot(offer("a", price=price(1)), offer("b", price=price(9)), offer("b", "other"), policy=POLICY)
    return Visits(*scripts, snapshot_=of)


async def test_a_failure_goes_on_to_the_next_and_the_session_stays_there() -> None:
    desk = visits(FAILURE, ANSWER, ANSWER, ANSWER)
    assert await desk.visit(session="s") == ["a", "b"]
    assert desk.down.status == 200
    assert await desk.visit(session="s") == ["b"]
    assert await desk.visit(session="new") == ["a"]


async def test_a_body_names_its_session_too() -> None:
    desk = visits(FAILURE, ANSWER, ANSWER)
    assert await desk.visit(prompt_cache_key="s") == ["a", "b"]
    assert await desk.visit(prompt_cache_key="s") == ["b"]


async def test_without_fallback_the_failure_is_told() -> None:
    desk = visits(FAILURE)
    assert await desk.visit(no_fallback=True) == ["a"]
    assert desk.down.status == 502


async def test_a_pin_is_not_left() -> None:
    desk = visits(FAILURE)
    assert await desk.visit(model="b/gpt-x") == ["b"]
    assert desk.down.status == 502


async def test_a_fallback_list_leads_to_another_model_and_the_answer_says_so() -> None:
    desk = visits(FAILURE, ANSWER)
    assert await desk.visit(model="a/gpt-x", models=["other"]) == ["a", "b"]
    assert desk.down.answer["model"] == "b/other"
    assert desk.down.answer["metadata"]["requested_model"] == "a/gpt-x"


async def test_the_log_row_tells_how_they_compared() -> None:
    desk = visits(ANSWER)
    await desk.visit()
    note = msgspec.json.decode(desk.journal.exchange["routing"])
    assert note["chosen_by"] == "score"
    assert [one["provider"] for one in note["candidates"]] == ["a", "b"]
    assert [round(one["score"]["price"], 3) for one in note["candidates"]] == [0, 8]
