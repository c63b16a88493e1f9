"""Messages, their parts and tool calls that make no sense, and model names meant for something else."""

from typing import Any

from tests.hostile.case import (
    INVALID_VALUE,
    MISSING,
    MODEL,
    NO_PROVIDER,
    NOT_FOUND,
    Case,
    field,
    message,
    part,
    refused,
    served,
)
from tests.hostile.target import chat

_CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def _image(url: str) -> dict[str, Any]:
    content = [{"type": "text", "text": "Hi"}, {"type": "image_url", "image_url": {"url": url}}]
    return {"model": MODEL, "messages": [{"role": "user", "content": content}]}


MESSAGES: tuple[Case, ...] = (
    field("messages", []),
    field("messages", None),
    message(None, INVALID_VALUE, "messages[1]", name="null message"),
    message("Hi", INVALID_VALUE, "messages[1]", name="message is a string"),
    message([], INVALID_VALUE, "messages[1]", name="message is a list"),
    message({}, MISSING, "messages[1].role", name="message without role"),
    message({"role": None, "content": "x"}, INVALID_VALUE, "messages[1].role"),
    message({"role": 5, "content": "x"}, INVALID_VALUE, "messages[1].role"),
    message({"role": "wizard", "content": "x"}, INVALID_VALUE, "messages[1].role"),
    message({"role": "User", "content": "x"}, INVALID_VALUE, "messages[1].role"),
    message({"role": "user\r\nx: y", "content": "x"}, INVALID_VALUE, "messages[1].role"),
    message({"role": "user", "content": 5}, INVALID_VALUE, "messages[1].content"),
    message({"role": "user", "content": True}, INVALID_VALUE, "messages[1].content"),
    message({"role": "user", "content": {"text": "x"}}, INVALID_VALUE, "messages[1].content"),
    message({"role": "user", "content": ["x"]}, INVALID_VALUE, "messages[1].content[0]"),
    message({"role": "user", "content": [None]}, INVALID_VALUE, "messages[1].content[0]"),
    message({"role": "user", "content": "x", "name": 5}, INVALID_VALUE, "messages[1].name"),
    message({"role": "tool", "content": "x"}, MISSING, "messages[1].tool_call_id"),
    message({"role": "tool", "content": "x", "tool_call_id": 5}, INVALID_VALUE, "messages[1].tool_call_id"),
    message({"role": "assistant", "tool_calls": "f"}, INVALID_VALUE, "messages[1].tool_calls"),
    message({"role": "assistant", "tool_calls": [None]}, INVALID_VALUE, "messages[1].tool_calls[0]"),
    message({"role": "assistant", "tool_calls": [{}]}, MISSING, "messages[1].tool_calls[0].function"),
    message(
        {"role": "assistant", "tool_calls": [_CALL | {"function": {}}]},
        MISSING,
        "messages[1].tool_calls[0].function.name",
    ),
    message(
        {"role": "assistant", "tool_calls": [_CALL | {"function": {"name": "f", "arguments": {}}}]},
        INVALID_VALUE,
        "messages[1].tool_calls[0].function.arguments",
        name="tool arguments as an object",
    ),
    message({"role": "assistant", "tool_calls": [_CALL | {"id": 5}]}, INVALID_VALUE, "messages[1].tool_calls[0].id"),
    message({"role": "assistant", "function_call": "f"}, INVALID_VALUE, "messages[1].function_call"),
    message({"role": "assistant", "refusal": 5}, INVALID_VALUE, "messages[1].refusal"),
    message({"role": "assistant", "audio": 5}, INVALID_VALUE, "messages[1].audio"),
    message({"role": "assistant", "audio": {}}, MISSING, "messages[1].audio.id"),
    message({"role": "assistant", "reasoning": 5}, INVALID_VALUE, "messages[1].reasoning"),
    message({"role": "assistant", "reasoning_content": []}, INVALID_VALUE, "messages[1].reasoning_content"),
    message({"role": "assistant", "reasoning_details": "x"}, INVALID_VALUE, "messages[1].reasoning_details"),
    message({"role": "assistant", "reasoning_details": [1]}, INVALID_VALUE, "messages[1].reasoning_details[0]"),
)

PARTS: tuple[Case, ...] = (
    part({}, MISSING, ".type", name="part without type"),
    part(None, INVALID_VALUE, name="null part"),
    part({"type": 5}, INVALID_VALUE, ".type"),
    part({"type": "text"}, MISSING, ".text"),
    part({"type": "text", "text": 5}, INVALID_VALUE, ".text"),
    part({"type": "image_url"}, MISSING, ".image_url"),
    part({"type": "image_url", "image_url": "x"}, INVALID_VALUE, ".image_url"),
    part({"type": "image_url", "image_url": {}}, MISSING, ".image_url.url"),
    part({"type": "image_url", "image_url": {"url": 5}}, INVALID_VALUE, ".image_url.url"),
    part({"type": "image_url", "image_url": {"url": "x", "detail": 1}}, INVALID_VALUE, ".image_url.detail"),
    part({"type": "input_audio"}, MISSING, ".input_audio"),
    part({"type": "input_audio", "input_audio": {"data": "x"}}, MISSING, ".input_audio.format"),
    part({"type": "input_audio", "input_audio": {"format": "x"}}, MISSING, ".input_audio.data"),
    part({"type": "input_audio", "input_audio": {"data": 5, "format": "x"}}, INVALID_VALUE, ".input_audio.data"),
    part({"type": "file"}, MISSING, ".file"),
    part({"type": "file", "file": "x"}, INVALID_VALUE, ".file"),
    part({"type": "file", "file": {"file_data": 5}}, INVALID_VALUE, ".file.file_data"),
    part({"type": "file", "file": {"file_id": 5}}, INVALID_VALUE, ".file.file_id"),
    part({"type": "file", "file": {"filename": 5}}, INVALID_VALUE, ".file.filename"),
    part({"type": "text", "text": "x", "cache_control": {"type": "forever"}}, INVALID_VALUE, ".cache_control.type"),
    part(
        {"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "9y"}},
        INVALID_VALUE,
        ".cache_control.ttl",
    ),
)

IMAGES: tuple[Case, ...] = (
    *(
        part({"type": "image_url", "image_url": {"url": url}}, INVALID_VALUE, ".image_url.url")
        for url in (
            "",
            "file:///etc/passwd",
            "FILE:///etc/passwd",
            "gopher://localhost:6379/_FLUSHALL",
            "javascript:alert(1)",
            "/etc/passwd",
            "//localhost/x.png",
            "http://127.0.0.1/",
            "https://127.0.0.1/x.png",
            "https://127.1/x.png",
            "https://2130706433/x.png",
            "https://0x7f.0.0.1/x.png",
            "https://[::1]/x.png",
            "https://[::ffff:127.0.0.1]/x.png",
            "https://10.0.0.1/x.png",
            "https://192.168.1.1/x.png",
            "https://169.254.169.254/latest/meta-data",
            "https://[fd00:ec2::254]/latest/meta-data",
            "https://0.0.0.0/x.png",
            "https://localhost/x.png",
            "https://user@127.0.0.1/x.png",
            "https://example.com@127.0.0.1/x.png",
            "https://",
            "https://\r\nx-evil: 1/",
            "data:image/png;base64,!!!",
            "data:image/png;base64,AAAAA",
            "data:image/png,raw",
            "data:",
        )
    ),
    served("a data URL", _image("data:image/png;base64,iVBORw0KGgo=")),
    served("the URL of an image somewhere", _image("https://example.com/x.png")),
)

CONTRADICTIONS: tuple[Case, ...] = (
    served(
        "a tool result that answers no call",
        {"model": MODEL, "messages": [{"role": "tool", "tool_call_id": "nobody", "content": "x"}]},
    ),
    served(
        "broken tool arguments",
        {
            "model": MODEL,
            "messages": [
                {"role": "assistant", "tool_calls": [_CALL | {"function": {"name": "f", "arguments": '{"a": '}}]},
                {"role": "tool", "tool_call_id": "c", "content": "x"},
            ],
        },
    ),
    served("a user without content", {"model": MODEL, "messages": [{"role": "user"}]}),
    served("no user at all", {"model": MODEL, "messages": [{"role": "system", "content": "x"}]}),
    served("empty content", {"model": MODEL, "messages": [{"role": "user", "content": ""}]}),
    served("no parts", {"model": MODEL, "messages": [{"role": "user", "content": []}]}),
)

MODELS: tuple[Case, ...] = (
    *(
        Case(
            name=f"model {name}",
            data=chat({"model": model, "messages": [{"role": "user", "content": "x"}]}),
            status=(404,),
            code=NOT_FOUND,
            param="model",
        )
        for name, model in (
            ("unknown", "no-such-model"),
            ("of an unknown provider", "nobody/hello"),
            ("unknown at a provider", "counting/unknown"),
            ("above the root", "../../etc/passwd"),
            ("of a provider above the root", "counting/../../admin"),
            ("with a line break", "counting/hello\r\nx-evil: 1"),
            ("with a zero", "counting/hello\u0000"),
            ("with a query", "counting/hello?admin=1"),
            ("in look-alike letters", "соunting/hеllo"),
            ("in wide letters", "ｃｏｕｎｔｉｎｇ/hello"),
            ("with a space", " counting/hello"),
            ("in capitals", "Counting/Hello"),
            ("of a region nobody has", "counting/hello:mars"),
            ("of slashes", "/" * 500),
            ("of a provider alone", "counting/"),
            ("with a surrogate", "counting/\ud800"),
            ("with markup", "<script>alert(1)</script>"),
            ("with braces", "{{7*7}}${jndi:ldap://x}"),
        )
    ),
    refused("model empty", {"model": "", "messages": [{"role": "user", "content": "x"}]}, INVALID_VALUE, "model"),
    refused("model null", {"model": None, "messages": [{"role": "user", "content": "x"}]}, INVALID_VALUE, "model"),
    refused(
        "model of 100,000 characters",
        {"model": "m" * 100_000, "messages": [{"role": "user", "content": "x"}]},
        INVALID_VALUE,
        "model",
    ),
    refused("model auto", {"model": "auto", "messages": [{"role": "user", "content": "x"}]}, NO_PROVIDER, "model"),
)

CASES: tuple[Case, ...] = (*MESSAGES, *PARTS, *IMAGES, *CONTRADICTIONS, *MODELS)
