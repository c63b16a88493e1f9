"""What must stay secret on disk, and the forms of a key that may be seen: digest, fingerprint and mask.

Files are made at once and whole (0600, linked into place), so that two starting processes agree on one secret. The
provider keys themselves are the operator's; nothing here stores them.
"""

import contextlib
import hashlib
import hmac
import logging
import os
import secrets
import stat
import string
from collections.abc import Callable
from pathlib import Path

KEY_PREFIX = "llmgw_"
_ALPHABET = string.ascii_letters + string.digits
_INSTALLATION_SECRET_BYTES = 32
_log = logging.getLogger(__name__)


class SecretsError(Exception):
    """The data directory or a secret in it cannot be used; the message says what to do."""


def open_data_directory(path: Path) -> Path:
    """The data directory, made (0700) if it is missing. An existing one keeps its mode unless anybody can write it."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = path.stat().st_mode
    except OSError as error:
        raise SecretsError(f"data directory {path}: {error.strerror}; choose another with data.dir") from None
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        raise SecretsError(f"data directory {path}: anybody can write to it; run chmod 700 {path}")
    return path


def installation_secret(data_dir: Path) -> bytes:
    """The 32 bytes that key this installation's fingerprints, made at the first call."""
    path = data_dir / "installation-secret"
    secret = read_private(path)
    if secret is None:
        secret = write_private_once(path, os.urandom(_INSTALLATION_SECRET_BYTES))
    if len(secret) != _INSTALLATION_SECRET_BYTES:
        message = f"{path}: {len(secret)} bytes found, expected {_INSTALLATION_SECRET_BYTES}; restore it or remove it"
        raise SecretsError(f"{message} (fingerprints of keys in the log will then change)")
    return secret


def fingerprinter(installation: bytes) -> Callable[[str], str]:
    """A function from a key to 16 hex digits of HMAC-SHA256: the only form of a provider key that is ever shown."""

    def fingerprint(key: str) -> str:
        return hmac.new(installation, key.encode(), hashlib.sha256).hexdigest()[:16]

    return fingerprint


def generate_key() -> str:
    """A new gateway key: `llmgw_` and 40 random characters."""
    return KEY_PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(40))


def digest(key: str) -> bytes:
    """The SHA-256 of a whole gateway key: what is stored and looked up."""
    return hashlib.sha256(key.encode()).digest()


def mask(key: str) -> str:
    """A key as it may be shown: `llmgw_ab…yz`; of anything short only the dots."""
    if len(key) < 20:
        return "…"
    shown = len(KEY_PREFIX) + 2 if key.startswith(KEY_PREFIX) else 2
    return f"{key[:shown]}…{key[-2:]}"


def first_key_path(data_dir: Path) -> Path:
    """Where the key that the first start makes is kept."""
    return data_dir / "first-key"


def read_private(path: Path) -> bytes | None:
    """The bytes of a secret file, None if there is none. A file that others can read is set to 0600 with a warning."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SecretsError(f"{path}: {error.strerror}; it must be a file that this user can read") from None
    try:
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode):
            raise SecretsError(f"{path}: not a regular file")
        if found.st_mode & 0o077:
            _make_private(path, file)
        with open(file, "rb", closefd=False) as handle:
            return handle.read()
    finally:
        os.close(file)


def _make_private(path: Path, file: int) -> None:
    try:
        os.fchmod(file, 0o600)
    except OSError:
        raise SecretsError(
            f"{path}: others can read it, and it belongs to another user; run chmod 600 {path}"
        ) from None
    _log.warning("%s could be read by others; its mode is 0600 now", path)


def write_private_once(path: Path, data: bytes) -> bytes:
    """Writes a new secret file whole. If another process was faster, nothing is written and its bytes come back."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(file, "wb") as handle:
                handle.write(data)
                handle.flush()
                os.fsync(file)
            os.link(draft, path)
        finally:
            with contextlib.suppress(FileNotFoundError):
                draft.unlink()
    except FileExistsError:
        found = read_private(path)
        if found is None:
            raise SecretsError(f"{path}: appeared and vanished again; is another gateway being removed?") from None
        return found
    except OSError as error:
        raise SecretsError(f"{path}: {error.strerror}; the data directory must be writable") from None
    return data
