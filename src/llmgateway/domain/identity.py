"""Who is calling: projects and API keys."""

from typing import Literal

import msgspec


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """A group of keys whose traffic is accounted together. `verified` matters to free models only."""

    id: str
    name: str
    verified: bool = True


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """A gateway key without its secret: `digest` is the SHA-256 of the whole key. `expires_at`: seconds since 1970."""

    id: str
    name: str
    digest: bytes
    project: Project
    status: Literal["active", "disabled", "deleted"] = "active"
    expires_at: float | None = None
    static: bool = False
