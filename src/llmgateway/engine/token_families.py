"""What each family of models makes of a prompt: figures fitted on recorded traffic, a table and no code.

`python -m tests.wire.token_errors --fit` fits them anew; docs/tokens.md says how far off they are. Set by hand: the row
of what is not known, what Llama makes of tools, base and text of the newest Claude models (by their answers too,
since few of the prompts are long), and the rough figures of pictures, files and sound.
"""

from typing import Final

import msgspec

from llmgateway.engine.pictures import Picture


class Media(msgspec.Struct, frozen=True):
    """A picture is `per_megapixel` tokens, within `least` and `most`; `file` and `audio` are for each part."""

    per_megapixel: float = 1000
    least: float = 85
    most: float = 1600
    file: int = 500
    audio: int = 200

    def picture(self, one: Picture) -> float:
        """One whose size is not known counts as a megapixel."""
        if one.low:
            return self.least
        pixels = one.width * one.height or 1_000_000
        return min(max(self.per_megapixel * pixels / 1_000_000, self.least), self.most)


class Family(msgspec.Struct, frozen=True):
    """`pattern`: found in `provider/model protocol`, by our or the provider's name; the first that fits.

    Tokens: `base` for a prompt, `message` for each message, `tools` if there are any, `tool` for each, `call` for each
    call in the history, `thinking` if an effort is asked for, `shape` if a JSON schema is. Factors: of `text`, of tool
    `schema`, of answer `format`; `hidden` for each byte of reasoning that only the provider can read.
    """

    name: str
    pattern: str
    base: float = 0
    message: float = 0
    text: float = 1
    tools: float = 0
    tool: float = 0
    schema: float = 0
    call: float = 0
    thinking: float = 0
    shape: float = 0
    format: float = 0
    hidden: float = 0
    media: Media = Media()


# fmt: off
_OPENAI: Final = Media(1200, 85, 1850, 60)
_TILES: Final = Media(750, 85, 1100, 60)
_CLAUDE: Final = Media(1333, 10, 1600, 1600)
_GEMINI: Final = Media(440, 258, 1550, 260, 100)
FAMILIES: Final = (
    # base, message, text; tools, tool, schema, call; thinking, shape, format, hidden
    Family("gpt-oss", r"gpt-oss", 61.5, 5.5, 0.97, 23.4, 8, 0.3, 27, 0.8, 0, 0.5, 0.05),
    Family("gpt-5 by chat", r"^(openai|azure)/gpt-[5-9].* openai-chat",
           0.7, 5.2, 1, 91, 0, 0.65, 9.2, 0, 14.5, 0.66, 0.05, _OPENAI),
    Family("gpt-5", r"gpt-[5-9]|/o[134]\b", 1.3, 4.3, 1.02, 10.5, 0, 0.56, 11.9, 0.1, 8.1, 0.65, 0.06, _OPENAI),
    Family("gpt-4o-mini", r"gpt-4o-mini",
           3, 3.7, 1.04, 6.8, 0, 0.56, 11, 0, 26.3, 0.39, 0.05, Media(25000, 2833, 37000, 60)),
    Family("gpt-4", r"gpt-?[34]|chatgpt", 3.4, 3.7, 1.01, 14.8, 0, 0.43, 5.8, 0, 18.8, 0.53, 0.05, _TILES),
    Family("claude-5", r"claude-(opus-4-[78]|opus-[5-9]|sonnet-[5-9]|haiku-[5-9]|fable)",
           2, 2.9, 1.3, 403.3, 8.3, 1.77, 7.7, 0, 0, 0.5, 0.05, Media(1333, 10, 4800, 1600)),
    Family("claude-4.5", r"claude-(sonnet|opus|haiku)-4[-.][5-9]",
           5, 1.5, 1.1, 508.1, 2.9, 1.34, 46.8, 29, 105.1, 1.64, 0, _CLAUDE),
    Family("claude", r"claude", 4.3, 1.7, 1.18, 316.8, 15.5, 1.03, 53.4, 28.7, 293.5, 1.75, 0.09, _CLAUDE),
    Family("gemini at Vertex", r"(vertex|vercel)/.*gemini|gemini-(1\.5|2\.0)",
           0, 0, 1.04, 0, 0, 0.21, 0.3, 0, 0.3, 0, 0.05, _GEMINI),
    Family("gemini-3", r"gemini-([3-9]|flash-latest|pro-latest)",
           0, 0.1, 1.1, 0, 0, 1.19, 12, 0, 0, 0, 0.09, Media(1090, 1060, 1120, 500, 100)),
    Family("gemini", r"gemini", 0, 0.6, 1.1, 4.4, 4.1, 0.74, 23.6, 0.5, 0, 0, 0, _GEMINI),
    Family("llama", r"(?<!o)llama", 27.3, 7.9, 0.99, 600, 0, 0.8, 27.5, 0, 0, 0.5, 0.05, Media(4000, 85, 1500)),
    Family("mistral", r"mistral|ministral|magistral|pixtral|voxtral|codestral|devstral",
           5.5, 6.4, 1.11, 4.7, 4.8, 1.35, 0, 3.6, 0, 0.5, 0.05),
    Family("deepseek", r"deepseek", 3, 1.8, 1, 225.5, 7.5, 1.19, 33.3, 0, 0, 0.5, 0.05),
    Family("qwen", r"qwen|qwq", 3.4, 5.2, 0.97, 111.4, 8.1, 1.27, 27.8, 0, 0, 0.5, 0.05),
    Family("glm", r"glm", 0, 2.2, 1.22, 105, 13.7, 0.91, 17.7, 0, 0, 0.5, 0.05),
    Family("kimi", r"kimi|moonshot", 1.3, 5.8, 0.85, 4.9, 10.4, 1.28, 24, 0, 0, 0.5, 0.05),
    Family("grok", r"^(?!azure/).*grok", 185.4, 5.8, 0.96, 29.7, 12.9, 1.3, 25.1, 0, 31.3, 0.61, 0.14),
    Family("nova-2", r"nova-2", 41.9, 3.2, 0.96, 830.2, 8.6, 1.05, 29.3, 0, 0, 0.5, 0.05, Media(4000, 85, 1300)),
    Family("nova", r"nova-", 0, 0, 1.09, 361.8, 9, 0.83, 18.6, 0, 0, 0.5, 0.05, Media(4000, 85, 1300)),
    Family("command-r", r"command-r(?!7b)", 55.6, 4, 1.28, 10, 8, 0.8, 12, 0, 0, 0.5, 0.05),
    Family("command", r"command-|cohere", 491.3, 7.1, 1.01, 922.8, 9.4, 0.92, 29.4, 0, 0, 0.5, 0.05),
    Family("other", r"", 4, 3, 1.1, 60, 8, 1.1, 15, 0, 0, 0.5, 0.05),
)
# fmt: on
