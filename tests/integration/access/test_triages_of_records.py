"""A forensic triage of what a marked record says is for who may see that record, whatever becomes of its marking."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, time
from typing import Any

import pytest

from clearway.access import audience, embargo, recipients
from clearway.access.marking import GREEN, Marking, own
from clearway.directives.kept import triages
from clearway.records.errors import ConflictError, NotFoundError
from fleet_world import DAY, Fleet, fleet_of
from held import Waiting
from intake_world import World
from people import Somebody
from steps import Steps, since, step_of
from two_people import Two, ingest_secret, take_secret

NOW = datetime.combine(DAY, time(12), UTC)
SECRET, PUBLIC = "CVE-2026-7777", "CVE-2026-0001"


class Secret(Two):
    """A record of the water works about their asset, for all of them; `few` names a list of some."""

    def __init__(self, fleet: Fleet) -> None:
        super().__init__(fleet)
        self.auditor = self.people.somebody(self.org, "auditor", "operator")
        ingest_secret(fleet)
        self.web = self.asset("web")
        fleet.upload(self.web, "pkg:pypi/django@4.1")
        with fleet.owner() as owner:
            made = owner.execute("select clearway.add_list(%s, 'few')", (self.org,)).fetchone()
            assert made is not None
            for who in (self.operator, self.desk, self.chief):
                recipients.set_member(owner, made[0], person=who.person)
        self.few = Marking(tlp="RED", recipients=made[0])
        self.take(Marking(tlp="AMBER+STRICT", org=self.org))

    def take(self, to: Marking) -> None:
        """A version of the record, marked so."""
        with self.fleet.owner() as owner:
            take_secret(owner, self.org, to)

    def open(self, flaw: str = SECRET, who: Somebody | None = None) -> int:
        """A workbook with one event."""
        who = who or self.operator
        with self.people.acting(who) as db:
            made = triages.open_triage(
                db, self.me(who), "water", directive="bod-26-04", asset=f"asset/{self.web}", asset_name="",
                flaw=flaw, component="pkg:pypi/django@4.1", kev_added=NOW, now=NOW,
            )  # fmt: skip
            said = {"event": "step_done", "at": NOW.isoformat(), "by": "me", "step": "scope", "note": "x"}
            triages.record(db, self.me(who), made.id, json.dumps(said).encode(), after=0, now=NOW)
            db.execute(
                "select clearway.put_doc('triage', %s, %s, %s, 'a workbook', '/directives/triages', %s)",
                (str(made.id), self.org, triages.audience_of(db, made.id), [f"workbook{made.id}"]),
            )
        return made.id

    def mark(self, kind: str, number: int, to: Marking) -> None:
        """By those of the list, who see it under every marking of these tests."""
        asked = self.change(self.desk, kind, number, to)
        if asked.approval is not None:
            self.decide(self.chief, asked)

    def record(self, to: Marking) -> None:
        """Marks the record anew, in its last version."""
        ((number,),) = self.fleet.world.sql("select max(marked) from clearway.marked")
        self.mark("marked", number, to)

    def finds(self, who: Somebody, triage: int) -> set[str]:
        """Where somebody comes across a workbook."""
        found: set[str] = set()
        with self.people.acting(who) as db:
            if any(t.id == triage for t in triages.of_organisation(db, "water", now=NOW)):
                found.add("list")
            try:
                triages.one(db, triage, now=NOW)
                found.add("one")
            except NotFoundError:
                pass
            for name, query in (
                ("parts", "select from clearway.triage_event where triage = %s"),
                ("events", "select from clearway.event where subject = 'triage/' || %s"),
                (
                    "search",
                    "select from clearway.search_docs(('workbook' || %s)::tsquery, '{}', 10)",
                ),
            ):
                if db.execute(query, (triage,)).fetchone() is not None:  # type: ignore[arg-type]
                    found.add(name)
        return found


EVERYWHERE = {"list", "one", "parts", "events", "search"}


@pytest.fixture
def fleet(world: World) -> Iterator[Fleet]:
    yield from fleet_of(world)


@pytest.fixture
def secret(fleet: Fleet) -> Secret:
    return Secret(fleet)


def test_a_triage_is_for_whom_the_record_is_from_the_commit_on_that_narrows_it(secret: Secret) -> None:
    made = secret.open()
    public = secret.open(PUBLIC)
    assert secret.finds(secret.auditor, made) == EVERYWHERE
    secret.record(secret.few)
    assert secret.finds(secret.auditor, made) == set()
    assert secret.finds(secret.operator, made) == EVERYWHERE
    assert secret.finds(secret.auditor, public) == EVERYWHERE, "what a public record says is as it was"
    # And back again: what was told of it meanwhile stays with whom it was told to.
    secret.record(Marking(tlp="AMBER+STRICT", org=secret.org))
    assert secret.finds(secret.auditor, made) == EVERYWHERE - {"events"}


def test_a_triage_is_for_whom_every_later_version_of_its_record_is(secret: Secret) -> None:
    made = secret.open()
    secret.take(secret.few)
    assert secret.finds(secret.auditor, made) == set()
    assert secret.finds(secret.operator, made) == EVERYWHERE
    secret.record(Marking(tlp="AMBER+STRICT", org=secret.org))
    assert "one" in secret.finds(secret.auditor, made)
    secret.record(secret.few)
    assert secret.finds(secret.auditor, made) == set()


def test_a_triage_that_was_narrowed_by_itself_stays_as_narrow(secret: Secret) -> None:
    made = secret.open()
    with secret.people.acting(secret.desk) as db:
        kept = embargo.add(db, secret.org, "e")
        for who in (secret.operator, secret.desk, secret.chief):
            embargo.set_party(db, kept.embargo, person=who.person, org=None, party=True)
    secret.mark("triage", made, Marking(tlp="RED", org=secret.org, embargo=kept.embargo))
    secret.record(GREEN)
    assert secret.finds(secret.auditor, made) == set()
    assert "one" in secret.finds(secret.operator, made)


def test_asset_and_record_bind_it_both_in_whatever_order_they_are_marked(secret: Secret) -> None:
    made = secret.open()
    secret.record(secret.few)
    secret.mark("asset", secret.web, GREEN)
    assert secret.finds(secret.auditor, made) == set(), "of a narrow record, about an asset that all may see"
    secret.record(GREEN)
    assert "one" in secret.finds(secret.auditor, made)
    secret.mark("asset", secret.web, secret.few)
    assert secret.finds(secret.auditor, made) == set()
    secret.mark("asset", secret.web, own(secret.org))
    assert "one" in secret.finds(secret.auditor, made)
    secret.record(secret.few)
    assert secret.finds(secret.auditor, made) == set()


def test_it_is_given_no_marking_that_others_than_its_record_s_readers_see(secret: Secret) -> None:
    made = secret.open()
    secret.record(secret.few)
    with pytest.raises(ConflictError, match="for those alone who may see that"):
        secret.mark("triage", made, own(secret.org))


@pytest.mark.parametrize("first", ["the record", "the triage"])
@pytest.mark.parametrize("how", ["marked anew", "a new version"])
def test_one_that_is_opened_while_its_record_is_narrowed_is_as_narrow(
    secret: Secret, first: str, how: str
) -> None:
    opened: list[int] = []

    def open_() -> None:
        opened.append(secret.open())

    def narrow() -> None:
        if how == "a new version":
            secret.take(secret.few)
        else:
            secret.record(secret.few)

    if first == "the record":
        with secret.fleet.owner() as db:
            if how == "a new version":
                take_secret(db, secret.org, secret.few)
            else:
                db.execute("update clearway.marked set aud = %s", (audience.of(db, secret.few),))
            later = Waiting(secret.people, open_)
        refused = later.refused()
        if refused is not None:  # it had read what was so before
            assert isinstance(refused, ConflictError)
            assert "has just changed" in refused.what
            open_()
    else:
        with secret.people.acting(secret.operator) as db:
            opened.append(
                triages.open_triage(
                    db, secret.me(secret.operator), "water", directive="bod-26-04", asset=f"asset/{secret.web}",
                    asset_name="", flaw=SECRET, component="pkg:pypi/django@4.1", kev_added=NOW, now=NOW,
                ).id
            )  # fmt: skip
            later = Waiting(secret.people, narrow)
        assert later.refused() is None
    assert secret.finds(secret.auditor, opened[0]) == set()
    assert "one" in secret.finds(secret.operator, opened[0])


def test_those_that_were_left_behind_before_are_taken_along(secret: Secret) -> None:
    steps = Steps(secret.people.url, *since(step_of("triages_records")))
    steps.down()
    made, public = secret.open(), secret.open(PUBLIC)
    secret.record(secret.few)
    assert "one" in secret.finds(secret.auditor, made)
    secret.mark("asset", secret.web, GREEN)
    secret.mark("asset", secret.web, own(secret.org))
    steps.up()
    assert secret.finds(secret.auditor, made) == set()
    assert secret.finds(secret.operator, made) == EVERYWHERE
    assert "one" in secret.finds(secret.auditor, public)


def test_a_version_for_fewer_counts_as_marked_away_for_the_others(secret: Secret) -> None:
    lost = "select clearway.lost_since(%s::pg_snapshot, %s)"

    def since(who: Somebody, then: tuple[str, Any]) -> bool:
        with secret.people.acting(who) as db:
            row = db.execute(lost, then).fetchone()
        assert row is not None
        return bool(row[0])

    with secret.people.owner() as owner:
        before = owner.execute("select pg_current_snapshot()::text, clock_timestamp()").fetchone()
    assert before is not None
    assert not since(secret.auditor, before)
    secret.take(secret.few)
    assert since(secret.auditor, before)
    assert not since(secret.operator, before)
    with secret.people.owner() as owner:
        after = owner.execute("select pg_current_snapshot()::text, clock_timestamp()").fetchone()
    secret.take(Marking(tlp="AMBER+STRICT", org=secret.org))
    assert after is not None
    assert not since(secret.operator, after)
    assert not since(secret.auditor, after)
