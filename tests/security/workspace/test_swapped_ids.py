"""Ids, cursors, tags and keys of one organisation in the hands of another: 404, and nothing that tells them apart."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from two_organisations import DRAFT, NOWHERE, PARAMETER, Side, Two, two_organisations

from intake_world import drop_database, new_database

# What the last part of a path before its parameter names. A route with another one fails until it is named here.
KINDS = {
    "assets": "asset",
    "inventories": "inventory",
    "exposures": "exposure",
    "exposure": "exposure",
    "rules": "rule",
    "webhooks": "webhook",
    "deliveries": "delivery",
    "tokens": "token",
    "sessions": "session",
    "credentials": "token",
    "lists": "list",
    "embargoes": "embargo",
    "approvals": "approval",
    "markings": "asset",
    "triages": "triage",
    "reports": "report",
    "entries": "entry",
    "audit": "entry",
    "people": "who",
    "members": "who",
    "findings": "finding",
    "files": "file",
    "validations": "validation",
    "evidence": "validation",
    "appeals": "appeal",
    "edges": "edge",
    "known": "known",
    "duplicates": "joining",
    "leases": "lease",
    "controls": "control",
    "cases": "case",
    "case-documents": "case",
    "parties": "party",
    "threads": "thread",
    "assist": "proposal",
}
# Named by what everybody may know: the parameters of these hold no id of an organisation's own things.
PUBLIC_NAMES = {
    "identifier", "provider", "place", "flaw", "name", "directive", "kind", "version", "org", "aud", "job",
    "identities", "token",
    "csaf",  # published
    "limits", "routes",  # what receivers take, and whom to ask, is read by everybody who is signed in
}  # fmt: skip
# What is there once a case is released, and then everybody's.
NOT_YET = {"/api/v1/case-documents/{handling:str}/{kind:str}"}
# Those of a clearinghouse's coordinators alone, whoever may see what is looked at.
THE_DESKS = re.compile(r"/assist/preview$")
# Those that are handed about by name.
NO_HANDLINGS = {"finding": "CWF-0000-0000", "case": "CWC-0000-0000", "lease": "CWL-0000-0000"}
WHO_MAY_KNOW_ORGANISATIONS = re.compile(r"/organisations/\{org:int\}")
# What a route takes, where an empty body is refused before anything is looked up.
BODIES: dict[str, Any] = {
    "POST /api/v1/cases/{handling:str}/parties/{number:int}/contacts": {"email": "other@example.org"},
    "PUT /api/v1/assets/{asset:int}": {"name": "taken over", "details": {}},
    "POST /api/v1/assets/{asset:int}/exposure": {"exposure": "internal"},
    "POST /api/v1/assets/{asset:int}/inventories": b'["pkg:pypi/django@4.1"]',
    "PATCH /api/v1/exposures/{exposure:int}": {"status": "mitigated"},
    "POST /exposure/{exposure:int}/detected": {"detected": "2026-01-05", "reason": "as the scanner says"},
    "PATCH /api/v1/exposures/{exposure:int}/detected": {
        "detected": "2026-01-05",
        "reason": "as the scanner says",
    },
    "PATCH /api/v1/webhooks/{webhook:int}": {"label": "taken over"},
    "POST /api/v1/lists/{which:int}/recipients": {"person": 1},
    "PATCH /api/v1/embargoes/{which:int}": {"until": "2126-01-01T00:00:00Z"},
    "POST /api/v1/embargoes/{which:int}/parties": {"person": 1},
    "POST /api/v1/embargoes/{which:int}/release": {"why": "so"},
    "POST /api/v1/embargoes/{which:int}/flaws": {"flaw": "CVE-2026-0001", "about": True},
    "POST /settings/approvals/{which:int}": {"verdict": "approved"},
    "POST /api/v1/approvals/{which:int}/decision": {"verdict": "approved"},
    "PUT /api/v1/markings/{kind:str}/{number:int}": {"tlp": "GREEN", "why": "so"},
    "POST /markings/{kind:str}/{number:int}": {"tlp": "GREEN", "why": "so", "aud": "2"},
    "POST /api/v1/directives/triages/{triage:int}/events": {
        "after": 0,
        "event": {"event": "patched", "at": "2026-11-21T00:00:00Z", "by": "somebody", "what": "all"},
    },
    "POST /api/v1/findings/{handling:str}/supplement": {"cwe": "CWE-787"},
    "POST /api/v1/findings/{handling:str}/withdraw": {"why": "so"},
    "POST /api/v1/findings/{handling:str}/appeal": {"why": "so"},
    "POST /api/v1/findings/{handling:str}/mark": {"mark": "invalid", "why": "so"},
    "POST /api/v1/findings/{handling:str}/split": {"why": "so"},
    "POST /api/v1/findings/{handling:str}/validations": {"upto": 4},
    "POST /api/v1/findings/{handling:str}/validations/{number:int}/acceptance": {"by": "me", "why": "so"},
    "POST /api/v1/findings/{handling:str}/validations/{number:int}/revocation": {"why": "so"},
    "POST /api/v1/findings/{handling:str}/vouching/revocation": {"files": ["a" * 64], "why": "so"},
    "POST /api/v1/findings/{handling:str}/known": {"flaw": "CVE-2026-0001", "why": "so", "sure": True},
    "POST /api/v1/findings/{handling:str}/known/{number:int}/revocation": {"why": "so"},
    "POST /api/v1/findings/{handling:str}/edges/{number:int}/revocation": {"why": "so"},
    "POST /api/v1/findings/{handling:str}/duplicates/{number:int}/undo": {"why": "so"},
    "POST /api/v1/findings/{handling:str}/merge": {"findings": ["CWF-0000-0000"], "why": "so"},
    "POST /api/v1/findings/{handling:str}/cross-runs": {"other": "CWF-0000-0000"},
    "POST /api/v1/findings/appeals/{number:int}/decision": {"outcome": "granted", "reason": "so"},
    "POST /api/v1/cases/{handling:str}/arm": {},
    "POST /api/v1/cases/{handling:str}/release": {"why": "so"},
    "POST /api/v1/cases/{handling:str}/observations": {"act": "attacks-observed"},
    "POST /api/v1/cases/{handling:str}/cve": {"cve": "CVE-2026-0001"},
    "POST /api/v1/cases/{handling:str}/orphan": {"patcher": 1, "why": "so"},
    "POST /api/v1/cases/{handling:str}/close": {"why": "so"},
    "POST /api/v1/cases/{handling:str}/drafts": DRAFT,
    "POST /api/v1/cases/{handling:str}/parties": {"role": "vendor", "organisation": 1},
    "POST /api/v1/cases/{handling:str}/parties/{number:int}/acts": {"act": "answer", "answer": "affected"},
    "POST /api/v1/cases/{handling:str}/embargo/proposals": {"until": "2126-01-01T00:00:00Z"},
    "POST /api/v1/cases/{handling:str}/embargo/consent": {"said": "agrees"},
    "POST /api/v1/cases/{handling:str}/embargo/decision": {"outcome": "accept"},
    "POST /api/v1/cases/{handling:str}/threads": {"topic": "so"},
    "POST /api/v1/cases/{handling:str}/threads/{number:int}/messages": {"text": "so"},
    "POST /api/v1/findings/limits/{number:int}/end": {},
    "POST /api/v1/leases/{reference:str}/renewal": {"fence": 1},
    "POST /api/v1/leases/{reference:str}/release": {},
    "POST /api/v1/leases/controls/{number:int}/stance": {"stance": "own"},
    "POST /api/v1/leases/controls/{number:int}/end": {},
    "POST /api/v1/leases/controls/{number:int}/confirmation": {"why": "so"},
    "POST /leases/controls/{number:int}/confirmation": {"why": "so"},
    "POST /api/v1/findings/{handling:str}/assist": {"kind": "summary"},
    "POST /api/v1/cases/{handling:str}/assist": {"kind": "summary"},
    "POST /api/v1/assist/{number:int}/decision": {"outcome": "discarded"},
    "POST /findings/{handling:str}/withdraw": {"why": "so"},
    "POST /leases/{reference:str}/release": {},
    "POST /leases/controls/{number:int}/end": {},
    "PATCH /api/v1/people/{who:int}": {"name": "taken over"},
    "POST /api/v1/people/{who:int}/active": {"active": False},
    "POST /settings/people/{who:int}/active": {"active": "no"},
}


@pytest.fixture(scope="module")
def two(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    url = new_database(server, "made")
    try:
        with two_organisations(url, tmp_path_factory.mktemp("two")) as made:
            yield made
    finally:
        drop_database(server, url)


def _kind(template: str, start: int) -> str | None:
    """What the parameter at `start` names; None for what everybody may know."""
    before = [p for p in PARAMETER.sub("", template[:start]).split("/") if p]
    name = PARAMETER.match(template, start)
    assert name is not None
    if name[1] in PUBLIC_NAMES or before[-1] in PUBLIC_NAMES:
        return None
    return KINDS.get(before[-1], f"unknown: {template}")


def _path(template: str, ids: dict[str, int | str]) -> str:
    def fill(found: re.Match[str]) -> str:
        kind = _kind(template, found.start())
        if kind is None:
            named = "asset" if "/markings/" in template else "csaf" if "case" in template else "bod-26-04"
            return {"org": str(ids["org"]), "aud": "0"}.get(found[1], named)
        return str(ids[kind])

    return PARAMETER.sub(fill, template)


def _ids(side: Side) -> dict[str, int | str]:
    return {**side.ids, "org": side.who.org}


def _nobodys(side: Side) -> dict[str, int | str]:
    nowhere: dict[str, int | str] = dict.fromkeys(side.ids, NOWHERE)
    return nowhere | NO_HANDLINGS | {"org": side.who.org}


def _try(
    two: Two, who: Side, method: str, template: str, ids: dict[str, int | str], **headers: str
) -> httpx.Response:
    body = BODIES.get(f"{method} {template}", {})
    sent: dict[str, Any] = {}
    if method != "GET":
        headers = {"if-match": "*", **headers}
        if isinstance(body, bytes):
            sent["content"] = body
        elif template.startswith("/api/"):
            sent["json"] = body
        else:
            sent["data"] = body
    return two.ask(who.who, method, _path(template, ids), headers=headers, **sent)


def shape(answer: httpx.Response) -> tuple[Any, ...]:
    """All of an answer but what the id itself or the trace makes different."""
    text = re.sub(r"\d+", "N", re.sub(r"CW([FCL])-[0-9A-Z]{4}-[0-9A-Z]{4}", r"CW\1-N", answer.text))
    if "json" in answer.headers.get("content-type", ""):
        body = json.loads(re.sub(r"CW([FCL])-[0-9A-Z]{4}-[0-9A-Z]{4}", r"CW\1-N", answer.text))
        if isinstance(body, dict):
            body.pop("trace_id", None)
        text = re.sub(r"\d+", "N", json.dumps(body, sort_keys=True))
    else:
        text = re.sub(r"[0-9a-f]{32}", "T", text)
    kept = {k for k in answer.headers if not k.startswith("ratelimit")}
    return answer.status_code, answer.headers.get("content-type"), kept, text


def test_every_route_that_names_a_thing_is_known_to_this_test(two: Two) -> None:
    unknown = {
        k
        for _, template in two.routes()
        for m in PARAMETER.finditer(template)
        if (k := _kind(template, m.start())) and k not in {*KINDS.values()}
    }
    assert unknown == set(), "say in KINDS or PUBLIC_NAMES what these name"


def _private(two: Two) -> list[tuple[str, str]]:
    return [
        (method, template)
        for method, template in two.routes()
        if any(_kind(template, m.start()) for m in PARAMETER.finditer(template))
        and not WHO_MAY_KNOW_ORGANISATIONS.search(template)
    ]


def test_an_id_of_another_organisation_answers_as_one_that_nobody_has(two: Two) -> None:
    before = two.kept_of(two.theirs)
    told = []
    for method, template in _private(two):
        theirs = _try(two, two.ours, method, template, _ids(two.theirs))
        nobodys = _try(two, two.ours, method, template, _nobodys(two.theirs))
        if shape(theirs) != shape(nobodys):
            told.append(f"{method} {template}: {theirs.status_code} {theirs.text[:200]} / "
                        f"{nobodys.status_code} {nobodys.text[:200]}")  # fmt: skip
    assert told == []
    assert two.kept_of(two.theirs) == before, "something of theirs was changed"


def test_an_id_of_another_organisation_is_404_wherever_the_rest_of_the_request_is_right(two: Two) -> None:
    wrong = []
    for method, template in _private(two):
        answer = _try(two, two.ours, method, template, _ids(two.theirs))
        if answer.status_code != 404:
            wrong.append(f"{method} {template}: {answer.status_code} {answer.text[:200]}")
    assert wrong == [], "say in BODIES what these take"


def test_the_same_ids_in_the_hands_of_their_own_organisation_are_found(two: Two) -> None:
    """Without this, 404 everywhere would prove nothing."""
    lost = []
    for method, template in _private(two):
        if method == "GET" and template not in NOT_YET:
            answer = _try(two, two.theirs, method, template, _ids(two.theirs))
            expected = (403,) if THE_DESKS.search(template) else (200, 303)
            if answer.status_code not in expected:
                lost.append(f"{template}: {answer.status_code} {answer.text[:200]}")
    assert lost == []


def test_a_thing_of_theirs_under_a_thing_of_ours_is_404(two: Two) -> None:
    path = "/api/v1/webhooks/{}/deliveries/{}/redeliver"
    ours, theirs = two.ours.ids, two.theirs.ids
    for webhook, delivery in ((ours["webhook"], theirs["delivery"]), (theirs["webhook"], ours["delivery"])):
        assert two.ask(two.ours.who, "POST", path.format(webhook, delivery), json={}).status_code == 404


def test_a_cursor_of_theirs_is_404_and_looks_like_one_that_was_never_made(two: Two) -> None:
    for page in two.theirs.pages.values():
        answer = two.ask(two.ours.who, "GET", page)
        made_up = two.ask(two.ours.who, "GET", re.sub("cursor=[^&]+", "cursor=AAAAAAAAAAAAAAAAAAAA", page))
        assert answer.status_code == 404
        assert shape(answer) == shape(made_up)
        assert two.ask(two.theirs.who, "GET", page).status_code == 200
    event = two.theirs.get("/api/v1/events").json()["items"][0]["id"]
    answer = two.ask(two.ours.who, "GET", f"/api/v1/events?after={event}")
    made_up = two.ask(two.ours.who, "GET", "/api/v1/events?after=AAAAAAAAAAAAAAAA")
    assert answer.status_code == 404
    assert shape(answer) == shape(made_up)


def test_a_tag_of_theirs_opens_nothing(two: Two) -> None:
    path = f"/api/v1/assets/{two.theirs.ids['asset']}"
    for headers in ({"if-none-match": two.theirs.tags["asset"]}, {"if-none-match": "*"}):
        assert two.ask(two.ours.who, "GET", path, headers=headers).status_code == 404
    answer = two.ask(two.ours.who, "PUT", path, json={"name": "x", "details": {}},
                     headers={"if-match": two.theirs.tags["asset"]})  # fmt: skip
    assert answer.status_code == 404
    assert two.theirs.get(path).headers["etag"] == two.theirs.tags["asset"]


def test_a_key_of_theirs_does_our_own_work_and_replays_nothing(two: Two) -> None:
    body = {"name": "the same name"}
    sent = {"idempotency-key": "the-same-key"}
    first = two.ask(two.theirs.who, "POST", "/api/v1/assets", json=body, headers=sent)
    second = two.ask(two.ours.who, "POST", "/api/v1/assets", json=body, headers=sent)
    assert (first.status_code, second.status_code) == (201, 201)
    assert "idempotency-replayed" not in second.headers
    assert first.json()["id"] != second.json()["id"]
    colleague = two.ask(two.theirs.colleague, "POST", "/api/v1/assets", json=body, headers=sent)
    assert colleague.status_code == 409  # the name is taken; the key itself told nothing
    assert "idempotency-replayed" not in colleague.headers


def test_no_list_export_or_stream_of_ours_has_anything_of_theirs(two: Two) -> None:
    """Every GET without a parameter, in each of its forms."""
    # That an organisation is here, and what it is called, every member may know.
    marks = [f"{two.theirs.slug}-only", f"of {two.theirs.slug}"]
    seen, wrong = 0, []
    for route in two.app.framework.routes:
        if PARAMETER.search(route.path) or route.path.endswith(("/live", "/openapi.json")):
            continue
        for handler in getattr(route, "route_handlers", ()):
            if "GET" not in handler.http_methods:
                continue
            for accept in ("application/json", "text/html"):
                answer = two.ask(two.ours.who, "GET", route.path, headers={"accept": accept})
                assert answer.status_code < 500, (route.path, answer.text)
                seen += answer.status_code == 200
                wrong += [f"{route.path}: {m}" for m in marks if m in answer.text]
    assert seen > 50
    assert wrong == []
