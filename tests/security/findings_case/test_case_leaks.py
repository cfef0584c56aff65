"""What is under embargo leaves by no way: text of a case is data everywhere, and its parties' alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from browser.hostile import CORPUS
from clearway.findings.case import draft, kept, mail, party, talk, thread
from clearway.records.errors import ClearwayError, ForbiddenError, InputError, NotFoundError
from clearway.records.text import plain
from clearway.store.principal import PUBLIC
from findings_case_world import Cases, a_draft
from often import often
from site_client import Site, site

TAGS = re.compile(
    r"<(?:img|svg|script|iframe|object|a|math|style|input|details|body|video)\b[^>]*?(?:on\w+=|alert|javascript:)",
    re.I,
)
TABLES = (
    "desk_case", "case_party", "case_contact", "case_act", "case_proposal", "case_consent", "case_thread",
    "case_message", "case_draft", "case_document", "case_letter", "case_link",
)  # fmt: skip
PAYLOADS = {name: text.replace("\0", "") for name, text in CORPUS.items()}


@pytest.fixture(scope="module")
def served(cases: Cases) -> Iterator[Site]:
    with site(cases.desk.home, cases.world.url) as made:
        yield made


@pytest.fixture(scope="module")
def full(cases: Cases) -> kept.Case:
    """A case with a row in every table."""
    desk = cases.desk
    case = cases.opened(title="narwhal overflow")
    vendor, mailed = cases.vendor(case), cases.by_mail(case, "narwhal@example.org")
    cases.drafted(case)
    now = datetime.now(UTC)
    with cases.acting() as db:
        own = thread.add(db, cases.desk.vault, case, "narwhal", to=vendor.id)
        thread.say(db, desk.vault, case, own, "narwhal fix")
        made = talk.propose(db, cases.again(case), now + timedelta(days=9), "UTC", now=now)
        talk.consent(db, case, made, vendor.id, "agrees")
    with desk.owner() as db:
        mail.make_link(db, desk.vault, mailed.id, now)
        db.execute(
            """insert into clearway.case_document (case_id, number, kind, org, aud, handling, body, sha256)
            values (%s, 1, 'csaf', %s, %s, %s, 'narwhal', sha256('narwhal'))""",
            (case.id, case.org, case.open_aud, case.handling),
        )
    return case


def rows(db: psycopg.Connection[Any], table: str, case: kept.Case) -> int:
    where = {
        "case_contact": "party in (select party from clearway.case_party where case_id = %s)",
        "case_letter": "party in (select party from clearway.case_party where case_id = %s)",
        "case_link": "party in (select party from clearway.case_party where case_id = %s)",
        "case_consent": "proposal in (select proposal from clearway.case_proposal where case_id = %s)",
        "case_message": "thread in (select thread from clearway.case_thread where case_id = %s)",
    }.get(table, "case_id = %s")
    row = db.execute(f"select count(*) from clearway.{table} where {where}", (case.id,)).fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.parametrize("table", TABLES)
def test_no_row_of_a_case_is_seen_by_who_is_no_party(cases: Cases, full: kept.Case, table: str) -> None:
    with cases.desk.owner() as db:
        assert rows(db, table, full) > 0, "the test would show nothing else"
    for who in (cases.desk.rival, cases.desk.operator):
        with cases.acting(who) as db:
            assert rows(db, table, full) == 0
    with cases.desk.people.pool.acting(PUBLIC) as db:
        assert rows(db, table, full) == 0


@pytest.mark.parametrize("table", ["case_contact", "case_letter", "case_link"])
def test_how_others_are_reached_is_for_the_desk_alone(cases: Cases, full: kept.Case, table: str) -> None:
    for who in (cases.desk.maintainer, cases.desk.finder):
        with cases.acting(who) as db:
            assert rows(db, table, full) == 0
    with cases.acting() as db:
        assert rows(db, table, full) > 0


def test_a_party_sees_no_thread_and_no_finding_of_another(cases: Cases, full: kept.Case) -> None:
    with cases.acting(cases.desk.finder) as db:
        assert rows(db, "case_message", full) == 0
        assert len(kept.findings_of(db, full)) == 1
    with cases.acting(cases.desk.maintainer) as db:
        assert rows(db, "case_message", full) == 1
        assert kept.findings_of(db, full) == []


def test_nothing_of_a_case_is_told_by_events_or_the_log_to_others(cases: Cases, full: kept.Case) -> None:
    for who in (cases.desk.rival, cases.desk.operator):
        with cases.acting(who) as db:
            told = db.execute(
                "select count(*) from clearway.event where subject = %s", (full.subject,)
            ).fetchone()
            assert told == (0,)
            logged = db.execute(
                "select count(*) from clearway.log_entry where subject = %s", (full.subject,)
            ).fetchone()
            assert logged == (0,)


WRITES = (
    """insert into clearway.case_act (case_id, org, aud, machine, act, was, now)
        values (%s, 1, 0, 'embargo', 'x', 'x', 'x')""",
    "update clearway.desk_case set em = 'exited' where case_id = %s",
    "update clearway.desk_case set released = now() where case_id = %s",
    "update clearway.case_party set answer = 'fixed' where case_id = %s",
    "update clearway.case_party set rm = 'closed' where case_id = %s",
    "update clearway.case_draft set released = now() where case_id = %s",
    "delete from clearway.case_act where case_id = %s",
    "delete from clearway.desk_case where case_id = %s",
    "update clearway.desk_case set aud = 0 where case_id = %s",
    "update clearway.case_document set aud = 0 where case_id = %s",
    "insert into clearway.case_transition values ('embargo', 'none', 'cheat', 'exited', '{vendor}') returning %s",
)  # fmt: skip


@pytest.mark.parametrize("statement", WRITES)
def test_sql_with_a_partys_key_changes_nothing_beside_the_machines(
    cases: Cases, full: kept.Case, statement: str
) -> None:
    for who in (cases.desk.maintainer, cases.desk.finder):
        try:
            with cases.acting(who) as db:
                assert db.execute(statement, (full.id,)).rowcount == 0  # type: ignore[arg-type]
        except (ClearwayError, psycopg.Error):
            continue
    for forbidden in ("set em", "set aud", "delete", "set answer", "set rm", "transition"):
        if forbidden in statement:
            with pytest.raises((ClearwayError, psycopg.Error)), cases.acting() as db:
                db.execute(statement, (full.id,))  # type: ignore[arg-type]


def test_a_case_marked_by_hand_is_refused(cases: Cases, full: kept.Case) -> None:
    with pytest.raises(ForbiddenError), cases.acting() as db:
        db.execute("select clearway.remark('clearway.desk_case', %s, 0)", (full.id,))


def test_functions_of_the_machines_know_no_case_that_one_may_not_see(cases: Cases, full: kept.Case) -> None:
    with cases.acting() as db:
        number = party.listed(db, full)[0].id
    for statement, given in (
        ("select clearway.move_case(%s, null, 'embargo', 'revise', '')", (full.id,)),
        ("select clearway.answer_case(%s, 'fixed', '')", (number,)),
        ("select clearway.queue_letters(%s, 'said', null, null)", (full.id,)),
        ("select clearway.thread_audience(%s, %s)", (full.id, number)),
    ):
        with pytest.raises(NotFoundError), cases.acting(cases.desk.rival) as db:
            db.execute(statement, given)


def test_no_payload_becomes_markup_in_the_room_the_queue_or_behind_a_link(cases: Cases, served: Site) -> None:
    desk = cases.desk
    everything = " ".join(PAYLOADS.values())
    for text in [*PAYLOADS.values()][:: often(4, 1)]:  # each room shows all of them
        case = cases.opened(title=text[:250] or "x", state="queued")
        vendor, mailed = cases.vendor(case), cases.by_mail(case)
        with cases.acting() as db:
            own = thread.add(db, cases.desk.vault, case, text[:150].strip() or "x", to=mailed.id)
            thread.say(db, desk.vault, case, own, everything[:19_000])
            try:
                made = a_draft(title=text[:200].strip() or "x", description=text)
            except InputError:  # controls and turns of direction are published nowhere
                made = a_draft(title=plain(text, 200).strip() or "x", description=plain(text))
            draft.put(db, desk.vault, cases.again(case), made, "s")
        with cases.acting(desk.maintainer) as db:
            party.answer(
                db, cases.again(case), vendor, "disputed", text[:3_000].strip() or "x", vault=cases.desk.vault
            )
        with desk.owner() as db:
            token = mail.make_link(db, desk.vault, mailed.id, datetime.now(UTC))
        for shown in (
            served.page(desk.coordinator.cookie, f"/cases/{case.handling}"),
            served.http.post(f"/case-mail/{token}", headers={"accept": "text/html"}).text,
        ):
            assert not TAGS.search(shown), text
    for path in ("/cases", "/cases/triage"):
        assert not TAGS.search(served.page(desk.coordinator.cookie, path))


def test_the_pages_of_a_link_are_kept_by_nobody_between(cases: Cases, served: Site) -> None:
    case = cases.opened()
    mailed = cases.by_mail(case)
    with cases.desk.owner() as db:
        token = mail.make_link(db, cases.desk.vault, mailed.id, datetime.now(UTC))
    for answer in (served.http.get(f"/case-mail/{token}"), served.http.post(f"/case-mail/{token}")):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "same-origin"


def test_another_site_can_use_no_link(cases: Cases, served: Site) -> None:
    case = cases.opened()
    mailed = cases.by_mail(case)
    with cases.desk.owner() as db:
        token = mail.make_link(db, cases.desk.vault, mailed.id, datetime.now(UTC))
    answer = served.http.post(f"/case-mail/{token}", headers={"sec-fetch-site": "cross-site"})
    assert answer.status_code == 403
    with cases.desk.owner() as db:
        assert mail.look(db, cases.desk.vault, token, datetime.now(UTC)).fresh
