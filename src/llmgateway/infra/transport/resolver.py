"""Host names to addresses: getaddrinfo behind a small cache, one lookup at a time per name."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from ipaddress import ip_address

Lookup = Callable[[str, int], Awaitable[list[str]]]
"""Addresses of a host, in the order they should be tried. Raises OSError where there are none."""


class Resolver:
    """Remembers answers for `ttl_s` seconds and at most `entries` names. Failures are not remembered."""

    def __init__(self, *, lookup: Lookup | None = None, ttl_s: float = 30, entries: int = 1024) -> None:
        self._lookup = lookup or _system_lookup
        self._ttl_s = ttl_s
        self._entries = entries
        self._known: dict[tuple[str, int], tuple[float, tuple[str, ...]]] = {}
        self._running: dict[tuple[str, int], asyncio.Task[tuple[str, ...]]] = {}

    async def addresses(self, host: str, *, port: int) -> tuple[str, ...]:
        """Raises OSError when the name has no address."""
        literal = host.partition("%")[0]
        try:
            ip_address(literal)
        except ValueError:
            pass
        else:
            return (host,)
        key = (host, port)
        known = self._known.get(key)
        if known is not None and known[0] > asyncio.get_running_loop().time():
            return known[1]
        task = self._running.get(key)
        if task is None:
            task = asyncio.create_task(self._ask(key))
            self._running[key] = task
            task.add_done_callback(lambda done: self._settle(key, done))
        return await asyncio.shield(task)

    def forget(self, host: str, *, port: int) -> None:
        """The known addresses did not answer: ask again next time."""
        self._known.pop((host, port), None)

    async def _ask(self, key: tuple[str, int]) -> tuple[str, ...]:
        found = tuple(dict.fromkeys(await self._lookup(*key)))
        if not found:
            raise OSError(f"{key[0]} has no address")
        return _interleaved(found)

    def _settle(self, key: tuple[str, int], task: asyncio.Task[tuple[str, ...]]) -> None:
        self._running.pop(key, None)
        if task.cancelled() or task.exception() is not None:
            return
        self._known.pop(key, None)
        while len(self._known) >= self._entries:
            del self._known[next(iter(self._known))]
        self._known[key] = (task.get_loop().time() + self._ttl_s, task.result())


def _interleaved(addresses: tuple[str, ...]) -> tuple[str, ...]:
    """Families taken in turn, beginning with the system's first choice (RFC 8305 section 4)."""
    first_is_v6 = ":" in addresses[0]
    first = [address for address in addresses if (":" in address) == first_is_v6]
    second = [address for address in addresses if (":" in address) != first_is_v6]
    turns = [address for pair in zip(first, second, strict=False) for address in pair]
    rest = min(len(first), len(second))
    return tuple(turns + first[rest:] + second[rest:])


async def _system_lookup(host: str, port: int) -> list[str]:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise OSError(f"{host} is not a host name") from error
    return [_literal(sockaddr) for _, _, _, _, sockaddr in found]


def _literal(sockaddr: tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]) -> str:
    host = str(sockaddr[0])
    scope = sockaddr[3] if len(sockaddr) == 4 else 0
    return f"{host}%{scope}" if scope and "%" not in host else host
