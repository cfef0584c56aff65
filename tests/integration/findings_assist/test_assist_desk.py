"""Proposals from the press of a button to a person's own text, over a real endpoint and a real database."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from datetime import timedelta

import pytest

from assist_world import STORY, Assist
from clearway.app.worker import mint
from clearway.findings import kept as findings
from clearway.findings.assist import gather, kept, start
from clearway.findings.assist.settings import read
from clearway.findings.assist.tasks import tasks
from clearway.findings.case import draft as drafts
from clearway.findings.case import kept as cases
from clearway.findings.dedup import edge
from clearway.records.errors import (
    ConflictError,
    ForbiddenError,
    InputError,
    NotFoundError,
    TooLargeError,
)
from clearway.store.jobs_worker import run_worker
from findings_case_world import a_draft
from findings_world import Desk


def sent_data(assist: Assist, at: int = -1) -> list[dict[str, str]]:
    user = assist.model.asked[at][1]["messages"][-1]["content"]
    return json.loads(user.partition("<data>\n")[2].removesuffix("\n</data>"))


def test_a_summary_is_drafted_edited_and_taken_as_the_persons_own(desk: Desk, assist: Assist) -> None:
    finding = assist.reported()
    shown = assist.drafted("summary", finding)
    assert shown.state == "proposed"
    assert "reads beyond its buffer" in shown.summary
    assert shown.model == "extractive-1"
    with desk.acting(desk.coordinator) as db:
        made = start.take(db, desk.vault, kept.one(db, shown.id), "  The parser over-reads.\x1b[31m  ")
        assert kept.taken(db, desk.vault, made) == "The parser over-reads.\ufffd[31m"
        assert kept.drafted(db, desk.vault, made) is None  # what the model said is gone
    said = [a for a in desk.acts() if a.startswith("assist.")]
    assert said == ["assist.asked", "assist.sent", "assist.proposed", "assist.accepted"]


def test_the_log_says_what_went_where_before_it_went(desk: Desk, assist: Assist) -> None:
    finding = assist.reported()
    shown = assist.drafted("summary", finding)
    raw = assist.model.raw[-1]
    with desk.owner() as db:
        row = db.execute(
            """select subject, content, actor, aud = %s from clearway.log_entry
            where act = 'assist.sent' order by entry desc limit 1""",
            (finding.aud,),
        ).fetchone()
    assert row is not None
    subject, content, actor, same = row
    told = json.loads(content)
    assert (subject, actor, same) == (finding.subject, 0, True)
    assert told["endpoint"] == assist.model.url.removesuffix("/v1")
    assert told["sha256"] == hashlib.sha256(raw).hexdigest() == shown.sent_sha256
    assert told["bytes"] == len(raw)
    assert told["fields"] == {finding.handling: ["title", "product", "place", "class", "description"]}
    assert assist.model.asked[-1][0]["authorization"] == "Bearer sk-of-the-tests"


def test_nothing_leaves_but_the_fields_that_are_named(desk: Desk, assist: Assist) -> None:
    finding = assist.reported()
    assist.drafted("summary", finding)
    (told,) = sent_data(assist)
    assert set(told) == {"finding", "title", "product", "place", "class", "description"}
    raw = assist.model.raw[-1].decode()
    for secret in (finding.handling, "lab", "A. Finder", "poc.json", "high", "feed poc", "sk-of-the-tests"):
        assert secret not in raw, secret


def test_the_same_parts_give_the_same_bytes(desk: Desk, assist: Assist) -> None:
    finding = assist.reported()
    first, second = assist.drafted("summary", finding), assist.drafted("summary", finding)
    assert first.sent_sha256 == second.sent_sha256
    assert assist.model.raw[0] == assist.model.raw[1]


def test_suggested_duplicates_are_typed_named_by_us_and_make_no_edge(desk: Desk, assist: Assist) -> None:
    ours, theirs = assist.reported(), assist.reported(desk.rival, title="Crash on a string without its end")
    other = assist.reported(
        desk.rival, title="Weak default password", cwe="CWE-521", place={"file": "setup.sh"},
        description="Installation sets admin as password.",
    )  # fmt: skip
    shown = assist.drafted("duplicates", ours)
    assert [d.finding for d in shown.duplicates] == [theirs.handling]
    assert "Both speak of" in shown.duplicates[0].reason
    told = sent_data(assist)
    assert [t["finding"] for t in told] == ["F1", "F2", "F3"]
    raw = assist.model.raw[-1].decode()
    assert not any(f.handling in raw for f in (ours, theirs, other))
    with desk.acting(desk.coordinator) as db:
        assert edge.of(db, ours) == []
        assert edge.group_of(db, ours.id) == (ours.id,)
        with pytest.raises(ConflictError):  # pairs are merged by the usual act, or put away
            start.take(db, desk.vault, kept.one(db, shown.id), "they are one")
        kept.discard(db, kept.one(db, shown.id))
        assert kept.listed(db, ours.subject) == []


def test_a_proposal_is_for_who_sees_all_its_parts_and_until_taken_for_the_desk(
    desk: Desk, assist: Assist
) -> None:
    ours = assist.reported()
    assist.reported(desk.rival)
    alone, both = assist.drafted("summary", ours), assist.drafted("duplicates", ours)
    for who in (desk.finder, desk.rival, desk.operator, desk.maintainer):
        with desk.acting(who) as db:
            assert kept.listed(db, ours.subject) == []
            for number in (alone.id, both.id):
                with pytest.raises(NotFoundError):
                    kept.one(db, number)
        for number in (alone.id, both.id):
            with pytest.raises(ForbiddenError, match="desk"), desk.acting(who) as db:
                kept.discard(db, assist.one(number))
    with desk.acting(desk.coordinator) as db:
        start.take(db, desk.vault, kept.one(db, alone.id), "The parser over-reads.")
    with desk.acting(desk.finder) as db:
        (mine,) = kept.listed(db, ours.subject)
        assert kept.taken(db, desk.vault, mine) == "The parser over-reads."
        assert mine.decided_by == ""  # who took it is the desk's to know
    with desk.acting(desk.rival) as db:
        assert kept.listed(db, ours.subject) == []


def test_of_a_case_the_audience_is_the_meet_and_what_is_taken_can_become_its_draft(
    desk: Desk, assist: Assist
) -> None:
    ours, theirs = assist.reported(), assist.reported(desk.rival)
    case = assist.opened(ours, theirs)
    shown = assist.drafted("summary", case)
    told = sent_data(assist)
    assert told[0] == {"finding": "C1", "title": case.title, "product": "PyPI example"}
    assert [t["description"] for t in told[1:]] == [STORY, STORY]
    with desk.acting(desk.finder) as db:  # a party, who sees the case and not the rival's finding
        assert cases.one(db, case.handling).id == case.id
        assert kept.listed(db, case.subject) == []
    with desk.acting(desk.coordinator) as db:
        with pytest.raises(ConflictError, match="no draft"), db.transaction():
            start.take(db, desk.vault, kept.one(db, shown.id), "An over-read.", into_draft=True)
        drafts.put(db, desk.vault, cases.by_id(db, case.id), a_draft(), "First")
        start.take(db, desk.vault, kept.one(db, shown.id), "An over-read.", into_draft=True)
        found = drafts.read(db, desk.vault, cases.by_id(db, case.id))
        assert found.description == "An over-read."
        assert found.products == a_draft().products
        assert "extractive-1" in drafts.listed(db, cases.by_id(db, case.id))[-1].summary
    with desk.acting(desk.finder) as db:
        assert kept.listed(db, case.subject) == []


def test_what_is_under_embargo_goes_to_an_endpoint_inside_alone(desk: Desk, assist: Assist) -> None:
    finding = assist.reported()
    url = assist.model.url.replace("http://", "https://")
    assist.on(place="outside", url=url)
    with pytest.raises(ForbiddenError, match="embargo"):
        assist.ask("summary", finding)
    case = assist.opened(finding)
    for about in (finding, case):
        with desk.owner() as db:
            about = cases.by_id(db, about.id) if about is case else findings.by_id(db, about.id)
        with pytest.raises(ForbiddenError, match="embargo"):
            assist.ask("summary", about)
    # Declared inside when it was asked, and outside when the worker came to it.
    assist.on()
    number = assist.ask("summary", finding)
    assist.on(place="outside", url=url)
    found = assist.run(number)
    assert (found.state, "embargo" in found.why) == ("failed", True)
    assert assist.model.asked == []
    assert "assist.sent" not in desk.acts()


def test_what_is_released_may_go_outside_as_its_marking_allows(desk: Desk, assist: Assist) -> None:
    finding = assist.reported()
    case = assist.opened(finding)
    with desk.owner() as db:
        assert not gather.is_public(db, findings.by_id(db, finding.id))
        db.execute("update clearway.desk_case set released = now() where case_id = %s", (case.id,))
        finding = findings.by_id(db, finding.id)
        assert gather.is_public(db, finding)
    assist.on(place="outside", url=assist.model.url.replace("http://", "https://"))
    with desk.acting(desk.coordinator) as db:
        sent = start.leaving(db, read(assist.home), "summary", finding)
    assert [(one.ref, one.tlp, one.fields[:1]) for one in sent] == [("F1", "AMBER+STRICT", ("title",))]


def test_a_marking_that_is_not_named_sends_nothing(desk: Desk, assist: Assist) -> None:
    finding = assist.reported()
    text = (assist.home / "assist.toml").read_text().replace('"AMBER+STRICT"', "GREEN")
    (assist.home / "assist.toml").write_text(text)
    with pytest.raises(ForbiddenError, match=r"TLP:AMBER\+STRICT"):
        assist.ask("summary", finding)
    assert assist.model.asked == []


def test_it_is_off_by_default_and_off_again_without_the_file(desk: Desk, assist: Assist) -> None:
    finding = assist.reported()
    number = assist.ask("summary", finding)
    assist.off()
    assert assist.run(number).state == "failed"
    with pytest.raises(ConflictError, match="off"):
        assist.ask("summary", finding)
    assert assist.model.asked == []


def test_only_the_desk_asks_and_the_job_has_its_rights_of_that_moment(desk: Desk, assist: Assist) -> None:
    finding = assist.reported()
    for who in (desk.finder, desk.colleague):
        with pytest.raises(ForbiddenError):
            assist.ask("summary", finding, who)
    with pytest.raises(ForbiddenError), desk.acting(desk.operator) as db:
        db.execute("select clearway.ask_assist('summary', %s, null, '{}')", (finding.id,))
    elsewhere = desk.people.somebody(desk.water, "coordinator")
    with pytest.raises(ForbiddenError), desk.acting(elsewhere) as db:
        db.execute("select clearway.ask_assist('summary', %s, null, '{}')", (finding.id,))
    number = assist.ask("summary", finding)
    found = assist.run(number, who=desk.finder)  # as if the coordinator had lost the office meanwhile
    assert found.state == "failed"
    assert assist.model.asked == []


def test_one_of_a_kind_is_under_way_at_a_time(desk: Desk, assist: Assist) -> None:
    finding = assist.reported()
    assist.ask("summary", finding)
    with pytest.raises(ConflictError, match="already"):
        assist.ask("summary", finding)


def test_without_another_finding_of_the_product_nothing_is_asked(desk: Desk, assist: Assist) -> None:
    with pytest.raises(ConflictError, match="no other finding"):
        assist.ask("duplicates", assist.reported())
    finding = assist.reported(description="another text")
    assist.desk.finding(desk.rival, package="elsewhere")
    case = assist.opened(finding)
    with pytest.raises(InputError):
        assist.ask("duplicates", case)


def test_what_is_taken_is_text_and_bounded_and_taken_once(desk: Desk, assist: Assist) -> None:
    shown = assist.drafted("summary", assist.reported())
    with desk.acting(desk.coordinator) as db:
        found = kept.one(db, shown.id)
        for text, error in ((" \n\t", InputError), ("x" * 20_001, TooLargeError)):
            with pytest.raises(error):
                start.take(db, desk.vault, found, text)
        start.take(db, desk.vault, found, "words")
        with pytest.raises(ConflictError):
            start.take(db, desk.vault, found, "others")


def test_of_summaries_that_were_taken_the_newest_stands(desk: Desk, assist: Assist) -> None:
    finding = assist.reported()
    for text in ("first", "second"):
        shown = assist.drafted("summary", finding)
        with desk.acting(desk.coordinator) as db:
            start.take(db, desk.vault, kept.one(db, shown.id), text)
    with desk.acting(desk.finder) as db:
        assert [kept.taken(db, desk.vault, p) for p in kept.listed(db, finding.subject)] == ["second"]


def test_a_proposal_ends_by_time_and_what_it_said_is_deleted(desk: Desk, assist: Assist) -> None:
    finding = assist.reported()
    shown = assist.drafted("summary", finding)
    assert shown.expires - shown.asked > timedelta(days=13)
    with desk.owner() as db:
        db.execute("update clearway.assist_proposal set expires = now() - interval '1 minute'")
    with desk.acting(desk.coordinator) as db:
        assert kept.listed(db, finding.subject) == []
    with pytest.raises(ConflictError, match="any more"), desk.acting(desk.coordinator) as db:
        start.take(db, desk.vault, kept.one(db, shown.id), "late")
    with desk.owner() as db:
        assert kept.sweep(db) == 1
        assert db.execute("select state, sealed from clearway.assist_proposal").fetchone() == (
            "expired",
            None,
        )
        assert kept.sweep(db) == 0


def test_neither_draft_nor_text_is_in_the_database_in_clear(desk: Desk, assist: Assist) -> None:
    finding = assist.reported()
    first = assist.drafted("summary", finding)
    told = _everything(desk)
    with desk.acting(desk.coordinator) as db:
        start.take(db, desk.vault, kept.one(db, first.id), "The parser over-reads.")
    told += _everything(desk)
    for word in ("buffer when", "over-reads", "sk-of-the-tests"):
        assert word not in told
        assert word.encode().hex() not in told


def _everything(desk: Desk) -> str:
    """All rows of all tables, as text."""
    with desk.owner() as db:
        names = db.execute(
            """select format('%I.%I', schemaname, tablename) from pg_tables
            where schemaname not in ('pg_catalog', 'information_schema')"""
        ).fetchall()
        rows = [row for (name,) in names for row in db.execute(f"select t::text from {name} t".encode())]
    return "\n".join(text for (text,) in rows)


def test_a_worker_makes_it_and_a_second_attempt_makes_it_once(desk: Desk, assist: Assist) -> None:
    number = assist.ask("summary", assist.reported())
    stop = threading.Event()
    url = desk.people.url
    worker = threading.Thread(
        target=run_worker, args=(url, tasks(assist.home, url)), kwargs={"stop": stop, "mint": mint}
    )
    worker.start()
    try:
        ends = time.monotonic() + 30
        while assist.one(number).state in ("waiting", "running"):
            assert time.monotonic() < ends
            time.sleep(0.05)
    finally:
        stop.set()
        worker.join(30)
    assert assist.one(number).state == "proposed"
    assert assist.run(number).state == "proposed"  # the job again: nothing more is sent
    assert len(assist.model.asked) == 1


def test_a_worker_that_died_after_sending_sends_again_with_an_entry_of_its_own(
    desk: Desk, assist: Assist, monkeypatch: pytest.MonkeyPatch
) -> None:
    from clearway.findings.assist import endpoint

    class Killed(BaseException):
        pass

    def dies(*_: object) -> None:
        raise Killed

    number = assist.ask("summary", assist.reported())
    with monkeypatch.context() as patched:
        patched.setattr(endpoint, "complete", dies)
        with pytest.raises(Killed):
            assist.run(number)
    assert assist.one(number).state == "running"
    assert assist.run(number).state == "proposed"
    assert desk.acts().count("assist.sent") == 2
