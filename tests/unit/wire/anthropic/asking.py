"""Requests to Claude, built from what a caller says."""

import json
from typing import Any

from llmgateway.domain.chat import Chat
from llmgateway.domain.routing import Deployment
from llmgateway.wire.anthropic.build import build_request
from llmgateway.wire.openai_chat.request import read_request
from tests.unit.wire.deployments import deployment

OLD = "claude-sonnet-4-0"
PLAIN = "claude-sonnet-4-5"
ADAPTIVE = "claude-opus-4-6"
NEW = "claude-opus-4-8"
USER = {"role": "user", "content": "Hello"}


def claude(upstream: str = PLAIN, **members: Any) -> Deployment:
    return deployment(upstream=upstream, protocol="anthropic", **members)


def chat_of(**members: Any) -> Chat:
    return read_request(json.dumps({"model": "m", "messages": [USER], **members}).encode())


def built(to: Deployment, **members: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The body that is sent, and what was left out."""
    request, dropped = build_request(chat_of(**members), to=to)
    return json.loads(request.body), dropped


def tool(name: str = "look", **members: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": {"type": "object"}, **members}}


def call(given: str = "toolu_1", name: str = "look", arguments: str = "{}") -> dict[str, Any]:
    return {"id": given, "type": "function", "function": {"name": name, "arguments": arguments}}


def result(given: str = "toolu_1", content: Any = "found", **members: Any) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": given, "content": content, **members}
