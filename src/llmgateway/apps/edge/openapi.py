"""The OpenAPI document of the data plane, made from the structs that check the requests."""

from functools import cache
from typing import Annotated, Any

import msgspec

from llmgateway import __version__
from llmgateway.apps.edge.asking_why import MOST_TOKENS, ROUTING
from llmgateway.domain import chat

_TEMPLATE = "#/components/schemas/{name}"
_KEY: list[dict[str, list[str]]] = [{"bearerAuth": []}]


@cache
def document() -> bytes:
    """JSON; encoded once."""
    (request,), schemas = msgspec.json.schema_components([_described_request()], ref_template=_TEMPLATE)
    schemas["Error"] = _error_schema()
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {"title": "LLM Gateway", "version": __version__},
            "security": _KEY,
            "paths": _paths(request),
            "components": {
                "schemas": schemas,
                "securitySchemes": {"bearerAuth": {"type": "http", "scheme": "bearer"}},
            },
        }
    )


def _described_request() -> type[msgspec.Struct]:
    """The request with the content of messages as callers write it: the struct itself may hold its raw span."""
    content = ("content", str | list[chat.Part] | None, None)
    message = msgspec.defstruct("Message", [content], bases=(chat.Message,), frozen=True)
    messages = ("messages", Annotated[list[message], msgspec.Meta(min_length=1)])
    return msgspec.defstruct("ChatRequest", [messages], bases=(chat.ChatRequest,), frozen=True, kw_only=True)


def _paths(request: dict[str, Any]) -> dict[str, Any]:
    completion = {
        "summary": "Create a completion for the chat conversation",
        "requestBody": {"required": True, "content": {"application/json": {"schema": request}}},
        "responses": {
            "200": {
                "description": "The answer, whole or as server-sent events",
                "content": {
                    "application/json": {
                        "schema": {"type": "object", "required": ["id", "choices", "usage", "metadata"]}
                    },
                    "text/event-stream": {"schema": {"type": "string"}},
                },
            },
            **{status: _error(status) for status in ("400", "401", "403", "404", "410", "413", "415", "429")},
            **{status: _error(status) for status in ("402", "408", "431", "502", "503", "504")},
        },
    }
    model_id = {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
    available = {"name": "available", "in": "query", "schema": {"enum": ["true", "false"]}}
    return {
        "/v1/chat/completions": {"post": completion},
        "/v1/models": {"get": _page("The models there are", parameters=[available], errors=("400", "401"))},
        "/v1/models/{id}": {"get": _page("One model", parameters=[model_id], errors=("401", "404", "414"))},
        "/v1/models/{id}/routing": {
            "get": _page(
                "How requests for the model would be routed now, and why; nothing is sent",
                parameters=[model_id, *_routing_query()],
                errors=("400", "401", "403", "404", "414"),
            )
        },
        "/v1/key": {"get": _page("The key that asks, and what it has used", errors=("401", "503"))},
        "/healthz": {"get": _page("Alive", public=True)},
        "/readyz": {"get": _page("Ready to serve", errors=("503",), public=True)},
        "/metrics": {"get": _page("Prometheus metrics", public=True, media="text/plain")},
        "/openapi.json": {"get": _page("This document", public=True)},
    }


def _routing_query() -> list[dict[str, Any]]:
    schemas = {
        "stream": {"enum": ["true", "false"]},
        "routing": {"enum": list(ROUTING)},
        "prompt_tokens": {"type": "integer", "minimum": 0, "maximum": MOST_TOKENS},
    }
    return [{"name": name, "in": "query", "schema": schema} for name, schema in schemas.items()]


def _page(
    summary: str,
    *,
    parameters: list[dict[str, Any]] | None = None,
    errors: tuple[str, ...] = (),
    public: bool = False,
    media: str = "application/json",
) -> dict[str, Any]:
    page: dict[str, Any] = {
        "summary": summary,
        "responses": {
            "200": {"description": "OK", "content": {media: {}}},
            **{status: _error(status) for status in errors},
        },
    }
    if parameters:
        page["parameters"] = parameters
    if public:
        page["security"] = []
    return page


def _error(status: str) -> dict[str, Any]:
    schema = {"$ref": _TEMPLATE.format(name="Error")}
    return {"description": f"Error {status}", "content": {"application/json": {"schema": schema}}}


def _error_schema() -> dict[str, Any]:
    text_or_null = {"type": ["string", "null"]}
    return {
        "type": "object",
        "required": ["error"],
        "properties": {
            "error": {
                "type": "object",
                "required": ["message", "type", "param", "code"],
                "properties": {
                    "message": {"type": "string"},
                    "type": {"type": "string"},
                    "param": text_or_null,
                    "code": text_or_null,
                },
            }
        },
    }
