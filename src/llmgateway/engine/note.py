"""What the log row of an exchange tells of its plan: who could have served it, how they compared, who was left out."""

import msgspec

from llmgateway.domain.plan import Excluded, Figures, RoutePlan, Score


class _Candidate(msgspec.Struct, frozen=True, omit_defaults=True):
    """In the order of trying. Without score and figures where nothing competed."""

    provider: str
    model: str
    region: str | None = None
    benched: bool = False
    score: Score | None = None
    figures: Figures | None = None


class _Note(msgspec.Struct, frozen=True, omit_defaults=True):
    """`fallbacks`: how many candidates might have followed the first."""

    chosen_by: str
    candidates: list[_Candidate]
    fallbacks: int = 0
    excluded: tuple[Excluded, ...] = ()


def note_of(plan: RoutePlan) -> str | None:
    """JSON; None where there was nothing to choose: one candidate, and nothing left out."""
    if plan.note is not None:
        return plan.note
    if len(plan.candidates) == 1 and not plan.excluded:
        return None
    candidates: list[_Candidate] = []
    for one in plan.candidates:
        to = one.deployments[0]
        mapping = to.mapping
        candidates.append(_Candidate(mapping.provider, mapping.model, to.region, one.benched, one.score, one.figures))
    return msgspec.json.encode(_Note(plan.chosen_by, candidates, plan.fallbacks, plan.excluded)).decode()
