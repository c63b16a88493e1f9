"""A running gateway takes a new configuration and new keys without dropping a request; a bad file changes nothing."""

import json
import signal
import subprocess
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.support.gateway import (
    STATIC_KEY,
    Gateway,
    Simulator,
    command,
    custom_provider,
    environment,
    running_gateway,
    static_key,
    wait_until,
)
from tests.support.told_upstream import USAGE, ToldUpstream

RELOADED = "configuration reloaded"
REFUSED = "configuration not reloaded"


def configuration(
    upstream: ToldUpstream, simulator: Simulator, *, price: str, models: tuple[str, ...] = ("one",)
) -> str:
    rows = [
        f'[[providers.told.models]]\nid = "{model}"\ninput_usd_per_mtok = {price}\noutput_usd_per_mtok = {price}\n'
        for model in models
    ]
    slow = custom_provider("slow", simulator.base_url)
    return "\n".join((custom_provider("told", upstream.base_url), *rows, slow, static_key()))


@pytest.fixture
def reloadable(simulator: Simulator, upstream: ToldUpstream, tmp_path: Path) -> Iterator[Gateway]:
    with running_gateway(tmp_path, configuration=configuration(upstream, simulator, price="1")) as gateway:
        yield gateway


def reload(gateway: Gateway, text: str, *, says: str = RELOADED) -> None:
    before = gateway.written().count(says)
    gateway.config.write_text(text)
    gateway.signal(signal.SIGHUP)
    wait_until(lambda: gateway.written().count(says) > before, what=says)


def cost(gateway: Gateway, model: str = "told/one") -> Decimal:
    usage = json.loads(gateway.chat(model).body, parse_float=Decimal)["usage"]
    return Decimal(usage["cost_usd_total"])


def keys(gateway: Gateway, *arguments: str) -> dict[str, Any]:
    line = command("keys", *arguments, "--data-dir", gateway.data, "--json")
    return json.loads(subprocess.run(line, env=environment(), capture_output=True, check=True).stdout)


def test_a_reload_changes_prices_models_and_keys_under_a_running_stream(
    reloadable: Gateway, simulator: Simulator, upstream: ToldUpstream
) -> None:
    tokens = USAGE["total_tokens"]
    assert cost(reloadable) == Decimal(tokens) / 10**6
    assert reloadable.chat("told/two").status == 404
    new = configuration(upstream, simulator, price="3", models=("one", "two"))
    with reloadable.open_stream("slow/fault-slow-body", headers={"x-request-id": "through-a-reload"}) as stream:
        stream.read_until(b'"content":" ')
        reload(reloadable, new.replace(STATIC_KEY, "sk-the-key-that-came-later"))
        later = {"authorization": "Bearer sk-the-key-that-came-later"}
        assert reloadable.chat("told/two", headers=later).status == 200
        assert reloadable.chat("told/one").status == 401
        answer = reloadable.chat("told/one", headers=later)
        usage = json.loads(answer.body, parse_float=Decimal)["usage"]
        assert usage["cost_usd_total"] == Decimal(3 * tokens) / 10**6
        whole = stream.read_until(b"data: [DONE]\n\n")
    assert b'"finish_reason":"stop"' in whole
    assert b'"error"' not in whole
    assert reloadable.exchange("through-a-reload")["outcome"] == "completed"


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("[server]\nprot = 1\n", "prot"),
        ('[server]\nmax_body_mb = "many"\n', "max_body_mb"),
        ("[[keys]]\nname = 'unset'\nkey = 'env:NOT_SET_ANYWHERE'\n", "NOT_SET_ANYWHERE"),
        ("not toml at all\n", ""),
    ],
)
def test_a_bad_file_changes_nothing_and_is_told_with_its_line(
    reloadable: Gateway, simulator: Simulator, upstream: ToldUpstream, line: str, named: str
) -> None:
    text = configuration(upstream, simulator, price="9")
    place = text.count("\n") + (1 if line.startswith("not") else 2)
    reload(reloadable, text + line, says=REFUSED)
    logged = reloadable.written().rpartition(REFUSED)[2]
    assert named in logged
    assert str(reloadable.config) in logged
    assert any(f"{mark}{number}" in logged for mark in (":", "line ") for number in (place, place + 1)), logged
    assert cost(reloadable) == Decimal(USAGE["total_tokens"]) / 10**6


QUIET_KEY = "sk-key-of-the-quiet-project"


def falling_back(upstream: ToldUpstream, simulator: Simulator, *, quiet: str) -> str:
    """A model of two providers, the cheaper of which always fails and yet stays first."""
    offers = [
        f'[[providers.{name}.models]]\nid = "both"\nupstream = "{model}"\n'
        f"input_usd_per_mtok = {price}\noutput_usd_per_mtok = {price}\n"
        for name, model, price in (("sick", "fault-500", 1), ("told", "one", 2))
    ]
    sections = [
        "[routing]\nweight_uptime = 0\npenalty_factor = 0\nbench_failures = 1000\nexploration_rate = 0\n",
        quiet,
        custom_provider("sick", simulator.base_url),
        custom_provider("told", upstream.base_url),
        static_key(),
        static_key(QUIET_KEY, name="quiet") + 'project = "quiet"\n',
    ]
    return "\n".join((*sections, *offers))


def test_a_projects_routing_takes_effect_at_a_reload_and_what_was_learnt_stays(
    simulator: Simulator, upstream: ToldUpstream, tmp_path: Path
) -> None:
    quiet = {"authorization": f"Bearer {QUIET_KEY}"}
    alone = "[projects.quiet.routing]\nmax_fallbacks = 0\nsame_credential_retries = 0\n"
    with running_gateway(tmp_path, configuration=falling_back(upstream, simulator, quiet="")) as gateway:
        ways = [gateway.chat("both", headers=quiet).json["metadata"]["routing"]]
        reload(gateway, falling_back(upstream, simulator, quiet=alone))
        refused = gateway.chat("both", headers=quiet)
        assert refused.status == 502
        ways += [refused.json["metadata"]["routing"], gateway.chat("both").json["metadata"]["routing"]]
        assert gateway.metric("recent_attempts") == 5, "counted before the reload and after it"
        reload(gateway, falling_back(upstream, simulator, quiet=""))
        ways += [gateway.chat("both", headers=quiet).json["metadata"]["routing"]]
    assert [[one["provider"] for one in way] for way in ways] == [["sick", "told"], ["sick"], *[["sick", "told"]] * 2]


def test_a_start_tells_of_settings_for_projects_without_keys(upstream: ToldUpstream, tmp_path: Path) -> None:
    text = custom_provider("told", upstream.base_url) + "[projects.tset.routing]\nmax_fallbacks = 0\n"
    with running_gateway(tmp_path, configuration=text + "[projects.default.routing]\nmax_fallbacks = 0\n") as gateway:
        assert "[projects.tset]" in gateway.written()
        assert "[projects.default]" not in gateway.written()


def test_keys_made_and_disabled_elsewhere_count_within_a_second(reloadable: Gateway) -> None:
    made = keys(reloadable, "create", "made-elsewhere")
    header = {"authorization": f"Bearer {made['key']}"}
    wait_until(lambda: reloadable.chat("told/one", headers=header).status == 200, what="a new key's use", limit_s=1)
    keys(reloadable, "disable", made["id"])
    wait_until(lambda: reloadable.chat("told/one", headers=header).status == 401, what="a key's end", limit_s=1)


def test_a_rolled_key_has_a_new_secret_and_no_old_one(reloadable: Gateway) -> None:
    made = keys(reloadable, "create", "to-be-rolled")
    rolled = keys(reloadable, "roll", made["id"])
    old, new = ({"authorization": f"Bearer {one['key']}"} for one in (made, rolled))
    wait_until(lambda: reloadable.chat("told/one", headers=new).status == 200, what="the new secret", limit_s=1)
    assert reloadable.chat("told/one", headers=old).status == 401


def test_sigterm_lets_a_running_stream_finish(simulator: Simulator, upstream: ToldUpstream, tmp_path: Path) -> None:
    text = configuration(upstream, simulator, price="1")
    with running_gateway(tmp_path, configuration=text) as gateway:
        with gateway.open_stream("slow/fault-slow-body", headers={"x-request-id": "through-the-end"}) as stream:
            stream.read_until(b'"content":" ')
            gateway.signal(signal.SIGTERM)
            assert b'"finish_reason":"stop"' in stream.read_until(b"data: [DONE]\n\n")
        gateway.stop()
        assert gateway.exchange("through-the-end")["outcome"] == "completed"
        gateway.start()
