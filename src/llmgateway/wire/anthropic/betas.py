"""The header `anthropic-beta`: what a caller names in `betas`, and what its own types and fields are known to need.

What has left its beta needs none; a name that the API knows and does not need does no harm
(platform.claude.com/docs/en/api/beta-headers).
"""

import re
from typing import Final

import msgspec

from llmgateway.domain.chat import Chat
from llmgateway.domain.routing import ParameterPlan

_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,100}")
_MOST: Final = 64
_BY_TYPE: Final = {
    "advisor_20260301": "advisor-tool-2026-03-01",
    "bash_20241022": "computer-use-2024-10-22",
    "code_execution_20250522": "code-execution-2025-05-22",
    "computer_20241022": "computer-use-2024-10-22",
    "computer_20250124": "computer-use-2025-01-24",
    "computer_20251124": "computer-use-2025-11-24",
    "container_upload": "files-api-2025-04-14",
    "mcp_toolset": "mcp-client-2025-11-20",
    "memory_20250818": "context-management-2025-06-27",
    "text_editor_20241022": "computer-use-2024-10-22",
    "tool_addition": "mid-conversation-tool-changes-2026-07-01",
    "tool_removal": "mid-conversation-tool-changes-2026-07-01",
}
_BY_FIELD: Final = {
    "context_management": "context-management-2025-06-27",
    "diagnostics": "cache-diagnosis-2026-04-07",
    "fallback_credit_token": "fallback-credit-2026-07-01",
    "fallbacks": "server-side-fallback-2026-07-01",
    "mcp_servers": "mcp-client-2025-04-04",
    "speed": "fast-mode-2026-02-01",
    "thread": "message-threads-2026-08-12",
}
_BY_TEXT: Final = (
    ("container", b'"skills"', "skills-2025-10-02"),
    ("context_management", b'"compact_20260112"', "compact-2026-01-12"),
    ("output_config", b'"task_budget"', "task-budgets-2026-03-13"),
)
_FILE_ID: Final = re.compile(rb'"file_id"')
_FILES: Final = "files-api-2025-04-14"


def beta_line(chat: Chat, plan: ParameterPlan, *, dropped: dict[str, None]) -> bytes:
    """The header's line; nothing where the row has no betas or the request needs none."""
    if "betas" not in plan.takes:
        return b""
    wanted = dict.fromkeys(_named(chat, dropped))
    wanted |= {_BY_TYPE[kind]: None for kind, _ in chat.traits.foreign if kind in _BY_TYPE}
    if not plan.takes.isdisjoint(chat.raw):
        wanted |= {beta: None for name, beta in _BY_FIELD.items() if name in chat.raw}
        wanted |= {beta: None for name, text, beta in _BY_TEXT if text in bytes(chat.raw.get(name, b""))}
    if "documents" in chat.traits.needs and _FILE_ID.search(chat.raw["messages"]) is not None:
        wanted[_FILES] = None
    if "mcp_toolset" in (kind for kind, _ in chat.traits.foreign):
        wanted.pop(_BY_FIELD["mcp_servers"], None)  # the older form of the same
    return f"anthropic-beta: {','.join(wanted)}\r\n".encode() if wanted else b""


def _named(chat: Chat, dropped: dict[str, None]) -> list[str]:
    """The caller's own; a list that holds anything but names would be no header."""
    if "betas" not in chat.raw:
        return []
    try:
        names = msgspec.json.decode(chat.raw["betas"], type=list[str])
    except msgspec.ValidationError:
        names = [""]
    if len(names) <= _MOST and all(_NAME.fullmatch(name) for name in names):
        return names
    dropped["betas"] = None
    return []
