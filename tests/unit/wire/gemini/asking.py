"""Requests to Google's codec, and what it makes of them."""

import json
from typing import Any

from msgspec.structs import replace

from llmgateway.domain.routing import Deployment
from llmgateway.wire.gemini.upstream import Gemini
from llmgateway.wire.openai_chat.request import read_request
from tests.unit.wire.deployments import deployment


def at(model: str = "gemini-3-flash", **members: Any) -> Deployment:
    """A deployment of the model, of a provider whose row has the given members."""
    to = deployment(**members)
    return replace(to, mapping=replace(to.mapping, upstream=model))


def asked(
    messages: Any = "x", *, model: str = "gemini-3-flash", to: Deployment | None = None, **fields: Any
) -> dict[str, Any]:
    """The body that goes out."""
    return json.loads(_built(messages, to or at(model), fields)[0])


def dropped(messages: Any = "x", *, model: str = "gemini-3-flash", to: Deployment | None = None, **fields: Any) -> Any:
    """What is listed as left out."""
    return _built(messages, to or at(model), fields)[1]


def config(*, model: str = "gemini-3-flash", to: Deployment | None = None, **fields: Any) -> dict[str, Any]:
    return asked(model=model, to=to, **fields).get("generationConfig", {})


def contents(messages: Any, *, model: str = "gemini-3-flash") -> list[dict[str, Any]]:
    return asked(messages, model=model)["contents"]


def _built(messages: Any, to: Deployment, fields: dict[str, Any]) -> tuple[bytes, tuple[str, ...]]:
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    body = {"model": "m", "messages": messages, **fields}
    request, left_out = Gemini().build(read_request(json.dumps(body).encode()), to=to)
    return request.body, left_out
