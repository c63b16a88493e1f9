"""Cohere's figures in our terms: tokens as they were counted, priced by the units that are billed."""

from llmgateway.domain.usage import Usage
from llmgateway.wire.cohere.shapes import ReportedUsage, Tokens

_NONE = Tokens()
_MOST = 10**12


def usage_of(reported: ReportedUsage | None) -> Usage | None:
    """None where nothing was counted. An answer may be billed for less than was read.

    The tokens of images stand beside those of the input, not among them, and are part of what is billed alone.
    """
    if reported is None or (reported.tokens is None and reported.billed_units is None):
        return None
    billed = reported.billed_units or _NONE
    tokens = reported.tokens or billed
    return Usage(
        prompt_tokens=_count(tokens.input_tokens) or 0,
        cached_tokens=_count(reported.cached_tokens) or 0,
        output_tokens=_count(tokens.output_tokens) or 0,
        reasoning_tokens=_count(tokens.reasoning_tokens) or 0,
        billed_input_tokens=_count(billed.input_tokens),
        billed_output_tokens=_count(billed.output_tokens),
    )


def _count(reported: float | None) -> int | None:
    return None if reported is None else int(min(max(reported, 0), _MOST))
