"""Signatures of simulated reasoning: what a provider gives out with its thoughts and wants back unchanged. They are an
HMAC of the text under a constant of the simulator, so that any simulator recognises what any other issued and nothing
has to be remembered."""

import base64
import binascii
import hmac
from hashlib import sha256

_SECRET = b"signatures of the simulator, known to everyone"
_TAG_BYTES = 32


def signature(text: str, *, purpose: str) -> str:
    """A signature that belongs to this text alone, in base64."""
    return base64.b64encode(_tag(text.encode(), purpose=purpose)).decode()


def is_signature(claimed: str, text: str, *, purpose: str) -> bool:
    return hmac.compare_digest(decoded(claimed) or b"", _tag(text.encode(), purpose=purpose))


def envelope(text: str, *, purpose: str) -> bytes:
    """The text and its signature in one, opaque to whoever carries it."""
    return _tag(text.encode(), purpose=purpose) + text.encode()


def is_envelope(data: bytes, *, purpose: str) -> bool:
    return hmac.compare_digest(data[:_TAG_BYTES], _tag(data[_TAG_BYTES:], purpose=purpose))


def decoded(text: str) -> bytes | None:
    """The bytes of base64 in either alphabet, padded or not; None: it is none."""
    try:
        plain = text.encode().replace(b"-", b"+").replace(b"_", b"/").rstrip(b"=")
        return base64.b64decode(plain + b"=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def _tag(data: bytes, *, purpose: str) -> bytes:
    return hmac.digest(_SECRET, purpose.encode() + b"\0" + data, sha256)
