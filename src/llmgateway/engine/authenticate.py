"""Who is asking: from the request's headers to a key, or a 401 that says what to send.

Keys are found by the SHA-256 of the whole token, so nothing here compares secrets character by character. The answer is
the same whatever was wrong: who guesses keys learns nothing from it.
"""

import hashlib
import hmac
import time
from typing import Final

from llmgateway.domain.errors import INVALID_API_KEY, GatewayError
from llmgateway.domain.identity import ApiKey
from llmgateway.engine.snapshot import Snapshot

_BEARER: Final = b"Bearer "
_REFUSAL: Final = (
    "One valid API key is needed: it is missing, malformed, unknown, disabled or expired. "
    "Send it as 'Authorization: Bearer KEY'."
)


def authenticate(snapshot: Snapshot, *, authorization: list[bytes], api_key: list[bytes]) -> ApiKey:
    """The key of `Authorization: Bearer` or `x-api-key`. Raises GatewayError INVALID_API_KEY."""
    if not api_key and len(authorization) == 1 and authorization[0].startswith(_BEARER):
        token = authorization[0][len(_BEARER) :]
    else:
        token = _token(authorization, api_key)
    digest = hashlib.sha256(token).digest()
    key = snapshot.keys.get(digest)
    if key is None or not hmac.compare_digest(key.digest, digest):
        raise _refused()
    if key.status != "active" or (key.expires_at is not None and key.expires_at <= time.time()):
        raise _refused()
    return key


def _token(authorization: list[bytes], api_key: list[bytes]) -> bytes:
    given = {value.strip() for value in api_key}
    for value in authorization:
        scheme, _, token = value.strip().partition(b" ")
        if scheme.lower() != b"bearer":
            raise _refused()
        given.add(token.strip())
    if len(given) != 1 or len(authorization) > 1:
        raise _refused()
    return given.pop()


def _refused() -> GatewayError:
    return GatewayError(INVALID_API_KEY, _REFUSAL)
