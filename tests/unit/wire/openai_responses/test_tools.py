"""Tools, the web search among them, and the choice: flat here, nested in chat completions."""

from typing import Any

import pytest

from tests.unit.wire.openai_responses.asking import built, sent

PARAMETERS = {"type": "object", "properties": {"z": {"type": "string"}, "a": {"type": "string"}}}
PASS = {"unknown_fields": "pass"}


def function(name: str = "f", **members: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, **members}}


def test_functions_are_flat_and_strict_only_if_the_caller_says_so() -> None:
    """Here a function without `strict` is strict, which in chat completions it is not."""
    tools = [function(description="d", parameters=PARAMETERS, strict=True), function("g", parameters=PARAMETERS)]
    assert sent(tools=tools)["tools"] == [
        {"type": "function", "name": "f", "description": "d", "parameters": PARAMETERS, "strict": True},
        {"type": "function", "name": "g", "parameters": PARAMETERS, "strict": False},
    ]


def test_a_function_without_parameters_takes_none() -> None:
    assert sent(tools=[function()])["tools"][0]["parameters"] == {"type": "object", "properties": {}}


def test_members_of_a_tool_nobody_knows_go_along() -> None:
    tool = {**function(), "defer_loading": True, "cache_control": {"type": "ephemeral"}}
    body, dropped = built(tools=[tool])
    assert body["tools"][0].keys() == {"type", "name", "parameters", "strict", "defer_loading"}
    assert dropped == ("tools[].cache_control",)


@pytest.mark.parametrize(
    ("choice", "flat"),
    [
        ("none", "none"),
        ("auto", "auto"),
        ("required", "required"),
        ({"type": "function", "function": {"name": "f"}}, {"type": "function", "name": "f"}),
        ({"type": "custom", "custom": {"name": "sql"}}, {"type": "custom", "name": "sql"}),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "f"}}]},
            },
            {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "f"}]},
        ),
        ({"type": "file_search"}, {"type": "file_search"}),
    ],
)
def test_the_choice(choice: Any, flat: Any) -> None:
    assert sent(row=PASS, tools=[function()], tool_choice=choice)["tool_choice"] == flat


def test_the_old_functions_are_tools() -> None:
    body = sent(functions=[{"name": "f", "parameters": PARAMETERS}], function_call={"name": "f"})
    assert body["tools"] == [{"type": "function", "name": "f", "parameters": PARAMETERS, "strict": False}]
    assert body["tool_choice"] == {"type": "function", "name": "f"}
    assert body["parallel_tool_calls"] is False, "an answer in those words has room for one call"
    assert sent(functions=[{"name": "f"}], function_call="none")["tool_choice"] == "none"


def test_a_web_search_with_everything() -> None:
    tool = {
        "type": "web_search",
        "user_location": {"type": "approximate", "city": "Rome"},
        "search_context_size": "low",
        "max_uses": 3,
        "allowed_domains": ["a.test"],
        "blocked_domains": ["b.test"],
    }
    body, dropped = built(tools=[function(), tool])
    assert body["tools"][1] == {
        "type": "web_search",
        "user_location": {"type": "approximate", "city": "Rome"},
        "search_context_size": "low",
        "filters": {"allowed_domains": ["a.test"]},
    }
    assert (body["max_tool_calls"], dropped) == (3, ("tools[1].blocked_domains",))


def test_a_web_search_asked_for_in_other_words() -> None:
    assert sent(web_search=True)["tools"] == [{"type": "web_search"}]
    place = {"type": "approximate", "approximate": {"city": "Rome", "country": "IT"}}
    options = {"search_context_size": "high", "user_location": place}
    assert sent(web_search_options=options, web_search=True)["tools"] == [
        {
            "type": "web_search",
            "search_context_size": "high",
            "user_location": {"type": "approximate", "city": "Rome", "country": "IT"},
        }
    ]
    assert sent(tools=[{"type": "web_search"}], web_search=True)["tools"] == [{"type": "web_search"}]


def test_custom_tools_are_flat_and_other_types_as_they_are() -> None:
    grammar = {"syntax": "lark", "definition": "start: A"}
    custom = {"name": "sql", "description": "d", "format": {"type": "grammar", "grammar": grammar}}
    search = {"type": "file_search", "vector_store_ids": ["vs_1"]}
    assert sent(row=PASS, tools=[{"type": "custom", "custom": custom}, search])["tools"] == [
        {"type": "custom", "name": "sql", "description": "d", "format": {"type": "grammar", **grammar}},
        search,
    ]


def test_images_are_made_by_a_tool() -> None:
    assert sent(modalities=["text", "image"])["tools"] == [{"type": "image_generation"}]
    config = {"aspect_ratio": "3:2", "image_quality": "high", "n": 2, "seed": 1}
    body, dropped = built(modalities=["image"], image_config=config)
    assert body["tools"] == [{"type": "image_generation", "size": "1536x1024", "quality": "high"}]
    assert dropped == ("image_config.n", "image_config.seed")
    body, dropped = built(modalities=["image"], image_config={"aspect_ratio": "21:9", "image_size": "4K"})
    assert body["tools"] == [{"type": "image_generation"}]
    assert dropped == ("image_config.image_size", "image_config.aspect_ratio")
    assert sent(modalities=["image"], image_config={"image_size": "auto"})["tools"][0]["size"] == "auto"
