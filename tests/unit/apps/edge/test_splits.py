"""Bytes come as the network cuts them: any cut of the same requests gives the same answers."""

import asyncio
import itertools
from collections.abc import Iterator
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmgateway.apps.edge.front import Front, Limits
from llmgateway.apps.edge.patrol import Patrol
from llmgateway.apps.edge.protocol import EdgeProtocol
from llmgateway.engine.pipeline import Gateway
from tests.support.rawhttp import request
from tests.unit.apps.edge.door import BEARER, JSON, ScriptedGateway, chat

_CHUNKED = (
    request(headers=(BEARER, JSON, ("transfer-encoding", "chunked"), ("connection", "keep-alive")))
    + b'5;a="b"\r\n[1, 2\r\n1\r\n,\r\n0003\r\n 3]\r\n0\r\nx-trailer: x\r\nx-request-id: y\r\n\r\n'
)
_UPGRADE = chat(b"[4]", headers=(("connection", "upgrade"), ("upgrade", "h2c")))
_REQUESTS = b"\r\n" + _CHUNKED + chat(b"[5]") + _UPGRADE + request("BREW", "/nowhere") + chat(b"[6]")


class Wire(asyncio.Transport):
    """A transport that remembers what was written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.ended = False

    def write(self, data: Any) -> None:
        assert not self.ended
        self.written += data

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        assert high is not None

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.ended = True

    def close(self) -> None:
        self.ended = True

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


def play(pieces: Iterator[bytes] | list[bytes]) -> tuple[list[bytes], list[bytes]]:
    """The bodies that the gateway got, and the first line and body of each answer."""

    async def played() -> tuple[list[bytes], bytes]:
        gateway = ScriptedGateway()
        limits = Limits()
        front, patrol = Front(gateway=cast("Gateway", gateway), limits=limits, routes=()), Patrol(limits)
        protocol, wire = EdgeProtocol(front=front, patrol=patrol, registry=set()), Wire()
        protocol.connection_made(wire)
        for piece in pieces:
            protocol.data_received(piece)
        while gateway.meters.in_flight or protocol.current is not None:  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0)
        protocol.connection_lost(None)
        patrol.close()
        assert front.buffered_bytes == 0
        return gateway.bodies, wire.written

    bodies, written = asyncio.run(played())
    answers = written.split(b"HTTP/1.1 ")[1:]
    return bodies, [answer[:3] + answer.partition(b"\r\n\r\n")[2] for answer in answers]


def test_every_cut_in_two() -> None:
    whole = play([_REQUESTS])
    assert whole[0] == [b"[1, 2, 3]", b"[5]", b"[4]"]
    assert [answer[:3] for answer in whole[1]] == [b"200", b"200", b"200", b"404"]
    for cut in range(len(_REQUESTS)):
        bodies, answers = play([_REQUESTS[:cut], _REQUESTS[cut:]])
        assert (bodies, answers[:3]) == (whole[0], whole[1][:3]), cut
        assert [answer[:3] for answer in answers[3:]] in ([b"400"], [b"404"]), cut


def test_byte_by_byte() -> None:
    bodies, answers = play([_REQUESTS[at : at + 1] for at in range(len(_REQUESTS))])
    assert bodies == [b"[1, 2, 3]", b"[5]", b"[4]"]
    assert len(answers) == 4


@settings(max_examples=100, deadline=None, derandomize=True)
@given(cuts=st.lists(st.integers(0, len(_REQUESTS)), max_size=20), noise=st.binary(max_size=60), at=st.integers(0, 600))
def test_noise_anywhere_ends_the_connection_and_nothing_else(cuts: list[int], noise: bytes, at: int) -> None:
    """Whatever comes, data_received never raises and the books are balanced."""
    data = _REQUESTS[:at] + noise + _REQUESTS[at:]
    edges = [0, *sorted(cuts), len(data)]
    play([data[left:right] for left, right in itertools.pairwise(edges)])


@pytest.mark.parametrize("size", [1, 7, 4095, 4096, 4097, 70_000])
def test_a_body_in_pieces_is_put_together(size: int) -> None:
    body = bytes(range(256)) * 800
    data = chat(body)
    bodies, _ = play([data[at : at + size] for at in range(0, len(data), size)] if size > 1 else [data[:-1], data[-1:]])
    assert bodies == [body]
    crumbs = b"".join(
        b"%x\r\n%b\r\n" % (len(body[at : at + size]), body[at : at + size]) for at in range(0, len(body), size)
    )
    head = request(headers=(BEARER, JSON, ("transfer-encoding", "chunked")))
    assert play([head + crumbs + b"0\r\n\r\n"])[0] == [body]
