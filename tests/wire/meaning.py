"""What a request means: two bodies that say the same in other words are made equal, and nothing else is.

This is the one place where a difference between a recorded request and what the gateway sends may be overlooked. Each
rule is a function whose docstring says why both sides mean the same; docs/conformance.md lists them.
"""

import base64
import copy
import json
from collections.abc import Callable
from typing import Any

from tests.support.google_schema import json_schema
from tests.support.reverse_google import plain
from tests.wire.dialects import NO_MODEL, in_our_words
from tests.wire.playback import FETCHED

Body = dict[str, Any]
Rule = Callable[[Body], None]

_FETCHED = base64.b64encode(FETCHED[:12]).decode()
_OPAQUE = {
    "arguments", "input_schema", "parameters", "schema", "json", "args", "response", "responseJsonSchema",
    "responseSchema", "parametersJsonSchema", "labels", "metadata",
}  # fmt: skip


def meaning(protocol: str, body: Body) -> Body:
    """A body in the form in which it is compared."""
    body = plain(body) if protocol == "google" else copy.deepcopy(body)
    for rule in RULES[protocol]:
        rule(body)
    return body


def misunderstood(protocol: str, recorded: Body, sent: Body) -> list[str]:
    """Every difference of meaning."""
    want, got = meaning(protocol, recorded), meaning(protocol, sent)
    for rule in ADDITIONS.get(protocol, ()):
        rule(want, got)
    return differing(want, got)


def differing(want: Any, got: Any, path: str = "") -> list[str]:
    """JSON paths at which two bodies differ, with both values; numbers are compared by value."""
    if isinstance(want, dict) and isinstance(got, dict):
        found: list[str] = []
        for name in [*want, *(name for name in got if name not in want)]:
            inner = f"{path}.{name}" if path else name
            if name not in got:
                found.append(f"{inner}: {_shown(want[name])} is missing")
            elif name not in want:
                found.append(f"{inner}: {_shown(got[name])} was added")
            else:
                found += differing(want[name], got[name], inner)
        return found
    if isinstance(want, list) and isinstance(got, list):
        pairs = enumerate(zip(want, got, strict=False))
        found = [line for at, pair in pairs for line in differing(*pair, f"{path}[{at}]")]
        more = [f"{path}[{at}]: {_shown(want[at])} is missing" for at in range(len(got), len(want))]
        return found + more + [f"{path}[{at}]: {_shown(got[at])} was added" for at in range(len(want), len(got))]
    same = want == got and isinstance(want, bool) == isinstance(got, bool)
    return [] if same else [f"{path}: {_shown(want)} became {_shown(got)}"]


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 160 else f"{text[:160]}…"


# --- rules of all protocols ------------------------------------------------------------------------------------------


def null_is_absent(body: Body) -> None:
    """A member that is null says what an absent one says (schemas and arguments, where null is a value, are kept)."""
    _drop_nulls(body)


def _drop_nulls(value: Any) -> None:
    if isinstance(value, list):
        for item in value:
            _drop_nulls(item)
    elif isinstance(value, dict):
        for name in [name for name, member in value.items() if member is None]:
            del value[name]
        for name, member in value.items():
            if name not in _OPAQUE and not (name == "input" and isinstance(member, dict)):
                _drop_nulls(member)


def not_streaming_is_absent(body: Body) -> None:
    """`stream: false` is every vendor's default."""
    if body.get("stream") is False:
        del body["stream"]


def _default(body: Body, **defaults: Any) -> None:
    for name, value in defaults.items():
        if name in body and body[name] == value:
            del body[name]


def _merge(messages: list[Body], member: str) -> list[Body]:
    merged: list[Body] = []
    for message in messages:
        if merged and merged[-1]["role"] == message["role"] and merged[-1].keys() == message.keys():
            merged[-1][member] = [*merged[-1][member], *message[member]]
        else:
            merged.append(message)
    return merged


def bytes_of_a_url_are_what_it_names(body: Body) -> None:
    """Where a provider reads no URLs, the gateway fetches what they name and sends the bytes: the same thing."""
    for holder in ("messages", "contents"):
        for message in body.get(holder, ()):
            for part in [*(message.get("parts") or ()), *_listed(message.get("content"))]:
                _unfetch(part)


def _listed(content: Any) -> list[Body]:
    return [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []


def _unfetch(part: Body) -> None:
    inline = part.get("inlineData")
    url = _url_of(inline["data"]) if isinstance(inline, dict) else None
    if isinstance(inline, dict) and url is not None:
        del part["inlineData"]
        part["fileData"] = {"fileUri": url, "mimeType": inline["mimeType"]}
    for holder, name in (("image_url", "url"), ("file", "file_data")):
        value = part.get(holder)
        if isinstance(value, dict) and isinstance(value.get(name), str) and ";base64," in value[name]:
            value[name] = _url_of(value[name].partition(";base64,")[2]) or value[name]


def _url_of(data: str) -> str | None:
    if not data.startswith(_FETCHED):
        return None
    return base64.b64decode(data).removeprefix(FETCHED).decode()


def empty_texts_say_nothing(body: Body) -> None:
    """A text part of no characters says nothing, and most vendors refuse one (spec: what a provider would refuse is put
    right where the meaning stays the same). A message of nothing else keeps it as a list of no parts."""
    for holder in ("messages", "contents", "input"):
        for message in body.get(holder, ()):
            for name in ("content", "parts"):
                if isinstance(message.get(name), list):
                    message[name] = [part for part in message[name] if not _is_empty(part)]
    if "systemInstruction" in body:
        body["systemInstruction"]["parts"] = [one for one in body["systemInstruction"]["parts"] if not _is_empty(one)]
        _default(body, systemInstruction={"parts": []})
    if isinstance(body.get("input"), list):
        body["input"] = [item for item in body["input"] if item.get("content") != [] or item.get("role") != "assistant"]


def _is_empty(part: Body) -> bool:
    return part.get("text") == "" and part.keys() <= {"type", "text"}


# --- OpenAI chat and what is compatible -------------------------------------------------------------------------------


def chat_dialects_are_ours(body: Body) -> None:
    """Vendors' SDKs have their own words for what OpenAI says otherwise (tests/wire/dialects.py)."""
    body.update(in_our_words(body))


def chat_usage_is_always_asked_for(body: Body) -> None:
    """The gateway asks for the usage of every stream, since it accounts for it; whether a client is told is another
    matter."""
    if "stream_options" in body:
        _default(body["stream_options"], include_usage=True)
        _default(body["stream_options"], include_usage=False)
        _default(body, stream_options={})
    _default(body, usage={"include": True})


def chat_limit_has_one_name(body: Body) -> None:
    """`max_tokens` is the older name of `max_completion_tokens`
    (platform.openai.com/docs/api-reference/chat/create)."""
    if "max_tokens" in body:
        body.setdefault("max_completion_tokens", body.pop("max_tokens"))


def chat_defaults_are_absent(body: Body) -> None:
    """No tools, no stop words and no functions are what an empty list says; a message without text is an empty one."""
    _default(body, tools=[], stop=[], functions=[], tool_choice="auto", n=1)
    for message in body["messages"]:
        if message["role"] in ("system", "developer", "user"):
            message.setdefault("content", "")


# --- Anthropic -------------------------------------------------------------------------------------------------------


def anthropic_texts_are_blocks(body: Body) -> None:
    """A string of `content` or `system` is one text block (platform.claude.com/docs/en/api/messages)."""
    for holder, name in [(body, "system"), *[(message, "content") for message in body["messages"]]]:
        if isinstance(holder.get(name), str):
            holder[name] = [{"type": "text", "text": holder[name]}]
    for block in _blocks(body):
        if block["type"] == "tool_result" and isinstance(block.get("content"), str):
            block["content"] = [{"type": "text", "text": block["content"]}]


def anthropic_turns_are_merged(body: Body) -> None:
    """Messages of one role in a row are one turn (platform.claude.com/docs/en/api/messages)."""
    body["messages"] = _merge(body["messages"], "content")


def anthropic_defaults_are_absent(body: Body) -> None:
    """Documented defaults: tools are custom ones, not strict, chosen by the model, several at once; caches live 5
    minutes; results are no errors; thinking is off, else of high effort; plain text has no citations."""
    _default(body, thinking={"type": "disabled"}, stop_sequences=[], tools=[], system=[])
    for tool in body.get("tools", ()):
        _default(tool, type="custom", strict=False)
    _default(body.get("output_config", {}), effort="high")
    _default(body, output_config={})
    if "tool_choice" in body:
        _default(body["tool_choice"], disable_parallel_tool_use=False)
        _default(body, tool_choice={"type": "auto"})
    for block in [*_blocks(body), *body.get("system", ()), *body.get("tools", ())]:
        _default(block, is_error=False, caller={"type": "direct"}, citations=[])
        _default(block.get("cache_control", {}), ttl="5m")


def anthropic_format_has_its_newer_place(body: Body) -> None:
    """`output_format` is the older name of `output_config.format`
    (platform.claude.com/docs/en/build-with-claude/structured-outputs)."""
    if "output_format" in body:
        body.setdefault("output_config", {})["format"] = body.pop("output_format")


def _blocks(body: Body) -> list[Body]:
    contents = [message["content"] for message in body["messages"]]
    return [block for content in contents if isinstance(content, list) for block in content]


# --- Google ----------------------------------------------------------------------------------------------------------


def google_model_stands_in_the_path(body: Body) -> None:
    """Some clients repeat the model of the path in the body."""
    body.pop("model", None)


def google_roles(body: Body) -> None:
    """Results of functions come from the user, under the older name `function` too; a system instruction has no role
    (ai.google.dev/api/caching#Content)."""
    for content in body["contents"]:
        content["role"] = {"function": "user"}.get(content.get("role", "user"), content.get("role", "user"))
    if "systemInstruction" in body:
        body["systemInstruction"].pop("role", None)


def google_turns_are_merged(body: Body) -> None:
    """Contents of one role in a row are one turn."""
    body["contents"] = _merge(body["contents"], "parts")


def google_ids_pair_calls_with_results(body: Body) -> None:
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


def google_sound_has_one_name(body: Body) -> None:
    """`audio/mp3` is what many call `audio/mpeg` (RFC 3003); Google documents the one and takes both."""
    for content in body["contents"]:
        for part in content["parts"]:
            if part.get("inlineData", {}).get("mimeType") == "audio/mp3":
                part["inlineData"]["mimeType"] = "audio/mpeg"


def google_schemas_are_json_schemas(body: Body) -> None:
    """A schema may be sent as Google's subset of OpenAPI or as the JSON Schema it stands for
    (ai.google.dev/api/caching#FunctionDeclaration)."""
    config = body.get("generationConfig", {})
    if "responseSchema" in config:
        config["responseJsonSchema"] = json_schema(config.pop("responseSchema"))
    for tool in body.get("tools", ()):
        for function in tool.get("functionDeclarations", ()):
            if "parameters" in function:
                function["parametersJsonSchema"] = json_schema(function.pop("parameters"))


def google_functions_are_one_list(body: Body) -> None:
    """Function declarations of several tools are one list."""
    functions = [one for tool in body.get("tools", ()) for one in tool.pop("functionDeclarations", ())]
    others = [tool for tool in body.get("tools", ()) if tool]
    if functions or others:
        body["tools"] = [*others, *([{"functionDeclarations": functions}] if functions else [])]
    else:
        body.pop("tools", None)


def google_defaults_are_absent(body: Body) -> None:
    """Documented defaults: text is answered, once; functions are called when the model sees fit, any of them;
    thoughts are not shown."""
    config = body.get("generationConfig", {})
    _default(config, responseModalities=["TEXT"], candidateCount=1, responseMimeType="text/plain", stopSequences=[])
    if "thinkingConfig" in config:
        _default(config["thinkingConfig"], includeThoughts=False)
        if "thinkingLevel" in config["thinkingConfig"]:
            config["thinkingConfig"]["thinkingLevel"] = config["thinkingConfig"]["thinkingLevel"].lower()
        _default(config, thinkingConfig={})
    names = [one["name"] for tool in body.get("tools", ()) for one in tool.get("functionDeclarations", ())]
    calling = body.get("toolConfig", {}).get("functionCallingConfig", {})
    if "mode" in calling:
        calling["mode"] = calling["mode"].upper()
    if set(calling.get("allowedFunctionNames", ())) == set(names):
        calling.pop("allowedFunctionNames", None)
    _default(calling, mode="AUTO")
    _default(body.get("toolConfig", {}), functionCallingConfig={})
    _default(body, toolConfig={}, generationConfig={})


# --- Bedrock ---------------------------------------------------------------------------------------------------------


def bedrock_model_stands_in_the_path(body: Body) -> None:
    """Some recorders kept the parameters of the SDK, in which the model of the path stands with the others."""
    body.pop("modelId", None)


def bedrock_turns_are_merged(body: Body) -> None:
    """Messages of one role in a row are one turn (converse refuses any others)."""
    body["messages"] = _merge(body["messages"], "content")


def bedrock_defaults_are_absent(body: Body) -> None:
    """Documented defaults: tools are chosen by the model, results are no failures, the tier is the default one, Claude
    thinks with high effort; and empty objects and lists ask for nothing."""
    _default(body.get("toolConfig", {}), toolChoice={"auto": {}})
    _default(body.get("inferenceConfig", {}), stopSequences=[])
    fields = body.get("additionalModelRequestFields", {})
    _default(fields.get("output_config", {}), effort="high")
    _default(fields, output_config={})
    _default(body, system=[], inferenceConfig={}, additionalModelRequestFields={}, serviceTier={"type": "default"})
    for message in body["messages"]:
        for block in message["content"]:
            _default(block.get("toolResult", {}), status="success")


def bedrock_thinking_has_one_name(body: Body) -> None:
    """`reasoning_config` is what `thinking` was called first (docs.aws.amazon.com/bedrock, Claude 3.7)."""
    fields = body.get("additionalModelRequestFields", {})
    if isinstance(fields.get("reasoning_config"), dict):
        fields["thinking"] = fields.pop("reasoning_config")


def bedrock_schemas_are_read(body: Body) -> None:
    """The schema of an answer is a string that holds JSON; white space in it means nothing."""
    shape = body.get("outputConfig", {}).get("textFormat", {}).get("structure", {}).get("jsonSchema")
    if shape:
        shape["schema"] = _parsed(shape["schema"])


# --- Cohere ----------------------------------------------------------------------------------------------------------


def cohere_texts_are_parts(body: Body) -> None:
    """A string of `content` is one text part (docs.cohere.com/v2/reference/chat)."""
    for message in body["messages"]:
        if isinstance(message.get("content"), str):
            message["content"] = [{"type": "text", "text": message["content"]}]


def cohere_defaults_are_absent(body: Body) -> None:
    """Models that can reason do so unless they are told not to (docs.cohere.com/docs/reasoning)."""
    _default(body, thinking={"type": "enabled"}, stop_sequences=[], tools=[])


def arguments_are_read(body: Body) -> None:
    """Arguments of a call are a string that holds JSON; white space in it means nothing."""
    for message in body["messages"]:
        for call in message.get("tool_calls") or ():
            function = call.get("function") or {}
            if isinstance(function.get("arguments"), str):
                function["arguments"] = _parsed(function["arguments"])


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


# --- OpenAI responses ------------------------------------------------------------------------------------------------


def responses_instructions_are_a_message(body: Body) -> None:
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


def responses_texts_are_parts(body: Body) -> None:
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
                _default(part, annotations=[], logprobs=[])
        if item["type"] != "reasoning" or "encrypted_content" in item:
            item.pop("id", None)
        _default(item, status="completed")


def responses_defaults_are_absent(body: Body) -> None:
    """Documented defaults: tools are chosen by the model, several at once, and held to their schema; nothing runs in
    the background; images have the detail that fits."""
    _default(body, tool_choice="auto", parallel_tool_calls=True, background=False, truncation="disabled", tools=[])
    _default(body, service_tier="auto", text={"format": {"type": "text"}}, include=[])
    _default(body.get("text", {}), format={"type": "text"})
    _default(body, text={}, reasoning={})
    for tool in body.get("tools", ()):
        if tool["type"] == "function":
            tool.setdefault("strict", True)
    for item in body["input"]:
        for part in item.get("content") or ():
            _default(part, detail="auto")


def responses_arguments_are_read(body: Body) -> None:
    """Arguments of a call are a string that holds JSON; white space in it means nothing."""
    for item in body["input"]:
        if item.get("type") == "function_call":
            item["arguments"] = _parsed(item["arguments"])


def responses_state_is_the_gateways(body: Body) -> None:
    """The gateway keeps no state at OpenAI: by its own rule (docs/providers.md) it asks for encrypted reasoning, and
    for nothing to be stored unless a client wants it. Neither changes what a model reads."""
    if "include" in body:
        body["include"] = [name for name in body["include"] if name != "reasoning.encrypted_content"]
    _default(body, store=False, include=[])


RULES: dict[str, tuple[Rule, ...]] = {
    "openai-chat": (
        null_is_absent,
        not_streaming_is_absent,
        chat_dialects_are_ours,
        bytes_of_a_url_are_what_it_names,
        chat_usage_is_always_asked_for,
        chat_limit_has_one_name,
        chat_defaults_are_absent,
        arguments_are_read,
    ),
    "anthropic": (
        null_is_absent,
        not_streaming_is_absent,
        anthropic_texts_are_blocks,
        empty_texts_say_nothing,
        anthropic_format_has_its_newer_place,
        anthropic_defaults_are_absent,
        anthropic_turns_are_merged,
    ),
    "google": (
        null_is_absent,
        google_model_stands_in_the_path,
        google_roles,
        bytes_of_a_url_are_what_it_names,
        empty_texts_say_nothing,
        google_ids_pair_calls_with_results,
        google_sound_has_one_name,
        google_schemas_are_json_schemas,
        google_functions_are_one_list,
        google_defaults_are_absent,
        google_turns_are_merged,
    ),
    "bedrock": (
        null_is_absent,
        bedrock_model_stands_in_the_path,
        empty_texts_say_nothing,
        bedrock_schemas_are_read,
        bedrock_thinking_has_one_name,
        bedrock_defaults_are_absent,
        bedrock_turns_are_merged,
    ),
    "cohere": (
        null_is_absent,
        not_streaming_is_absent,
        cohere_texts_are_parts,
        empty_texts_say_nothing,
        arguments_are_read,
        cohere_defaults_are_absent,
    ),
    "openai-responses": (
        null_is_absent,
        not_streaming_is_absent,
        responses_instructions_are_a_message,
        responses_texts_are_parts,
        empty_texts_say_nothing,
        responses_arguments_are_read,
        responses_state_is_the_gateways,
        responses_defaults_are_absent,
    ),
}


def responses_summary_was_added(want: Body, got: Body) -> None:
    """The gateway asks for summaries of reasoning (`summary: auto`) where a client has not chosen, since nothing else
    of it can be shown."""
    if "summary" not in want.get("reasoning", {}):
        _default(got.get("reasoning", {}), summary="auto")
        _default(got, reasoning={})


def chat_model_stood_in_the_path(want: Body, got: Body) -> None:
    """Azure names the deployment in the path, so that some clients leave the model out of the body."""
    if want["model"] == NO_MODEL:
        del want["model"]
        got.pop("model", None)


ADDITIONS: dict[str, tuple[Callable[[Body, Body], None], ...]] = {
    "openai-responses": (responses_summary_was_added,),
    "openai-chat": (chat_model_stood_in_the_path,),
}
"""What the gateway sends of its own accord: known by its value, and only overlooked where nothing was recorded."""
