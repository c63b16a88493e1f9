"""Reads a Bedrock converse request
(https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html): from bytes to the protocol-neutral
Ask; rules.py has what a well-formed one must obey."""

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from llmgateway.apps.simulator.bedrock import rules
from llmgateway.apps.simulator.bedrock.blocks import Message, ToolConfig, result_text
from llmgateway.apps.simulator.dialect import Asked, InvalidAsk
from llmgateway.apps.simulator.reading import MEMBERS, read, refuse_unknown, size_of
from llmgateway.apps.simulator.scenario import Ask, Offer

_FIELDS = (
    *("messages", "system", "inferenceConfig", "toolConfig", "guardrailConfig", "additionalModelRequestFields"),
    *("additionalModelResponseFieldPaths", "promptVariables", "requestMetadata", "performanceConfig", "serviceTier"),
    *("outputConfig",),
)


class _Inference(Struct, frozen=True):
    maxTokens: int | None = None  # noqa: N815 - as on the wire
    temperature: float | None = None
    topP: float | None = None  # noqa: N815 - as on the wire
    stopSequences: list[str] | None = None  # noqa: N815 - as on the wire


class _JsonSchema(Struct, frozen=True):
    schema: str
    name: str | None = None


class _Structure(Struct, frozen=True, rename={"schema": "jsonSchema"}):
    schema: _JsonSchema | None = None


class _TextFormat(Struct, frozen=True):
    type: str
    structure: _Structure | None = None


class _Output(Struct, frozen=True, rename={"form": "textFormat"}):
    form: _TextFormat | None = None


class _Thinking(Struct, frozen=True):
    type: str
    budget_tokens: int | None = None


class _Further(Struct, frozen=True):
    thinking: _Thinking | None = None


class _Body(Struct, frozen=True, rename="camel", kw_only=True):
    messages: Raw
    system: Raw | UnsetType = UNSET
    inference_config: _Inference | None = None
    tool_config: ToolConfig | None = None
    additional_model_request_fields: _Further | None = None
    output_config: _Output | None = None


_BODY = msgspec.json.Decoder(_Body)
_MESSAGES: msgspec.json.Decoder[list[Message]] = msgspec.json.Decoder(list[Message])


def ask_of(asked: Asked) -> Ask:
    """Raises InvalidAsk."""
    members = read(asked.request.body, MEMBERS)
    refuse_unknown(members, known=_FIELDS, message="#: extraneous key [{name}] is not permitted")
    body = read(asked.request.body, _BODY)
    messages = read(body.messages, _MESSAGES)
    further = body.additional_model_request_fields
    thinking = None if further is None else further.thinking
    rules.check_system(body.system)
    rules.check_tools(body.tool_config)
    rules.check_messages(messages, tools=body.tool_config, thinks=thinking is not None and thinking.type != "disabled")
    return _ask(asked, body, messages, size_of(body.system, body.messages, members.get("toolConfig")))


def _ask(asked: Asked, body: _Body, messages: list[Message], prompt_tokens: int) -> Ask:
    config = body.inference_config or _Inference()
    tools = body.tool_config
    choice = None if tools is None else tools.choice
    specs = [] if tools is None else [tool.spec for tool in tools.tools if tool.spec is not None]
    schema = _schema(body.output_config)
    return Ask(
        model=asked.model,
        text=_last_text(messages),
        turns=len(messages),
        tools=tuple([Offer(spec.name, spec.schema.json) for spec in specs]),
        forced=None if choice is None or choice.tool is None else choice.tool.name,
        tool_result=_last_result(messages),
        json=schema is not None,
        schema=schema,
        limit=config.maxTokens,
        stop=tuple(config.stopSequences or ()),
        stream=asked.action == "stream",
        include_usage=True,
        prompt_tokens=prompt_tokens,
    )


def _schema(output: _Output | None) -> object:
    form = None if output is None else output.form
    if form is None or form.structure is None or form.structure.schema is None:
        return None
    try:
        return msgspec.json.decode(form.structure.schema.schema)
    except msgspec.DecodeError:
        raise InvalidAsk("The JSON schema of outputConfig.textFormat is no valid JSON.") from None


def _last_text(messages: list[Message]) -> str:
    for message in reversed(messages):
        texts = [block.text for block in message.content if block.text is not None]
        if message.role == "user" and texts:
            return "".join(texts)
    return ""


def _last_result(messages: list[Message]) -> str | None:
    for message in reversed(messages):
        for block in reversed(message.content):
            if block.tool_result is not None:
                return result_text(block.tool_result)
    return None
