"""The commands and their options. What a command does beyond its options is in the module it imports.

Cyclopts makes the help from signatures and docstrings.
"""

import os
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from llmgateway import __version__
from llmgateway.apps.cli.expiry import expiry

ConfigFile = Annotated[
    Path | None, Parameter(help="Configuration file [LLMGATEWAY_CONFIG, else llmgateway.toml if there is one].")
]
DataDir = Annotated[Path | None, Parameter(help="Data directory, instead of data.dir.")]
Json = Annotated[bool, Parameter(name="--json", negative="", show_default=False, help="Print JSON.")]


def _expiry_reads(_: object, text: object) -> None:
    if isinstance(text, str):
        expiry(text)


Expires = Annotated[
    str | None,
    Parameter(
        validator=_expiry_reads,
        help="When it ends: a span such as 12h, 30d or 4w, or a date such as 2030-01-31 (UTC).",
    ),
]

app = App(
    name="llmgateway",
    help="One OpenAI-compatible endpoint in front of every LLM provider.",
    version=__version__,
    help_format="plaintext",
)
keys = App(name="keys", help="API keys of this gateway, kept in its database.")
config = App(name="config", help="The configuration file.")
app.command(keys)
app.command(config)


@app.command
def serve(
    *,
    config: ConfigFile = None,
    host: Annotated[str | None, Parameter(help="Address to listen on, instead of server.host.")] = None,
    port: Annotated[int | None, Parameter(help="Port, instead of server.port; 0 takes a free one.")] = None,
    workers: Annotated[int | None, Parameter(help="Processes, instead of server.workers.")] = None,
    data_dir: DataDir = None,
) -> int:
    """Run the gateway."""
    from llmgateway.apps import compose  # noqa: PLC0415 - the whole gateway, which no other command needs
    from llmgateway.infra.settings import config_path  # noqa: PLC0415 - as above

    path = config_path(config, environ=os.environ)
    return compose.run(config=path, host=host, port=port, workers=workers, data_dir=data_dir)


@app.command
def simulate(
    *,
    host: Annotated[str, Parameter(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, Parameter(help="Port; 0 takes a free one.")] = 4010,
) -> int:
    """Run simulated providers, for tests and demonstrations."""
    from llmgateway.apps.cli.simulating import simulate  # noqa: PLC0415 - brings a server

    return simulate(host=host, port=port)


@app.command
def models(pattern: str = "", /, *, json: Json = False) -> int:
    """List the shipped catalogue: models, who offers them, prices, limits and capabilities.

    Parameters
    ----------
    pattern
        Part of a name, or a pattern with * and ?: claude, openai/*, *-mini.
    """
    from llmgateway.apps.cli.catalogue import list_models  # noqa: PLC0415 - loads the catalogue

    return list_models(pattern, as_json=json)


@keys.command(name="create")
def keys_create(
    name: str,
    /,
    *,
    project: Annotated[str, Parameter(help="Project it belongs to; made if there is none of that name.")] = "default",
    expires: Expires = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> int:
    """Make an API key and print it, this once.

    Parameters
    ----------
    name
        What to call it.
    """
    from llmgateway.apps.cli import keyring  # noqa: PLC0415 - opens the database

    return keyring.create(
        name,
        project=project,
        expires_at=None if expires is None else expiry(expires),
        where=keyring.Where(config, data_dir),
        as_json=json,
    )


@keys.command(name="list")
def keys_list(*, config: ConfigFile = None, data_dir: DataDir = None, json: Json = False) -> int:
    """List API keys, those of the configuration file too; secrets are not shown."""
    from llmgateway.apps.cli import keyring  # noqa: PLC0415 - opens the database

    return keyring.show(where=keyring.Where(config, data_dir), as_json=json)


@keys.command(name="disable")
def keys_disable(key_id: str, /, *, config: ConfigFile = None, data_dir: DataDir = None, json: Json = False) -> int:
    """Refuse an API key from now on; running gateways do so within a second.

    Parameters
    ----------
    key_id
        Its id, as `llmgateway keys list` shows it.
    """
    from llmgateway.apps.cli import keyring  # noqa: PLC0415 - opens the database

    return keyring.disable(key_id, where=keyring.Where(config, data_dir), as_json=json)


@keys.command(name="roll")
def keys_roll(key_id: str, /, *, config: ConfigFile = None, data_dir: DataDir = None, json: Json = False) -> int:
    """Give an API key a new secret and print it, this once; the old one is refused from now on.

    Parameters
    ----------
    key_id
        Its id, as `llmgateway keys list` shows it.
    """
    from llmgateway.apps.cli import keyring  # noqa: PLC0415 - opens the database

    return keyring.roll(key_id, where=keyring.Where(config, data_dir), as_json=json)


@config.command(name="check")
def config_check(file: Path | None = None, /, *, json: Json = False) -> int:
    """Check a configuration with the present environment: says file, line and field of each mistake.

    Parameters
    ----------
    file
        The file [LLMGATEWAY_CONFIG, else llmgateway.toml if there is one].
    """
    from llmgateway.apps.cli.checking import check  # noqa: PLC0415 - loads the catalogue

    return check(file, as_json=json)
