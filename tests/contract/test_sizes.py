"""Small on purpose: the limits that keep every file and function readable in one go."""

import ast
import re
from typing import TypeGuard

import pytest

from tests.contract.tree import FunctionNode, files, functions, named, parsed, python_files

FILE_LINES = 400
FUNCTION_LINES = 40
TABLE_ROWS = 20
VAGUE_NAMES = {"util", "helper", "common", "manager", "handler", "misc", "stuff", "base"}


def test_no_python_file_is_longer_than_400_lines() -> None:
    lengths = {named(path): len(path.read_text(encoding="utf-8").splitlines()) for path in python_files()}
    assert {name: length for name, length in lengths.items() if length > FILE_LINES} == {}


def test_no_function_is_longer_than_40_lines() -> None:
    """Counted: signature and body with its comments, without decorators and docstring; a table counts as one line."""
    too_long = {
        f"{named(path)}:{node.lineno} {node.name}": length(node)
        for path in python_files()
        for node in functions(parsed(path))
        if length(node) > FUNCTION_LINES
    }
    assert too_long == {}


def test_modules_are_named_after_things_of_the_field() -> None:
    """A vague name is where unrelated code gathers."""
    vague = [
        named(path)
        for path in files()
        for part in path.with_suffix("").parts[-3:]
        if part.lower().removesuffix("s") in VAGUE_NAMES or set(part.lower().rstrip("s").split("_")) & VAGUE_NAMES
    ]
    assert vague == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("def f():\n    return 1\n", 2),
        ('def f():\n    """One\n    two."""\n    return 1\n', 2),
        ("@cache\n@other\nasync def f(\n    a,\n):\n    return a\n", 4),
        ("def f(): ...\n", 1),
        ("def f():\n    return Row(\n" + "".join(f"        c{n}={n},\n" for n in range(21)) + "    )\n", 2),
    ],
)
def test_length_counts_signature_and_body_only(source: str, expected: int) -> None:
    assert length(next(functions(ast.parse(source)))) == expected


def length(node: FunctionNode) -> int:
    total = span(node)
    first = node.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        total -= span(first)
    return total - sum(span(table) - 1 for table in ast.walk(node) if is_table(table))


def span(node: ast.expr | ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def is_table(node: ast.AST) -> TypeGuard[ast.Call]:
    """A row filled in by name, column after column."""
    return isinstance(node, ast.Call) and len(node.args) + len(node.keywords) > TABLE_ROWS


_OPT_OUT = re.compile(
    r"#\s*(?:noqa|type:\s*ignore|pyright:\s*ignore)(?P<rules>[:\[]\s*[\w, \]-]*?(?:\d|\]))?(?P<rest>.*)$"
)


def test_every_lint_opt_out_names_its_rule_and_its_reason() -> None:
    """`# noqa: S608  # the column names are ours` is fine, a bare `# noqa: S608` is not."""
    bare = [
        f"{named(path)}:{number}"
        for path in python_files()
        if path.name != "test_sizes.py"
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if (found := _OPT_OUT.search(line)) and not (found["rules"] and re.search(r"\w+ \w+", found["rest"]))
    ]
    assert bare == []


def test_nothing_is_left_for_later() -> None:
    marker = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "X" + "XX"]) + r")\b")
    found = [
        f"{named(path)}:{number}"
        for path in python_files()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if marker.search(line)
    ]
    assert found == []
