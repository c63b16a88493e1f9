"""Recorded requests of the messages protocol, said in our vocabulary, arrive as they were recorded."""

import json
import re

import pytest

from llmgateway.domain.routing import Deployment
from llmgateway.wire.openai_chat.request import read_request
from tests.support.corpus import Recording, needs_corpora
from tests.unit.wire.deployments import deployment
from tests.wire.anthropic_answers import CODEC, messages
from tests.wire.anthropic_requests import comparable, in_our_words

REQUESTS = [recording for recording in messages() if recording.request is not None]


def served(recording: Recording) -> Deployment:
    """A row that takes unknown fields, for the recorded model."""
    request = recording.request or {}
    in_path = re.search(r"/models/([^:]+)", recording.path)
    return deployment(
        upstream=request.get("model") or (in_path[1] if in_path else "claude"),
        protocol="anthropic",
        unknown_fields="pass",
        quirks=("vertex",) if recording.provider == "vertex" else (),
    )


@needs_corpora
def test_there_is_something_to_compare() -> None:
    assert len(REQUESTS) > 300


@needs_corpora
@pytest.mark.parametrize("recording", REQUESTS, ids=repr)
def test_recorded_requests_arrive_as_recorded(recording: Recording) -> None:
    assert recording.request is not None
    chat = read_request(json.dumps(in_our_words(recording.request)).encode())
    sent, dropped = CODEC.build(chat, to=served(recording))
    assert comparable(json.loads(sent.body)) == comparable(recording.request)
    assert dropped == ()


@needs_corpora
@pytest.mark.parametrize("recording", REQUESTS, ids=repr)
def test_the_same_request_gives_the_same_bytes(recording: Recording) -> None:
    assert recording.request is not None
    body = json.dumps(in_our_words(recording.request)).encode()
    sent = [CODEC.build(read_request(body), to=served(recording))[0].body for _ in range(2)]
    assert sent[0] == sent[1]
