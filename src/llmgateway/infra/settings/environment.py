"""Which setting an environment variable stands for: `LLMGATEWAY_<SECTION>_<FIELD>`.

Variables of other sections are left alone: applications keep things like LLMGATEWAY_API_KEY beside ours.
"""

import re
from collections.abc import Mapping

import msgspec

from llmgateway.infra.settings.convert import EnvText
from llmgateway.infra.settings.mistakes import Mistake, nearest
from llmgateway.infra.settings.model import DataSettings, ProviderSettings, RoutingPolicy, ServerSettings
from llmgateway.infra.settings.positions import Path

PREFIX = "LLMGATEWAY_"
_SECTIONS: dict[str, type[msgspec.Struct]] = {
    "server": ServerSettings,
    "data": DataSettings,
    "routing": RoutingPolicy,
}
_PROVIDER_FIELDS = ProviderSettings.__struct_fields__
_PROJECT_FIELDS = tuple([f"routing_{field}" for field in RoutingPolicy.__struct_fields__])


def variable_part(name: str) -> str:
    """How a provider or a project is spelt in a variable: `my-vllm` → `MY_VLLM`."""
    return re.sub(r"[^A-Z0-9]", "_", name.upper())


def overlay(
    environ: Mapping[str, str], *, providers: list[str], projects: list[str]
) -> tuple[dict[Path, EnvText], dict[Path, str], list[Mistake]]:
    """Values by setting path, the variable each came from, and variables that name no setting.

    `providers` and `projects` are the names in the file; one that only the environment knows is spelt in lower case
    with dashes: `LLMGATEWAY_PROVIDERS_MY_VLLM_BASE_URL` → `my-vllm`. An empty variable counts as unset.
    """
    names = {
        "providers": {variable_part(name): name for name in providers},
        "projects": {variable_part(name): name for name in projects},
    }
    values: dict[Path, EnvText] = {}
    variables: dict[Path, str] = {}
    mistakes: list[Mistake] = []
    for variable, text in sorted(environ.items()):
        if not text:
            continue
        section, _, rest = variable.removeprefix(PREFIX).lower().partition("_")
        if not variable.startswith(PREFIX) or section not in {*_SECTIONS, *names, "keys"}:
            continue
        path = _path(section, rest, names)
        if isinstance(path, Mistake):
            mistakes.append(path)
            continue
        values[path] = EnvText(text, shown=f"${variable}")
        variables[path] = variable
    return values, variables, mistakes


def _path(section: str, rest: str, names: dict[str, dict[str, str]]) -> Path | Mistake:
    if section == "keys":
        return ("keys",) if not rest else _unknown(f"KEYS_{rest.upper()}", expected="LLMGATEWAY_KEYS", near=None)
    if section == "providers":
        return _named_path(section, rest, names[section], _PROVIDER_FIELDS)
    if section == "projects":
        path = _named_path(section, rest, names[section], _PROJECT_FIELDS)
        return path if isinstance(path, Mistake) else (*path[:-1], *str(path[-1]).split("_", 1))
    fields = _SECTIONS[section].__struct_fields__
    if rest in fields:
        return (section, rest)
    near = nearest(rest, among=fields)
    variable = None if near is None else f"{PREFIX}{section.upper()}_{near.upper()}"
    return _unknown(f"{section}_{rest}", expected=f"a field of [{section}]", near=variable)


def _named_path(section: str, rest: str, names: dict[str, str], fields: tuple[str, ...]) -> Path | Mistake:
    for field in sorted(fields, key=len, reverse=True):
        spelt = rest.removesuffix(f"_{field}")
        if spelt != rest and spelt:
            return (section, names.get(spelt.upper(), spelt.replace("_", "-")), field)
    near: str | None = None
    words = rest.split("_")
    for place in range(1, len(words)):
        field = nearest("_".join(words[place:]), among=fields)
        if field is not None:
            near = f"{PREFIX}{section.upper()}_{'_'.join(words[:place]).upper()}_{field.upper()}"
            break
    form = "<NAME>_<FIELD>" if section == "providers" else "<NAME>_ROUTING_<FIELD>"
    return _unknown(f"{section}_{rest}", expected=f"{PREFIX}{section.upper()}_{form}", near=near)


def _unknown(rest: str, *, expected: str, near: str | None) -> Mistake:
    variable = PREFIX + rest.upper()
    return Mistake(
        file=f"environment variable {variable}",
        line=None,
        path="",
        given="names no setting",
        expected=expected,
        suggestion=near,
    )
