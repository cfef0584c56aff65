"""User task: ask for a validation, watch it climb without loading anything again, read its log, take a file along."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from harness import Screen
from playwright.sync_api import expect

from clearway.app.worker import mint
from clearway.findings import artefact, kept
from clearway.findings.artefact import File
from clearway.findings.validate import validation
from clearway.findings.validate.tasks import tasks
from clearway.store.jobs_worker import run_worker
from findings_targets import COPIES, LONG, MENDED, SHORT, c_recipe
from findings_world import Desk

Screens = Callable[..., Screen]
pytestmark = pytest.mark.usefixtures("box")  # skips where no box can be made


def reported(desk: Desk) -> kept.Finding:
    found = desk.finding(
        state="queued",
        title="Copy without a bound",
        ecosystem="",
        package="toy",
        release="1",
        purl="pkg:generic/toy@1",
    )
    files = [File(kind="source", data=data, name="") for data in (COPIES, MENDED, LONG, SHORT)]
    files.append(
        File(kind="attachment", data=json.dumps(c_recipe(COPIES, MENDED)).encode(), name="recipe.json")
    )
    with desk.owner() as db:
        artefact.add_all(db, desk.vault, found, files)
    return found


def test_a_validation_is_asked_for_watched_and_its_log_read(
    screens: Screens, desk: Any, tmp_path: Path
) -> None:
    one, url = desk
    finding = reported(one)
    screen = screens(url, cookies={"clearway": one.coordinator.cookie})
    page = screen.open(f"/findings/{finding.handling}/evidence")
    expect(page.get_by_text("Nothing was tried yet")).to_be_visible()
    page.get_by_label("How far").select_option("2")
    page.get_by_label("Seconds for variants").fill("1")
    page.get_by_label("I have seen that the target's files").check()
    page.get_by_role("button", name="Validate").click()
    expect(page.get_by_role("heading", name="It waits for a worker")).to_be_visible()
    with one.owner() as db:
        (waiting,) = validation.listed(db, finding.id)
        validation.begin(db, waiting.id)
        validation.tell(db, waiting.id, "fires", 2, 3)
    page.evaluate("window.stayed = true")
    expect(page.get_by_role("heading", name="It is being validated")).to_be_visible()
    expect(page.get_by_role("progressbar")).to_have_attribute("value", "2")
    expect(page.locator(".ladder .now")).to_contain_text("The proof runs on the vulnerable build, 2 of 3")
    screen.axe()
    stop = threading.Event()
    worker = threading.Thread(
        target=run_worker,
        args=(one.people.url, tasks(one.home, one.people.url)),
        kwargs={"stop": stop, "mint": mint},
    )
    worker.start()
    try:
        expect(page.locator(".ladder .met").nth(2)).to_contain_text("Holds", timeout=40_000)
    finally:
        stop.set()
        worker.join(30)
    assert page.evaluate("window.stayed") is True, "nothing was loaded again"
    expect(page.get_by_role("progressbar")).to_have_count(0)
    screen.axe()
    with page.expect_download() as taken:
        page.get_by_role("link", name="Signed statement of E2").click()
    statement = tmp_path / "E2.json"
    taken.value.save_as(statement)
    assert "payload" in json.loads(statement.read_text())
    page.get_by_role("link", name="Read the log").click()
    expect(page.locator("pre.log")).to_contain_text("AddressSanitizer")
    screen.axe()
    screen.fits()
    page.get_by_label("From byte").fill("20")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**/log?from=20")
    expect(page.get_by_text("Bytes 20 to")).to_be_visible()


def test_a_long_log_is_read_a_piece_at_a_time_and_is_data(screens: Screens, desk: Any) -> None:
    one, url = desk
    finding = reported(one)
    text = b"<script>__ran(1)</script>\x1b[31m" + b"0123456789abcde\n" * 4_000
    with one.acting(one.coordinator) as db:
        asked = validation.one(db, finding.id, validation.ask(db, finding))
    with one.owner() as db:
        log = artefact.add(db, one.vault, finding, File(kind="log", data=text, name="long.log"))
        db.execute(
            "update clearway.validation set state = 'done', level = 1, log = %s where validation = %s",
            (log.id, asked.id),
        )
    screen = screens(url, cookies={"clearway": one.finder.cookie})
    page = screen.open(f"/findings/{finding.handling}/evidence/{asked.number}/log")
    expect(page.locator("pre.log")).to_contain_text("<script>__ran(1)</script>")
    assert "\x1b" not in page.locator("pre.log").inner_text()
    page.get_by_role("link", name="Later →").click()
    expect(page.get_by_text(f"Bytes 16,384 to 32,767 of {len(text):,}.")).to_be_visible()
    page.get_by_role("link", name="← Earlier").click()
    expect(page.get_by_text("Bytes 0 to 16,383")).to_be_visible()
    stranger = screens(url, cookies={"clearway": one.rival.cookie})
    stranger.open(f"/findings/{finding.handling}/evidence/{asked.number}/log", 404)
