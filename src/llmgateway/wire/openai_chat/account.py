"""Prints what an answer cost and which way it went: the `usage` and `metadata` objects of both API pages.

Written by hand, byte by byte, since it stands on every answer and money must come out as plain decimal numbers.
"""

from typing import Final

from msgspec import UNSET, Struct, UnsetType

from llmgateway.domain.usage import Cost, Usage, decimal_usd

NO_PRICE: Final = "no price known"
ESTIMATED: Final = "estimated"
FLOORED: Final = "cached tokens reported by the provider exceed its prompt tokens"


_USAGE: Final = (
    '{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d,"reasoning_tokens":%d,"prompt_tokens_details":'
    '{"cached_tokens":%d,"cache_write_tokens":%d,"audio_tokens":%d,"image_tokens":%d},"completion_tokens_details":'
    '{"reasoning_tokens":%d,"audio_tokens":%d,"image_tokens":%d}'
)

_TOKENS_ONLY: Final = _USAGE + (
    ',"cost_usd_total":%s,"cost_usd_input":%s,"cost_usd_output":%s,"cost_usd_cached_input":%s,"cost_usd_request":0,'
    '"cost":%s,"cost_details":{"upstream_inference_cost":%s,"input_cost":%s,"output_cost":%s,"cached_input_cost":%s,'
    '"cache_write_input_cost":0,"request_cost":0,"web_search_cost":0,"total_cost":%s}}'
)
"""What most answers say: they cost nothing but tokens, and there is nothing to explain."""


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
    prompt, cached, written = usage.prompt_tokens, usage.cached_tokens, usage.cache_write_tokens
    output, reasoning = usage.output_tokens, usage.reasoning_tokens
    counts = (
        prompt,
        output,
        prompt + output,
        reasoning,
        cached,
        written,
        usage.input_audio_tokens,
        usage.input_image_tokens,
        reasoning,
        usage.output_audio_tokens,
        usage.output_image_tokens,
    )
    if cost is None or usage.estimated or cached + written > prompt:
        costs = _cost_members(cost) if cost is not None else ""
        return f'{_USAGE % counts}{costs},"info":"{_info(usage, cost)}"}}'.encode()
    if cost.request or cost.cache_write or cost.web_search or cost.image_output:
        return f"{_USAGE % counts}{_cost_members(cost)}}}".encode()
    fresh, read, told = decimal_usd(cost.input), decimal_usd(cost.cached_input), decimal_usd(cost.output)
    total = decimal_usd(cost.total)
    told_costs = (total, fresh, told, read, total, total, fresh, told, read, total)
    return (_TOKENS_ONLY % (counts + told_costs)).encode()


def _cost_members(cost: Cost) -> str:
    total, fresh, output = decimal_usd(cost.total), decimal_usd(cost.input), decimal_usd(cost.output)
    cached = decimal_usd(cost.cached_input)
    request, written, search = decimal_usd(cost.request), decimal_usd(cost.cache_write), decimal_usd(cost.web_search)
    optional = ""
    if cost.cache_write:
        optional += f',"cost_usd_cache_write":{written}'
    if cost.web_search:
        optional += f',"cost_usd_web_search":{search}'
    if cost.image_output:
        optional += f',"cost_usd_image_output":{decimal_usd(cost.image_output)}'
    return (
        f',"cost_usd_total":{total},"cost_usd_input":{fresh},"cost_usd_output":{output},'
        f'"cost_usd_cached_input":{cached},"cost_usd_request":{request}{optional},"cost":{total},'
        f'"cost_details":{{"upstream_inference_cost":{decimal_usd(cost.upstream_inference)},"input_cost":{fresh},'
        f'"output_cost":{output},"cached_input_cost":{cached},"cache_write_input_cost":{written},'
        f'"request_cost":{request},"web_search_cost":{search},"total_cost":{total}}}'
    )
