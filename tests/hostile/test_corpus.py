"""Hostile requests one by one: each gets its documented answer, reaches no provider, and leaves a healthy server."""

import time

import pytest

from tests.hostile import bodies, conversations, fields, heads
from tests.hostile.case import Case
from tests.hostile.target import Target, decent
from tests.support.rawhttp import Answer, Connection

CASES = (*fields.CASES, *bodies.CASES, *conversations.CASES, *heads.CASES)
MIB = 1024 * 1024


def test_names_of_cases_are_unique_and_there_are_many() -> None:
    names = [case.name for case in CASES]
    assert sorted(set(names)) == sorted(names)
    assert len(names) >= 150


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_hostile_request(target: Target, case: Case) -> None:
    before = target.upstream.requests
    target.reset_peak()
    resting = target.memory_bytes()
    began = time.monotonic()
    answer = answer_to(target, case)
    assert time.monotonic() - began < 2
    assert target.peak_bytes() - resting < 100 * MIB
    if answer is None:
        assert 0 in case.status
    else:
        judge(answer, case)
    assert target.upstream.requests == before + case.served
    target.good()


def answer_to(target: Target, case: Case) -> Answer | None:
    """The only answer; None if the server closed without one."""
    with Connection(target.port) as connection:
        connection.try_send(case.data)
        try:
            answer = connection.answer(method=case.method)
        except (EOFError, ConnectionResetError):
            return None
        if answer.header("connection") == "close":
            assert connection.closed()
        return answer


def judge(answer: Answer, case: Case) -> None:
    assert answer.status in case.status, answer.body
    if case.served:
        assert answer.json["choices"][0]["message"]["content"] == "Hello"
        return
    if case.method != "HEAD":
        decent(answer)
        assert case.code in (None, answer.error["code"]), answer.body
        assert case.any_param or answer.error["param"] == case.param, answer.body
    assert answer.header("allow") == case.allow
