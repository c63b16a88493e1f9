"""What OpenAI refuses of a responses request whose members it knows, in its own words: parts that do not fit their
role, calls without outputs and outputs without calls, reasoning that is not its own or stands alone
(https://platform.openai.com/docs/guides/reasoning)."""

from collections.abc import Sequence

from msgspec import UNSET

from llmgateway.apps.simulator.dialect import InvalidAsk
from llmgateway.apps.simulator.reading import plain
from llmgateway.apps.simulator.responses.items import Item, parts_of
from llmgateway.apps.simulator.seal import decoded, is_envelope

PURPOSE = "responses"
PREFIX = "gAAAA"
"""What encrypted content begins with on the real wire."""
MIN_OUTPUT = 16
_ROLES = ("user", "assistant", "system", "developer")
_INPUT = ("text", "input_text", "input_image", "input_file", "input_audio")
_OUTPUT = ("text", "output_text", "refusal")


def check_items(items: Sequence[Item]) -> None:
    for at, item in enumerate(items):
        place = f"input[{at}]"
        if item.type == "message":
            _check_message(item, place=place)
        elif item.type == "function_call":
            _check_call(item, place=place)
        elif item.type == "function_call_output" and (item.call_id is None or item.output is UNSET):
            raise _missing(f"{place}.call_id" if item.call_id is None else f"{place}.output")
        elif item.type == "reasoning":
            _check_reasoning(item, items[at + 1 : at + 2], place=place)
    _check_outputs(items)


def _check_message(item: Item, *, place: str) -> None:
    if item.role not in _ROLES:
        message = f"Invalid value: '{item.role}'. Supported values are: 'assistant', 'system', 'developer', and 'user'."
        raise InvalidAsk(message, code="invalid_value", param=f"{place}.role")
    if item.content is UNSET:
        raise _missing(f"{place}.content")
    known = _OUTPUT if item.role == "assistant" else _INPUT
    for index, part in enumerate(parts_of(item.content)):
        if part.type not in known:
            values = ", ".join([f"'{kind}'" for kind in known if kind != "text"])
            message = f"Invalid value: '{part.type}'. Supported values are: {values}."
            raise InvalidAsk(message, code="invalid_value", param=f"{place}.content[{index}]")
        if part.type == "input_image" and not (part.image_url or "").startswith(("data:image/", "https://", "http://")):
            where = f"{place}.content[{index}].image_url"
            message = f"Invalid '{where}'. Expected a valid URL, but got a value with an invalid format."
            raise InvalidAsk(message, code="invalid_value", param=where)


def _check_call(item: Item, *, place: str) -> None:
    for name, value in (("call_id", item.call_id), ("name", item.name), ("arguments", item.arguments)):
        if value is None or value is UNSET:
            raise _missing(f"{place}.{name}")
    if not isinstance(plain(item.arguments), str):
        message = f"Invalid type for '{place}.arguments': expected a string, but got an object instead."
        raise InvalidAsk(message, code="invalid_type", param=f"{place}.arguments")
    if item.id is not None and not item.id.startswith("fc"):
        message = f"Invalid '{place}.id': '{item.id}'. Expected an ID that begins with 'fc'."
        raise InvalidAsk(message, code="invalid_value", param=f"{place}.id")


def _check_reasoning(item: Item, following: Sequence[Item], *, place: str) -> None:
    if item.summary is UNSET:
        raise _missing(f"{place}.summary")
    if item.id is not None and not item.id.startswith("rs"):
        message = f"Invalid '{place}.id': '{item.id}'. Expected an ID that begins with 'rs'."
        raise InvalidAsk(message, code="invalid_value", param=f"{place}.id")
    if item.encrypted_content is None:
        message = f"Item with id '{item.id}' not found. Items are not persisted when `store` is set to false."
        raise InvalidAsk(message, status=404, param="input")
    content = item.encrypted_content
    if not content.startswith(PREFIX) or not is_envelope(decoded(content[len(PREFIX) :]) or b"", purpose=PURPOSE):
        message = (
            f"The encrypted content {content[:4]}...{content[-4:]} could not be verified. Reason: Encrypted "
            "content could not be decrypted or parsed."
        )
        raise InvalidAsk(message, code="invalid_encrypted_content")
    follows = following[0] if following else None
    own = follows is not None and (follows.type != "message" or follows.role == "assistant")
    if not own or (follows is not None and follows.type == "function_call_output"):
        message = f"Item '{item.id}' of type 'reasoning' was provided without its required following item."
        raise InvalidAsk(message, param="input")


def _check_outputs(items: Sequence[Item]) -> None:
    """Each call has its output behind it, each output its call before it."""
    called: dict[str | None, bool] = {}
    for item in items:
        if item.type == "function_call":
            called[item.call_id] = False
        elif item.type == "function_call_output":
            if item.call_id not in called:
                message = f"No tool call found for function call output with call_id {item.call_id}."
                raise InvalidAsk(message, param="input")
            called[item.call_id] = True
    for call_id, answered in called.items():
        if not answered:
            raise InvalidAsk(f"No tool output found for function call {call_id}.", param="input")


def _missing(param: str) -> InvalidAsk:
    return InvalidAsk(f"Missing required parameter: '{param}'.", code="missing_required_parameter", param=param)
