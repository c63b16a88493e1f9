"""Where each vendor of the shipped catalogue is called: path, host and key, from an operator's environment alone."""

from typing import Any

import pytest

from llmgateway.catalog.lookup import Catalog, load
from llmgateway.domain import errors
from llmgateway.domain.errors import GatewayError
from llmgateway.domain.routing import Deployment, Endpoint, Variable
from llmgateway.engine.snapshot import Snapshot
from llmgateway.infra.operator import operator_rows
from llmgateway.infra.settings import Settings
from llmgateway.wire.openai_chat.request import read_request
from llmgateway.wire.protocols import PROTOCOLS
from tests.support.fakes import KEY, TODAY, offer, planned, provider, request_body
from tests.support.fakes import snapshot as small

ALL = frozenset(PROTOCOLS)
ACCESS_KEY = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG"}
VERTEX = {"GOOGLE_APPLICATION_CREDENTIALS": '{"project_id": "acme"}'}
AZURE = {"AZURE_OPENAI_API_KEY": "az-key", "AZURE_RESOURCE_NAME": "acme"}


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load()


def snapshot(catalog: Catalog, environ: dict[str, str], *, protocols: frozenset[str] = ALL) -> Snapshot:
    rows = operator_rows(Settings(), environ=environ, catalog_providers=catalog.providers, fingerprint=str)
    return Snapshot(
        catalog=catalog.merged(rows.providers, rows.models),
        keys=[KEY],
        credentials=rows.credentials,
        protocols=protocols,
        instance_id="instance-1",
        today=TODAY,
    )


def deployment(catalog: Catalog, name: str, environ: dict[str, str]) -> Deployment:
    route = snapshot(catalog, environ).route(name)
    assert route is not None, name
    assert route.offers, route.excluded
    return route.offers[0].deployments[0]


def addresses(found: Deployment) -> tuple[str, str]:
    """Where a whole answer and where a stream is asked for."""
    return _url(found, found.head), _url(found, found.head_stream)


def _url(found: Deployment, head: bytes) -> str:
    first, host, *_ = head.decode().splitlines()
    return f"{found.origin.scheme}://{host.removeprefix('host: ')}{first.split()[1]}"


def lines(found: Deployment) -> list[str]:
    return found.head.decode().splitlines()


US_OPUS = "us.anthropic.claude-opus-4-1-20250805-v1:0"


def twice(url: str) -> tuple[str, str]:
    """Both whole answers and streams are asked for there."""
    return url, url


GOOGLE = "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-pro:"
PLACES: list[tuple[str, dict[str, str], tuple[str, str]]] = [
    ("openai/gpt-4o", {"OPENAI_API_KEY": "k"}, twice("https://api.openai.com/v1/chat/completions")),
    ("openai/gpt-5-pro", {"OPENAI_API_KEY": "k"}, twice("https://api.openai.com/v1/responses")),
    ("anthropic/claude-sonnet-4-5", {"ANTHROPIC_API_KEY": "k"}, twice("https://api.anthropic.com/v1/messages")),
    (
        "google-ai-studio/gemini-2.5-pro",
        {"GEMINI_API_KEY": "k"},
        (f"{GOOGLE}generateContent", f"{GOOGLE}streamGenerateContent?alt=sse"),
    ),
    ("cohere/command-a-03-2025", {"CO_API_KEY": "k"}, twice("https://api.cohere.com/v2/chat")),
    ("azure/gpt-4o", AZURE, twice("https://acme.openai.azure.com/openai/v1/chat/completions")),
    ("azure/gpt-5-pro", AZURE, twice("https://acme.openai.azure.com/openai/v1/responses")),
    ("azure/claude-sonnet-4-5", AZURE, twice("https://acme.services.ai.azure.com/anthropic/v1/messages")),
    (
        "azure/gpt-4o",
        {**AZURE, "AZURE_OPENAI_ENDPOINT": "https://mine.example.com/", "OPENAI_API_VERSION": "2024-10-21"},
        twice("https://mine.example.com/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21"),
    ),
    ("minimax/MiniMax-M2", {"MINIMAX_API_KEY": "k"}, twice("https://api.minimax.io/anthropic/v1/messages")),
    ("opencode/claude-sonnet-4", {"OPENCODE_API_KEY": "k"}, twice("https://opencode.ai/zen/v1/messages")),
    ("opencode/gpt-5.2", {"OPENCODE_API_KEY": "k"}, twice("https://opencode.ai/zen/v1/responses")),
    (
        "cloudflare-workers-ai/@cf/openai/gpt-oss-120b",
        {"CLOUDFLARE_API_TOKEN": "k", "CLOUDFLARE_ACCOUNT_ID": "acc"},
        twice("https://api.cloudflare.com/client/v4/accounts/acc/ai/v1/chat/completions"),
    ),
]


@pytest.mark.parametrize(("name", "environ", "expected"), PLACES, ids=[f"{row[0]}-{len(row[1])}" for row in PLACES])
def test_each_vendor_is_called_at_its_own_address(
    catalog: Catalog, name: str, environ: dict[str, str], expected: tuple[str, str]
) -> None:
    assert addresses(deployment(catalog, name, environ)) == expected


@pytest.mark.parametrize(
    ("environ", "host", "place"),
    [
        ({}, "aiplatform.googleapis.com", "global"),
        ({"GOOGLE_CLOUD_LOCATION": "europe-west4"}, "europe-west4-aiplatform.googleapis.com", "europe-west4"),
        ({"GOOGLE_VERTEX_LOCATION": "eu"}, "aiplatform.eu.rep.googleapis.com", "eu"),
    ],
)
def test_vertex_has_a_host_for_each_kind_of_location(
    catalog: Catalog, environ: dict[str, str], host: str, place: str
) -> None:
    root = f"https://{host}/v1beta1/projects/acme/locations/{place}/publishers/google/models/gemini-2.5-pro"
    found = deployment(catalog, "google-vertex/gemini-2.5-pro", VERTEX | environ)
    assert addresses(found) == (f"{root}:generateContent", f"{root}:streamGenerateContent?alt=sse")
    assert found.signing == "google"


def test_claude_at_vertex_is_called_by_raw_prediction(catalog: Catalog) -> None:
    found = deployment(catalog, "google-vertex/claude-sonnet-4-5", VERTEX | {"GOOGLE_CLOUD_PROJECT": "other"})
    root = "https://aiplatform.googleapis.com/v1/projects/other/locations/global/publishers/anthropic/models/"
    assert addresses(found) == (
        f"{root}claude-sonnet-4-5@20250929:rawPredict",
        f"{root}claude-sonnet-4-5@20250929:streamRawPredict",
    )
    assert (found.protocol, found.provider.quirks) == ("anthropic", ("labels", "vertex"))


def test_other_vendors_models_at_vertex_are_called_by_chat(catalog: Catalog) -> None:
    found = deployment(catalog, "google-vertex/openai/gpt-oss-120b-maas:us-central1", VERTEX)
    path = "v1beta1/projects/acme/locations/us-central1/endpoints/openapi/chat/completions"
    assert addresses(found)[0] == f"https://us-central1-aiplatform.googleapis.com/{path}"


@pytest.mark.parametrize(
    ("name", "region", "host_region", "upstream"),
    [
        ("claude-sonnet-4-5", "eu-west-3", "eu-west-3", "global.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("claude-sonnet-4-5:eu", "eu-west-3", "eu-west-3", "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("claude-sonnet-4-5:eu", "us-west-2", "eu-central-1", "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("claude-opus-4-1", "us-west-2", "us-west-2", US_OPUS),
        ("claude-opus-4-1", "eu-west-3", "eu-west-3", "anthropic.claude-opus-4-1-20250805-v1:0"),
        (
            "us.anthropic.claude-opus-4-1-20250805-v1:0",
            "eu-west-3",
            "us-east-1",
            "us.anthropic.claude-opus-4-1-20250805-v1:0",
        ),
        ("claude-opus-4-1:us-west-2", "eu-west-3", "us-west-2", "anthropic.claude-opus-4-1-20250805-v1:0"),
    ],
)
def test_a_profile_of_bedrock_is_called_in_a_region_it_starts_from(
    catalog: Catalog, name: str, region: str, host_region: str, upstream: str
) -> None:
    found = deployment(catalog, f"aws-bedrock/{name}", ACCESS_KEY | {"AWS_REGION": region})
    root = f"https://bedrock-runtime.{host_region}.amazonaws.com/model/{upstream.replace(':', '%3A')}"
    assert found.mapping.upstream == upstream
    assert addresses(found) == (f"{root}/converse", f"{root}/converse-stream")
    assert found.place == host_region


def test_a_bearer_key_of_bedrock_is_in_the_head_and_an_access_key_is_nowhere(catalog: Catalog) -> None:
    region = {"AWS_DEFAULT_REGION": "us-east-1"}
    bearer = deployment(catalog, "aws-bedrock/claude-opus-4-7", {"AWS_BEARER_TOKEN_BEDROCK": "ABSK-1", **region})
    assert (bearer.signing, "authorization: Bearer ABSK-1" in lines(bearer)) == ("", True)
    signs = deployment(catalog, "aws-bedrock/claude-opus-4-7", ACCESS_KEY | region)
    assert signs.signing == "aws"
    assert ACCESS_KEY["AWS_SECRET_ACCESS_KEY"].encode() not in signs.head
    assert not any(line.startswith("authorization") for line in lines(signs))


@pytest.mark.parametrize(
    ("name", "environ", "expected"),
    [
        ("anthropic/claude-opus-4-7", {"ANTHROPIC_API_KEY": "k"}, ["x-api-key: k", "anthropic-version: 2023-06-01"]),
        ("azure/claude-opus-4-6", AZURE, ["api-key: az-key", "anthropic-version: 2023-06-01"]),
        ("azure/gpt-5-pro", AZURE, ["api-key: az-key"]),
        ("google-ai-studio/gemini-2.5-pro", {"GOOGLE_API_KEY": "k"}, ["x-goog-api-key: k"]),
        ("cohere/command-a-03-2025", {"COHERE_API_KEY": "k"}, ["authorization: Bearer k"]),
        ("minimax/MiniMax-M2", {"MINIMAX_API_KEY": "k"}, ["authorization: Bearer k", "anthropic-version: 2023-06-01"]),
    ],
)
def test_each_vendor_sees_its_key_and_its_version(
    catalog: Catalog, name: str, environ: dict[str, str], expected: list[str]
) -> None:
    assert set(expected) <= set(lines(deployment(catalog, name, environ)))


def test_openais_models_have_both_protocols_but_those_that_have_only_one(catalog: Catalog) -> None:
    environ = {"OPENAI_API_KEY": "k"}
    both = deployment(catalog, "openai/gpt-5", environ)
    assert both.responses is not None
    assert (both.protocol, both.responses.protocol) == ("openai-chat", "openai-responses")
    assert b"POST /v1/responses HTTP/1.1" in both.responses.head
    assert deployment(catalog, "openai/gpt-5-pro", environ).responses is None
    route = snapshot(catalog, environ, protocols=frozenset({"openai-chat"})).route("openai/gpt-5")
    assert route is not None
    assert route.offers[0].deployments[0].responses is None


@pytest.mark.parametrize(
    ("name", "environ", "named"),
    [
        ("aws-bedrock/claude-opus-4-7", ACCESS_KEY, ["AWS_REGION or AWS_DEFAULT_REGION", "[providers.aws-bedrock."]),
        ("azure/gpt-4o", {"AZURE_API_KEY": "k"}, ["AZURE_OPENAI_ENDPOINT or AZURE_RESOURCE_NAME", "endpoint in"]),
        ("azure/claude-opus-4-6", {"AZURE_API_KEY": "k"}, ["AZURE_RESOURCE_NAME", "resource in"]),
        ("google-vertex/gemini-2.5-pro", {"GOOGLE_APPLICATION_CREDENTIALS": "{}"}, ["GOOGLE_CLOUD_PROJECT", "project"]),
    ],
)
def test_a_value_that_is_missing_is_named_with_both_ways_to_set_it(
    catalog: Catalog, name: str, environ: dict[str, str], named: list[str]
) -> None:
    chat = read_request(request_body(model=name))
    with pytest.raises(GatewayError) as raised:
        planned(chat, snapshot=snapshot(catalog, environ))
    assert raised.value.kind is errors.NO_PROVIDER
    assert [text for text in named if text not in raised.value.message] == []


# One row at a time


def only(of: Snapshot, name: str = "gpt-x") -> Deployment:
    route = of.route(name)
    assert route is not None
    assert route.offers, route.excluded
    return route.offers[0].deployments[0]


def reason(of: Snapshot, name: str = "gpt-x") -> str:
    route = of.route(name)
    assert route is not None
    assert not route.offers
    return route.excluded[0].reason


def custom(**fields: Any) -> Snapshot:
    return small(offer(), providers=[provider(any_model=True, custom=True, **fields)], protocols=ALL)


@pytest.mark.parametrize("model", ["../../admin", "a b", "a?b=c", "a#b", "a/b", "é", "a\r\nx: y", "%2e%2e", "a:b"])
def test_a_models_name_stays_one_segment_of_the_path(model: str) -> None:
    head = only(custom(protocol="bedrock"), f"acme/{model}").head
    target = head.split(b" ")[1]
    assert target.startswith(b"/v1/model/")
    assert target.endswith(b"/converse")
    assert target.count(b"/") == 4
    assert not set(target) & set(b"?# \r\n")


@pytest.mark.parametrize("model", [".", "..", "..."])
def test_a_models_name_that_would_climb_is_no_address(model: str) -> None:
    assert reason(custom(protocol="bedrock"), f"acme/{model}") == "name"


def test_of_two_endpoints_of_a_protocol_the_first_with_all_values_is_used() -> None:
    versioned = Endpoint(protocol="openai-chat", path="/{model}/chat?v={version}")
    row: dict[str, Any] = {"endpoints": (versioned,), "variables": {"version": Variable()}}
    assert only(small(providers=[provider(**row)])).head.startswith(b"POST /v1/chat/completions ")
    row["variables"] = {"version": Variable(value="7")}
    assert only(small(providers=[provider(**row)])).head.startswith(b"POST /v1/gpt-x-upstream/chat?v=7 ")


def test_an_endpoint_adds_its_own_headers_quirks_and_forced_fields_to_the_rows() -> None:
    endpoint = Endpoint(
        protocol="anthropic", headers={"x-b": "{tenant}"}, quirks=("b",), force={"version": '"1"'}, auth="header:x-key"
    )
    row = provider(
        endpoints=(endpoint,), headers={"x-a": "1"}, quirks=("a",), variables={"tenant": Variable(default="t-1")}
    )
    found = only(small(offer(protocol="anthropic"), providers=[row], protocols=ALL))
    assert {"x-a: 1", "x-b: t-1", "anthropic-version: 2023-06-01"} <= set(lines(found))
    assert any(line.startswith("x-key: ") for line in lines(found))
    assert found.provider.quirks == ("a", "b")
    assert found.parameters.force == {"version": '"1"'}


def test_a_protocol_without_an_endpoint_is_told() -> None:
    of = small(offer(protocol="cohere"), protocols=ALL)
    assert reason(of) == "endpoint:cohere"
    with pytest.raises(GatewayError, match="no endpoint"):
        planned(read_request(request_body()), snapshot=of)


@pytest.mark.parametrize("value", ["a b", "http://x\r\ny: z"])
def test_a_value_that_no_address_could_hold_makes_none(value: str) -> None:
    row = provider(base_url="https://{host}/v1", variables={"host": Variable(value=value)})
    assert reason(small(providers=[row])) == "address"


@pytest.mark.parametrize("base_url", ["ftp://x/v1", "{root}/v1", "https://{root}:port/v1", "https://[{root}/v1"])
def test_an_address_must_be_http(base_url: str) -> None:
    assert (
        reason(small(providers=[provider(base_url=base_url, variables={"root": Variable(value="nowhere")})]))
        == "address"
    )


@pytest.mark.parametrize("value", ["acme.example", "https://acme.example", "https://acme.example/"])
def test_a_host_may_be_given_as_a_url(value: str) -> None:
    """DATABRICKS_HOST has a scheme for some of Databricks' own tools, and none for others."""
    row = provider(base_url="https://{host}/v1", variables={"host": Variable(value=value)})
    found = only(small(providers=[row]))
    assert _url(found, found.head) == "https://acme.example/v1/chat/completions"


@pytest.mark.parametrize("value", ["https://acme.example", "https://acme.example/openai/v1/"])
def test_an_endpoint_may_hold_the_beginning_of_the_path(value: str) -> None:
    row = provider(base_url="{e}", path="/openai/v1/chat/completions", variables={"e": Variable(value=value)})
    found = only(small(providers=[row]))
    assert _url(found, found.head) == "https://acme.example/openai/v1/chat/completions"


def test_a_default_that_names_itself_ends() -> None:
    row = provider(base_url="https://{a}/v1", variables={"a": Variable(default="{b}"), "b": Variable(default="{a}")})
    assert reason(small(providers=[row])) == "unset:a"


def test_where_a_bare_name_has_no_offer_in_the_region_it_is_left_out() -> None:
    row = provider(variables={"region": Variable(value="sa-1")}, locations={"eu": ("eu-1", "eu-*")})
    of = small(offer(regions=("eu",)), providers=[row])
    assert reason(of) == "region"
    with pytest.raises(GatewayError, match="not offered in the provider's region"):
        planned(read_request(request_body()), snapshot=of)
    assert only(of, "acme/gpt-x:eu").place == "eu-1"
