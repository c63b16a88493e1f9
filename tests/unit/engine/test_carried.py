"""What the line carries for a deployment besides the body: signatures, and reasoning that a client did not return."""

from typing import Any

import pytest

from llmgateway.domain import errors
from llmgateway.domain.chat import Chat, JsonObject
from llmgateway.domain.errors import UpstreamError
from llmgateway.domain.routing import Deployment, HttpRequest
from llmgateway.engine.snapshot import Snapshot
from llmgateway.wire.openai_chat.upstream import OpenAIChat
from tests.support.fakes import DONE, JSON, Bench, Script, event, offer, provider, snapshot, whole

SIGNED: dict[str, Any] = {
    "type": "reasoning.text", "text": "Hm.", "signature": "sig-1", "format": "anthropic-claude-v1", "index": 0
}  # fmt: skip
CALL: dict[str, Any] = {
    "index": 0, "id": "call-1", "type": "function", "function": {"name": "f", "arguments": "{}"}
}  # fmt: skip
TOOLS = [{"type": "function", "function": {"name": "f"}}]
TURN = [
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": None, "tool_calls": [{name: CALL[name] for name in ("id", "type", "function")}]},
    {"role": "tool", "tool_call_id": "call-1", "content": "1"},
]


class Replaying(OpenAIChat):
    """A codec of a protocol that replays reasoning; it notes what it was given."""

    def __init__(self) -> None:
        self.seen: list[Chat] = []

    def build(self, chat: Chat, *, to: Deployment) -> tuple[HttpRequest, tuple[str, ...]]:
        self.seen.append(chat)
        return super().build(chat, to=to)

    @property
    def replayed(self) -> list[JsonObject] | None:
        return self.seen[-1].messages[1].reasoning_details


def claude() -> Snapshot:
    return snapshot(offer(), providers=[provider(protocol="anthropic")], protocols=frozenset({"anthropic"}))


def whole_call(*details: dict[str, Any]) -> Script:
    message = {"role": "assistant", "content": None, "tool_calls": [CALL], "reasoning_details": list(details)}
    body = whole(choices=[{"index": 0, "message": message, "finish_reason": "tool_calls"}])
    return Script(body, headers=JSON)


def streamed_call(*details: dict[str, Any]) -> Script:
    thoughts = [event({"reasoning_details": [detail]}) for detail in details]
    return Script(*thoughts, event({"tool_calls": [CALL]}), event({}, finish="tool_calls"), DONE)


async def asked_twice(first: Script, *, stream: bool) -> Replaying:
    codec = Replaying()
    bench = Bench(first, Script(whole(), headers=JSON), snapshot_=claude(), codecs={"anthropic": codec})
    await bench.ask(tools=TOOLS, stream=stream)
    bench.down = type(bench.down)()
    await bench.ask(messages=TURN, tools=TOOLS)
    assert bench.bugs == []
    return codec


@pytest.mark.parametrize("stream", [False, True])
async def test_signed_reasoning_comes_back_to_the_next_turn_of_a_client_that_dropped_it(*, stream: bool) -> None:
    codec = await asked_twice((streamed_call if stream else whole_call)(SIGNED), stream=stream)
    assert codec.replayed is not None
    assert [bytes(item["signature"]) for item in codec.replayed] == [b'"sig-1"']


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_without_signed_reasoning_leaves_nothing_behind(*, stream: bool) -> None:
    codec = await asked_twice((streamed_call if stream else whole_call)(), stream=stream)
    assert codec.replayed is None


async def test_reasoning_hidden_from_the_caller_is_remembered_all_the_same() -> None:
    codec = Replaying()
    bench = Bench(whole_call(SIGNED), Script(whole(), headers=JSON), snapshot_=claude(), codecs={"anthropic": codec})
    down = await bench.ask(tools=TOOLS, include_reasoning=False)
    assert "reasoning_details" not in down.answer["choices"][0]["message"]
    bench.down = type(bench.down)()
    await bench.ask(messages=TURN, tools=TOOLS)
    assert codec.replayed is not None


async def test_a_stream_that_broke_off_is_not_remembered() -> None:
    broken = Script(
        event({"reasoning_details": [SIGNED]}), event({"tool_calls": [CALL]}), event(error={"message": "overloaded"})
    )
    assert (await asked_twice(broken, stream=True)).replayed is None


class FakeSigner:
    def __init__(self, failure: UpstreamError | None = None) -> None:
        self.signed: list[bytes] = []
        self._failure = failure

    async def sign(self, request: HttpRequest, *, to: Deployment) -> HttpRequest:
        self.signed.append(request.head)
        if self._failure is not None:
            raise self._failure
        return HttpRequest(request.origin, request.head + b"x-signed: 1\r\n", request.body)


async def test_only_deployments_whose_key_signs_ask_the_signer() -> None:
    signer = FakeSigner()
    plain = Bench(Script(whole(), headers=JSON), signer=signer)
    await plain.ask()
    assert signer.signed == []
    row = provider(auth="google")
    signing = Bench(Script(whole(), headers=JSON), snapshot_=snapshot(providers=[row]), signer=signer)
    await signing.ask()
    assert len(signer.signed) == 1
    assert signing.transport.requests[0].head.endswith(b"x-signed: 1\r\n")


async def test_a_signature_covers_what_the_line_adds_to_the_head() -> None:
    from llmgateway.engine.exchange import RequestFacts

    signer = FakeSigner()
    of = snapshot(providers=[provider(auth="google")])
    await Bench(Script(whole(), headers=JSON), snapshot_=of, signer=signer).ask(
        facts=RequestFacts("r", hops=b"other-gateway")
    )
    assert b"x-llmgateway-hop: other-gateway\r\n" in signer.signed[0]


async def test_a_key_that_cannot_sign_is_a_failed_attempt_that_blames_the_credential() -> None:
    failure = UpstreamError(errors.UPSTREAM_AUTH, "A Google credential cannot be used: Google refuses it.")
    bench = Bench(snapshot_=snapshot(providers=[provider(auth="google")]), signer=FakeSigner(failure))
    down = await bench.ask()
    assert down.status == 502
    assert down.answer["error"]["code"] == "upstream_auth_error"
    assert bench.journal.attempts[0]["error_type"] == "auth_error"
    assert bench.transport.requests == []
