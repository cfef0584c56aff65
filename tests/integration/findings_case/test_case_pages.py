"""Cases as people meet them: the queue, the room, a maintainer's queue, and the same over the API and the commands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from clearway.app import cli
from clearway.findings.case import assets, talk, thread
from clearway.formats.report_advisory import Product
from findings_case_world import Cases
from fleet_world import Fleet, osv, package
from intake_world import kev, write
from site_client import Site, site, words

DRAFT = {
    "title": "Heap buffer overflow", "description": "It reads beyond its buffer.",
    "products": [{"purl": "pkg:pypi/example", "introduced": "1.0", "fixed": "1.2.4"}],
}  # fmt: skip


@pytest.fixture(scope="module")
def served(cases: Cases) -> Iterator[Site]:
    with site(cases.desk.home, cases.world.url) as made:
        yield made


def api(served: Site, who: Any, method: str, path: str, status: int = 200, body: Any = None) -> Any:
    return served.api(who.secret, method, f"/api/v1{path}", status, body).json()


def queued(cases: Cases, **facts: Any) -> str:
    return cases.desk.finding(state="queued", **facts).handling


def test_the_triage_queue_is_ranked_and_says_why(cases: Cases, served: Site) -> None:
    low = queued(cases, title="A low one", severity="low", package="p1")
    high = queued(cases, title="A proven one", severity="low", package="p2")
    with cases.desk.owner() as db:
        db.execute(
            "select clearway.level_finding(finding, 3, 'shown') from clearway.finding where handling = %s",
            (high,),
        )
    waiting = api(served, cases.desk.coordinator, "GET", "/cases/triage")["waiting"]
    order = [w["handling"] for w in waiting if w["handling"] in (low, high)]
    assert order == [high, low]
    assert "breaks no test (E3) +40" in next(w["why"] for w in waiting if w["handling"] == high)
    shown = served.page(cases.desk.coordinator.cookie, "/cases/triage")
    assert "+40 its fix breaks no test (E3)" in words(shown)
    told = next(w for w in waiting if w["handling"] == high)
    assert told["points"] == sum(reason["points"] for reason in told["reasons"])
    at = {"cookie": f"clearway={cases.desk.coordinator.cookie}"}
    assert served.http.get("/cases/triage.json?level=3", headers=at).json() == [told]
    assert high in served.http.get("/cases/triage.csv?level=3", headers=at).text
    assert low not in served.page(cases.desk.coordinator.cookie, "/cases/triage?level=3")
    assert low in served.page(cases.desk.coordinator.cookie, "/cases/triage?level!=3")
    assert f'value="{high}"' in shown, "rows can be chosen, for bulk acts"


def test_chosen_findings_become_one_case_on_the_page(cases: Cases, served: Site) -> None:
    one, two = queued(cases, package="bulk"), queued(cases, package="bulk")
    coordinator = cases.desk.coordinator
    answer = served.post(coordinator.cookie, "/cases/triage", id=[one, two])  # type: ignore[arg-type]
    room = answer.headers["location"]
    assert room.startswith("/cases/CWC-")
    text = words(served.page(coordinator.cookie, room))
    assert one in text
    assert two in text
    third = queued(cases, package="bulk")
    served.post(coordinator.cookie, "/cases/triage", id=third, into=room.rpartition("/")[2])
    assert third in words(served.page(coordinator.cookie, room))
    served.post(coordinator.cookie, "/cases/triage", 422)


def test_a_case_goes_from_findings_to_release_over_the_api(cases: Cases, served: Site) -> None:
    desk = cases.desk
    made = api(served, desk.coordinator, "POST", "/cases", 201, {"findings": [queued(cases)]})
    at = f"/cases/{made['handling']}"
    assert api(
        served,
        desk.coordinator,
        "POST",
        f"{at}/parties",
        201,
        {"role": "vendor", "organisation": desk.vendor, "ask": True},
    )
    (line,) = api(served, desk.maintainer, "GET", "/cases/mine")["waiting"]
    assert (line["case"], line["answer"]) == (made["handling"], "no-answer")
    told = api(served, desk.maintainer, "POST", f"{at}/parties/{line['party']}/acts", 200, {"act": "accept"})
    vendor = next(p for p in told["parties"] if p["mine"])
    assert (vendor["report"], vendor["answer"]) == ("accepted", "affected")
    assert told["findings"] == [], "never another's finding"
    told = api(
        served,
        desk.maintainer,
        "POST",
        f"{at}/embargo/proposals",
        200,
        {"until": "2027-01-15T09:00", "zone": "Europe/Berlin"},
    )
    assert told["proposal"]["until"] == "2027-01-15T08:00:00Z"
    api(served, desk.finder, "POST", f"{at}/embargo/consent", 200, {"said": "agrees"})
    api(served, desk.finder, "POST", f"{at}/embargo/decision", 403, {"outcome": "accept"})
    told = api(served, desk.coordinator, "POST", f"{at}/embargo/decision", 200, {"outcome": "accept"})
    assert (told["embargo"], told["ends"]) == ("active", None)
    own = api(
        served, desk.coordinator, "POST", f"{at}/threads", 201, {"topic": "Fix", "party": line["party"]}
    )["id"]
    api(served, desk.maintainer, "POST", f"{at}/threads/{own}/messages", 201, {"text": "nearly"})
    api(served, desk.finder, "GET", f"{at}/threads/{own}", 404)
    assert [m["text"] for m in api(served, desk.coordinator, "GET", f"{at}/threads/{own}")["messages"]] == [
        "nearly"
    ]
    api(served, desk.coordinator, "POST", f"{at}/arm", 404, {})
    api(served, desk.coordinator, "POST", f"{at}/drafts?summary=first", 201, DRAFT)
    api(served, desk.coordinator, "POST", f"{at}/drafts?summary=bad", 400, {**DRAFT, "products": []})
    assert api(served, desk.maintainer, "GET", f"{at}/draft")["title"] == DRAFT["title"]
    assert api(served, desk.coordinator, "GET", f"{at}/preview/csaf")["document"]["csaf_version"] == "2.1"
    armed = api(served, desk.coordinator, "POST", f"{at}/arm", 200, {"on_exploitation": True})
    assert armed["ends"] == "2027-01-15T08:00:00Z"
    api(served, desk.maintainer, "POST", f"{at}/release", 403, {"why": "now"})
    released = api(served, desk.coordinator, "POST", f"{at}/release", 200, {"why": "a fix is out"})
    assert (released["embargo"], released["public"]) == ("exited", "Pxa")


def test_what_one_may_not_see_is_not_there(cases: Cases, served: Site) -> None:
    case = cases.opened()
    cases.drafted(case)
    for who in (cases.desk.rival, cases.desk.operator, cases.desk.maintainer):
        for path in ("", "/draft", "/preview/csaf", "/threads/1"):
            api(served, who, "GET", f"/cases/{case.handling}{path}", 404)
        assert case.handling not in served.api(who.secret, "GET", "/api/v1/cases.csv").text
        served.page(who.cookie, f"/cases/{case.handling}", 404)
    served.api("", "GET", f"/api/v1/case-documents/{case.handling}/csaf", 404)


def test_the_room_shows_the_clock_the_matrix_and_each_act(cases: Cases, served: Site) -> None:
    case = cases.opened()
    vendor = cases.vendor(case)
    cases.drafted(case)
    desk = cases.desk
    at = f"/cases/{case.handling}"
    text = words(served.page(desk.coordinator.cookie, at))
    assert "no answer" in text
    assert "No day is agreed" in text
    served.post(desk.maintainer.cookie, f"{at}/parties/{vendor.id}", act="dispute", status=422)
    served.post(desk.maintainer.cookie, f"{at}/parties/{vendor.id}", act="dispute", why="It is a feature.")
    served.post(desk.coordinator.cookie, f"{at}/proposals", until="2027-02-01T09:00", zone="Asia/Tokyo")
    served.post(desk.coordinator.cookie, f"{at}/proposals", 422, until="someday", zone="UTC")
    served.post(desk.maintainer.cookie, f"{at}/consent", said="agrees")
    served.post(desk.coordinator.cookie, f"{at}/decision", outcome="accept")
    served.post(desk.coordinator.cookie, f"{at}/threads", topic="For all")
    with cases.acting() as db:
        (made,) = thread.listed(db, case)
    served.post(desk.finder.cookie, f"{at}/threads/{made.id}", text="Hello <script>alert(1)</script>")
    served.post(desk.coordinator.cookie, f"{at}/arm")
    shown = served.page(desk.coordinator.cookie, at)
    text = words(shown)
    for said in ("Mon 1 Feb 2027, 09:00 Asia/Tokyo", "Mon 1 Feb 2027, 00:00 UTC", "Armed: it ends by itself then",
                 "disputed It is a feature.", "Hello <script>alert(1)</script>"):  # fmt: skip
        assert said in text, said
    assert "<script>alert" not in shown
    served.post(desk.coordinator.cookie, f"{at}/drafts", draft=json.dumps(DRAFT), summary="better", base="1")
    served.post(desk.coordinator.cookie, f"{at}/drafts", 422, draft="{", summary="worse")
    served.post(desk.coordinator.cookie, f"{at}/cve", cve="CVE-2026-5555")
    served.post(desk.coordinator.cookie, f"{at}/release", 422, phrase="wrong")
    served.post(desk.coordinator.cookie, f"{at}/release", phrase=case.handling)
    assert "Ended" in words(served.page(desk.maintainer.cookie, at))
    served.page(desk.maintainer.cookie, "/cases/mine")
    assert case.handling in served.page(desk.finder.cookie, "/cases")


def test_the_directory_routes_by_purl(cases: Cases, served: Site) -> None:
    desk = cases.desk
    made = api(
        served,
        desk.coordinator,
        "POST",
        "/cases/routes",
        201,
        {"ecosystem": "npm", "pattern": "@acme/*", "organisation": desk.vendor},
    )
    api(
        served,
        desk.coordinator,
        "POST",
        "/cases/routes",
        201,
        {"pattern": "@acme/exact", "email": "exact@example.org"},
    )
    api(served, desk.finder, "POST", "/cases/routes", 403, {"pattern": "x", "email": "a@example.org"})
    case = cases.opened(ecosystem="npm", package="@acme/other", purl="pkg:npm/%40acme/other@1")
    found = api(served, desk.coordinator, "GET", f"/cases/{case.handling}/contacts")
    assert [a["member"] for a in found["asked"]] == [desk.vendor]
    exact = cases.opened(ecosystem="npm", package="@acme/exact", purl="pkg:npm/%40acme/exact@1")
    found = api(served, desk.coordinator, "GET", f"/cases/{exact.handling}/contacts")
    assert [a["email"] for a in found["asked"]] == ["exact@example.org"]
    api(served, desk.coordinator, "GET", f"/cases/{case.handling}/contacts?domain=127.0.0.1", 400)
    left = api(served, desk.coordinator, "POST", f"/cases/routes/{made['id']}/end")
    assert made["id"] not in [r["id"] for r in left["routes"]]


def test_a_case_is_closed_and_opened_again_on_its_page_and_over_the_api(cases: Cases, served: Site) -> None:
    case, coordinator = cases.opened(package="reopened"), cases.desk.coordinator
    room = f"/cases/{case.handling}"
    assert "Open it again" not in words(served.page(coordinator.cookie, room))
    served.post(coordinator.cookie, f"{room}/standing", why="no flaw")
    shown = words(served.page(coordinator.cookie, room))
    assert "Open it again" in shown
    assert "closed" in shown
    assert "nothing, or say why" not in shown
    served.post(coordinator.cookie, f"{room}/standing", 422)
    api(served, cases.desk.finder, "POST", f"{room}/reopening", 403, {"why": "it is ours"})
    api(served, coordinator, "POST", f"{room}/reopening", 400, {"why": ""})
    again = api(served, coordinator, "POST", f"{room}/reopening", 200, {"why": "it is one after all"})
    assert again["closed"] is None
    assert [a["act"] for a in again["history"][:2]] == ["reopen", "close"]
    assert "it is one after all" in words(served.page(coordinator.cookie, room))
    api(served, coordinator, "POST", f"{room}/reopening", 409, {"why": "again"})


def test_an_operator_who_takes_part_sees_its_own_assets_and_no_other_does(cases: Cases, served: Site) -> None:
    today = datetime.now(UTC).date()
    fleet = Fleet(cases.world, cases.desk.people, "clinic")
    fleet.ingest(osv("PYSEC-PAGES", package("PyPI", "beside-pages", "2.0")), at=today)
    fleet.upload(fleet.asset("ward-7", day=today), "pkg:pypi/wardtool@1.2.3", day=today)
    case = cases.opened(package="wardtool", purl="pkg:pypi/wardtool@1.2.3")
    cases.drafted(case, products=(Product(purl="pkg:pypi/wardtool", introduced="1.0", fixed="1.3"),))
    room, coordinator = f"/cases/{case.handling}", cases.desk.coordinator
    served.page(fleet.operator.cookie, room, 404)
    api(served, coordinator, "POST", f"{room}/parties", 201, {"role": "operator", "organisation": fleet.org})
    with cases.desk.owner() as db:
        assert assets.follow(db, cases.desk.vault, today) >= 1
    shown = words(served.page(fleet.operator.cookie, room))
    assert "Your assets" in shown
    assert "ward-7 : wardtool 1.2.3" in shown, shown[shown.index("Your assets") :][:400]
    assert "TLP:RED" in shown
    assert "ward-7" not in served.page(coordinator.cookie, room)
    listed = words(served.page(fleet.operator.cookie, "/exposure?sort=due"))
    assert case.handling in listed
    assert "ward-7" in words(served.page(fleet.operator.cookie, f"/flaws/{case.handling}"))
    for other in (coordinator, cases.desk.operator):
        assert case.handling not in served.page(other.cookie, "/exposure?sort=due")
    served.page(cases.desk.operator.cookie, f"/flaws/{case.handling}", 404)
    served.post(fleet.operator.cookie, f"{room}/proposals", 403, until="2027-01-01T09:00", zone="UTC")


def test_an_id_that_is_public_is_noted_by_who_says_that_they_looked(
    cases: Cases, served: Site, tmp_path: Path
) -> None:
    listing = write(
        tmp_path / "known_exploited_vulnerabilities.json", kev("2026.11.25", "CVE-2021-44228", "CVE-2021-1")
    )
    cases.world.take(listing, at=datetime.now(UTC))
    case, other = cases.opened(), cases.opened()
    coordinator, room = cases.desk.coordinator, f"/cases/{case.handling}"
    shown = served.post(coordinator.cookie, f"{room}/cve", 422, cve="CVE-2021-44228").text
    assert "this CVE id is public already and listed as exploited: cisa-kev CVE-2021-44228" in words(shown)
    assert 'name="sure"' in shown
    assert "I have looked, and it is so" not in shown, "the draft's own question is another"
    said = api(served, coordinator, "POST", f"{room}/cve", 400, {"cve": "CVE-2021-44228"})
    assert "say that you are sure" in json.dumps(said)
    served.post(coordinator.cookie, f"{room}/cve", 303, cve="CVE-2021-44228", sure="yes")
    assert cases.again(case).cve == "CVE-2021-44228"
    api(
        served,
        coordinator,
        "POST",
        f"/cases/{other.handling}/cve",
        409,
        {"cve": "CVE-2021-44228", "sure": True},
    )


def test_a_proposal_whose_hour_has_passed_is_only_there_to_be_refused(cases: Cases, served: Site) -> None:
    case = cases.opened()
    cookie, room = cases.desk.coordinator.cookie, f"/cases/{case.handling}"
    with cases.acting() as db:
        talk.propose(db, case, datetime.now(UTC) + timedelta(days=1), "UTC", now=datetime.now(UTC))
    assert "This is agreed" in served.page(cookie, room)
    with cases.desk.owner() as db:
        db.execute(
            "update clearway.case_proposal set until = now() - interval '1 hour' where case_id = %s",
            (case.id,),
        )
    shown = served.page(cookie, room)
    assert "This is agreed" not in shown
    assert "The hour has passed: refuse it" in shown
    served.post(cookie, f"{room}/decision", 422, outcome="accept")
    assert cases.again(case).em == "proposed"
    served.post(cookie, f"{room}/decision", 303, outcome="refuse")


@pytest.mark.slow
def test_what_a_screen_does_with_addresses_findings_and_drafts_a_command_does(
    cases: Cases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CLEARWAY_TOKEN", cases.desk.coordinator.secret)
    monkeypatch.setenv("CLEARWAY_DATABASE_URL", cases.world.url)

    def run(*given: str, code: int = 0) -> Any:
        assert cli.main(["--home", str(cases.desk.home), "finding", "case", *given, "--json"]) == code
        out = capsys.readouterr().out
        return json.loads(out) if out else None

    first, second = queued(cases, package="cli"), queued(cases, package="cli", place="src/other.c")
    handling = run("open", first)["handling"]
    made = run(
        "party", handling, "--name", "A maintainer", "--role", "maintainer", "--email", "a@example.org"
    )
    number = str(next(p["id"] for p in made["parties"] if p["role"] == "maintainer"))
    run("reach", handling, number, "b@example.org", "--source", "security.txt")
    assert [c["email"] for c in run("reach", handling, number)["contacts"]] == [
        "b@example.org",
        "a@example.org",
    ]
    assert run("reach", handling, number)["contacts"][0]["source"] == "security.txt"
    run("reach", handling, number, "b@example.org", code=7)
    run("reach", handling, number, "no address", code=10)
    run("reach", handling, "99", "c@example.org", code=6)
    assert second in run("take", handling, second)["findings"]
    file = tmp_path / "draft.json"
    file.write_text(json.dumps(DRAFT))
    run("draft", handling, str(file), "--summary", "first")
    again = run("drafted", handling)
    file.write_text(json.dumps({**again, "solution": "Update."}))
    run("draft", handling, str(file), "--summary", "second")
    assert run("drafted", handling)["solution"] == "Update."
    assert run("drafted", handling, "--number", "1") == again
    run("document", handling, code=6)
    line = run("route-add", "cli*", "--org", "vendor", "--ecosystem", "PyPI")["id"]
    assert line in [one["id"] for one in run("routes") if one["pattern"] == "cli*"]
    run("route-end", str(line))
    run("route-end", str(line), code=6)
    run("party", handling, "--org", "vendor", "--ask")
    monkeypatch.setenv("CLEARWAY_TOKEN", cases.desk.maintainer.secret)
    assert handling in [one["case"] for one in run("mine")]
    run("reach", handling, number, code=5)
    run("reach", handling, number, "d@example.org", code=5)
    run("take", handling, second, code=6)  # a finding that is not theirs to see


def test_the_commands_run_a_case(
    cases: Cases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CLEARWAY_TOKEN", cases.desk.coordinator.secret)
    monkeypatch.setenv("CLEARWAY_DATABASE_URL", cases.world.url)
    file = tmp_path / "draft.json"
    file.write_text(json.dumps(DRAFT))

    def run(*given: str, code: int = 0) -> str:
        assert cli.main(["--home", str(cases.desk.home), "finding", "case", *given]) == code
        return capsys.readouterr().out

    finding = queued(cases, title="From the \x1b[31mcommand line", package="cli")
    assert "\x1b" not in run("triage")
    handling = json.loads(run("open", finding, "--json"))["handling"]
    run("party", handling, "--org", "vendor", "--ask")
    assert "no-answer" in run("show", handling)
    run("propose", handling, "2027-03-01T12:00", "--zone", "Europe/Berlin")
    assert json.loads(run("agree", handling, "--json"))["until"] == "2027-03-01T11:00:00Z"
    run("draft", handling, str(file), "--summary", "first")
    run("cve", handling, "--id", "CVE-2026-6666")
    assert json.loads(run("preview", handling))["document"]["tracking"]["id"] == handling
    file.write_text(json.dumps({**DRAFT, "description": "C1 \x9b31m and \u202e direction"}))
    run("draft", handling, str(file), "--summary", "hostile", code=10)
    file.write_text(json.dumps(DRAFT))
    run("draft", handling, str(file), "--summary", "again")
    vendor = json.loads(run("show", handling, "--json"))["parties"][0]["id"]
    run("answer", handling, str(vendor), "not-affected", "--why", "another build")
    run("escalate", handling, str(vendor), "remind", code=7)
    run("orphan", handling, "vendor", "--why", "nobody", code=7)
    run("thread", handling, "The fix")
    topic = json.loads(run("threads", handling, "--json"))[0]["id"]
    run("say", handling, str(topic), "It is in 1.2.4.")
    assert "It is in 1.2.4." in run("read", handling, str(topic))
    run("say", handling, str(topic), "C1 \x9b31m and \u202e direction")
    with monkeypatch.context() as terminal:
        terminal.setattr("sys.stdout.isatty", lambda: True)
        shown = run("read", handling, str(topic), "--json")
    assert "\x9b" not in shown
    assert "\u202e" not in shown
    assert json.loads(shown) == json.loads(run("read", handling, str(topic), "--json"))
    run("propose", handling, "2027-04-01T12:00")
    run("consent", handling, "agrees", "--party", str(vendor))
    run("refuse", handling, "--why", "too late")
    assert "embargo  keep: revised -> active" in run("history", handling)
    run("observe", handling, "exploit-published", "--why", "a talk")
    again = queued(cases, package="cli", title="Another flaw")
    assert run("remove", handling, again, code=6) == ""
    run("routes")
    run("leave", handling, str(vendor), "--why", "it left")
    run("arm", handling)
    assert handling in run("list")
    told = json.loads(run("release", handling, "--why", "out", "--json"))
    assert (told["embargo"], told["published"] is not None) == ("exited", True)
    run("close", handling, "--why", "it is out")
    run("reopen", handling, "--why", " ", code=10)
    assert json.loads(run("reopen", handling, "--why", "the fix does not hold", "--json"))["closed"] is None
    run("show", "CWC-0000-0000", code=6)
