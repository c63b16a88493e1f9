"""Known heads: found again by every byte but the digits of the length, and by nothing less."""

import pytest

from llmgateway.apps.edge.heads import Head, KnownHeads
from llmgateway.engine.exchange import RequestFacts
from tests.support.rawhttp import request
from tests.unit.apps.edge.door import BEARER, JSON, Door, snapshot

SNAPSHOT = snapshot()
HEAD = Head(RequestFacts("r"), next(iter(SNAPSHOT.keys.values())), SNAPSHOT)
FIRST = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\nauthorization: Bearer k\r\n\r\n{}"


def known() -> KnownHeads:
    heads = KnownHeads()
    heads.learn(FIRST, HEAD)
    return heads


def test_the_same_head_with_another_body_is_known() -> None:
    found = known().find(FIRST.replace(b"length: 2", b"length: 10").replace(b"{}", b'{"a": 123}'))
    assert found == (HEAD, b'{"a": 123}')


@pytest.mark.parametrize(
    "other",
    [
        FIRST.replace(b"Bearer k", b"Bearer j"),
        FIRST.replace(b"host: a", b"host: b"),
        FIRST.replace(b"POST / ", b"POST /x"),
        FIRST + b"GET / HTTP/1.1\r\n\r\n",
        FIRST[:-1],
        FIRST.replace(b"content-length: 2", b"content-length: 2 "),
        FIRST.replace(b"content-length: 2\r\n", b"content-length: 2\r\ncontent-length: 2\r\n"),
        FIRST.replace(b"content-length: 2\r\n", b"x: y\r\n"),
        b"\r\n" + FIRST,
        b"",
        b"{}",
    ],
)
def test_anything_else_is_left_to_the_parser(other: bytes) -> None:
    assert known().find(other) is None


def test_a_read_that_is_more_than_one_request_is_not_learnt() -> None:
    heads = KnownHeads()
    heads.learn(FIRST + FIRST, HEAD)
    assert heads.find(FIRST) is None


def test_more_heads_than_can_be_kept_begin_anew() -> None:
    heads = known()
    for number in range(5000):
        heads.learn(FIRST.replace(b"Bearer k", b"Bearer %d" % number), HEAD)
    assert heads.find(FIRST) is None
    assert heads.find(FIRST.replace(b"Bearer k", b"Bearer 4999")) == (HEAD, b"{}")


def test_a_recognised_request_has_its_own_id_and_the_facts_of_its_head(door: Door) -> None:
    told = (("user-agent", "agent"), ("x-llmgateway-team", "red"), ("x-no-fallback", "true"), ("x-session-id", "s"))
    sent = request(body=b'{"n": 1}', headers=(BEARER, JSON, *told))
    with door.connect() as client:
        for _ in range(3):
            client.send(sent)
            assert client.answer().status == 200
    facts = door.gateway.facts
    assert len({one.request_id for one in facts}) == 3
    assert {(one.user_agent, one.client_ip, one.custom["team"] if one.custom else None) for one in facts} == {
        ("agent", "127.0.0.1", "red")
    }
    assert {(one.no_fallback, one.session_id) for one in facts} == {(True, "s")}
    assert door.gateway.bodies == [b'{"n": 1}'] * 3


def test_a_pipelined_request_is_never_taken_for_the_one_before(door: Door) -> None:
    """Its head is read while another is answered, and must not be remembered with that one's facts."""
    first = request(body=b"{}", headers=(BEARER, JSON, ("user-agent", "one")))
    second = request(body=b"{}", headers=(BEARER, JSON, ("user-agent", "two")))
    with door.connect() as client:
        client.send(first + second)
        assert client.answer().status == client.answer().status == 200
        client.send(second)
        assert client.answer().status == 200
    assert [one.user_agent for one in door.gateway.facts] == ["one", "two", "two"]


def test_a_key_that_no_longer_counts_is_refused_behind_a_known_head(door: Door) -> None:
    sent = request(body=b"{}", headers=(BEARER, JSON))
    with door.connect() as client:
        client.send(sent)
        assert client.answer().status == 200
        door.gateway.snapshot = snapshot(key="another")
        client.send(sent)
        assert client.answer().status == 401
