"""The wiring of one serving process: which implementation stands behind each port, in the order of their making.

`start` opens data directory, database, journal and transport and builds the first snapshot; `reload` swaps the
snapshot; `stop` drains and closes in reverse order. What each part does is its own module's word.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from msgspec import Raw

from llmgateway.apps.edge.front import Front, Limits
from llmgateway.apps.edge.mishap import note
from llmgateway.apps.edge.openapi import document
from llmgateway.apps.edge.pages import Pages
from llmgateway.apps.edge.patrol import Patrol
from llmgateway.apps.simulator.inprocess import (
    HOST,
    PROVIDER_ID,
    SimulatorTransport,
    simulator_models,
    simulator_provider,
)
from llmgateway.catalog.lookup import load as load_catalog
from llmgateway.control.keys import FirstKey, ensure_first_key
from llmgateway.domain.identity import ApiKey
from llmgateway.domain.routing import Credential, HttpRequest, Timeouts
from llmgateway.domain.usage import decimal_usd
from llmgateway.engine.meters import Meters
from llmgateway.engine.pipeline import Gateway
from llmgateway.engine.ports import UpstreamResponse
from llmgateway.engine.snapshot import Snapshot
from llmgateway.infra.db.directory import directory_version, key_usage, load_keys
from llmgateway.infra.db.engine import Database, DatabaseError, connect, open_database
from llmgateway.infra.db.migrations import upgrade
from llmgateway.infra.db.sink import Sink
from llmgateway.infra.fetch import GuardedFetcher
from llmgateway.infra.journal import FileJournal, JournalSettings
from llmgateway.infra.operator import OperatorRows, operator_rows, static_keys, with_routing
from llmgateway.infra.secrets import fingerprinter, installation_secret, open_data_directory
from llmgateway.infra.settings import Settings, SettingsError, load
from llmgateway.infra.signing import Signing
from llmgateway.infra.transport import Dialer, HttpTransport
from llmgateway.wire.openai_chat.known import Known
from llmgateway.wire.protocols import codecs
from llmgateway.wire.upstream import Upstream

_log = logging.getLogger("llmgateway")
_POLL_S: Final = 0.5
_MIB: Final = 1024 * 1024


class Switch:
    """The Transport port over two: requests to the simulator's host stay in the process."""

    def __init__(self, http: HttpTransport, simulator: SimulatorTransport) -> None:
        self._http = http
        self._simulator = simulator

    def send(self, request: HttpRequest, *, timeouts: Timeouts, total_s: float) -> Awaitable[UpstreamResponse]:
        """Hands on the chosen one's awaitable: a coroutine of its own would cost every request one more."""
        if request.origin.host == HOST:
            return self._simulator.send(request, timeouts=timeouts, total_s=total_s)
        return self._http.send(request, timeouts=timeouts, total_s=total_s)

    async def close(self) -> None:
        await self._http.close()


class Assembly:
    """One process. `config`: the TOML file, read again at each reload."""

    def __init__(self, settings: Settings, *, config: Path | None, environ: Mapping[str, str]) -> None:
        self.settings = settings
        self._config = config
        self._environ = environ
        self._codecs: dict[str, Upstream] = codecs()
        self._catalog = load_catalog()
        self.data_dir = open_data_directory(Path(settings.data.dir))
        self._fingerprint = fingerprinter(installation_secret(self.data_dir))
        self._database: Database = open_database(self.data_dir)
        upgrade(self._database)
        self.first_key: FirstKey = ensure_first_key(self._database, data_dir=self.data_dir)
        self._stored_keys: tuple[ApiKey, ...] = load_keys(self._database)
        self._version = directory_version(self._database)
        self.operator: OperatorRows = self._operator_rows(settings)
        self.meters = Meters()
        self._snapshot = self._build()
        self._poller: asyncio.Task[None] | None = None
        self._render: Callable[[], bytes] | None = None

    def start(self) -> None:
        """Opens what belongs to the running loop."""
        journal_dir = self.data_dir / "journal"
        journal_settings = JournalSettings(unrecorded=self.settings.data.unrecorded)
        self.journal = FileJournal(journal_dir, settings=journal_settings)
        path = self._database.path
        self.sink = Sink(journal_dir, lambda: connect(path), live=lambda: self.journal.path)
        self.sink.start()
        dialer = Dialer()
        self._http = HttpTransport(dialer=dialer)
        self.gateway = Gateway(
            snapshot=self._snapshot,
            codecs=self._codecs,
            transport=Switch(self._http, SimulatorTransport()),
            signer=Signing(self._http),
            fetcher=GuardedFetcher(allow_private_network=self.settings.server.allow_private_fetch, dialer=dialer),
            journal=self.journal,
            meters=self.meters,
            report=lambda log_id, error: note(f"exchange {log_id}", error),
            known=Known(max_bytes=self.settings.server.conversation_memory_mb * _MIB),
        )
        pages = Pages(
            self.gateway, key_page=self._key_page, readiness=self._readiness, metrics=self._metrics, openapi=document
        )
        self.front = Front(gateway=self.gateway, limits=_limits(self.settings), routes=pages.routes())
        self.patrol = Patrol(self.front.limits)
        loop = asyncio.get_running_loop()
        loop.run_in_executor(None, dialer.tls_context)
        self._poller = loop.create_task(self._poll())

    def release(self) -> None:
        """Lets go of what must not be shared with forked workers."""
        self._database.close()

    def reload(self) -> None:
        """Reads the configuration again; a bad one keeps what is there."""
        try:
            settings = load(self._config, environ=self._environ)
            operator = self._operator_rows(settings)
        except SettingsError as error:
            _log.error("configuration not reloaded: %s", error)
            return
        self.settings, self.operator = settings, operator
        self._swap()
        _log.info("configuration reloaded")

    async def stop(self) -> None:
        if self._poller is not None:
            self._poller.cancel()
        self.patrol.close()
        await self._http.close()
        await self.journal.close()
        await asyncio.get_running_loop().run_in_executor(None, lambda: self.sink.stop(drain=True))
        self._database.close()

    @property
    def idle_projects(self) -> list[str]:
        """Projects with settings but without a key: perhaps made later, perhaps misspelt."""
        used = {key.project.name for key in self._snapshot.keys.values()}
        return sorted(self.settings.projects.keys() - used)

    @property
    def unknown_choices(self) -> list[str]:
        """Models that `auto` is to choose from and that do not exist: perhaps misspelt."""
        policies = [self._snapshot.policy, *[key.project.routing for key in self._snapshot.keys.values()]]
        named = {name for policy in policies if policy is not None for name in policy.auto_models}
        return sorted(name for name in named if self._snapshot.route(name) is None)

    def _operator_rows(self, settings: Settings) -> OperatorRows:
        return operator_rows(
            settings, environ=self._environ, catalog_providers=self._catalog.providers, fingerprint=self._fingerprint
        )

    def _build(self) -> Snapshot:
        """The simulator is always there, under its own name, and never competes for another."""
        rows = self.operator
        simulated = Credential(provider=PROVIDER_ID, secret="", fingerprint=self._fingerprint(PROVIDER_ID))
        return Snapshot(
            catalog=self._catalog.merged((*rows.providers, simulator_provider()), (*rows.models, *simulator_models())),
            keys=with_routing((*self._stored_keys, *static_keys(self.settings)), self.settings),
            credentials=(*rows.credentials, simulated),
            protocols=frozenset(self._codecs),
            instance_id=self._fingerprint("instance"),
            today=datetime.now(UTC).date(),
            policy=self.settings.routing,
        )

    def _swap(self) -> None:
        self._snapshot = self.gateway.snapshot = self._build()
        self.gateway.health.policy = self._snapshot.policy

    async def _poll(self) -> None:
        """Changes of keys made by other processes take effect within a second, and so does a new day."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_POLL_S)
            try:
                version = await loop.run_in_executor(None, directory_version, self._database)
                if version != self._version or self._snapshot.today != datetime.now(UTC).date():
                    self._stored_keys = await loop.run_in_executor(None, load_keys, self._database)
                    self._version = version
                    self._swap()
            except DatabaseError as error:
                _log.warning("keys not refreshed: %s", error)

    async def _key_page(self, key: ApiKey) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        usage = await loop.run_in_executor(None, key_usage, self._database, key.id)
        return {
            "id": key.id,
            "name": key.name,
            "project": key.project.name,
            "limit": None,
            "usage": {
                "requests": usage.requests,
                "prompt_tokens": usage.prompt_tokens,
                "completion_tokens": usage.completion_tokens,
                "total_tokens": usage.total_tokens,
                "cost_usd": Raw(decimal_usd(usage.cost_picousd).encode()),
            },
        }

    def _readiness(self) -> tuple[list[str], bool]:
        complaints: list[str] = []
        if self.journal.degraded:
            complaints.append("journal: records wait in memory")
        sink = self.sink.stats()
        if sink.last_error is not None and sink.lag_s > 1:
            complaints.append("database: records wait in the journal")
        return complaints, self.journal.accepting

    def _metrics(self) -> bytes:
        from llmgateway.infra.telemetry import renderer  # noqa: PLC0415 - only a process that is scraped pays for it

        if self._render is None:
            self._render = renderer(self.meters, gauges=self._gauges, health=self.gateway.health)
        return self._render()

    def _gauges(self) -> dict[str, float]:
        journal, sink = self.journal.stats(), self.sink.stats()
        pools = self._http.stats().values()
        return {
            "journal_records": journal.records,
            "journal_write_errors": journal.write_errors,
            "journal_queued_records": journal.queued,
            "journal_dropped_records": journal.dropped,
            "sink_lag_bytes": sink.lag_bytes,
            "sink_lag_seconds": sink.lag_s,
            "sink_errors": sink.errors,
            "sink_bad_lines": sink.bad_lines,
            "upstream_connections_open": sum(pool.open for pool in pools),
            "upstream_connections_idle": sum(pool.idle for pool in pools),
            "buffered_body_bytes": self.front.buffered_bytes,
            "tasks": len(asyncio.all_tasks()),
        }


def _limits(settings: Settings) -> Limits:
    server = settings.server
    return Limits(
        max_body_bytes=server.max_body_mb * _MIB,
        max_in_flight=server.max_in_flight,
        max_header_bytes=server.max_header_bytes,
        max_headers=server.max_headers,
        max_uri_bytes=server.max_uri_bytes,
        header_timeout_s=server.header_timeout_s,
        body_timeout_s=server.body_timeout_s,
        idle_timeout_s=server.idle_timeout_s,
        keep_alive_s=server.keep_alive_s,
        trusted_proxies=server.trusted_proxies,
    )
