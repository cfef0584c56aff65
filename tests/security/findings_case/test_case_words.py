"""Topics and reasons of a case stand nowhere in the database as they were said, and are read by its parties."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from clearway.findings.case import kept, party, talk, thread, words
from clearway.findings.vault import Vault
from clearway.records.errors import IntegrityError
from findings_case_world import Cases

SECRET = "axolotl"


def everywhere(db: psycopg.Connection[Any], said: str) -> dict[str, int]:
    """In which tables a text stands, in how many rows."""
    found: dict[str, int] = {}
    for (table,) in db.execute(
        """select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where c.relkind in ('r', 'p') and n.nspname in ('clearway', 'public')"""
    ).fetchall():
        row = db.execute(f"select count(*) from {table} t where t::text ilike %s", (f"%{said}%",)).fetchone()
        assert row is not None
        if row[0]:
            found[table] = row[0]
    return found


def test_what_parties_say_as_reasons_is_sealed_in_each_table_and_read_by_them(cases: Cases) -> None:
    vault, case, now = cases.desk.vault, cases.opened(), datetime.now(UTC)
    vendor = cases.vendor(case)
    with cases.acting() as db:
        made = thread.add(db, vault, cases.again(case), f"{SECRET} topic")
    with cases.acting(cases.desk.maintainer) as db:
        mine = party.one(db, case, vendor.id)
        party.act(db, cases.again(case), mine, "validate", f"{SECRET} valid", vault=vault)
        party.act(db, cases.again(case), mine, "dispute", f"{SECRET} dispute", vault=vault)
        proposed = talk.propose(
            db, cases.again(case), now + timedelta(days=9), "UTC", now=now, why=f"{SECRET} day", party=vendor.id,
            vault=vault,
        )  # fmt: skip
        talk.consent(db, cases.again(case), proposed, vendor.id, "agrees", f"{SECRET} consent", vault=vault)
    with cases.desk.owner() as db:
        assert everywhere(db, SECRET) == {}
        assert everywhere(db, case.handling), "the search finds what is there"
    with cases.acting(cases.desk.maintainer) as db:
        assert thread.titled(vault, case, thread.one(db, case, made.id)).topic == f"{SECRET} topic"
        assert party.one(db, case, vendor.id).reasons(vault, case) == f"{SECRET} dispute"
        shown = talk.shown(db, vault, case)
        assert shown is not None
        assert (shown.why, [c.why for c in shown.consents]) == (f"{SECRET} day", [f"{SECRET} consent"])
        assert {f"{SECRET} valid", f"{SECRET} dispute", f"{SECRET} day"} <= {
            a.why for a in kept.history(db, vault, case)
        }


def test_the_longest_words_of_four_bytes_each_are_kept_whole(cases: Cases) -> None:
    vault, case, now = cases.desk.vault, cases.opened(), datetime.now(UTC)
    vendor = cases.vendor(case)
    long = "\U0001f9ff" * 4_000
    with cases.acting(cases.desk.maintainer) as db:
        said = party.act(db, cases.again(case), vendor, "dispute", long, vault=vault)
        made = talk.propose(
            db, cases.again(case), now + timedelta(days=9), "UTC", now=now, why=long[:2_000], party=vendor.id,
            vault=vault,
        )  # fmt: skip
        talk.consent(db, cases.again(case), made, vendor.id, "disagrees", long[:2_000], vault=vault)
    with cases.acting() as db:
        topic = thread.add(db, vault, cases.again(case), long[:200])
        shown = talk.shown(db, vault, case)
    assert said.reasons(vault, case) == long
    assert shown is not None
    assert (shown.why, shown.consents[0].why) == (long[:2_000], long[:2_000])
    assert thread.titled(vault, case, topic).topic == long[:200]


def test_words_of_before_are_read_and_sealed_by_the_job(cases: Cases) -> None:
    vault, case, now = cases.desk.vault, cases.opened(), datetime.now(UTC)
    vendor = cases.vendor(case)
    with cases.acting() as db:
        made = thread.add(db, vault, cases.again(case), "x")
        proposed = talk.propose(
            db, cases.again(case), now + timedelta(days=9), "UTC", now=now, party=vendor.id
        )
        talk.consent(db, cases.again(case), proposed, vendor.id, "agrees")
    with cases.desk.owner() as db:
        for table, column in (
            ("case_thread", "topic"), ("case_act", "why"), ("case_party", "answer_why"), ("case_proposal", "why"),
        ):  # fmt: skip
            db.execute(
                f"update clearway.{table} set {column} = 'narwhal of before' where case_id = %s", (case.id,)
            )
        db.execute("update clearway.case_consent set why = 'narwhal of before'")
    with cases.acting() as db:
        assert thread.titled(vault, case, thread.one(db, case, made.id)).topic == "narwhal of before"
    with cases.desk.owner() as db:
        assert words.seal_old(db, vault) >= 5
        assert words.seal_old(db, vault) == 0
        assert everywhere(db, "narwhal of before") == {}
    with cases.acting() as db:
        assert thread.titled(vault, case, thread.one(db, case, made.id)).topic == "narwhal of before"
        shown = talk.shown(db, vault, case)
        assert shown is not None
        assert [c.why for c in shown.consents] == ["narwhal of before"]
        assert party.one(db, case, vendor.id).reasons(vault, case) == "narwhal of before"
        assert {a.why for a in kept.history(db, vault, case)} == {"narwhal of before"}


def test_sealed_words_open_in_their_own_case_and_as_what_they_are(tmp_path: Any) -> None:
    vault = Vault(tmp_path / "vault")
    sealed = words.seal(vault, "case/A", "topic", "said")
    words.seal(vault, "case/B", "topic", "other")
    assert words.opened(vault, "case/A", "topic", sealed) == "said"
    for subject, kind, text in (
        ("case/B", "topic", sealed),
        ("case/A", "act", sealed),
        ("case/A", "topic", sealed[:-8] + "AAAAAAA="),
        ("case/A", "topic", "sealed:?"),
    ):
        with pytest.raises(IntegrityError):
            words.opened(vault, subject, kind, text)  # type: ignore[arg-type]
    assert (
        words.opened(vault, "case/A", "topic", words.seal(vault, "case/A", "topic", "sealed:x")) == "sealed:x"
    )
    vault.destroy("case/A")
    assert words.opened(vault, "case/A", "topic", sealed) == words.GONE
    with pytest.raises(TypeError, match="hand in the vault"):
        words.sealed(None, "case/A", "act", "said")
