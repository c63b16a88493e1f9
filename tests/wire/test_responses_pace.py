"""An event of a response costs no more than twice what one of OpenAI's chat protocol costs on its decoding lane."""

import json
import time
from collections.abc import Callable

from llmgateway.wire.openai_chat.stream import ChatDecoder
from llmgateway.wire.openai_responses.answer import Answer
from llmgateway.wire.openai_responses.stream import ResponsesDecoder
from llmgateway.wire.upstream import Decoder
from tests.unit.wire.deployments import deployment

EVENTS = 1_000
TO = deployment()


def event(**members: object) -> bytes:
    return b"data: " + json.dumps(members, separators=(",", ":")).encode() + b"\n\n"


def chat_event(number: int) -> bytes:
    choice = {"index": 0, "delta": {"content": f" word{number}"}, "logprobs": None, "finish_reason": None}
    return event(
        id="chatcmpl-ABCDEFGHIJKLMNOPQRSTUVWXYZ123", object="chat.completion.chunk", created=1_700_000_000,
        model="gpt-4o-2024-08-06", service_tier="default", system_fingerprint="fp_1234567890", choices=[choice],
        usage=None, obfuscation="abcdefgh",
    )  # fmt: skip


def text_event(number: int) -> bytes:
    return event(
        type="response.output_text.delta", content_index=0, delta=f" word{number}", item_id="msg_0c7da7e19c79a80a",
        logprobs=[], obfuscation="fQvOfnnY5rnBwA", output_index=0, sequence_number=number,
    )  # fmt: skip


def thought_event(number: int) -> bytes:
    return event(
        type="response.reasoning_summary_text.delta", summary_index=0, delta=f" word{number}", item_id="rs_0c7da7e1",
        obfuscation="fQvOfnnY5rnBwA", output_index=0, sequence_number=number,
    )  # fmt: skip


def cost_s(decoder: Callable[[], Decoder], made: Callable[[int], bytes]) -> float:
    """CPU seconds for the events one by one, the best of ten runs."""
    events, best = [made(number) for number in range(EVENTS)], float("inf")
    for _ in range(10):
        feed, begun = decoder().feed, time.process_time()
        for one in events:
            feed(one)
        best = min(best, time.process_time() - begun)
    return best


def test_an_event_costs_no_more_than_twice_a_chat_event() -> None:
    """On a quiet machine the text of both costs 0.7 to 1, and reasoning with its details 0.9 to 1."""
    chat = cost_s(lambda: ChatDecoder(to=TO), chat_event)
    for made in (text_event, thought_event):
        assert cost_s(lambda: ResponsesDecoder(answer=Answer(reasoning_format="f"), to=TO), made) <= 2 * chat
