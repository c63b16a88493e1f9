"""nginx twice: as the mock provider of whole answers, and as the reverse proxy whose cost is the yardstick."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from bench import payloads
from bench.processes import LOAD_CORE, PROXY_CORE, RigError, accepts, program, running, wait_until

FRAME = """
daemon off; worker_processes 1; pid {dir}/nginx.pid; error_log {dir}/error.log error;
events {{ worker_connections 8192; }}
http {{
    access_log off; tcp_nodelay on; keepalive_timeout 600s; keepalive_requests 1000000000;
    client_body_buffer_size 128k; client_max_body_size 32m;
    client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi;
    {http}
}}
"""
MOCK = """
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{ default_type application/json; return 200 '{answer}'; }}
    }}
"""
PROXY = """
    upstream whole {{ server 127.0.0.1:{whole_port}; {keepalive} }}
    upstream streams {{ server 127.0.0.1:{stream_port}; {keepalive} }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;
        location /whole/ {{ proxy_pass http://whole; }}
        location / {{ proxy_pass http://streams; }}
    }}
"""
KEEPALIVE = "keepalive 2048; keepalive_requests 1000000000; keepalive_timeout 600s;"


@contextlib.contextmanager
def mock(port: int, *, directory: Path) -> Iterator[int]:
    """Answers every request with the whole answer; yields the pid."""
    answer = payloads.whole_answer().decode()
    if "'" in answer or "$" in answer or "\\" in answer:
        raise RigError("the mock's answer must not need quoting in an nginx configuration")
    with serving(port, directory=directory, http=MOCK.format(port=port, answer=answer), core=LOAD_CORE) as pid:
        yield pid


@contextlib.contextmanager
def proxy(port: int, *, directory: Path, whole_port: int, stream_port: int) -> Iterator[int]:
    """A plain reverse proxy before both mocks, in the place of the gateway; yields the pid."""
    http = PROXY.format(port=port, whole_port=whole_port, stream_port=stream_port, keepalive=KEEPALIVE)
    with serving(port, directory=directory, http=http, core=PROXY_CORE) as pid:
        yield pid


@contextlib.contextmanager
def serving(port: int, *, directory: Path, http: str, core: int) -> Iterator[int]:
    directory.mkdir(parents=True)
    configuration = directory / "nginx.conf"
    configuration.write_text(FRAME.format(dir=directory, http=http))
    nginx = program("nginx") or "nginx"
    command = [nginx, "-c", str(configuration), "-e", str(directory / "error.log")]
    with running(command, log=directory / "output.log", core=core) as child:
        wait_until(lambda: accepts(port), what="nginx", child=child)
        yield child.pid
