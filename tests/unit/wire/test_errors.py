"""A provider's error answer, in any shape, as a row of the one error table."""

import json

import pytest

from llmgateway.domain import errors
from llmgateway.domain.errors import ErrorKind
from llmgateway.wire.errors import in_band_error, read_error, scrubbed
from tests.unit.wire.deployments import SECRET, deployment

SHAPES = {
    "openai": {"error": {"message": "No.", "type": "t", "param": "p", "code": "c"}},
    "azure": {"error": {"code": "c", "message": "No."}},
    "anthropic": {"type": "error", "error": {"type": "t", "message": "No."}, "request_id": "r"},
    "google": {"error": {"code": 400, "message": "No.", "status": "c", "details": []}},
    "google, in a list": [{"error": {"code": 400, "message": "No.", "status": "c"}}],
    "bedrock": {"message": "No."},
    "cohere": {"id": "i", "message": "No."},
    "mistral": {"object": "error", "message": "No.", "type": "t", "param": None, "code": "c"},
    "mistral, detail": {"detail": "No."},
    "fastapi": {"detail": [{"loc": ["body"], "msg": "No."}]},
    "groq": {"error": {"message": "No.", "type": "t", "code": "c", "failed_generation": "x"}},
    "xai": {"code": "c", "error": "No."},
    "openrouter": {"error": {"code": 400, "message": "No.", "metadata": {}}},
    "plain": "No.",
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_words_are_found_in_every_shape(shape: str) -> None:
    error = read_error(400, (), json.dumps(SHAPES[shape]).encode(), to=deployment())
    assert error.kind is errors.UPSTREAM_REFUSED
    assert error.status == 400
    assert error.message.startswith("acme: ")
    assert "No." in error.message


@pytest.mark.parametrize(
    "body", [b"", b"<html>502</html>", b"\xff\xfe", b"[]", b"null", b"7", b"{", b'{"error":null}', b"{}"]
)
def test_a_body_that_says_nothing_gives_the_status(body: bytes) -> None:
    assert "status 500" in read_error(500, (), body, to=deployment()).message


ROWS: list[tuple[int, dict[str, object], ErrorKind]] = [
    (400, {"message": "bad"}, errors.UPSTREAM_REFUSED),
    (422, {"message": "bad"}, errors.UPSTREAM_REFUSED),
    (400, {"code": "context_length_exceeded", "message": "x"}, errors.UPSTREAM_CONTEXT),
    (400, {"message": "This model's maximum context length is 8192 tokens"}, errors.UPSTREAM_CONTEXT),
    (413, {"message": "x"}, errors.UPSTREAM_CONTEXT),
    (400, {"code": "content_filter", "message": "x"}, errors.UPSTREAM_CONTENT_FILTER),
    (403, {"message": "flagged by moderation"}, errors.UPSTREAM_CONTENT_FILTER),
    (401, {"message": "x"}, errors.UPSTREAM_AUTH),
    (403, {"message": "x"}, errors.UPSTREAM_FORBIDDEN),
    (403, {"message": "Invalid API key."}, errors.UPSTREAM_AUTH),
    (403, {"message": "The security token included in the request is expired"}, errors.UPSTREAM_AUTH),
    (403, {"code": "UnrecognizedClientException"}, errors.UPSTREAM_AUTH),
    (403, {"message": "Your API key was disabled for a policy violation."}, errors.UPSTREAM_AUTH),
    (403, {"message": "Your API key does not have permission to use the model m."}, errors.UPSTREAM_FORBIDDEN),
    (403, {"message": "You don't have access to the model with the specified model ID."}, errors.UPSTREAM_FORBIDDEN),
    (403, {"message": "Access denied due to Virtual Network/Firewall rules."}, errors.UPSTREAM_FORBIDDEN),
    (403, {"code": "content_policy_violation", "message": "The key question."}, errors.UPSTREAM_CONTENT_FILTER),
    (403, {"message": "Your newly created team doesn't have any credits or licenses yet."}, errors.UPSTREAM_QUOTA),
    (403, {"message": "Key limit exceeded"}, errors.UPSTREAM_QUOTA),
    (
        429,
        {"message": "Your team has either used all available credits or reached its monthly spending limit."},
        errors.UPSTREAM_QUOTA,
    ),
    (400, {"message": "Incorrect API key provided: na***ys. You can obtain one."}, errors.UPSTREAM_AUTH),
    (400, {"message": "Incorrect%20API%20key%20provided:%20ba***na."}, errors.UPSTREAM_AUTH),
    (400, {"message": "Invalid role: 'Incorrect API key provided: x'"}, errors.UPSTREAM_REFUSED),
    (400, {"code": "model_decommissioned", "message": "x"}, errors.UPSTREAM_REFUSED),
    (400, {"type": "invalid_model", "message": "x"}, errors.UPSTREAM_REFUSED),
    (400, {"code": "invalid_model_parameter", "message": "x"}, errors.UPSTREAM_REFUSED),
    (402, {"message": "x"}, errors.UPSTREAM_QUOTA),
    (429, {"code": "insufficient_quota", "message": "You exceeded your current quota"}, errors.UPSTREAM_QUOTA),
    (429, {"message": "This request would exceed your organization's monthly spend limit."}, errors.UPSTREAM_QUOTA),
    (429, {"code": "rate_limit_exceeded", "message": "Upgrade at /settings/billing"}, errors.UPSTREAM_RATE_LIMITED),
    (429, {"message": "slow down, or see /billing"}, errors.UPSTREAM_RATE_LIMITED),
    (404, {"message": "no such model"}, errors.UPSTREAM_ERROR),
    (405, {"message": "x"}, errors.UPSTREAM_ERROR),
    (408, {"message": "x"}, errors.UPSTREAM_TIMEOUT),
    (409, {"message": "x"}, errors.UPSTREAM_ERROR),
    (500, {"message": "x"}, errors.UPSTREAM_ERROR),
    (503, {"message": "x"}, errors.UPSTREAM_ERROR),
    (529, {"message": "Overloaded"}, errors.UPSTREAM_ERROR),
]


@pytest.mark.parametrize(("status", "body", "kind"), ROWS, ids=lambda value: str(value)[:40])
def test_the_status_and_then_the_words_decide_the_row(status: int, body: dict[str, object], kind: ErrorKind) -> None:
    error = read_error(status, (), json.dumps({"error": body}).encode(), to=deployment())
    assert error.kind is kind
    assert error.status_code == status


def test_a_model_unknown_to_a_provider_of_any_model_is_the_callers_mistake() -> None:
    body = b'{"error":{"message":"no such model","code":"model_not_found"}}'
    error = read_error(404, (), body, to=deployment(custom=True, any_model=True))
    assert error.kind is errors.UPSTREAM_MODEL_NOT_FOUND


def test_code_and_param_of_a_refusal_are_the_providers() -> None:
    body = b'{"error":{"message":"x","type":"t","param":"messages[0]","code":"string_above_max_length"}}'
    error = read_error(400, (), body, to=deployment())
    assert (error.status, error.code, error.param) == (400, "string_above_max_length", "messages[0]")


@pytest.mark.parametrize("status", [401, 403])
def test_words_about_credentials_are_never_relayed(status: int) -> None:
    body = json.dumps({"error": {"message": f"Incorrect API key provided: {SECRET[:12]}"}}).encode()
    message = read_error(status, (), body, to=deployment()).message
    assert SECRET[:12] not in message
    assert "Incorrect" not in message


@pytest.mark.parametrize(
    "words", [f"key {SECRET} is bad", f"Bearer {SECRET}x", "sk-abcdefgh12345678 is bad", "gsk_abcdefgh1234"]
)
def test_keys_in_other_words_are_taken_out(words: str) -> None:
    told = scrubbed(words, secret=SECRET)
    assert "[redacted]" in told
    assert SECRET not in told
    assert "abcdefgh" not in told


def test_words_are_cut_and_freed_of_control_characters() -> None:
    told = scrubbed("a\r\nx-evil: 1\x00" + "b" * 5_000, secret="")
    assert len(told) == 1_000
    assert "\n" not in told
    assert "\r" not in told
    assert "\x00" not in told


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ({"code": 429, "message": "x"}, 429), ({"message": "Rate limit reached"}, 429), ({"code": "server_error"}, 502),
        ({"type": "invalid_request_error", "message": "x"}, 400), ({"status_code": 400, "message": "x"}, 400),
        ({"type": "overloaded_error", "message": "Overloaded"}, 502), ({"code": 503, "message": "x"}, 502),
        ("broken", 502), (None, 502), (7, 502),
    ],
)  # fmt: skip
def test_an_error_inside_a_200_has_a_status_of_its_own_or_502(error: object, status: int) -> None:
    found = in_band_error(error, to=deployment())
    assert (found.status or found.kind.status) == status
    assert found.status_code == 200


def test_retry_after_is_kept() -> None:
    assert read_error(429, [(b"retry-after", b"7")], b"", to=deployment()).retry_after_s == 7
