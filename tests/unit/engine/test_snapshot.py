"""The read model: everything a request needs is worked out once, and nothing in it changes."""

from typing import Any

import pytest

from llmgateway.domain.routing import Deployment, Timeouts
from llmgateway.engine.snapshot import Snapshot
from tests.support.fakes import KEY, SECRET, offer, provider, snapshot


def deployment(of: Snapshot, name: str = "gpt-x") -> Deployment:
    route = of.route(name)
    assert route is not None
    return route.offers[0].deployments[0]


def head(**fields: Any) -> list[str]:
    return deployment(snapshot(providers=[provider(**fields)])).head.decode().splitlines()


def test_keys_are_found_by_their_digest() -> None:
    assert snapshot().keys[KEY.digest] is KEY


def test_the_head_of_a_request_is_ready_to_be_sent() -> None:
    assert head() == [
        "POST /v1/chat/completions HTTP/1.1",
        "host: acme.example",
        f"authorization: Bearer {SECRET}",
        "content-type: application/json",
        "accept-encoding: identity",
        "x-llmgateway-hop: instance-1",
    ]


def test_a_provider_says_where_its_key_goes() -> None:
    assert f"x-key: {SECRET}" in head(auth="header:x-key")
    assert not any(SECRET in line for line in head(auth="none"))


def test_path_and_port_are_the_providers() -> None:
    assert head(base_url="http://127.0.0.1:8000/", path="/chat")[:2] == ["POST /chat HTTP/1.1", "host: 127.0.0.1:8000"]


def test_a_user_in_the_url_is_not_sent_as_host() -> None:
    assert head(base_url="https://user:pass@acme.example/v1")[1] == "host: acme.example"


@pytest.mark.parametrize(("url", "port"), [("https://a.example", 443), ("http://a.example", 80), ("http://[::1]:9", 9)])
def test_the_port_follows_from_the_scheme_unless_given(url: str, port: int) -> None:
    assert deployment(snapshot(providers=[provider(base_url=url)])).origin.port == port


def test_private_addresses_are_dialled_only_where_allowed() -> None:
    assert not deployment(snapshot()).origin.allow_private
    allowed = snapshot(providers=[provider(allow_private_network=True)])
    assert deployment(allowed).origin.allow_private


def test_a_route_is_worked_out_once() -> None:
    of = snapshot()
    assert of.route("gpt-x") is of.route("gpt-x")


def test_names_that_mean_nothing_are_not_remembered() -> None:
    """Callers choose names, so what they choose must not fill the memory."""
    of = snapshot()
    for number in range(100):
        assert of.route(f"nonsense-{number}") is None
    assert len(of._routes) == 0


def test_the_names_of_a_provider_of_any_model_are_remembered_within_bounds() -> None:
    of = snapshot(offer(), providers=[provider(any_model=True, custom=True)])
    for number in range(10_100):
        assert of.route(f"acme/model-{number}") is not None
    assert len(of._routes) <= 10_000


def test_whether_an_offer_is_usable_can_be_asked_without_a_request() -> None:
    of = snapshot(offer("a"), offer("b"), credentials=["a"])
    assert of.usable(offer("a"))
    assert not of.usable(offer("b"))


def test_a_whole_answer_may_take_long_to_begin() -> None:
    found = deployment(snapshot())
    assert (found.timeouts.first_byte, found.timeouts_whole.first_byte) == (120, 600)


def test_so_may_a_model_that_reasons() -> None:
    assert deployment(snapshot(offer(has=frozenset({"reasoning"})))).timeouts.first_byte == 600


def test_the_operators_own_first_byte_timeout_stands() -> None:
    found = deployment(snapshot(providers=[provider(timeouts=Timeouts(first_byte=30, idle=7))]))
    assert (found.timeouts.first_byte, found.timeouts_whole.first_byte, found.timeouts_whole.idle) == (30, 30, 7)


def test_a_credential_does_not_show_its_secret() -> None:
    assert SECRET not in repr(deployment(snapshot()).credential)
