"""What differs between Google's model families, as rows: how thinking is asked for, and what may be combined.

A family is found by the upstream name. Sources, all under https://ai.google.dev/gemini-api/docs: `thinking` (budgets,
levels, what can be switched off), `thought-signatures` (which models insist on them), `function-calling` (media in
results, built-in tools beside functions, the VALIDATED mode), `structured-output`, `pricing` (what a search is).
"""

import functools
import re
from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace


class Family(Struct, frozen=True, kw_only=True):
    """`thinking`: in tokens (`budget`, from `least` to `most`) or in `levels`, ascending. `off`: it can be off.

    `signed`: a function call without its thought signature is refused. `media_in_results`: a function's result may
    hold images. `tools_together`: web search beside functions, and functions beside a JSON answer. `validates`: the
    VALIDATED mode holds calls to their schema. `json`: answers in JSON natively. `json_schema`: takes JSON Schema as it
    is, where older ones take Google's own dialect. `system`: has a system instruction. `searches`: whether a grounded
    answer is billed by the query or as one.
    """

    thinking: Literal["none", "budget", "level"] = "none"
    least: int = 0
    most: int = 0
    off: bool = False
    levels: tuple[str, ...] = ()
    signed: bool = False
    media_in_results: bool = False
    tools_together: bool = False
    validates: bool = False
    json: bool = True
    json_schema: bool = True
    system: bool = True
    searches: Literal["query", "answer"] = "answer"


_THIRD: Final = Family(
    thinking="level",
    levels=("minimal", "low", "medium", "high"),
    signed=True,
    media_in_results=True,
    tools_together=True,
    validates=True,
    searches="query",
)
_SECOND: Final = Family(thinking="budget", least=1, most=24_576, off=True, validates=True)
_FAMILIES: Final[tuple[tuple[str, Family], ...]] = (
    (r"gemini-1|gemini-pro$|learnlm", Family(off=True, json_schema=False)),
    (r"gemini-2[.-]0", Family(off=True)),
    (r"gemini-2[.-]5.*(image|tts)", Family(off=True, json=False)),
    (r"gemini-2[.-]5-flash-lite", replace(_SECOND, least=512)),
    (r"gemini-2[.-]5-flash", _SECOND),
    (r"gemini-2[.-]5", replace(_SECOND, least=128, most=32_768, off=False)),
    (r"gemini-.*(image|tts)", replace(_THIRD, thinking="none")),
    (r"gemini-3-pro", replace(_THIRD, levels=("low", "high"))),
    (r"gemini-.*pro", replace(_THIRD, levels=("low", "medium", "high"))),
    (r"gemma-[123]", Family(off=True, json=False, system=False)),
    (r"gemma", Family(thinking="level", levels=("minimal", "high"))),
)


@functools.lru_cache(maxsize=4096)
def family_of(upstream: str) -> Family:
    """The row of an upstream model name; names nobody has heard of are taken for the newest family."""
    return next((family for pattern, family in _FAMILIES if re.search(pattern, upstream) is not None), _THIRD)
