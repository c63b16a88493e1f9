"""What a client writes into ids, names and texts never becomes a header, a path or a log line of ours."""

import json
import re

import pytest

from tests.hostile.target import BEARER, JSON, KEY, Target, chat, conversation
from tests.support.rawhttp import ask

_EVIL = "x\r\nx-evil: 1\r\n\r\nHTTP/1.1 200 OK"


@pytest.mark.parametrize(
    "given",
    [
        "",
        "a b",
        "a\tb",
        "<script>",
        "a" * 129,
        "ümlaut",
        "%0d%0ax-evil: 1",
        "..\\..\\",
        "a,b",
        "'; DROP TABLE x;--",
        "\xff",
    ],
)
def test_a_request_id_that_is_not_plain_is_replaced(target: Target, given: str) -> None:
    answer = ask(target.port, chat(headers=(BEARER, JSON, ("x-request-id", given))))
    assert answer.status == 200
    assert re.fullmatch(r"req_[0-9a-f]{28}", answer.header("x-request-id") or "")
    assert answer.header("x-evil") is None


def test_a_plain_request_id_comes_back(target: Target) -> None:
    answer = ask(target.port, chat(headers=(BEARER, JSON, ("x-request-id", "Ab-1.2:3_" + "x" * 119))))
    assert answer.header("x-request-id") == "Ab-1.2:3_" + "x" * 119


def test_texts_of_a_body_add_no_header_upstream_or_downstream(target: Target) -> None:
    body = conversation("Hi", user=_EVIL, metadata={_EVIL: _EVIL}, safety_identifier=_EVIL, prompt_cache_key=_EVIL)
    answer = ask(target.port, chat(body))
    assert answer.status == 200
    assert answer.header("x-evil") is None
    head = target.upstream.heads[-1]
    assert b"evil" not in head
    assert json.loads(target.upstream.bodies[-1])["user"] == _EVIL


def test_headers_of_a_client_stay_here(target: Target) -> None:
    """Neither its key nor its cookies, forwarding headers or hop headers reach a provider."""
    mine = (
        "cookie",
        "x-forwarded-for",
        "via",
        "te",
        "x-evil",
        "x-llmgateway-tag",
        "proxy-authorization",
        "x-simulator",
    )
    assert ask(target.port, chat(headers=(BEARER, JSON, *((name, "evil") for name in mine)))).status == 200
    head = target.upstream.heads[-1].lower()
    assert b"evil" not in head
    assert KEY.encode().lower() not in head
    assert b"authorization: bearer upstream-secret" in head


def test_a_model_name_never_touches_the_address(target: Target) -> None:
    target.good()
    assert target.upstream.heads[-1].startswith(b"POST /v1/chat/completions HTTP/1.1\r\n")
    assert json.loads(target.upstream.bodies[-1])["model"] == "hello"


def test_duplicate_keys_reach_the_provider_once_and_as_they_were_checked(target: Target) -> None:
    good = json.dumps(conversation("the last")).encode()
    first = b'{"messages": [{"role": "user", "content": "the first"}], "temperature": 2, "temperature": 1, '
    assert ask(target.port, chat(first + good[1:])).status == 200
    sent = target.upstream.bodies[-1]
    assert sent.count(b'"messages"') == sent.count(b'"temperature"') == 1
    assert json.loads(sent)["messages"][0]["content"] == "the last"
    assert json.loads(sent)["temperature"] == 1


def test_a_lone_surrogate_is_forwarded_as_valid_text(target: Target) -> None:
    body = rb'{"model": "counting/hello", "messages": [{"role": "user", "content": "a\ud83d z"}]}'
    assert ask(target.port, chat(body)).status == 200
    assert json.loads(target.upstream.bodies[-1].decode())["messages"][0]["content"] == "a\ufffd z"


def test_wrong_keys_are_told_apart_by_nothing(target: Target) -> None:
    """The body of a 401 does not depend on what the wrong key was."""
    keys = ("sk-wrong", KEY[:-1], KEY + "1", "llmgw_" + "0" * 40)
    bodies = {ask(target.port, chat(headers=(("authorization", f"Bearer {key}"), JSON))).body for key in keys}
    assert len(bodies) == 1


def test_neither_keys_nor_traces_are_in_the_log(target: Target) -> None:
    """Whatever this session has done to the gateway so far."""
    for key in (KEY, KEY[:-1], "sk-wrong"):
        ask(target.port, chat(headers=(("authorization", f"Bearer {key}"), JSON)))
    log = target.log()
    assert KEY not in log
    assert "sk-wrong" not in log
    assert "upstream-secret" not in log
    assert "Traceback" not in log
