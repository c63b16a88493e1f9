"""Serves: settings to sockets to a running process, and what is printed on the way.

uvicorn is the process shell (signals, graceful shutdown); connections go straight to the edge's own protocol.
"""

import asyncio
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import uvicorn
import uvloop

from llmgateway import __version__
from llmgateway.apps.assembly import Assembly
from llmgateway.apps.descriptors import make_room
from llmgateway.apps.edge.protocol import EdgeProtocol
from llmgateway.apps.workers import supervise
from llmgateway.infra.db.engine import DatabaseError
from llmgateway.infra.secrets import SecretsError
from llmgateway.infra.settings import Settings, SettingsError, load

_BACKLOG: Final = 2048
_GC_THRESHOLDS: Final = (50_000, 20, 50)


def run(*, config: Path | None, host: str | None, port: int | None, workers: int | None, data_dir: Path | None) -> int:
    """Serves until told to stop; the exit status."""
    environ = _overridden(host=host, port=port, workers=workers, data_dir=data_dir)
    try:
        settings = load(config, environ=environ)
        _log_to_stderr(settings.server.log_level)
        assembly = Assembly(settings, config=config, environ=environ)
        listener = _listener(settings)
    except (SettingsError, SecretsError, DatabaseError, OSError) as error:
        sys.stderr.write(f"llmgateway: {error}\n")
        return 1
    _greet(assembly, listener)
    if settings.server.workers == 1:
        return _work(assembly, listener)
    assembly.release()
    return supervise(
        lambda: _work(Assembly(settings, config=config, environ=environ), listener), count=settings.server.workers
    )


def _work(assembly: Assembly, listener: socket.socket) -> int:
    make_room()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(assembly, listener))
    return 0


async def _serve(assembly: Assembly, listener: socket.socket) -> None:
    assembly.start()
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, assembly.reload)
    server = _server(assembly)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)
    try:
        await server.serve(sockets=[listener])
    finally:
        await assembly.stop()


class _Server(uvicorn.Server):
    """uvicorn, with signals through the loop: its own way ends the process before we have drained."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield


def _server(assembly: Assembly) -> uvicorn.Server:
    def protocol(*, server_state: Any, **_: Any) -> asyncio.Protocol:
        return EdgeProtocol(front=assembly.front, patrol=assembly.patrol, registry=server_state.connections)

    return _Server(
        uvicorn.Config(
            _no_asgi,
            http=protocol,  # pyright: ignore[reportArgumentType]  # a factory serves as well as a class
            loop="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=int(assembly.settings.server.shutdown_grace_s),
        )
    )


async def _no_asgi(_scope: Any, _receive: Any, _send: Any) -> None:
    """uvicorn wants an application; the edge's protocol never calls it."""


def _overridden(*, host: str | None, port: int | None, workers: int | None, data_dir: Path | None) -> dict[str, str]:
    """The environment with the command line's words put on top, so that a reload sees them too."""
    environ = dict(os.environ)
    given = {"SERVER_HOST": host, "SERVER_PORT": port, "SERVER_WORKERS": workers, "DATA_DIR": data_dir}
    environ.update({f"LLMGATEWAY_{name}": str(value) for name, value in given.items() if value is not None})
    return environ


def _listener(settings: Settings) -> socket.socket:
    host, port = settings.server.host, settings.server.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise OSError(f"cannot listen on {host} port {port}: {error.strerror}; set server.port to another") from None


def _log_to_stderr(level: str) -> None:
    logging.basicConfig(level=level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)


def _greet(assembly: Assembly, listener: socket.socket) -> None:
    """Where it listens, with which providers, and the command that tries it."""
    host, port = listener.getsockname()[:2]
    base = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    first = assembly.first_key
    named = sorted({credential.provider for credential in assembly.operator.credentials})
    lines = [f"LLM Gateway {__version__} on {base}"]
    lines += [f"warning: {warning}" for warning in assembly.operator.warnings]
    lines += [f"note: [projects.{name}] has settings, but no key belongs to it yet" for name in assembly.idle_projects]
    lines += [f"warning: auto_models has {name}, which is no model" for name in assembly.unknown_choices]
    lines.append(f"Providers: {', '.join(named) or 'none found; simulator/* models answer for free'}")
    if first.secret is not None:
        lines.append(f"First API key (shown once, kept in {first.path}): {first.secret}")
    else:
        lines.append(f"First API key: see {first.path}")
    lines += [
        "Try it:",
        f"  curl {base}/v1/chat/completions \\",
        f'    -H "Authorization: Bearer $(cat {first.path})" \\',
        '    -H "Content-Type: application/json" \\',
        '    -d \'{"model": "simulator/auto", "messages": [{"role": "user", "content": "Hello!"}]}\'',
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()
