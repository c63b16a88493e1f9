"""The configuration of the shared gateway: which providers stand behind it and what they charge.

- `sim`: the simulator, any model name, impatient timeouts; `clean` the same with the native lane on
- `patient`: the simulator again, waiting longer for the head of an answer than a keep-alive does
- `listed`: the simulator, with a models list and prices
- `told`: the provider that answers as told, one model per kind of price
- `plain`: the same, but fields nobody knows are left out and listed
- `closed`: an address where nobody listens
"""

from typing import Final

from tests.support.gateway import Simulator, custom_provider, static_key
from tests.support.told_upstream import ToldUpstream

_IMPATIENT: Final = "timeout_s = { connect = 2, first_byte = 0.5, idle = 0.5 }"
_SERVER: Final = "[server]\nkeep_alive_s = 1\n"
_ONCE: Final = "[routing]\nsame_credential_retries = 0\n"
"""One attempt per request: what each fault looks like, not what is done about it."""
METERED_KEY: Final = "sk-key-whose-costs-are-added-up"
UPSTREAM_KEY: Final = "sk-canary-of-the-provider-0123456789abcdef"

_LISTED: Final = """
[[providers.listed.models]]
id = "gone"
upstream = "fault-404"
input_usd_per_mtok = 1
output_usd_per_mtok = 2

[[providers.listed.models]]
id = "cut"
upstream = "fault-cut"
input_usd_per_mtok = 1
output_usd_per_mtok = 2

[[providers.listed.models]]
id = "talkative"
upstream = "slow"
input_usd_per_mtok = 1
output_usd_per_mtok = 2

[[providers.listed.models]]
id = "dripping"
upstream = "fault-slow-body"
input_usd_per_mtok = 1
output_usd_per_mtok = 2

[[providers.listed.models]]
id = "small"
upstream = "auto"
context = 1000
max_output = 100
lacks = ["vision", "tools", "json_schema", "n", "logprobs", "stop"]
input_usd_per_mtok = 1
output_usd_per_mtok = 2
"""

_TOLD: Final = """
[[providers.told.models]]
id = "metered"
upstream = "vendor-metered-1"
input_usd_per_mtok = 1.25
output_usd_per_mtok = 10
cached_input_usd_per_mtok = 0.125
cache_write_5m_usd_per_mtok = 1.5625
request_usd = 0.0007

[[providers.told.models]]
id = "plain-price"
input_usd_per_mtok = 0.15
output_usd_per_mtok = 0.6

[[providers.told.models]]
id = "tiered"
input_usd_per_mtok = 1
output_usd_per_mtok = 2
cached_input_usd_per_mtok = 0.1
tiers = [
  { above_tokens = 1000, input_usd_per_mtok = 3, output_usd_per_mtok = 4, cached_input_usd_per_mtok = 0.3 },
  { above_tokens = 5000, input_usd_per_mtok = 5, output_usd_per_mtok = 6 },
]

[[providers.told.models]]
id = "free"
input_usd_per_mtok = 0
output_usd_per_mtok = 0

[[providers.told.models]]
id = "unpriced"
"""

_PLAIN: Final = """
[[providers.plain.models]]
id = "strict"
input_usd_per_mtok = 1
output_usd_per_mtok = 1
"""


def configuration(simulator: Simulator, upstream: ToldUpstream) -> str:
    closed = f"http://127.0.0.1:{simulator.refused_port}/v1"
    drops = 'parameters = { drop = ["seed", "top_k", "user"], rename = { max_tokens = "max_new_tokens" } }'
    return "\n".join(
        (
            _SERVER,
            _ONCE,
            custom_provider("sim", simulator.base_url, _IMPATIENT, key=UPSTREAM_KEY),
            custom_provider("clean", simulator.base_url, _IMPATIENT, "clean = true", key=UPSTREAM_KEY),
            custom_provider("patient", simulator.base_url, "timeout_s = { first_byte = 2 }"),
            custom_provider("listed", simulator.base_url),
            _LISTED,
            custom_provider("told", upstream.base_url),
            _TOLD,
            custom_provider("plain", upstream.base_url, 'unknown_fields = "list"', drops),
            _PLAIN,
            custom_provider("closed", closed, _IMPATIENT),
            static_key(),
            static_key(METERED_KEY, name="metered"),
        )
    )
