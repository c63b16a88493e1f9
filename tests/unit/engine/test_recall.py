"""What models thought before they called tools comes back to them, for a day, in bounded memory, and to nobody else."""

from typing import Any

import msgspec
import pytest

from llmgateway.domain.chat import Chat
from llmgateway.domain.reply import Delta, ToolCallDelta
from llmgateway.domain.routing import Deployment, Protocol
from llmgateway.engine.recall import LIFE_S, Recall, Thought
from llmgateway.wire.openai_chat.request import read_request
from tests.support.fakes import offer, provider, request_body, snapshot

SIGNED = {"type": "reasoning.text", "text": "Hm.", "signature": "sig-1", "format": "anthropic-claude-v1", "index": 0}
HIDDEN = {"type": "reasoning.encrypted", "data": "xyz", "format": "google-gemini-v1", "index": 0}


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def at(name: str = "acme", *, protocol: Protocol = "anthropic") -> Deployment:
    row = provider(name, protocol=protocol)
    built = snapshot(offer(name), providers=[row], protocols=frozenset({protocol}))
    route = built.route("gpt-x")
    assert route is not None
    return route.offers[0].deployments[0]


def thought(*details: dict[str, Any], calls: tuple[str, ...] = ("call-1",)) -> Thought:
    made = Thought()
    for detail in details:
        made.add(Delta(reasoning_details=[detail]))
    made.add(Delta(tool_calls=[ToolCallDelta(index, id=call) for index, call in enumerate(calls)]))
    return made


def asking(*calls: str, **members: Any) -> Chat:
    made = [{"id": call, "type": "function", "function": {"name": "f", "arguments": "{}"}} for call in calls]
    body = request_body(
        messages=[
            {"role": "user", "content": "Hi", "x-unknown": [1.5]},
            {"role": "assistant", "content": None, "tool_calls": made, **members},
            *[{"role": "tool", "tool_call_id": call, "content": "1"} for call in calls],
        ],
        seed=7,
    )
    return read_request(body.replace(b"[1.5]", b"[1.50]"))


def details(chat: Chat) -> Any:
    """Of the assistant's message, in the typed view; the raw span must say the same."""
    typed = chat.messages[1].reasoning_details
    raw = msgspec.json.decode(chat.raw["messages"])[1].get("reasoning_details")
    plain = None if typed is None else msgspec.json.decode(msgspec.json.encode(typed))
    assert plain == raw
    return plain


def remembering(*details: dict[str, Any], **options: Any) -> Recall:
    recall = Recall(**options)
    recall.remember(thought(*details), project="p", of=at())
    return recall


def test_reasoning_comes_back_to_the_message_whose_calls_it_led_to() -> None:
    chat = asking("call-1")
    refilled = remembering(SIGNED).refilled(chat, project="p", to=at())
    assert details(refilled) == [SIGNED]
    assert refilled.traits.rebuild
    assert details(chat) is None


def test_everything_else_of_the_request_stays_as_the_caller_wrote_it() -> None:
    chat = asking("call-1")
    refilled = remembering(SIGNED).refilled(chat, project="p", to=at())
    assert b'"x-unknown":[1.50]' in bytes(refilled.raw["messages"])
    assert {name: span for name, span in refilled.raw.items() if name != "messages"} == {
        name: span for name, span in chat.raw.items() if name != "messages"
    }


def test_any_of_the_calls_of_a_message_finds_it() -> None:
    recall = Recall()
    recall.remember(thought(SIGNED, calls=("a", "b")), project="p", of=at())
    assert details(recall.refilled(asking("other", "b"), project="p", to=at())) == [SIGNED]


def test_pieces_of_a_stream_are_put_together() -> None:
    pieces = [
        {"type": "reasoning.text", "text": "H", "format": "anthropic-claude-v1", "index": 0},
        {"type": "reasoning.text", "text": "m.", "index": 0},
        {"type": "reasoning.text", "signature": "sig-1", "index": 0},
        {**HIDDEN, "index": 1},
    ]
    assert details(remembering(*pieces).refilled(asking("call-1"), project="p", to=at())) == [
        SIGNED,
        {**HIDDEN, "index": 1},
    ]


def test_a_callers_own_reasoning_is_left_alone() -> None:
    own = [{"type": "reasoning.text", "text": "mine"}]
    chat = asking("call-1", reasoning_details=own)
    assert remembering(SIGNED).refilled(chat, project="p", to=at()) is chat


@pytest.mark.parametrize(
    ("project", "call"), [("other", "call-1"), ("p", "call-2")], ids=["another project", "another call"]
)
def test_nobody_else_gets_it(project: str, call: str) -> None:
    chat = asking(call)
    assert remembering(SIGNED).refilled(chat, project=project, to=at()) is chat


def test_a_protocol_that_could_not_read_it_does_not_get_it() -> None:
    chat = asking("call-1")
    recall = remembering(SIGNED)
    assert recall.refilled(chat, project="p", to=at(protocol="google")) is chat
    assert recall.refilled(chat, project="p", to=at(protocol="openai-chat")) is chat


def test_claudes_signatures_go_to_any_provider_of_claude_but_encrypted_thoughts_only_to_their_own() -> None:
    assert details(remembering(SIGNED).refilled(asking("call-1"), project="p", to=at("other"))) == [SIGNED]
    recall = Recall()
    recall.remember(thought(HIDDEN), project="p", of=at(protocol="google"))
    assert details(recall.refilled(asking("call-1"), project="p", to=at(protocol="google"))) == [HIDDEN]
    chat = asking("call-1")
    assert recall.refilled(chat, project="p", to=at("other", protocol="google")) is chat


@pytest.mark.parametrize(
    "unsealed",
    [thought({"type": "reasoning.text", "text": "Hm.", "index": 0}), thought(SIGNED, calls=()), thought()],
    ids=["unsigned", "no calls", "nothing"],
)
def test_what_nobody_wants_back_is_not_kept(unsealed: Thought) -> None:
    recall = Recall()
    recall.remember(unsealed, project="p", of=at())
    assert recall.bytes_held == 0


def test_it_is_forgotten_after_a_day() -> None:
    clock = Clock()
    recall = remembering(SIGNED, monotonic=clock)
    chat = asking("call-1")
    clock.now += LIFE_S - 1
    assert recall.refilled(chat, project="p", to=at()) is not chat
    clock.now += 1
    assert recall.refilled(chat, project="p", to=at()) is chat
    recall.remember(thought(SIGNED, calls=("new",)), project="p", of=at())
    one = recall.bytes_held
    recall.remember(thought(SIGNED, calls=("new",)), project="p", of=at())
    assert recall.bytes_held == one


def test_memory_is_bounded_and_the_oldest_goes_first() -> None:
    recall = Recall(max_bytes=20_000)
    for number in range(1000):
        recall.remember(thought({**SIGNED, "text": "x" * 1000}, calls=(f"call-{number}",)), project="p", of=at())
    assert recall.bytes_held <= 20_000
    old, new = asking("call-1"), asking("call-999")
    assert recall.refilled(old, project="p", to=at()) is old
    assert recall.refilled(new, project="p", to=at()) is not new


def test_a_single_thought_that_is_too_large_is_not_kept() -> None:
    assert remembering({**SIGNED, "text": "x" * 2_000_000}).bytes_held == 0


def test_a_call_that_is_made_again_has_the_newer_thought() -> None:
    recall = remembering(SIGNED)
    recall.remember(thought({**SIGNED, "signature": "sig-2"}), project="p", of=at())
    assert details(recall.refilled(asking("call-1"), project="p", to=at()))[0]["signature"] == "sig-2"
