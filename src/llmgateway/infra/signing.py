"""The Signer port: what a request carries when its key cannot stand in the precomputed head.

AWS access keys sign the whole request; Google service accounts are exchanged for a token first.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from llmgateway.domain.routing import Deployment, HttpRequest
from llmgateway.engine.ports import Transport
from llmgateway.infra.gcp import Tokens
from llmgateway.wire.sigv4 import AwsCredential, signed

_SERVICE: Final = "bedrock"
_DEFAULT_REGION: Final = "us-east-1"
_REGION_IN_HOST: Final = re.compile(r"(?:^|\.)([a-z]{2}(?:-[a-z]+)+-\d+)(?:\.|$)")


def _utc() -> datetime:
    return datetime.now(UTC)


class Signing:
    """Implements `Signer`. `now`: the time in UTC."""

    def __init__(self, transport: Transport, *, now: Callable[[], datetime] = _utc) -> None:
        self._now = now
        self._tokens = Tokens(transport, now=lambda: now().timestamp())

    async def sign(self, request: HttpRequest, *, to: Deployment) -> HttpRequest:
        if to.signing == "aws":
            return signed(
                request, credential=_aws(to.credential.secret), region=_region(to), service=_SERVICE, at=self._now()
            )
        token = await self._tokens.token(to.credential.secret)
        head = request.head + b"authorization: Bearer %b\r\n" % token.encode("latin-1")
        return HttpRequest(request.origin, head, request.body, request.method)


def _aws(secret: str) -> AwsCredential:
    access_key, secret_key, *session = secret.split(":")
    return AwsCredential(access_key=access_key, secret_key=secret_key, session_token=session[0] if session else None)


def _region(to: Deployment) -> str:
    """The region a signature is for: that of the address, which a host of the operator's own may not tell."""
    found = _REGION_IN_HOST.search(to.origin.host)
    return to.place or (found.group(1) if found is not None else _DEFAULT_REGION)
