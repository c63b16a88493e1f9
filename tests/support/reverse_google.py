"""A recorded request to Google's generateContent, said in our vocabulary: what a client would have asked us for.

Field names come in both of protobuf's spellings, and base64 in both alphabets; `plain` makes them one. Parts, tools and
fields that our vocabulary has no word for are handed over as they are, in the place where they stand: whether the
gateway takes them is its own affair.
"""

import json
import mimetypes
import re
from collections.abc import Callable
from typing import Any

from tests.support.google_schema import json_schema

Retold = Callable[[list[dict[str, Any]]], dict[str, Any]]

MADE_UP = "made-up-"
"""How ids of calls begin that were recorded without one; our vocabulary cannot do without."""

_TAKEN = {"contents", "systemInstruction", "tools", "toolConfig", "generationConfig", "labels", "model", "stream"}
_CONFIG = {
    "temperature": "temperature",
    "topP": "top_p",
    "topK": "top_k",
    "seed": "seed",
    "maxOutputTokens": "max_tokens",
    "stopSequences": "stop",
    "candidateCount": "n",
    "presencePenalty": "presence_penalty",
    "frequencyPenalty": "frequency_penalty",
    "responseLogprobs": "logprobs",
    "logprobs": "top_logprobs",
}
_TREATED = {*_CONFIG, "thinkingConfig", "responseModalities"}
_TREATED |= {"responseMimeType", "responseSchema", "responseJsonSchema"}
_VERBATIM = {"args", "response", "labels", "parametersJsonSchema", "responseJsonSchema", "properties", "$defs", "enum"}
_AUDIO = {"audio/wav": "wav", "audio/mpeg": "mp3", "audio/mp3": "mp3"}
_PLAIN = {"text", "inlineData", "fileData", "functionCall"}
"""What a part of an answer may hold; of any other, a client can only hand back what it was told."""
_SEARCHES = ("googleSearch", "googleSearchRetrieval")


def spoken(source: dict[str, Any], *, retold: Retold) -> dict[str, Any]:
    theirs = plain(source)
    ours: dict[str, Any] = {name: value for name, value in theirs.items() if name not in _TAKEN}
    ours["messages"] = [*_system(theirs.get("systemInstruction")), *_Turns(retold).told(theirs["contents"])]
    ours.update(_tools(theirs.get("tools") or [], theirs.get("toolConfig") or {}))
    beside = {k: v for k, v in (theirs.get("toolConfig") or {}).items() if k != "functionCallingConfig"}
    if beside:
        ours["toolConfig"] = beside
    config = theirs.get("generationConfig") or {}
    ours.update({name: _whole(config[field]) for field, name in _CONFIG.items() if field in config})
    ours.update(_thinking(config.get("thinkingConfig")))
    ours.update(_format(config))
    if theirs.get("labels"):
        ours["metadata"] = theirs["labels"]
    modalities = [modality.lower() for modality in config.get("responseModalities") or ()]
    if modalities not in ([], ["text"]):
        ours["modalities"] = modalities
    rest = {name: value for name, value in config.items() if name not in _TREATED}
    return {**ours, "generationConfig": rest} if rest else ours


def _whole(value: Any) -> Any:
    """Google takes 40.0 where an integer belongs."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def plain(value: Any, *, within: str = "") -> Any:
    """Names in camel case, base64 in the standard alphabet; what callers wrote themselves stays as it is."""
    if isinstance(value, list):
        return [plain(item, within=within) for item in value]
    if not isinstance(value, dict):
        return value
    told: dict[str, Any] = {}
    for name, member in value.items():
        camel = re.sub(r"_([a-z])", lambda found: found[1].upper(), name)
        if camel in ("data", "thoughtSignature") and isinstance(member, str):
            told[camel] = _standard(member)
        elif camel in _VERBATIM:
            told[camel] = member
        else:
            told[camel] = plain(member, within=camel)
    for name in ("contents", "tools"):
        if isinstance(told.get(name), dict):
            told[name] = [told[name]]
    if isinstance(told.get("parts"), dict):
        told["parts"] = [told["parts"]]
    return told


def _standard(data: str) -> str:
    data = data.replace("-", "+").replace("_", "/")
    return data + "=" * (-len(data) % 4)


def _system(system: dict[str, Any] | None) -> list[dict[str, Any]]:
    if not system or not system.get("parts"):
        return []
    return [{"role": "system", "content": [_part(part) for part in system["parts"]]}]


class _Turns:
    """Contents as messages; results find the id of their call by its name and order."""

    def __init__(self, retold: Retold) -> None:
        self._retold = retold
        self._open: list[tuple[str, str]] = []
        self._made = 0

    def told(self, contents: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [one for content in contents for one in self._messages(content)]

    def _messages(self, content: dict[str, Any]) -> list[dict[str, Any]]:
        parts = content.get("parts") or []
        if content.get("role") == "model":
            return [self._assistant(parts)]
        ours: list[dict[str, Any]] = []
        others: list[dict[str, Any]] = []
        for part in parts:
            if "functionResponse" not in part:
                others.append(_part(part))
                continue
            if others:
                ours.append({"role": "user", "content": others})
                others = []
            ours.append(self._result(part["functionResponse"]))
        return [*ours, {"role": "user", "content": others}] if others or not ours else ours

    def _assistant(self, parts: list[dict[str, Any]]) -> dict[str, Any]:
        ours: dict[str, Any] = {"role": "assistant"}
        shown = [part for part in parts if part.keys() & {"text", "inlineData", "fileData"} and not part.get("thought")]
        ours["content"] = [_part(part) for part in shown if part.get("text") != ""] or None
        calls = [self._call(part["functionCall"]) for part in parts if "functionCall" in part]
        if any("thoughtSignature" in part or part.get("thought") or not part.keys() & _PLAIN for part in parts):
            told = self._retold(parts)
            ours.update({name: told[name] for name in ("reasoning", "reasoning_details") if name in told})
            for call, as_told in zip(calls, told.get("tool_calls") or (), strict=True):
                call.update({name: as_told[name] for name in ("extra_content",) if name in as_told})
        return {**ours, "tool_calls": calls} if calls else ours

    def _call(self, call: dict[str, Any]) -> dict[str, Any]:
        if call.get("id"):
            made = call["id"]
        else:
            self._made += 1
            made = f"{MADE_UP}{self._made}"
        self._open.append((call["name"], made))
        function = {"name": call["name"], "arguments": json.dumps(call.get("args") or {})}
        return {"type": "function", "id": made, "function": function}

    def _result(self, result: dict[str, Any]) -> dict[str, Any]:
        """What came of a call is an object, which is JSON text in our vocabulary."""
        found = result.get("id")
        for place, (name, made) in enumerate(self._open):
            if (found and made == found) or (not found and name == result["name"]):
                found = made
                del self._open[place]
                break
        text = json.dumps(result.get("response") or {})
        parts = [_part(part) for part in result.get("parts") or ()]
        content = [{"type": "text", "text": text}, *parts] if parts else text
        return {"role": "tool", "tool_call_id": found or f"{MADE_UP}0", "name": result["name"], "content": content}


def _part(part: dict[str, Any]) -> dict[str, Any]:
    if "text" in part:
        return {"type": "text", "text": part["text"]}
    if "inlineData" in part:
        kind, data = part["inlineData"]["mimeType"], part["inlineData"]["data"]
        if kind in _AUDIO:
            return {"type": "input_audio", "input_audio": {"data": data, "format": _AUDIO[kind]}}
        return _media(kind, f"data:{kind};base64,{data}", part)
    if "fileData" in part:
        return _media(part["fileData"].get("mimeType", ""), part["fileData"]["fileUri"], part)
    kind = next(iter(part))
    return {"type": kind, **part}


def _media(kind: str, url: str, part: dict[str, Any]) -> dict[str, Any]:
    """Only a file's name can tell the type of what a URL names."""
    extra = {name: value for name, value in part.items() if name not in ("inlineData", "fileData")}
    if kind.startswith("image/") and ("inlineData" in part or mimetypes.guess_type(url)[0] == kind):
        return {"type": "image_url", "image_url": {"url": url}, **extra}
    named = {"filename": f"file{mimetypes.guess_extension(kind) or ''}"} if "fileData" in part and kind else {}
    return {"type": "file", "file": {"file_data": url, **named}, **extra}


def _tools(tools: list[dict[str, Any]], config: dict[str, Any]) -> dict[str, Any]:
    calling = config.get("functionCallingConfig") or {}
    mode = (calling.get("mode") or "AUTO").upper()
    told: list[dict[str, Any]] = []
    for tool in tools:
        for kind, value in tool.items():
            if kind == "functionDeclarations":
                told += [_function(one, strict=mode == "VALIDATED") for one in value]
            elif kind in _SEARCHES and not value:
                told.append({"type": "web_search"})
            else:
                told.append({"type": kind, kind: value})
    ours: dict[str, Any] = {"tools": told} if told else {}
    names = [tool["function"]["name"] for tool in told if tool["type"] == "function"]
    if mode in ("ANY", "NONE"):
        ours["tool_choice"] = _choice(mode, calling.get("allowedFunctionNames"), names)
    return ours


def _choice(mode: str, allowed: list[str] | None, names: list[str]) -> Any:
    if mode == "NONE":
        return "none"
    if not allowed or (len(names) > 1 and set(allowed) == set(names)):
        return "required"
    if len(allowed) == 1:
        return {"type": "function", "function": {"name": allowed[0]}}
    tools = [{"type": "function", "function": {"name": name}} for name in allowed]
    return {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": tools}}


def _function(declaration: dict[str, Any], *, strict: bool) -> dict[str, Any]:
    """Calls that Google holds to their schema (mode VALIDATED) are strict ones."""
    function: dict[str, Any] = {"name": declaration["name"]}
    if "description" in declaration:
        function["description"] = declaration["description"]
    if "parametersJsonSchema" in declaration:
        function["parameters"] = declaration["parametersJsonSchema"]
    elif "parameters" in declaration:
        function["parameters"] = json_schema(declaration["parameters"])
    if strict:
        function["strict"] = True
    known = ("name", "description", "parameters", "parametersJsonSchema")
    return {"type": "function", "function": function, **{k: v for k, v in declaration.items() if k not in known}}


def _thinking(config: dict[str, Any] | None) -> dict[str, Any]:
    """Thoughts that are not asked for are excluded; what they cost is set all the same."""
    if not config:
        return {}
    reasoning: dict[str, Any] = {}
    budget, level = config.get("thinkingBudget"), config.get("thinkingLevel")
    if budget == 0:
        return {"reasoning_effort": "none"}
    if budget is not None and budget > 0:
        reasoning["max_tokens"] = budget
    elif level:
        reasoning["effort"] = level.lower()
    else:
        reasoning["enabled"] = True
    if not config.get("includeThoughts"):
        reasoning["exclude"] = True
    return {"reasoning": reasoning}


def _format(config: dict[str, Any]) -> dict[str, Any]:
    if "responseJsonSchema" in config:
        schema = config["responseJsonSchema"]
    elif "responseSchema" in config:
        schema = json_schema(config["responseSchema"])
    elif config.get("responseMimeType") == "application/json":
        return {"response_format": {"type": "json_object"}}
    else:
        return {}
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}}
