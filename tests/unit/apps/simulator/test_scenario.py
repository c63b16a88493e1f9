"""What decides the answer: model names, the x-simulator header, counts and probabilities of faults."""

import msgspec
import pytest

from llmgateway.apps.simulator.faults import FAULTS
from llmgateway.apps.simulator.models import Preset, model_names, preset_of
from llmgateway.apps.simulator.openai_chat import CHAT_PATH
from llmgateway.apps.simulator.scenario import InvalidSteering, Steering, fault_of, steering_of
from llmgateway.apps.simulator.script import Head, Request
from llmgateway.apps.simulator.simulation import Simulation


def status(simulation: Simulation, model: str = "auto", *, steering: object = None) -> int:
    headers = () if steering is None else ((b"x-simulator", msgspec.json.encode(steering)),)
    body = msgspec.json.encode({"model": model, "messages": []})
    script, _ = simulation.answer(Request("POST", CHAT_PATH, headers, body))
    assert isinstance(script[0], Head)
    return script[0].status


@pytest.mark.parametrize("prefix", ["", "simulator/"])
def test_a_model_name_chooses_the_answer_with_or_without_the_provider(prefix: str) -> None:
    assert preset_of(f"{prefix}echo").answer == "echo"
    assert preset_of(f"{prefix}lorem-17").tokens == 17
    assert preset_of(f"{prefix}fault-429").fault == "429"
    assert preset_of(f"{prefix}missing-model").known is False


def test_names_nobody_lists_behave_as_auto() -> None:
    for name in ("gpt-4o", "fault-", "fault-nonsense", "lorem-x", "", "lorem-N", "fault-NAME"):
        assert preset_of(name) == Preset()


def test_every_listed_name_is_known_and_every_fault_is_listed() -> None:
    names = model_names()
    assert all(preset_of(name).known for name in names)
    assert {f"fault-{name}" for name in FAULTS} <= set(names)
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("header", "word"),
    [
        (b'{"fautl": "500"}', "fautl"),
        (b'{"fault": "no-such"}', "no-such"),
        (b'{"tokens": "many"}', "tokens"),
        (b'{"tokens": -1}', "tokens"),
        (b'{"probability": 1.5}', "probability"),
        (b'{"of": 3}', "first"),
        (b"[]", "object"),
        (b"{", "truncated"),
        (b"\xff", "x-simulator"),
        (b'{"usage": {"prompt": 1}}', "prompt"),
    ],
)
def test_a_header_that_cannot_be_followed_is_refused_by_name(header: bytes, word: str) -> None:
    """The message names what was wrong, and a request with it is a 400."""
    with pytest.raises(InvalidSteering, match=word):
        steering_of(header)
    script, _ = Simulation().answer(
        Request("POST", CHAT_PATH, ((b"x-simulator", header),), b'{"model":"auto","messages":[]}')
    )
    assert isinstance(script[0], Head)
    assert script[0].status == 400


def test_the_first_k_of_n_requests_fail() -> None:
    """With `first` 2 and `of` 5, two of every five fail; without `of`, only the first two ever."""
    simulation = Simulation()
    steering = {"fault": "500", "first": 2, "of": 5}
    assert [status(simulation, steering=steering) for _ in range(10)] == [500, 500, 200, 200, 200] * 2
    once = {"fault": "503", "first": 2}
    assert [status(simulation, steering=once) for _ in range(6)] == [503, 503, 200, 200, 200, 200]


def test_a_fault_named_by_the_model_is_counted_too() -> None:
    simulation = Simulation()
    assert [status(simulation, "fault-429", steering={"first": 1}) for _ in range(3)] == [429, 200, 200]


def test_groups_are_counted_apart() -> None:
    simulation = Simulation()
    first, second = ({"fault": "500", "first": 1, "group": group} for group in ("a", "b"))
    assert [status(simulation, steering=steering) for steering in (first, second, first, second)] == [
        500,
        500,
        200,
        200,
    ]


def test_counts_begin_again_after_a_reset() -> None:
    simulation = Simulation()
    steering = {"fault": "500", "first": 1}
    assert [status(simulation, steering=steering) for _ in range(2)] == [500, 200]
    simulation.reset()
    assert status(simulation, steering=steering) == 500


def test_a_probability_is_met_and_repeats_with_its_seed() -> None:
    """About p of the requests fail, the same ones with the same seed, others with another."""
    runs = [
        [
            fault_of(Preset(), Steering(fault="500", probability=0.3, seed=seed), turn=turn) is not None
            for turn in range(2000)
        ]
        for seed in (1, 1, 2)
    ]
    assert runs[0] == runs[1] != runs[2]
    assert all(0.25 < sum(run) / len(run) < 0.35 for run in runs)


@pytest.mark.parametrize(("probability", "expected"), [(0, 200), (1, 500)])
def test_probability_nought_and_one_are_exact(probability: int, expected: int) -> None:
    simulation = Simulation()
    steering = {"fault": "500", "probability": probability}
    assert {status(simulation, steering=steering) for _ in range(50)} == {expected}


@pytest.mark.parametrize("name", ["missing-model", "simulator/missing-model", "missing-anything"])
def test_missing_models_are_not_found(name: str) -> None:
    assert status(Simulation(), name) == 404


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"model": "auto"}',
        b'{"messages": []}',
        b'{"model": 1, "messages": []}',
        b'{"model": "auto", "messages": "hello"}',
        b'{"model": "auto", "messages": [null]}',
        b'{"model": "auto", "messages": [{"role": "user", "content": 5}]}',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
def test_a_body_that_is_no_chat_request_is_a_400(body: bytes) -> None:
    script, _ = Simulation().answer(Request("POST", CHAT_PATH, (), body))
    assert isinstance(script[0], Head)
    assert script[0].status == 400
