"""Judges settings whose types are right: values that contradict each other, and texts with a form of their own."""

import re
from collections.abc import Mapping
from ipaddress import ip_network
from urllib.parse import urlsplit

import msgspec

from llmgateway.domain.policy import SHARED
from llmgateway.infra.settings.mistakes import Findings, nearest
from llmgateway.infra.settings.model import KeySettings, ModelSettings, ProjectSettings, ProviderSettings, Settings
from llmgateway.infra.settings.positions import Path
from llmgateway.wire.quirks import QUIRKS, complaint

_PROVIDER_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_PROJECT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_AUTH = re.compile(r"bearer|none|aws|google|header:[A-Za-z0-9-]{1,64}")
_PATH = re.compile(r"/[!-~]*")
_HEADER_NAME = re.compile(r"[A-Za-z0-9-]{1,64}")
_HEADER_VALUE = re.compile(r"[!-~](?:[ -~]*[!-~])?")
_VARIABLE_NAME = re.compile(r"\w{1,64}", re.ASCII)
_TAKEN_HEADERS = frozenset(("host", "content-length", "transfer-encoding", "connection", "content-type"))
_KEY = re.compile(r"[!-~]{8,512}")
_REGION = re.compile(r"[A-Za-z0-9._-]{1,64}")


def check(settings: Settings, findings: Findings) -> None:
    """Notes everything in `findings` that types alone cannot see."""
    _server(settings, findings)
    _data(settings, findings)
    for name, provider in settings.providers.items():
        _provider(name, provider, findings)
    for name, project in settings.projects.items():
        _project(name, project, findings)
    _keys(settings.keys, findings)


def _server(settings: Settings, findings: Findings) -> None:
    for index, network in enumerate(settings.server.trusted_proxies):
        try:
            ip_network(network)
        except ValueError as error:
            path: Path = ("server", "trusted_proxies", index)
            findings.add(path, given=f'"{network}" given ({error})', expected="a network such as 10.0.0.0/8")


def _data(settings: Settings, findings: Findings) -> None:
    database = settings.data.database
    if database != "sqlite":
        scheme = database.partition(":")[0]
        given = f"{scheme} is not supported by this version" if "://" in database else "something else given"
        findings.add(("data", "database"), given=given, expected='"sqlite"')
    if settings.data.redis:
        given = "a shared store is not supported by this version"
        findings.add(("data", "redis"), given=given, expected='"" (one process)')


def _provider(name: str, provider: ProviderSettings, findings: Findings) -> None:
    path: Path = ("providers", name)
    if not _PROVIDER_NAME.fullmatch(name):
        findings.add(path, given=f'"{name}" given', expected="a name of lower-case letters, digits, dots, dashes")
    if provider.base_url is not None:
        _base_url(provider.base_url, (*path, "base_url"), findings)
    _way(provider.path, provider.stream_path, provider.auth, path, findings)
    _headers({name: text.value for name, text in (provider.headers or {}).items()}, (*path, "headers"), findings)
    for index, endpoint in enumerate(provider.endpoints or ()):
        place: Path = (*path, "endpoints", index)
        if endpoint.base_url:
            _base_url(endpoint.base_url, (*place, "base_url"), findings)
        _way(endpoint.path, endpoint.stream_path, endpoint.auth, place, findings)
        _headers(endpoint.headers, (*place, "headers"), findings)
        _forced(endpoint.force, (*place, "force"), findings)
    for name, value in provider.variables.items():
        if not _VARIABLE_NAME.fullmatch(name) or not re.fullmatch(r"[!-~]+", value):
            expected = "a name of letters, digits and _, and a value without blanks"
            findings.add((*path, "variables", name), given="something else given", expected=expected)
    _regions(provider.regions or (), (*path, "regions"), findings)
    _weights(provider, path, findings)
    if provider.parameters is not None:
        _forced(provider.parameters.force, (*path, "parameters", "force"), findings)
    for index, quirk in enumerate(provider.quirks):
        wrong = complaint(quirk)
        if wrong is not None:
            near = nearest(quirk.partition("@")[0], among=QUIRKS)
            expected = "a quirk of docs/quirks.md, such as think_tags, or think_tags@pattern"
            findings.add((*path, "quirks", index), given=wrong, expected=expected, suggestion=near)
    seen: set[str] = set()
    for index, model in enumerate(provider.models or ()):
        _model(model, (*path, "models", index), findings)
        if model.id in seen:
            findings.add((*path, "models", index, "id"), given=f'"{model.id}" given twice', expected="each id once")
        seen.add(model.id)


def _weights(provider: ProviderSettings, path: Path, findings: Findings) -> None:
    keys, weights = len(provider.api_keys or ()), len(provider.api_key_weights)
    if weights and weights != keys:
        expected = f"one for each of {keys} api_keys" if keys else "api_keys that they belong to"
        findings.add((*path, "api_key_weights"), given=f"{weights} given", expected=expected)


def _way(path: str | None, stream_path: str | None, auth: str | None, place: Path, findings: Findings) -> None:
    for name, text in (("path", path), ("stream_path", stream_path)):
        if text and not _PATH.fullmatch(text):
            findings.add((*place, name), given=f'"{text}" given', expected="a path that begins with /")
    if auth and not _AUTH.fullmatch(auth):
        expected = "bearer, none, header:<name>, aws or google"
        findings.add((*place, "auth"), given="something else given", expected=expected)


def _headers(headers: Mapping[str, str], place: Path, findings: Findings) -> None:
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name) or name.lower() in _TAKEN_HEADERS or not _HEADER_VALUE.fullmatch(value):
            expected = "a header of one's own with a value in visible ASCII"
            findings.add((*place, name), given="something else given (not shown)", expected=expected)


def _forced(forced: Mapping[str, str], place: Path, findings: Findings) -> None:
    for parameter, text in forced.items():
        try:
            msgspec.json.decode(text)
        except msgspec.DecodeError:
            expected = "a JSON value as text, such as 'true' or '\"high\"'"
            findings.add((*place, parameter), given=f'"{text}" given', expected=expected)


def _base_url(text: str, path: Path, findings: Findings) -> None:
    expected = "http(s)://host[:port][/path] without user, query or fragment"
    try:
        url = urlsplit(text)
        good = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
        good = good and "@" not in url.netloc and not url.query and not url.fragment
    except ValueError:
        good = False
    if not good or not re.fullmatch(r"[!-~]+", text):
        shown = "something with an @ given (not shown)" if "@" in text else f'"{text[:80]}" given'
        findings.add(path, given=shown, expected=expected)


def _model(model: ModelSettings, path: Path, findings: Findings) -> None:
    if not re.fullmatch(r"[!-~]+", model.id):
        findings.add((*path, "id"), given=f'"{model.id}" given', expected="an id without blanks, in ASCII")
    if (model.input_usd_per_mtok is None) != (model.output_usd_per_mtok is None):
        missing = "input" if model.input_usd_per_mtok is None else "output"
        expected = "input and output price together (0 = free, neither = unknown)"
        findings.add((*path, f"{missing}_usd_per_mtok"), given="nothing given", expected=expected)
    elif model.input_usd_per_mtok is None and _other_prices(model):
        expected = "a price, because others are given"
        findings.add((*path, "input_usd_per_mtok"), given="nothing given", expected=expected)
    for name in sorted({*model.capabilities} & {*model.lacks}):
        findings.add((*path, "lacks"), given=f"{name} given", expected="a capability that is not in capabilities too")
    limits = [tier.above_tokens for tier in model.tiers]
    if limits != sorted(set(limits)):
        findings.add((*path, "tiers"), given=f"{limits} given", expected="tiers that ascend by above_tokens")
    _regions(model.regions, (*path, "regions"), findings)


def _other_prices(model: ModelSettings) -> bool:
    names = [name for name in model.__struct_fields__ if "_usd" in name]
    return bool(model.tiers) or any(getattr(model, name) is not None for name in names)


def _regions(regions: tuple[str, ...], path: Path, findings: Findings) -> None:
    for index, region in enumerate(regions):
        if not _REGION.fullmatch(region):
            findings.add((*path, index), given=f'"{region}" given', expected="a region name without blanks or colons")


def _project(name: str, project: ProjectSettings, findings: Findings) -> None:
    path: Path = ("projects", name)
    if not _PROJECT_NAME.fullmatch(name):
        findings.add(path, given=f'"{name}" given', expected="letters, digits, . _ or -")
    for field, value in msgspec.structs.asdict(project.routing).items():
        if field in SHARED and value is not None:
            expected = f"routing.{field} alone, since projects share what it limits"
            findings.add((*path, "routing", field), given="a number of its own given", expected=expected)


def _keys(keys: tuple[KeySettings, ...], findings: Findings) -> None:
    names: set[str] = set()
    secrets: set[str] = set()
    for index, key in enumerate(keys):
        path: Path = ("keys", index)
        if key.name in names:
            findings.add((*path, "name"), given=f'"{key.name}" given twice', expected="each name once")
        if key.key.value in secrets:
            findings.add((*path, "key"), given="the key of another entry given", expected="each key once")
        elif not _KEY.fullmatch(key.key.value):
            expected = "8 to 512 visible ASCII characters without blanks"
            findings.add((*path, "key"), given="another text given (not shown)", expected=expected)
        if not _PROJECT_NAME.fullmatch(key.project):
            findings.add((*path, "project"), given=f'"{key.project}" given', expected="letters, digits, . _ or -")
        names.add(key.name)
        secrets.add(key.key.value)
