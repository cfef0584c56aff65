"""The desk's validations: asked for by coordinators, done by any worker, kept once, told to who may see them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from clearway.app.worker import mint
from clearway.findings import artefact, desk_key, kept
from clearway.findings.artefact import File
from clearway.findings.dedup.tasks import tasks as dedup_tasks
from clearway.findings.intake import overlap, sweep
from clearway.findings.validate import at_desk, statement, validation
from clearway.findings.validate.tasks import tasks
from clearway.records.errors import ConfigError, ConflictError, ForbiddenError, NotFoundError
from clearway.sandbox import Backend
from clearway.store.jobs_worker import run_worker
from findings_targets import BYTES_BLOCKED, COPIES, LONG, MENDED, MENDS, SHORT, c_recipe, sha
from findings_world import Desk
from intake_world import PROGRAM, environment
from site_client import Site, site, words

pytestmark = pytest.mark.usefixtures("box")  # skips where no box can be made


@pytest.fixture(scope="module")
def one_site(one_desk: Desk) -> Iterator[Site]:
    with site(one_desk.home, one_desk.people.url) as made:
        yield made


@pytest.fixture
def pages(one_site: Site, desk: Desk) -> Site:
    return one_site


FILES = (COPIES, MENDED, LONG, SHORT)
VOUCHED = (sha(COPIES), sha(MENDED))
TOY = {"ecosystem": "", "package": "toy", "release": "1", "purl": "pkg:generic/toy@1"}


def reported(
    desk: Desk,
    made: dict[str, Any] | None = None,
    *,
    patch: bytes = b"",
    live: bool = True,
    more: tuple[bytes, ...] = (),
    **facts: str,
) -> kept.Finding:
    """A queued finding with a recipe and its files."""
    found = desk.finding(state="queued", live=live, **{**TOY, **facts})
    files = [File(kind="source", data=data, name="") for data in (*FILES, *more)]
    raw = json.dumps(made or c_recipe(COPIES, MENDED)).encode()
    files.append(File(kind="attachment", data=raw, name="recipe.json"))
    if patch:
        files.append(File(kind="patch", data=patch, name="mends.patch"))
    with desk.owner() as db:
        artefact.add_all(db, desk.vault, found, files)
    return found


def ask(desk: Desk, finding: kept.Finding, **more: Any) -> int:
    with desk.acting(desk.coordinator) as db:
        return validation.ask(db, finding, **{"seconds": 1, "vouched": VOUCHED, **more})


@contextmanager
def worker(desk: Desk) -> Iterator[None]:
    stop = threading.Event()
    known = tasks(desk.home, desk.people.url) | {
        overlap.TASK: dedup_tasks(desk.home, desk.people.url)[overlap.TASK]
    }
    running = threading.Thread(
        target=run_worker, args=(desk.people.url, known), kwargs={"stop": stop, "mint": mint}
    )
    running.start()
    try:
        yield
    finally:
        stop.set()
        running.join(30)


def newest(db: Any, number: int) -> validation.Validation:
    """The validation of that number within its finding, of the finding that was tried last."""
    row = db.execute("select max(validation) from clearway.validation where nth = %s", (number,)).fetchone()
    return validation.by_id(db, row[0])


def wait(
    desk: Desk, number: int, state: tuple[str, ...] = ("done", "failed"), s: float = 40
) -> validation.Validation:
    ends = time.monotonic() + s
    while True:
        with desk.owner() as db:
            found = newest(db, number)
        if found.state in state or time.monotonic() > ends:
            assert found.state in state, found
            return found
        time.sleep(0.1)


def test_a_validation_climbs_is_kept_and_its_statements_verify(desk: Desk, pages: Site) -> None:
    finding = reported(desk)
    told = pages.api(
        desk.coordinator.secret, "POST", f"/api/v1/findings/{finding.handling}/validations", 201,
        {"upto": 4, "seconds": 1, "vouched": list(VOUCHED)},
    )  # fmt: skip
    number = told.json()["id"]
    with worker(desk):
        found = wait(desk, number)
        with desk.owner() as db:
            now = kept.by_id(db, finding.id)
            keys = desk_key.known(db)
            statements = artefact.listed(db, finding.id, "statement")
            data = [artefact.read(db, desk.vault, one, logged=False) for one in statements]
        assert (found.level, now.level, now.state) == (4, 4, "judged")
        levels = [statement.opened(d, keys)[0].predicate.level for d in data]
        assert levels == [0, 1, 2, 3, 4]
        assert desk.acts().count("validation.judged") == 1

        path = f"/api/v1/findings/{finding.handling}/validations"
        one = pages.api(desk.finder.secret, "GET", f"{path}/{number}").json()
        assert one["crash_state"] == "heap-buffer-overflow WRITE | keep | parse"
        assert [s["result"] for s in one["steps"]] == ["met"] * 5
        whole = pages.api(desk.finder.secret, "GET", f"{path}/{number}/log")
        assert b"AddressSanitizer" in whole.content
        piece = pages.api(desk.finder.secret, "GET", f"{path}/{number}/log", 206, range="bytes=2-11")
        assert piece.content == whole.content[2:12]
        assert piece.headers["content-range"] == f"bytes 2-11/{len(whole.content)}"
        for stranger in (desk.rival, desk.maintainer, desk.operator):
            for where in (path, f"{path}/{number}", f"{path}/{number}/log"):
                pages.api(stranger.secret, "GET", where, 404)
        pages.api(desk.finder.secret, "POST", path, 403, {})

        shown = words(pages.page(desk.finder.cookie, f"/findings/{finding.handling}/evidence"))
        assert "E4" in shown
        assert re.search(r"variants in \d+ s, none fires", shown)
        assert "Validate it" not in shown
        evidence = f"/findings/{finding.handling}/evidence"
        assert "Accept it" in words(pages.page(desk.coordinator.cookie, evidence))
        pages.post(
            desk.coordinator.cookie,
            f"{evidence}/{number}/acceptance",
            by="A. Person, Vendor",
            why="read the patch",
        )
        ends = time.monotonic() + 20
        while wait(desk, number).level != 6 and time.monotonic() < ends:
            time.sleep(0.1)
    with desk.owner() as db:
        last = artefact.listed(db, finding.id, "statement")[-1]
        human = statement.opened(artefact.read(db, desk.vault, last, logged=False), keys)[0].predicate
    assert (human.level, human.accepted_by) == (6, "A. Person, Vendor")
    assert desk.acts().count("validation.accepted") == 1


def test_the_page_starts_one_shows_that_it_waits_and_names_what_is_wrong(desk: Desk, pages: Site) -> None:
    finding = reported(desk, patch=MENDS)
    where = f"/findings/{finding.handling}/evidence"
    assert "Nothing was tried yet" in words(pages.page(desk.finder.cookie, where))
    refused = pages.post(desk.coordinator.cookie, where, 422, upto="9", seconds="30")
    assert "between 1 and 5" in words(refused.text)
    pages.post(desk.finder.cookie, where, 403, upto="1", seconds="1")
    pages.post(desk.coordinator.cookie, where, upto="2", seconds="1", vouched="yes")
    shown = words(pages.page(desk.coordinator.cookie, where))
    assert "It waits for a worker" in shown
    assert "Validate it" not in shown
    pages.page(desk.rival.cookie, where, 404)
    with desk.owner() as db:
        (asked,) = validation.listed(db, finding.id)
    assert set(VOUCHED) <= set(asked.vouched)
    with worker(desk):
        assert wait(desk, asked.number).level == 2


def test_a_target_that_the_desk_does_not_vouch_for_stays_at_e1(desk: Desk, pages: Site) -> None:
    finding = reported(desk)
    number = ask(desk, finding, vouched=())
    with worker(desk):
        found = wait(desk, number)
    assert found.level == 1
    assert found.patched == ""
    shown = words(pages.page(desk.finder.cookie, f"/findings/{finding.handling}/evidence"))
    assert "by a program that has files of the reporter's in it" in shown
    assert "Crash state, as a program of the reporter's tells it" in shown


def test_a_recipe_whose_flags_make_the_program_waits_for_a_reader(desk: Desk, pages: Site) -> None:
    made = c_recipe(COPIES, None)
    made["target"]["flags"] = ["-DNDEBUG"]
    finding = reported(desk, made, patch=MENDS)
    with desk.owner() as db:
        (patch,) = artefact.listed(db, finding.id, "patch")
        (document,) = (a for a in artefact.listed(db, finding.id, "attachment") if a.name == "recipe.json")
    where = f"/findings/{finding.handling}/evidence"
    with worker(desk):
        found = wait(desk, ask(desk, finding, patch=patch.number, upto=2))
        assert found.level == 1
        assert "nobody has read the recipe" in found.why
        asked = {"upto": "2", "seconds": "1", "patch": str(patch.number), "vouched": "yes", "read": "yes"}
        pages.post(desk.coordinator.cookie, where, **asked)
        with desk.owner() as db:
            last = max(validation.listed(db, finding.id), key=lambda v: v.id)
        assert document.sha256 in last.vouched
        found = wait(desk, last.number)
    assert found.level == 2, found.why
    with desk.owner() as db:
        last = artefact.one(db, next(s.statement for s in found.steps if s.level == 2) or 0)
        told, _ = statement.opened(artefact.read(db, desk.vault, last, logged=False), desk_key.known(db))
    assert "recipe.json" in (told.predicate.vouched or {})["coordinator"]
    assert statement.known_to(told) >= {
        *VOUCHED[:1],
        found.recipe,
    }  # of the recipe with the desk's patch in it


def test_the_targets_files_alone_do_not_say_that_the_recipe_was_read(desk: Desk, pages: Site) -> None:
    finding = reported(desk)
    pages.post(
        desk.coordinator.cookie,
        f"/findings/{finding.handling}/evidence",
        upto="1",
        seconds="1",
        vouched="yes",
    )
    with desk.owner() as db:
        (document,) = (a for a in artefact.listed(db, finding.id, "attachment") if a.name == "recipe.json")
        (asked,) = validation.listed(db, finding.id)
    assert document.sha256 not in asked.vouched
    assert set(VOUCHED) <= set(asked.vouched)
    with worker(desk):
        assert wait(desk, asked.number).level == 1


@pytest.mark.parametrize(
    "facts",
    [
        {"ecosystem": "PyPI", "package": "openlib", "release": "9.9"},
        {"package": "openlib"},
        {"release": "9.9"},
    ],
    ids=["another ecosystem", "another product", "another release"],
)
def test_a_proof_of_something_else_lifts_no_finding_and_tells_of_no_other(
    desk: Desk, facts: dict[str, str]
) -> None:
    finding = reported(desk, **facts)
    number = ask(desk, finding)
    with worker(desk):
        found = wait(desk, number)
    assert (found.level, found.patched) == (1, "")
    assert "than the finding's" in found.why
    with desk.owner() as db:
        assert db.execute("select count(*) from clearway.overlap_answer").fetchone() == (0,)
        said = [
            statement.opened(artefact.read(db, desk.vault, one, logged=False), desk_key.known(db))[
                0
            ].predicate
            for one in artefact.listed(db, finding.id, "statement")
        ]
    assert [one.level for one in said] == [0, 1]
    assert all("than the finding's" in one.capped[0] for one in said)
    assert said[0].vouched == {"coordinator": ("patched/main.c", "target/main.c")}


def test_numbers_beyond_the_databases_are_refused(desk: Desk, pages: Site) -> None:
    where = f"/api/v1/findings/{reported(desk).handling}/validations"
    for number in (1 << 63, 1 << 64, 0, -1):
        pages.api(desk.coordinator.secret, "POST", where, 400, {"patch": number})
    pages.api(desk.coordinator.secret, "POST", where, 404, {"patch": (1 << 63) - 1})
    for number in (1 << 63, 1 << 80):
        pages.api(desk.coordinator.secret, "GET", f"{where}/{number}", 404)
        answer = {"by": "a", "why": "b"}
        pages.api(desk.coordinator.secret, "POST", f"{where}/{number}/acceptance", 404, answer)


def test_the_variant_that_still_fires_is_kept_and_downloaded_by_range(desk: Desk, pages: Site) -> None:
    finding = reported(desk, c_recipe(COPIES, BYTES_BLOCKED), more=(BYTES_BLOCKED,))
    number = ask(desk, finding, vouched=(*VOUCHED, sha(BYTES_BLOCKED)), seconds=3)
    with worker(desk):
        found = wait(desk, number)
    assert found.level == 3
    with desk.owner() as db:
        logs = {a.name: a for a in artefact.listed(db, finding.id, "log")}
    kept_file = logs[f"validation-{number}-variant"]
    where = f"/api/v1/findings/{finding.handling}/files/{kept_file.number}"
    whole = pages.api(desk.finder.secret, "GET", where)
    assert sha(whole.content) == kept_file.sha256
    assert whole.headers["etag"] == f'"{kept_file.sha256}"'
    end = pages.api(desk.finder.secret, "GET", where, 206, range="bytes=-3")
    assert end.content == whole.content[-3:]
    past = pages.api(desk.finder.secret, "GET", where, 416, range=f"bytes={len(whole.content)}-")
    assert past.headers["content-range"] == f"bytes */{len(whole.content)}"
    pages.api(desk.rival.secret, "GET", where, 404)
    shown = pages.page(desk.finder.cookie, f"/findings/{finding.handling}/evidence")
    assert f"/findings/{finding.handling}/files/{kept_file.number}" in shown
    assert "The variant that still fires" in words(shown)


def test_a_patch_of_its_own_takes_the_place_of_the_recipes_fix(desk: Desk) -> None:
    finding = reported(desk, c_recipe(COPIES, None), patch=MENDS)
    with desk.owner() as db:
        (patch,) = artefact.listed(db, finding.id, "patch")
    number = ask(desk, finding, patch=patch.number, upto=3)
    with worker(desk):
        assert wait(desk, number).level == 3


@pytest.mark.parametrize(
    ("made", "why"),
    [({"target": {}}, "target"), (c_recipe(b"not here", None), "not there"), (None, "no recipe")],
    ids=["a recipe that is none", "a file that is missing", "no recipe at all"],
)
def test_what_can_not_be_tried_is_an_answer_with_its_reason(
    desk: Desk, made: dict[str, Any] | None, why: str
) -> None:
    finding = desk.finding(state="queued") if made is None else reported(desk, made)
    number = ask(desk, finding)
    with worker(desk):
        found = wait(desk, number)
    with desk.owner() as db:
        now = kept.by_id(db, finding.id)
    assert (found.state, found.level, now.state, now.level) == ("done", 0, "judged", 0)
    assert why in found.why


def test_only_the_desk_asks_one_at_a_time_and_only_of_what_it_may_see(desk: Desk) -> None:
    finding = reported(desk)
    for who in (desk.finder, desk.rival, desk.operator):
        with pytest.raises((ForbiddenError, NotFoundError)), desk.acting(who) as db:
            validation.ask(db, finding)
    ask(desk, finding)
    with desk.owner() as db:
        fresh = kept.by_id(db, finding.id)
    assert fresh.state == "validating"
    with pytest.raises(ConflictError):
        ask(desk, fresh)
    with pytest.raises(NotFoundError):
        ask(desk, reported(desk), patch=10_000)
    with desk.acting(desk.coordinator) as db, pytest.raises(ConflictError):
        validation.accept(db, fresh, validation.listed(db, finding.id)[0].number, "me", "because")


def test_nobody_but_the_desks_jobs_writes_what_was_found(desk: Desk) -> None:
    finding = reported(desk)
    number = ask(desk, finding)
    for act in (
        "update clearway.validation set level = 6",
        "insert into clearway.validation_step (validation, level, finding, org, aud, result) "
        f"values ({number}, 6, {finding.id}, {finding.org}, {finding.aud}, 'met')",
        "delete from clearway.validation",
    ):
        with pytest.raises(ConfigError, match="permission denied"), desk.acting(desk.coordinator) as db:
            db.execute(act)  # type: ignore[arg-type]


def test_a_machine_that_can_not_try_it_says_nothing_of_the_finding(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No box can be made, and a recipe that can't be opened: both give the finding back to the queue."""

    def none() -> Backend:
        raise ConfigError("no box can be made here", where="sandbox")

    monkeypatch.setattr(at_desk.Desk.__init__, "__defaults__", (none,))
    finding = reported(desk)
    number = ask(desk, finding)
    with worker(desk):
        found = wait(desk, number)
    assert (found.state, found.why, found.level) == ("failed", "no box can be made here", None)
    with desk.owner() as db:
        assert kept.by_id(db, finding.id).state == "queued"
        desk.vault.destroy(finding.subject)
    number = ask(desk, finding)
    with worker(desk):
        assert wait(desk, number).state == "failed"
    with desk.owner() as db:
        assert kept.by_id(db, finding.id).state == "queued"


def test_a_trial_that_is_over_takes_its_validations_with_it(desk: Desk) -> None:
    finding = reported(desk, live=False)
    number = ask(desk, finding, upto=1, seconds=0)
    with worker(desk):
        assert wait(desk, number).level == 1
    with desk.owner() as db:
        db.execute("update clearway.finding set received = received - interval '8 days'")
        assert sweep.trials(db, desk.vault) == 1
        assert db.execute("select count(*) from clearway.validation_step").fetchone() == (0,)


def test_what_fired_under_our_harness_tells_its_reporter_whether_others_hold_it(desk: Desk) -> None:
    """And what only a target of the reporter's own shows, does not: it would find embargoed flaws by asking."""
    for vouched, told in ((VOUCHED, 1), ((), 0)):
        finding = reported(desk)
        number = ask(desk, finding, vouched=vouched, upto=1)
        with worker(desk):
            assert wait(desk, number).level == 1
            ends = time.monotonic() + 20
            while _answers(desk, finding) != (told, 0) and time.monotonic() < ends:
                time.sleep(0.1)
        assert _answers(desk, finding) == (told, 0)


def _answers(desk: Desk, finding: kept.Finding) -> tuple[int, int]:
    """How many answers there are, and how many questions wait for one."""
    with desk.owner() as db:
        row = db.execute(
            """select (select count(*) from clearway.overlap_answer where finding = %s),
                (select count(*) from clearway_jobs.procrastinate_jobs
                    where task_name = %s and status in ('todo', 'doing'))""",
            (finding.id, overlap.TASK),
        ).fetchone()
    assert row is not None
    return row[0], row[1]


@pytest.mark.slow
def test_a_worker_that_is_killed_is_resumed_once_and_never_counted_twice(desk: Desk) -> None:
    finding = reported(desk)
    number = ask(desk, finding, seconds=6)
    command = [*PROGRAM, "--home", str(desk.home), "worker"]
    env = environment(CLEARWAY_DATABASE_URL=desk.people.url)
    first = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait(desk, number, ("running",), 60)
        time.sleep(2)
    finally:
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
    with desk.owner() as db:
        assert newest(db, number).state == "running"
    second = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        found = wait(desk, number, s=120)
    finally:
        second.terminate()
        second.wait(30)
    assert found.level == 4
    with desk.owner() as db:
        statements = artefact.listed(db, finding.id, "statement")
        attempts = db.execute("select attempts from clearway.validation").fetchall()
    assert len(statements) == 5
    assert attempts == [(2,)]
    assert desk.acts().count("validation.judged") == 1


@pytest.mark.slow
def test_workers_share_what_waits_and_each_validation_is_done_by_one_of_them(desk: Desk) -> None:
    """As on more machines: processes that share the database and the home's keys, and nothing else."""
    asked = [ask(desk, reported(desk), upto=2) for _ in range(6)]
    command = [*PROGRAM, "--home", str(desk.home), "worker"]
    env = environment(CLEARWAY_DATABASE_URL=desk.people.url)
    workers = [
        subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(2)
    ]
    try:
        found = [wait(desk, number, s=90) for number in asked]
    finally:
        for one in workers:
            one.terminate()
        for one in workers:
            one.wait(30)
    assert {one.level for one in found} == {2}
    with desk.owner() as db:
        attempts = db.execute("select distinct attempts from clearway.validation").fetchall()
    assert attempts == [(1,)]
    assert desk.acts().count("validation.judged") == len(asked)
