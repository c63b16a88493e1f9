"""A deployment for codecs to speak to."""

from typing import Any

from llmgateway.domain.routing import Credential, Deployment, Mapping, Origin, ParameterPolicy, Provider
from llmgateway.wire.params import compile_parameters

SECRET = "acme-secret-2718281828"


def deployment(
    *,
    lacks: frozenset[str] = frozenset(),
    has: frozenset[str] = frozenset(),
    policy: ParameterPolicy | None = None,
    **members: Any,
) -> Deployment:
    """Of the provider `acme`, whose row has the given members."""
    provider = Provider(id="acme", parameters=policy or ParameterPolicy(), **members)
    mapping = Mapping(provider="acme", model="m", upstream="acme-m-1", lacks=lacks, has=has)
    return Deployment(
        provider=provider,
        mapping=mapping,
        protocol="openai-chat",
        credential=Credential(provider="acme", secret=SECRET, fingerprint="0123456789abcdef"),
        region=None,
        origin=Origin("https", "acme.test", 443),
        head=b"POST /v1/chat/completions HTTP/1.1\r\n",
        head_stream=b"POST /v1/chat/completions HTTP/1.1\r\n",
        used_model="acme/m",
        parameters=compile_parameters(provider, mapping),
    )
