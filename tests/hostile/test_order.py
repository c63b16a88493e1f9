"""Several requests on one connection, good and bad: one answer each, in their order, and nothing after the end."""

import json

import pytest

from tests.hostile.target import BEARER, JSON, KEY, Target, chat, conversation
from tests.support.rawhttp import Answer, Connection, request

_GOOD = chat()
_HEALTH = request("GET", "/healthz")
_NOWHERE = request("GET", "/nowhere")
_BAD_JSON = chat(b"{")
_STRANGER = chat(headers=(JSON,))
_GARBAGE = b"\x16\x03\x01\x00\r\n\r\n"
_LAST = request("GET", "/healthz", headers=(("connection", "close"),))
_UPGRADE = request("GET", "/nowhere", headers=(("connection", "upgrade"), ("upgrade", "h2c")))


def exchange(target: Target, *requests: bytes) -> list[Answer]:
    """The answers to all of it sent at once, until the server closes or half a second brings no more."""
    with Connection(target.port) as connection:
        connection.socket.settimeout(0.5)
        connection.try_send(b"".join(requests))
        answers: list[Answer] = []
        try:
            while True:
                answers.append(connection.answer())
        except (EOFError, TimeoutError, ConnectionResetError):
            return answers


@pytest.mark.parametrize(
    ("requests", "statuses"),
    [
        ((_GOOD, _GOOD, _GOOD), [200, 200, 200]),
        ((_GOOD, _BAD_JSON, _GOOD, _NOWHERE, _HEALTH), [200, 400, 200, 404, 200]),
        ((_NOWHERE, _GOOD, _NOWHERE), [404, 200, 404]),
        ((_GOOD, _GARBAGE, _GOOD), [200, 400]),
        ((_GARBAGE, _GOOD), [400]),
        ((_STRANGER, _GOOD), [401]),
        ((_GOOD, _STRANGER, _GOOD), [200, 401]),
        ((_LAST, _GOOD), [200]),
        ((_GOOD, _LAST, _GARBAGE), [200, 200]),
        ((_UPGRADE, _GOOD), [404]),
        ((_GOOD, request("BREW", "/nowhere"), _GOOD), [200, 400]),
        ((request("GET", "/healthz", body=b"unasked"), _GOOD), [200]),
        ((_HEALTH,) * 60, [200] * 60),
        ((_GOOD,) * 30, [200] * 30),
    ],
)
def test_each_request_has_one_answer_in_its_turn(
    target: Target, requests: tuple[bytes, ...], statuses: list[int]
) -> None:
    answers = exchange(target, *requests)
    assert [answer.status for answer in answers] == statuses
    assert len({answer.header("x-request-id") for answer in answers}) == len(answers)
    target.good()


def test_pipelined_answers_belong_to_their_requests(target: Target) -> None:
    """A slow stream in front holds back the quick answers behind it, and none is mixed into it."""
    ids = [f"turn-{number}" for number in range(5)]
    requests = [
        chat(conversation("Hi", stream=number == 0), headers=(BEARER, JSON, ("x-request-id", name)))
        for number, name in enumerate(ids)
    ]
    answers = exchange(target, *requests)
    assert [answer.header("x-request-id") for answer in answers] == ids
    assert answers[0].body.endswith(b"data: [DONE]\n\n")
    assert all(answer.json["metadata"]["request_id"] == name for answer, name in zip(answers[1:], ids[1:], strict=True))


def test_a_head_request_has_no_body_that_the_next_answer_could_be_read_from(target: Target) -> None:
    with Connection(target.port) as connection:
        connection.send(request("HEAD", "/nowhere") + request("HEAD", "/v1/chat/completions") + _GOOD)
        assert connection.answer(method="HEAD").status == 404
        assert connection.answer(method="HEAD").status == 405
        assert connection.answer().json["object"] == "chat.completion"


def test_ten_thousand_requests_at_once_cannot_pile_up(target: Target) -> None:
    """Who sends ahead without end is answered for a while, then cut; memory stays."""
    resting = target.memory_bytes()
    answers = exchange(target, _GOOD, _HEALTH * 10_000)
    assert answers[0].json["object"] == "chat.completion"
    assert {answer.status for answer in answers[1:-1]} <= {200}
    assert answers[-1].status == 503
    assert len(answers) < 200
    assert target.memory_bytes() - resting < 20_000_000
    target.good()


def test_answers_that_nobody_reads_cannot_pile_up(target: Target) -> None:
    """Ten thousand requests for a large page by a client that reads nothing."""
    resting = target.memory_bytes()
    with Connection(target.port, receive_buffer=4096) as connection:
        connection.socket.settimeout(1)
        try:
            connection.send(request("GET", "/openapi.json") * 10_000)
        except (TimeoutError, OSError):
            pass
        target.good()
        assert target.memory_bytes() - resting < 20_000_000
    target.good()


def test_an_expected_body_is_asked_for_but_never_in_the_middle_of_an_answer(target: Target) -> None:
    body = json.dumps(conversation("Hi")).encode()
    head = request(headers=(BEARER, JSON, ("expect", "100-continue"), ("content-length", str(len(body)))))
    with Connection(target.port) as connection:
        connection.send(chat(conversation("Hi", stream=True)) + head)
        streamed = connection.answer()
        assert streamed.body.endswith(b"data: [DONE]\n\n")
        assert b"100 Continue" not in streamed.body
        assert connection.interim() == 100
        connection.send(body)
        assert connection.answer().status == 200


def test_a_refused_request_is_told_before_its_body_is_sent(target: Target) -> None:
    head = request(headers=(JSON, ("expect", "100-continue"), ("content-length", "1000")))
    with Connection(target.port) as connection:
        connection.send(head)
        answer = connection.answer()
        assert (answer.status, answer.interim) == (401, ())
        assert answer.header("connection") == "close"


def test_a_request_smuggled_in_a_body_is_not_served(target: Target) -> None:
    """The classic: a front server that believes one header, a back server that believes the other."""
    smuggled = chat()
    before = target.upstream.requests
    for framing in (
        b"content-length: 4\r\ntransfer-encoding: chunked\r\n",
        b"transfer-encoding: chunked\r\ncontent-length: 4\r\n",
        b"transfer-encoding : chunked\r\ncontent-length: 4\r\n",
        b"transfer-encoding:\tchunked\r\ntransfer-encoding: identity\r\ncontent-length: 4\r\n",
        b"content-length: 4\r\ncontent-length: 0\r\n",
    ):
        head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer %b\r\n" % KEY.encode()
        answers = exchange(target, head, framing, b"\r\n0\r\n\r\n", smuggled)
        assert [answer.status for answer in answers] == [400]
    assert target.upstream.requests == before
