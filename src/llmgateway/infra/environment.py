"""What the environment says of a provider: its keys under the vendor's names, and the values its addresses need."""

import re
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from llmgateway.domain.routing import Provider, Variable
from llmgateway.engine.address import UnreachableError, value_of
from llmgateway.infra.gcp import account_of
from llmgateway.infra.settings import Secret
from llmgateway.wire.protocols import PROTOCOLS
from llmgateway.wire.sign import signing

_NAME: Final = re.compile(r"\{(\w+)\}")
PROJECT: Final = "project"
_NOT_VARIABLES: Final = frozenset(("model",))


def parts_of(env: str) -> list[str]:
    """The variables of an entry of `Provider.env`: `A:B:C?` is a key of three parts, the last of which may be unset."""
    return [part.removesuffix("?") for part in env.split(":")]


def provider_keys(
    row: Provider, given: Iterable[Secret] | None, *, environ: Mapping[str, str]
) -> list[tuple[str, str]]:
    """Keys with where they come from: the configuration's, else those of the first variable that is set."""
    if given is not None:
        return [(key.value, f"providers.{row.id}.api_keys") for key in given]
    for entry in row.env:
        key = _joined(entry, environ)
        if not key:
            continue
        whole = ":" in entry or row.auth == "google" or key.startswith("{")
        keys = [key] if whole else [part.strip() for part in key.split(",")]
        return [(one, parts_of(entry)[0]) for one in keys if one]
    return []


def _joined(entry: str, environ: Mapping[str, str]) -> str:
    found: list[str] = []
    for part in entry.split(":"):
        text = environ.get(part.removesuffix("?"), "").strip()
        if text:
            found.append(text)
        elif not part.endswith("?"):
            return ""
    return ":".join(found)


def with_values(row: Provider, given: Mapping[str, str], *, environ: Mapping[str, str]) -> Provider:
    """The row with the values of its variables: the configuration's, else those of the first variable that is set."""
    if not given and not row.variables:
        return row
    variables: dict[str, Variable] = {}
    for name in [*row.variables, *[name for name in given if name not in row.variables]]:
        variable = row.variables.get(name, Variable())
        set_ones = [environ[one].strip() for one in variable.env if environ.get(one, "").strip()]
        value = given.get(name) or (set_ones[0] if set_ones else "")
        variables[name] = msgspec.structs.replace(variable, value=value)
    return msgspec.structs.replace(row, variables=variables)


def of_account(row: Provider, keys: list[str]) -> tuple[Provider, list[str]]:
    """The row with the project of its service account, where none is set; and what is wrong with the account."""
    if not keys or not signing(row.auth, secret=keys[0]) or row.auth != "google":
        return row, []
    try:
        account = account_of(keys[0])
    except (OSError, ValueError):
        wanted = f"{' or '.join(row.env)} or api_keys" if row.env else "api_keys"
        return row, [f"the key of provider {row.id} is no service account: {wanted} is its JSON or the path of a file"]
    project = account.get("project_id")
    variable = row.variables.get(PROJECT)
    if variable is None or variable.value or not isinstance(project, str):
        return row, []
    variables = {**row.variables, PROJECT: msgspec.structs.replace(variable, value=project)}
    return msgspec.structs.replace(row, variables=variables), []


def unset_variables(row: Provider) -> tuple[str, ...]:
    """The names in the row's own address that have no value: it cannot be called before they have."""
    dialect = PROTOCOLS.get(row.protocol)
    own_path = row.path or (dialect.path if dialect is not None else "")
    missing: list[str] = []
    for name in dict.fromkeys(_NAME.findall(row.base_url + own_path)):
        if name not in _NOT_VARIABLES:
            try:
                value_of(row, name)
            except UnreachableError:
                missing.append(name)
    return tuple(missing)
