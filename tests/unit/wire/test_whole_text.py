"""A whole answer that is one text goes out as it would have, had its parts been looked at."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgateway.domain.reply import Chunk
from llmgateway.wire.openai_chat.encode import whole_answer
from llmgateway.wire.openai_chat.request import read_request
from llmgateway.wire.openai_chat.upstream import OpenAIChat
from llmgateway.wire.openai_chat.whole import read_whole
from tests.unit.wire.deployments import deployment

TO = deployment()
TEXTS = st.text(st.characters(blacklist_categories=["Cs"]), min_size=1)
REASONS = st.sampled_from(["stop", "length", "content_filter"])


def answer(text: str, reason: str = "stop", **members: Any) -> bytes:
    message = {"role": "assistant", "content": text, **members}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reason}
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    return json.dumps({"id": "x", "object": "chat.completion", "choices": [choice], "usage": usage}).encode()


def told(chunk: Chunk) -> bytes:
    return whole_answer(chunk, answer_id="a", created=1, model="m", usage=b"{}", metadata=b"{}", hide_reasoning=False)


@given(text=TEXTS, reason=REASONS)
def test_its_bytes_are_the_same(text: str, reason: str) -> None:
    body = answer(text, reason)
    forwarded, looked_at = read_whole(body, to=TO, forwards=True), read_whole(body, to=TO)
    assert forwarded.wire is not None
    assert not forwarded.choices
    assert looked_at.wire is None
    assert told(forwarded) == told(looked_at)
    assert (forwarded.wire.finish_reason, forwarded.wire.content_bytes) == (reason, len(text))
    assert (forwarded.id, forwarded.usage) == (looked_at.id, looked_at.usage)


@pytest.mark.parametrize(
    "body",
    [answer(""), answer("a", refusal="no"), answer("a", reasoning="b"), answer("a", tool_calls=[]), answer("a", "odd")],
)
def test_whatever_is_more_than_a_text_is_looked_at(body: bytes) -> None:
    assert read_whole(body, to=TO, forwards=True).wire is None


@pytest.mark.parametrize(
    ("fields", "quirks", "forwards"),
    [
        ({}, (), True),
        ({}, ("reasoning_object",), True),
        ({"stream": True}, (), False),
        ({"response_format": {"type": "json_object"}}, (), False),
        ({"plugins": [{"id": "response-healing"}]}, (), False),
        ({}, ("citations",), False),
        ({}, ("think_tags",), False),
    ],
)
def test_it_is_looked_at_where_somebody_may_change_it(
    fields: dict[str, Any], quirks: tuple[str, ...], *, forwards: bool
) -> None:
    chat = read_request(json.dumps({"model": "m", "messages": [{"role": "user", "content": "a"}], **fields}).encode())
    chunk = OpenAIChat().whole(answer("a"), chat=chat, to=deployment(quirks=quirks))
    assert (chunk.wire is not None) is forwards
