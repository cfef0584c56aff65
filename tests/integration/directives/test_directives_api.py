"""The routes of directives: whole tasks over HTTP, the same rights as below them, and 404 for what is not one's own."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from litestar.testing import TestClient
from test_issue_kept import DOCUMENT
from test_reports_kept import fleet  # noqa: F401

import kept_builds  # noqa: F401
from clearway.directives.api import routes
from clearway.directives.issue import sign
from clearway.http.acting import Doorkeeper
from clearway.http.application import application
from clearway.http.cursor import Seals
from clearway.store import cursor_keys
from clearway.store.connect import connect, translated
from directive_desk import Desk
from published import validated

ROOT = "/api/v1/directives"
DAY = datetime.now(UTC).date().isoformat()  # the last that can be reported on


class Client:
    """Requests by "role@organisation"."""

    def __init__(self, desk: Desk, http: TestClient[Any]) -> None:
        self.desk = desk
        self.http = http

    def ask(self, who: str, method: str, path: str, body: Any = None, **headers: str) -> Any:
        sent = {"authorization": f"Bearer {self.desk.secrets[who]}", **headers} if who else headers
        return self.http.request(method, ROOT + path, json=body, headers=sent)

    def get(self, who: str, path: str, status: int = 200) -> Any:
        answer = self.ask(who, "GET", path)
        assert answer.status_code == status, answer.text
        return answer

    def post(self, who: str, path: str, body: Any, status: int = 201, **headers: str) -> Any:
        answer = self.ask(who, "POST", path, body, **headers)
        assert answer.status_code == status, answer.text
        return answer.json()


@pytest.fixture
def client(fleet: Desk) -> Iterator[Client]:  # noqa: F811
    door = Doorkeeper(fleet.pool)
    with fleet.pool.owner() as owner:
        keys = cursor_keys.keys(owner)
    app = application(
        [routes()], guard=door.guard(), state={"doorkeeper": door, "seals": Seals(lambda: keys)}
    )
    with TestClient(app, base_url="http://clearway.local") as http:  # type: ignore[arg-type]
        yield Client(fleet, http)


def issued(client: Client) -> dict[str, Any]:
    signature = base64.b64encode(sign(DOCUMENT, client.desk.private).signature).decode()
    body = {"organisation": "authority", "document": DOCUMENT.decode(), "signature": signature}
    made: dict[str, Any] = client.post("official@authority", "/versions", body)
    everyone = {"water": "binding", "hospital": "advisory"}
    to = {
        "organisation": "authority",
        "directive": "bod-26-04",
        "recipients": everyone,
    }
    # Nobody is bound for days on which nothing was issued.
    early = {**to, "since": "2026-11-01"}
    assert "in effect" in client.post("official@authority", "/addresses", early, 400)["detail"]
    assert client.post("official@authority", "/addresses", to, 200) == {"addressed": 2}
    return made


def test_from_issuing_to_compliance(client: Client) -> None:
    made = issued(client)
    document = client.get("operator@water", f"/versions/{made['id']}/document")
    assert document.content == DOCUMENT
    (todo,) = client.get("operator@water", f"/addressed?as_of={DAY}").json()["items"]
    assert (todo["standing"], todo["acknowledged"]) == ("binding", None)
    client.post("operator@water", f"/versions/{made['id']}/acknowledgement", {"note": "read"}, 200)
    draft = client.get("operator@water", f"/draft/bod-26-04/seven-day?as_of={DAY}").content
    validated("directive-report-remediation", draft)
    report = {
        "directive": "bod-26-04", "kind": "seven_day", "as_of": DAY, "share_with": "authority",
        "sha256": hashlib.sha256(draft).hexdigest(),
    }  # fmt: skip
    kept = client.post("operator@water", "/reports", report)
    assert kept["sha256"] == report["sha256"]
    body = client.get("official@authority", f"/reports/{kept['id']}/body").content
    assert body == draft
    view = client.get("official@authority", f"/compliance/bod-26-04?as_of={DAY}").json()
    validated("directive-compliance", view)
    assert [(o["organisation"], o["counts_as_of"]) for o in view["organisations"]] == [
        ("hospital", None),
        ("water", DAY),
    ]
    csv = client.get("official@authority", f"/compliance/bod-26-04?as_of={DAY}&form=csv")
    assert csv.headers["content-type"].startswith("text/csv")
    with translated(), connect(client.desk.url) as owner:
        read = owner.execute(
            "select subject from clearway.log_entry where act = 'content.read' order by entry"
        )
        org = owner.execute("select org from clearway.organisation where slug = 'water'").fetchone()
        assert org is not None
        subjects = [str(subject) for (subject,) in read]
    assert subjects[:2] == ["list/addressed", f"org/{org[0]}/draft/bod-26-04/seven_day"]
    assert subjects[2:] == [f"report/{kept['id']}"] * 3


def test_a_report_in_each_of_its_forms(client: Client) -> None:
    for form, starts in (("csv", "directive,"), ("text", "Seven-day report"), ("oscal", "{")):
        text = client.get("operator@water", f"/draft/bod-26-04/seven-day?as_of={DAY}&form={form}").text
        assert text.startswith(starts)


def test_the_report_that_is_submitted_is_the_one_that_was_read(client: Client) -> None:
    wanted = {"directive": "bod-26-04", "kind": "overdue", "as_of": DAY, "sha256": "0" * 64}
    assert client.post("operator@water", "/reports", wanted, 409)["where"] == "sha256"
    assert client.get("operator@water", "/reports").json()["items"] == []


def test_a_kind_is_written_either_way_wherever_it_is_asked_for(client: Client) -> None:
    for kind, day in (("two_week", DAY), ("two-week", "2026-11-20")):
        assert client.get("operator@water", f"/draft/bod-26-04/{kind}?as_of={day}").status_code == 200
        made = client.post(
            "operator@water", "/reports", {"directive": "bod-26-04", "kind": kind, "as_of": day}
        )
        assert made["kind"] == "two_week"
        found = client.get("operator@water", f"/reports?kind={kind}").json()["items"]
        assert {(line["id"], line["kind"]) for line in found} >= {(made["id"], "two_week")}
    assert client.get("operator@water", "/reports?kind=two-week").json()["items"] == [
        *client.get("operator@water", "/reports?kind=two_week").json()["items"]
    ]


def test_a_submission_that_is_sent_again_is_one(client: Client) -> None:
    wanted = {"directive": "bod-26-04", "kind": "overdue", "as_of": DAY}
    first, second = (
        client.post("operator@water", "/reports", wanted, **{"idempotency-key": "k1"}) for _ in range(2)
    )
    assert first == second
    assert client.desk.log("directive.reported") == 1


def test_what_nobody_can_know_yet_is_not_reported(client: Client) -> None:
    tomorrow = (datetime.now(UTC).date() + timedelta(days=1)).isoformat()
    wanted: dict[str, Any] = {"directive": "bod-26-04", "kind": "seven_day", "as_of": tomorrow}
    assert client.post("operator@water", "/reports", wanted, 400)["where"] == "body.as_of"
    wanted |= {
        "kind": "addresses",
        "as_of": DAY,
        "attested": {"by": "operator of water", "role": "operator", "on": tomorrow},
    }
    assert client.post("operator@water", "/reports", wanted, 400)["where"] == "attested.on"
    assert client.get("operator@water", "/reports").json()["items"] == []


def test_a_triage_is_of_ones_own_asset_and_counts_from_the_catalogues_day(client: Client) -> None:
    with translated(), connect(client.desk.url) as owner:
        owner.execute("update clearway.flaw set kev = '2026-11-03' where id = 'CVE-2026-2'")
        found = owner.execute(
            "select o.slug, a.asset from clearway.asset a join clearway.organisation o using (org)"
        )
        assets = {slug: f"asset/{asset}" for slug, asset in found}
    about = {
        "asset": assets["water"],
        "flaw": "CVE-2026-2",
        "component": "PyPI:beta@2",
        "kev_added": "2026-11-03T00:00:00Z",
    }
    for wrong, status, where in (
        ({"asset": assets["hospital"]}, 404, assets["hospital"]),
        ({"asset": "asset/999999"}, 404, "asset/999999"),
        ({"flaw": "CVE-2026-3"}, 400, "flaw"),
        ({"component": "gamma"}, 400, "component"),
        ({"kev_added": "2026-11-04T00:00:00Z"}, 400, "kev_added"),
    ):
        refused = client.post("operator@water", "/triages", about | wrong, status)
        assert refused["where"] == where
    assert client.get("operator@water", "/triages").json()["items"] == []
    client.post("operator@water", "/triages", about)
    client.post("operator@water", "/triages", about | {"asset": "the old gateway"})  # of no kept fleet


def test_addresses_need_somebody_who_attests(client: Client) -> None:
    wanted: dict[str, Any] = {"directive": "bod-26-04", "kind": "addresses", "as_of": "2026-11-01"}
    client.post("operator@water", "/reports", wanted, 400)
    wanted["attested"] = {"by": "operator of water", "role": "operator"}
    kept = client.post("operator@water", "/reports", wanted)
    body = client.get("operator@water", f"/reports/{kept['id']}/body").json()
    validated("directive-report-addresses", body)


def test_a_triage_from_opening_to_its_report(client: Client) -> None:
    about = {
        "asset": "gw-1",
        "flaw": "CVE-2026-1",
        "component": "alpha",
        "kev_added": "2026-11-01T00:00:00Z",
    }
    made = client.post("operator@water", "/triages", about)
    event = {"event": "patched", "at": "2026-11-02T00:00:00Z", "by": "operator", "what": "update"}
    path = f"/triages/{made['id']}/events"
    after = client.post("operator@water", path, {"after": 0, "event": event})
    assert after["book"]["flags"][0] == "patched, and no volatile evidence was taken"
    assert client.post("operator@water", path, {"after": 0, "event": event}, 409)["status"] == 409
    validated("directive-triage", client.get("auditor@water", f"/triages/{made['id']}/report").content)
    text = client.get("auditor@water", f"/triages/{made['id']}/report?form=text").text
    assert text.startswith("Forensic triage: CVE-2026-1")
    assert [t["id"] for t in client.get("operator@water", "/triages").json()["items"]] == [made["id"]]
    assert client.get("operator@hospital", "/triages").json()["items"] == []


def test_what_is_anothers_is_404_in_the_same_shape_as_what_is_not_there(client: Client) -> None:
    wanted = {"directive": "bod-26-04", "kind": "overdue", "as_of": DAY}
    report = client.post("operator@water", "/reports", wanted)["id"]
    about = {"asset": "a", "flaw": "f", "component": "c", "kev_added": "2026-11-01T00:00:00Z"}
    triage = client.post("operator@water", "/triages", about)["id"]
    for path in ("/reports/{}", "/reports/{}/body", "/triages/{}", "/triages/{}/report"):
        number = report if path.startswith("/reports") else triage
        hidden, missing = (
            client.get("operator@hospital", path.format(n), 404).json() for n in (number, 99_999)
        )
        same = {"type", "title", "status", "detail"}
        assert {k: hidden[k] for k in same & set(hidden)} == {k: missing[k] for k in same & set(missing)}, (
            path
        )
    event = {"after": 0, "event": {"event": "patched", "at": "2026-11-02T00:00:00Z", "by": "x", "what": "y"}}
    client.post("operator@hospital", f"/triages/{triage}/events", event, 404)


FORGED = {
    "organisation": "authority",
    "document": DOCUMENT.decode(),
    "signature": base64.b64encode(bytes(64)).decode(),
}
ABOUT = {"asset": "a", "flaw": "f", "component": "c", "kev_added": "2026-11-01T00:00:00Z"}
REFUSED: list[tuple[str, str, str, Any, int]] = [
    ("official@authority", "POST", "/versions", FORGED, 400),
    ("operator@water", "GET", "/draft/%00/overdue", None, 404),
    ("official@authority", "GET", "/compliance/%00", None, 404),
    ("operator@water", "POST", "/triages", {**ABOUT, "kev_added": "0001-01-01T00:00:00+14:00"}, 400),
    ("operator@water", "POST", "/triages", {**ABOUT, "kev_added": "2026-11-01T00:00:00"}, 400),
    ("operator@water", "POST", "/triages", {**ABOUT, "flaw": ""}, 400),
    ("operator@water", "POST", "/triages/1/events", {"after": 0, "event": {"event": "patched"}}, 400),
        ("", "GET", "/versions", None, 401),
        ("", "POST", "/reports", {}, 401),
        ("operator@water", "POST", "/versions", {}, 403),
        ("operator@authority", "GET", "/compliance/bod-26-04", None, 403),
        ("auditor@water", "POST", "/reports", {}, 403),
        ("official@water", "GET", "/compliance/bod-26-04", None, 403),
        ("official@authority", "GET", "/compliance/bod-99-99", None, 404),
        ("operator@water", "GET", "/draft/bod-26-04/daily", None, 400),
        ("operator@water", "GET", "/draft/../x/overdue", None, 404),
        ("operator@water", "GET", "/draft/bod-26-04/overdue?as_of=2026-13-01", None, 400),
        ("operator@water", "GET", "/draft/bod-26-04/overdue?as_of=9999-12-31", None, 400),
        ("operator@water", "GET", "/draft/bod-26-04/two-week?as_of=0001-01-01", None, 400),
        ("operator@water", "GET", "/draft/bod-26-04/addresses?form=oscal", None, 400),
        ("operator@water", "GET", "/draft/bod-26-02/seven-day", None, 404),
        ("operator@water", "GET", "/draft/bod-22-01/lifecycle", None, 404),
        ("operator@water", "GET", "/draft/bod-26-04/overdue?organisation=hospital", None, 404),
        ("operator@water", "GET", "/reports?kind=daily", None, 400),
        ("operator@water", "GET", "/triages/99999999999999999999", None, 404),
        ("operator@water", "POST", "/triages", {"asset": "a", "extra": 1}, 400),
        ("administrator@authority", "POST", "/keys", {"organisation": "authority", "key": "x"}, 400),
        ("administrator@water", "POST", "/keys", {"organisation": "water", "key": "00" * 32}, 403),
        ("official@authority", "POST", "/versions",
         {"organisation": "authority", "document": "{}", "signature": "?"}, 400),
]  # fmt: skip


def test_what_is_refused_says_so(client: Client) -> None:
    hostile = {**ABOUT, "asset": "\0\u202e", "flaw": "x\0y", "asset_name": "\n", "component": "=1"}
    made = client.post("operator@water", "/triages", hostile)
    assert made["book"]["subject"]["asset"] == "\ufffd\ufffd"
    for who, method, path, body, status in REFUSED:
        answer = client.ask(who, method, path, body)
        assert answer.status_code == status, (who, method, path, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
