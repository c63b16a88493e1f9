"""What each Claude model takes, since one protocol has many dialects: thinking, effort, sampling, forced tools, limits.

A mapping's capabilities (`has`, `lacks`) come first; what they leave unknown is read off the generation in the model's
name, so that a model of tomorrow is treated like its elders. Names that are no Claude's get what any server takes.
The rules: platform.claude.com/docs/en/build-with-claude/thinking, …/effort, …/structured-outputs,
…/mid-conversation-system-messages, …/prompt-caching and the pages "what's new" of each model.
"""

import re
from functools import lru_cache
from typing import Final, Literal

from msgspec import Struct

from llmgateway.domain.routing import Deployment

Off = Literal["omit", "disabled", "between_tools", "never"]
Version = tuple[int, int]

_CLAUDE: Final = re.compile(r"claude(.*)", re.IGNORECASE | re.DOTALL)
_FAMILY: Final = re.compile(r"opus|sonnet|haiku|fable|mythos|instant", re.IGNORECASE)
_VERSION: Final = re.compile(r"(?<!\d)(\d{1,2})(?:[.-](\d{1,2}))?(?!\d)")
_NEWEST_UNNUMBERED: Final = (4, 8)
_LIFELONG: Final = frozenset(("fable", "mythos"))
"""Families that have thought on every request from their first model on."""
_TO_HIGH: Final = ("low", "medium", "high")
_TO_MAX: Final = (*_TO_HIGH, "max")
_ALL_EFFORTS: Final = (*_TO_HIGH, "xhigh", "max")


class Dialect(Struct, frozen=True, kw_only=True):
    """What one model takes.

    `adaptive`: thinking without a budget; `budget`: with one. `off`: how thinking is switched off. `display`: thinking
    is told only if asked for. `efforts`: values of `output_config.effort`. `structured`: answers by JSON Schema and
    strict tools. `forced_tools`: a tool choice that demands a call. `system_turns`: system messages amid the turns.
    `sampling`: temperature, top_p and top_k; `one_sampler`: not two of them. `max_output`: tokens of an answer whose
    caller sets no limit. `cache_minimum`: tokens below which nothing is cached.
    """

    adaptive: bool = False
    budget: bool = True
    off: Off = "omit"
    display: bool = False
    efforts: tuple[str, ...] = ()
    structured: bool = False
    forced_tools: bool = True
    system_turns: bool = False
    sampling: bool = True
    one_sampler: bool = False
    max_output: int = 8192
    cache_minimum: int = 1024

    @property
    def thinks(self) -> bool:
        return self.adaptive or self.budget


def dialect_of(to: Deployment) -> Dialect:
    """The dialect of the deployment's model."""
    mapping = to.mapping
    return _dialect(
        mapping.upstream,
        mapping.has,
        mapping.lacks,
        max_output=mapping.max_output,
        vertex="vertex" in to.provider.quirks,
    )


@lru_cache(maxsize=2048)
def _dialect(name: str, has: frozenset[str], lacks: frozenset[str], *, max_output: int, vertex: bool) -> Dialect:
    """At Vertex an organisation must allow structured outputs first
    (docs.cloud.google.com/vertex-ai/generative-ai/docs/partner-models/claude/structured_outputs), so that there only
    the catalogue's word counts.
    """

    def told(capability: str, *, else_: bool) -> bool:
        return capability in has or (else_ and capability not in lacks)

    base = by_name(name)
    thinks = "reasoning" not in lacks
    return Dialect(
        adaptive=thinks and told("adaptive_thinking", else_=base.adaptive),
        budget=thinks and told("reasoning_max_tokens", else_=base.budget),
        off=base.off if thinks else "omit",
        display=base.display,
        efforts=(base.efforts or _ALL_EFFORTS) if told("effort", else_=bool(base.efforts)) else (),
        structured=told("json_schema", else_=base.structured and not vertex),
        forced_tools=told("tool_choice", else_=base.forced_tools),
        system_turns=told("system_turns", else_=base.system_turns),
        sampling=told("temperature", else_=base.sampling),
        one_sampler=base.one_sampler,
        max_output=max_output or base.max_output,
        cache_minimum=base.cache_minimum,
    )


def by_name(name: str) -> Dialect:
    """What the name alone says."""
    found = _CLAUDE.search(name)
    if found is None:
        return Dialect()
    family = _family(found[1])
    version = _version(found[1], family)
    if version is None:
        return Dialect()
    lifelong = family in _LIFELONG
    adaptive = lifelong or version >= (4, 6)
    return Dialect(
        adaptive=adaptive,
        budget=not lifelong and (3, 7) <= version <= (4, 6),
        off=_off(family, version),
        display=lifelong or version >= (4, 7),
        efforts=_efforts(family, version),
        structured=version >= (4, 5),
        forced_tools=version < ((5, 1) if lifelong else (5, 5)),
        system_turns=version >= ((5, 5) if family == "sonnet" else (4, 8)),
        sampling=not lifelong and version < (4, 7),
        one_sampler=(4, 1) <= version <= (4, 6),
        max_output=_max_output(family, version),
        cache_minimum=_cache_minimum(family, version),
    )


def _family(tail: str) -> str:
    found = _FAMILY.search(tail)
    return found[0].lower() if found is not None else ""


def _version(tail: str, family: str) -> Version | None:
    """`-3-7-sonnet-20250219` → (3, 7), `-opus-4@20250514` → (4, 0): the first small numbers, never a date."""
    found = _VERSION.search(tail)
    if found is None:
        return _NEWEST_UNNUMBERED if family in _LIFELONG else None
    return int(found[1]), int(found[2] or 0)


def _off(family: str, version: Version) -> Off:
    if family in _LIFELONG or (family == "opus" and version >= (5, 5)):
        return "never"
    if family == "sonnet" and version >= (5, 5):
        return "between_tools"
    if version >= (5, 0) or (3, 7) <= version <= (4, 6):
        return "disabled"
    return "omit"


def _efforts(family: str, version: Version) -> tuple[str, ...]:
    if version >= (4, 7) or family in _LIFELONG:
        return _ALL_EFFORTS
    if version == (4, 6):
        return _TO_MAX
    return _TO_HIGH if family == "opus" and version == (4, 5) else ()


def _max_output(family: str, version: Version) -> int:
    if version >= (4, 6):
        return 64_000 if (family, version) == ("sonnet", (4, 6)) else 128_000
    if version >= (3, 7):
        return 32_000 if family == "opus" and version < (4, 5) else 64_000
    return 8192 if version >= (3, 5) else 4096


def _cache_minimum(family: str, version: Version) -> int:
    if version >= (5, 0):
        return 1024 if (family, version) == ("sonnet", (5, 0)) else 512
    if family == "haiku":
        return 4096 if version >= (4, 5) else 2048
    return 4096 if family == "opus" and (4, 5) <= version <= (4, 7) else 1024
