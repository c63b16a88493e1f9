"""The members that Google's protocol knows, by the kind of object they are of, and what their values are. Names come in
snake or camel case; what belongs to the caller (schemas in JSON, arguments, responses) is left alone."""

from collections.abc import Mapping
from typing import Any, cast

from llmgateway.apps.simulator.dialect import InvalidAsk, Json

Kind = Mapping[str, "Kind | None"]
SCHEMA: dict[str, Any] = dict.fromkeys(
    (
        *("type", "format", "title", "description", "nullable", "enum", "maxItems", "minItems", "required"),
        *("minProperties", "maxProperties", "minLength", "maxLength", "pattern", "example", "propertyOrdering"),
        *("default", "minimum", "maximum"),
    )
)
_DATA: Kind = dict.fromkeys(("mimeType", "data", "displayName"))
_PART: Kind = {
    **dict.fromkeys(("text", "thought", "thoughtSignature", "videoMetadata", "mediaResolution", "partMetadata")),
    "inlineData": _DATA,
    "fileData": dict.fromkeys(("mimeType", "fileUri", "displayName")),
    "functionCall": dict.fromkeys(("id", "name", "args")),
    "functionResponse": dict.fromkeys(("id", "name", "response", "parts", "willContinue", "scheduling")),
    **dict.fromkeys(("executableCode", "codeExecutionResult", "toolCall", "toolResponse")),
}
_CONTENT: Kind = {"role": None, "parts": _PART}
_DECLARATION: Kind = {
    **dict.fromkeys(("name", "description", "behavior", "parametersJsonSchema", "responseJsonSchema", "response")),
    "parameters": None,
}
_TOOL: Kind = {
    **dict.fromkeys(("googleSearch", "googleSearchRetrieval", "codeExecution", "urlContext", "fileSearch")),
    **dict.fromkeys(("computerUse", "googleMaps", "mcpServers", "retrieval", "enterpriseWebSearch")),
    "functionDeclarations": _DECLARATION,
}
_CONFIG: Kind = {
    **dict.fromkeys(("stopSequences", "responseMimeType", "responseSchema", "responseJsonSchema", "candidateCount")),
    **dict.fromkeys(("maxOutputTokens", "temperature", "topP", "topK", "seed", "presencePenalty", "frequencyPenalty")),
    **dict.fromkeys(("responseLogprobs", "logprobs", "responseModalities", "speechConfig", "imageConfig")),
    **dict.fromkeys(("mediaResolution", "enableEnhancedCivicAnswers", "audioTimestamp", "routingConfig")),
    "thinkingConfig": dict.fromkeys(("includeThoughts", "thinkingBudget", "thinkingLevel")),
}
ONCE: Kind = {
    **dict.fromkeys(("model", "safetySettings", "cachedContent", "labels", "modelArmorConfig", "store", "serviceTier")),
    "contents": _CONTENT,
    "systemInstruction": _CONTENT,
    "tools": _TOOL,
    "toolConfig": {
        **dict.fromkeys(("retrievalConfig", "includeServerSideToolInvocations")),
        "functionCallingConfig": dict.fromkeys(("mode", "allowedFunctionNames", "streamFunctionCallArguments")),
    },
    "generationConfig": _CONFIG,
}


_REPEATED = ("contents", "parts", "tools", "functionDeclarations")


def camel(value: object, *, kind: Kind | None, name: str = "", place: str = "") -> Any:
    """The value of the member `name` with its own members' names in camel case. Raises InvalidAsk for one that the kind
    does not have."""
    if kind is None:
        return value
    if name in _REPEATED and isinstance(value, list):
        items = enumerate(cast("list[object]", value))
        return [camel(item, kind=kind, place=f"{place}[{at}]") for at, item in items]
    if not isinstance(value, dict):
        raise _invalid(f"Invalid value at '{place}'")
    found: Json = {}
    for given, member in cast("dict[str, object]", value).items():
        known = _camelled(given)
        if known not in kind:
            where = f" at '{place}'" if place else ""
            raise _invalid(f'Unknown name "{given}"{where}: Cannot find field.')
        if member is not None:
            inner = f"{place}.{given}" if place else given
            found[known] = camel(member, kind=kind[known], name=known, place=inner)
    return found


def _camelled(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join([word[:1].upper() + word[1:] for word in rest])


def _invalid(what: str) -> InvalidAsk:
    return InvalidAsk(f"Invalid JSON payload received. {what}")
