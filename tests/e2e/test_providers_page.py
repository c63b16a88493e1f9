"""docs/providers.md, taken at its word: its files are valid, its models exist, its set-ups answer."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from llmgateway.catalog import lookup
from llmgateway.infra.operator import operator_rows
from llmgateway.infra.settings import load
from tests.support.gateway import ROOT, Gateway, Simulator, running_gateway, static_key

PAGE: Final = (ROOT / "docs" / "providers.md").read_text(encoding="utf-8")
TOML: Final = re.findall(r"^```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
NAMES: Final = sorted(
    {
        name
        for name in re.findall(r"`((?:anthropic|google-vertex|google-ai-studio|aws-bedrock|azure)/[^`]+)`", PAGE)
        if name != "azure/my-deployment"
    }
)
VARIABLES: Final = ("BEDROCK_KEY", "AZURE_OPENAI_API_KEY", "VLLM_API_KEY", "PROXY_KEY")
KEYS: Final[dict[str, str]] = dict.fromkeys(VARIABLES, "a-provider-key")
MOCKS: Final = ("chat", "responses", "anthropic", "google", "bedrock", "cohere")


def block(mark: str) -> str:
    (found,) = [text for text in TOML if mark in text]
    return found


@pytest.mark.parametrize("text", TOML, ids=lambda text: text.splitlines()[0])
def test_every_file_of_the_page_would_start(text: str, tmp_path: Path) -> None:
    file = tmp_path / "llmgateway.toml"
    file.write_text(text)
    rows = operator_rows(
        load(file, environ=KEYS), environ=KEYS, catalog_providers=lookup.load().providers, fingerprint=lambda _: ""
    )
    named = re.findall(r"^\[providers\.([\w-]+)\]", text, re.MULTILINE)
    assert {row.id for row in rows.providers} >= set(named)


@pytest.mark.parametrize("name", NAMES)
def test_every_model_of_the_page_is_in_the_catalogue(name: str) -> None:
    resolution = lookup.load().resolve(name)
    assert resolution is not None
    assert resolution.model is not None


@pytest.fixture(scope="module")
def walked(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """The page's mocks, and its server of one's own, which is the simulator's as well and says what it is told."""
    gpu = block("[providers.gpu]").replace("127.0.0.1:8000/v1", "127.0.0.1:4010/openai/v1")
    gpu = gpu.replace('"Qwen/Qwen3-8B"', '"echo"').replace("@(?i)qwen3", "@^echo$")
    text = "\n".join((block("[providers.mock-chat]"), gpu, static_key()))
    text = text.replace("127.0.0.1:4010", f"127.0.0.1:{simulator.port}")
    with running_gateway(tmp_path_factory.mktemp("page"), configuration=text, variables=KEYS) as gateway:
        yield gateway


@pytest.mark.parametrize("mock", MOCKS)
def test_every_mock_answers(walked: Gateway, mock: str) -> None:
    answer = walked.chat(f"mock-{mock}/echo", messages=[{"role": "user", "content": f"said to {mock}"}])
    assert answer.status == 200, answer.body
    assert answer.json["choices"][0]["message"]["content"] == f"said to {mock}"


def test_reasoning_between_tags_is_told_as_reasoning(walked: Gateway) -> None:
    content = "<think>\nIs it?\n</think>\n\nParis"
    answer = walked.chat("qwen3-8b", messages=[{"role": "user", "content": content}])
    assert answer.status == 200, answer.body
    message = answer.json["choices"][0]["message"]
    assert (message["reasoning"], message["content"]) == ("Is it?", "Paris")


def test_reasoning_is_switched_off_by_the_template(walked: Gateway, simulator: Simulator) -> None:
    mark = "a mark of the page on providers"
    walked.chat("qwen3-8b", messages=[{"role": "user", "content": mark}], reasoning_effort="none")
    (arrived,) = simulator.requests(mark)
    assert '"chat_template_kwargs":{"enable_thinking":false,' in arrived["body"]
