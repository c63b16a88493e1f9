"""Who may come in: one valid key, sent once; everything else gets one and the same 401."""

import hashlib
import time
from typing import Any

import pytest

from llmgateway.domain.errors import INVALID_API_KEY, GatewayError
from llmgateway.domain.identity import ApiKey
from llmgateway.engine.authenticate import authenticate
from llmgateway.wire.openai_chat.encode import error_body
from tests.support.fakes import KEY, snapshot

TOKEN = b"llmgw_a-good-key"


def known(**fields: Any) -> ApiKey:
    return ApiKey(
        **{"id": "k", "name": "n", "digest": hashlib.sha256(TOKEN).digest(), "project": KEY.project, **fields}
    )


def ask(*authorization: bytes, api_key: tuple[bytes, ...] = (), key: ApiKey | None = None) -> ApiKey:
    keys = [key or known()]
    return authenticate(snapshot(keys=keys), authorization=list(authorization), api_key=list(api_key))


def refusal(*authorization: bytes, api_key: tuple[bytes, ...] = (), key: ApiKey | None = None) -> GatewayError:
    with pytest.raises(GatewayError) as raised:
        ask(*authorization, api_key=api_key, key=key)
    assert raised.value.kind is INVALID_API_KEY
    return raised.value


@pytest.mark.parametrize("form", [b"Bearer %b", b"bearer %b", b"BEARER   %b", b" Bearer %b "])
def test_a_bearer_token_is_the_key(form: bytes) -> None:
    assert ask(form % TOKEN).id == "k"


def test_x_api_key_does_as_well() -> None:
    assert ask(api_key=(TOKEN,)).id == "k"


def test_both_headers_may_say_the_same() -> None:
    assert ask(b"Bearer " + TOKEN, api_key=(TOKEN,)).id == "k"


REFUSED: list[tuple[tuple[bytes, ...], tuple[bytes, ...]]] = [
    ((), ()),
    ((b"",), ()),
    ((b"Bearer",), ()),
    ((b"Bearer ",), ()),
    ((b"Basic dXNlcjpwYXNz",), ()),
    ((TOKEN,), ()),
    ((b"Bearer wrong",), ()),
    ((b"Bearer " + TOKEN + b"x",), ()),
    ((b"Bearer " + b"k" * 1_000_000,), ()),
    ((b"Bearer k\xc3\xa9y",), ()),
    ((b"Bearer k\xff",), ()),
    ((b"Bearer two words",), ()),
    ((b"Bearer " + TOKEN, b"Bearer " + TOKEN), ()),
    ((b"Bearer " + TOKEN, b"Bearer other"), ()),
    ((b"Bearer " + TOKEN,), (b"other",)),
    ((b"Basic x",), (TOKEN,)),
    ((), (b"",)),
    ((), (TOKEN, b"other")),
]


@pytest.mark.parametrize(("authorization", "api_key"), REFUSED, ids=range(len(REFUSED)))
def test_anything_else_is_refused(authorization: tuple[bytes, ...], api_key: tuple[bytes, ...]) -> None:
    refusal(*authorization, api_key=api_key)


@pytest.mark.parametrize("status", ["disabled", "deleted"])
def test_a_key_that_is_not_active_is_refused(status: str) -> None:
    refusal(b"Bearer " + TOKEN, key=known(status=status))


def test_a_key_is_good_until_it_expires() -> None:
    now = time.time()
    assert ask(b"Bearer " + TOKEN, key=known(expires_at=now + 60)).id == "k"
    refusal(b"Bearer " + TOKEN, key=known(expires_at=now - 1))


def test_the_answer_is_the_same_whatever_was_wrong_and_never_shows_what_was_sent() -> None:
    answers = {error_body(refusal(*authorization, api_key=api_key)) for authorization, api_key in REFUSED}
    answers.add(error_body(refusal(b"Bearer " + TOKEN, key=known(status="disabled"))))
    answers.add(error_body(refusal(b"Bearer " + TOKEN, key=known(expires_at=1))))
    assert len(answers) == 1
    assert TOKEN not in answers.pop()
