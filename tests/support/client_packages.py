"""Client libraries that are no requirement of ours, installed once into the user's cache, outside the tree."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

_LIMIT_S: Final = 300
NODE_PACKAGES: Final = ("openai", "ai", "@llmgateway/ai-sdk-provider", "zod")
PYTHON_PACKAGES: Final = ("langchain-openai", "langgraph")


class NotInstalled(Exception):
    """A library or its interpreter is not here; the message says which and why."""


def node_folder() -> Path:
    """A folder whose scripts can import the Node packages."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise NotInstalled("node and npm are not installed")
    folder = _cache() / "node"
    if not all((folder / "node_modules" / package).is_dir() for package in NODE_PACKAGES):
        folder.mkdir(parents=True, exist_ok=True)
        _run(["npm", "install", "--no-audit", "--no-fund", *NODE_PACKAGES], folder)
    return folder


def langchain_python() -> Path:
    """An interpreter that can import LangChain and LangGraph."""
    folder = _cache() / "langchain"
    python = folder / "venv" / "bin" / "python"
    ready = folder / "ready"
    if not ready.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        _run([sys.executable, "-m", "venv", "--clear", str(folder / "venv")], folder)
        _run([str(python), "-m", "pip", "install", "--quiet", "uv"], folder)
        _run([str(python), "-m", "uv", "pip", "install", "--quiet", "--python", str(python), *PYTHON_PACKAGES], folder)
        ready.touch()
    return python


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "llmgateway-test-clients"


def _run(line: list[str], folder: Path) -> None:
    try:
        done = subprocess.run(line, cwd=folder, capture_output=True, text=True, timeout=_LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        raise NotInstalled(f"{line[0]} took more than {_LIMIT_S} s") from None
    if done.returncode:
        raise NotInstalled(f"{' '.join(line[:4])} … failed: {done.stderr.strip()[-300:]}")
