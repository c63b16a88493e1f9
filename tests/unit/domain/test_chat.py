"""The typed messages of a chat are made when somebody looks at them."""

import msgspec
from msgspec import Raw

from llmgateway.domain.chat import Chat, ChatRequest, Message, Traits

SPAN = Raw(b'[{"role":"user","content":"Hello"}]')
TYPED = [Message("user", "Hello")]


def chat() -> Chat:
    traits = Traits({}, 5, rebuild=False, foreign=(), messages=1)
    return Chat(ChatRequest(model="m"), traits, {"messages": SPAN}, streamed=False)


def test_messages_are_decoded_once() -> None:
    asked = chat()
    assert asked.messages == TYPED
    assert asked.messages is asked.messages


def test_messages_that_are_known_are_not_decoded() -> None:
    known = [*TYPED]
    assert chat().knowing(known).messages is known


def test_other_words_about_the_same_messages_leave_them_decoded() -> None:
    asked = chat()
    messages = asked.messages
    other = asked.asking(ChatRequest(model="n"), raw={"messages": SPAN})
    assert (other.request.model, asked.request.model) == ("n", "m")
    assert other.messages is messages


def test_another_span_is_decoded_anew() -> None:
    asked = chat()
    assert asked.messages
    other = msgspec.structs.replace(asked, raw={"messages": Raw(b'[{"role":"system","content":"Hi"}]')})
    assert other.messages == [Message("system", "Hi")]
