"""Whatever bytes a provider sends, in whatever protocol: a codec raises nothing but UpstreamError and keeps little.

What it tells is sound, and it ends soon. A minute for all protocols together in the suite; `make fuzz` takes an hour
(LLMGATEWAY_FUZZ_S).
"""

import json
import os
import time
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from llmgateway.domain.errors import UpstreamError
from llmgateway.domain.reply import Chunk
from llmgateway.wire.openai_chat.encode import StreamEncoder, whole_answer
from llmgateway.wire.upstream import Upstream
from tests.fuzz.mutations import JUNK, damaged, pieces
from tests.fuzz.subjects import ASKED, SUBJECTS, Subject, chat, codec_of, deployment_of, seeds

BUDGET_S = float(os.environ.get("LLMGATEWAY_FUZZ_S") or 45)
EACH_S = BUDGET_S / (3 * len(SUBJECTS))
LONGEST_S = 2.0
each_protocol = pytest.mark.parametrize("subject", SUBJECTS, ids=str)
long_enough = pytest.mark.timeout(EACH_S * 3 + 120)
NUMBERS = st.integers(0, 2**32)
KINDS = st.sampled_from(sorted(ASKED))


def hunt(check: Callable[..., None], *, budget_s: float, **strategies: st.SearchStrategy[Any]) -> None:
    """Rounds of the same check, each from a seed of its own, until the time is over; at least one."""
    for turn in _turns(budget_s):
        run = given(**strategies)(check)
        run = settings(
            max_examples=60,
            deadline=None,
            database=None,
            suppress_health_check=[HealthCheck.too_slow],
            print_blob=False,
        )(run)
        seed(turn)(run)()


def _turns(budget_s: float) -> Iterator[int]:
    ends = time.monotonic() + budget_s
    turn = 0
    while turn == 0 or time.monotonic() < ends:
        yield turn
        turn += 1


@each_protocol
@long_enough
def test_damaged_streams_are_told_soundly(subject: Subject) -> None:
    starts = seeds(subject, streamed=True)
    codec = codec_of(subject)

    def check(start: int, how: int, cut: int, kind: str) -> None:
        body = damaged(starts[start % len(starts)], framed=subject.framed, seed=how)
        told(subject, codec, pieces(body, seed=cut), kind=kind)

    hunt(check, budget_s=EACH_S, start=NUMBERS, how=NUMBERS, cut=NUMBERS, kind=KINDS)


@each_protocol
@long_enough
def test_damaged_whole_answers_are_told_soundly(subject: Subject) -> None:
    starts = (*seeds(subject, streamed=False), *subject.streams)
    codec, to = codec_of(subject), deployment_of(subject)

    def check(start: int, how: int, kind: str, streamed: bool) -> None:
        body = damaged(starts[start % len(starts)], framed=subject.framed, seed=how)
        began = time.process_time()
        chunk: Chunk | None = None
        failure: UpstreamError | None = None
        try:
            chunk = codec.whole(body, chat=chat(kind, streamed=streamed), to=to)
        except UpstreamError as error:
            failure = error
        assert time.process_time() - began < LONGEST_S
        if chunk is None:
            assert failure is not None
            assert len(failure.message) < 1_500
            return
        if streamed:
            sound([chunk])
        answer = whole_answer(
            chunk, answer_id="i", created=1, model="m", usage=b"{}", metadata=b"{}", hide_reasoning=False
        )
        for choice in json.loads(answer)["choices"]:
            assert isinstance(choice["message"]["content"], str | None)

    hunt(check, budget_s=EACH_S, start=NUMBERS, how=NUMBERS, kind=KINDS, streamed=st.booleans())


@each_protocol
@long_enough
def test_damaged_errors_are_upstream_errors(subject: Subject) -> None:
    bodies = (
        b'{"error":{"message":"no","type":"t","code":"c","param":"p"}}',
        b'{"type":"error","error":{"type":"overloaded_error"}}',
        b'[{"error":{"code":429,"message":"no","status":"UNAVAILABLE","details":[{"@type":"x","retryDelay":"3s"}]}}]',
        b'{"message":"Too many requests"}', b'{"id":"i","message":"no"}', b"<html>502</html>", b"",
        b'{"detail":[{"loc":["body","x"],"msg":"no","type":"t"}]}', b'{"code":"x","error":"no"}',
    )  # fmt: skip
    codec, to = codec_of(subject), deployment_of(subject)

    def check(start: int, how: int, status: int, junk: bytes) -> None:
        body = damaged(bodies[start % len(bodies)], framed=False, seed=how)
        headers = [(b"retry-after", junk[:20]), (b"x-amzn-errortype", junk[:40]), (b"retry-after-ms", body[:9])]
        error = codec.error(status, headers, body, to=to)
        assert isinstance(error, UpstreamError)
        assert len(error.message) < 1_500
        assert "secret-of-the-provider" not in error.message
        json.dumps([error.message, error.code, error.param, error.retry_after_s], allow_nan=False).encode()

    junk = st.sampled_from(JUNK) | st.binary(max_size=40) | st.sampled_from([b"3", b"-1", b"1e999", b"nan", b"9" * 30])
    hunt(check, budget_s=EACH_S, start=NUMBERS, how=NUMBERS, status=st.integers(300, 599), junk=junk)


def told(subject: Subject, codec: Upstream, parts: list[bytes], *, kind: str) -> None:
    decoder = codec.decoder(chat=chat(kind, streamed=True), to=deployment_of(subject))
    began = time.process_time()
    chunks = [chunk for part in parts for chunk in decoder.feed(part)]
    chunks += decoder.close()
    assert isinstance(decoder.finished, bool)
    assert time.process_time() - began < LONGEST_S
    sound(chunks)


def sound(chunks: list[Chunk]) -> None:
    """What the client would read is JSON whose invariants hold."""
    encoder = StreamEncoder(fallback_id="i", created=1, model="m", naive=True, hide_reasoning=False)
    roles: set[int] = set()
    finished: set[int] = set()
    for chunk in chunks:
        if chunk.error is not None:
            assert isinstance(chunk.error, UpstreamError)
            assert len(chunk.error.message) < 1_500
            continue
        for event in encoder.feed([chunk]).decode().split("\n\n")[:-1]:
            for choice in json.loads(event.removeprefix("data: "))["choices"]:
                _sound_choice(choice, roles, finished)


def _sound_choice(choice: dict[str, Any], roles: set[int], finished: set[int]) -> None:
    index, delta = choice["index"], choice["delta"]
    if "role" in delta:
        assert index not in roles, "a second role"
        assert delta["role"] == "assistant"
        roles.add(index)
    assert isinstance(delta.get("content"), str | None)
    assert isinstance(delta.get("reasoning", ""), str)
    for name in ("tool_calls", "images", "annotations", "reasoning_details"):
        for item in delta.get(name, []):
            assert isinstance(item["index"], int)
    for call in delta.get("tool_calls", []):
        assert isinstance((call.get("function") or {}).get("arguments", ""), str)
    if choice["finish_reason"] is not None:
        assert index not in finished, "a second finish reason"
        assert choice["finish_reason"] in ("stop", "length", "tool_calls", "content_filter", "function_call")
        finished.add(index)


@each_protocol
@pytest.mark.parametrize("kind", ["a line without an end", "the same again", "zeros"])
def test_endless_streams_are_not_kept(subject: Subject, kind: str) -> None:
    """40 MB of anything: what a decoder remembers stays far below what it was fed."""
    start = subject.streams[0]
    piece = {"a line without an end": b"data: " + b"x" * 65_530, "the same again": start, "zeros": bytes(65_536)}[kind]
    fed = 0
    decoder = codec_of(subject).decoder(chat=chat("plain", streamed=True), to=deployment_of(subject))
    tracemalloc.start()
    try:
        while fed < (40_000_000 if kind != "the same again" else 1_500_000):
            fed += len(piece)
            if any(chunk.error is not None or chunk.done for chunk in decoder.feed(piece)):
                break
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 70 * 1024 * 1024
