""" "Is this scan yours?", asked by who controls the target and by others."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from clearway.findings.lease import control, hold
from clearway.records.errors import InputError
from lease_house import NET, House

SOURCE, STRANGER = "198.51.100.7", "198.51.100.99"


def test_a_scan_from_a_leases_address_inside_its_scope_is_ours(house: House) -> None:
    house.prove(house.finder)
    lease = house.lease(house.finder, NET, sources=(SOURCE,))
    found = house.whose(house.operator, SOURCE, "192.0.2.200")
    assert (found.answer, found.reference) == ("ours", lease.reference)


def test_a_source_may_be_a_network_and_a_target_a_host(house: House) -> None:
    house.prove(house.finder, "*.example.org")
    house.lease(house.finder, "*.example.org", sources=("198.51.100.0/28",))
    assert house.whose(house.operator, SOURCE, "deep.www.example.org").answer == "ours"
    assert house.whose(house.operator, SOURCE, "www.example.net").answer == "unknown"


def test_that_it_is_not_ours_is_told_to_who_controls_the_target_alone(house: House) -> None:
    house.prove(house.finder)
    house.prove(house.operator)
    house.lease(house.finder, NET, sources=(SOURCE,))
    assert house.whose(house.operator, STRANGER, "192.0.2.200").answer == "not-ours"
    assert house.whose(house.rival, STRANGER, "192.0.2.200").answer == "unknown"


def test_our_address_outside_of_its_lease_is_not_ours(house: House) -> None:
    house.prove(house.finder)
    house.prove(house.operator, "203.0.113.0/24")
    house.lease(house.finder, NET, sources=(SOURCE,))
    assert house.whose(house.operator, SOURCE, "203.0.113.5").answer == "not-ours"
    assert house.whose(house.operator, STRANGER, "203.0.113.5").answer == "unknown"


def test_the_time_counts_also_afterwards(house: House) -> None:
    house.prove(house.finder)
    lease = house.lease(house.finder, NET, sources=(SOURCE,), ttl_s=600)
    house.release(house.finder, lease)
    house.passes(lease, 5)
    then = lease.starts - timedelta(hours=5) + (datetime.now(UTC) - lease.starts) / 1_000_000
    assert house.whose(house.operator, SOURCE, "192.0.2.1", then).answer == "ours"
    assert house.whose(house.operator, SOURCE, "192.0.2.1").answer == "unknown"
    assert house.whose(house.operator, SOURCE, "192.0.2.1", then - timedelta(hours=1)).answer == "unknown"


def test_a_sealed_lease_answers_too(house: House) -> None:
    house.prove(house.finder)
    lease = house.lease(house.finder, NET, sources=(SOURCE,), sealed=True)
    assert house.whose(house.operator, SOURCE, "192.0.2.1").reference == lease.reference


def test_each_question_is_on_the_log_of_who_asked(house: House) -> None:
    house.whose(house.operator, SOURCE, "192.0.2.1")
    assert house.acts().count("lease.whose_asked") == 1


def test_what_can_not_be_asked_is_refused(house: House) -> None:
    unusable: list[tuple[str, str, datetime | None]] = [
        ("198.51.100.0/24", "192.0.2.1", None),
        ("nowhere", "192.0.2.1", None),
        (SOURCE, "pkg:pypi/x", None),
        (SOURCE, "", None),
        (SOURCE, "192.0.2.1", datetime.now(UTC) + timedelta(days=1)),
        (SOURCE, "192.0.2.1", datetime(2026, 1, 1)),
    ]
    for source, target, at in unusable:
        with pytest.raises(InputError):
            house.whose(house.operator, source, target, at)


def test_a_participant_that_only_looks_on_claims_and_no_more(house: House) -> None:
    house.prove(house.finder)
    lease = house.lease(house.rival, "192.0.0.0/8", activity="passive", sources=(STRANGER,))
    for who in (house.finder, house.operator):
        found = house.whose(who, STRANGER, "192.0.2.7")
        assert (found.answer, found.reference) == ("claimed", lease.reference)
        assert "no leave" in found.words


def test_a_proven_lease_goes_before_a_claim(house: House) -> None:
    house.prove(house.finder)
    ours = house.lease(house.finder, NET, sources=(SOURCE,))
    house.lease(house.rival, "192.0.0.0/8", activity="passive", sources=(SOURCE,))
    assert house.whose(house.operator, SOURCE, "192.0.2.7").reference == ours.reference


def test_an_owner_that_only_looks_on_is_proven_too(house: House) -> None:
    house.prove(house.finder)
    house.lease(house.finder, NET, activity="passive", sources=(SOURCE,))
    assert house.whose(house.operator, SOURCE, "192.0.2.7").answer == "ours"


def test_the_address_of_a_lease_that_was_given_back_before_says_nothing(house: House) -> None:
    house.prove(house.finder, "203.0.113.0/24")
    house.prove(house.rival)
    house.release(house.rival, house.lease(house.rival, NET, sources=(SOURCE,)))
    assert house.whose(house.finder, SOURCE, "203.0.113.7").answer == "unknown"


def test_whole_networks_are_no_source(house: House) -> None:
    for source in ("203.0.0.0/16", "::ffff:0:0/96", "::/0", "2001:db8::/32"):
        with pytest.raises(InputError) as told:
            house.ask(house.rival, "198.0.0.0/8", activity="passive", sources=(source,))
        assert told.value.where == "sources[0]"


def test_leave_that_was_taken_back_is_told_from_that_moment_on(house: House) -> None:
    owned = house.prove(house.finder, authorised=["rival"])
    lease = house.lease(house.rival, NET, sources=(SOURCE,))
    before = datetime.now(UTC)
    with house.acting(house.finder) as db:
        control.say(db, owned.id, "own")
    for who in (house.finder, house.operator):
        found = house.whose(who, SOURCE, "192.0.2.7")
        assert (found.answer, found.reference) == ("withdrawn", lease.reference)
        assert "taken back" in found.words
        assert house.whose(who, SOURCE, "192.0.2.7", before).answer == "ours", "it was then"
    assert house.whose(house.finder, STRANGER, "192.0.2.7").answer == "unknown"


def test_a_proof_that_is_ended_is_told_at_once_and_one_that_runs_out_before_anybody_looks(
    house: House,
) -> None:
    owned = house.prove(house.finder)
    one = house.lease(house.finder, NET, sources=(SOURCE,))
    assert house.whose(house.operator, SOURCE, "192.0.2.7").answer == "ours"
    with house.acting(house.finder) as db:
        control.end(db, owned.id)
    assert house.whose(house.operator, SOURCE, "192.0.2.7").answer == "withdrawn"
    house.prove(house.finder)
    other = house.lease(house.finder, NET, sources=(SOURCE,))
    assert house.whose(house.operator, SOURCE, "192.0.2.7").reference == other.reference, (
        "a lease goes before"
    )
    before = datetime.now(UTC)
    with house.owner() as db:
        db.execute("update clearway.lease_control set expires = clock_timestamp() where ended is null")
        assert hold.one(db, other.reference).state == "held", "the minute's job comes"
    found = house.whose(house.operator, SOURCE, "192.0.2.7")
    assert (found.answer, found.reference) == ("withdrawn", other.reference)
    assert house.whose(house.operator, SOURCE, "192.0.2.7", before).reference == other.reference
    assert house.withdrawn() == 1
    after = datetime.now(UTC)
    for at, answer in ((before, "ours"), (after, "withdrawn")):
        assert house.whose(house.operator, SOURCE, "192.0.2.7", at).answer == answer
    assert one.reference != other.reference


def test_who_only_looks_on_claims_once_the_proof_is_gone(house: House) -> None:
    owned = house.prove(house.finder)
    lease = house.lease(house.finder, NET, activity="passive", sources=(SOURCE,))
    assert house.whose(house.operator, SOURCE, "192.0.2.7").answer == "ours"
    with house.acting(house.finder) as db:
        control.end(db, owned.id)
    found = house.whose(house.operator, SOURCE, "192.0.2.7")
    assert (found.answer, found.reference) == ("claimed", lease.reference)


def test_a_lease_that_is_over_stays_its_holders_for_the_time_it_was_held(house: House) -> None:
    owned = house.prove(house.finder, authorised=["rival"])
    lease = house.lease(house.rival, NET, sources=(SOURCE,))
    before = datetime.now(UTC)
    house.release(house.rival, lease)
    with house.acting(house.finder) as db:
        control.say(db, owned.id, "refuse")
    assert house.whose(house.finder, SOURCE, "192.0.2.7", before).answer == "ours"
    assert house.whose(house.operator, SOURCE, "192.0.2.7").answer == "unknown"


def test_after_its_window_a_withdrawn_lease_says_nothing(house: House) -> None:
    owned = house.prove(house.finder, authorised=["rival"])
    lease = house.lease(house.rival, NET, sources=(SOURCE,))
    with house.acting(house.finder) as db:
        control.say(db, owned.id, "refuse")
    house.passes(lease, 5)
    assert house.whose(house.operator, SOURCE, "192.0.2.7").answer == "unknown"
