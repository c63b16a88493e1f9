"""Reads `usageMetadata`: figures that are cumulative over a stream, in which every event repeats them.

prompt = promptTokenCount + toolUsePromptTokenCount (what tools brought in is read too), output = candidates + thoughts.
"""

from typing import Final

from msgspec import Struct

from llmgateway.domain.usage import Usage


class ModalityCount(Struct):
    """Enumerations come as numbers from clients that ask for them so (`$alt=json;enum-encoding=int`)."""

    modality: str | int | None = None
    tokenCount: int | None = None


class ReportedUsage(Struct):
    """The figures as the wire names them; the tier may stand in any event and is told at the end."""

    promptTokenCount: int | None = None
    candidatesTokenCount: int | None = None
    thoughtsTokenCount: int | None = None
    toolUsePromptTokenCount: int | None = None
    cachedContentTokenCount: int | None = None
    promptTokensDetails: list[ModalityCount] | None = None
    candidatesTokensDetails: list[ModalityCount] | None = None
    serviceTier: str | None = None
    trafficType: str | int | None = None


_RARER: Final = (
    "cachedContentTokenCount",
    "toolUsePromptTokenCount",
    "promptTokensDetails",
    "candidatesTokensDetails",
    "serviceTier",
    "trafficType",
)
_IMAGE: Final = frozenset(("IMAGE", 2))
_AUDIO: Final = frozenset(("AUDIO", 4))
_TIERS: Final = {
    "standard": "default",
    "flex": "flex",
    "priority": "priority",
    "ON_DEMAND": "default",
    "ON_DEMAND_FLEX": "flex",
    "ON_DEMAND_PRIORITY": "priority",
}


def continued(before: ReportedUsage | None, now: ReportedUsage) -> ReportedUsage:
    """The last value counts, and a figure that is absent keeps its last one."""
    if before is None:
        return now
    if now.promptTokenCount is None:
        now.promptTokenCount = before.promptTokenCount
    if now.candidatesTokenCount is None:
        now.candidatesTokenCount = before.candidatesTokenCount
    if now.thoughtsTokenCount is None:
        now.thoughtsTokenCount = before.thoughtsTokenCount
    for name in _RARER:
        if getattr(now, name) is None and (old := getattr(before, name)) is not None:
            setattr(now, name, old)
    return now


def last_of(reported: list[ReportedUsage]) -> ReportedUsage:
    """As if each had been continued by the next."""
    last = reported[-1]
    if len(reported) > 1:
        for name in ReportedUsage.__struct_fields__:
            if getattr(last, name) is None:
                told = [value for one in reported if (value := getattr(one, name)) is not None]
                if told:
                    setattr(last, name, told[-1])
    return last


def usage_of(reported: ReportedUsage, *, web_searches: int = 0) -> Usage | None:
    """The figures in our terms; None where there are none (Vertex begins streams with a traffic type alone)."""
    if reported.promptTokenCount is None and reported.candidatesTokenCount is None:
        return None
    thoughts = _count(reported.thoughtsTokenCount)
    read, written = reported.promptTokensDetails, reported.candidatesTokensDetails
    return Usage(
        _count(reported.promptTokenCount) + _count(reported.toolUsePromptTokenCount),
        _count(reported.cachedContentTokenCount),
        0,
        0,
        _count(reported.candidatesTokenCount) + thoughts,
        thoughts,
        _of_modality(read, _AUDIO) if read else 0,
        _of_modality(read, _IMAGE) if read else 0,
        _of_modality(written, _AUDIO) if written else 0,
        _of_modality(written, _IMAGE) if written else 0,
        web_searches,
    )


def tier_of(reported: ReportedUsage) -> str | None:
    """The service tier that served, in OpenAI's words; AI Studio names it, Vertex tells it by the traffic type."""
    return _TIERS.get(reported.serviceTier or str(reported.trafficType))


def _of_modality(counts: list[ModalityCount], modality: frozenset[str | int]) -> int:
    return sum([_count(one.tokenCount) for one in counts if one.modality in modality])


def _count(reported: int | None) -> int:
    return reported if reported is not None and reported > 0 else 0
