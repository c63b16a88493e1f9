"""Requests for `auto` and the snapshots that it chooses from."""

from typing import Any

import msgspec
import pytest

from llmgateway.domain.errors import ErrorKind, GatewayError
from llmgateway.domain.identity import Project
from llmgateway.domain.plan import RoutePlan
from llmgateway.domain.routing import Mapping
from llmgateway.domain.usage import Price
from llmgateway.engine.snapshot import Snapshot
from llmgateway.wire.openai_chat.request import read_request
from tests.support.fakes import ONCE, offer, planned, request_body, snapshot

FREE = Price(input=0, output=0)
CHEAP, MIDDLE, DEAR = Price(input=1, output=1), Price(input=10, output=10), Price(input=100, output=100)
UNVERIFIED = Project(id="p", name="P", verified=False)
TOOLS = [{"type": "function", "function": {"name": "f"}}]
REASONS: dict[str, Any] = {"has": frozenset({"reasoning"})}


def listing(*offers: Mapping, models: tuple[str, ...] = (), **fields: Any) -> Snapshot:
    """A snapshot whose `auto` chooses from `models`, or from all models there are."""
    named = models or tuple(dict.fromkeys(one.model for one in offers))
    return snapshot(*offers, policy=msgspec.structs.replace(ONCE, auto_models=named), **fields)


def built_in(*offers: Mapping, **fields: Any) -> Snapshot:
    """A snapshot whose `auto` chooses from the built-in list."""
    return snapshot(*offers, **fields)


def plan(of: Snapshot, *, project: Project | None = None, **fields: Any) -> RoutePlan:
    chat = read_request(request_body(**{"model": "auto", **fields}))
    return planned(chat, snapshot=of, **({} if project is None else {"project": project}))


def chosen(of: Snapshot, **fields: Any) -> str:
    return plan(of, **fields).deployments[0].used_model


def refusal(of: Snapshot, kind: ErrorKind, **fields: Any) -> GatewayError:
    with pytest.raises(GatewayError) as raised:
        plan(of, **fields)
    assert raised.value.kind is kind, raised.value.message
    return raised.value


def model(name: str, price: Price | None = CHEAP, *, at: str = "acme", **fields: Any) -> Mapping:
    return offer(at, name, price=price, **fields)
