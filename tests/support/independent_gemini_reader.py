"""Says what a recording of Google's protocol holds, by a reading of its own: plain `json` and dicts.

Nothing of the gateway is used here, so that agreement between both means something. The rules for finish reasons and
token counts are the documented ones.
"""

import json
import re
from typing import Any

from tests.support.independent_chat_reader import Answer, Call, Tokens, Told

BLOCKED = {"SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY", "LANGUAGE"}
NAMES = {1: "STOP", 2: "MAX_TOKENS", 3: "SAFETY"}


def objects_of(body: bytes) -> list[dict[str, Any]]:
    """One object, an array of them, or events; CRLF or LF."""
    text = body.decode("utf-8-sig").strip()
    if text.startswith("{"):
        return [json.loads(text)]
    if text.startswith("["):
        return json.loads(text)
    return [json.loads(line[5:]) for line in re.split(r"\r?\n", text) if line.startswith("data:")]


def read_answer(body: bytes) -> Answer:
    answer, counted, first = Answer(), {}, True
    for event in objects_of(body):
        if "error" in event:
            answer.error = event["error"]
            break
        if first:
            answer.id, answer.model, first = event.get("responseId"), event.get("modelVersion"), False
        for place, candidate in enumerate(event.get("candidates", ())):
            _add(answer.choices.setdefault(candidate.get("index", place), Told()), candidate)
        if "candidates" not in event and "blockReason" in event.get("promptFeedback", {}):
            answer.choices[0] = Told(finish="content_filter")
        counted.update(event.get("usageMetadata", {}))
    for told in answer.choices.values():
        if told.finish in ("stop", None) and told.calls:
            told.finish = "tool_calls"
    answer.tokens = _tokens(counted)
    return answer


def signatures_of(body: bytes) -> list[str]:
    """Every thought signature, in order."""
    return [
        part["thoughtSignature"]
        for event in objects_of(body)
        for candidate in event.get("candidates", ())
        for part in candidate.get("content", {}).get("parts", ())
        if "thoughtSignature" in part
    ]


def _add(told: Told, candidate: dict[str, Any]) -> None:
    for part in candidate.get("content", {}).get("parts", ()):
        if part.get("thought"):
            told.reasoning += part.get("text", "")
        elif "text" in part:
            told.text += part["text"]
        elif "functionCall" in part:
            call = part["functionCall"]
            told.calls.append(Call(call["name"], call.get("args", {}), call.get("id")))
        elif "inlineData" in part:
            told.images += 1
    told.logprobs = (told.logprobs or 0) + len(candidate.get("logprobsResult", {}).get("chosenCandidates", ()))
    told.annotations = _citations(candidate.get("groundingMetadata", {})) or told.annotations
    reason = candidate.get("finishReason")
    if reason is not None:
        told.finish = _finish(NAMES.get(reason, str(reason)))


def _citations(grounding: dict[str, Any]) -> int:
    """Each source of each supported segment, and each page that supports none."""
    sources = [one.get("web") or one.get("retrievedContext") or {} for one in grounding.get("groundingChunks", ())]
    cited = [index for one in grounding.get("groundingSupports", ()) for index in one.get("groundingChunkIndices", ())]
    named = [index for index in cited if sources[index].get("uri")]
    return len(named) + sum("uri" in page for index, page in enumerate(sources) if index not in named)


def _finish(reason: str) -> str:
    if reason in BLOCKED:
        return "content_filter"
    return "length" if reason == "MAX_TOKENS" else "stop"


def _tokens(counted: dict[str, Any]) -> Tokens | None:
    if "promptTokenCount" not in counted:
        return None
    thoughts = counted.get("thoughtsTokenCount", 0)
    return Tokens(
        prompt=counted["promptTokenCount"] + counted.get("toolUsePromptTokenCount", 0),
        cached=counted.get("cachedContentTokenCount", 0),
        cache_write=0,
        completion=counted.get("candidatesTokenCount", 0) + thoughts,
        reasoning=thoughts,
        prompt_audio=_sound(counted.get("promptTokensDetails", ())),
        completion_audio=_sound(counted.get("candidatesTokensDetails", ())),
    )


def _sound(details: Any) -> int:
    return sum(one.get("tokenCount", 0) for one in details if one.get("modality") in ("AUDIO", 4))
