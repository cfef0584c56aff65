"""NUL bytes, numbers beyond every column, and JSON that no log can carry: refused with a reason, never a failure."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

import clearway.ledger.canonical as canonical_form
from access_house import House, Reader
from clearway.store.scalar import scalar

NUMBERS = ("0", "2147483648", "9223372036854775808", "1" * 40, "00000000000000000001")
TEXTS = (
    "\0",
    "a\0b",
    "\x1f",
    "\udcff",
    "9" * 400,
    "1e400",
    "-1",
    "NaN",
    "9999-12-31",
    "10000-01-01T00:00:00Z",
)


def paths(house: House) -> list[tuple[str, str]]:
    """(method, path with its parameters named by kind) of every route of the room's API."""
    found = []
    for route in house.app.framework.routes:
        for handler in getattr(route, "route_handlers", ()):
            for method in sorted(handler.http_methods - {"HEAD", "OPTIONS"}):
                if route.path.startswith("/api/v1/"):
                    found.append((method, route.path.removeprefix("/api/v1")))
    return sorted(set(found))


def filled(path: str, number: str, text: str) -> str:
    parts = []
    for part in path.split("/"):
        kind = part[1:-1].partition(":")[2] if part.startswith("{") else ""
        parts.append({"": part, "int": number, "str": text}.get(kind, text))
    return "/".join(parts)


def fine(answer: Any, said: object) -> None:
    assert answer.status_code < 500, (said, answer.status_code, answer.text[:300])
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json", said


def test_a_number_beyond_every_column_names_nothing(house: House) -> None:
    everything = paths(house)
    assert len(everything) > 30
    for method, path in everything:
        if "{" in path:
            for number in NUMBERS:
                where = filled(path, number, "%00")
                fine(
                    house.chief.api(method, where, {} if method in ("POST", "PATCH") else None),
                    (method, where),
                )


def test_a_text_that_no_column_holds_is_refused_wherever_it_is_asked_with(house: House) -> None:
    asked = set()
    for parameter in (
        "cursor",
        "sort",
        "limit",
        "name",
        "kind",
        "org",
        "open",
        "q",
        "after",
        "role",
        "active",
        "zz",
    ):
        for path in ("/organisations", "/embargoes", "/approvals", "/lists", "/tokens", "/sessions"):
            for text in TEXTS:
                where = f"{path}?{parameter}={quote(text.encode('utf-8', 'surrogateescape'))}"
                answer = house.chief.api("GET", where)
                fine(answer, where)
                asked.add(answer.status_code)
    assert asked <= {200, 400, 404, 422}


BODIES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("/organisations", {"slug": "x", "name": "x", "kind": "operator", "sectors": ["x"]}),
    ("/lists", {"org": 1, "name": "x"}),
    ("/embargoes", {"org": 1, "name": "x"}),
    ("/tokens", {"label": "x", "scopes": ["read"], "days": 1, "org": 1, "person": 1}),
    ("/organisations/1/members", {"name": "x", "roles": ["operator"], "email": "x", "kind": "person"}),
    ("/approvals", {"org": 1, "kind": "remark", "subject": "asset/1", "proposal": {"x": 1}, "why": "x"}),
)
VALUES = ("\0", "a\0b", "\ud800", -1, 2**31, 2**63, 10**40, 1e308, None, [], {}, ["\0"], True, "9" * 100_000)


@pytest.mark.parametrize(("path", "body"), BODIES, ids=[path for path, _ in BODIES])
def test_a_field_that_no_column_holds_is_refused(house: House, path: str, body: dict[str, Any]) -> None:
    for field in body:
        for value in VALUES:
            fine(sent(house.desk, path, {**body, "org": house.water, field: value}), (path, field, value))
            fine(sent(house.admin, path, {**body, field: value}), (path, field, value))


def sent(who: Reader, path: str, body: object, text: str = "") -> Any:
    """As `who.api`, with JSON that a strict writer would not write."""
    assert who.who is not None
    who.client.cookies.clear()
    data = text or json.dumps(body)
    headers = {"authorization": f"Bearer {who.who.secret}", "content-type": "application/json"}
    return who.client.post(f"/api/v1{path}", content=data.encode(), headers=headers)


PROPOSALS = {
    "an integer that a double can't hold": '{"n": 9007199254740993}',
    "an integer of 400 digits": '{"n": ' + "9" * 400 + "}",
    "a number beyond a double": '{"n": 1e400}',
    "a number smaller than any double": '{"n": 1e-400}',
    "negative zero": '{"n": -0.0}',
    "a fraction with a long tail": '{"n": 0.1000000000000000055511151231257827}',
    "NaN": '{"n": NaN}',
    "half a surrogate pair": '{"n": "\\ud800"}',
    "half a surrogate pair as a name": '{"\\udc00": 1}',
    "NUL": '{"n": "a\\u0000b"}',
    "NUL in a name": '{"a\\u0000b": 1}',
    "a repeated name": '{"n": 1, "n": 2}',
    "names that sort otherwise in UTF-16": '{"\\ufb33": 1, "\\ud83d\\ude00": 2, "\\u20ac": 3}',
    "deep": '{"n": ' + "[" * 100 + "]" * 100 + "}",
    "deep beyond the stack": '{"n": ' + "[" * 5000 + "]" * 5000 + "}",
    "long": '{"n": "' + "a" * 8_000 + '"}',
    "too long": '{"n": "' + "a" * 80_000 + '"}',
    "escapes": '{"n": "\\u2028\\u007f\\/\\u001f<>&"}',
    "an empty name": '{"": {"": []}}',
}


@pytest.mark.parametrize("name", PROPOSALS)
def test_json_that_is_kept_is_on_the_log_in_its_canonical_form_or_not_kept_at_all(
    house: House, name: str
) -> None:
    """An act whose entry can't be written has not happened; one that was written verifies by its bytes."""
    with house.people.owner() as owner:
        before = scalar(owner, "select coalesce(max(entry), 0) from clearway.log_entry")
        kept_before = scalar(owner, "select count(*) from clearway.approval")
    head = f'{{"org": {house.water}, "kind": "remark", "subject": "asset/1", "why": "w", "proposal": '
    answer = sent(house.desk, "/approvals", None, head + PROPOSALS[name] + "}")
    fine(answer, name)
    with house.people.owner() as owner:
        entries = owner.execute(
            "select content from clearway.log_entry where entry > %s and act = 'approval.asked'", (before,)
        ).fetchall()
        kept = scalar(owner, "select count(*) from clearway.approval") - kept_before
    assert len(entries) == kept == (answer.status_code == 201)
    for (content,) in entries:
        text = content if isinstance(content, str) else bytes(content).decode()
        # A verifier elsewhere reads each number as a double (RFC 8785 §3.2.2.3), and must write the same bytes.
        read = json.loads(text, parse_int=lambda digits: int(float(digits)))
        assert canonical_form.canonical(read) == text
