"""Who is asking: from the request's headers to a caller, or a 401 that says what to send.

Keys are found by the SHA-256 of the whole token, so nothing here compares secrets character by character.
"""

import hashlib
import hmac
import re
import time
from typing import Final

from llmgateway.domain.errors import INVALID_API_KEY, GatewayError
from llmgateway.domain.identity import ApiKey
from llmgateway.engine.snapshot import Snapshot

_TOKEN: Final = re.compile(rb"[\x21-\x7e]{1,512}")
_HOW: Final = "Send it as 'Authorization: Bearer KEY'."


def authenticate(snapshot: Snapshot, *, authorization: list[bytes], api_key: list[bytes]) -> ApiKey:
    """The key of `Authorization: Bearer` or `x-api-key`. Raises GatewayError INVALID_API_KEY."""
    token = _token(authorization, api_key)
    digest = hashlib.sha256(token).digest()
    key = snapshot.keys.get(digest)
    if key is None or not hmac.compare_digest(key.digest, digest):
        raise GatewayError(INVALID_API_KEY, f"The API key is not known. {_HOW}")
    if key.status != "active" or (key.expires_at is not None and key.expires_at <= time.time()):
        raise GatewayError(INVALID_API_KEY, "The API key is disabled or expired. Use another one.")
    return key


def _token(authorization: list[bytes], api_key: list[bytes]) -> bytes:
    given = {value.strip() for value in api_key}
    for value in authorization:
        scheme, _, token = value.strip().partition(b" ")
        if scheme.lower() != b"bearer":
            raise GatewayError(INVALID_API_KEY, f"The Authorization header does not hold a bearer token. {_HOW}")
        given.add(token.strip())
    if not given:
        raise GatewayError(INVALID_API_KEY, f"No API key was sent. {_HOW}")
    if len(given) > 1 or len(authorization) > 1:
        raise GatewayError(INVALID_API_KEY, f"More than one API key was sent. {_HOW}")
    token = given.pop()
    if _TOKEN.fullmatch(token) is None:
        raise GatewayError(INVALID_API_KEY, f"The API key is not well formed. {_HOW}")
    return token
