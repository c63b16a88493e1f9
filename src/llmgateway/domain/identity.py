"""Who is calling: projects and API keys."""

from typing import Literal

import msgspec

from llmgateway.domain.policy import RoutingPolicy


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """A group of keys whose traffic is accounted together.

    `verified` matters to free models only. `routing`: where it differs from the gateway's own policy.
    """

    id: str
    name: str
    verified: bool = True
    routing: RoutingPolicy | None = None


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """A gateway key without its secret: `digest` is the SHA-256 of the whole key. `expires_at`: seconds since 1970."""

    id: str
    name: str
    digest: bytes
    project: Project
    status: Literal["active", "disabled", "deleted"] = "active"
    expires_at: float | None = None
    static: bool = False
