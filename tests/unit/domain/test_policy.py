"""docs/routing.md lists every number of routing with its default, and whose it is."""

import re
from pathlib import Path
from typing import Any

import msgspec

from llmgateway.domain.policy import SHARED, RoutingPolicy

PAGE = (Path(__file__).parents[3] / "docs" / "routing.md").read_text(encoding="utf-8")
_ROW = re.compile(r"^\| `(\w+)` \| `(\S+)` \| (.+) \| (gateway|project) \|$", re.MULTILINE)


def shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "[]" if value == () else str(value)


def test_the_page_has_every_number_its_default_and_whose_it_is() -> None:
    fields = msgspec.structs.fields(RoutingPolicy)
    expected = [(one.name, shown(one.default), "gateway" if one.name in SHARED else "project") for one in fields]
    assert [(name, default, whose) for name, default, _, whose in _ROW.findall(PAGE)] == expected


def test_every_setting_that_the_page_speaks_of_is_one() -> None:
    """Those in the text, beside the table: in brackets behind a number, or with their unit."""
    spoken = set(re.findall(r"\(`([a-z]+(?:_[a-z0-9]+)+)`(?:, `[a-z_0-9]+`)*[,)]", PAGE))
    assert spoken
    assert spoken <= set(RoutingPolicy.__struct_fields__) | {"chosen_by"}
