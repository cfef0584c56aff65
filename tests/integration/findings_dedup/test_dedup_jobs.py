"""The desk's jobs of dedup: cross-runs in a box, the replay, and what is learnt of words."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import sandbox_house
from clearway.app.worker import mint
from clearway.findings import artefact, kept
from clearway.findings.artefact import File
from clearway.findings.dedup import edge, public
from clearway.findings.dedup.at_desk import ask
from clearway.findings.dedup.hint import kept as learnt
from clearway.findings.dedup.tasks import tasks
from clearway.store import jobs
from clearway.store.jobs_worker import run_worker
from findings_dedup_world import Two
from findings_targets import COPIES, LONG, MENDED, SHORT, c_recipe
from findings_world import Desk


@contextmanager
def worker(desk: Desk) -> Iterator[None]:
    stop = threading.Event()
    running = threading.Thread(
        target=run_worker,
        args=(desk.people.url, tasks(desk.home, desk.people.url)),
        kwargs={"stop": stop, "mint": mint},
    )
    running.start()
    try:
        yield
    finally:
        stop.set()
        running.join(30)


def wait(said: Callable[[], bool], s: float = 40) -> None:
    ends = time.monotonic() + s
    while not said():
        assert time.monotonic() < ends
        time.sleep(0.1)


def proven(desk: Desk, finding: kept.Finding, fix: bytes) -> None:
    """The finding has a recipe, and its fix is said to have reached E3."""
    files = [File(kind="source", data=data, name="") for data in (COPIES, fix, LONG, SHORT)]
    raw = json.dumps(c_recipe(COPIES, fix)).encode()
    with desk.owner() as db:
        artefact.add_all(
            db, desk.vault, finding, [*files, File(kind="attachment", data=raw, name="recipe.json")]
        )
        db.execute(
            """insert into clearway.validation (finding, org, aud, upto, seconds, state, level)
            values (%s, %s, %s, 3, 0, 'done', 3)""",
            (finding.id, finding.org, finding.aud),
        )
        db.execute("update clearway.finding set level = 3 where finding = %s", (finding.id,))


def test_fixes_that_silence_each_others_proof_make_one_flaw(desk: Desk, two: Two, tmp_path: Path) -> None:
    sandbox_house.boxes()  # skips where there are none
    proven(desk, two.ours, MENDED)
    proven(desk, two.theirs, MENDED.replace(b"15); to[15]", b"14); to[14]"))
    with desk.acting(desk.coordinator) as db:
        ask(db, two.ours, two.theirs)

    def joined() -> bool:
        with desk.acting(desk.coordinator) as db:
            return edge.group_of(db, two.ours.id) == (two.ours.id, two.theirs.id)

    with worker(desk):
        wait(joined)
    with desk.acting(desk.coordinator) as db:
        said = [e for e in edge.of(db, two.ours) if e.basis == "cross-run"]
    assert [(e.verdict, e.reason) for e in said] == [
        ("same", "2 patches silence both proofs, and none tells them apart")
    ]
    assert desk.acts().count("duplicate.cross_ran") == 2


def test_the_replay_runs_by_itself_and_learns_words(desk: Desk, two: Two) -> None:
    with desk.owner() as db:
        jobs.defer(db, "findings.rekey", {})
        jobs.defer(db, "findings.words", {})

    def done() -> bool:
        with desk.owner() as db:
            keyed = db.execute("select count(*) from clearway.finding_keyed").fetchone()
            return keyed == (2,) and learnt.read(db) is not None

    with worker(desk):
        wait(done)
    with desk.acting(desk.coordinator) as db:
        assert [e.verdict for e in edge.of(db, two.ours)] == ["likely"]


def test_without_a_product_nothing_public_is_suggested(desk: Desk) -> None:
    finding = desk.finding(package="", purl="", ecosystem="")
    assert public.suggest(None, finding, lambda refs: {}, None) == ()  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", [b"", b"short"])
def test_counts_that_were_changed_are_refused(desk: Desk, bad: bytes) -> None:
    with desk.owner() as db:
        db.execute(
            "insert into clearway.hint_words (version, documents, counts) values (%s, 1, %s)",
            ("clearway/words/v1", bad),
        )
        with pytest.raises(Exception, match="no counts"):
            learnt.read(db)
