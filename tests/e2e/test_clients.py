"""Scripts that drive real client libraries, against a gateway with the built-in simulator and with a plain mock behind.

CLIENT_SCRIPTS names the folder of the scripts (and of `mock.py`, the upstream they all pass against directly).
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.client_packages import NotInstalled, langchain_python, node_folder
from tests.support.gateway import (
    STATIC_KEY,
    Gateway,
    custom_provider,
    environment,
    free_port,
    running_gateway,
    running_program,
    static_key,
)

SCRIPTS = (
    "py_openai_sync.py",
    "py_openai_async.py",
    "py_langchain_langgraph.py",
    "node_openai.mjs",
    "node_llmgateway.mjs",
)
FOLDER = os.environ.get("CLIENT_SCRIPTS", "")
LIMIT_S = 120
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(700),
    pytest.mark.skipif(not FOLDER, reason="CLIENT_SCRIPTS does not name a folder with client scripts"),
]


@pytest.fixture(scope="module")
def clients() -> Path:
    return Path(FOLDER).resolve()


@pytest.fixture(scope="module")
def before_mock(clients: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    line = [sys.executable, str(clients / "mock.py"), str(free_port())]
    with running_program(line, announces=rb"mock on \('127\.0\.0\.1', (\d+)\)") as port:
        text = custom_provider("mock", f"http://127.0.0.1:{int(port)}/v1") + static_key()
        with running_gateway(tmp_path_factory.mktemp("clients"), configuration=text) as gateway:
            yield gateway


def command(script: str, clients: Path) -> list[str]:
    """How to run a script; skips where its libraries cannot be had."""
    try:
        if script.endswith(".mjs"):
            folder = node_folder()
            shutil.copy(clients / script, folder)
            return ["node", str(folder / script)]
        python = langchain_python() if "langchain" in script else Path(sys.executable)
    except NotInstalled as reason:
        pytest.skip(str(reason))
    return [str(python), str(clients / script)]


@pytest.mark.parametrize("model", ["simulator/auto", "mock/mock-model"])
@pytest.mark.parametrize("script", SCRIPTS)
def test_a_client_script_passes(before_mock: Gateway, clients: Path, script: str, model: str) -> None:
    variables = {"BASE_URL": before_mock.url, "API_KEY": STATIC_KEY, "MODEL": model, "ENDPOINTS": "chat"}
    done = subprocess.run(
        command(script, clients),
        env=environment({**variables, "PYTHONPATH": ""}),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr[-3000:]}"
    assert "OK" in done.stdout
