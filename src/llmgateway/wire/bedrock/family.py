"""What a Bedrock model understands beyond the common request, told by the vendor's name within its id.

An inference profile of the operator's own (an ARN) does not name its model; then the catalogue's name for it counts.
"""

import re
from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from llmgateway.domain.routing import Deployment
from llmgateway.wire.anthropic.models import Dialect, Off, dialect_of
from llmgateway.wire.bedrock.paths import bare

Vendor = Literal["claude", "nova", "openai", "qwen", "deepseek", "other", "unknown"]
_VENDORS: Final[dict[str, Vendor]] = {"openai": "openai", "qwen": "qwen", "deepseek": "deepseek"}
_STRUCTURED: Final = re.compile(
    r"^(?:openai\.|qwen\.|minimax\.|moonshot(?:ai)?\.|nvidia\.|zai\.|deepseek\.v3|google\.gemma-3-(?:12|27)b|"
    r"mistral\.(?:magistral|ministral|mistral-large-3|voxtral|devstral))"
)
_WITHOUT_SYSTEM: Final = re.compile(
    r"^(?:amazon\.titan|ai21\.j2|cohere\.command-(?:light-)?text|mistral\.mi[sx]tral-[78])"
)


class Family(Struct, frozen=True, kw_only=True):
    """`budget`, `adaptive`: Claude thinks within a budget, or as it sees fit; `off`: how it is told not to; `display`:
    its thoughts are told only if asked for; `efforts`: those it knows.

    `structured`: takes a JSON schema for its answer. `forced`: takes the name of the tool it must call.
    `sampling`: takes temperature, top_p and top_k; `one_sampler`: not two of them. `system`: takes a system prompt.
    `caches`: has prompt-cache breakpoints.
    """

    vendor: Vendor
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
    if "claude" in upstream:
        return _claude(dialect_of(to))
    if upstream.startswith("arn:") and "claude" in mapping.model:
        return _claude(dialect_of(replace(to, mapping=replace(mapping, upstream=mapping.model))))
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


def _claude(dialect: Dialect) -> Family:
    """What holds of it at Anthropic itself. Up to 4.6 a request that says nothing of thinking has none."""
    return Family(
        vendor="claude",
        budget=dialect.budget,
        adaptive=dialect.adaptive,
        off="omit" if dialect.budget else dialect.off,
        display=dialect.display,
        efforts=dialect.efforts,
        structured=dialect.structured,
        forced=dialect.forced_tools,
        sampling=dialect.sampling,
        one_sampler=dialect.one_sampler,
        caches=True,
    )
