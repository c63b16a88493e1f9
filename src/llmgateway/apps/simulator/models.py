"""The model names a simulated provider has, and what each makes it answer. A name says which kind of answer, which
delays and which fault; everything else comes from the request and the x-simulator header. Names nobody lists behave
as `auto`."""

import re
from typing import Literal

import msgspec

from llmgateway.apps.simulator.faults import FAULTS

Answer = Literal[
    "auto", "echo", "lorem", "tools", "parallel-tools", "reasoning", "redacted", "image", "citations", "refusal"
]
DEFAULT_LOREM_TOKENS = 100
MAX_TOKENS = 1_000_000
_PREFIX = re.compile(
    r"(?:simulator/)?(?:models/)?(?:(?:us|us-gov|eu|apac|jp|au|global)\.)?(?:anthropic\.)?"
    r"(?:claude-[a-z]+-\d+-\d+-|gemini-\d+(?:\.\d+)?-[a-z]+-)?"
)
_LOREM = re.compile(r"lorem-(\d{1,7})")


class Preset(msgspec.Struct, frozen=True):
    """What a model name asks for. `known` is False for the names that answer 404."""

    answer: Answer = "auto"
    tokens: int = DEFAULT_LOREM_TOKENS
    first_token_ms: float = 0
    per_token_ms: float = 0
    fault: str | None = None
    known: bool = True


class ModelRow(msgspec.Struct, frozen=True):
    """A row of the table of model names."""

    name: str
    answers: str
    preset: Preset


MODELS: tuple[ModelRow, ...] = (
    ModelRow(
        "auto",
        "What the request asks for: JSON that its schema accepts, else a tool call (the forced one, or the first) "
        "while tools are given, no tool result is there and tool_choice is not none, else a sentence",
        Preset(),
    ),
    ModelRow("echo", "The text of the last user message", Preset("echo")),
    ModelRow("lorem", f"{DEFAULT_LOREM_TOKENS} tokens of filler", Preset("lorem")),
    ModelRow("lorem-N", "N tokens of filler (`lorem-200`)", Preset("lorem", tokens=200)),
    ModelRow("tools", "One tool call; `get_weather` where the request offers no tool", Preset("tools")),
    ModelRow(
        "parallel-tools",
        "A call of each tool (at most 8), of a single one twice; one call when parallel_tool_calls is false",
        Preset("parallel-tools"),
    ),
    ModelRow("reasoning", "Reasoning with a signature, then what `auto` answers", Preset("reasoning")),
    ModelRow("redacted", "As `reasoning`, and further reasoning in encrypted form only", Preset("redacted")),
    ModelRow("image", "A sentence and one PNG image", Preset("image")),
    ModelRow("citations", "A sentence with two url_citation annotations", Preset("citations")),
    ModelRow("refusal", "A refusal instead of content", Preset("refusal")),
    ModelRow(
        "slow",
        "As `auto`: 1,000 ms to the first token, 50 ms between tokens",
        Preset(first_token_ms=1000, per_token_ms=50),
    ),
    ModelRow("fault-NAME", "The fault of that name (`fault-429`), as listed below", Preset()),
    ModelRow("missing-…", "404 model_not_found (`missing-model`)", Preset(known=False)),
)
_BY_NAME = {row.name: row.preset for row in MODELS if row.name.isascii() and row.name.islower()}


def preset_of(model: str) -> Preset:
    """What `model` asks for. A provider's prefix (`simulator/echo`), a region and vendor of Bedrock's and the name of a
    Claude or Gemini model (`us.anthropic.claude-sonnet-4-5-echo`) are no part of the name."""
    name = _PREFIX.sub("", model, count=1)
    if preset := _BY_NAME.get(name):
        return preset
    if match := _LOREM.fullmatch(name):
        return Preset("lorem", tokens=min(int(match[1]), MAX_TOKENS))
    if name.startswith("missing-"):
        return Preset(known=False)
    if name.startswith("fault-") and (fault := FAULTS.get(name.removeprefix("fault-"))):
        return Preset(fault.answer, fault=fault.name)
    return Preset()


def model_names() -> tuple[str, ...]:
    """Names to list: the fixed ones, a filler length as an example, and one per fault."""
    fixed = [row.name for row in MODELS if row.name in _BY_NAME]
    return (*fixed, "lorem-200", *(f"fault-{name}" for name in FAULTS))
