"""The act that ends an embargo: what is published, taken in, and matched; and that each step is done once."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

from clearway.access import clockwatch, embargo, exploitation, restored
from clearway.advisories.table import Table
from clearway.advisories.view import show, view
from clearway.findings import kept as findings
from clearway.findings.case import cve_id, draft, kept, party, release, talk
from clearway.findings.case.kept import Case
from clearway.findings.case.view import view as seen_by
from clearway.findings.dedup import public
from clearway.formats.report_advisory import Product
from clearway.records.clock import SystemClock
from clearway.records.errors import ConflictError, ForbiddenError, NotFoundError
from clearway.records.principal import Principal
from findings_case_world import Cases, a_draft
from findings_dedup_world import fired
from fleet_world import Fleet, osv, package
from intake_world import kev, write
from site_client import site, words


@contextmanager
def owner(cases: Cases) -> Iterator[psycopg.Connection[Any]]:
    with cases.desk.owner() as db:
        yield db


def published(cases: Cases, case: Case) -> bool:
    return release.publish(lambda: owner(cases), cases.world.url, cases.world.home, case.id, SystemClock())


def released(cases: Cases, case: Case, why: str = "a fix is out") -> Case:
    with cases.acting() as db:
        return release.release(
            db, cases.desk.vault, cases.again(case), cases.desk.home, why, now=datetime.now(UTC)
        )


def test_the_end_of_an_embargo_publishes_and_matching_finds_the_assets(cases: Cases) -> None:
    fleet = Fleet(cases.world, cases.desk.people, "hospital")
    today = datetime.now(UTC).date()
    fleet.ingest(osv("PYSEC-2026-1", package("PyPI", "other", "2.0")), at=today)
    gateway = fleet.asset("gateway", day=today)
    fleet.upload(gateway, "pkg:pypi/gateways@1.2.3", "pkg:pypi/other@3.0", day=today)
    assert fleet.flaws() == []
    case = cases.opened(package="gateways", purl="pkg:pypi/gateways@1.2.3")
    cases.vendor(case)
    cases.drafted(case, products=(Product(purl="pkg:pypi/gateways", introduced="1.0", fixed="1.2.4"),))
    fleet.follow(today)
    assert fleet.flaws() == [], "while the embargo holds, nothing of it is matched"
    with cases.acting() as db:
        cve_id.assign(db, cases.again(case), "CVE-2026-4242")
    case = released(cases, case)
    assert (case.em, case.pxa) == ("exited", "Pxa")
    assert published(cases, case)
    fleet.follow(today)
    assert fleet.flaws() == [("gateway", "gateways@1.2.3", "CVE-2026-4242")]
    assert cases.again(case).published is not None
    assert "case.published" in cases.desk.acts()


def test_what_is_published_is_read_by_everybody_and_nothing_before(cases: Cases) -> None:
    case = cases.opened()
    cases.drafted(case)
    with pytest.raises(NotFoundError), cases.desk.acting(None) as db:
        release.document(db, case.handling, "csaf")
    released(cases, case)
    with pytest.raises(NotFoundError), cases.desk.acting(None) as db:
        release.document(db, case.handling, "csaf")
    assert published(cases, case)
    with cases.desk.acting(None) as db:
        document = json.loads(release.document(db, case.handling, "csaf"))
        assert document["document"]["tracking"]["id"] == case.handling
        with pytest.raises(NotFoundError):
            kept.one(db, case.handling)
    with pytest.raises(NotFoundError), cases.acting(cases.desk.operator) as db:
        kept.one(db, case.handling)


def test_publishing_twice_changes_nothing(cases: Cases) -> None:
    case = cases.opened()
    cases.drafted(case)
    released(cases, case)
    assert published(cases, case)
    before = cases.world.standing()
    assert published(cases, case)
    assert cases.world.standing() == before


def test_a_case_without_a_draft_is_not_released_nor_armed(cases: Cases) -> None:
    case = cases.opened()
    with pytest.raises(NotFoundError, match="no draft"):
        released(cases, case)
    with pytest.raises(ConflictError, match="no day"), cases.acting() as db:
        release.arm(db, cases.desk.vault, case, cases.desk.home, now=datetime.now(UTC))
    assert cases.again(case).em == "none"


def test_without_a_publisher_nothing_is_released(cases: Cases) -> None:
    case = cases.opened()
    cases.drafted(case)
    settings = cases.desk.home / "cases.toml"
    text = settings.read_text()
    settings.unlink()
    try:
        with pytest.raises(ConflictError, match="who publishes"):
            released(cases, case)
    finally:
        settings.write_text(text)


@pytest.mark.parametrize("who", ["finder", "maintainer", "operator"])
def test_nobody_but_a_coordinator_ends_it(cases: Cases, who: str) -> None:
    case = cases.opened()
    cases.vendor(case)
    cases.drafted(case)
    with pytest.raises((ForbiddenError, NotFoundError)), cases.acting(getattr(cases.desk, who)) as db:
        release.release(db, cases.desk.vault, case, cases.desk.home, "now", now=datetime.now(UTC))
    assert cases.again(case).released is None


def settling(cases: Cases) -> int:
    """How many jobs wait that let cases follow their embargoes; none waits afterwards."""
    with owner(cases) as db:
        gone = db.execute(
            """delete from clearway_jobs.procrastinate_jobs
            where task_name = 'findings.case_settle' and status = 'todo'"""
        )
        return gone.rowcount


def agreed(cases: Cases, case: Case, *, early: bool = False) -> datetime:
    """An hour that is agreed and armed, an hour away."""
    now = datetime.now(UTC)
    with cases.acting() as db:
        talk.propose(db, case, now + timedelta(hours=1), "UTC", now=now)
    with cases.acting() as db:
        talk.accept(db, cases.again(case), now=now)
    with cases.acting() as db:
        release.arm(db, cases.desk.vault, cases.again(case), cases.desk.home, now=now, on_exploitation=early)
    return now


def test_a_release_by_hand_starts_its_own_job_and_no_other(cases: Cases) -> None:
    case = cases.opened()
    cases.drafted(case)
    settling(cases)
    released(cases, case)
    assert settling(cases) == 0
    alone = cases.opened()
    with cases.acting() as db:
        embargo.release(db, alone.embargo, "beside the case")
    assert settling(cases) == 1


def test_a_case_that_another_lets_follow_meanwhile_follows_once(cases: Cases) -> None:
    case = cases.opened()
    with cases.acting() as db:
        embargo.release(db, case.embargo, "beside the case")
    with owner(cases) as db:
        (seen,) = [c for c in kept.ended(db) if c.id == case.id]
        release._follow(db, seen)
        release._follow(db, seen)
    assert cases.again(case).em == "exited"
    assert [a.act for a in history(cases, case)].count("terminate") == 1


def history(cases: Cases, case: Case) -> list[kept.Acted]:
    with cases.acting() as db:
        return kept.history(db, cases.desk.vault, case)


def test_an_id_that_was_listed_as_exploited_before_ends_no_embargo_and_is_told(
    cases: Cases, tmp_path: Path
) -> None:
    case = cases.opened()
    cases.drafted(case)
    cve = "CVE-2020-11978"
    listing = write(tmp_path / "known_exploited_vulnerabilities.json", kev("2026.11.25", cve))
    cases.world.take(listing, at=datetime.now(UTC))
    with cases.acting() as db:
        cve_id.assign(db, cases.again(case), cve, sure=True)
    agreed(cases, cases.again(case), early=True)
    for _ in range(2):
        with owner(cases) as db:
            assert exploitation.standing(db) == ()
    with cases.acting() as db:
        held = embargo.one(db, case.embargo)
    assert (held.ended_by, held.listed) == (None, (cve,))
    assert cases.desk.acts().count("case.listed_before") == 1
    with owner(cases) as db:
        news = db.execute(
            """select e.body, e.aud from clearway.event e join clearway.desk_news n using (seq)
            where e.kind = 'case.listed_before' and e.subject = %s""",
            (case.subject,),
        ).fetchall()
    assert news == [({"handling": case.handling}, case.aud)]
    with site(cases.desk.home, cases.world.url) as served:
        shown = words(served.page(cases.desk.coordinator.cookie, f"/cases/{case.handling}"))
    assert f"{cve}: listed as exploited before it was noted here" in shown


def test_an_armed_embargo_ends_by_the_clock_and_the_case_follows(cases: Cases) -> None:
    case = cases.opened()
    cases.drafted(case)
    now = datetime.now(UTC)
    with cases.acting() as db:
        talk.propose(db, case, now + timedelta(seconds=30), "UTC", now=now)
    with cases.acting() as db:
        talk.accept(db, cases.again(case), now=now)
    with cases.acting() as db:
        release.arm(db, cases.desk.vault, cases.again(case), cases.desk.home, now=now)
    with owner(cases) as db:
        assert case.id not in release.settle(db)
        later = clockwatch.Reading(wall=now + timedelta(minutes=1), boot="a", up_s=60.0)
        embargo.carry_out(db, later)
    with owner(cases) as db:
        assert case.id in release.settle(db)
    after = cases.again(case)
    assert (after.em, after.pxa) == ("exited", "Pxa")
    assert published(cases, case)
    with owner(cases) as db:
        assert case.id not in release.settle(db)


def test_attacks_end_an_embargo_that_was_armed_so(cases: Cases) -> None:
    case = cases.opened()
    cases.drafted(case)
    now = datetime.now(UTC)
    with cases.acting() as db:
        talk.propose(db, case, now + timedelta(days=30), "UTC", now=now)
    with cases.acting() as db:
        talk.accept(db, cases.again(case), now=now)
    with cases.acting() as db:
        release.arm(db, cases.desk.vault, cases.again(case), cases.desk.home, now=now, on_exploitation=True)
    with cases.acting() as db:
        after = release.observe(
            db, cases.desk.vault, cases.again(case), cases.desk.home, "attacks-observed", "seen", now=now
        )
    assert (after.em, after.pxa) == ("exited", "PxA")
    assert after.released is not None


def test_after_a_restore_neither_attacks_nor_another_day_end_or_arm_what_is_frozen(cases: Cases) -> None:
    case = cases.opened()
    cases.drafted(case)
    now = datetime.now(UTC)
    desk, home = cases.desk.vault, cases.desk.home
    with cases.acting() as db:
        talk.propose(db, case, now + timedelta(days=30), "UTC", now=now)
    with cases.acting() as db:
        talk.accept(db, cases.again(case), now=now)
    with cases.acting() as db:
        release.arm(db, desk, cases.again(case), home, now=now, on_exploitation=True)
    with owner(cases) as db:
        embargo.freeze_armed(db, restored.words("(a test)"))
    with cases.acting() as db:
        talk.propose(db, cases.again(case), now + timedelta(days=40), "UTC", now=now)
    with cases.acting() as db:
        talk.accept(db, cases.again(case), now=now)
    with cases.acting() as db:
        after = release.observe(db, desk, cases.again(case), home, "attacks-observed", "seen", now=now)
        held = embargo.one(db, case.embargo)
    assert (after.released, held.ended_by) == (None, None)
    assert held.frozen
    assert held.until == (now + timedelta(days=30))
    with cases.acting() as db:  # a coordinator has looked
        release.arm(db, desk, cases.again(case), home, now=now, on_exploitation=True)
        assert embargo.one(db, case.embargo).until == now + timedelta(days=40)


def test_a_dispute_travels_with_the_record_and_an_update_is_a_revision(cases: Cases) -> None:
    case = cases.opened()
    vendor = cases.vendor(case)
    cases.drafted(case)
    released(cases, case)
    assert published(cases, case)
    with cases.acting(cases.desk.maintainer) as db:
        party.act(
            db,
            cases.again(case),
            party.one(db, case, vendor.id),
            "dispute",
            "It is a feature.",
            vault=cases.desk.vault,
        )
    with cases.acting() as db:
        draft.put(
            db,
            cases.desk.vault,
            cases.again(case),
            a_draft(title="Overflow, disputed"),
            "The vendor disputes it",
        )
    with cases.acting() as db:
        release.update(db, cases.desk.vault, cases.again(case), cases.desk.home, now=datetime.now(UTC))
    assert published(cases, case)
    with cases.desk.acting(None) as db:
        document = json.loads(release.document(db, case.handling, "csaf"))
        record = json.loads(release.document(db, case.handling, "osv"))
    assert [r["number"] for r in document["document"]["tracking"]["revision_history"]] == ["1", "2"]
    assert record["database_specific"]["disputed_by"][0]["why"] == "It is a feature."
    assert record["summary"] == "Overflow, disputed"
    ((version,),) = cases.world.sql(
        "select version from clearway.record where id = %s and current", f"x_{case.handling}"
    )
    assert version >= date.today().isoformat()


def test_drafts_are_sealed_and_read_by_the_parties(cases: Cases) -> None:
    case = cases.opened()
    cases.vendor(case)
    cases.drafted(case)
    with owner(cases) as db:
        ((sealed,),) = db.execute(
            "select sealed from clearway.case_draft where case_id = %s", (case.id,)
        ).fetchall()
    assert b"buffer" not in bytes(sealed)
    with cases.acting(cases.desk.maintainer) as db:
        assert draft.read(db, cases.desk.vault, case).title.startswith("Heap buffer")
    with pytest.raises(NotFoundError), cases.acting(cases.desk.operator) as db:
        draft.read(db, cases.desk.vault, case)


def test_a_dispute_is_read_where_the_flaw_is(cases: Cases) -> None:
    case = cases.opened(package="argued", purl="pkg:pypi/argued@1.2.3")
    vendor = cases.vendor(case)
    cases.drafted(case, products=(Product(purl="pkg:pypi/argued", introduced="1.0", fixed="1.2.4"),))
    with cases.acting(cases.desk.maintainer) as db:
        party.answer(
            db, cases.again(case), party.one(db, case, vendor.id), "disputed", "Works as documented.",
            vault=cases.desk.vault,
        )  # fmt: skip
    released(cases, case)
    assert published(cases, case)
    found = view(Table.of_home(cases.world.home), f"x_{case.handling}")
    (source,) = [s for s in found["sources"] if s["record"] == f"x_{case.handling}"]
    assert source["disputed"] == [{"by": "Vendor", "why": "Works as documented."}]
    shown = io.StringIO()
    show(found, shown)
    assert "is disputed by Vendor: Works as documented." in shown.getvalue()
    with site(cases.desk.home, cases.world.url) as served:
        at = served.page(cases.desk.operator.cookie, f"/flaws/x_{case.handling}", 303)
        page = words(served.page(cases.desk.operator.cookie, at))
    assert "by Vendor : Works as documented." in page


def test_what_comes_back_after_a_case_of_a_release_of_a_system_is_a_return(cases: Cases) -> None:
    facts = {"ecosystem": "Debian:12", "package": "listed", "purl": "pkg:deb/debian/listed?distro=debian-12"}
    case = cases.opened(release="1.2.3-1", **facts)
    product = Product(purl="pkg:deb/debian/listed", versions=("1.2.2-1", "1.2.3-1"))
    cases.drafted(case, products=(product,))
    released(cases, case)
    published(cases, case)
    with cases.acting() as db:
        (handling,) = kept.findings_of(db, case)
        first = findings.one(db, handling)
        (said,) = public.statements(db, first.id)
        assert (said.verdict, said.fixed) == ("is", ()), "the record lists versions alone"
    back = fired(cases.desk, cases.desk.finding(cases.desk.rival, release="1.3.0-1", state="queued", **facts))
    with cases.acting() as db:
        public.say(db, back, said.flaw, [], "the same lines", affected=said.affected)
        assert public.statements(db, back.id)[0].verdict == "returns"


def test_an_embargo_that_ends_by_the_clock_starts_at_once_what_publishes_its_case(cases: Cases) -> None:
    case = cases.opened()
    cases.drafted(case)
    now = agreed(cases, case)
    settling(cases)
    with owner(cases) as db:
        embargo.carry_out(db, clockwatch.Reading(wall=now + timedelta(minutes=61), boot="a", up_s=3_660.0))
        assert embargo.one(db, case.embargo).ended_by is not None
    with cases.acting() as db:
        (me,) = db.execute("select clearway.whoami()::text").fetchone() or ("",)
        reader = msgspec.json.decode(me, type=Principal)
        one = seen_by(db, cases.desk.vault, kept.by_id(db, case.id), reader, datetime.now(UTC))
    assert one.released is None
    assert one.ended is not None, "the case says that it has ended, before it follows"
    assert settling(cases) == 1
    with owner(cases) as db:
        assert case.id in release.settle(db)
    assert published(cases, case)
