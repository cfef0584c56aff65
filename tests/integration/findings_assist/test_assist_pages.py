"""The region on the pages, the API and the command, as each reader meets them."""

from __future__ import annotations

import argparse
import io
import json
import re
import sys
from pathlib import Path

import pytest

from assist_world import Assist
from clearway.findings import commands
from clearway.findings.assist import kept
from clearway.findings.dedup import edge
from clearway.findings.kept import Finding
from findings_world import Desk
from people import Somebody
from site_client import Site, words


@pytest.fixture
def pages(one_site: Site, desk: Desk) -> Site:
    return one_site


def here(finding: Finding) -> str:
    return f"/findings/{finding.handling}/assist"


def run_open(assist: Assist) -> None:
    """What a worker would do next."""
    with assist.desk.owner() as db:
        rows = db.execute("select proposal from clearway.assist_proposal where state = 'waiting'").fetchall()
    for (number,) in rows:
        assist.run(number)


def test_while_it_is_off_no_page_speaks_of_it(desk: Desk, assist: Assist, pages: Site) -> None:
    finding = assist.reported()
    assist.off()
    for path in (f"/findings/{finding.handling}", f"/findings/{finding.handling}/duplicates"):
        assert "/assist" not in pages.page(desk.coordinator.cookie, path)
    assert "is off" in words(pages.page(desk.coordinator.cookie, here(finding)))
    pages.post(desk.coordinator.cookie, here(finding), 422, what="summary")
    assert pages.api(desk.coordinator.secret, "GET", "/api/v1/assist").json() == {"endpoint": None}


def test_a_coordinator_presses_reads_edits_and_takes(desk: Desk, assist: Assist, pages: Site) -> None:
    finding, who = assist.reported(), desk.coordinator.cookie
    assert f'hx-get="{here(finding)}?kind=summary"' in pages.page(who, f"/findings/{finding.handling}")
    region = pages.page(who, f"{here(finding)}?kind=summary")
    said = words(region)
    assert "Sends title, product and release, place in the code, class, the report's description" in said
    assert "(TLP:AMBER+STRICT) to extractive-1 at http:" in said
    assert "inside the house" in said
    assert "Suggest duplicates" not in said
    assert (
        pages.post(who, here(finding), what="summary").headers["location"] == f"/findings/{finding.handling}"
    )
    waiting = pages.page(who, here(finding))
    assert "It waits for a worker" in words(waiting)
    assert 'hx-trigger="load delay:2s"' in waiting
    run_open(assist)
    shown = pages.page(who, here(finding))
    assert "drafted by a model (extractive-1), not checked" in words(shown)
    assert "load delay" not in shown
    assert "Take it as edited" in words(shown)
    with desk.acting(desk.coordinator) as db:
        (one,) = kept.listed(db, finding.subject)
    pages.post(who, here(finding), what="take", number=str(one.id), text="The parser over-reads <b>.")
    for cookie in (who, desk.finder.cookie):
        taken = pages.page(cookie, here(finding))
        assert "The parser over-reads &lt;b&gt;." in taken
        assert "from a draft by the model extractive-1" in words(taken)
    assert "Put it away" not in pages.page(desk.finder.cookie, here(finding))
    pages.post(who, here(finding), what="discard", number=str(one.id))
    assert "over-reads" not in pages.page(who, here(finding))


def test_htmx_gets_the_region_alone(desk: Desk, assist: Assist, pages: Site) -> None:
    finding = assist.reported()
    asks = {"hx-request": "true", "hx-request-type": "partial", "hx-target": "div#assist"}
    part = pages.page(desk.coordinator.cookie, here(finding), **asks)
    assert "Draft a summary" in part
    assert "<h1" not in part


def test_suggestions_stand_beside_the_hint_and_merge_by_the_usual_act_with_a_persons_reason(
    desk: Desk, assist: Assist, pages: Site
) -> None:
    ours, theirs, who = assist.reported(), assist.reported(desk.rival), desk.coordinator.cookie
    duplicates = f"/findings/{ours.handling}/duplicates"
    assert f'hx-get="{here(ours)}?kind=duplicates"' in pages.page(who, duplicates)
    assert pages.post(who, here(ours), what="duplicates").headers["location"] == duplicates
    run_open(assist)
    shown = pages.page(who, f"{here(ours)}?kind=duplicates")
    assert theirs.handling in shown
    assert "May be the same flaw, not checked" in words(shown)
    assert not re.search(r'name="why"[^>]*>\s*[^\s<]', shown)  # the model's reason is nobody's
    with desk.acting(desk.coordinator) as db:
        assert edge.of(db, ours) == []
    pages.post(who, duplicates, what="merge", with_=theirs.handling, why="same line, looked at both")
    with desk.acting(desk.coordinator) as db:
        assert [(e.basis, e.reason) for e in edge.of(db, ours)] == [("person", "same line, looked at both")]


def test_of_a_failure_the_page_says_what_to_do(desk: Desk, assist: Assist, pages: Site) -> None:
    finding, who = assist.reported(), desk.coordinator.cookie
    (assist.home / "assist.key").chmod(0o644)
    pages.post(who, here(finding), what="summary")
    run_open(assist)
    said = words(pages.page(who, here(finding)))
    assert "The model drafted no summary" in said
    assert "can be read by others: chmod go= the file" in said
    assert "sk-of-the-tests" not in said
    (assist.home / "assist.toml").write_text("url = 1")
    assert "The assistance can't be used" in words(pages.page(who, here(finding)))
    pages.page(who, f"/findings/{finding.handling}")


def test_a_case_room_has_it_and_its_parties_see_nothing_of_it(
    desk: Desk, assist: Assist, pages: Site
) -> None:
    case = assist.opened(assist.reported(), assist.reported(desk.rival))
    at, who = f"/cases/{case.handling}", desk.coordinator.cookie
    assert f'hx-get="{at}/assist"' in pages.page(who, at)
    pages.post(who, f"{at}/assist", what="summary")
    run_open(assist)
    assert "Also make it the description of the next draft" in words(pages.page(who, f"{at}/assist"))
    for other in (desk.finder, desk.rival):
        said = words(pages.page(other.cookie, f"{at}/assist"))
        assert "beyond its buffer" not in said
        assert "Draft a summary" not in said
    pages.page(desk.operator.cookie, f"{at}/assist", 404)
    pages.post(who, f"{at}/assist", 422, what="duplicates")


def test_others_may_not_act_and_learn_nothing(desk: Desk, assist: Assist, pages: Site) -> None:
    finding = assist.reported()
    number = assist.ask("summary", finding)
    assist.run(number)
    elsewhere = desk.people.somebody(desk.water, "coordinator")
    for who in (desk.rival, desk.operator, elsewhere):
        pages.page(who.cookie, here(finding), 404)
        pages.api(who.secret, "GET", f"/api/v1{here(finding)}", 404)
    pages.api(desk.finder.secret, "POST", f"/api/v1{here(finding)}", 403, {"kind": "summary"})
    pages.api(elsewhere.secret, "POST", f"/api/v1{here(finding)}", 404, {"kind": "summary"})
    pages.api(elsewhere.secret, "GET", "/api/v1/assist", 403)
    for outcome in ("accepted", "discarded"):
        body = {"outcome": outcome, "text": "x"}
        pages.api(elsewhere.secret, "POST", f"/api/v1/assist/{number}/decision", 404, body)
    assert pages.api(desk.finder.secret, "GET", f"/api/v1{here(finding)}").json() == {
        "handling": finding.handling, "endpoint": None, "would": [], "proposals": [], "works": False,
    }  # fmt: skip
    other = assist.reported(desk.rival)
    pages.post(desk.coordinator.cookie, here(other), 404, what="discard", number=str(number))


def test_the_api_asks_once_for_a_key_tells_all_and_decides(desk: Desk, assist: Assist, pages: Site) -> None:
    finding, secret = assist.reported(), desk.coordinator.secret
    path = f"/api/v1{here(finding)}"
    found = pages.api(secret, "GET", path).json()
    assert found["endpoint"]["place"] == "inside"
    assert found["endpoint"]["send"]["RED"] == ["title", "product", "place", "class", "description"]
    assert [(w["kind"], w["refused"]) for w in found["would"]] == [
        ("summary", ""),
        ("duplicates", "there is no other finding of its product: nothing is sent"),
    ]
    first, again = (
        pages.api(secret, "POST", path, 201, {"kind": "summary"}, **{"idempotency-key": "k"}).json()
        for _ in "ab"
    )
    assert first == again
    assist.run(first["id"])
    (one,) = pages.api(secret, "GET", path).json()["proposals"]
    assert (one["state"], one["model"], one["fields"][:1]) == ("proposed", "extractive-1", ["class"])
    pages.api(secret, "POST", path, 400, {"kind": "verdict"})
    decision = f"/api/v1/assist/{first['id']}/decision"
    pages.api(secret, "POST", decision, 400, {"outcome": "accepted", "text": " "})
    done = pages.api(secret, "POST", decision, 200, {"outcome": "accepted", "text": "Mine."}).json()
    assert (done["state"], done["text"], done["summary"]) == ("accepted", "Mine.", "")
    pages.api(secret, "POST", decision, 409, {"outcome": "accepted", "text": "Mine."})
    assert "sk-of-the-tests" not in json.dumps(pages.api(secret, "GET", "/api/v1/assist").json())


def cli(assist: Assist, who: Somebody, monkeypatch: pytest.MonkeyPatch, *said: str) -> str:
    monkeypatch.setenv("CLEARWAY_TOKEN", who.secret)
    monkeypatch.setenv("CLEARWAY_DATABASE_URL", assist.desk.people.url)
    parser = argparse.ArgumentParser()
    commands.add_commands(parser.add_subparsers())
    args = parser.parse_args(["finding", "assist", *said])
    args.home, args.quiet = assist.home, True
    out = io.StringIO()
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", out)
        assert args.func(args) == 0
    return out.getvalue()


def test_the_command_does_the_same(
    desk: Desk, assist: Assist, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    finding, who = assist.reported(), desk.coordinator
    told = cli(assist, who, monkeypatch, "--settings")
    assert "TLP:AMBER+STRICT  title, product, place, class, description" in told
    assert "TLP:GREEN         nothing" in told
    assert "sk-of-the-tests" not in told
    there = tmp_path / "request.json"
    previewed = cli(assist, who, monkeypatch, finding.handling, "--preview", "summary")
    assert f"goes   {finding.handling} as F1, TLP:AMBER+STRICT: title, product" in previewed
    cli(assist, who, monkeypatch, finding.handling, "--preview", "summary", "--body", str(there))
    number = json.loads(cli(assist, who, monkeypatch, finding.handling, "--summary", "--json"))["id"]
    assert "waiting" in cli(assist, who, monkeypatch, finding.handling)
    assist.run(number)
    assert assist.model.raw == [there.read_bytes()]
    assert "drafted by a model (extractive-1), not checked" in cli(assist, who, monkeypatch, finding.handling)
    text = tmp_path / "mine.txt"
    text.write_text("The parser\nover-reads.\n")
    cli(assist, who, monkeypatch, finding.handling, "--accept", str(number), "--text", str(text))
    shown = cli(assist, who, monkeypatch, finding.handling)
    assert "   The parser\n   over-reads.\n" in shown
    assert cli(assist, desk.finder, monkeypatch, finding.handling) == shown.replace(
        shown.split(" by ")[1].split(" from ")[0], "a coordinator"
    )
    cli(assist, who, monkeypatch, finding.handling, "--discard", str(number))
    assert cli(assist, who, monkeypatch, finding.handling) == "nothing is drafted\n"
