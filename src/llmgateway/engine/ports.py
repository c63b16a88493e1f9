"""The ports: what the engine needs of the world, and nothing about how it is done."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from llmgateway.domain.record import LogRecord
from llmgateway.domain.routing import Deployment, HttpRequest, Timeouts

Headers = Sequence[tuple[bytes, bytes]]
"""Header pairs as received, names in lower case."""


class UpstreamResponse(Protocol):
    """An answer whose head has arrived. Body bytes are read when asked for, so a slow reader slows the provider."""

    status: int
    headers: Headers

    async def read(self) -> bytes:
        """The bytes that have arrived since the last call (waits for some); b"" at the body's clean end.

        Raises UpstreamError: UPSTREAM_TIMEOUT (idle or total), UPSTREAM_UNREACHABLE (reset, or ended short).
        """
        ...

    async def pump(self, step: Callable[[bytes], bool]) -> bool:
        """Gives `step` what arrives, as it arrives, without waking anybody for it.

        True once `step` said that it has enough for now, False at the body's clean end. Raises as `read` does, and
        whatever `step` raises.
        """
        ...

    async def body(self, *, limit: int) -> bytes:
        """The whole body; UPSTREAM_ERROR once it exceeds `limit` bytes."""
        ...

    def bear(self, idle_s: float) -> None:
        """From now on so long a silence is borne, instead of the request's `idle`."""
        ...

    def close(self) -> None:
        """Done with it: back to the pool when the body was read to its end, else the connection is closed at once."""
        ...

    def release(self) -> None:
        """Done with it, its last event seen: given a moment to end cleanly and be pooled, else closed."""
        ...


class Transport(Protocol):
    """An HTTP client. Raises UpstreamError (UPSTREAM_UNREACHABLE, UPSTREAM_TIMEOUT, UPSTREAM_ERROR)."""

    def send(self, request: HttpRequest, *, timeouts: Timeouts, total_s: float) -> Awaitable[UpstreamResponse]:
        """Returns when the head of the answer is there. Cancelling it, or a read, closes the connection."""
        ...

    async def close(self) -> None: ...


class Signer(Protocol):
    """Puts a key into a request that has to be signed or needs a token; asked only for deployments with `signing`."""

    async def sign(self, request: HttpRequest, *, to: Deployment) -> HttpRequest:
        """The finished request; nothing may be added to it afterwards. Raises UpstreamError UPSTREAM_AUTH."""
        ...


class Journal(Protocol):
    """The append-only file. `then` runs once the record was handed to write(2), in the same or the next loop turn."""

    def append(self, record: LogRecord, *, then: Callable[[], None] | None = None) -> None: ...

    @property
    def accepting(self) -> bool:
        """False while neither the file nor the bounded memory queue can take a record (callers get 503)."""
        ...


class Downstream(Protocol):
    """The client's side of one exchange, offered by the edge. Writing to a client that has left does nothing."""

    @property
    def begun(self) -> bool:
        """Whether the status line has gone out (a keep-alive sends it too)."""
        ...

    def send(self, status: int, headers: Headers, body: bytes) -> None:
        """A whole answer."""
        ...

    def stream(self, head: Callable[[], Headers]) -> None:
        """From now on a silent connection gets keep-alives. The head goes out with the first of anything; `head` is
        asked then for its headers."""
        ...

    def write(self, data: bytes) -> None: ...

    async def drain(self) -> None:
        """Returns once the client has read enough for more to be written."""
        ...

    @property
    def congested(self) -> bool: ...

    def end(self, data: bytes) -> None:
        """The last bytes of a stream."""
        ...


class Fetcher(Protocol):
    """Reads what an https URL names, guarded against requests to private networks."""

    def check(self, url: str, *, param: str) -> None:
        """By its look alone: a web address, and no private one. Raises GatewayError INVALID_VALUE naming `param`."""
        ...

    async def fetch(self, url: str, *, param: str, limit: int, types: tuple[str, ...]) -> tuple[str, bytes]:
        """Content type and bytes. Raises GatewayError INVALID_VALUE naming `param`."""
        ...
