"""Secrets on disk are private, whole and agreed upon; keys are shown only as digest, fingerprint or mask."""

import hashlib
import os
import re
import threading
from pathlib import Path

import pytest

from llmgateway.infra import secrets


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_the_data_directory_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    path = secrets.open_data_directory(tmp_path / "a" / "data")
    assert mode(path) == 0o700


def test_an_existing_data_directory_keeps_its_mode(tmp_path: Path) -> None:
    """The operator may have pointed us at a shared directory; changing its mode could lock others out."""
    tmp_path.chmod(0o755)
    assert mode(secrets.open_data_directory(tmp_path)) == 0o755


def test_a_data_directory_that_anybody_can_write_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(secrets.SecretsError, match="chmod 700"):
        secrets.open_data_directory(tmp_path)


def test_a_data_directory_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("x")
    with pytest.raises(secrets.SecretsError, match=r"data\.dir"):
        secrets.open_data_directory(tmp_path / "data")


def test_the_installation_secret_is_made_once_and_private(tmp_path: Path) -> None:
    first = secrets.installation_secret(tmp_path)
    assert len(first) == 32
    assert secrets.installation_secret(tmp_path) == first
    assert [(path.name, mode(path)) for path in tmp_path.iterdir()] == [("installation-secret", 0o600)]


def test_processes_that_start_together_agree_on_one_secret(tmp_path: Path) -> None:
    barrier = threading.Barrier(8)
    found: list[bytes] = []

    def start() -> None:
        barrier.wait()
        found.append(secrets.installation_secret(tmp_path))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert len(found) == 8
    assert len(list(tmp_path.iterdir())) == 1


def test_a_damaged_installation_secret_is_never_used(tmp_path: Path) -> None:
    (tmp_path / "installation-secret").write_bytes(b"short")
    with pytest.raises(secrets.SecretsError, match="5 bytes found, expected 32"):
        secrets.installation_secret(tmp_path)


def test_a_secret_that_others_could_read_is_made_private_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "installation-secret"
    path.write_bytes(os.urandom(32))
    path.chmod(0o644)
    secrets.installation_secret(tmp_path)
    assert mode(path) == 0o600
    assert "could be read by others" in caplog.text


def test_a_secret_behind_a_link_is_refused(tmp_path: Path) -> None:
    """A link could make us read, and change the mode of, somebody else's file."""
    (tmp_path / "other").write_bytes(os.urandom(32))
    (tmp_path / "installation-secret").symlink_to(tmp_path / "other")
    with pytest.raises(secrets.SecretsError, match="must be a file"):
        secrets.installation_secret(tmp_path)


def test_a_secret_that_is_a_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "installation-secret").mkdir()
    with pytest.raises(secrets.SecretsError, match="not a regular file"):
        secrets.installation_secret(tmp_path)


def test_writing_a_secret_leaves_the_one_that_is_there(tmp_path: Path) -> None:
    path = secrets.first_key_path(tmp_path)
    assert secrets.write_private_once(path, b"one") == b"one"
    assert secrets.write_private_once(path, b"two") == b"one"
    assert path.read_bytes() == b"one"


def test_generated_keys_have_the_documented_form_and_differ() -> None:
    keys = {secrets.generate_key() for _ in range(100)}
    assert len(keys) == 100
    assert all(re.fullmatch(r"llmgw_[A-Za-z0-9]{40}", key) for key in keys)


def test_a_key_is_stored_as_its_sha256() -> None:
    assert secrets.digest("llmgw_x") == hashlib.sha256(b"llmgw_x").digest()


def test_fingerprints_are_16_hex_digits_keyed_by_the_installation() -> None:
    """Without the installation's secret a leaked log must not allow guessing at keys."""
    one, two = secrets.fingerprinter(b"1" * 32), secrets.fingerprinter(b"2" * 32)
    assert re.fullmatch(r"[0-9a-f]{16}", one("sk-a"))
    assert one("sk-a") == one("sk-a")
    assert len({one("sk-a"), one("sk-b"), two("sk-a")}) == 3


@pytest.mark.parametrize(
    ("key", "shown"),
    [("llmgw_ab" + "x" * 36 + "yz", "llmgw_ab…yz"), ("sk-proj-0123456789abcdef", "sk…ef"), ("short", "…"), ("", "…")],
)
def test_a_masked_key_shows_too_little_to_be_used(key: str, shown: str) -> None:
    assert secrets.mask(key) == shown
