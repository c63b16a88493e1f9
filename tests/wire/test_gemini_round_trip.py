"""What a model said goes back on the next turn as it came: thoughts, signatures, calls and what Google's tools did."""

import json
from typing import Any

import pytest
from msgspec.structs import replace

from llmgateway.domain.reply import Fold
from llmgateway.domain.routing import Deployment
from llmgateway.wire.gemini.upstream import Gemini
from llmgateway.wire.openai_chat.encode import whole_answer
from llmgateway.wire.openai_chat.request import read_request
from tests.support.corpus import Recording, needs_corpora
from tests.support.independent_gemini_reader import objects_of
from tests.wire.gemini_replaying import CHAT, TO, answers, decoded

pytestmark = needs_corpora
SPOKEN = [one for one in answers() if one.status == 200 and b'"parts"' in one.body]


def recorded_parts(one: Recording) -> list[dict[str, Any]]:
    """Of the first candidate; pieces of one text together, empty ones gone."""
    parts: list[dict[str, Any]] = []
    for event in objects_of(one.body):
        for candidate in event.get("candidates", ())[:1]:
            parts += candidate.get("content", {}).get("parts", ())
    return joined(parts)


def joined(parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Neighbouring texts of one kind are one text, up to and including its signature."""
    result: list[dict[str, Any]] = []
    for part in parts:
        last = result[-1] if result else {}
        same = "text" in part and "text" in last and part.get("thought", False) == last.get("thought", False)
        if same and "thoughtSignature" not in last:
            result[-1] = {**last, **part, "text": last["text"] + part["text"]}
        elif part.get("text") != "" or "thoughtSignature" in part:
            result.append(dict(part))
    return result


def deployment_of(one: Recording) -> Deployment:
    """Of the model that answered: the newer ones insist on signatures."""
    model = one.path.rpartition("/")[2].partition(":")[0]
    return replace(TO, mapping=replace(TO.mapping, upstream=model))


def sent_back(one: Recording, message: dict[str, Any]) -> list[dict[str, Any]]:
    """The parts of the model's turn, in the request that follows it."""
    body = {"model": "m", "messages": [{"role": "user", "content": "x"}, message, {"role": "user", "content": "y"}]}
    request, dropped = Gemini().build(read_request(json.dumps(body).encode()), to=deployment_of(one))
    assert dropped == ()
    contents = json.loads(request.body)["contents"]
    return contents[1]["parts"] if len(contents) == 3 else []


def same(parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without the ids that only one side knows."""
    shown = [json.loads(json.dumps(part)) for part in joined(parts)]
    for part in shown:
        if "functionCall" in part:
            part["functionCall"].setdefault("args", {})
    return shown


@pytest.mark.parametrize("streamed", [False, True])
def test_every_recorded_answer_goes_back_as_it_came(streamed: bool) -> None:
    different: dict[str, Any] = {}
    for one in SPOKEN:
        if streamed:
            fold = Fold()
            for chunk in decoded(one.body):
                fold.add(chunk)
            answer = fold.response()
        else:
            answer = Gemini().whole(one.body, chat=CHAT, to=TO)
        told = whole_answer(
            answer, answer_id="i", created=1, model="m", usage=b"{}", metadata=b"{}", hide_reasoning=False
        )
        got, want = same(sent_back(one, json.loads(told)["choices"][0]["message"])), same(recorded_parts(one))
        if got != want:
            different[one.source] = (want, got)
    assert len(SPOKEN) > 440
    assert different == {}


def test_calls_keep_their_signatures_without_reasoning_details() -> None:
    """For clients that know `extra_content`, as Google's own OpenAI endpoint has it, and nothing else."""
    for one in SPOKEN:
        answer = Gemini().whole(one.body, chat=CHAT, to=TO)
        told = whole_answer(
            answer, answer_id="i", created=1, model="m", usage=b"{}", metadata=b"{}", hide_reasoning=True
        )
        signed = [part for part in recorded_parts(one) if "functionCall" in part and "thoughtSignature" in part]
        parts = sent_back(one, json.loads(told)["choices"][0]["message"])
        assert [part for part in parts if "functionCall" in part and part in signed] == signed, one.source
