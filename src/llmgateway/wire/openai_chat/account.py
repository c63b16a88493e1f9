"""Prints what an answer cost and which way it went: the `usage` and `metadata` objects of both API pages.

Written by hand, byte by byte, since it stands on every answer and money must come out as plain decimal numbers.
"""

from typing import Final

from msgspec import UNSET, Struct, UnsetType

from llmgateway.domain.usage import Cost, Usage, decimal_usd

NO_PRICE: Final = "no price known"
ESTIMATED: Final = "estimated"
FLOORED: Final = "cached tokens reported by the provider exceed its prompt tokens"


class RoutingEntry(Struct, frozen=True):
    """One attempt, as metadata.routing tells it."""

    provider: str
    model: str
    region: str | None
    status_code: int
    error_type: str
    succeeded: bool
    apiKeyHash: str
    logId: str
    latency_ms: int


class Healing(Struct, frozen=True):
    """What response healing did. `method`: fence, extract, repair or complete; `schema_valid` None: nothing to say."""

    healed: bool
    method: str | None
    schema_valid: bool | None


class Metadata(Struct, frozen=True):
    """Every key of the API page is always there; `reported_model` only where the answer names another model, `healing`
    only where it was applied.
    """

    request_id: str
    requested_model: str
    requested_provider: str | None
    used_model: str
    used_provider: str
    used_region: str | None
    underlying_used_model: str
    routing: list[RoutingEntry]
    log_id: str
    cached: bool
    dropped_parameters: tuple[str, ...]
    reported_model: str | UnsetType = UNSET
    healing: Healing | UnsetType = UNSET


class ErrorMetadata(Struct, frozen=True):
    """What an error tells of the attempts that were made."""

    request_id: str
    routing: list[RoutingEntry]


def _info(usage: Usage, cost: Cost | None) -> str:
    """Why a cost is missing or estimated."""
    told = ((NO_PRICE, cost is None), (ESTIMATED, usage.estimated), (FLOORED, usage.floored))
    return "; ".join([text for text, applies in told if applies])


def usage_json(usage: Usage, cost: Cost | None) -> bytes:
    """The `usage` object. Costs are absent where no price is known."""
    prompt, output, reasoning = usage.prompt_tokens, usage.output_tokens, usage.reasoning_tokens
    cached, written = usage.cached_tokens, usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
    counts = (
        f'{{"prompt_tokens":{prompt},"completion_tokens":{output},"total_tokens":{prompt + output},'
        f'"reasoning_tokens":{reasoning},"prompt_tokens_details":{{"cached_tokens":{cached},'
        f'"cache_write_tokens":{written},"audio_tokens":{usage.input_audio_tokens},'
        f'"image_tokens":{usage.input_image_tokens}}},"completion_tokens_details":{{"reasoning_tokens":{reasoning},'
        f'"audio_tokens":{usage.output_audio_tokens},"image_tokens":{usage.output_image_tokens}}}'
    )
    costs = "" if cost is None else _cost_members(cost)
    if cost is None or usage.estimated or cached + written > prompt:
        return f'{counts}{costs},"info":"{_info(usage, cost)}"}}'.encode()
    return f"{counts}{costs}}}".encode()


def _cost_members(cost: Cost) -> str:
    fresh, cached, output = decimal_usd(cost.input), decimal_usd(cost.cached_input), decimal_usd(cost.output)
    total = inference = decimal_usd(cost.total)
    request = written = search = "0"
    optional = ""
    if cost.cache_write or cost.request or cost.web_search or cost.image_output:  # most cost nothing but tokens
        inference = decimal_usd(cost.upstream_inference)
        request, written = decimal_usd(cost.request), decimal_usd(cost.cache_write)
        search = decimal_usd(cost.web_search)
        optional = _optional_members(cost)
    return (
        f',"cost_usd_total":{total},"cost_usd_input":{fresh},"cost_usd_output":{output},'
        f'"cost_usd_cached_input":{cached},"cost_usd_request":{request}{optional},"cost":{total},'
        f'"cost_details":{{"upstream_inference_cost":{inference},"input_cost":{fresh},'
        f'"output_cost":{output},"cached_input_cost":{cached},"cache_write_input_cost":{written},'
        f'"request_cost":{request},"web_search_cost":{search},"total_cost":{total}}}'
    )


def _optional_members(cost: Cost) -> str:
    """What is told only where it costs something."""
    named = (("cache_write", cost.cache_write), ("web_search", cost.web_search), ("image_output", cost.image_output))
    return "".join([f',"cost_usd_{name}":{decimal_usd(amount)}' for name, amount in named if amount])
