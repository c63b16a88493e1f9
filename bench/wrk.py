"""wrk as load: an exact count of answers, because it stops asking before it stops listening.

The Lua script sends ready requests in turn from a file; where one has the STAMP, a number stands in its place that no
other request has, of this run or an earlier one. After `send_s` it hands wrk an empty request, which writes
nothing, so every request that was sent is answered and counted by the time wrk ends.
"""

import math
import subprocess
from collections.abc import Sequence
from pathlib import Path

import msgspec

from bench.payloads import STAMP
from bench.processes import RigError, program

SCRIPT = """
local ffi = require("ffi")
ffi.cdef[[
typedef struct { long seconds; long micros; } bench_time;
int gettimeofday(bench_time *now, void *zone);
]]
local clock = ffi.new("bench_time")
local function now()
    ffi.C.gettimeofday(clock, nil)
    return tonumber(clock.seconds) + tonumber(clock.micros) / 1e6
end
local lengths = { %(lengths)s }
local ready, position, deadline = {}, 0, nil
local stamp, stamped = "%(stamp)s", math.floor(now() * 1e6)
function init(args)
    local file = io.open("%(file)s", "rb")
    for index, length in ipairs(lengths) do
        local text = file:read(length)
        local first, last = text:find(stamp, 1, true)
        ready[index] = first and { text:sub(1, first - 1), text:sub(last + 1) } or text
    end
    file:close()
end
function request()
    local time = now()
    deadline = deadline or time + %(send_s)f
    if time >= deadline then return "" end
    position = position %% #ready + 1
    local one = ready[position]
    if type(one) == "string" then return one end
    stamped = stamped + 1
    return one[1] .. string.format("%%0" .. #stamp .. ".0f", stamped) .. one[2]
end
function done(summary, latency, requests)
    local e = summary.errors
    io.write(string.format("\\nRESULT {\\"answers\\":%%d,\\"bytes\\":%%d,\\"not_2xx\\":%%d,\\"broken\\":%%d}\\n",
        summary.requests, summary.bytes, e.status, e.connect + e.read + e.write))
end
"""


class Count(msgspec.Struct, frozen=True):
    """What wrk saw: complete answers, their bytes, answers that were not 2xx, connections that broke."""

    answers: int
    bytes: int
    not_2xx: int
    broken: int


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """A load on one port: ready requests over `connections` for `send_s`, then `drain_s` to hear the last answers."""

    port: int
    connections: int
    send_s: float
    drain_s: float


def run(load: Load, *, requests: Sequence[bytes], directory: Path) -> Count:
    """Blocks until all answers are in. Raises RigError when wrk fails or its output cannot be read."""
    data = directory / "requests.bin"
    data.write_bytes(b"".join(requests))
    script = directory / "load.lua"
    lengths = ",".join(str(len(one)) for one in requests)
    script.write_text(SCRIPT % {"lengths": lengths, "file": data, "send_s": load.send_s, "stamp": STAMP})
    seconds = math.ceil(load.send_s + load.drain_s)
    command = [
        program("wrk") or "wrk",
        "-t1",
        f"-c{load.connections}",
        f"-d{seconds}s",
        "--timeout",
        "60s",
        "-s",
        str(script),
    ]
    result = subprocess.run(
        [*command, f"http://127.0.0.1:{load.port}"], capture_output=True, check=False, timeout=seconds + 60
    )
    for line in result.stdout.splitlines():
        if line.startswith(b"RESULT "):
            return msgspec.json.decode(line[7:], type=Count)
    raise RigError(
        f"wrk ended with status {result.returncode} and no result: {result.stdout[-300:]!r} {result.stderr[-300:]!r}"
    )
