"""The pages of findings: the form, the reporter's own view, the question before, what receivers take; text is data."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest

from findings_world import Desk, Template
from intake_world import World, osv, package, write
from report_documents import CANARY, PROOF, dump, own
from site_client import Site, site, words

_COUNT = count()
HOSTILE = "<img src=x onerror=alert(1)>{{191*7919}}\"'><script>alert(2)</script>"


@pytest.fixture(scope="module")
def desk_and_world(
    desk_template: Template, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Desk, World]]:
    """One desk for all tests of this file: what a form reports has a title of its own each time."""
    yield from desk_template.copy(tmp_path_factory.mktemp("pages") / "home")


@pytest.fixture(scope="module")
def desk(desk_and_world: tuple[Desk, World]) -> Desk:
    return desk_and_world[0]


@pytest.fixture(scope="module")
def pages(desk: Desk) -> Iterator[Site]:
    with site(desk.home, desk.people.url) as made:
        yield made


def send(
    pages: Site, desk: Desk, path: str, status: int, files: Any = None, who: Any = None, **fields: str
) -> Any:
    """Sends a form with files, as a browser does."""
    cookie = (who or desk.finder).cookie
    sent = {"accept": "text/html", "cookie": f"clearway={cookie}", "origin": "http://clearway.local"}
    shown = pages.http.get("/sign-in", headers=sent, follow_redirects=False).text
    token = re.search(r'name="csrf-token" content="([^"]+)"', shown)
    if "title" in fields:
        fields["title"] += f" {next(_COUNT)}"
    fields["_csrf"] = token.group(1) if token else ""
    answer = pages.http.post(
        path, data=fields, files=files or {"files": ("", b"")}, headers=sent, follow_redirects=False
    )
    assert answer.status_code == status, words(answer.text)[:1500]
    return answer


FORM = {
    "title": "Heap overflow",
    "purl": "pkg:pypi/example@1.7.15",
    "file": "src/parse.c",
    "function": "parse_string",
    "cwe": "125",
    "severity": "high",
    "description": "it reads past the end",
    "release": "1.7.15",
    "steps": "feed the file to parse() of a fresh installation",
    "source_file": "src/parse.c",
    "sink_function": "parse_string",
    "mode": "live",
    "finder": "A. Finder",
}
RULED_OUT = {
    f"shape_{key}": "looked at, and it is not so"
    for key in ("test_code", "trusted_input", "harness_only", "not_in_release", "documented", "debug_build")
}


def test_a_form_that_is_filled_in_becomes_a_finding_that_lacks_nothing(pages: Site, desk: Desk) -> None:
    answer = send(
        pages, desk, "/findings/report", 303, files={"proof": ("poc.json", PROOF)}, **FORM, **RULED_OUT
    )
    where = answer.headers["location"]
    assert re.fullmatch(r"/findings/CWF-[0-9A-Z]{4}-[0-9A-Z]{4}", where)
    shown = words(pages.page(desk.finder.cookie, where))
    assert "Waits for validation" in shown
    assert "missing:" not in shown
    assert "poc.json" in shown
    receipt = pages.http.get(f"{where}/receipt.json", headers={"cookie": f"clearway={desk.finder.cookie}"})
    assert receipt.json()["payloadType"].endswith("receipt+json")


def test_what_is_missing_is_shown_and_added_on_the_page(pages: Site, desk: Desk) -> None:
    where = send(pages, desk, "/findings/report", 303, **{**FORM, "source_file": ""}).headers["location"]
    shown = words(pages.page(desk.finder.cookie, where))
    assert "Something is missing" in shown
    assert "the source of the data" in shown
    send(
        pages, desk, f"{where}/supplement", 303, files={"proof": ("poc.json", PROOF)},
        source_file="a.c", sink_file="b.c", release="1.7.15", steps=FORM["steps"], **RULED_OUT,
    )  # fmt: skip
    assert "Waits for validation" in words(pages.page(desk.finder.cookie, where))


def test_a_wrong_field_is_shown_beside_its_field_with_what_was_typed(pages: Site, desk: Desk) -> None:
    answer = send(pages, desk, "/findings/report", 422, **{**FORM, "purl": "no purl", "description": HOSTILE})
    assert 'id="field-purl-error"' in answer.text
    assert "no purl" in answer.text
    assert "<img src=x" not in answer.text


def test_a_document_with_many_reports_lands_on_a_page_that_says_which(pages: Site, desk: Desk) -> None:
    document = dump([own(title="one"), own(title=HOSTILE, cwe="x"), own(title=HOSTILE)])
    answer = send(pages, desk, "/findings/report", 200, files={"document": ("all.json", document)})
    assert "2 reports landed, 2 of them new" in words(answer.text)
    assert "reports[1].cwe" in answer.text
    broken = send(pages, desk, "/findings/report", 422, files={"document": ("x.json", b"{")})
    assert "not JSON" in broken.text


def test_text_of_a_report_is_data_on_every_page(pages: Site, desk: Desk) -> None:
    report = own(
        title=HOSTILE, affected={"ecosystem": "x", "name": HOSTILE, "release": HOSTILE[:100]},
        place={"file": HOSTILE, "function": HOSTILE}, files=[{"name": HOSTILE, "text": "x"}], trace=[],
    )  # fmt: skip
    answer = send(pages, desk, "/findings/report", 303, files={"document": (HOSTILE, dump(report))})
    where = answer.headers["location"]
    for who in (desk.finder, desk.coordinator):
        for path in ("/findings", where, "/findings/limits"):
            shown = pages.page(who.cookie, path)
            assert "<img src=x" not in shown
            assert "<script>alert" not in shown
            assert CANARY not in shown
    assert "1512529" not in words(pages.page(desk.finder.cookie, where))


def test_a_stranger_sees_no_finding_and_no_sign_of_one(pages: Site, desk: Desk) -> None:
    where = send(pages, desk, "/findings/report", 303, **FORM).headers["location"]
    for who in (desk.rival, desk.maintainer, desk.operator):
        pages.page(who.cookie, where, 404)
        assert "CWF-" not in pages.page(who.cookie, "/findings")
    pages.page("", where, 401)


def test_a_withdrawn_finding_says_so(pages: Site, desk: Desk) -> None:
    where = send(pages, desk, "/findings/report", 303, **FORM).headers["location"]
    pages.post(desk.finder.cookie, f"{where}/withdraw", why="a mistake")
    assert "Withdrawn" in words(pages.page(desk.finder.cookie, where))


def test_everybody_may_ask_whether_a_flaw_is_public(
    pages: Site, desk: Desk, world: World, tmp_path: Any
) -> None:
    record = osv("PYSEC-2026-1", package("PyPI", "example", "1.8.0"), aliases=["CVE-2026-0001"])
    world.take(write(tmp_path / "record.json", record), at=datetime.now(UTC))
    shown = pages.page("", "/findings/check")
    assert "Is it public already" in shown
    answer = pages.post(
        "", "/findings/check", 200, purl="pkg:pypi/example@1.7.15", cwe="125", place="src/parse.c"
    )
    assert "CVE-2026-0001" in answer.text
    wrong = pages.post("", "/findings/check", 422, purl=HOSTILE)
    assert "<img src=x" not in wrong.text


def test_a_receiver_sets_a_limit_and_a_coordinator_confirms_it(pages: Site, desk: Desk) -> None:
    pages.post(
        desk.maintainer.cookie,
        "/findings/limits",
        ecosystem="PyPI",
        package="example",
        per_reporter="3",
        note=HOSTILE,
    )
    assert "not confirmed" in words(pages.page(desk.finder.cookie, "/findings/limits"))
    with desk.owner() as db:
        (number,) = db.execute("select max(intake_limit) from clearway.intake_limit").fetchone() or (0,)
    pages.post(desk.coordinator.cookie, f"/findings/limits/{number}/confirmation", holds="yes")
    shown = words(pages.page(desk.finder.cookie, "/findings/limits"))
    assert "not confirmed" not in shown
    assert "3 in seven days from one reporter" in shown
    pages.post(desk.maintainer.cookie, "/findings/limits", 422, package="example", per_reporter="many")


def test_a_mark_is_given_appealed_and_decided_on_the_page_of_the_finding(pages: Site, desk: Desk) -> None:
    where = send(pages, desk, "/findings/report", 303, **FORM).headers["location"]
    assert "Say how it counts" not in pages.page(desk.finder.cookie, where)
    assert "Say how it counts" in pages.page(desk.coordinator.cookie, where)
    pages.post(desk.coordinator.cookie, f"{where}/mark", 422, mark="awful", because="x")
    pages.post(desk.coordinator.cookie, f"{where}/mark", mark="invalid", because=HOSTILE)
    shown = pages.page(desk.finder.cookie, where)
    assert "<img src=x" not in shown
    pages.post(desk.finder.cookie, f"{where}/appeal", appeal="it is not so")
    assert "does not count" in words(pages.page(desk.finder.cookie, where))
    with desk.owner() as db:
        (number,) = db.execute("select max(appeal) from clearway.mark_appeal").fetchone() or (0,)
    pages.post(
        desk.coordinator.cookie, f"{where}/appeals/{number}", 422, outcome="granted", reason="I was wrong"
    )
    other = desk.people.somebody(desk.people.house, "coordinator", name="Another")
    pages.post(other.cookie, f"{where}/appeals/{number}", outcome="granted", reason="it was not")
    assert "granted" in words(pages.page(desk.finder.cookie, where))
