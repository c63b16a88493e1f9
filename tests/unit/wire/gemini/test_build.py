"""Every field of a request becomes Google's own, or is listed."""

import json
from typing import Any

import pytest

from llmgateway.domain.errors import UPSTREAM_REFUSED, UpstreamError
from llmgateway.domain.routing import ParameterPolicy
from llmgateway.wire.gemini.upstream import Gemini
from llmgateway.wire.gemini.vocabulary import emulates
from llmgateway.wire.openai_chat.request import read_request
from tests.unit.wire.deployments import deployment
from tests.unit.wire.gemini.asking import asked, at, config, dropped

SCHEMA = {"type": "object", "properties": {"b": {"type": "string"}, "a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {}}}
SHAPE = {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}}
TOOL: dict[str, Any] = {"type": "function", "function": {"name": "f", "description": "d", "parameters": SCHEMA}}
SEARCH = {"type": "web_search"}


def test_sampling_and_limits() -> None:
    fields = {
        "temperature": 0.5, "top_p": 0.9, "top_k": 40, "seed": 7, "presence_penalty": 1, "frequency_penalty": -1,
        "max_tokens": 100, "stop": "a", "n": 2, "logprobs": True, "top_logprobs": 3,
    }  # fmt: skip
    assert config(**fields) == {
        "temperature": 0.5, "topP": 0.9, "topK": 40, "seed": 7, "presencePenalty": 1, "frequencyPenalty": -1,
        "maxOutputTokens": 100, "stopSequences": ["a"], "candidateCount": 2, "responseLogprobs": True, "logprobs": 3,
    }  # fmt: skip
    assert dropped(**fields) == ()


def test_what_google_has_no_word_for_is_listed() -> None:
    fields: dict[str, Any] = {
        "min_p": 0.1, "user": "u", "metadata": {}, "verbosity": "low", "guided_json": {}, "effort": "low",
        "free_models_only": True, "no_reasoning": False, "stream": True, "stream_options": {"include_usage": True},
        "usage": {}, "service_tier": "auto", "parallel_tool_calls": True, "store": False, "routing": "price",
    }  # fmt: skip
    listed = ("min_p", "user", "metadata", "verbosity", "guided_json", "effort", "free_models_only", "store")
    assert dropped(**fields) == listed
    assert asked(**fields).keys() == {"contents"}


def test_the_rows_own_policy_is_followed() -> None:
    policy = ParameterPolicy(drop=("top_k", "seed"), clamp={"temperature": 1}, force={"labels": '{"a":"b"}'})
    to = deployment(policy=policy)
    assert config(to=to, temperature=2, top_k=4, seed=1) == {"temperature": 1}
    assert dropped(to=to, temperature=2, top_k=4, seed=1) == ("top_k", "seed")
    assert asked(to=to)["labels"] == {"a": "b"}


def test_service_tier_and_safety_settings_stand_beside_the_config() -> None:
    settings = [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}]
    body = asked(service_tier="flex", safety_settings=settings)
    assert (body["serviceTier"], body["safetySettings"]) == ("flex", settings)
    assert dropped(service_tier="flex", safety_settings=settings) == ()


def test_schemas_go_out_as_the_caller_wrote_them() -> None:
    body = (
        b'{"model":"m","messages":[{"role":"user","content":"x"}],"tools":[{"type":"function","function":{"name":"f",'
    )
    written = b'{"type": "object",  "properties": {"z": {}, "a": {"type":"number", "minimum": 1.0}}}'
    chat = read_request(body + b'"parameters":%b}}]}' % written)
    sent = Gemini().build(chat, to=at())[0].body
    members = b'"parametersJsonSchema":{"type":"object","properties":{"z": {}, "a": {"type":"number", "minimum": 1.0}}}'
    assert members in sent


def test_functions_and_web_search() -> None:
    body = asked(tools=[TOOL, {"type": "function", "function": {"name": "g"}}], tool_choice="auto")
    declared = {"name": "f", "description": "d", "parametersJsonSchema": SCHEMA}
    assert body["tools"] == [{"functionDeclarations": [declared, {"name": "g"}]}]
    assert body["toolConfig"] == {"functionCallingConfig": {"mode": "AUTO"}}
    assert asked(web_search=True)["tools"] == [{"googleSearch": {}}]
    both = asked(tools=[TOOL, SEARCH])
    assert both["toolConfig"] == {"includeServerSideToolInvocations": True}
    assert "toolConfig" not in asked(tools=[TOOL, SEARCH], model="gemini-2.5-flash")
    assert dropped(tools=[{**SEARCH, "max_uses": 2, "blocked_domains": ["a.test"]}]) == (
        "tools[0].max_uses",
        "tools[0].blocked_domains",
    )
    vertex = at(quirks=("exclude_domains",))
    assert asked(tools=[{**SEARCH, "blocked_domains": ["a.test"]}], to=vertex)["tools"] == [
        {"googleSearch": {"excludeDomains": ["a.test"]}}
    ]


@pytest.mark.parametrize(
    ("choice", "mode"),
    [
        ("none", {"mode": "NONE"}),
        ("required", {"mode": "ANY"}),
        ({"type": "function", "function": {"name": "f"}}, {"mode": "ANY", "allowedFunctionNames": ["f"]}),
    ],
)
def test_tool_choice(choice: Any, mode: Any) -> None:
    assert asked(tools=[TOOL], tool_choice=choice)["toolConfig"] == {"functionCallingConfig": mode}


def test_strict_functions_are_validated_where_the_model_can() -> None:
    strict = {"type": "function", "function": {**TOOL["function"], "strict": True}}
    assert asked(tools=[strict])["toolConfig"]["functionCallingConfig"] == {"mode": "VALIDATED"}
    assert asked(tools=[strict], tool_choice="required")["toolConfig"]["functionCallingConfig"] == {"mode": "ANY"}
    assert dropped(tools=[strict], model="gemini-2.0-flash") == ("tools[].function.strict",)


def test_the_old_functions() -> None:
    body = asked(functions=[{"name": "f", "parameters": SCHEMA}], function_call={"name": "f"})
    assert body["tools"][0]["functionDeclarations"][0]["name"] == "f"
    assert body["toolConfig"]["functionCallingConfig"] == {"mode": "ANY", "allowedFunctionNames": ["f"]}


def test_rows_without_json_schema_get_googles_dialect() -> None:
    to = at(quirks=("openapi_schema",))
    declared = asked(tools=[TOOL], to=to)["tools"][0]["functionDeclarations"][0]
    assert "parametersJsonSchema" not in declared
    assert declared["parameters"]["properties"]["b"] == {"type": "STRING"}
    assert config(response_format=SHAPE, to=to)["responseSchema"]["type"] == "OBJECT"
    empty = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
    assert asked(tools=[empty], to=to)["tools"][0]["functionDeclarations"] == [{"name": "f"}]


def test_json() -> None:
    assert config(response_format={"type": "json_object"}) == {"responseMimeType": "application/json"}
    native = {"responseMimeType": "application/json", "responseJsonSchema": SCHEMA}
    assert config(response_format=SHAPE) == native
    assert config(response_format=SHAPE, tools=[TOOL]) == native
    assert "generationConfig" not in asked(response_format={"type": "text"})


def test_json_beside_tools_is_an_instruction_where_the_model_refuses_both() -> None:
    body = asked(response_format=SHAPE, tools=[TOOL], model="gemini-2.5-flash")
    assert "generationConfig" not in body
    told = body["systemInstruction"]["parts"][-1]["text"]
    assert json.loads(told.partition("JSON Schema: ")[2]) == SCHEMA


@pytest.mark.parametrize(
    ("model", "fields", "how"),
    [
        ("gemini-2.5-flash", {"response_format": SHAPE}, None),
        ("gemini-2.5-flash", {"response_format": SHAPE, "tools": [TOOL]}, "instruction"),
        ("gemini-2.5-flash", {"response_format": SHAPE, "web_search": True}, "instruction"),
        ("gemini-3-pro-preview", {"response_format": SHAPE, "tools": [TOOL]}, None),
        ("gemma-3-27b-it", {"response_format": {"type": "json_object"}}, "instruction"),
        ("gemma-3-27b-it", {"response_format": {"type": "text"}}, None),
        ("gemma-3-27b-it", {}, None),
    ],
)
def test_emulates(model: str, fields: dict[str, Any], how: str | None) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "x"}], **fields}
    assert emulates(read_request(json.dumps(body).encode()), to=at(model)) == how


def test_pictures() -> None:
    image = {"aspect_ratio": "16:9", "image_size": "2k", "image_quality": "high", "n": 2, "seed": 5}
    assert config(modalities=["text", "image"], image_config=image) == {
        "responseModalities": ["TEXT", "IMAGE"],
        "imageConfig": {"aspectRatio": "16:9", "imageSize": "2K"},
        "candidateCount": 2,
        "seed": 5,
    }
    assert dropped(image_config={**image, "image_size": "1024x1024"}) == (
        "image_config.image_size",
        "image_config.image_quality",
    )


def test_speech() -> None:
    spoken = config(modalities=["text", "audio"], audio={"voice": "Kore", "format": "wav"})
    voice = {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}}
    assert spoken == {"responseModalities": ["AUDIO"], "speechConfig": voice}
    with pytest.raises(UpstreamError, match="'wav' or 'pcm16'") as refused:
        asked(modalities=["audio"], audio={"voice": "Kore", "format": "mp3"})
    assert (refused.value.kind, refused.value.param) == (UPSTREAM_REFUSED, "audio.format")


def test_image_detail_is_told_where_all_images_agree() -> None:
    def seen(*details: str) -> Any:
        parts = [
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": one}} for one in details
        ]
        return [{"role": "user", "content": parts}]

    assert asked(seen("low", "low"))["generationConfig"] == {"mediaResolution": "MEDIA_RESOLUTION_LOW"}
    assert "generationConfig" not in asked(seen("auto"))
    assert dropped(seen("low", "high")) == ("messages[].content[].image_url.detail",)


def test_what_is_sent_has_a_byte_stable_prefix_from_turn_to_turn() -> None:
    """All of a turn but the end of its contents is the beginning of the next one; prompt caches depend on it."""
    messages: list[dict[str, Any]] = [{"role": "system", "content": "be brief"}]
    before = b""
    for turn in range(8):
        call = {"id": f"c{turn}", "type": "function", "function": {"name": "f", "arguments": '{"b": 1, "a": 2}'}}
        messages += [
            {"role": "user", "content": f"question {turn}"},
            {"role": "assistant", "content": "let me see", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": f"c{turn}", "content": '{"z": 1, "a": 2.50}'},
        ]
        body = {"model": "m", "messages": messages, "tools": [TOOL], "temperature": 1, "stream": turn % 2 == 0}
        sent = Gemini().build(read_request(json.dumps(body).encode()), to=at())[0].body
        again = Gemini().build(read_request(json.dumps(body).encode()), to=at())[0].body
        assert sent == again
        grown = before.partition(b'],"generationConfig"')[0]
        assert sent.startswith(grown)
        before = sent


def test_a_schema_nested_as_deep_as_a_request_may_be_is_survived() -> None:
    nested = b'{"type":"object","properties":{"a":' * 440 + b"{}" + b"}}" * 440
    body = (
        b'{"model":"m","messages":[{"role":"user","content":"x"}],"tools":[{"type":"function","function":{"name":"f",'
    )
    chat = read_request(body + b'"parameters":%b}}]}' % nested)
    assert nested[:200] in Gemini().build(chat, to=at())[0].body
    assert len(Gemini().build(chat, to=at(quirks=("openapi_schema",)))[0].body) < 5_000


OWN = ParameterPolicy(takes=("cachedContent", "generationConfig", "toolConfig", "safetySettings"), types=("*",))


def test_fields_of_its_own_are_sent_beneath_what_was_translated() -> None:
    to = deployment(policy=OWN)
    tools = [{"type": "function", "function": {"name": "f"}}]
    own = {"retrievalConfig": {"languageCode": "de"}, "functionCallingConfig": {"mode": "NONE"}}
    body = asked(
        to=to, cachedContent="c", temperature=1, generationConfig={"temperature": 2, "audioTimestamp": True},
        tools=tools, tool_choice="required", toolConfig=own,
    )  # fmt: skip
    assert body["cachedContent"] == "c"
    assert body["generationConfig"] == {"temperature": 1, "audioTimestamp": True}
    assert body["toolConfig"] == {**own, "functionCallingConfig": {"mode": "ANY"}}
    assert dropped(cachedContent="c") == ("cachedContent",)


@pytest.mark.parametrize(
    ("tool", "sent"),
    [
        ({"type": "urlContext", "urlContext": {}}, {"urlContext": {}}),
        ({"type": "google_maps", "enable_widget": True}, {"google_maps": {"enable_widget": True}}),
        ({"type": "codeExecution"}, {"codeExecution": {}}),
    ],
)
def test_a_tool_of_its_own(tool: dict[str, Any], sent: dict[str, Any]) -> None:
    body = asked(to=deployment(policy=OWN), tools=[{"type": "function", "function": {"name": "f"}}, tool])
    assert body["tools"] == [{"functionDeclarations": [{"name": "f"}]}, sent]


def test_members_of_a_function_that_only_google_has() -> None:
    beside = {"behavior": "NON_BLOCKING", "responseJsonSchema": {"type": "string"}}
    body = asked(tools=[{"type": "function", "function": {"name": "f"}, **beside, "unknown": 1}])
    assert body["tools"] == [{"functionDeclarations": [{"name": "f", **beside}]}]


def test_members_of_a_part_that_only_google_has_and_parts_of_its_own() -> None:
    film = {"type": "file", "file": {"file_data": "https://youtu.be/x"}, "videoMetadata": {"fps": 1}}
    code = {"type": "executableCode", "executableCode": {"code": "1"}}
    body = asked([{"role": "user", "content": [film, code]}], to=deployment(policy=OWN))
    file = {"fileData": {"mimeType": "video/mp4", "fileUri": "https://youtu.be/x"}, "videoMetadata": {"fps": 1}}
    assert body["contents"][0]["parts"] == [file, {"executableCode": {"code": "1"}}]


def test_metadata_are_labels_where_they_fit() -> None:
    to = deployment(quirks=("labels",), policy=ParameterPolicy(takes=("labels",)))
    assert asked(to=to, metadata={"team": "a-1"})["labels"] == {"team": "a-1"}
    assert dropped(to=to, metadata={"team": "a-1"}) == ()
    assert asked(to=to, metadata={"team": "a"}, labels={"x": "y"})["labels"] == {"x": "y"}
    for metadata in ({"Team": "a"}, {"team": "A b"}, {"team": 1}, {f"k{n}": "" for n in range(65)}):
        assert "labels" not in asked(to=to, metadata=metadata)
        assert dropped(to=to, metadata=metadata) == ("metadata",)


@pytest.mark.parametrize(("mode", "sent"), [("required", "ANY"), ("auto", "VALIDATED")])
def test_some_of_the_functions_are_allowed(mode: str, sent: str) -> None:
    tools = [{"type": "function", "function": {"name": name}} for name in "abc"]
    allowed = {"mode": mode, "tools": [tools[0], tools[2]]}
    body = asked(tools=tools, tool_choice={"type": "allowed_tools", "allowed_tools": allowed})
    assert body["toolConfig"] == {"functionCallingConfig": {"mode": sent, "allowedFunctionNames": ["a", "c"]}}
