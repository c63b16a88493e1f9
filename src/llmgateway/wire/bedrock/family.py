"""What a Bedrock model understands beyond the common request, told by the vendor's name within its id.

An inference profile of the operator's own (an ARN) does not name its model; then the catalogue's name for it counts.
"""

import re
from typing import Final, Literal

from msgspec import Struct

from llmgateway.domain.routing import Deployment
from llmgateway.wire.bedrock.paths import bare

Vendor = Literal["claude", "nova", "openai", "qwen", "deepseek", "other", "unknown"]
Thinking = Literal["budget", "both", "adaptive", "default", "always"]
_CLAUDE: Final = re.compile(
    r"claude-(?:(?P<old>\d)(?:-(?P<oldminor>\d))?-)?(?P<name>[a-z]+)?(?:-(?P<major>\d+))?(?:-(?P<minor>\d{1,2})(?!\d))?"
)
"""Before version 4 the number stood before the name (`claude-3-7-sonnet`); behind it there may be a date."""
_VENDORS: Final[dict[str, Vendor]] = {"openai": "openai", "qwen": "qwen", "deepseek": "deepseek"}
_STRUCTURED: Final = re.compile(
    r"^(?:openai\.|qwen\.|minimax\.|moonshot(?:ai)?\.|nvidia\.|zai\.|deepseek\.v3|google\.gemma-3-(?:12|27)b|"
    r"mistral\.(?:magistral|ministral|mistral-large-3|voxtral|devstral))"
)
_WITHOUT_SYSTEM: Final = re.compile(
    r"^(?:amazon\.titan|ai21\.j2|cohere\.command-(?:light-)?text|mistral\.mi[sx]tral-[78])"
)


class Family(Struct, frozen=True):
    """`version`: of Claude, (4, 5) for 4.5. `thinking`: how Claude is told to think (None: it does not).

    `structured`: takes a JSON schema for its answer. `forced`: takes the name of the tool it must call.
    `system`: takes a system prompt. `caches`: has prompt-cache breakpoints.
    """

    vendor: Vendor
    version: tuple[int, int] = (0, 0)
    thinking: Thinking | None = None
    structured: bool = False
    forced: bool = False
    system: bool = True
    caches: bool = False


def family_of(to: Deployment) -> Family:
    mapping = to.mapping
    upstream = bare(mapping.upstream)
    known = "json_schema" in mapping.has
    if "claude" in upstream or (upstream.startswith("arn:") and "claude" in mapping.model):
        return _claude(upstream if "claude" in upstream else mapping.model, structured=known)
    if upstream.startswith("arn:"):
        return Family("unknown", structured=known, caches=True)
    if upstream.startswith("amazon.nova"):
        return Family("nova", structured=known, forced=True, caches=True)
    vendor = _VENDORS.get(upstream.partition(".")[0], "other")
    return Family(
        vendor,
        structured=known or _STRUCTURED.match(upstream) is not None,
        system=_WITHOUT_SYSTEM.match(upstream) is None,
    )


def _claude(name: str, *, structured: bool) -> Family:
    """docs.aws.amazon.com/bedrock/latest/userguide: claude-messages-adaptive-thinking, structured-output."""
    found = _CLAUDE.search(name.replace(".", "-"))
    version, model = (3, 0), ""
    if found is not None:
        model = found["name"] or ""
        version = (int(found["old"] or found["major"] or 2), int(found["oldminor"] or found["minor"] or 0))
    return Family(
        "claude",
        version=version,
        thinking=_thinking(version, model),
        structured=structured or version >= (4, 5) or model in ("fable", "mythos"),
        forced=version >= (3, 0),
        caches=True,
    )


def _thinking(version: tuple[int, int], model: str) -> Thinking | None:
    """Budgets up to 4.5, both ways in 4.6, adaptive alone since 4.7 (on by default since 5), always on in two lines."""
    if model in ("fable", "mythos"):
        return "always"
    if version >= (5, 0):
        return "default"
    if version >= (4, 7):
        return "adaptive"
    if version == (4, 6):
        return "both"
    return "budget" if version >= (3, 7) else None
