"""Errands: a request's coroutine, driven by what it waits for instead of by a task and its futures.

A request waits for little besides the bytes of its provider, which wake a `Waiter`. All errands woken in a few turns
of the loop go on one after the other in the next: requests in the same phase share warm code, and their writes reach
peers that are awake. Futures can be awaited too; `within` stands for `asyncio.timeout`, which needs a task.
"""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Final, Generic, TypeVar, cast

import msgspec

_GATHERING_TURNS: Final = 2
T = TypeVar("T")


class _Running:
    """Which errand is on the stack, of this thread's only event loop."""

    __slots__ = ("errand",)

    def __init__(self) -> None:
        self.errand: Errand | None = None


_running: Final = _Running()


class _Turn:
    """What goes on a few turns of the loop later, one after the other; what comes in until then goes along, and the
    more go together, the less each of them costs. Whoever adds the first one calls `begin`.
    """

    __slots__ = ("_left", "behind", "ready", "running")

    def __init__(self) -> None:
        self.ready: list[Callable[[], None]] = []
        self.behind: list[Callable[[], object]] = []
        self.running = False
        self._left = 0

    def begin(self) -> None:
        self._left = _GATHERING_TURNS
        asyncio.get_running_loop().call_soon(self._gather)

    def _gather(self) -> None:
        """Lets the loop look at its sockets once more."""
        self._left -= 1
        asyncio.get_running_loop().call_soon(self._gather if self._left else self._run)

    def _run(self) -> None:
        ready, self.ready = self.ready, []
        self.running = True
        try:
            for go_on in ready:
                go_on()
        finally:
            self._follow_up()

    def _follow_up(self) -> None:
        try:
            for call in self.behind:  # which may add to them
                try:
                    call()
                except Exception as error:  # noqa: BLE001 - one request's failure must not hold back the others
                    told = {"message": "behind a turn's errands", "exception": error}
                    asyncio.get_running_loop().call_exception_handler(told)
        finally:
            self.running = False
            self.behind = []


_turn: Final = _Turn()


def follow(call: Callable[[], object]) -> bool:
    """Calls it behind the errands that go on now, and behind what follows them already; False when none does, and
    nothing will come of it.

    What all of them write leaves together: peers on one machine are woken once, not one by one.
    """
    if _turn.running:
        _turn.behind.append(call)
    return _turn.running


def behind(call: Callable[[], object]) -> None:
    """Calls it as `follow` does, and at once while no errand goes on."""
    if not follow(call):
        call()


class Together(Generic[T]):
    """Things that errands of one turn bring to the same point, for `work` to go on with behind them, all at once.

    The code of a step is dear to load and cheap to run again. Outside errands each is on its own, and at once.
    """

    __slots__ = ("_things", "_work")

    def __init__(self, work: Callable[[list[T]], None]) -> None:
        self._work = work
        self._things: list[T] = []

    def add(self, thing: T) -> None:
        things = self._things
        if things or follow(self._go_on):
            things.append(thing)
        else:
            self._work([thing])

    def _go_on(self) -> None:
        things, self._things = self._things, []
        self._work(things)


class Waiter(msgspec.Struct, eq=False):
    """Something that will happen once; one coroutine awaits it, in an errand or in a task."""

    done: bool = False
    resume: Callable[[], None] | None = None
    _error: BaseException | None = None

    def wake(self) -> None:
        if not self.done:
            self.done = True
            resume, self.resume = self.resume, None
            if resume is not None:
                resume()

    def fail(self, error: BaseException) -> None:
        """Raises `error` where this is awaited."""
        self._error = error
        self.wake()

    def __await__(self) -> Generator[Any]:
        if not self.done:
            if _running.errand is not None:
                yield self
            else:
                yield from self._future()
        if self._error is not None:
            raise self._error

    def _future(self) -> "asyncio.Future[None]":
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.resume = lambda: None if future.done() else future.set_result(None)
        return future


class Errand:
    """Begins with one of the next turns of the loop. `on_end` hears how it ended: None, or what was raised."""

    __slots__ = ("_awaited", "_coroutine", "_on_end", "done")

    def __init__(self, coroutine: Coroutine[Any, Any, None], *, on_end: Callable[[BaseException | None], None]) -> None:
        self._coroutine = coroutine
        self._on_end = on_end
        self._awaited: Any = None
        self.done = False
        self._soon()

    def cancel(self) -> None:
        """Raises CancelledError where it waits, now; where it runs, at the next turn of the loop."""
        if self.done:
            return
        awaited = self._awaited
        waiter = awaited if type(awaited) is Waiter else None
        if awaited is None or (waiter is not None and waiter.done):  # its turn is coming: cancelled behind it
            asyncio.get_running_loop().call_soon(self.cancel)
            return
        if waiter is not None:
            waiter.resume = None
        else:
            future = cast("asyncio.Future[Any]", awaited)
            future.remove_done_callback(self._happened)
            future.cancel()
        error = asyncio.CancelledError()
        self._go_on(error)
        error.__traceback__ = None  # its frames hold it in turn: a circle left to the garbage collector

    def _soon(self) -> None:
        ready = _turn.ready
        if not ready:
            _turn.begin()
        ready.append(self._go_on)

    def _go_on(self, error: BaseException | None = None) -> None:
        before, _running.errand = _running.errand, self
        self._awaited = None
        try:
            awaited = self._coroutine.send(None) if error is None else self._coroutine.throw(error)
        except StopIteration:
            self._ended(None)
        except BaseException as raised:  # noqa: BLE001 - told to `on_end`, as a task tells its callbacks
            self._ended(raised)
        else:
            if type(awaited) is Waiter:
                awaited.resume = self._soon
                self._awaited = awaited
            else:
                self._await(awaited)
        finally:
            _running.errand = before

    def _await(self, awaited: Any) -> None:
        """A future, or the bare yield of `asyncio.sleep(0)`."""
        if awaited is None:
            asyncio.get_running_loop().call_soon(self._go_on)
            return
        future = cast("asyncio.Future[Any]", awaited)
        future._asyncio_future_blocking = False  # the handshake between a future and whoever drives a coroutine
        future.add_done_callback(self._happened)
        self._awaited = future

    def _happened(self, _future: "asyncio.Future[Any]") -> None:
        self._go_on()

    def _ended(self, error: BaseException | None) -> None:
        """Lets go of all it held, so that nothing is left to the garbage collector."""
        self.done = True
        on_end, self._on_end = self._on_end, _nothing
        self._coroutine.close()
        on_end(error)


def _nothing(_error: BaseException | None) -> None: ...


def within(seconds: float) -> AbstractAsyncContextManager[object]:
    """TimeoutError for what is not over by then, in an errand as in a task."""
    errand = _running.errand
    return asyncio.timeout(seconds) if errand is None else _Limit(errand, seconds)


class _Limit:
    __slots__ = ("_errand", "_expired", "_handle", "_seconds")

    def __init__(self, errand: Errand, seconds: float) -> None:
        self._errand = errand
        self._seconds = seconds
        self._expired = False
        self._handle: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> None:
        self._handle = asyncio.get_running_loop().call_later(max(0, self._seconds), self._expire)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._handle is not None:
            self._handle.cancel()
        if self._expired and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def _expire(self) -> None:
        self._expired = True
        self._errand.cancel()
