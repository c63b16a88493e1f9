"""What Bedrock refuses of a well-formed converse request, in its own words: order of roles and tool results, empty
texts, tools without a toolConfig, and (passed on from Anthropic's models) reasoning that was altered."""

import re
from collections.abc import Sequence

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from llmgateway.apps.simulator.bedrock.blocks import Block, Message, ToolConfig
from llmgateway.apps.simulator.dialect import InvalidAsk
from llmgateway.apps.simulator.reading import is_base64, mapping, plain, read
from llmgateway.apps.simulator.seal import decoded, is_envelope, is_signature

PURPOSE = "anthropic"
"""Signatures of Anthropic's models hold at every place that serves them
(https://docs.claude.com/en/docs/build-with-claude/extended-thinking)."""
_FORMATS = ("png", "jpeg", "gif", "webp")
_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_MODEL_SAID = "The model returned the following errors: "


class _SystemBlock(Struct, frozen=True):
    text: str | None = None


_SYSTEM: msgspec.json.Decoder[list[_SystemBlock]] = msgspec.json.Decoder(list[_SystemBlock])


def check_system(raw: Raw | UnsetType) -> None:
    for block in [] if raw is UNSET else read(raw, _SYSTEM):
        if block.text is not None and not block.text.strip():
            raise InvalidAsk("The text field in the ContentBlock object at system.0 is blank. Add text and try again.")


def check_tools(config: ToolConfig | None) -> None:
    if config is None:
        return
    if not config.tools:
        raise InvalidAsk("Value at 'toolConfig.tools' failed to satisfy constraint: length greater than or equal to 1")
    for at, tool in enumerate(config.tools):
        if tool.spec is None:
            continue
        if not _TOOL_NAME.fullmatch(tool.spec.name):
            where = f"toolConfig.tools.{at + 1}.member.toolSpec.name"
            raise InvalidAsk(
                f"Value at '{where}' failed to satisfy constraint: Member must satisfy regular expression pattern: "
                "[a-zA-Z0-9_-]+"
            )
        if mapping(tool.spec.schema.json).get("type") != "object":
            raise InvalidAsk(f"The value at toolConfig.tools.{at}.toolSpec.inputSchema.json.type must be: object.")


def check_messages(messages: Sequence[Message], *, tools: ToolConfig | None, thinks: bool) -> None:
    if not messages:
        raise InvalidAsk("A conversation must start with a user message. Try again with a conversation that does.")
    if messages[0].role != "user":
        raise InvalidAsk("A conversation must start with a user message. Try again with a conversation that does.")
    for at, message in enumerate(messages):
        if at and message.role == messages[at - 1].role:
            raise InvalidAsk(f"{_MODEL_SAID}messages: roles must alternate between user and assistant (messages.{at})")
        if not message.content:
            raise InvalidAsk(f"The content field in the Message object at messages.{at} is empty. Add a ContentBlock.")
        for index, block in enumerate(message.content):
            _check_block(block, place=f"messages.{at}.content.{index}", role=message.role)
    uses_tools = any(block.tool_use or block.tool_result for message in messages for block in message.content)
    if uses_tools and tools is None:
        raise InvalidAsk("The toolConfig field must be defined when using toolUse and toolResult content blocks.")
    _check_results(messages)
    if thinks:
        _check_last_turn(messages)


def _check_block(block: Block, *, place: str, role: str) -> None:
    kinds = block.kinds
    if len(kinds) != 1:
        raise InvalidAsk(
            f"The ContentBlock object at {place} must set one of the following keys: text, image, toolUse …"
        )
    if block.text is not None and not block.text.strip():
        raise InvalidAsk(
            f"The text field in the ContentBlock object at {place} is blank. Add text to it and try again."
        )
    if block.image is not None:
        if block.image.format not in _FORMATS:
            raise InvalidAsk(
                f"Value at '{place}.image.format' failed to satisfy constraint: enum value set: {_FORMATS}"
            )
        if block.image.source.bytes is not None and not is_base64(block.image.source.bytes):
            raise InvalidAsk(f"Could not process image at {place}: no valid base64")
    if (block.tool_use or block.reasoning_content) and role != "assistant":
        raise InvalidAsk(f"User messages cannot contain tool uses or reasoning ({place}).")
    if block.tool_use is not None and not isinstance(plain(block.tool_use.input), dict):
        raise InvalidAsk(f"The format of the value at {place}.toolUse.input is invalid. Provide a json object.")
    if block.tool_result is not None and role != "user":
        raise InvalidAsk(f"Assistant messages cannot contain tool results ({place}).")
    _check_reasoning(block, place=place)


def _check_reasoning(block: Block, *, place: str) -> None:
    if (reasoning := block.reasoning_content) is None:
        return
    if (text := reasoning.reasoning_text) is not None and not is_signature(
        text.signature or "", text.text, purpose=PURPOSE
    ):
        raise InvalidAsk(f"{_MODEL_SAID}{place}: Invalid `signature` in `thinking` block")
    hidden = reasoning.redacted_content
    if hidden is not None and not is_envelope(decoded(_text(decoded(hidden))) or b"", purpose=PURPOSE):
        raise InvalidAsk(f"{_MODEL_SAID}{place}: Invalid `data` in `redacted_thinking` block")


def _text(blob: bytes | None) -> str:
    return (blob or b"").decode("ascii", "replace")


def _check_results(messages: Sequence[Message]) -> None:
    for at, message in enumerate(messages):
        used = {block.tool_use.id for block in message.content if block.tool_use is not None}
        following = messages[at + 1].content if at + 1 < len(messages) else None
        given = {block.tool_result.id for block in following or () if block.tool_result is not None}
        if following is not None and used - given:
            raise InvalidAsk(
                f"Expected toolResult blocks at messages.{at + 1}.content for the following Ids: "
                f"{', '.join(sorted(used - given))}"
            )
        before = messages[at - 1].content if at else []
        known = {block.tool_use.id for block in before if block.tool_use is not None}
        results = [block.tool_result.id for block in message.content if block.tool_result is not None]
        if any(one not in known for one in results):
            raise InvalidAsk(
                f"The number of toolResult blocks at messages.{at}.content exceeds the number of toolUse blocks of "
                "previous turn."
            )


def _check_last_turn(messages: Sequence[Message]) -> None:
    """With thinking on, a tool loop under way must have kept the thoughts it began with."""
    for at in range(len(messages) - 1, -1, -1):
        blocks = messages[at].content
        if messages[at].role == "user" and all(block.tool_result is None for block in blocks):
            return
        if messages[at].role == "assistant" and blocks[0].reasoning_content is None:
            raise InvalidAsk(
                f"{_MODEL_SAID}messages.{at}.content.0.type: Expected `thinking` or `redacted_thinking`. When "
                "`thinking` is enabled, a final `assistant` message must start with a thinking block."
            )
