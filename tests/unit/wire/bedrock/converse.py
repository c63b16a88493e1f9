"""Requests built for a Bedrock model, each checked against the description of the service that botocore ships."""

import functools
import json
from base64 import b64decode
from typing import Any

import botocore.session
import msgspec
from botocore.validate import ParamValidator

from llmgateway.domain.chat import Chat
from llmgateway.domain.routing import Deployment, Mapping, ParameterPolicy
from llmgateway.wire.bedrock.build import build_request
from llmgateway.wire.openai_chat.request import read_request
from tests.unit.wire.deployments import deployment

CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
CLAUDE_4 = "us.anthropic.claude-sonnet-4-20250514-v1:0"
CLAUDE_46 = "us.anthropic.claude-sonnet-4-6"
CLAUDE_47 = "global.anthropic.claude-opus-4-7"
CLAUDE_5 = "us.anthropic.claude-sonnet-5"
FABLE = "us.anthropic.claude-fable-5"
CLAUDE_3 = "anthropic.claude-3-haiku-20240307-v1:0"
NOVA = "us.amazon.nova-lite-v1:0"
NOVA_2 = "us.amazon.nova-2-lite-v1:0"
LLAMA = "us.meta.llama4-scout-17b-instruct-v1:0"
MESSAGES = [{"role": "user", "content": "Hello"}]
TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="


def bedrock(
    upstream: str = CLAUDE,
    *,
    max_output: int = 0,
    has: frozenset[str] = frozenset(),
    policy: ParameterPolicy | None = None,
    **members: Any,
) -> Deployment:
    to = deployment(policy=policy, **members)
    mapping = Mapping(provider="acme", model="m", upstream=upstream, max_output=max_output, has=has)
    return msgspec.structs.replace(to, mapping=mapping, protocol="bedrock")


def asked(**members: Any) -> Chat:
    return read_request(json.dumps({"model": "acme/m", "messages": MESSAGES, **members}).encode())


def built(upstream: str | Deployment = CLAUDE, **members: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The body, which the service would take by its shape, and what was left out."""
    to = bedrock(upstream) if isinstance(upstream, str) else upstream
    request, dropped = build_request(asked(**members), to=to)
    body = json.loads(request.body)
    assert complaints(body) == ""
    return body, dropped


def messages_of(upstream: str | Deployment = CLAUDE, **members: Any) -> list[dict[str, Any]]:
    return built(upstream, **members)[0]["messages"]


def complaints(body: dict[str, Any]) -> str:
    return ParamValidator().validate({"modelId": "m", **_with_bytes(body)}, _shape()).generate_report()


@functools.cache
def _shape() -> Any:
    model = botocore.session.Session().get_service_model("bedrock-runtime")
    return model.operation_model("Converse").input_shape


def _with_bytes(value: Any) -> Any:
    """Blobs as bytes, which is what the SDK has where the wire has base64."""
    if isinstance(value, list):
        return [_with_bytes(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: b64decode(item, validate=True) if name in ("bytes", "redactedContent") else _with_bytes(item)
        for name, item in value.items()
    }
