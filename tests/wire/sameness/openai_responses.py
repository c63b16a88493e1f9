"""Rules by which requests to OpenAI's responses count as the same."""

from tests.wire.sameness.everywhere import Body, default, parsed


def instructions_are_a_message(body: Body) -> None:
    """`instructions` are a developer message before all others, and `system` is the older name of that role
    (platform.openai.com/docs/guides/text#message-roles-and-instruction-following)."""
    if isinstance(body["input"], str):
        body["input"] = [{"role": "user", "content": body["input"]}]
    instructions = body.pop("instructions", None)
    if instructions:
        body["input"].insert(0, {"role": "developer", "content": instructions})
    for item in body["input"]:
        if item.get("role") == "system":
            item["role"] = "developer"


def texts_are_parts(body: Body) -> None:
    """A string of `content` is one text part; what stands beside a text or its encrypted form (ids of stored copies,
    states, empty lists) tells the model nothing."""
    for item in body["input"]:
        if item.get("type", "message") == "message":
            item["type"] = "message"
            kind = "output_text" if item["role"] == "assistant" else "input_text"
            if isinstance(item["content"], str):
                item["content"] = [{"type": kind, "text": item["content"]}]
            for part in item["content"]:
                if part["type"] in ("text", "input_text", "output_text"):
                    part["type"] = kind
                default(part, annotations=[], logprobs=[])
        if item["type"] != "reasoning" or "encrypted_content" in item:
            item.pop("id", None)
        default(item, status="completed")


def defaults_are_absent(body: Body) -> None:
    """Documented defaults: tools are chosen by the model, several at once, and held to their schema; nothing runs in
    the background; images have the detail that fits."""
    default(body, tool_choice="auto", parallel_tool_calls=True, background=False, truncation="disabled", tools=[])
    default(body, service_tier="auto", text={"format": {"type": "text"}}, include=[])
    default(body.get("text", {}), format={"type": "text"})
    default(body, text={}, reasoning={})
    for tool in body.get("tools", ()):
        if tool["type"] == "function":
            tool.setdefault("strict", True)
    for item in body["input"]:
        for part in item.get("content") or ():
            default(part, detail="auto")


def arguments_are_read(body: Body) -> None:
    """Arguments of a call are a string that holds JSON; white space in it means nothing."""
    for item in body["input"]:
        if item.get("type") == "function_call":
            item["arguments"] = parsed(item["arguments"])


def state_is_the_gateways(body: Body) -> None:
    """The gateway keeps no state at OpenAI: by its own rule (docs/providers.md) it asks for encrypted reasoning, and
    for nothing to be stored unless a client wants it. Neither changes what a model reads."""
    if "include" in body:
        body["include"] = [name for name in body["include"] if name != "reasoning.encrypted_content"]
    default(body, store=False, include=[])


def summary_was_added(want: Body, got: Body) -> None:
    """The gateway asks for summaries of reasoning (`summary: auto`) where a client has not chosen, since nothing else
    of it can be shown."""
    if "summary" not in want.get("reasoning", {}):
        default(got.get("reasoning", {}), summary="auto")
        default(got, reasoning={})
