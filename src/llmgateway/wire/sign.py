"""Auth schemes: how a provider wants to see its key.

Most keys stand in a header. Keys that sign each request, or have to be exchanged for a token first, are left to the
Signer (engine/ports.py); `signing` says which.
"""

import re
from typing import Final

_ACCESS_KEY: Final = re.compile(r"[A-Z0-9]{16,128}:[^:]+(?::[^:]+)?")
_GOOGLE_KEY: Final = re.compile(r"AIza[\w-]{30,}|AQ\.[\w-]{20,}")


def authorization_line(scheme: str, *, secret: str) -> str:
    """The header line for a key; "" where there is nothing to send, or nothing yet."""
    if scheme == "none" or not secret or signing(scheme, secret=secret):
        return ""
    if scheme == "google":
        return f"x-goog-api-key: {secret}"
    if scheme.startswith("header:"):
        return f"{scheme.removeprefix('header:')}: {secret}"
    return f"authorization: Bearer {secret}"


def signing(scheme: str, *, secret: str) -> str:
    """`aws` for `ID:SECRET[:SESSION TOKEN]`, `google` for a service account (a file or its JSON), else ""."""
    if scheme == "aws" and _ACCESS_KEY.fullmatch(secret):
        return "aws"
    if scheme == "google" and secret and not _GOOGLE_KEY.fullmatch(secret):
        return "google"
    return ""
