"""Rules by which requests to Anthropic's messages count as the same."""

from tests.wire.sameness.everywhere import Body, default, merged


def texts_are_blocks(body: Body) -> None:
    """A string of `content` or `system` is one text block (platform.claude.com/docs/en/api/messages)."""
    for holder, name in [(body, "system"), *[(message, "content") for message in body["messages"]]]:
        if isinstance(holder.get(name), str):
            holder[name] = [{"type": "text", "text": holder[name]}]
    for block in _blocks(body):
        if block["type"] == "tool_result" and isinstance(block.get("content"), str):
            block["content"] = [{"type": "text", "text": block["content"]}]


def turns_are_merged(body: Body) -> None:
    """Messages of one role in a row are one turn (platform.claude.com/docs/en/api/messages)."""
    body["messages"] = merged(body["messages"], "content")


def defaults_are_absent(body: Body) -> None:
    """Documented defaults: tools are custom ones, not strict, chosen by the model, several at once; caches live 5
    minutes; results are no errors; thinking is off, else of high effort; plain text has no citations."""
    default(body, thinking={"type": "disabled"}, stop_sequences=[], tools=[], system=[])
    for tool in body.get("tools", ()):
        default(tool, type="custom", strict=False)
    default(body.get("output_config", {}), effort="high")
    default(body, output_config={})
    if "tool_choice" in body:
        default(body["tool_choice"], disable_parallel_tool_use=False)
        default(body, tool_choice={"type": "auto"})
    for block in [*_blocks(body), *body.get("system", ()), *body.get("tools", ())]:
        default(block, is_error=False, caller={"type": "direct"}, citations=[])
        default(block.get("cache_control", {}), ttl="5m")


def format_has_its_newer_place(body: Body) -> None:
    """`output_format` is the older name of `output_config.format`
    (platform.claude.com/docs/en/build-with-claude/structured-outputs)."""
    if "output_format" in body:
        body.setdefault("output_config", {})["format"] = body.pop("output_format")


def _blocks(body: Body) -> list[Body]:
    contents = [message["content"] for message in body["messages"]]
    return [block for content in contents if isinstance(content, list) for block in content]
