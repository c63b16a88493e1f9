"""Opens connections: resolves a name, checks the addresses, dials the very addresses checked, and speaks TLS.

`Dialer.dial` is the one way out of the process; a proxy would be another object with this method.
"""

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import Callable
from typing import Literal

from llmgateway.domain.errors import UpstreamError
from llmgateway.domain.routing import Origin
from llmgateway.infra.transport.address import is_public
from llmgateway.infra.transport.connection import Connection
from llmgateway.infra.transport.failures import unreachable
from llmgateway.infra.transport.resolver import Resolver

Reach = Literal["any", "public", "private"]
"""Which addresses may be dialled."""


class Dialer:
    """`ca_file`: certificates (PEM) trusted beside the system's."""

    def __init__(
        self, *, resolver: Resolver | None = None, ca_file: str | None = None, stagger_s: float = 0.25
    ) -> None:
        self._resolver = resolver or Resolver()
        self._ca_file = ca_file
        self._stagger_s = stagger_s
        self._tls: ssl.SSLContext | None = None

    async def dial(self, origin: Origin, *, reach: Reach, create: Callable[[], Connection]) -> Connection:
        """A connected Connection. Raises UpstreamError UPSTREAM_UNREACHABLE. Takes as long as it takes."""
        peer = peer_name(origin)
        try:
            addresses = await self._resolver.addresses(origin.host, port=origin.port)
        except (OSError, UnicodeError) as error:
            raise unreachable(peer, "cannot be resolved (DNS)") from error
        if reach != "any" and any(is_public(address) != (reach == "public") for address in addresses):
            allowed = "the public internet" if reach == "public" else "private networks"
            raise unreachable(peer, f"has an address that is not allowed: only {allowed} may be reached")
        try:
            tls = None
            if origin.scheme == "https":
                tls = self._tls or await asyncio.to_thread(self.tls_context)  # reads the system's store: some 40 ms
            return await self._race(addresses, origin=origin, tls=tls, create=create)
        except (OSError, UnicodeError) as error:
            self._resolver.forget(origin.host, port=origin.port)
            raise _explained(peer, error) from error

    async def _race(
        self,
        addresses: tuple[str, ...],
        *,
        origin: Origin,
        tls: ssl.SSLContext | None,
        create: Callable[[], Connection],
    ) -> Connection:
        """The first address that answers; each gets a head start of `stagger_s` over the next (RFC 8305)."""
        if len(addresses) == 1:
            return await _connect(addresses[0], origin=origin, tls=tls, connection=create())
        left = deque(addresses)
        running: set[asyncio.Task[Connection]] = set()
        failure: BaseException = OSError("no address")
        try:
            while left or running:
                if left:
                    running.add(
                        asyncio.create_task(_connect(left.popleft(), origin=origin, tls=tls, connection=create()))
                    )
                done, running = await asyncio.wait(
                    running, timeout=self._stagger_s if left else None, return_when=asyncio.FIRST_COMPLETED
                )
                won = [task for task in done if task.exception() is None]
                for task in won[1:]:
                    task.result().discard()
                if won:
                    return won[0].result()
                failure = next((task.exception() or failure for task in done), failure)
        finally:
            for task in running:
                task.add_done_callback(_drop)
                task.cancel()
        raise failure

    def tls_context(self) -> ssl.SSLContext:
        """Made at the first use, and once. The system's store, or SSL_CERT_FILE and SSL_CERT_DIR, plus `ca_file`."""
        if self._tls is None:
            tls = ssl.create_default_context()
            if self._ca_file is not None:
                tls.load_verify_locations(cafile=self._ca_file)
            tls.set_alpn_protocols(["http/1.1"])
            self._tls = tls
        return self._tls


def peer_name(origin: Origin) -> str:
    """How an origin is called in messages."""
    return f"{origin.host}:{origin.port}"


async def _connect(address: str, *, origin: Origin, tls: ssl.SSLContext | None, connection: Connection) -> Connection:
    """Dials an address, which is never resolved again; the certificate must be the name's."""
    try:
        transport, _ = await asyncio.get_running_loop().create_connection(
            lambda: connection,
            address,
            origin.port,
            ssl=tls,
            server_hostname=origin.host if tls is not None else None,
        )
    except BaseException:
        connection.discard()
        raise
    raw = transport.get_extra_info("socket")
    if raw is not None:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _drop(task: asyncio.Task[Connection]) -> None:
    """A connection that lost the race."""
    if not task.cancelled() and task.exception() is None:
        task.result().discard()


def _explained(peer: str, error: Exception) -> UpstreamError:
    if isinstance(error, ssl.SSLCertVerificationError):
        return unreachable(peer, f"failed the TLS handshake: its certificate was refused ({error.verify_message})")
    if isinstance(error, ssl.SSLError):
        return unreachable(peer, f"failed the TLS handshake ({error.reason or 'protocol error'})")
    if isinstance(error, ConnectionRefusedError):
        return unreachable(peer, "refused the connection")
    return unreachable(peer, f"cannot be connected to ({type(error).__name__})")
