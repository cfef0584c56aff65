"""A marking is narrowed by one person at once, and lowered by two; what is derived, search and events follow."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from clearway import ledger
from clearway.access import approval, audience, embargo, lowering, recipients
from clearway.access.marking import CLEAR, GREEN, Marking, own
from clearway.exposure.fleet import asset
from clearway.records.errors import ConflictError, ForbiddenError, InputError, NotFoundError
from clearway.store import events
from fleet_world import Fleet, fleet_of, osv, package
from intake_world import World
from people import Somebody
from two_people import Two, ingest_secret, take_secret


@pytest.fixture
def fleet(world: World) -> Iterator[Fleet]:
    yield from fleet_of(world)


@pytest.fixture
def two(fleet: Fleet) -> Two:
    return Two(fleet)


def acts(two: Two, subject: str) -> list[tuple[Any, ...]]:
    with two.people.owner() as db:
        return db.execute(
            "select act, actor from clearway.log_entry where subject = %s order by entry", (subject,)
        ).fetchall()


def told(two: Two, who: Somebody) -> list[tuple[str, str]]:
    with two.people.acting(who) as db:
        upto = events.horizon(db).reached
        return [(e.kind, e.subject) for e in events.read(db, 0, upto)]


def sees(two: Two, who: Somebody, query: str, *parameters: object) -> bool:
    with two.people.acting(who) as db:
        return db.execute(query, parameters).fetchone() is not None  # type: ignore[arg-type]


ASSET = "select from clearway.asset where asset = %s"


def test_two_people_lower_a_marking_and_everybody_whom_it_allows_sees_it_then(two: Two) -> None:
    which = two.asset()
    asked = two.change(two.operator, "asset", which, GREEN)
    assert not asked.done
    assert not sees(two, two.stranger, ASSET, which), "asking changes nothing"
    with pytest.raises(ForbiddenError, match="second person"):
        two.decide(two.operator, asked)
    with pytest.raises(ForbiddenError, match="second person"):
        two.decide(two.auditor, asked)
    with pytest.raises(NotFoundError):
        two.decide(two.stranger, asked)
    version = two.fleet.world.sql("select version from clearway.asset")[0][0]
    assert two.decide(two.desk, asked).used is not None
    assert sees(two, two.stranger, ASSET, which)
    assert two.read(two.stranger, "asset", which).meaning.label == "TLP:GREEN"
    assert two.fleet.world.sql("select version from clearway.asset") == [(version + 1,)]
    assert acts(two, f"asset/{which}")[-1] == ("marking.changed", two.desk.person)
    assert ("marking.changed", f"asset/{which}") in told(two, two.stranger)
    with pytest.raises(ConflictError):
        two.decide(two.desk, asked)


def test_one_person_narrows_at_once_and_what_was_told_of_it_is_narrowed_too(two: Two) -> None:
    which = two.asset()
    two.decide(two.desk, two.change(two.operator, "asset", which, GREEN))
    with two.people.acting(two.operator) as db:
        kept = asset.one(db, which)
        events.emit(db, "asset.changed", f"asset/{which}", org=two.org, aud=kept.aud, body={"name": "x"})
    assert ("asset.changed", f"asset/{which}") in told(two, two.stranger)
    assert two.change(two.operator, "asset", which, own(two.org)).done
    assert not sees(two, two.stranger, ASSET, which)
    assert told(two, two.stranger) == []
    assert ("marking.changed", f"asset/{which}") in told(two, two.operator)
    with two.people.acting(two.auditor) as db:
        subjects = db.execute(
            "select act from clearway.log_entry where subject = %s", (f"asset/{which}",)
        ).fetchall()
    assert subjects.count(("marking.changed",)) == 2, "of its log the organisation's own people lose nothing"


def test_narrowing_hides_nothing_of_the_log_from_the_auditors_of_its_owner(two: Two) -> None:
    which = two.asset()
    with two.people.acting(two.chief) as db:
        three = recipients.add(db, two.org, "three people")
        recipients.set_member(db, three.list, person=two.operator.person)
    assert two.change(two.operator, "asset", which, Marking(tlp="RED", recipients=three.list)).done is False
    with two.people.acting(two.chief) as db:
        recipients.set_member(db, three.list, person=two.chief.person)
    asked = two.read(two.operator, "asset", which).waiting[0]
    with two.people.acting(two.chief) as db:
        approval.decide(db, asked.approval, "approved")
    assert not sees(two, two.auditor, ASSET, which)
    with two.people.acting(two.auditor) as db:
        found = db.execute(
            "select act from clearway.log_entry where subject = %s order by entry", (f"asset/{which}",)
        ).fetchall()
    assert found == [("asset.added",), ("marking.changed",)]


def test_a_change_that_waits_is_listed_with_who_asked_and_why_and_is_withdrawn_by_them(two: Two) -> None:
    which = two.asset()
    asked = two.change(two.operator, "asset", which, GREEN, "shown at the conference")
    (waiting,) = two.read(two.desk, "asset", which).waiting
    assert (waiting.asked_by, waiting.why) == (two.operator.person, "shown at the conference")
    with pytest.raises(ConflictError, match="waits for a second person"):
        two.change(two.operator, "asset", which, GREEN)
    with pytest.raises(ForbiddenError, match="only who asked"):
        two.decide(two.desk, asked, "withdrawn")
    two.decide(two.operator, asked, "withdrawn")
    assert two.read(two.desk, "asset", which).waiting == ()
    again = two.change(two.operator, "asset", which, GREEN)
    two.decide(two.chief, again, "refused")
    assert not sees(two, two.stranger, ASSET, which)


def test_what_was_approved_is_not_done_to_a_row_that_was_marked_anew_meanwhile(two: Two) -> None:
    which = two.asset()
    asked = two.change(two.operator, "asset", which, GREEN)
    strict = two.change(two.operator, "asset", which, Marking(tlp="AMBER+STRICT", org=two.org))
    two.decide(two.desk, strict)
    with pytest.raises(ConflictError, match="changed since"):
        two.decide(two.desk, asked)
    with two.people.acting(two.desk) as db:
        assert approval.one(db, asked.approval.approval if asked.approval else 0).verdict is None
    assert not sees(two, two.stranger, ASSET, which)


def test_a_program_and_a_member_without_the_right_change_no_marking(two: Two) -> None:
    which = two.asset()
    service = two.people.somebody(two.org, "operator", kind="service")
    with pytest.raises(ForbiddenError, match="asked for by a person"):
        two.change(service, "asset", which, GREEN)
    with pytest.raises(ForbiddenError):
        two.change(two.auditor, "asset", which, GREEN)
    with pytest.raises(InputError, match="say why"):
        two.change(two.operator, "asset", which, GREEN, " ")
    with pytest.raises(ConflictError, match="marked so already"):
        two.change(two.operator, "asset", which, own(two.org))


def test_nobody_loses_sight_of_what_they_mark_and_nobody_agrees_blindly(two: Two) -> None:
    which = two.asset()
    with two.people.acting(two.chief) as db:
        others = recipients.add(db, two.org, "others")
    with pytest.raises(ConflictError, match="no longer see it yourself"):
        two.change(two.operator, "asset", which, Marking(tlp="RED", recipients=others.list))
    with two.people.acting(two.chief) as db:
        recipients.set_member(db, others.list, person=two.operator.person)
    asked = two.change(two.operator, "asset", which, Marking(tlp="RED", recipients=others.list))
    with pytest.raises(ConflictError, match="would not see it yourself"):
        two.decide(two.desk, asked)


@pytest.mark.parametrize(
    ("kind", "number"), [("asset", 999_999), ("asset", 0), ("exposure", 1), ("log_entry", 1)]
)
def test_what_is_not_there_may_not_be_seen_or_is_derived_has_one_error(
    two: Two, kind: str, number: int
) -> None:
    hidden = two.asset()
    said = []
    for what in ((kind, number), ("asset", hidden)):
        with pytest.raises(NotFoundError) as caught:
            two.read(two.stranger, *what)
        said.append(caught.value.what)
    assert said[0] == said[1]


def test_a_derived_table_is_not_marked_by_itself_even_by_sql(two: Two) -> None:
    two.asset()
    with two.people.acting(two.operator) as db, pytest.raises(psycopg.Error, match="can't be changed"):
        db.execute("select clearway.remark('clearway.asset_exposure', 1, 0)")


def test_an_organisations_own_two_people_take_nothing_out_of_an_embargo_that_others_keep(two: Two) -> None:
    which = two.asset()
    coordinator = two.people.somebody(two.people.house, "coordinator")
    with two.people.acting(coordinator) as db:
        kept = embargo.add(db, two.people.house, "case 1")
        embargo.set_party(db, kept.embargo, org=two.org)
    under = Marking(tlp="RED", org=two.org, embargo=kept.embargo)
    assert two.change(two.operator, "asset", which, under).done, (
        "parties who see it put it there by themselves"
    )
    assert two.read(two.operator, "asset", which).embargo == kept.embargo
    asked = two.change(two.operator, "asset", which, own(two.org))
    with pytest.raises(ForbiddenError, match="its keeper ends"):
        two.decide(two.desk, asked)
    with two.people.acting(coordinator) as db:
        embargo.release(db, kept.embargo, "published")
    assert two.read(two.operator, "asset", which).embargo == 0


# What is derived


@pytest.fixture
def secret(two: Two) -> Two:
    """A marked record of the water works that hits their asset."""
    ingest_secret(two.fleet)
    two.fleet.upload(two.fleet.asset("web"), "pkg:pypi/django@4.1")
    with two.fleet.owner() as owner:
        take_secret(owner, two.org, Marking(tlp="AMBER+STRICT", org=two.org))
    return two


def _auds(two: Two, query: str) -> set[int]:
    return {row[0] for row in two.fleet.world.sql(query)}


def test_what_is_derived_from_an_asset_and_a_marked_record_is_for_who_may_see_both(secret: Two) -> None:
    two = secret
    lines = {line.flaw: line for line in two.fleet.lines()}
    assert set(lines) == {"CVE-2026-0001", "CVE-2026-7777"}
    with two.people.acting(two.operator) as db:
        db.execute(
            "select clearway.fleet_decide(%s, 1::smallint, '', 'behind a proxy', null, false, null)",
            ([line.exposure for line in lines.values()],),
        )
    ((which,),) = two.fleet.world.sql("select asset from clearway.asset")
    two.decide(two.desk, two.change(two.operator, "asset", which, GREEN))
    assert {line.flaw for line in two.fleet.lines(two.stranger)} == {"CVE-2026-0001"}
    with two.people.acting(two.stranger) as db:
        said = db.execute("select records from clearway.decision").fetchall()
        assert all("SECRET-1" not in records for (records,) in said), "nor what was decided about the other"
        assert len(said) == 1
        assert db.execute("select from clearway.flaw where id = 'CVE-2026-7777'").fetchone() is None
    # Then the record: what it says of the asset is seen with it, by whom both are.
    ((record,),) = two.fleet.world.sql("select marked from clearway.marked")
    asked = two.change(two.desk, "marked", record, GREEN, "published by the vendor")
    two.decide(two.chief, asked)
    assert {line.flaw for line in two.fleet.lines(two.stranger)} == {"CVE-2026-0001", "CVE-2026-7777"}
    with two.people.acting(two.stranger) as db:
        assert db.execute("select count(*) from clearway.decision").fetchone() == (2,)
    versions = two.fleet.world.sql("select min(version) from clearway.exposure")
    assert versions[0][0] > 2, "whoever read an exposure under another marking reads it again"
    assert two.change(two.operator, "asset", which, own(two.org)).done
    assert two.fleet.lines(two.stranger) == ()
    assert len(two.fleet.lines()) == 2
    public = _auds(two, "select aud from clearway.exposure where via = 0")
    assert public == _auds(two, "select aud from clearway.asset")
    assert _auds(two, "select aud from clearway.decision") == _auds(two, "select aud from clearway.exposure")


def test_a_marked_record_does_not_become_public_behind_the_tables_back(secret: Two) -> None:
    ((record,),) = secret.fleet.world.sql("select marked from clearway.marked")
    asked = secret.change(secret.desk, "marked", record, CLEAR)
    with pytest.raises(ConflictError, match="taken in as such"):
        secret.decide(secret.chief, asked)
    assert {f.flaw for f in secret.fleet.lines(secret.stranger)} == set()


def test_what_is_found_by_its_words_is_found_by_whom_it_is_marked_for(two: Two) -> None:
    which = two.asset("gateway-seven")
    with two.people.acting(two.operator) as db:
        kept = asset.one(db, which)
        db.execute(
            "select clearway.put_doc('asset', %s, %s, %s, 'gateway-seven', %s, %s)",
            (str(which), two.org, kept.aud, f"/assets/{which}", ["gateway"]),
        )
    query = "select from clearway.search_docs('gateway'::tsquery, '{}', 10)"
    assert not sees(two, two.stranger, query)
    two.decide(two.desk, two.change(two.operator, "asset", which, GREEN))
    assert sees(two, two.stranger, query)
    two.change(two.operator, "asset", which, own(two.org))
    assert not sees(two, two.stranger, query)
    assert sees(two, two.operator, query)


def test_a_report_that_was_handed_to_an_authority_stays_visible_to_it(two: Two) -> None:
    authority = two.people.org("authority", "authority")
    reader = two.people.somebody(authority, "official")
    with two.people.owner() as db:
        both = audience.any_of(db, [("staff", two.org), ("staff", authority)])
        row = db.execute(
            """insert into clearway.directive_report (org, aud, authority, directive, directive_version, kind, as_of,
                sha256, body, by_name)
            values (%s, %s, %s, 'bod-26-04', '1', 'overdue', '2026-11-25', sha256('x'), 'x', 'A') returning report""",
            (two.org, both, authority),
        ).fetchone()
        assert row is not None
    with pytest.raises(ConflictError, match="goes on seeing it"):
        two.change(two.operator, "report", row[0], own(two.org))
    assert sees(two, reader, "select from clearway.directive_report")
    two.decide(two.chief, two.change(two.operator, "report", row[0], GREEN))
    assert sees(two, two.stranger, "select from clearway.directive_report")


def test_deliveries_of_a_webhook_are_marked_as_it_is(two: Two) -> None:
    with two.people.acting(two.chief) as db:
        mine = audience.of(db, own(two.org))
        row = db.execute(
            """insert into clearway.webhook (org, aud, person, url) values (%s, %s, %s, 'https://example.org/x')
            returning webhook""",
            (two.org, mine, two.chief.person),
        ).fetchone()
        assert row is not None
        db.execute("select clearway.test_webhook(%s)", (row[0],))
    strict = Marking(tlp="AMBER+STRICT", org=two.org)
    two.decide(two.desk, two.change(two.chief, "webhook", row[0], strict))
    assert _auds(two, "select aud from clearway.webhook_delivery") == _auds(
        two, "select aud from clearway.webhook"
    )


def test_every_kind_that_can_be_marked_has_the_trigger_that_takes_along_what_was_told(two: Two) -> None:
    rows = two.fleet.world.sql(
        """select g.kind, exists (select from pg_trigger t join pg_class c on c.oid = t.tgrelid
            where c.relnamespace = 'clearway'::regnamespace and t.tgname = 'told_follows_marking'
                and c.relname = regexp_replace(g.name, '^clearway[.]', ''))
        from clearway.governed g where g.kind is not null"""
    )
    assert {kind for kind, _ in rows} >= set(lowering.KINDS)
    assert [kind for kind, there in rows if not there] == []


def test_a_decision_on_more_exposures_than_it_names_is_lost_to_outsiders_with_any_of_the_fleets_assets(
    two: Two,
) -> None:
    which = two.asset()
    two.fleet.ingest(osv("GHSA-1", package("PyPI", "alpha"), aliases=["CVE-2026-1"]))
    two.fleet.upload(which, "pkg:pypi/alpha@1.0")
    two.decide(two.desk, two.change(two.operator, "asset", which, GREEN))
    subject = f"org/{two.org}/exposures"
    bodies: list[dict[str, Any]] = [
        {"count": 2, "exposures": [1_000, 1_001]},  # none of its own
        {"count": 501, "exposures": [1_000]},
        {"count": "\u0000", "exposures": [1_000]},  # not as this program writes it
    ]
    with two.people.owner() as db:
        for body in bodies:
            ledger.append(db, "exposure.decided", subject, body, aud=1)
    assert two.change(two.operator, "asset", which, own(two.org)).done
    with two.people.acting(two.stranger) as db:
        found = db.execute("select content from clearway.log_entry where subject = %s", (subject,)).fetchall()
    assert [json.loads(text)["count"] for (text,) in found] == [2]
    with two.people.acting(two.auditor) as db:
        row = db.execute("select count(*) from clearway.log_entry where subject = %s", (subject,)).fetchone()
    assert row == (3,)


def test_a_directives_events_go_with_its_version_and_those_of_anothers_of_the_same_name_stay(
    two: Two,
) -> None:
    with two.people.owner() as db:
        made = db.execute(
            """insert into clearway.directive_version (org, aud, directive, version, document, signature, sha256,
                key_id, public, issued) values (%s, 1, 'own-1', '1.0', '', decode(repeat('00', 64), 'hex'), sha256(''),
                'k', decode(repeat('00', 32), 'hex'), '2026-11-25')
            returning version_id""",
            (two.org,),
        ).fetchone()
        assert made is not None
        for org in (two.org, two.people.house):
            slug = db.execute("select slug from clearway.organisation where org = %s", (org,)).fetchone()
            assert slug is not None
            said = {"organisation": slug[0]}
            ledger.append(db, "directive.issued", "directive/own-1/1.0", said, aud=1)
            events.emit(db, "directive.issued", "directive/own-1/1.0", org=org, aud=1, body=said)
        aud = audience.of(db, own(two.org))
        db.execute("update clearway.directive_version set aud = %s where version_id = %s", (aud, made[0]))
    with two.people.acting(two.stranger) as db:
        for table, column in (("event", "body"), ("log_entry", "content::json")):
            found = db.execute(
                f"select {column} ->> 'organisation' from clearway.{table} where subject = 'directive/own-1/1.0'"
            ).fetchall()
            assert found == [("house",)], table


def test_a_triage_is_marked_for_nobody_who_may_not_see_its_asset(two: Two) -> None:
    which = two.asset()
    with two.people.owner() as db:
        aud = audience.of(db, own(two.org))
        made = db.execute(
            """insert into clearway.triage (org, aud, directive, asset, asset_name, flaw, component, kev_added)
            values (%s, %s, 'bod-26-04', %s, 'g', 'CVE-2026-1', 'c', '2026-11-25') returning triage""",
            (two.org, aud, f"asset/{which}"),
        ).fetchone()
    assert made is not None
    asked = two.change(two.operator, "triage", made[0], GREEN)
    with pytest.raises(ConflictError, match="what its asset does"):
        two.decide(two.desk, asked)
    two.decide(two.desk, two.change(two.operator, "asset", which, GREEN))
    assert not sees(two, two.stranger, "select from clearway.triage where triage = %s", made[0])
    two.decide(two.desk, asked)
    assert sees(two, two.stranger, "select from clearway.triage where triage = %s", made[0])
    assert two.change(two.operator, "asset", which, own(two.org)).done
    assert not sees(two, two.stranger, "select from clearway.triage where triage = %s", made[0])
