"""`llmgateway config check`: everything a start would complain about, without starting anything."""

import os
import sys
from pathlib import Path

from llmgateway.apps.cli.output import write_json, write_line
from llmgateway.catalog import lookup
from llmgateway.infra.operator import OperatorRows, operator_rows
from llmgateway.infra.settings import Settings, SettingsError, config_path, load


def check(file: Path | None, *, as_json: bool) -> int:
    """Status 0 when the gateway would start with this configuration and the present environment."""
    path = config_path(file, environ=os.environ)
    try:
        settings = load(path, environ=os.environ)
        rows = _rows(settings)
    except SettingsError as error:
        if as_json:
            write_json({"ok": False, "file": _text(path), "mistakes": error.mistakes, "warnings": []})
        else:
            sys.stderr.write(f"{error}\n")
        return 1
    if as_json:
        write_json({"ok": True, "file": _text(path), "mistakes": [], "warnings": rows.warnings})
        return 0
    for warning in rows.warnings:
        write_line(f"warning: {warning}")
    subject = "no file, environment only" if path is None else str(path)
    called = sorted({credential.provider for credential in rows.credentials})
    write_line(f"{subject}: good; providers with a key or a local address: {', '.join(called) or 'none'}")
    return 0


def _rows(settings: Settings) -> OperatorRows:
    """The rows a start would make; fingerprints are not looked at here."""
    return operator_rows(
        settings, environ=os.environ, catalog_providers=lookup.load().providers, fingerprint=lambda _: ""
    )


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
