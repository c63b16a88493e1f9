"""Rules by which requests to Google's generateContent count as the same."""

from tests.support.google_schema import json_schema
from tests.wire.sameness.everywhere import Body, default, merged


def model_stands_in_the_path(body: Body) -> None:
    """Some clients repeat the model of the path in the body."""
    body.pop("model", None)


def roles(body: Body) -> None:
    """Results of functions come from the user, under the older name `function` too; a system instruction has no role
    (ai.google.dev/api/caching#Content)."""
    for content in body["contents"]:
        content["role"] = {"function": "user"}.get(content.get("role", "user"), content.get("role", "user"))
    if "systemInstruction" in body:
        body["systemInstruction"].pop("role", None)


def turns_are_merged(body: Body) -> None:
    """Contents of one role in a row are one turn."""
    body["contents"] = merged(body["contents"], "parts")


def ids_pair_calls_with_results(body: Body) -> None:
    """All that an id of a call does is to say which result is its own; without ids, names and order say it
    (ai.google.dev/gemini-api/docs/function-calling). So calls are numbered, and results bear their call's number."""
    calls: list[tuple[str, str | None]] = []
    answered: set[int] = set()
    for content in body["contents"]:
        for part in content["parts"]:
            if "functionCall" in part:
                call = part["functionCall"]
                calls.append((call["name"], call.get("id")))
                call["id"] = len(calls)
            elif "functionResponse" in part:
                result = part["functionResponse"]
                found = _call_of(result, calls, answered)
                answered.add(found)
                result["id"] = found


def _call_of(result: Body, calls: list[tuple[str, str | None]], answered: set[int]) -> int:
    """The number of the call, 0 if there is none."""
    open_calls = [(at, name, given) for at, (name, given) in enumerate(calls, 1) if at not in answered]
    by_id = [at for at, _, given in open_calls if given is not None and given == result.get("id")]
    return next(iter([*by_id, *[at for at, name, _ in open_calls if name == result["name"]]]), 0)


def sound_has_one_name(body: Body) -> None:
    """`audio/mp3` is what many call `audio/mpeg` (RFC 3003); Google documents the one and takes both."""
    for content in body["contents"]:
        for part in content["parts"]:
            if part.get("inlineData", {}).get("mimeType") == "audio/mp3":
                part["inlineData"]["mimeType"] = "audio/mpeg"


def schemas_are_json_schemas(body: Body) -> None:
    """A schema may be sent as Google's subset of OpenAPI or as the JSON Schema it stands for
    (ai.google.dev/api/caching#FunctionDeclaration)."""
    config = body.get("generationConfig", {})
    if "responseSchema" in config:
        config["responseJsonSchema"] = json_schema(config.pop("responseSchema"))
    for tool in body.get("tools", ()):
        for function in tool.get("functionDeclarations", ()):
            if "parameters" in function:
                function["parametersJsonSchema"] = json_schema(function.pop("parameters"))


def functions_are_one_list(body: Body) -> None:
    """Function declarations of several tools are one list."""
    functions = [one for tool in body.get("tools", ()) for one in tool.pop("functionDeclarations", ())]
    others = [tool for tool in body.get("tools", ()) if tool]
    if functions or others:
        body["tools"] = [*others, *([{"functionDeclarations": functions}] if functions else [])]
    else:
        body.pop("tools", None)


def defaults_are_absent(body: Body) -> None:
    """Documented defaults: text is answered, once; functions are called when the model sees fit, any of them;
    thoughts are not shown."""
    config = body.get("generationConfig", {})
    default(config, responseModalities=["TEXT"], candidateCount=1, responseMimeType="text/plain", stopSequences=[])
    if "thinkingConfig" in config:
        default(config["thinkingConfig"], includeThoughts=False)
        if "thinkingLevel" in config["thinkingConfig"]:
            config["thinkingConfig"]["thinkingLevel"] = config["thinkingConfig"]["thinkingLevel"].lower()
        default(config, thinkingConfig={})
    names = [one["name"] for tool in body.get("tools", ()) for one in tool.get("functionDeclarations", ())]
    calling = body.get("toolConfig", {}).get("functionCallingConfig", {})
    if "mode" in calling:
        calling["mode"] = calling["mode"].upper()
    if set(calling.get("allowedFunctionNames", ())) == set(names):
        calling.pop("allowedFunctionNames", None)
    default(calling, mode="AUTO")
    default(body.get("toolConfig", {}), functionCallingConfig={})
    default(body, toolConfig={}, generationConfig={})
