"""The test run itself: it reaches nothing but this machine and sees nobody's provider keys."""

import os
import socket

import pytest
from pytest_socket import SocketConnectBlockedError


def test_an_address_outside_this_machine_cannot_be_dialled() -> None:
    with socket.socket() as outside, pytest.raises(SocketConnectBlockedError):
        outside.connect(("192.0.2.1", 9))


def test_loopback_can_be_dialled() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        assert client.getpeername() == server.getsockname()


def test_no_provider_key_of_the_developer_is_visible() -> None:
    assert [name for name in os.environ if name.endswith("_API_KEY") or name.startswith("LLMGATEWAY_")] == []
