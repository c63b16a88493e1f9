"""Where a mapping is called: from a provider's templates to an origin, paths and headers, or why there is none yet.

Worked out once per snapshot. Knows what `{model}`, `{region}` and a row's own variables stand for, and which of a
provider's endpoints speaks a protocol; leaves keys to whoever writes the request head.
"""

import re
from fnmatch import fnmatchcase
from typing import Final, Literal, cast
from urllib.parse import quote, urlsplit

import msgspec

from llmgateway.domain.routing import Endpoint, Mapping, Origin, Provider
from llmgateway.wire.protocols import PROTOCOLS, Dialect

_NAME: Final = re.compile(r"\{(\w+)\}")
_VISIBLE: Final = re.compile(r"[!-~]+")
_DOTS: Final = re.compile(r"\.+")
_PORTS: Final = {"http": 80, "https": 443}
_DEEP: Final = 4
REGION: Final = "region"


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """One way to reach a mapping. `provider` is the row with what its endpoint changes; `place`: its `{region}`.

    `auth` is never empty; `lacks`: what an offer has here only if it says so.
    """

    provider: Provider
    origin: Origin
    host: str
    path: str
    stream_path: str
    auth: str
    headers: tuple[tuple[str, str], ...]
    place: str
    lacks: frozenset[str]


class UnreachableError(Exception):
    """There is no address. `reason` is the code kept for the log; `unset:NAME` names a variable without a value."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def located(provider: Provider, mapping: Mapping, *, protocol: str, region: str | None, exact: bool) -> Address:
    """The address of a mapping in a protocol. Raises UnreachableError.

    `region`: the one a caller has pinned. `exact`: the caller means this very mapping, so that it is called where its
    own region is; else it is left out when the operator's region is another.
    """
    place = _place(provider, mapping, region=region, exact=exact)
    dialect = PROTOCOLS[protocol]
    failure = UnreachableError(f"endpoint:{protocol}")
    for endpoint in _endpoints(provider, protocol):
        try:
            return _at(provider, endpoint, mapping, place=place, dialect=dialect)
        except UnreachableError as one:
            failure = one
    raise failure


def speaks(provider: Provider, protocol: str) -> bool:
    """Whether the provider has an address for the protocol."""
    return bool(_endpoints(provider, protocol))


def value_of(provider: Provider, name: str) -> str:
    """The value of a row's variable. Raises UnreachableError naming the one that has none."""
    return _expanded(f"{{{name}}}", provider, given={}, depth=0)


def _endpoints(provider: Provider, protocol: str) -> list[Endpoint]:
    own = Endpoint(protocol=provider.protocol, path=provider.path, stream_path=provider.stream_path)
    return [one for one in (*provider.endpoints, own) if one.protocol == protocol]


def _place(provider: Provider, mapping: Mapping, *, region: str | None, exact: bool) -> str:
    """The value of `{region}`: the operator's own where the mapping can be reached from there; "" = not known."""
    own = _own_region(provider)
    wanted = region or next(iter(mapping.regions), None)
    if wanted is None or (region is None and wanted not in provider.locations):
        return own
    allowed = provider.locations.get(wanted, (wanted,))
    if own and any(fnmatchcase(own, pattern) for pattern in allowed):
        return own
    if not exact and region is None:
        raise UnreachableError("region" if own else f"unset:{REGION}")
    return "" if "*" in allowed[0] else allowed[0]


def _own_region(provider: Provider) -> str:
    if REGION not in provider.variables:
        return ""
    try:
        return value_of(provider, REGION)
    except UnreachableError:
        return ""


def row_at(provider: Provider, endpoint: Endpoint) -> Provider:
    """The row as it holds at one of its endpoints."""
    policy, own = provider.parameters, endpoint.protocol == provider.protocol
    return msgspec.structs.replace(
        provider,
        protocol=endpoint.protocol,
        quirks=(*provider.quirks, *endpoint.quirks),
        parameters=msgspec.structs.replace(
            policy,
            force={**policy.force, **endpoint.force},
            takes=(*policy.takes, *endpoint.takes) if own else endpoint.takes,
            types=(*policy.types, *endpoint.types) if own else endpoint.types,
        ),
    )


def _at(provider: Provider, endpoint: Endpoint, mapping: Mapping, *, place: str, dialect: Dialect) -> Address:
    own = endpoint.protocol == provider.protocol
    row = row_at(provider, endpoint)
    given = {"model": _segment(mapping.upstream)} | ({REGION: place} if place else {})
    base = endpoint.base_url or provider.region_urls.get(place) or provider.base_url
    origin, host, prefix = _parsed(_expanded(base, provider, given=given, depth=0), provider)
    path = endpoint.path or dialect.path
    stream_path = endpoint.stream_path or (path if endpoint.path else dialect.stream_path or path)
    headers = {**dialect.headers, **provider.headers, **endpoint.headers}
    return Address(
        provider=row,
        origin=origin,
        host=host,
        path=_joined(prefix, _expanded(path, provider, given=given, depth=0)),
        stream_path=_joined(prefix, _expanded(stream_path, provider, given=given, depth=0)),
        auth=endpoint.auth or provider.auth or dialect.auth,
        headers=tuple((name, _expanded(text, provider, given=given, depth=0)) for name, text in headers.items()),
        place=place,
        lacks=frozenset((*endpoint.lacks, *provider.lacks)) if own else frozenset(endpoint.lacks),
    )


def _parsed(base_url: str, provider: Provider) -> tuple[Origin, str, str]:
    """Origin, `host` header and path."""
    try:
        url = urlsplit(base_url)
        name, port = url.hostname, url.port
    except ValueError:
        raise UnreachableError("address") from None
    if url.scheme not in _PORTS or not name:
        raise UnreachableError("address")
    scheme = cast("Literal['http', 'https']", url.scheme)
    origin = Origin(scheme, name, port or _PORTS[scheme], provider.allow_private_network)
    return origin, url.netloc.rpartition("@")[2], url.path.rstrip("/")


def _joined(prefix: str, path: str) -> str:
    """A base URL may hold the beginning of the path already, as Azure's endpoints with `/openai/v1` do."""
    return path if prefix and path.startswith(f"{prefix}/") else prefix + path


def _segment(name: str) -> str:
    """A model's name as one segment of a path: a name can neither leave its place nor add a query."""
    if _DOTS.fullmatch(name):
        raise UnreachableError("name")
    return quote(name, safe="@")


def _expanded(template: str, provider: Provider, *, given: dict[str, str], depth: int) -> str:
    """The template with its names filled in. Raises UnreachableError naming the first that has no value."""

    def value(found: re.Match[str]) -> str:
        name = found.group(1)
        if name in given:
            return given[name]
        variable = provider.variables.get(name)
        text = "" if variable is None else variable.value
        if not text and variable is not None and variable.default and depth < _DEEP:
            text = _default(variable.default, provider, given=given, depth=depth)
        if not text:
            raise UnreachableError(f"unset:{name}")
        if not _VISIBLE.fullmatch(text):
            raise UnreachableError("address")
        is_host = template[: found.start()].endswith("://")
        return (text.partition("://")[2] or text if is_host else text).rstrip("/")

    return _NAME.sub(value, template)


def _default(template: str, provider: Provider, *, given: dict[str, str], depth: int) -> str:
    """A default that names other variables; "" where one of them has no value."""
    try:
        return _expanded(template, provider, given=given, depth=depth + 1)
    except UnreachableError:
        return ""


def how_to_set(provider: Provider, name: str) -> str:
    """What an operator can do about a variable without a value."""
    names = _variables(provider, name, depth=0)
    places = [f"{' or '.join(names)} in the environment"] if names else []
    return " or ".join([*places, f"{name} in [providers.{provider.id}.variables] of llmgateway.toml"])


def _variables(provider: Provider, name: str, *, depth: int) -> list[str]:
    variable = provider.variables.get(name)
    if variable is None or depth > _DEEP:
        return []
    inner = [one for part in _NAME.findall(variable.default) for one in _variables(provider, part, depth=depth + 1)]
    return [*variable.env, *inner]
