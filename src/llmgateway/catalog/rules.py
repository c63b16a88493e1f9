"""How providers spell the same model differently: the rules by which the compiler *proposes* that two names are one.

A rule never merges anything. What is merged is written in `models.toml`, offer by offer; these rules find what a
reviewer should look at, and which short names a reviewed offer is also known by.
"""

import re

_REGION = re.compile(r"^(?:us-gov|us|eu|apac|au|jp|ca|global|regional)\.(?=[a-z0-9]+\.)")
_VENDOR_DOT = re.compile(
    r"^(?:ai21|amazon|anthropic|cohere|deepseek|google|meta|minimax|mistral|moonshot|moonshotai|nvidia|openai|qwen|writer|zai)\."
)
_VENDOR_DASH = re.compile(
    r"^(?:anthropic|openai|google|meta|mistralai|mistral-ai|moonshotai|moonshot|xai|x-ai|zai-org|zai|z-ai|minimaxai|deepseek-ai|"
    r"databricks|cohere|alibaba|ai21|microsoft|amazon)-(?=[a-z])"
)
_BEDROCK_VERSION = re.compile(r"-(?:v\d+:\d+|\d+:\d+)$")
_BEDROCK_BARE_VERSION = re.compile(r"-v\d+$")
_AT_VERSION = re.compile(r"@(?:\d{8}|\d{3}|default|latest)$")
_DATE = re.compile(r"-(?:20\d{2}-?[01]\d-?[0-3]\d)$")
_DECIMAL_P = re.compile(r"(?<=\d)p(?=\d)")
_QUANTISED = re.compile(r"-(?:fp8|fp4|nvfp4|mxfp4|bf16|int4|int8|awq|gptq)$")
_CLAUDE_ORDER = re.compile(r"^claude-(\d+(?:[.-]\d+)?)-(opus|sonnet|haiku)(?=$|-)")


def _without(pattern: re.Pattern[str], text: str) -> str:
    return pattern.sub("", text, count=1)


def short_name(upstream: str) -> str:
    """The provider's spelling without paths, regions and vendor prefixes; case, dots and dates stay as they are."""
    name = upstream.rsplit("/", 1)[-1]
    name = _without(_REGION, name)
    return _without(_VENDOR_DOT, name)


def spelling(upstream: str) -> str:
    """The normalised spelling two names are compared by.

    `us.anthropic.claude-sonnet-4-6` and `anthropic/claude-sonnet-4.6` both become `claude-sonnet-4-6`.
    """
    name = short_name(upstream.lower())
    if _VENDOR_DOT.search(_without(_REGION, upstream.lower())):
        name = _without(_BEDROCK_BARE_VERSION, name)
    variant = ""
    if ":" in name and not _BEDROCK_VERSION.search(name):
        name, _, variant = name.partition(":")
    name = _without(_AT_VERSION, name)
    name = _without(_BEDROCK_VERSION, name)
    name = name.removesuffix("-maas").removesuffix("-tee")
    name = _without(_VENDOR_DASH, name)
    name = _DECIMAL_P.sub(".", name)
    name = _without(_QUANTISED, name)
    name = _without(_DATE, name)
    name = name.removesuffix("-latest")
    name = re.sub(r"[._ ]+", "-", name)
    name = re.sub(r"^(llama|qwen|gemma|phi|command)-?(?=\d|r\d)", r"\1-", name)
    name = _CLAUDE_ORDER.sub(r"claude-\2-\1", name)
    return f"{name}:{variant}" if variant else name


def bedrock_region(upstream: str) -> tuple[str, ...]:
    """The region prefix of a Bedrock inference profile (`eu.anthropic.…` → `eu`), or nothing."""
    found = _REGION.match(upstream)
    return (found.group()[:-1],) if found else ()
