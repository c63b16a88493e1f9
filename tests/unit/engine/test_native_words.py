"""Types and fields that only one vendor knows go to the row, and over the protocol, that takes them."""

from typing import Any

import pytest

from llmgateway.domain import errors
from llmgateway.domain.routing import Endpoint, ParameterPolicy
from llmgateway.engine.address import row_at
from llmgateway.engine.snapshot import Snapshot
from tests.support.fakes import offer, provider, snapshot
from tests.unit.engine.test_plan import CHEAP, DEAR, FOREIGN, refusal, served_by, spoken

NATIVE: list[tuple[str, dict[str, Any]]] = [
    ("hologram", FOREIGN[0][0]),
    ("tele*", FOREIGN[1][0]),
    ("wand", {"tools": [{"type": "web_search"}], "tool_choice": {"type": "wand"}}),
]


@pytest.mark.parametrize(("kind", "fields"), NATIVE, ids=[kind for kind, _ in NATIVE])
def test_a_type_of_its_own_goes_to_the_row_that_names_it(kind: str, fields: dict[str, Any]) -> None:
    taking = provider("taking", parameters=ParameterPolicy(types=("spell", kind)))
    of = snapshot(offer("cheap", price=CHEAP), offer("taking", price=DEAR), providers=[provider("cheap"), taking])
    assert served_by(of, **fields) == "taking/gpt-x"
    refused = snapshot(providers=[provider(parameters=ParameterPolicy(types=(f"{kind.rstrip('*')}_x",)))])
    assert str(refusal(refused, errors.UNSUPPORTED_PARAMETER, **fields).param).endswith("type")


def test_a_tool_of_the_vendors_can_be_chosen_by_its_name() -> None:
    of = snapshot(providers=[provider(parameters=ParameterPolicy(types=("shell_*",)))])
    chosen = {"type": "function", "function": {"name": "shell"}}
    tools = [{"type": "shell_2026", "name": "shell"}]
    assert served_by(of, tools=tools, tool_choice=chosen) == "acme/gpt-x"


def owning(
    *, chat: ParameterPolicy | None = None, takes: tuple[str, ...] = (), types: tuple[str, ...] = ()
) -> Snapshot:
    endpoint = Endpoint(protocol="openai-responses", takes=takes, types=types)
    row = provider(endpoints=(endpoint,), parameters=chat or ParameterPolicy())
    return snapshot(providers=[row], protocols=frozenset({"openai-chat", "openai-responses"}))


def test_responses_are_spoken_for_types_and_fields_that_only_they_take() -> None:
    tool: dict[str, Any] = {"tools": [{"type": "file_search"}]}
    assert spoken(owning(types=("file_*",)), **tool) == "openai-responses"
    assert spoken(owning(types=("file_*",), chat=ParameterPolicy(types=("file_search",))), **tool) == "openai-chat"
    assert refusal(owning(), errors.UNSUPPORTED_PARAMETER, **tool).param == "tools[0].type"
    assert refusal(owning(types=("file_*",)), errors.UNSUPPORTED_PARAMETER, **tool, seed=1).param == "seed"
    assert spoken(owning(takes=("prompt",)), prompt={"id": "p"}) == "openai-responses"
    assert spoken(owning(takes=("prompt",), chat=ParameterPolicy(takes=("prompt",))), prompt={}) == "openai-chat"


def test_a_field_of_the_other_protocol_gives_way_to_what_only_chat_can_say() -> None:
    assert spoken(owning(takes=("truncation",)), truncation="auto", seed=1) == "openai-chat"


def test_an_endpoint_of_another_protocol_has_none_of_the_rows_own_words() -> None:
    row = provider(
        parameters=ParameterPolicy(takes=("a",), types=("x",)),
        endpoints=(Endpoint(protocol="anthropic", takes=("b",)), Endpoint(protocol="openai-chat", types=("y",))),
    )
    at = {one.protocol: row_at(row, one).parameters for one in row.endpoints}
    assert (at["anthropic"].takes, at["anthropic"].types) == (("b",), ())
    assert (at["openai-chat"].takes, at["openai-chat"].types) == (("a",), ("x", "y"))
