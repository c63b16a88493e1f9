"""`llmgateway simulate`: starts the simulator's server and says where it is."""

import sys

from llmgateway.apps.cli.output import write_line
from llmgateway.apps.simulator import server
from llmgateway.apps.simulator.server import SimulatorServer


def simulate(*, host: str, port: int) -> int:
    """Serves until SIGINT or SIGTERM; status 1 when the address cannot be used."""
    try:
        server.run(host=host, port=port, started=_announce)
    except OSError as error:
        sys.stderr.write(f"cannot listen on {host}:{port}: {error.strerror}\n")
        return 1
    return 0


def _announce(running: SimulatorServer) -> None:
    write_line(f"simulated OpenAI-compatible provider: {running.url}/openai/v1")
    others = ("/responses/v1", "/anthropic/v1", "/google/v1beta", "/bedrock", "/cohere/v2")
    write_line(f"other protocols: {', '.join([running.url + path for path in others])}")
    write_line(f"requests that arrived: {running.url}/simulator/requests")
    sys.stdout.flush()
