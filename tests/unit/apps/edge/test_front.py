"""What a request's head decides: facts for the record, limits of load, loops, and who the client is behind proxies."""

import pytest

from llmgateway.apps.edge.front import Limits
from tests.support.rawhttp import Answer, request, until
from tests.unit.apps.edge.conftest import NewLoop
from tests.unit.apps.edge.door import BEARER, INSTANCE, JSON, Door, chat


@pytest.fixture
def limits() -> Limits:
    return Limits(
        max_body_bytes=1_000_000,
        max_buffered_bytes=1_500_000,
        max_in_flight=2,
        trusted_proxies=("127.0.0.0/8", "10.0.0.0/8", "2001:db8::/32"),
    )


def asked(door: Door, *headers: tuple[str, str]) -> Answer:
    with door.connect() as client:
        client.send(chat(headers=headers))
        return client.answer()


@pytest.mark.parametrize(
    ("forwarded", "ip"),
    [
        ([], "127.0.0.1"),
        (["203.0.113.7"], "203.0.113.7"),
        (["203.0.113.7, 10.1.2.3"], "203.0.113.7"),
        (["198.51.100.1, 203.0.113.7, 10.1.2.3"], "203.0.113.7"),
        (["203.0.113.7", "10.1.2.3"], "203.0.113.7"),
        (["2001:db9::1, 2001:db8::5"], "2001:db9::1"),
        (["10.9.9.9"], "10.9.9.9"),
        (["1.2.3.4, nonsense"], None),
        (["<script>"], None),
        ([""], None),
    ],
)
def test_the_client_is_the_last_address_that_no_trusted_proxy_has(
    door: Door, forwarded: list[str], ip: str | None
) -> None:
    """What a client itself writes in front of the list changes nothing."""
    asked(door, *(("x-forwarded-for", value) for value in forwarded))
    assert door.gateway.facts[0].client_ip == ip


def test_without_trusted_proxies_the_peer_is_the_client(new_loop: NewLoop) -> None:
    door = Door(new_loop, limits=Limits())
    asked(door, ("x-forwarded-for", "203.0.113.7"))
    door.close()
    assert door.gateway.facts[0].client_ip == "127.0.0.1"


def test_headers_become_facts_of_the_record(door: Door) -> None:
    asked(
        door,
        ("user-agent", "curl/8"),
        ("referer", "https://app.example"),
        ("x-source", "app"),
        ("x-session-id", "s1"),
        ("x-session-affinity", "s2"),
        ("traceparent", "00-abc-def-01"),
        ("x-request-timeout", "2.5"),
        ("x-llmgateway-team", "red\tblue"),
        ("x-llmgateway-hop", "another"),
    )
    facts = door.gateway.facts[0]
    assert (facts.user_agent, facts.source, facts.session_id) == ("curl/8", "app", "s1")
    assert (facts.trace_id, facts.timeout_s, facts.custom) == ("00-abc-def-01", 2.5, {"team": "red blue"})


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (("x-session-id", "a"), "a"),
        (("x-session-affinity", "b"), "b"),
        (("session_id", "c"), "c"),
        (("x-session-id", ""), None),
    ],
)
def test_a_session_may_be_named_in_three_ways(door: Door, given: tuple[str, str], expected: str | None) -> None:
    asked(door, given)
    assert door.gateway.facts[0].session_id == expected


def test_the_first_header_that_names_a_session_counts(door: Door) -> None:
    asked(door, ("session_id", "c"), ("x-session-affinity", "b"))
    asked(door, ("x-session-affinity", "b"), ("x-session-id", "a"))
    assert [facts.session_id for facts in door.gateway.facts] == ["b", "a"]


@pytest.mark.parametrize("given", ["true", "1", "TRUE", "yes", "on", "only here"])
def test_fallback_can_be_declined(door: Door, given: str) -> None:
    """What is not clearly a no declines it: a request must not end up where its caller did not want it."""
    asked(door, ("x-no-fallback", given))
    assert door.gateway.facts[0].no_fallback


@pytest.mark.parametrize(
    "given", [(), (("x-no-fallback", "false"),), (("x-no-fallback", " 0 "),), (("x-no-fallback", ""),)]
)
def test_fallback_is_there_unless_it_is_declined(door: Door, given: tuple[tuple[str, str], ...]) -> None:
    asked(door, *given)
    assert not door.gateway.facts[0].no_fallback


def test_facts_are_bounded(door: Door) -> None:
    asked(door, ("user-agent", "a" * 5000), *((f"x-llmgateway-{n}", "b" * 500) for n in range(60)))
    facts = door.gateway.facts[0]
    assert len(facts.user_agent or "") == 256
    assert facts.custom is not None
    assert len(facts.custom) == 32
    assert {len(value) for value in facts.custom.values()} == {256}


@pytest.mark.parametrize("given", ["nan", "-1", "0", "inf", "1e9", "soon", ""])
def test_a_timeout_that_is_none_is_ignored(door: Door, given: str) -> None:
    asked(door, ("x-request-timeout", given))
    assert door.gateway.facts[0].timeout_s is None


def test_our_own_requests_coming_back_are_refused(door: Door) -> None:
    answer = asked(door, ("x-llmgateway-hop", INSTANCE))
    assert (answer.status, answer.error["code"]) == (508, "loop_detected")
    assert asked(door, ("x-llmgateway-hop", "another")).status == 200


def test_requests_above_the_limit_in_flight_are_refused(door: Door) -> None:
    door.gateway.meters.in_flight = 2
    answer = asked(door)
    assert (answer.status, answer.header("retry-after"), answer.header("x-should-retry")) == (503, "1", "true")
    assert len(door.gateway.refusals) == 1
    door.gateway.meters.in_flight = 0
    assert asked(door).status == 200


def test_bodies_above_the_limit_in_memory_are_refused_wherever_they_come_from(door: Door) -> None:
    """A head is let in by what is buffered then; a body that grows beyond the limit ends all the same."""
    head = request(headers=(BEARER, JSON, ("content-length", "1000000")))
    with door.connect() as first, door.connect() as second:
        first.send(head + bytes(900_000))
        second.send(head + bytes(500_000))
        until(lambda: door.front.buffered_bytes == 1_400_000)
        second.try_send(bytes(500_000))
        assert second.answer().status == 503
        first.send(bytes(100_000))
        assert first.answer().status == 200
    assert door.gateway.meters.overloaded == 1


def test_an_authenticated_refusal_leaves_a_record_and_another_a_count(door: Door) -> None:
    with door.connect() as client:
        client.send(
            request(headers=(BEARER, JSON, ("content-length", "1")), body=None)[:-2] + b"transfer-encoding: x\r\n\r\n"
        )
        assert client.answer().status == 400
    with door.connect() as client:
        client.send(request(headers=(JSON,), body=b"{}"))
        assert client.answer().status == 401
    assert door.gateway.refusals == []
    assert door.gateway.meters.unauthenticated == 1
    with door.connect() as client:
        client.send(request(headers=(BEARER, JSON, ("transfer-encoding", "chunked"))) + b"zz\r\n")
        assert client.answer().status == 400
    assert len(door.gateway.refusals) == 1
