"""How much of the recorded traffic the gateway passes on as it was: `make conformance`.

Prints a table of providers and features and the exceptions by their reason, and writes them to docs/conformance.md.
An answer passes if it is told, in all ways of asking, as the vendor's own SDK reads it; a request passes if what
arrives upstream means what was recorded. What cannot be said in our vocabulary is a failure like any other.
"""

import argparse
import hashlib
import sys
from datetime import UTC, datetime
from pathlib import Path

from tests.support.corpus import RECORDED, Recording
from tests.wire.answering import playback_of, unlike
from tests.wire.exchanges import PROTOCOLS, chats_of
from tests.wire.noticing import Noticed, noticed_of
from tests.wire.report import Outcome, render, table
from tests.wire.requesting import unlike_request

PAGE = Path(__file__).resolve().parents[2] / "docs" / "conformance.md"


def outcomes(protocol: str) -> list[Outcome]:
    """What became of every chat of a protocol."""
    playback = playback_of(protocol)
    return [
        Outcome(
            recording=one,
            protocol=protocol,
            answer=tuple(unlike(playback, one)),
            request=None if one.request is None else tuple(unlike_request(playback, one)),
        )
        for one in chats_of(protocol)
    ]


def corpus_hash() -> str:
    """The first digits of the recordings' SHA-256."""
    return hashlib.sha256(RECORDED.read_bytes()).hexdigest()[:12]


def main() -> int:
    arguments = argparse.ArgumentParser(prog="python -m tests.wire.conformance", description=__doc__)
    arguments.add_argument("--failing", action="store_true", help="print every difference of what fails")
    arguments.add_argument("--no-page", action="store_true", help="leave docs/conformance.md as it is")
    arguments.add_argument("--no-mutations", action="store_true", help="do not test the comparers")
    asked = arguments.parse_args()
    if not RECORDED.exists():
        print(f"There are no recordings: {RECORDED} is missing.")
        return 2
    found = [outcome for protocol in PROTOCOLS for outcome in outcomes(protocol)]
    noticed = [] if asked.no_mutations else [noticed_of(protocol) for protocol in PROTOCOLS]
    print("\n".join(table(found)))
    for outcome in found if asked.failing else ():
        _print_failing(outcome)
    if not asked.no_page and not asked.no_mutations:
        PAGE.write_text(page(found, noticed, made=datetime.now(UTC).date().isoformat()), encoding="utf-8")
        print(f"written: {PAGE.name}")
    return 0


def page(found: list[Outcome], noticed: list[Noticed], *, made: str) -> str:
    return render(found, noticed, corpus=corpus_hash(), made=made)


def _print_failing(outcome: Outcome) -> None:
    recording: Recording = outcome.recording
    for kind, lines in (("answer", outcome.answer), ("request", outcome.request or ())):
        if lines:
            print(f"\n{kind} of {recording} ({outcome.protocol}, {recording.source})")
            print("\n".join(f"    {line[:400]}" for line in lines))


if __name__ == "__main__":
    sys.exit(main())
