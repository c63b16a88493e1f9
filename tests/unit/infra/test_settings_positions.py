"""The scanner that finds the line of a setting, checked against TOML's awkward spellings."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgateway.infra.settings.positions import Sources, line_numbers, show

AWKWARD = '''\
# a comment with = and [brackets]
top = """
first ]
[not.a.table]
x = 1
quote at the end""""
[server]            # comment
port = 4000
"quoted.key" = 'literal # not a comment'

[providers."my.vllm"]
timeout_s = { connect = 5, "first_byte" = 6 }
regions = [
  "a",   # ] in a comment
  """b
  c""",
  'd',
]
parameters.rename.max_tokens = "max_completion_tokens"
[[providers."my.vllm".models]]
id = "one\\"]"
[[providers."my.vllm".models]]

id = "two"
tiers = [
  { above_tokens = 1 },
  { above_tokens = 2 }, ]
  [providers."my.vllm".models.extra]
  deep = 1979-05-27 07:32:00
[[keys]]
name = "k"
[[keys]]
name = "l"'''


def paths_of(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    found = [path] if path else []
    if isinstance(value, dict):
        for key, inner in value.items():
            found += paths_of(inner, (*path, key))
    if isinstance(value, list):
        for index, inner in enumerate(value):
            found += paths_of(inner, (*path, index))
    return found


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("top",), 2),
        (("server",), 7),
        (("server", "port"), 8),
        (("server", "quoted.key"), 9),
        (("providers", "my.vllm"), 11),
        (("providers", "my.vllm", "timeout_s", "first_byte"), 12),
        (("providers", "my.vllm", "regions", 0), 14),
        (("providers", "my.vllm", "regions", 1), 15),
        (("providers", "my.vllm", "regions", 2), 17),
        (("providers", "my.vllm", "parameters", "rename", "max_tokens"), 19),
        (("providers", "my.vllm", "models", 0, "id"), 21),
        (("providers", "my.vllm", "models", 1, "id"), 24),
        (("providers", "my.vllm", "models", 1, "tiers", 1, "above_tokens"), 27),
        (("providers", "my.vllm", "models", 1, "extra", "deep"), 29),
        (("keys", 0, "name"), 31),
        (("keys", 1), 32),
        (("keys", 1, "name"), 33),
    ],
)
def test_the_line_of_a_setting_is_where_an_editor_shows_it(path: tuple[str | int, ...], line: int) -> None:
    assert line_numbers(AWKWARD)[path] == line


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_every_path_that_tomllib_sees_has_a_line(ending: str) -> None:
    text = AWKWARD.replace("\n", ending)
    lines = line_numbers(text)
    for path in paths_of(tomllib.loads(text)):
        assert path in lines, path


WORD = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=6)
SPELT = st.sampled_from(["basic", "literal", "long"])


@given(st.lists(st.tuples(WORD, WORD, SPELT, st.integers(0, 2)), max_size=8, unique_by=lambda entry: entry[0]))
def test_any_key_and_text_is_found_on_its_own_line(entries: list[tuple[str, str, str, int]]) -> None:
    text, expected = "", {}
    for key, value, spelt, blank in entries:
        quoted = '"' + "".join(f"\\U{ord(character):08x}" for character in key) + '"'
        plain = value.replace("'", "").replace("\\", "").replace('"', "")
        body = {"basic": f'"{plain}"', "literal": f"'{plain}'", "long": f'"""{plain}\n{plain}"""'}[spelt]
        text += "\n" * blank + "# note\n"
        expected[key] = text.count("\n") + 1
        text += f"{quoted} = {body}\n"
    tomllib.loads(text)
    lines = line_numbers(text)
    assert {key: lines[(key,)] for key in expected} == expected


def test_a_setting_that_is_not_in_the_file_is_placed_at_what_surrounds_it() -> None:
    sources = Sources(
        file="f.toml", text="a = 1\n[server]\nport = 1\n", variables={("data", "dir"): "LLMGATEWAY_DATA_DIR"}
    )
    assert sources.locate(("server", "prot")) == ("f.toml", 2)
    assert sources.locate(("keys", 0)) == ("f.toml", None)
    assert sources.locate(("data", "dir")) == ("environment variable LLMGATEWAY_DATA_DIR", None)


def test_paths_are_shown_as_they_would_be_written() -> None:
    assert show(("keys", 0, "name")) == "keys[0].name"
