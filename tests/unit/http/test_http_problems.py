"""Every error leaves as a problem document, and none tells more than it should."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from litestar import get, post
from litestar.exceptions import HTTPException
from litestar.params import JSONBody
from litestar.testing import TestClient

from clearway.http import problems
from clearway.http.application import application
from clearway.http.guard import PUBLIC
from clearway.http.outbound import InnerError
from clearway.records import errors
from clearway.records.errors import ClearwayError

REFERENCE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "http.md"


def family(base: type[ClearwayError] = ClearwayError) -> list[type[ClearwayError]]:
    return [base, *(child for direct in base.__subclasses__() for child in family(direct))]


OURS = [error for error in family() if error.__module__.startswith("clearway.")]


def test_the_family_is_seen_whole() -> None:
    assert {errors.ClearwayError, errors.TooLargeError, errors.IntegrityError} <= set(OURS)


@pytest.mark.parametrize("error", OURS, ids=lambda e: e.__name__)
def test_no_error_lacks_a_row(error: type[ClearwayError]) -> None:
    assert error.code in problems.ROWS


def test_no_row_lacks_an_error() -> None:
    assert set(problems.ROWS) == {error.code for error in OURS}


def test_every_code_is_explained_in_the_reference() -> None:
    text = REFERENCE.read_text()
    codes = set(problems.ROWS) | {code for code, _ in problems.BY_STATUS.values()}
    assert {code for code in codes if f"`{code}`" not in text} == set()


def asked(error: Exception) -> Any:
    @get("/raise", opt=PUBLIC)
    async def fails() -> str:
        raise error

    with TestClient(application([fails])) as client:  # type: ignore[arg-type]
        return client.get("/raise")


@pytest.mark.parametrize("error", OURS, ids=lambda e: e.__name__)
def test_an_error_of_ours_is_a_problem_with_its_status(error: type[ClearwayError]) -> None:
    made = error.__new__(error)  # some children are made from what they are about, such as a status
    made.retry_after_s = 1  # type: ignore[attr-defined]
    ClearwayError.__init__(made, "it is wrong", where="$.a", mend="write b")
    answer = asked(made)
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert answer.status_code == body["status"] == problems.ROWS[error.code].status
    assert body["type"] == f"urn:clearway:problem:{error.code}"
    assert re.fullmatch("[0-9a-f]{32}", body["trace_id"])


def test_what_did_not_answer_is_named_and_never_taken_for_the_database() -> None:
    outside = asked(
        errors.OutsideError("it sent nothing", where="https://idp.example.org", mend="wait")
    ).json()
    assert (outside["where"], outside["detail"]) == ("https://idp.example.org", "it sent nothing")
    other = asked(errors.UpstreamError("no box", where="sandbox")).json()
    database = asked(errors.UpstreamError("gone", where="database")).json()
    assert "database" in database["title"].lower()
    assert "database" not in (outside["title"] + other["title"]).lower()


def test_the_address_inside_that_a_name_leads_to_is_not_told_to_who_chose_the_name() -> None:
    answer = asked(InnerError("h.example leads to 10.1.2.3, which is private", where="https://h.example/"))
    assert "10.1.2.3" not in answer.text
    assert answer.json()["detail"] == "its address is not a public one"


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("secret"),
        KeyError("secret"),
        RecursionError("secret"),
        ClearwayError("secret", where="secret", mend="secret"),
        errors.UpstreamError("secret", where="secret", mend="secret"),
        errors.IntegrityError("secret", where="secret", mend="secret"),
        errors.ConfigError("no advisories are loaded yet", where="secret"),
        HTTPException("secret", status_code=500),
    ],
    ids=repr,
)
def test_an_error_that_may_name_this_machine_hides_it_and_logs_it(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    answer = asked(error)
    assert answer.status_code >= 500
    assert "secret" not in answer.text
    assert answer.json()["trace_id"] in caplog.text
    assert "Traceback" in caplog.text


def test_a_log_line_can_not_be_forged_by_a_path(caplog: pytest.LogCaptureFixture) -> None:
    @get("/raise/{x:str}", opt=PUBLIC)
    async def fails(request: problems.Request[Any, Any, Any]) -> str:
        raise RuntimeError

    with TestClient(application([fails])) as client:  # type: ignore[arg-type]
        client.get("/raise/a%0AERROR%20all%20is%20lost")
    assert "\nERROR all is lost" not in caplog.text


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 408, 413, 415, 418, 422, 429, 500, 502, 503])
def test_every_status_that_the_framework_raises_is_a_problem(status: int) -> None:
    answer = asked(HTTPException("said", status_code=status))
    assert answer.status_code == answer.json()["status"] == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"].startswith("urn:clearway:problem:")


class Thing(msgspec.Struct):
    number: int


@post("/thing", opt=PUBLIC)
async def thing(data: JSONBody[Thing]) -> Thing:
    return data


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b'{"number": "x"}', 400, "Expected `int`, got `str`"),
        (b"", 400, "the body is empty"),
        (b"{", 400, "not JSON"),
        (b'{"number": 1, "number": 2}', 400, "occurs twice"),
        (b'{"number": NaN}', 400, "NaN is no JSON value"),
        (b'{"number": \xff}', 400, "invalid UTF-8"),
        (b"[" * 500 + b"]" * 500, 413, "nested deeper"),
        (b"[" * 100_000, 413, "nested deeper"),
        (b'{"number": ' + b"9" * 50_000 + b"}", 400, "thousands of digits"),
    ],
    ids=["type", "empty", "cut", "twice", "nan", "utf-8", "deep", "deeper", "digits"],
)
def test_a_body_that_does_not_fit_says_what_is_wrong_with_it(body: bytes, status: int, said: str) -> None:
    with TestClient(application([thing])) as client:  # type: ignore[arg-type]
        answer = client.post("/thing", content=body)
    assert answer.status_code == status
    assert said in answer.text


def test_a_problem_for_osv_clients_carries_code_and_message_too() -> None:
    found = problems.with_rpc_code(problems.of_error(errors.UsageError("it is wrong", where="queries[3]")))
    assert (found.code, found.message) == (3, "queries[3]: it is wrong")
    assert problems.with_rpc_code(problems.of_status(404)).code == 5
    assert problems.with_rpc_code(problems.of_status(418)).code == 2
