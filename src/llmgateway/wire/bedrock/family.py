"""What a Bedrock model understands beyond the common request, told by the vendor's name within its id.

An inference profile of the operator's own (an ARN) does not name its model; then the catalogue's name for it counts.
"""

import re
from typing import Final, Literal

from msgspec import Struct

from llmgateway.domain.routing import Deployment
from llmgateway.wire.bedrock.paths import bare

Vendor = Literal["claude", "nova", "openai", "qwen", "deepseek", "other", "unknown"]
Off = Literal["omit", "disabled", "between_tools", "never"]
_CLAUDE: Final = re.compile(
    r"claude-(?:(?P<old>\d)(?:-(?P<oldminor>\d))?-)?(?P<name>[a-z]+)?(?:-(?P<major>\d+))?(?:-(?P<minor>\d{1,2})(?!\d))?"
)
"""Before version 4 the number stood before the name (`claude-3-7-sonnet`); behind it there may be a date."""
_LIFELONG: Final = frozenset(("fable", "mythos"))
"""Lines that have thought about every request from their first model on."""
_FIRST_LIFELONG: Final[tuple[int, int]] = (4, 8)
_TO_HIGH: Final = ("low", "medium", "high")
_VENDORS: Final[dict[str, Vendor]] = {"openai": "openai", "qwen": "qwen", "deepseek": "deepseek"}
_STRUCTURED: Final = re.compile(
    r"^(?:openai\.|qwen\.|minimax\.|moonshot(?:ai)?\.|nvidia\.|zai\.|deepseek\.v3|google\.gemma-3-(?:12|27)b|"
    r"mistral\.(?:magistral|ministral|mistral-large-3|voxtral|devstral))"
)
_WITHOUT_SYSTEM: Final = re.compile(
    r"^(?:amazon\.titan|ai21\.j2|cohere\.command-(?:light-)?text|mistral\.mi[sx]tral-[78])"
)


class Family(Struct, frozen=True, kw_only=True):
    """`version`: of Claude, (4, 5) for 4.5. `budget`, `adaptive`: Claude thinks within a budget, or as it sees fit;
    `off`: how it is told not to; `display`: its thoughts are told only if asked for; `efforts`: those it knows.

    `structured`: takes a JSON schema for its answer. `forced`: takes the name of the tool it must call.
    `sampling`: takes temperature, top_p and top_k; `one_sampler`: not two of them. `system`: takes a system prompt.
    `caches`: has prompt-cache breakpoints.
    """

    vendor: Vendor
    version: tuple[int, int] = (0, 0)
    budget: bool = False
    adaptive: bool = False
    off: Off = "omit"
    display: bool = False
    efforts: tuple[str, ...] = ()
    structured: bool = False
    forced: bool = False
    sampling: bool = True
    one_sampler: bool = False
    system: bool = True
    caches: bool = False


def family_of(to: Deployment) -> Family:
    mapping = to.mapping
    upstream = bare(mapping.upstream)
    known = "json_schema" in mapping.has
    if "claude" in upstream or (upstream.startswith("arn:") and "claude" in mapping.model):
        return _claude(upstream if "claude" in upstream else mapping.model, structured=known)
    if upstream.startswith("arn:"):
        return Family(vendor="unknown", structured=known, caches=True)
    if upstream.startswith("amazon.nova"):
        return Family(vendor="nova", structured=known, forced=True, caches=True)
    vendor = _VENDORS.get(upstream.partition(".")[0], "other")
    return Family(
        vendor=vendor,
        structured=known or _STRUCTURED.match(upstream) is not None,
        system=_WITHOUT_SYSTEM.match(upstream) is None,
    )


def _claude(name: str, *, structured: bool) -> Family:
    """By generation, so that a model of tomorrow is treated like its elders: thoughts within budgets up to 4.6, as the
    model sees fit since 4.6 and always in two lines (docs.aws.amazon.com/bedrock/latest/userguide:
    claude-messages-adaptive-thinking, structured-output; platform.claude.com/docs/en/build-with-claude/thinking).
    """
    model, version = _generation(name.replace(".", "-"))
    lifelong = model in _LIFELONG
    return Family(
        vendor="claude",
        version=version,
        budget=not lifelong and (3, 7) <= version <= (4, 6),
        adaptive=version >= (4, 6),
        off=_off(model, version),
        display=version >= (4, 7),
        efforts=_efforts(model, version),
        structured=structured or version >= (4, 5),
        forced=(3, 0) <= version < ((5, 1) if lifelong else (5, 5)),
        sampling=version < (4, 7),
        one_sampler=(4, 1) <= version <= (4, 6),
        caches=True,
    )


def _generation(name: str) -> tuple[str, tuple[int, int]]:
    """`claude-3-7-sonnet-20250219` → sonnet, (3, 7)."""
    found = _CLAUDE.search(name)
    if found is None:
        return "", (3, 0)
    model = found["name"] or ""
    version = int(found["old"] or found["major"] or 2), int(found["oldminor"] or found["minor"] or 0)
    return model, max(version, _FIRST_LIFELONG) if model in _LIFELONG else version


def _off(model: str, version: tuple[int, int]) -> Off:
    if model in _LIFELONG or (model == "opus" and version >= (5, 5)):
        return "never"
    if model == "sonnet" and version >= (5, 5):
        return "between_tools"
    return "disabled" if version >= (5, 0) else "omit"


def _efforts(model: str, version: tuple[int, int]) -> tuple[str, ...]:
    if version >= (4, 7):
        return (*_TO_HIGH, "xhigh", "max")
    if version == (4, 6):
        return (*_TO_HIGH, "max")
    return _TO_HIGH if (model, version) == ("opus", (4, 5)) else ()
