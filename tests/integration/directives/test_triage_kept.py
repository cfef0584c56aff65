"""Triages in PostgreSQL: appended to one at a time, for the members of their organisation alone."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from clearway.directives.kept import triages
from clearway.records.errors import ClearwayError, ConflictError, ForbiddenError, InputError, NotFoundError
from clearway.store.connect import connect, translated
from directive_desk import Desk

KEV = datetime(2026, 12, 7, tzinfo=UTC)
NOW = datetime(2026, 12, 8, 12, tzinfo=UTC)


def opened(desk: Desk, slug: str = "water", **more: Any) -> triages.Triage:
    about = {
        "asset": "gw-1",
        "asset_name": "gw",
        "flaw": "CVE-2026-1",
        "component": "pkg:pypi/alpha@1",
    } | more
    made: triages.Triage = desk.do(
        f"operator@{slug}", triages.open_triage, slug, directive="bod-26-04", kev_added=KEV, now=NOW, **about
    )
    return made


def event(kind: str, at: str = "2026-12-07T03:00:00Z", **more: Any) -> bytes:
    return json.dumps({"event": kind, "at": at, "by": "operator", **more}).encode()


def record(desk: Desk, triage: int, data: bytes, after: int, who: str = "operator@water") -> triages.Triage:
    made: triages.Triage = desk.do(who, triages.record, triage, data, after=after, now=NOW)
    return made


EVIDENCE = {
    "evidence": "E1",
    "what": "memory",
    "volatile": True,
    "sha256": "a" * 64,
    "size_bytes": 9,
    "place": "safe",
}


def test_events_make_the_workbook_and_each_is_on_the_log(desk: Desk) -> None:
    made = opened(desk)
    assert [step.id for step in made.book.steps] == [
        "scope",
        "collect",
        "patch",
        "contain",
        "analyse",
        "decide",
    ]
    record(desk, made.id, event("step_done", step="scope"), 0)
    record(desk, made.id, event("patched", at="2026-12-07T04:00:00Z", what="update"), 1)
    kept = record(desk, made.id, event("evidence_taken", at="2026-12-07T05:00:00Z", **EVIDENCE), 2)
    assert kept.events == 3
    assert (
        kept.book.flags[0]
        == "patched 2026-12-07 04:00 UTC, before the first volatile evidence 2026-12-07 05:00 UTC"
    )
    assert desk.ask("auditor@water", triages.one, made.id, now=NOW) == kept
    counts = [desk.log(f"triage.{act}") for act in ("opened", "step_done", "patched", "evidence_taken")]
    assert counts == [1, 1, 1, 1]


def test_nobody_outside_the_organisation_sees_a_triage(desk: Desk) -> None:
    made = opened(desk)
    record(desk, made.id, event("step_done", step="scope"), 0)
    for who in ("operator@hospital", "official@authority", "administrator@house"):
        with pytest.raises(NotFoundError, match="no such triage"):
            desk.ask(who, triages.one, made.id, now=NOW)
        with pytest.raises(NotFoundError, match="no such triage"):
            record(desk, made.id, event("patched", what="x"), 1, who)
        assert desk.ask(who, triages.of_organisation, now=NOW) == ()
        with desk.acting(who) as (db, _):
            assert db.execute("select count(*) from clearway.triage_event").fetchone() == (0,)


def test_recording_takes_the_right_to_operate(desk: Desk) -> None:
    made = opened(desk)
    with pytest.raises(ForbiddenError):
        record(desk, made.id, event("patched", what="x"), 0, "auditor@water")
    with pytest.raises(ForbiddenError):
        desk.do(
            "auditor@water", triages.open_triage, "water", directive="bod-26-04", asset="a", asset_name="",
            flaw="CVE-2026-1", component="c", kev_added=KEV, now=NOW,
        )  # fmt: skip


def test_of_two_who_record_at_once_one_wins_and_the_other_reads_again(desk: Desk) -> None:
    made = opened(desk)

    def attempt(n: int) -> str:
        try:
            record(desk, made.id, event("evidence_taken", **EVIDENCE | {"evidence": f"E{n}"}), 0)
        except ConflictError as error:
            return error.what
        return "won"

    with ThreadPoolExecutor(4) as threads:
        said = list(threads.map(attempt, range(8)))
    assert said.count("won") == 1
    assert desk.ask("operator@water", triages.one, made.id, now=NOW).events == 1


def test_what_was_recorded_is_neither_changed_nor_deleted(desk: Desk) -> None:
    made = opened(desk)
    record(desk, made.id, event("step_done", step="scope"), 0)
    for statement in (
        "update clearway.triage_event set body = '{}'",
        "delete from clearway.triage_event",
        "update clearway.triage set kev_added = now()",
        "insert into clearway.triage_event (triage, seq, org, aud, body, recorded_by) values (1, 2, 1, 0, '{}', 1)",
    ):
        with (
            pytest.raises(ClearwayError, match="permission denied"),
            desk.acting("operator@water") as (db, _),
        ):
            db.execute(statement)  # type: ignore[call-overload]


def test_the_events_follow_the_marking_of_their_triage(desk: Desk) -> None:
    made = opened(desk)
    record(desk, made.id, event("step_done", step="scope"), 0)
    with translated(), connect(desk.url) as owner:
        owner.execute("update clearway.triage set aud = 1")
        assert owner.execute("select distinct aud::int from clearway.triage_event").fetchall() == [(1,)]
    assert desk.ask("operator@hospital", triages.one, made.id, now=NOW).events == 1


def test_a_second_triage_of_the_same_item_is_refused_while_one_is_open(desk: Desk) -> None:
    first = opened(desk)
    with pytest.raises(ConflictError, match=f"triage {first.id} of it is open"):
        opened(desk)
    assert opened(desk, flaw="CVE-2026-2").id != first.id
    assert opened(desk, "hospital").organisation == "hospital"


def test_of_many_who_open_the_same_at_once_one_does(desk: Desk) -> None:
    def attempt(_: int) -> str:
        try:
            opened(desk)
        except ConflictError as error:
            return error.what
        return "opened"

    with ThreadPoolExecutor(4) as threads:
        said = list(threads.map(attempt, range(8)))
    assert said.count("opened") == 1
    assert len(desk.ask("operator@water", triages.of_organisation, "water", now=NOW)) == 1


BAD = [
    (b"{", InputError, "no JSON"),
    (b"[" * 40_000, InputError, "deep"),
    (b'"' + b"x" * 60_000 + b'"', InputError, "long"),
    (b"\xff\xfe", InputError, "not UTF-8"),
    (event("patched", at="2027-01-01T00:00:00Z", what="x"), InputError, "to come"),
    (event("patched", at="2026-12-07T03:00:00", what="x"), InputError, "no offset"),
    (event("step_done", step="party"), InputError, "no such step"),
    (event("concluded", conclusion="none", summary="x"), ConflictError, "too early"),
    (
        event("evidence_moved", evidence="E9", to="x", place="y", sha256="b" * 64),
        InputError,
        "unknown",
    ),
    (event("exploded"), InputError, "no such event"),
]


def test_what_does_not_fit_is_refused_and_leaves_nothing(desk: Desk) -> None:
    made = opened(desk)
    for data, error, why in BAD:
        with pytest.raises(error):
            record(desk, made.id, data, 0)
        assert desk.ask("operator@water", triages.one, made.id, now=NOW).events == 0, why


def test_an_addition_to_kev_in_the_future_opens_nothing(desk: Desk) -> None:
    with pytest.raises(InputError, match="future"):
        desk.do(
            "operator@water", triages.open_triage, "water", directive="bod-26-04", asset="a", asset_name="",
            flaw="CVE-2026-1", component="c", kev_added=datetime(2027, 1, 1, tzinfo=UTC), now=NOW,
        )  # fmt: skip
