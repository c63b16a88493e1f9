"""What Anthropic refuses of a well-formed request, in its own words: order of roles and tool results, empty texts,
thinking and its signatures, tools, cache breakpoints (https://docs.claude.com/en/api/messages). A gateway that
translates into this protocol has to keep these rules, so the simulator does not let it off."""

import re
from collections.abc import Sequence
from typing import Literal

from msgspec import UNSET

from llmgateway.apps.simulator.anthropic.blocks import Block, Message, Thinking, Tool, ToolChoice
from llmgateway.apps.simulator.dialect import InvalidAsk
from llmgateway.apps.simulator.reading import is_base64, plain
from llmgateway.apps.simulator.seal import decoded, is_envelope, is_signature

PURPOSE = "anthropic"
_MAX_BREAKPOINTS = 4
_MIN_BUDGET = 1024
_IMAGES = ("image/jpeg", "image/png", "image/gif", "image/webp")
_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_TYPES = (
    *("text", "image", "document", "search_result", "thinking", "redacted_thinking", "tool_use", "tool_result"),
    *("server_tool_use", "web_search_tool_result", "web_fetch_tool_result", "code_execution_tool_result"),
    *("bash_code_execution_tool_result", "text_editor_code_execution_tool_result", "tool_search_tool_result"),
    *("mcp_tool_use", "mcp_tool_result", "container_upload", "compaction"),
)
_THINKING_DOCS = "https://docs.claude.com/en/docs/build-with-claude/extended-thinking"


def check_sampling(
    *, max_tokens: int, thinking: Thinking | None, choice: ToolChoice | None, temperature: float | None
) -> None:
    if max_tokens < 1:
        raise InvalidAsk("max_tokens: Input should be greater than or equal to 1")
    if temperature is not None and not 0 <= temperature <= 1:
        raise InvalidAsk("temperature: range: 0..1")
    if thinking is None or thinking.type == "disabled":
        return
    if thinking.type == "enabled":
        if thinking.budget_tokens is None:
            raise InvalidAsk("thinking.enabled.budget_tokens: Field required")
        if thinking.budget_tokens < _MIN_BUDGET:
            raise InvalidAsk("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024")
        if thinking.budget_tokens >= max_tokens:
            raise InvalidAsk("`max_tokens` must be greater than `thinking.budget_tokens`.")
    if temperature not in (None, 1):
        raise InvalidAsk("`temperature` may only be set to 1 when thinking is enabled.")
    if choice is not None and choice.type in ("any", "tool"):
        raise InvalidAsk("Thinking may not be enabled when tool_choice forces tool use.")


def check_tools(tools: Sequence[Tool], *, choice: ToolChoice | None) -> None:
    for at, tool in enumerate(tools):
        if tool.type not in (None, "custom"):
            continue
        if not _TOOL_NAME.fullmatch(tool.name):
            raise InvalidAsk(f"tools.{at}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'")
        if tool.input_schema is UNSET:
            raise InvalidAsk(f"tools.{at}.custom.input_schema: Field required")
        schema = plain(tool.input_schema)
        if not isinstance(schema, dict) or "type" not in schema:
            raise InvalidAsk(f"tools.{at}.custom.input_schema.type: Field required")
        if schema["type"] != "object":
            raise InvalidAsk(f"tools.{at}.custom.input_schema.type: Input should be 'object'")
    if len({tool.name for tool in tools}) < len(tools):
        raise InvalidAsk("tools: Tool names must be unique.")
    if choice is not None and choice.type != "none" and not tools:
        raise InvalidAsk("tool_choice may only be specified while providing tools")
    if choice is not None and choice.type == "tool" and choice.name not in {tool.name for tool in tools}:
        raise InvalidAsk(f"Tool '{choice.name}' not found in provided tools")


def check_messages(messages: Sequence[Message], *, thinks: bool) -> None:
    if not messages:
        raise InvalidAsk("messages: at least one message is required")
    if messages[0].role == "assistant":
        raise InvalidAsk('messages: first message must use the "user" role')
    for at, message in enumerate(messages):
        if not message.content and (at < len(messages) - 1 or message.role == "user"):
            raise InvalidAsk(f"messages.{at}: all messages must have non-empty content except for the optional final")
        for place, block in enumerate(message.blocks):
            _check_block(block, place=f"messages.{at}.content.{place}", role=message.role)
    last = messages[-1].blocks[-1:] if messages[-1].role == "assistant" else []
    if last and last[0].type == "text" and (last[0].text or "") != (last[0].text or "").rstrip():
        raise InvalidAsk("messages: final assistant content cannot end with trailing whitespace")
    _check_results(messages)
    if thinks:
        _check_last_turn(messages)


def _check_block(block: Block, *, place: str, role: Literal["user", "assistant", "system"]) -> None:
    if block.type not in _TYPES:
        raise InvalidAsk(
            f"{place}: Input tag '{block.type}' found using 'type' does not match any of the expected tags"
        )
    if block.type == "text" and not (block.text or "").strip():
        what = "contain non-whitespace text" if block.text else "be non-empty"
        raise InvalidAsk(f"messages: text content blocks must {what}")
    if block.type == "image":
        _check_image(block, place=place)
    if block.type in ("tool_use", "thinking", "redacted_thinking") and role != "assistant":
        raise InvalidAsk(f"{place}: `{block.type}` blocks can only be in `assistant` messages")
    if block.type == "tool_result" and role != "user":
        raise InvalidAsk(f"{place}: `tool_result` blocks can only be in `user` messages")
    if block.type == "tool_use" and (not block.id or not block.name or not isinstance(plain(block.input), dict)):
        raise InvalidAsk(f"{place}.tool_use.input: Input should be a valid dictionary")
    if block.type == "thinking":
        if block.thinking is None or block.signature is None:
            raise InvalidAsk(f"{place}.thinking.signature: Field required")
        if not is_signature(block.signature, block.thinking, purpose=PURPOSE):
            raise InvalidAsk(f"{place}: Invalid `signature` in `thinking` block")
    if block.type == "redacted_thinking" and not is_envelope(decoded(block.data or "") or b"", purpose=PURPOSE):
        raise InvalidAsk(f"{place}: Invalid `data` in `redacted_thinking` block")


def _check_image(block: Block, *, place: str) -> None:
    source = block.source
    if source is None:
        raise InvalidAsk(f"{place}.image.source: Field required")
    if source.type == "base64":
        if source.media_type not in _IMAGES:
            raise InvalidAsk(f"{place}.image.source.base64.media_type: Input should be one of {', '.join(_IMAGES)}")
        if not source.data or not is_base64(source.data):
            raise InvalidAsk(f"{place}.image.source.base64: invalid base64 data")
    elif source.type == "url" and not (source.url or "").startswith("https://"):
        raise InvalidAsk(f"{place}.image.source.url.url: Only HTTPS URLs are supported.")


def _check_results(messages: Sequence[Message]) -> None:
    """Each tool_use is answered at the beginning of the next message, and nothing else is."""
    for at, message in enumerate(messages):
        asked = {block.id for block in message.blocks if block.type == "tool_use"}
        if asked and at + 1 < len(messages):
            missing = asked - set(_leading_results(messages[at + 1]))
            if missing:
                names = ", ".join(sorted(filter(None, missing)))
                raise InvalidAsk(
                    f"messages.{at + 1}: `tool_use` ids were found without `tool_result` blocks immediately after: "
                    f"{names}. Each `tool_use` block must have a corresponding `tool_result` block in the next message."
                )
        before = messages[at - 1].blocks if at else []
        known = {block.id for block in before if block.type == "tool_use"}
        for place, block in enumerate(message.blocks):
            if block.type == "tool_result" and block.tool_use_id not in known:
                raise InvalidAsk(
                    f"messages.{at}.content.{place}: unexpected `tool_use_id` found in `tool_result` blocks: "
                    f"{block.tool_use_id}. Each `tool_result` block must have a corresponding `tool_use` block in the "
                    "previous message."
                )


def _leading_results(message: Message) -> list[str | None]:
    found: list[str | None] = []
    for block in message.blocks:
        if block.type != "tool_result":
            break
        found.append(block.tool_use_id)
    return found


def _check_last_turn(messages: Sequence[Message]) -> None:
    """With thinking on, a tool loop under way must have kept the thoughts it began with."""
    for at in range(len(messages) - 1, -1, -1):
        blocks = messages[at].blocks
        if messages[at].role == "user" and not any(block.type == "tool_result" for block in blocks):
            return
        if messages[at].role == "assistant" and blocks and blocks[0].type not in ("thinking", "redacted_thinking"):
            raise InvalidAsk(
                f"messages.{at}.content.0.type: Expected `thinking` or `redacted_thinking`, but found "
                f"`{blocks[0].type}`. When `thinking` is enabled, a final `assistant` message must start with a "
                "thinking block (preceeding the lastmost set of `tool_use` and `tool_result` blocks). To avoid this "
                f"requirement, disable `thinking`. Please consult our documentation at {_THINKING_DOCS}"
            )


def check_breakpoints(messages: Sequence[Message], *, tools: Sequence[Tool], system: Sequence[Block]) -> None:
    marked = [tool.cache_control for tool in tools] + [block.cache_control for block in system]
    marked += [block.cache_control for message in messages for block in message.blocks]
    count = len([mark for mark in marked if mark is not None])
    if count > _MAX_BREAKPOINTS:
        raise InvalidAsk(f"A maximum of 4 blocks with cache_control may be provided. Found {count}.")
