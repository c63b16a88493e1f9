"""Rules by which requests to Cohere's v2 chat count as the same."""

from tests.wire.sameness.everywhere import Body, default


def texts_are_parts(body: Body) -> None:
    """A string of `content` is one text part (docs.cohere.com/v2/reference/chat)."""
    for message in body["messages"]:
        if isinstance(message.get("content"), str):
            message["content"] = [{"type": "text", "text": message["content"]}]


def defaults_are_absent(body: Body) -> None:
    """Models that can reason do so unless they are told not to (docs.cohere.com/docs/reasoning)."""
    default(body, thinking={"type": "enabled"}, stop_sequences=[], tools=[])
