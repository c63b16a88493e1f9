"""Every quirk that a provider's row may name: what a vendor does differently, for which data alone has no form.

`name@pattern` has the quirk for the upstream names alone that the pattern finds, and `!name@pattern` takes it from
them again; the last of several that exclude each other counts.
"""

import re
from typing import Final

from llmgateway.wire.openai_chat.reasoning import QUIRK, STYLES

QUIRKS: Final[dict[str, str]] = {
    "alternating": "Messages of one role that follow each other are sent as one.",
    "citations": "Sources beside the choices (`citations`, `search_results`) become annotations of the answer.",
    "effort": "Takes `effort` of the Claude models.",
    "document_parts": "A file is a part of type `document_url`.",
    "exclude_domains": "Can leave out domains of a web search.",
    "file_urls": "Reads files by their URL.",
    "image_config": "Takes `image_config`.",
    "inline_media": "Takes images as bytes only, so that the gateway fetches them.",
    "labels": "`metadata` is sent as `labels`.",
    "message_members": "Refuses messages with members it does not know: they are left out and listed.",
    "nine_letter_ids": "Ids of tool calls have to be nine letters or digits: others are replaced, the same ones alike.",
    "none_by_default": "Does not reason unless an effort is asked for.",
    "no_reasoning_summary": "Refuses to be asked for a summary of its reasoning.",
    "no_stream_options": "Refuses `stream_options`; usage comes without asking.",
    "no_system_role": "Knows no system role: its text is sent as the user's.",
    "openapi_schema": "Takes schemas in OpenAPI's reduced form only.",
    "prefix": "An answer that is to be continued is marked with `prefix`.",
    "prompt_cache:auto": "Breakpoints of the prompt cache are set where the caller set none.",
    "reasoning_object": "Takes our `reasoning` object as it is.",
    "replay:reasoning": "Earlier reasoning is sent back as `reasoning`.",
    "replay:reasoning_content": "Earlier reasoning is sent back as `reasoning_content`.",
    "replay:reasoning_details": "Earlier reasoning is sent back as `reasoning_details`.",
    "replay:thinking_parts": "Earlier reasoning is sent back as a content part of type `thinking`.",
    "sampling_at_none": "A model that reasons takes sampling parameters all the same while its effort is none.",
    "searches": "Takes `web_search_options` and searches by itself.",
    "sensitive_word_check": "Takes `sensitive_word_check`.",
    "system_role": "Knows no developer role: it is sent as system.",
    "think_open": "Answers begin within the reasoning, which a closing tag ends: it is split off.",
    "think_tags": "Answers may open with reasoning between tags: it is split off.",
    "tool_choice_any": "Calls the required tool choice `any`.",
    "tool_turn_reasoning": "Refuses a turn that called tools without `reasoning_content`: an empty one is sent.",
    "vertex": "The model stands in the address, the version in the body.",
    "x_simulator": "Gets the header `x-simulator`.",
    **{f"{QUIRK}{style}": "How the model is told to reason." for style in STYLES},
}
"""By name, with what it means."""

_FAMILIES: Final = ("reasoning_format:",)
"""Quirks whose name goes on with a name of the vendor's: whose reasoning it is that is replayed."""

REWRITES_MESSAGES: Final = frozenset(
    (
        "alternating", "document_parts", "message_members", "nine_letter_ids", "no_system_role", "prefix",
        "replay:thinking_parts", "system_role", "tool_turn_reasoning",
    )
)  # fmt: skip
"""Those for which every message has to be looked at."""


def quirks_for(quirks: tuple[str, ...], upstream: str) -> tuple[str, ...]:
    """The quirks of one mapping, patterns resolved."""
    found: list[str] = []
    for quirk in quirks:
        name, has_pattern, pattern = quirk.partition("@")
        if has_pattern and re.search(pattern, upstream) is None:
            continue
        found = [one for one in found if one != name.removeprefix("!")]
        if not name.startswith("!"):
            found.append(name)
    return tuple(found)


def complaint(quirk: str) -> str | None:
    """What is wrong with a quirk as written; None if nothing is."""
    name, _, pattern = quirk.partition("@")
    if name.removeprefix("!") not in QUIRKS and not name.removeprefix("!").startswith(_FAMILIES):
        return f"no quirk is called {name!r}"
    try:
        re.compile(pattern)
    except re.error as error:
        return f"{pattern!r} is no pattern ({error})"
    return None
