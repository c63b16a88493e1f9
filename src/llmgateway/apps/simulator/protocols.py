"""The protocols that a simulated provider speaks, and which of them an address belongs to."""

import re
from urllib.parse import unquote

from llmgateway.apps.simulator.anthropic import ANTHROPIC
from llmgateway.apps.simulator.bedrock import BEDROCK
from llmgateway.apps.simulator.cohere import COHERE
from llmgateway.apps.simulator.dialect import Asked, Dialect
from llmgateway.apps.simulator.google import GOOGLE
from llmgateway.apps.simulator.openai_chat import OPENAI_CHAT
from llmgateway.apps.simulator.responses import RESPONSES
from llmgateway.apps.simulator.script import Request

DIALECTS: tuple[Dialect, ...] = (OPENAI_CHAT, RESPONSES, ANTHROPIC, GOOGLE, BEDROCK, COHERE)
_MODEL = "{model}"
_ROUTES = tuple(
    [
        (re.compile(re.escape(path).replace(re.escape(_MODEL), "([^/]+|models/[^/]+)")), path, dialect, action)
        for dialect in DIALECTS
        for path, action in dialect.paths.items()
    ]
)


def route(request: Request) -> tuple[Dialect, str, Asked] | None:
    """The protocol that the request's address belongs to, the address as the protocol's table has it, and what the
    address says; None: it belongs to none."""
    target = request.path.partition("?")[0]
    for pattern, path, dialect, action in _ROUTES:
        if (match := pattern.fullmatch(target)) is not None:
            model = unquote(match[1]) if match.groups() else ""
            return dialect, path, Asked(request, model, action)
    return None
