"""`llmgateway models`: the shipped catalogue as a table or as JSON, one row per offer of a model."""

import sys
from fnmatch import fnmatchcase

from llmgateway.apps.cli.output import write_json, write_table
from llmgateway.catalog import lookup
from llmgateway.domain.routing import Mapping, Model
from llmgateway.domain.usage import decimal_usd

_TOKENS_PER_MTOK = 1_000_000
_NUMBERS = frozenset({"input", "cached", "output", "context", "max output"})


def list_models(pattern: str, *, as_json: bool) -> int:
    """Offers whose model, alias or `provider/model` fits; status 1 and the nearest ids when there are none."""
    catalog = lookup.load()
    wanted = pattern if any(sign in pattern for sign in "*?[") else f"*{pattern}*"
    found = [(model, offers) for model in catalog.models.values() if (offers := _fitting(model, wanted.lower()))]
    if not found:
        near = ", ".join(catalog.nearest(pattern))
        sys.stderr.write(f"no model fits {pattern!r}" + (f"; the nearest are {near}\n" if near else "\n"))
        return 1
    if as_json:
        write_json([_facts(model, offers) for model, offers in found])
        return 0
    columns = ("model", "provider", "input", "cached", "output", "context", "max output", "capabilities")
    write_table(columns, [_row(offer) for _, offers in found for offer in offers], right=_NUMBERS)
    offers = sum(len(offers) for _, offers in found)
    sys.stdout.write(f"{len(found)} models, {offers} offers; prices in USD per million tokens, - is unknown\n")
    return 0


def _fitting(model: Model, wanted: str) -> list[Mapping]:
    """All offers if the model's own name fits, else those whose provider and name do."""
    if any(fnmatchcase(name.lower(), wanted) for name in (model.id, *model.aliases)):
        return list(model.mappings)
    return [offer for offer in model.mappings if fnmatchcase(f"{offer.provider}/{model.id}".lower(), wanted)]


def _facts(model: Model, offers: list[Mapping]) -> dict[str, object]:
    return {
        "id": model.id,
        "name": model.name,
        "aliases": model.aliases,
        "offers": [
            {
                "provider": offer.provider,
                "upstream": offer.upstream,
                "input_usd_per_mtok": _usd(offer.price.input) if offer.price else None,
                "cached_input_usd_per_mtok": _usd(offer.price.cached_input) if offer.price else None,
                "output_usd_per_mtok": _usd(offer.price.output) if offer.price else None,
                "price_source": offer.price.source if offer.price else None,
                "price_as_of": offer.price.as_of if offer.price else None,
                "context": offer.context or None,
                "max_output": offer.max_output or None,
                "has": sorted(offer.has),
                "lacks": sorted(offer.lacks),
                "deprecated": offer.deprecated,
                "deactivated": offer.deactivated,
            }
            for offer in offers
        ],
    }


def _row(offer: Mapping) -> list[str]:
    price = offer.price
    figures = (None, None, None) if price is None else (price.input, price.cached_input, price.output)
    return [
        offer.model,
        offer.provider,
        *[_usd(figure) or "-" for figure in figures],
        str(offer.context or "-"),
        str(offer.max_output or "-"),
        ", ".join(sorted(offer.has)),
    ]


def _usd(picousd_per_token: int | None) -> str | None:
    return None if picousd_per_token is None else decimal_usd(picousd_per_token * _TOKENS_PER_MTOK)
