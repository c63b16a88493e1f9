"""Rules by which requests of the chat protocol, OpenAI's and compatible ones, count as the same."""

from tests.wire.dialects import NO_MODEL, in_our_words
from tests.wire.sameness.everywhere import Body, default


def dialects_are_ours(body: Body) -> None:
    """Vendors' SDKs have their own words for what OpenAI says otherwise (tests/wire/dialects.py)."""
    body.update(in_our_words(body))


def usage_is_always_asked_for(body: Body) -> None:
    """The gateway asks for the usage of every stream, since it accounts for it; whether a client is told is another
    matter."""
    if "stream_options" in body:
        default(body["stream_options"], include_usage=True)
        default(body, stream_options={})
    default(body, usage={"include": True})


def limit_has_one_name(body: Body) -> None:
    """`max_tokens` is the older name of `max_completion_tokens`
    (platform.openai.com/docs/api-reference/chat/create)."""
    if "max_tokens" in body:
        body.setdefault("max_completion_tokens", body.pop("max_tokens"))


def defaults_are_absent(body: Body) -> None:
    """No tools, no stop words and no functions are what an empty list says; a message without text is an empty one;
    reasoning of no characters (which DeepSeek and Moonshot insist on beside calls) is none."""
    default(body, tools=[], stop=[], functions=[], tool_choice="auto", n=1)
    for message in body["messages"]:
        if message["role"] in ("system", "developer", "user"):
            message.setdefault("content", "")
        default(message, reasoning_content="")


def usage_was_not_wanted(want: Body, got: Body) -> None:
    """A client that wants no usage is not told it; the provider is asked for it all the same."""
    default(want.get("stream_options", {}), include_usage=False)
    default(want, stream_options={})


def model_stood_in_the_path(want: Body, got: Body) -> None:
    """Azure names the deployment in the path, so that some clients leave the model out of the body."""
    if want["model"] == NO_MODEL:
        del want["model"]
        got.pop("model", None)


def tool_turns_have_a_reasoning(want: Body, got: Body) -> None:
    """Thinking models of DeepSeek and Moonshot refuse a turn that called tools without `reasoning_content`, so that the
    gateway sends an empty one, which says nothing (api-docs.deepseek.com/guides/thinking_mode); models that do not
    think, which were recorded without, take it."""
    for recorded, sent in zip(want["messages"], got["messages"], strict=False):
        if sent.get("tool_calls") and sent.get("reasoning_content") == "" and "reasoning_content" not in recorded:
            del sent["reasoning_content"]
