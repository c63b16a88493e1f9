"""Every recorded chat, in every protocol: answers are told as the vendor's SDK reads them, requests arrive as recorded.

What does not pass is listed in docs/conformance.md with its reason, and nothing else may fail. The whole run, with the
comparers tested on every body, is `make conformance`.
"""

import functools
import re

import pytest

from tests.support.corpus import needs_corpora, recordings
from tests.wire.conformance import PAGE, corpus_hash, outcomes
from tests.wire.exchanges import PROTOCOLS, chats_of, damaged, left_out, protocol_of
from tests.wire.noticing import noticed_of
from tests.wire.report import COMPARERS, Outcome, render

pytestmark = needs_corpora
ANSWERS_AT_LEAST = 0.995
REQUESTS_AT_LEAST = 0.98
NOTICED_AT_LEAST = 0.99
EVERY = 16
"""One body in so many is changed, to test the comparers."""

found = functools.cache(outcomes)


def sections() -> dict[str, str]:
    """The page by its headings; the table stands under the first."""
    text = PAGE.read_text(encoding="utf-8")
    return {part.partition("\n")[0]: part for part in re.split(r"^#+ ", text, flags=re.MULTILINE) if part}


def listed(title: str) -> set[str]:
    """Ids of the recordings that the page says fail."""
    return set(re.findall(r"\b[0-9a-f]{12}\b", sections()[title]))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_answers_are_told_as_the_vendors_sdk_reads_them(protocol: str) -> None:
    """Whole and streamed, and however the bytes are cut."""
    known = listed("Answers that differ")
    unlike = [one for one in found(protocol) if one.answer and one.recording.id not in known]
    assert {one.recording.source: one.answer for one in unlike} == {}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_requests_arrive_upstream_as_they_were_recorded(protocol: str) -> None:
    known = listed("Requests that differ")
    unlike = [one for one in found(protocol) if one.request and one.recording.id not in known]
    assert {one.recording.source: one.request for one in unlike} == {}


def test_nearly_all_of_it_passes() -> None:
    everything = [one for protocol in PROTOCOLS for one in found(protocol)]
    asked = [one for one in everything if one.request is not None]
    assert sum(not one.answer for one in everything) >= ANSWERS_AT_LEAST * len(everything)
    assert sum(not one.request for one in asked) >= REQUESTS_AT_LEAST * len(asked)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_comparers_notice_what_was_changed(protocol: str) -> None:
    """20 changes of a body, here of a sample; all bodies are changed by `make conformance`."""
    noticed = noticed_of(protocol, chats_of(protocol)[::EVERY])
    assert noticed.answers_of + noticed.requests_of > 0
    assert noticed.answers >= NOTICED_AT_LEAST * noticed.answers_of, noticed.missed
    assert noticed.requests >= NOTICED_AT_LEAST * noticed.requests_of, noticed.missed


def test_every_recording_is_a_chat_or_says_why_it_is_none() -> None:
    assert [reason for reason in left_out() if reason.startswith("unknown")] == []
    assert sum(map(len, map(chats_of, PROTOCOLS))) + sum(left_out().values()) + len(damaged()) == len(recordings())


def test_hardly_any_recording_is_left_out_as_damaged_and_each_with_its_proof() -> None:
    chats = [one for one in recordings() if protocol_of(one) is not None]
    assert len(damaged()) <= 0.005 * len(chats)
    by_id = {one.id: one for one in chats}
    for name, one in damaged().items():
        assert by_id[name].source == one["source"]
        assert len(one["reason"]) > 20
        assert one["evidence"].encode() in by_id[name].body + (by_id[name].request_body or b"")


def test_the_page_says_what_is_found() -> None:
    """docs/conformance.md is generated; what it says of the comparers needs the long run."""
    stamp = re.search(r"on (?P<made>\S+) from recordings (?P<corpus>[0-9a-f]+)", PAGE.read_text(encoding="utf-8"))
    assert stamp is not None
    if stamp["corpus"] != corpus_hash():
        pytest.skip("docs/conformance.md was made from other recordings")
    everything: list[Outcome] = [one for protocol in PROTOCOLS for one in found(protocol)]
    text = render(everything, [], corpus=stamp["corpus"], made=stamp["made"])
    made = {part.partition("\n")[0]: part for part in re.split(r"^#+ ", text, flags=re.MULTILINE) if part}
    written = sections()
    assert made.keys() == written.keys()
    for title in made.keys() - {COMPARERS}:
        assert made[title].strip() == written[title].strip(), f"{title}: run make conformance"
