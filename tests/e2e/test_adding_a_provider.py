"""docs/adding-a-provider.md, followed to the letter: its files, its commands, its request."""

import re
import shlex
import tomllib
from collections.abc import Iterator
from hashlib import sha256
from typing import Any, Final

import msgspec
import pytest

from llmgateway.catalog.compile import compiled
from llmgateway.catalog.lookup import Catalog
from llmgateway.catalog.overlay import ProvidersFile, read_models, read_providers
from llmgateway.catalog.rows import built
from llmgateway.catalog.sources import KnownPrices, listed, missing
from llmgateway.engine.snapshot import Snapshot
from llmgateway.infra.operator import operator_rows
from llmgateway.infra.settings import Settings
from llmgateway.wire.openai_chat.request import read_request
from llmgateway.wire.protocols import codecs
from tests.support.fakes import KEY, TODAY, planned
from tests.support.gateway import ROOT, Gateway, Simulator, running_gateway
from tests.support.http_client import CHAT, request

PAGE: Final = (ROOT / "docs" / "adding-a-provider.md").read_text(encoding="utf-8")
_BLOCK: Final = re.MULTILINE | re.DOTALL
TOML: Final = re.findall(r"^```toml\n(.*?)^```", PAGE, _BLOCK)
COMMANDS: Final = [text.replace("\\\n", " ") for text in re.findall(r"^```sh\n(.*?)^```", PAGE, _BLOCK)]
ADDRESS, MODELS, PARAMETERS, SHIPPED = TOML
SIMULATE, SERVE, ASK = COMMANDS


def words(command: str) -> tuple[dict[str, str], list[str]]:
    """The variables set before a command, and the command."""
    found = shlex.split(command)
    variables = [word for word in found if re.match(r"[A-Z_]+=", word)]
    return dict(word.split("=", 1) for word in variables), [word for word in found if word not in variables]


def asked() -> tuple[str, dict[str, str], dict[str, Any]]:
    """Address, headers and body of the page's curl."""
    _, (program, url, *options) = words(ASK)
    assert program == "curl"
    given = list(zip(options[::2], options[1::2], strict=True))
    lines = [value.split(": ", 1) for option, value in given if option == "-H"]
    headers = {name.lower(): text for name, text in lines}
    (body,) = [msgspec.json.decode(value) for option, value in given if option == "-d"]
    return url, headers, body


@pytest.fixture(scope="module")
def walked(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """The gateway with all that steps 2, 4 and 5 write into its file; the page's port is the simulator's."""
    variables, command = words(SERVE)
    assert command == ["llmgateway", "serve"]
    assert words(SIMULATE)[1] == ["llmgateway", "simulate", "--port", "4010"]
    text = "\n".join((ADDRESS, MODELS, PARAMETERS)).replace("127.0.0.1:4010", f"127.0.0.1:{simulator.port}")
    with running_gateway(tmp_path_factory.mktemp("walk"), configuration=text, variables=variables) as gateway:
        yield gateway


def ask(gateway: Gateway, **changes: Any) -> Any:
    url, headers, body = asked()
    assert url == f"http://127.0.0.1:4000{CHAT}"
    sent = msgspec.json.encode({**body, **changes})
    return request(gateway.port, "POST", CHAT, body=sent, headers=headers)


def test_with_an_address_and_a_key_alone_there_is_an_answer(simulator: Simulator, tmp_path_factory: Any) -> None:
    text = ADDRESS.replace("127.0.0.1:4010", f"127.0.0.1:{simulator.port}")
    with running_gateway(tmp_path_factory.mktemp("first"), configuration=text, variables=words(SERVE)[0]) as gateway:
        answer = ask(gateway)
    assert answer.status == 200, answer.body
    assert answer.json["choices"][0]["message"]["content"] == "Hello"
    assert answer.json["model"] == "example-host/echo"
    assert answer.json["usage"]["info"] == "no price known"


@pytest.mark.parametrize("name", ["example-large", "example-host/example-large"])
def test_a_listed_model_has_both_names_and_a_price(walked: Gateway, name: str) -> None:
    answer = ask(walked, model=name)
    assert answer.status == 200, answer.body
    assert answer.json["choices"][0]["message"]["content"] == "Hello"
    usage = answer.json["usage"]
    assert usage["cost_usd_total"] == pytest.approx(
        (usage["prompt_tokens"] * 0.5 + usage["completion_tokens"] * 1.5) / 1_000_000
    )


def test_what_a_model_lacks_is_a_400_that_names_it(walked: Gateway) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    answer = ask(walked, model="example-large", messages=[{"role": "user", "content": [image]}])
    assert answer.status == 400
    assert answer.json["error"]["param"] == "messages[0].content[0].type"


def test_what_it_does_differently_is_done(walked: Gateway, simulator: Simulator) -> None:
    mark = "differently-1"
    content = [{"role": "user", "content": mark}]
    answer = ask(
        walked, model="example-large", messages=content, max_completion_tokens=9, seed=7, user="u", temperature=1.5
    )
    assert answer.status == 200, answer.body
    assert answer.json["metadata"]["dropped_parameters"] == ["user"]
    (arrived,) = simulator.requests(mark)
    assert msgspec.json.decode(arrived["body"]) == {
        "model": "echo",
        "messages": content,
        "max_tokens": 9,
        "random_seed": 7,
        "temperature": 1,
        "safe_mode": False,
    }
    assert ["authorization", f"sha256:{sha256(b'Bearer sk-example').hexdigest()[:16]}"] in arrived["headers"]
    refused = ask(walked, model="example-large", logit_bias={"1": 1})
    assert (refused.status, refused.json["error"]["param"]) == (400, "logit_bias")


def test_the_shipped_row_compiles_and_is_called_with_its_own_key() -> None:
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    table = msgspec.convert(tomllib.loads(SHIPPED), ProvidersFile)
    reviewed = read_providers()
    providers = msgspec.structs.replace(reviewed, provider={**reviewed.provider, **table.provider})
    rows = built(providers, read_models(), listed=listed(), prices=KnownPrices())
    assert len(rows.providers) == len(compiled().providers) + 1
    catalog = Catalog(providers=rows.providers, models=rows.models)
    found = operator_rows(
        Settings(), environ=words(SERVE)[0], catalog_providers=catalog.providers, fingerprint=lambda _: "f" * 16
    )
    snapshot = Snapshot(
        catalog=catalog.merged(found.providers, ()),
        keys=[KEY],
        credentials=found.credentials,
        protocols=frozenset(codecs()),
        instance_id="i",
        today=TODAY,
    )
    chat = read_request(msgspec.json.encode({**asked()[2], "seed": 7, "temperature": 2}))
    (to,) = planned(chat, snapshot=snapshot).deployments
    sent, _ = codecs()["openai-chat"].build(chat, to=to)
    assert sent.head.startswith(b"POST /v1/chat/completions HTTP/1.1\r\nhost: api.host.example\r\n")
    assert b"authorization: Bearer sk-example\r\n" in sent.head
    assert msgspec.json.decode(sent.body)["random_seed"] == 7
    assert msgspec.json.decode(sent.body)["temperature"] == 1
