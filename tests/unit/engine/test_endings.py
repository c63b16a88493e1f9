"""Endings that nobody planned: callers who leave at any moment, and bugs of our own."""

import asyncio
from typing import Any

import pytest

from llmgateway.domain.chat import Chat
from llmgateway.domain.reply import Chunk
from llmgateway.domain.routing import Deployment
from llmgateway.engine import pipeline
from llmgateway.engine.errand import Errand
from llmgateway.engine.exchange import RequestFacts
from llmgateway.wire.openai_chat.upstream import OpenAIChat
from llmgateway.wire.upstream import Decoder
from tests.support.fakes import (
    DONE,
    FINISH,
    FIRST,
    JSON,
    KEY,
    USAGE,
    Bench,
    FakeDownstream,
    FakeJournal,
    Script,
    request_body,
    says,
    whole,
)
from tests.support.journaling import until

ANSWER = (FIRST, says("Hel"), says("lo"), FINISH, USAGE, DONE)


def contents(bench: Bench) -> str:
    events = [one for one in bench.down.events if isinstance(one, dict)]
    return "".join(choice["delta"].get("content") or "" for one in events for choice in one["choices"])


async def parted(task: "asyncio.Task[Any]") -> None:
    """The caller leaves, as the edge tells it."""
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def turns(count: int = 5) -> None:
    """Lets what can go on go on."""
    for _ in range(count):
        await asyncio.sleep(0)


# Callers who leave


async def test_leaving_before_content_costs_nothing() -> None:
    never = asyncio.Event()
    bench = Bench(Script(FIRST, never))
    task = bench.begin(stream=True)
    await turns()
    await parted(task)
    row = bench.journal.exchange
    assert (row["status"], row["outcome"], row["error_code"]) == (499, "canceled", "request_cancelled")
    assert (row["cost_total"], row["usage_source"]) == (0, None)
    assert bench.transport.responses[0].closed
    assert bench.down.pieces == []


async def test_leaving_after_content_costs_what_was_generated() -> None:
    never = asyncio.Event()
    bench = Bench(Script(FIRST, says("x" * 400), never))
    task = bench.begin(stream=True)
    await turns()
    await parted(task)
    row = bench.journal.exchange
    assert (row["status"], row["outcome"], row["usage_source"]) == (499, "canceled", "estimated")
    assert 80 <= row["completion_tokens"] <= 120
    assert row["cost_output"] == 2_000_000 * row["completion_tokens"]
    assert bench.transport.responses[0].closed
    assert bench.down.events[-1] != "[DONE]"


async def test_leaving_while_a_whole_answer_is_awaited_ends_the_upstream_request() -> None:
    bench = Bench(Script(asyncio.Event(), headers=JSON))
    task = bench.begin()
    await turns()
    await parted(task)
    assert bench.journal.exchange["outcome"] == "canceled"
    assert bench.journal.attempts[0]["status_code"] == 200
    assert bench.transport.responses[0].closed


async def test_leaving_without_having_read_ends_the_upstream_request() -> None:
    """The caller's socket is full, so nothing more is read; then it goes."""
    bench = Bench(Script(FIRST, says("a"), says("b"), asyncio.Event()))
    bench.down.congested = True
    task = bench.begin(stream=True)
    await bench.down.draining.wait()
    assert bench.transport.responses[0].reads == 2
    await parted(task)
    assert bench.journal.exchange["outcome"] == "canceled"
    assert bench.transport.responses[0].closed


async def test_a_slow_reader_slows_the_provider() -> None:
    bench = Bench(Script(*ANSWER))
    bench.down.congested = True
    task = bench.begin(stream=True)
    await bench.down.draining.wait()
    await turns()
    assert bench.transport.responses[0].reads == 2
    bench.down.congested = False
    bench.down.room.set()
    await task
    assert contents(bench) == "Hello"


async def test_leaving_after_the_record_changes_nothing() -> None:
    """The last bytes wait for the disk; the caller has gone meanwhile."""
    bench = Bench(Script(*ANSWER), journal=FakeJournal(held=True))
    task = bench.begin(stream=True)
    await turns(10)
    task.cancel()
    await task
    bench.journal.write()
    assert bench.journal.exchange["outcome"] == "completed"


# Bugs


class BuggyCodec(OpenAIChat):
    """Fails where `where` says."""

    def __init__(self, where: str) -> None:
        self._where = where

    def build(self, chat: Chat, *, to: Deployment) -> Any:
        if self._where == "build":
            raise RuntimeError("a bug")
        return super().build(chat, to=to)

    def whole(self, body: bytes, *, chat: Chat, to: Deployment) -> Chunk:
        if self._where == "whole":
            raise RuntimeError("a bug")
        chunk = super().whole(body, chat=chat, to=to)
        if self._where == "answer":
            chunk.choices[0].extra = {"x": object()}  # what no encoder takes
        return chunk

    def decoder(self, *, chat: Chat, to: Deployment) -> Decoder:
        return BuggyDecoder(super().decoder(chat=chat, to=to))


class BuggyDecoder:
    """Fails at the third read."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self._fed = 0

    @property
    def finished(self) -> bool:
        return self._decoder.finished

    def feed(self, data: bytes) -> list[Chunk]:
        self._fed += 1
        if self._fed == 3:
            raise RuntimeError("a bug")
        return self._decoder.feed(data)

    def close(self) -> list[Chunk]:
        return self._decoder.close()


@pytest.mark.parametrize("where", ["build", "whole", "answer"])
async def test_a_bug_is_answered_recorded_once_and_reported(where: str) -> None:
    bench = Bench(Script(whole(), headers=JSON), codec=BuggyCodec(where))
    down = await bench.ask()
    assert (down.status, down.answer["error"]["code"]) == (500, "internal_error")
    assert "a bug" not in down.body.decode()
    row = bench.journal.exchange
    assert (row["status"], row["outcome"]) == (500, "gateway_error")
    assert len(bench.bugs) == 1
    assert all(response.closed for response in bench.transport.responses)


async def test_a_bug_in_the_middle_of_a_stream_ends_it_with_an_error_event() -> None:
    bench = Bench(Script(FIRST, says("Hel"), says("lo"), FINISH), codec=BuggyCodec("feed"))
    down = await bench.ask(stream=True)
    assert contents(bench) == "Hel"
    assert down.events[-2]["error"]["status"] == 500
    assert bench.journal.exchange["truncated"]
    assert bench.transport.responses[0].closed
    assert len(bench.bugs) == 1


async def test_an_answer_that_a_bug_kept_from_the_caller_is_not_billed() -> None:
    bench = Bench(Script(whole(), headers=JSON), codec=BuggyCodec("answer"))
    await bench.ask()
    assert bench.journal.exchange["cost_total"] == 0


async def test_a_failure_while_the_last_bytes_are_sent_is_not_recorded_twice() -> None:
    bench = Bench(Script(whole(), headers=JSON))
    bench.down.begin()  # the fake refuses a second answer
    await bench.ask()
    assert len(bench.journal.records) == 1
    assert len(bench.bugs) == 1


@pytest.mark.parametrize("step", ["settle", "whole_answer"])
async def test_a_bug_in_one_of_the_answers_of_a_turn_is_that_ones_alone(
    step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Errands that end in one turn are settled, written and recorded together; not even the record of one is sure."""
    bench = Bench(*[Script(whole(), headers=JSON)] * 3)
    real: Any = getattr(pipeline, step)
    calls: list[None] = []

    def fails_for_the_second(*given: Any, **named: Any) -> Any:
        calls.append(None)
        if len(calls) == 2 or (step == "settle" and "error" in named):
            raise RuntimeError("a bug")
        return real(*given, **named)

    monkeypatch.setattr(pipeline, step, fails_for_the_second)
    downs = [FakeDownstream() for _ in range(3)]
    ends: list[BaseException | None] = []
    for down in downs:
        chat = bench.gateway.chat(request_body(), key=KEY, facts=RequestFacts("r"), down=down)
        Errand(chat, on_end=ends.append)
    await until(lambda: len(ends) == 3 and all(down.ended for down in downs))
    assert [down.status for down in downs] == [200, 500, 200]
    assert downs[1].answer["error"]["code"] == "internal_error"
    assert ends == [None] * 3
    assert len(bench.journal.records) == (2 if step == "settle" else 3)
    assert len(bench.bugs) == (2 if step == "settle" else 1)
