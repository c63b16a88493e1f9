"""How far the token estimate is from what providers counted, by model family: `make tokens`.

Every recorded chat whose provider reported its prompt tokens is said in our vocabulary and estimated. Left out is what
nobody could count from the request: state that the provider keeps, tools that it runs itself. Prompts with media, and
prompts that hand hidden reasoning back, are measured apart. `--fit` prints family rows fitted anew (token_fit.py).
"""

import argparse
import functools
import json
import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from llmgateway.domain.routing import Mapping
from llmgateway.engine.token_families import FAMILIES, Family
from llmgateway.engine.tokens import Tally, count_text, estimate_text, family_of, prompt_tokens, tally_of
from llmgateway.wire.openai_chat.request import read_request
from tests.support.corpus import RECORDED, Recording
from tests.support.independent_chat_reader import Answer
from tests.support.unspeakable import Unspeakable
from tests.wire.answering import playback_of, wanted
from tests.wire.asking import in_our_vocabulary, model_of
from tests.wire.exchanges import PROTOCOLS, chats_of

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "tokens.md"
BEGIN: Final = "<!-- measured: begin -->"
END: Final = "<!-- measured: end -->"
_PROVIDERS: Final = {"vertex": "google-vertex", "google": "google-ai-studio", "vercel-gateway": "vercel"}
_STATE: Final = frozenset(
    ("previous_response_id", "conversation", "prompt", "cachedContent", "preset", "container", "context_management")
)
_SERVED: Final = frozenset(
    ("web_search", "server_tool_out", "code_execution", "file_search", "mcp", "computer_use", "tool_search")
)
_SERVED_TOO: Final = frozenset(("anthropic_builtin_tools", "server_state", "citations_req"))
_MEDIA: Final = frozenset(("vision", "pdf_doc", "audio_in", "video_in", "media_by_url"))
_SEARCHERS: Final = ("sonar", "compound", "search-preview")


class Measured(msgspec.Struct, frozen=True):
    """A prompt that a provider counted. `kind`: `text`, `tools`, `hidden` (reasoning handed back) or `media`.

    `completion`, `characters` and `pieces` (by `count_text`): of an answer that is text and nothing else; 0 otherwise.
    """

    family: Family
    source: str
    kind: str
    tally: Tally
    counted: int
    characters: int = 0
    pieces: float = 0
    completion: int = 0

    @property
    def file(self) -> str:
        return self.source.rpartition("#")[0]


@functools.cache
def measured() -> tuple[Measured, ...]:
    """One of each: exchanges that were recorded twice alike count once."""
    found: dict[tuple[str, int, Tally], Measured] = {}
    for protocol in PROTOCOLS:
        for recording in chats_of(protocol):
            one = _measured(recording, protocol)
            if one is not None:
                found.setdefault((one.family.name, one.counted, one.tally), one)
    return tuple(found.values())


def _measured(recording: Recording, protocol: str) -> Measured | None:
    if recording.status != 200 or recording.request is None or recording.features & (_SERVED | _SERVED_TOO):
        return None
    try:
        ours = in_our_vocabulary(recording, protocol, through=playback_of(protocol))
    except Unspeakable:
        return None
    answer = wanted(recording, protocol)
    model = model_of(recording, protocol)
    if not isinstance(answer, Answer) or answer.tokens is None or answer.tokens.prompt <= 0:
        return None
    if ours.keys() & _STATE or any(name in model for name in _SEARCHERS):
        return None
    chat = read_request(json.dumps({**ours, "model": model}).encode())
    if chat.traits.foreign or "web_search" in chat.traits.needs:
        return None
    tally = tally_of(chat)
    provider = _PROVIDERS.get(recording.provider, recording.provider)
    family = family_of(Mapping(provider=provider, model=model, upstream=model), protocol=protocol)
    text = _text_alone(answer) or ""
    spoken = max(answer.tokens.completion - answer.tokens.reasoning, 0) if text else 0
    return Measured(
        family=family,
        source=recording.source,
        kind=_kind(recording, tally),
        tally=tally,
        counted=answer.tokens.prompt,
        characters=len(text) if spoken else 0,
        pieces=count_text(text),
        completion=spoken,
    )


def _kind(recording: Recording, tally: Tally) -> str:
    if recording.features & _MEDIA or tally.pictures or tally.files or tally.audio:
        return "media"
    if tally.hidden:
        return "hidden"
    return "tools" if tally.tools or tally.format else "text"


def _text_alone(answer: Answer) -> str | None:
    """The text of an answer that has one choice and nothing but text."""
    if len(answer.choices) != 1:
        return None
    (told,) = answer.choices.values()
    bare = not (told.reasoning or told.calls or told.images or told.audio or told.function or told.refusal)
    return told.text if bare and told.text else None


def error(one: Measured, family: Family | None = None) -> float:
    """The estimate's distance from the count, as a share of the count."""
    return abs(prompt_tokens(one.tally, family=family or one.family) / one.counted - 1)


def p90(values: Sequence[float]) -> float:
    return sorted(values)[min(len(values) - 1, int(0.9 * len(values)))]


def _row(name: str, errors: Sequence[float]) -> str:
    if not errors:
        return f"| {name} | 0 | | | |"
    within = sum(value <= 0.1 for value in errors) / len(errors)
    return f"| {name} | {len(errors)} | {statistics.median(errors):.1%} | {p90(errors):.1%} | {within:.0%} |"


def table(found: Sequence[Measured], *, of: Callable[[Measured], float]) -> list[str]:
    """Family by family, and all."""
    lines = ["| family | n | median error | p90 | within 10 % |", "|---|---|---|---|---|"]
    for family in FAMILIES:
        errors = [of(one) for one in found if one.family.name == family.name]
        if errors:
            lines.append(_row(family.name, errors))
    return [*lines, _row("all", [of(one) for one in found])]


def report() -> str:
    """What docs/tokens.md says between its marks."""
    found = measured()
    lines: list[str] = []
    for title, kinds in (
        ("Prompts of text", ("text",)),
        ("Prompts with tools or a JSON schema", ("tools",)),
        ("Prompts that hand hidden reasoning back", ("hidden",)),
        ("Prompts with pictures, documents, sound or video", ("media",)),
    ):
        lines += [f"### {title}", "", *table([one for one in found if one.kind in kinds], of=error), ""]
    spoken = [one for one in found if one.characters >= 100]
    lines += ["### Answers, by the number of their characters", "", *table(spoken, of=_by_characters), ""]
    lines += ["### Answers, by their text", "", *table(spoken, of=_by_text), ""]
    return "\n".join(lines)


def _by_characters(one: Measured) -> float:
    return abs(estimate_text(one.characters, family=one.family) / one.completion - 1)


def _by_text(one: Measured) -> float:
    return abs(one.pieces * one.family.text / one.completion - 1)


def main() -> int:
    arguments = argparse.ArgumentParser(prog="python -m tests.wire.token_errors", description=__doc__)
    arguments.add_argument("--fit", action="store_true", help="fit the families anew and print them")
    arguments.add_argument("--worst", metavar="FAMILY", help="print the prompts of a family that are over 10 %% off")
    arguments.add_argument("--no-page", action="store_true", help="leave docs/tokens.md as it is")
    asked = arguments.parse_args()
    if not RECORDED.exists():
        print(f"There are no recordings: {RECORDED} is missing.")
        return 2
    from tests.wire.token_fit import fitted, halves  # it reads what is measured here

    if asked.fit:
        print("\n".join([*fitted(measured()), *halves(measured())]))
        return 0
    if asked.worst:
        for one in sorted(measured(), key=error, reverse=True):
            if one.family.name == asked.worst and error(one) > 0.1:
                estimate = prompt_tokens(one.tally, family=one.family)
                print(f"{error(one):.2f} {one.kind}: {estimate}, counted {one.counted}: {one.tally} {one.source}")
        return 0
    told = "\n".join([report(), "### How much is overfitting", "", *halves(measured()), ""])
    print(told)
    if not asked.no_page:
        before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}\n\n{told}\n{END}{rest.partition(END)[2]}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
