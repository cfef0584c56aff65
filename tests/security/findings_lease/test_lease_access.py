"""Who sees a lease and a proof of control, who changes them, and what the application's own role can't reach."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from clearway.findings.lease import ask, control, hold
from clearway.findings.lease.ask import Asking
from clearway.findings.lease.scope import parse
from clearway.records.clock import SystemClock
from clearway.records.errors import ClearwayError, ForbiddenError, NotFoundError
from lease_house import NET, House, member

HIDDEN = (
    "lease_target",
    "lease_source",
    "lease_root",
    "lease_rule",
    "lease_pace",
    "lease_told",
    "lease_limit",
    "lease_control_at",
)


def test_a_lease_is_seen_by_its_organisation_and_the_desk_alone(house: House) -> None:
    lease = house.lease(house.finder, "pkg:pypi/x", activity="fuzzing")
    for who in (house.finder, house.colleague, house.coordinator):
        with house.acting(who) as db:
            assert hold.one(db, lease.reference) == lease or who is not house.finder
            assert len(hold.newest(db)) == 1
    for who in (house.rival, house.operator, house.maintainer, None):
        with house.acting(who) as db:
            assert hold.newest(db) == []
        with pytest.raises(NotFoundError), house.acting(who) as db:
            hold.one(db, lease.reference)
        for act in (
            lambda d: hold.renew(d, lease.reference, lease.fence),
            lambda d: hold.release(d, lease.reference),
        ):
            with pytest.raises(NotFoundError), house.acting(who) as db:
                act(db)


def test_a_colleague_without_the_right_sees_and_changes_nothing(house: House) -> None:
    lease = house.lease(house.finder, "pkg:pypi/x", activity="fuzzing")
    with pytest.raises(ForbiddenError), house.acting(house.colleague) as db:
        hold.release(db, lease.reference)
    with pytest.raises(ForbiddenError), house.acting(house.colleague) as db:
        hold.renew(db, lease.reference, lease.fence)
    with pytest.raises(ForbiddenError):
        house.ask(house.colleague, "pkg:pypi/x", activity="fuzzing")


def test_a_proof_and_its_token_are_seen_by_its_organisation_and_the_desk_alone(house: House) -> None:
    with house.acting(house.operator) as db:
        begun = control.begin(db, house.blind, member(db), NET, "dns-txt")
    for who in (house.rival, house.finder, None):
        with house.acting(who) as db:
            assert control.listed(db) == []
        with pytest.raises(NotFoundError), house.acting(who) as db:
            control.say(db, begun.id, "refuse")
        with pytest.raises(NotFoundError), house.acting(who) as db:
            control.end(db, begun.id)
    with pytest.raises(ForbiddenError), house.acting(house.coordinator) as db:
        control.say(db, begun.id, "refuse")


def test_nobody_says_themselves_that_a_proof_was_found(house: House) -> None:
    with house.acting(house.operator) as db:
        begun = control.begin(db, house.blind, member(db), NET, "dns-txt")
    with pytest.raises(ClearwayError), house.acting(house.operator) as db:
        control.prove(db, begun, datetime.now(UTC))
    assert house.ask(house.operator, NET).why == "no-proof"


def test_the_applications_role_reads_nothing_of_what_is_looked_up(house: House) -> None:
    house.lease(house.finder, "pkg:pypi/x", activity="fuzzing")
    for table in HIDDEN:
        with pytest.raises(ClearwayError) as told, house.acting(house.coordinator) as db:
            db.execute(f"select from clearway.{table}".encode())
        assert isinstance(told.value.__cause__, psycopg.errors.InsufficientPrivilege)
    for call in (
        "clearway.lease_refused(1, 'port', true, null, '{}', '{}', '{}', now())", "clearway.lease_sweep()",
            "clearway.lease_leave(1, null, 'a', now())", "clearway.lease_control_lock(1)",
            "clearway.event_put('a.made', 'a/1', 1, 0, '{}')", "clearway.log_own('a.made', 'a/1', '', 0)",
        "clearway.lease_free(null, 'a', now())", "clearway.lease_hear(1)", "clearway.lease_lock('{}')",
        "clearway.lease_load(null, 'a', now(), now(), now(), null)", "clearway.lease_root_of(null, 'a', true)",
        "clearway.lease_met(null, 'a', now(), now(), now())", "clearway.lease_controls(null, 'a', now())",
        "clearway.lease_bound(1, '')", "clearway.locked_control(1)", "clearway.locked_lease('CWL-0000-0000')",
    ):  # fmt: skip
        with pytest.raises(ClearwayError) as told, house.acting(house.coordinator) as db:
            db.execute(f"select {call}".encode())
        assert isinstance(told.value.__cause__, psycopg.errors.InsufficientPrivilege)


def test_the_applications_role_writes_no_lease_but_by_asking(house: House) -> None:
    lease = house.lease(house.finder, "pkg:pypi/x", activity="fuzzing")
    for statement in (
        "update clearway.lease set ends = until", "delete from clearway.lease",
        "update clearway.lease_control set proven = now()", "insert into clearway.lease (fence) values (1)",
    ):  # fmt: skip
        with pytest.raises(ClearwayError) as told, house.acting(house.finder) as db:
            db.execute(statement.encode())
        assert isinstance(told.value.__cause__, psycopg.errors.InsufficientPrivilege)
    assert house.renew(house.finder, lease).version == 2


def test_a_lease_is_asked_for_in_an_organisation_of_ones_own(house: House) -> None:
    with house.acting(house.rival) as db:
        other = member(db)
    asked = Asking(activity="fuzzing", scope=("pkg:pypi/x",))
    with pytest.raises(ForbiddenError), house.acting(house.finder) as db:
        ask.ask(db, house.blind, other, asked, table=None, clock=SystemClock())


def test_what_is_refused_says_the_same_of_one_lease_as_of_ten(house: House) -> None:
    """How many are there, and who, is in no answer: only that there is an overlap."""
    house.lease(house.rival, "pkg:pypi/a", activity="fuzzing")
    for who in (house.rival, house.maintainer, house.coordinator):
        house.lease(who, "pkg:pypi/b", activity="fuzzing")
    one, several = (house.ask(house.finder, f"pkg:pypi/{name}", activity="fuzzing") for name in "ab")
    assert (one.answer, one.why, one.words, one.until) == (
        several.answer,
        several.why,
        several.words,
        several.until,
    )


PATH = "aaaaaaaaaaaaaaaa/"


def by_hand(db: psycopg.Connection[Any], org: int, **said: Any) -> str:
    """What the function itself answers to SQL that slipped in: an answer, or how it was refused."""
    facts = {
        "activity": "fuzzing", "ttl_s": 60, "sealed": False, "label": "", "scope": [], "sources": [],
        "authorisation": "", "reference": hold.new_reference(), "questions": 10**9, "overlaps": 10**9, "most": 10**9,
        **said.pop("facts", {}),
    }  # fmt: skip
    given: dict[str, Any] = {"nets": [None], "paths": [PATH], "hosts": [False], "sources": [], **said}
    try:
        with db.transaction():
            row = db.execute(
                "select clearway.lease_ask(%s, %s, null, %s::inet[], %s::text[], %s::boolean[], %s::inet[])",
                (json.dumps(facts), org, given["nets"], given["paths"], given["hosts"], given["sources"]),
            ).fetchone()
    except psycopg.Error as error:
        return str(error.sqlstate)
    assert row is not None
    return str(row[0].get("why") or row[0]["answer"])


def test_what_a_lease_may_be_is_judged_where_it_is_given(house: House) -> None:
    house.lease(house.finder, "pkg:pypi/mine", activity="fuzzing")
    net = {"nets": ["10.0.0.0/24"], "paths": [None]}
    with house.acting(house.finder) as db:
        org = member(db).org
        assert by_hand(db, org) == "go"
        assert (
            by_hand(db, org, **net, hosts=[False]) == "no-proof"
        )  # a network is somebody's hosts, whatever is said
        wrong: list[dict[str, Any]] = [
            {"nets": ["0.0.0.0/0"], "paths": [None]}, {"nets": ["10.0.0.0/7"], "paths": [None]},
            {"nets": ["::/15"], "paths": [None]}, {"paths": [""]}, {"paths": ["a"]}, {"paths": [PATH[:-1]]},
            {"paths": [PATH * 25]}, {"paths": [None]}, {"nets": ["10.0.0.0/24"]}, {"hosts": [None]}, {"hosts": []},
            {"sources": ["203.0.0.0/16"]}, {"sources": ["2001:db8::/32"]}, {"sources": ["203.0.113.7"] * 33},
            {"nets": [None] * 33, "paths": [PATH] * 33, "hosts": [False] * 33},
            *({"facts": facts} for facts in (
                {"ttl_s": 0}, {"ttl_s": 86_401}, {"ttl_s": None}, {"activity": "none"}, {"activity": None},
                {"activity": "port"}, {"rate": 1e-4}, {"rate": 1e7}, {"rate": "NaN"},
                {"until": "9999-01-01T00:00:00Z"}, {"starts": "9999-01-01T00:00:00Z"},
            )),
        ]  # fmt: skip
        for said in wrong:
            assert by_hand(db, org, **said) == "CW400", said


def test_what_is_sealed_is_kept_nowhere_whatever_the_caller_hands_in(house: House) -> None:
    house.lease(house.finder, "pkg:pypi/mine", activity="fuzzing")
    with house.acting(house.finder) as db:
        said = {"sealed": True, "scope": ["pkg:pypi/secret"], "sources": ["203.0.113.7"]}
        assert by_hand(db, member(db).org, facts=said) == "go"
        assert hold.newest(db)[0].scope == hold.newest(db)[0].sources == ()


def test_the_bounds_on_asking_are_not_the_callers(house: House) -> None:
    house.limit(tellings=1, questions=4)
    house.lease(house.rival, "pkg:pypi/one", activity="fuzzing")
    house.lease(house.finder, "pkg:pypi/one", activity="fuzzing")
    with house.acting(house.finder) as db:
        assert by_hand(db, member(db).org) == "overlaps"
    house.limit(tellings=9, held=1)
    with house.acting(house.finder) as db:
        org = member(db).org
        assert [by_hand(db, org) for _ in range(4)] == ["too-many", "too-many", "too-many", "questions"]


def test_the_roots_of_the_database_are_those_of_the_code(house: House) -> None:
    texts = [
        "10.1.2.0/24",
        "2001:db8:7::/48",
        "www.example.org",
        "*.example.org",
        "pkg:pypi/x#a/b",
        "git+https://a.b/c/d#e",
    ]
    with house.owner() as db:
        for text in texts:
            hidden = house.blind.target(parse(text))
            row = db.execute(
                "select clearway.lease_root_of(%s::inet, %s, %s)",
                (None if hidden.net is None else str(hidden.net), hidden.path, hidden.live),
            ).fetchone()
            assert row == (hidden.root,), text
