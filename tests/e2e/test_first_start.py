"""The first start of a gateway: what it makes, what it prints, and that the printed command works as printed."""

import re
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.gateway import Gateway, environment
from tests.support.http_client import Answer

SECRETS = ("first-key", "installation-secret")
KEY = re.compile(r"llmgw_\w{20,}")


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Gateway]:
    """Without a configuration and without a data directory."""
    gateway = Gateway(tmp_path, configuration="")
    try:
        gateway.start()
        yield gateway
        gateway.stop()
    finally:
        gateway.kill()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_directory_and_secrets_are_the_owners_alone(fresh: Gateway) -> None:
    assert mode(fresh.data) == 0o700
    assert {name: mode(fresh.data / name) for name in SECRETS} == dict.fromkeys(SECRETS, 0o600)
    others = [path for path in fresh.data.rglob("*") if path.is_file() and mode(path) & 0o077]
    assert others == []


def test_the_key_is_printed_once_and_its_file_named_ever_after(fresh: Gateway) -> None:
    key = (fresh.data / "first-key").read_text().strip()
    assert KEY.findall(fresh.written()) == [key]
    fresh.stop()
    first = fresh.written()
    fresh.start()
    second = fresh.written().removeprefix(first)
    assert KEY.findall(second) == []
    assert str(fresh.data / "first-key") in second
    assert fresh.get("/v1/key", key=key).status == 200


@pytest.mark.skipif(shutil.which("curl") is None or shutil.which("bash") is None, reason="needs curl and bash")
def test_the_printed_command_works_as_printed(fresh: Gateway, tmp_path: Path) -> None:
    text = fresh.written().partition("Try it:\n")[2]
    lines = [line for line in text.splitlines() if line.startswith("  ")]
    assert lines[0].split()[0] == "curl"
    done = subprocess.run(
        ["bash", "-c", "\n".join(lines)], cwd=tmp_path, env=environment(), capture_output=True, timeout=20, check=True
    )
    answer = Answer(200, {"content-type": "application/json"}, done.stdout)
    assert answer.text
    assert answer.json["metadata"]["used_model"] == "simulator/auto"


@pytest.mark.skipif(shutil.which("curl") is None or shutil.which("bash") is None, reason="needs curl and bash")
def test_the_readmes_first_command_works_but_for_the_port(fresh: Gateway, tmp_path: Path) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    block = next(block for block in readme.split("```sh\n")[1:] if block.startswith("curl")).partition("```")[0]
    line = block.replace(":4000/", f":{fresh.port}/")
    done = subprocess.run(
        ["bash", "-c", line], cwd=tmp_path, env=environment(), capture_output=True, timeout=20, check=True
    )
    assert Answer(200, {"content-type": "application/json"}, done.stdout).text


def test_without_a_provider_the_simulator_is_offered(fresh: Gateway) -> None:
    assert "simulator" in fresh.written()
    key = (fresh.data / "first-key").read_text().strip()
    available = fresh.get("/v1/models?available=true", key=key).json["data"]
    assert {"auto", "echo"} <= {model["id"] for model in available}
