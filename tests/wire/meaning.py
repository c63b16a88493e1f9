"""What a request means: two bodies that say the same in other words are made equal, and nothing else is.

The rules (`tests/wire/sameness`) are the one place where a difference between a recorded request and what the gateway
sends may be overlooked. Each is a function whose docstring says why both sides mean the same; docs/conformance.md lists
them.
"""

import copy
import json
from collections.abc import Callable
from typing import Any

from tests.support.reverse_google import plain
from tests.wire.sameness import anthropic, bedrock, cohere, everywhere, google, openai_chat, openai_responses
from tests.wire.sameness.everywhere import Body, Rule


def meaning(protocol: str, body: Body) -> Body:
    """A body in the form in which it is compared."""
    body = plain(body) if protocol == "google" else copy.deepcopy(body)
    for rule in RULES[protocol]:
        rule(body)
    return body


def misunderstood(protocol: str, recorded: Body, sent: Body) -> list[str]:
    """Every difference of meaning."""
    want, got = meaning(protocol, recorded), meaning(protocol, sent)
    for rule in ADDITIONS.get(protocol, ()):
        rule(want, got)
    return differing(want, got)


def differing(want: Any, got: Any, path: str = "") -> list[str]:
    """JSON paths at which two bodies differ, with both values; numbers are compared by value."""
    if isinstance(want, dict) and isinstance(got, dict):
        found: list[str] = []
        for name in [*want, *(name for name in got if name not in want)]:
            inner = f"{path}.{name}" if path else name
            if name not in got:
                found.append(f"{inner}: {_shown(want[name])} is missing")
            elif name not in want:
                found.append(f"{inner}: {_shown(got[name])} was added")
            else:
                found += differing(want[name], got[name], inner)
        return found
    if isinstance(want, list) and isinstance(got, list):
        pairs = enumerate(zip(want, got, strict=False))
        found = [line for at, pair in pairs for line in differing(*pair, f"{path}[{at}]")]
        more = [f"{path}[{at}]: {_shown(want[at])} is missing" for at in range(len(got), len(want))]
        return found + more + [f"{path}[{at}]: {_shown(got[at])} was added" for at in range(len(want), len(got))]
    same = want == got and isinstance(want, bool) == isinstance(got, bool)
    return [] if same else [f"{path}: {_shown(want)} became {_shown(got)}"]


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 160 else f"{text[:160]}…"


RULES: dict[str, tuple[Rule, ...]] = {
    "openai-chat": (
        everywhere.null_is_absent,
        everywhere.not_streaming_is_absent,
        openai_chat.dialects_are_ours,
        everywhere.bytes_of_a_url_are_what_it_names,
        openai_chat.usage_is_always_asked_for,
        openai_chat.limit_has_one_name,
        openai_chat.defaults_are_absent,
        everywhere.arguments_are_read,
    ),
    "anthropic": (
        everywhere.null_is_absent,
        everywhere.not_streaming_is_absent,
        anthropic.texts_are_blocks,
        everywhere.empty_texts_say_nothing,
        anthropic.format_has_its_newer_place,
        anthropic.defaults_are_absent,
        anthropic.turns_are_merged,
    ),
    "google": (
        everywhere.null_is_absent,
        google.model_stands_in_the_path,
        google.roles,
        everywhere.bytes_of_a_url_are_what_it_names,
        everywhere.empty_texts_say_nothing,
        google.ids_pair_calls_with_results,
        google.sound_has_one_name,
        google.schemas_are_json_schemas,
        google.functions_are_one_list,
        google.defaults_are_absent,
        google.turns_are_merged,
    ),
    "bedrock": (
        everywhere.null_is_absent,
        bedrock.model_stands_in_the_path,
        everywhere.empty_texts_say_nothing,
        bedrock.schemas_are_read,
        bedrock.thinking_has_one_name,
        bedrock.defaults_are_absent,
        bedrock.turns_are_merged,
    ),
    "cohere": (
        everywhere.null_is_absent,
        everywhere.not_streaming_is_absent,
        cohere.texts_are_parts,
        everywhere.empty_texts_say_nothing,
        everywhere.arguments_are_read,
        cohere.defaults_are_absent,
    ),
    "openai-responses": (
        everywhere.null_is_absent,
        everywhere.not_streaming_is_absent,
        openai_responses.instructions_are_a_message,
        openai_responses.texts_are_parts,
        everywhere.empty_texts_say_nothing,
        openai_responses.arguments_are_read,
        openai_responses.state_is_the_gateways,
        openai_responses.defaults_are_absent,
    ),
}

ADDITIONS: dict[str, tuple[Callable[[Body, Body], None], ...]] = {
    "openai-responses": (openai_responses.summary_was_added,),
    "openai-chat": (
        openai_chat.model_stood_in_the_path,
        openai_chat.usage_was_not_wanted,
        openai_chat.tool_turns_have_a_reasoning,
    ),
}
"""What the gateway sends of its own accord: known by its value, and only overlooked where nothing was recorded."""
