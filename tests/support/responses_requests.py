"""Recorded requests of the responses protocol in our own words, and what such a request means whatever its form.

`in_our_words` goes the codec's way backwards, by a reading of its own; `meaning` takes away the differences between
two requests that the provider takes for the same.
"""

from typing import Any

FORMAT = "openai-responses-v1"
_SAME = (
    "temperature", "top_p", "user", "metadata", "service_tier", "prompt_cache_key", "parallel_tool_calls", "stream",
    "top_logprobs", "safety_identifier", "prompt_cache_retention",
)  # fmt: skip
_LOGPROBS = "message.output_text.logprobs"
_ENCRYPTED = "reasoning.encrypted_content"
_UNSAID = ("previous_response_id", "conversation", "background", "context_management", "truncation")


def in_our_words(recorded: dict[str, Any]) -> dict[str, Any]:
    ours: dict[str, Any] = {"model": "recorded/" + recorded["model"], "messages": _messages(recorded)}
    ours |= {name: recorded[name] for name in (*_SAME, *_UNSAID) if recorded.get(name) is not None}
    ours["store"] = recorded.get("store", True)
    if recorded.get("max_output_tokens") is not None:
        ours["max_completion_tokens"] = recorded["max_output_tokens"]
    if recorded.get("include"):
        ours["include"], ours["logprobs"] = recorded["include"], _LOGPROBS in recorded["include"]
    if recorded.get("reasoning"):
        ours["reasoning"] = dict(recorded["reasoning"])
        if ours["reasoning"].get("summary") is None:
            ours["reasoning"] |= {"summary": None, "exclude": True}
    text = recorded.get("text") or {}
    if text.get("format"):
        shape = {name: value for name, value in text["format"].items() if name != "type"}
        ours["response_format"] = {"type": text["format"]["type"], **({"json_schema": shape} if shape else {})}
    if text.get("verbosity"):
        ours["verbosity"] = text["verbosity"]
    if recorded.get("tools"):
        ours["tools"] = [_tool(tool) for tool in recorded["tools"]]
    if recorded.get("tool_choice") is not None:
        ours["tool_choice"] = _choice(recorded["tool_choice"])
    return ours


def _messages(recorded: dict[str, Any]) -> list[dict[str, Any]]:
    said: list[dict[str, Any]] = []
    if recorded.get("instructions"):
        said.append({"role": "system", "content": recorded["instructions"]})
    given = recorded["input"]
    for item in [{"role": "user", "content": given}] if isinstance(given, str) else given:
        match item.get("type", "message"):
            case "message" if item["role"] == "assistant":
                turn = _turn(said, begins=("content", "tool_calls"))
                turn["content"] = _content(item["content"])
                turn |= {"phase": item["phase"]} if item.get("phase") else {}
            case "message":
                said.append({"role": item["role"], "content": _content(item["content"])})
            case "reasoning":
                _turn(said, begins=("content", "tool_calls")).setdefault("reasoning_details", []).extend(_details(item))
            case "function_call":
                function = {"name": item["name"], "arguments": item["arguments"]}
                call = {"id": item["call_id"], "type": "function", "function": function}
                if item.get("namespace"):
                    call["extra_content"] = {"openai": {"namespace": item["namespace"]}}
                _turn(said, begins=()).setdefault("tool_calls", []).append(call)
            case "function_call_output":
                content = _content(item["output"])
                said.append({"role": "tool", "tool_call_id": item["call_id"], "content": content})
            case "additional_tools" | "tool_search_output":
                said.append({"role": item.get("role", "assistant"), "content": [item]})
            case _:
                turn = _turn(said, begins=("tool_calls",))
                before = turn["content"] or []
                before = [{"type": "text", "text": before}] if isinstance(before, str) else before
                turn["content"] = [*before, item]
    return said


def _turn(said: list[dict[str, Any]], *, begins: tuple[str, ...]) -> dict[str, Any]:
    """The assistant's message that is being said, or a new one where it has any of `begins` already."""
    if not said or said[-1]["role"] != "assistant" or any(said[-1].get(name) for name in begins):
        said.append({"role": "assistant", "content": None})
    return said[-1]


def _details(item: dict[str, Any]) -> list[dict[str, Any]]:
    named = {"id": item["id"]} if item.get("id") else {}
    details = [{"type": "reasoning.summary", "summary": one["text"], **named} for one in item["summary"]]
    if item.get("encrypted_content"):
        details.append({"type": "reasoning.encrypted", "data": item["encrypted_content"], **named})
    details = details or [{"type": "reasoning.summary", "summary": "", **named}]
    return [{**detail, "format": FORMAT, "index": index} for index, detail in enumerate(details)]


def _content(content: Any) -> Any:
    return content if isinstance(content, str) else [_part(part) for part in content]


def _part(part: dict[str, Any]) -> dict[str, Any]:
    match part["type"]:
        case "input_text" | "output_text":
            return {"type": "text", "text": part["text"]}
        case "input_image" if "image_url" in part:
            detail = {"detail": part["detail"]} if part.get("detail") else {}
            return {"type": "image_url", "image_url": {"url": part["image_url"], **detail}}
        case "input_file":
            names = {"filename": "filename", "file_data": "file_data", "file_id": "file_id", "file_url": "file_data"}
            return {"type": "file", "file": {names[name]: value for name, value in part.items() if name in names}}
        case kind:
            return part if kind != "refusal" else {"type": "refusal", "refusal": part["refusal"]}


def _tool(tool: dict[str, Any]) -> dict[str, Any]:
    rest = {name: value for name, value in tool.items() if name != "type"}
    match tool["type"]:
        case "function":
            known = ("name", "description", "parameters", "strict")
            function = {name: rest.pop(name) for name in known if name in rest}
            function["strict"] = True if function.get("strict") is None else function["strict"]
            return {"type": "function", "function": function, **rest}
        case "custom":
            shape = rest.get("format")
            if shape:
                grammar = {name: value for name, value in shape.items() if name != "type"}
                rest["format"] = {"type": "grammar", "grammar": grammar}
            return {"type": "custom", "custom": rest}
        case "web_search":
            allowed = rest.pop("filters", {}).get("allowed_domains")
            return {"type": "web_search", **rest, **({"allowed_domains": allowed} if allowed else {})}
        case _:
            return tool


def _choice(choice: Any) -> Any:
    if isinstance(choice, str):
        return choice
    if choice["type"] == "allowed_tools":
        tools = [{"type": one["type"], one["type"]: {"name": one["name"]}} for one in choice["tools"]]
        return {"type": "allowed_tools", "allowed_tools": {"mode": choice["mode"], "tools": tools}}
    return {"type": choice["type"], choice["type"]: {"name": choice["name"]}} if "name" in choice else choice


def meaning(body: dict[str, Any]) -> dict[str, Any]:
    """What the provider understands: defaults are there, ids of this and that item are not, a text is a part."""
    meant = {"store": True, **{name: value for name, value in body.items() if value not in (None, False, [], {})}}
    meant["store"] = body.get("store", True)
    given = meant["input"]
    items = [{"role": "user", "content": given}] if isinstance(given, str) else list(given)
    instructions = meant.pop("instructions", "")
    if instructions:
        items.insert(0, {"role": "system", "content": instructions})
    empty = {"role": "assistant", "content": [{"type": "output_text", "text": ""}]}
    meant["input"] = [one for item in items if (one := _item(item)) != empty]
    included = [name for name in meant.pop("include", ()) if name != _ENCRYPTED]
    meant |= {"include": included} if included else {}
    meant["tools"] = [_meant_tool(tool) for tool in meant.get("tools", ())]
    for name in ("reasoning", "text"):
        members = {key: value for key, value in (meant.pop(name, None) or {}).items() if value is not None}
        meant |= {name: members} if members else {}
    return meant


def _meant_tool(tool: dict[str, Any]) -> dict[str, Any]:
    strict = {"strict": tool.get("strict") is not False} if tool["type"] == "function" else {}
    return {**{name: value for name, value in tool.items() if value is not None}, **strict}


def _item(item: dict[str, Any]) -> dict[str, Any]:
    unimportant = ("id", "status") if item.get("type", "message") != "message" else ("id", "status", "type")
    meant = {name: value for name, value in item.items() if name not in unimportant and value is not None}
    for name in ("content", "output"):
        if isinstance(meant.get(name), str):
            meant[name] = [
                {"type": "output_text" if item.get("role") == "assistant" else "input_text", "text": meant[name]}
            ]
        if name in meant:
            meant[name] = [
                {key: value for key, value in part.items() if key not in ("annotations", "logprobs")}
                for part in meant[name]
            ]
    return meant
