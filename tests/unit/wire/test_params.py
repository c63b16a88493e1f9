"""What becomes of each parameter: compiled from the protocol's words, the provider's policy, the mapping's lacks."""

import json

import pytest
from msgspec.structs import replace

from llmgateway.domain.routing import Capability, Mapping, ParameterPlan, ParameterPolicy, Provider
from llmgateway.wire.openai_chat.request import read_request
from llmgateway.wire.params import HARMLESS, REFUSABLE, compile_parameters
from llmgateway.wire.protocols import PROTOCOLS, codecs
from llmgateway.wire.vocabulary import Vocabulary
from tests.unit.wire.deployments import deployment

FEW_WORDS = Vocabulary(fields=frozenset(("temperature", "stop")), lacks=frozenset(("n",)), rare=frozenset(("audio",)))


def compiled(
    vocabulary: Vocabulary = FEW_WORDS,
    *,
    policy: ParameterPolicy | None = None,
    has: frozenset[str] = frozenset(),
    lacks: frozenset[str] = frozenset(),
    here_lacks: frozenset[str] = frozenset(),
    emulates: frozenset[str] = frozenset(),
    quirks: tuple[str, ...] = (),
    passes: bool = False,
) -> ParameterPlan:
    row = Provider(
        id="acme",
        parameters=policy or ParameterPolicy(),
        quirks=quirks,
        unknown_fields="pass" if passes else "list",
    )
    mapping = Mapping(provider="acme", model="m", upstream="m-1", has=has, lacks=lacks)
    return compile_parameters(row, mapping, vocabulary=vocabulary, lacks=here_lacks, emulates=emulates)


def test_a_harmless_field_without_a_word_is_left_out() -> None:
    assert compiled().listed == (HARMLESS - {"temperature"}) | {"service_tier"}


def test_a_field_that_must_not_get_lost_is_refused_where_there_is_no_word_for_it() -> None:
    assert compiled().refuse == REFUSABLE - {"stop"}
    assert set(compiled().excluding) <= compiled().refuse


def test_rows_that_take_anything_still_refuse_what_their_protocol_cannot_say() -> None:
    assert compiled(passes=True).pass_unknown
    assert compiled(passes=True).refuse == REFUSABLE - {"stop"}
    assert compiled(replace(FEW_WORDS, is_open=True), passes=True).refuse == frozenset()


def test_what_the_protocol_lacks_no_mapping_can_have() -> None:
    assert "n" in compiled(has=frozenset({"n"})).lacks


def test_what_is_rare_is_lacking_unless_the_mapping_says_otherwise() -> None:
    assert "audio" in compiled().lacks
    assert "audio" not in compiled(has=frozenset({"audio"})).lacks


def test_what_an_address_lacks_is_lacking_unless_the_mapping_says_otherwise() -> None:
    assert "web_search" in compiled(here_lacks=frozenset({"web_search"})).lacks
    plan = compiled(here_lacks=frozenset({"web_search"}), has=frozenset({"web_search"}))
    assert "web_search" not in plan.lacks


def test_what_the_mapping_lacks_is_lacking_unless_the_codec_makes_up_for_it() -> None:
    assert "json_schema" in compiled(lacks=frozenset({"json_schema"})).lacks
    assert "json_schema" not in compiled(lacks=frozenset({"json_schema"}), emulates=frozenset({"json_schema"})).lacks


def test_a_quirk_adds_words() -> None:
    vocabulary = replace(FEW_WORDS, quirks={"loud": frozenset({"audio", "effort", "verbosity"})})
    plan = compiled(vocabulary, quirks=("loud",))
    assert "audio" not in plan.lacks
    assert not plan.refuse & {"effort", "audio"}
    assert "verbosity" not in plan.listed


@pytest.mark.parametrize("passes", [False, True])
def test_refusing_tools_refuses_the_old_functions_too(*, passes: bool) -> None:
    vocabulary = replace(FEW_WORDS, is_open=True)
    assert "functions" in compiled(vocabulary, policy=ParameterPolicy(refuse=("tools",)), passes=passes).refuse


def test_a_tier_that_is_dropped_is_left_out_when_harmless_and_refused_when_not() -> None:
    plan = compiled(PROTOCOLS["openai-chat"].vocabulary, policy=ParameterPolicy(drop=("service_tier",)))
    assert "service_tier" in plan.listed
    assert "service_tier" in plan.excluding
    assert "service_tier" not in plan.untouched


def test_fixed_sampling_takes_the_other_samplers_along() -> None:
    listed = compiled(PROTOCOLS["openai-chat"].vocabulary, lacks=frozenset({"temperature"})).listed
    assert listed == {"temperature", "top_p", "frequency_penalty", "presence_penalty"}


def test_openais_chat_protocol_has_a_word_for_all_but_what_a_few_vendors_added() -> None:
    plan = compiled(PROTOCOLS["openai-chat"].vocabulary)
    assert plan.listed == frozenset()
    assert plan.refuse == {"effort", "image_config"}
    assert plan.lacks == {"reasoning_max_tokens"}


def test_every_protocol_names_fields_that_exist() -> None:
    for protocol, dialect in PROTOCOLS.items():
        known = dialect.vocabulary.lacks | dialect.vocabulary.rare | dialect.emulates
        assert known <= set(Capability.__args__), protocol


@pytest.mark.parametrize(
    ("quirks", "samples"),
    [
        ((), ""),
        (("sampling_at_none",), "at_none"),
        (("none_by_default", "sampling_at_none"), "by_default"),
        (("none_by_default",), ""),
    ],
)
def test_a_model_that_reasons_may_sample_while_it_does_not(quirks: tuple[str, ...], samples: str) -> None:
    assert compiled(quirks=quirks, lacks=frozenset({"temperature"})).samples == samples
    assert compiled(quirks=quirks).samples == ""


def test_types_are_names_or_beginnings_of_names() -> None:
    plan = compiled(policy=ParameterPolicy(types=("image", "shell_*")))
    taken = ["image", "images", "shell_1", "shell", "Image", "my_shell_1"]
    assert [name for name in taken if plan.takes_type(name)] == ["image", "shell_1"]
    assert not compiled().takes_type("")


@pytest.mark.parametrize("protocol", ["openai-responses", "google", "cohere"])
def test_breakpoints_of_a_prompt_cache_are_listed_where_there_is_no_word_for_them(protocol: str) -> None:
    mark = {"type": "ephemeral"}
    tool = {"type": "function", "function": {"name": "f"}, "cache_control": mark}
    content = [{"type": "text", "text": "Hello", "cache_control": mark}]
    body = {"model": "m", "messages": [{"role": "user", "content": content}], "tools": [tool]}
    _, dropped = codecs()[protocol].build(read_request(json.dumps(body).encode()), to=deployment())
    assert {"messages[].content[].cache_control", "tools[].cache_control"} <= set(dropped)
