"""How JSON is asked for in words: where the instruction stands, what it says, and that its bytes do not change."""

import json
from typing import Any

from llmgateway.domain.routing import Deployment
from llmgateway.wire.openai_chat.build import build_request
from llmgateway.wire.openai_chat.request import read_request
from tests.unit.wire.deployments import deployment

LACKS = frozenset(("json_schema", "json_object"))
SCHEMA = '{"type": "object", "properties": {"b": {"type": "string"}, "a": {"type": "integer"}}}'
FORMAT = f'{{"type":"json_schema","json_schema":{{"name":"x","description":"Two things","schema":{SCHEMA}}}}}'


def sent(to: Deployment, messages: list[dict[str, Any]], shape: str = FORMAT) -> dict[str, Any]:
    return json.loads(body(to, messages, shape))


def body(to: Deployment, messages: list[dict[str, Any]], shape: str = FORMAT) -> bytes:
    source = f'{{"model":"m","messages":{json.dumps(messages)},"response_format":{shape}}}'
    return build_request(read_request(source.encode()), to=to)[0].body


USER = {"role": "user", "content": "Hi"}


def test_without_a_system_message_the_instruction_is_one() -> None:
    messages = sent(deployment(lacks=LACKS), [USER])["messages"]
    assert [message["role"] for message in messages] == ["system", "user"]
    assert messages[1] == USER


def test_it_ends_the_system_message_there_is() -> None:
    for role in ("system", "developer"):
        first = sent(deployment(lacks=LACKS), [{"role": role, "content": "Be brief."}, USER])["messages"][0]
        assert first["role"] == role
        assert first["content"].startswith("Be brief.\n\nAnswer with one JSON value")
    parts = [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]
    first = sent(deployment(lacks=LACKS), [{"role": "system", "content": parts}, USER])["messages"][0]
    assert first["content"][0] == parts[0]
    assert first["content"][1]["text"].startswith("Answer with one JSON value")
    first = sent(deployment(lacks=LACKS), [{"role": "system"}, USER])["messages"][0]
    assert first["content"].startswith("Answer with one JSON value")


def test_it_holds_the_schema_in_the_callers_order_and_its_description() -> None:
    text = sent(deployment(lacks=LACKS), [USER])["messages"][0]["content"]
    assert '"b": {"type": "string"}, "a": {"type": "integer"}' in text
    assert "Two things" in text


def test_the_same_format_gives_the_same_prefix_from_turn_to_turn() -> None:
    first = body(deployment(lacks=LACKS), [USER])
    later = body(deployment(lacks=LACKS), [USER, {"role": "assistant", "content": "{}"}, USER])
    cut = first.index(b"}]")
    assert later[:cut] == first[:cut]


def test_json_mode_remains_where_the_mapping_has_it() -> None:
    able = deployment(lacks=frozenset(("json_schema",)), has=frozenset(("json_object",)))
    assert sent(able, [USER])["response_format"] == {"type": "json_object"}
    assert "response_format" not in sent(deployment(lacks=frozenset(("json_schema",))), [USER])


def test_json_mode_itself_is_asked_for_in_words_where_it_is_lacking() -> None:
    request = sent(deployment(lacks=LACKS), [USER], '{"type":"json_object"}')
    assert "response_format" not in request
    assert request["messages"][0]["content"].startswith("Answer with one JSON object")


def test_what_the_mapping_has_goes_out_as_it_is() -> None:
    request = sent(deployment(), [USER])
    assert request["messages"] == [USER]
    assert request["response_format"] == json.loads(FORMAT)
    assert sent(deployment(lacks=LACKS), [USER], '{"type":"text"}')["response_format"] == {"type": "text"}
