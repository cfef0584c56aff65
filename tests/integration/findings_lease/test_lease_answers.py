"""The answers to "I am about to look at X", and what becomes of a lease."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest

from clearway.findings.lease import control, hold, rule, tasks
from clearway.findings.lease.proof import Looker
from clearway.findings.lease.scope import parse, parse_all
from clearway.http.outbound import Client
from clearway.records.errors import ConflictError, ForbiddenError, InputError, TooManyRequestsError
from intake_world import World, osv, package, write
from lease_house import NET, House


def test_nobody_is_there_go(house: House) -> None:
    found = house.ask(house.finder, "pkg:pypi/requests@2.31.0", activity="source-review")
    assert found.answer == "go"
    assert found.lease is not None
    assert (found.lease.state, found.lease.shared, found.lease.exclusive) == ("held", False, False)
    assert "lease.granted" in house.acts()


def test_others_look_at_the_same_program_go_but_share(house: House) -> None:
    first = house.lease(house.finder, "git+https://git.example.org/t/x#src/net/**", activity="fuzzing")
    found = house.ask(house.rival, "git+https://git.example.org/t/x", activity="source-review")
    assert found.answer == "share"
    assert "'lab'" not in str(found)
    assert first.reference not in str(found)
    with house.owner() as db:
        assert tasks.tell_shared(db) == 1
        assert tasks.tell_shared(db) == 0
    with house.acting(house.finder) as db:
        assert hold.one(db, first.reference).shared
        events = db.execute(
            "select subject, body::text from clearway.event where kind = 'lease.overlap'"
        ).fetchall()
    assert [subject for subject, _ in events] == [f"lease/{first.reference}"]
    assert "rival" not in events[0][1]


def test_load_on_the_same_hosts_waits_until_the_other_is_over(house: House) -> None:
    house.prove(house.finder, authorised=["rival"])
    first = house.lease(house.finder, NET, activity="port")
    found = house.ask(house.rival, "192.0.2.7", activity="authenticated")
    assert found.answer == "wait"
    assert found.until is not None
    assert first.until <= found.until < first.until + timedelta(minutes=1)
    assert found.until.second == 0
    assert found.lease is None
    house.release(house.finder, first)
    assert house.ask(house.rival, "192.0.2.7", activity="authenticated").answer == "go"


def test_a_later_window_is_free_and_a_part_of_a_taken_one_is_not(house: House) -> None:
    house.prove(house.finder)
    now = datetime.now(UTC)
    house.lease(house.finder, NET, starts=now + timedelta(hours=10), until=now + timedelta(hours=12))
    assert house.ask(house.finder, NET, until=now + timedelta(hours=10)).answer == "go"
    assert (
        house.ask(house.finder, NET, starts=now + timedelta(hours=12), until=now + timedelta(hours=13)).answer
        == "go"
    )
    assert (
        house.ask(house.finder, NET, starts=now + timedelta(hours=11), until=now + timedelta(hours=13)).answer
        == "wait"
    )


def test_passive_looking_is_in_nobodys_way_and_needs_no_proof(house: House) -> None:
    house.prove(house.finder)
    house.lease(house.finder, NET)
    assert house.ask(house.rival, NET, activity="passive").answer == "go"


def test_load_on_hosts_that_nobody_has_shown_to_be_theirs_is_refused(house: House) -> None:
    for scope in (NET, "www.example.org", "*.example.org"):
        found = house.ask(house.finder, scope)
        assert (found.answer, found.why) == ("refused", "no-proof")
    house.prove(house.finder, "www.example.org")
    assert house.ask(house.finder, "www.example.org").answer == "go"
    assert house.ask(house.finder, "*.example.org").why == "no-proof"
    assert house.ask(house.rival, "www.example.org").why == "no-proof"


def test_a_proof_counts_once_it_was_found_and_until_it_runs_out(house: House) -> None:
    with house.acting(house.finder) as db:
        from lease_house import member

        begun = control.begin(db, house.blind, member(db), NET, "dns-txt")
    assert house.ask(house.finder, NET).why == "no-proof"
    with house.owner() as db:
        control.prove(db, begun, datetime.now(UTC))
    house.release(house.finder, house.lease(house.finder, NET))
    with house.owner() as db:
        db.execute("update clearway.lease_control set expires = clock_timestamp()")
    assert house.ask(house.finder, NET).why == "no-proof"


def test_an_opt_out_holds_for_all_but_its_owner_and_who_it_authorises(house: House) -> None:
    house.prove(house.rival, "192.0.0.0/16")
    house.prove(house.operator, NET, "refuse", authorised=["lab"])
    assert house.ask(house.rival, "192.0.2.7").why == "opt-out"
    assert house.ask(house.rival, "192.0.0.0/16").why == "opt-out"
    assert house.ask(house.rival, "192.0.3.0/24").answer == "go"
    house.release(house.finder, house.lease(house.finder, "192.0.2.7"))
    assert house.ask(house.operator, NET).answer == "go"


def test_a_cap_holds_for_everybody_and_a_rate_must_be_named(house: House) -> None:
    house.prove(house.operator, NET, "cap", max_rate=10.0, authorised=["lab"])
    assert house.ask(house.finder, NET).why == "rate"
    assert house.ask(house.finder, NET, rate=10.5).why == "rate"
    assert house.ask(house.finder, NET, rate=10.0).answer == "go"


def test_an_opt_out_that_is_ended_is_none(house: House) -> None:
    house.prove(house.rival)
    refusal = house.prove(house.operator, NET, "refuse")
    assert house.ask(house.rival, NET).why == "opt-out"
    with house.acting(house.operator) as db:
        control.end(db, refusal.id)
    assert house.ask(house.rival, NET).answer == "go"


def test_what_is_public_is_told_and_nothing_is_leased(house: House) -> None:
    world = World(house.people.url, house.home)
    world.take(
        write(
            world.home / "in" / "one.json",
            osv("OSV-1", package("PyPI", "requests", "2.31.0"), aliases=["CVE-2026-1"]),
        )
    )
    table = world.table()
    try:
        old = house.ask(
            house.finder, "pkg:pypi/requests@2.0", activity="fuzzing", about="CVE-2026-1", table=table
        )
        new = house.ask(
            house.finder, "pkg:pypi/requests@2.31.0", activity="fuzzing", about="CVE-2026-1", table=table
        )
        other = house.ask(
            house.finder, "pkg:pypi/flask@1.0", activity="fuzzing", about="CVE-2026-1", table=table
        )
        with pytest.raises(InputError, match="identifier"):
            house.ask(house.finder, "pkg:pypi/flask", activity="fuzzing", about="'; --", table=table)
    finally:
        table.close()
    assert (old.answer, old.lease) == ("known", None)
    assert old.public is not None
    assert (old.public.release, old.public.fixed) == ("affected", ("2.31.0",))
    assert new.public is not None
    assert new.public.release == "fixed"
    assert other.answer == "go"


def test_a_lease_that_is_not_renewed_is_over_and_free(house: House) -> None:
    house.prove(house.finder, authorised=["rival"])
    first = house.lease(house.finder, NET, ttl_s=600)
    assert house.ask(house.rival, NET).answer == "wait"
    house.passes(first, 0.5)
    second = house.lease(house.rival, NET)
    assert second.fence > first.fence
    with pytest.raises(ConflictError, match="over"):
        house.renew(house.finder, first)


def test_a_renewal_moves_the_end_on_and_never_past_the_window(house: House) -> None:
    now = datetime.now(UTC)
    lease = house.lease(
        house.finder, "pkg:pypi/x", activity="fuzzing", ttl_s=60, until=now + timedelta(hours=1)
    )
    renewed = house.renew(house.finder, lease, 600)
    assert lease.ends < renewed.ends < now + timedelta(minutes=11)
    assert house.renew(house.finder, lease, 86_400).ends == lease.until
    assert house.renew(house.finder, lease, 60).ends == lease.until


def test_a_renewal_needs_the_leases_own_token(house: House) -> None:
    lease = house.lease(house.finder, "pkg:pypi/x", activity="fuzzing")
    with pytest.raises(ConflictError, match="fencing"), house.acting(house.finder) as db:
        hold.renew(db, lease.reference, lease.fence - 1)
    with house.acting(house.finder) as db, pytest.raises(InputError):
        hold.renew(db, lease.reference, 1 << 70)


def test_a_coordinator_gives_back_what_is_anothers_and_does_not_renew_it(house: House) -> None:
    lease = house.lease(house.finder, "pkg:pypi/x", activity="fuzzing")
    with house.acting(house.coordinator) as db:
        assert hold.one(db, lease.reference).fence == lease.fence  # the token alone is no right
    with pytest.raises(ForbiddenError, match="holder"):
        house.renew(house.coordinator, lease)
    assert house.renew(house.finder, lease).ends > lease.ends
    assert house.release(house.coordinator, lease).state == "released"


def test_tokens_rise_below_a_root_even_when_the_clock_goes_back(house: House) -> None:
    before = house.lease(house.finder, "git+https://git.example.org/t/x#src/**", activity="fuzzing")
    with house.owner() as db:
        db.execute("update clearway.lease_root set fence = fence + 3600 * 1000000::bigint")
    after = house.lease(house.rival, "git+https://git.example.org/t/x#src/net/**", activity="fuzzing")
    assert after.fence == before.fence + 3_600_000_000 + 1


def test_a_release_is_done_once_and_may_be_said_twice(house: House) -> None:
    lease = house.lease(house.finder, "pkg:pypi/x", activity="fuzzing")
    assert house.release(house.finder, lease).state == "released"
    assert house.release(house.finder, lease).state == "released"
    assert house.acts().count("lease.released") == 1


def test_a_coordinator_gives_back_anybodys_lease(house: House) -> None:
    lease = house.lease(house.finder, "pkg:pypi/x", activity="fuzzing")
    assert house.release(house.coordinator, lease).state == "released"


def test_a_sealed_lease_excludes_and_shares_like_any_other_and_is_read_by_nobody(house: House) -> None:
    lease = house.lease(
        house.finder, "pkg:pypi/secret-thing", activity="fuzzing", sealed=True, label="plan 9"
    )
    assert (lease.scope, lease.sources, lease.label) == ((), (), "plan 9")
    with house.acting(house.coordinator) as db:
        assert hold.one(db, lease.reference).scope == ()
    assert house.ask(house.rival, "pkg:pypi/Secret-Thing", activity="fuzzing", sealed=True).answer == "share"
    with house.owner() as db:
        for table in ("lease", "lease_target", "lease_root", "lease_told", "log_entry", "event"):
            rows = db.execute(f"select t::text from clearway.{table} t".encode()).fetchall()
            assert rows
            assert not [row for (row,) in rows if "secret" in row.lower()], table


def test_the_bounds_on_asking_hold_whatever_the_answer_would_be(house: House) -> None:
    house.limit(tellings=2)
    for n in range(4):
        house.lease(house.rival, f"pkg:pypi/p{n}", activity="fuzzing")
    for _ in range(3):  # the same again tells nothing new
        house.release(house.finder, house.lease(house.finder, "pkg:pypi/p0", activity="fuzzing"))
    house.lease(house.finder, "pkg:pypi/p1", activity="fuzzing")
    for name in ("p2", "nobody-is-there"):
        with pytest.raises(TooManyRequestsError, match="overlaps"):
            house.ask(house.finder, f"pkg:pypi/{name}", activity="fuzzing")
    assert house.ask(house.operator, "pkg:pypi/p2", activity="fuzzing").answer == "share"
    house.limit(questions=1)
    with pytest.raises(TooManyRequestsError, match="in an hour"):
        house.ask(house.operator, "pkg:pypi/p3", activity="fuzzing")


def test_an_organisation_holds_a_bounded_number_of_leases(house: House) -> None:
    house.limit(held=1)
    first = house.lease(house.finder, "pkg:pypi/a", activity="fuzzing")
    assert house.ask(house.finder, "pkg:pypi/b", activity="fuzzing").why == "too-many"
    house.release(house.finder, first)
    assert house.ask(house.finder, "pkg:pypi/b", activity="fuzzing").answer == "go"


UNUSABLE: list[tuple[dict[str, object], str]] = [
    ({"ttl_s": 0}, "ttl_s"),
    ({"ttl_s": 90_000}, "ttl_s"),
    ({"rate": -1.0}, "rate"),
    ({"rate": 1e-50}, "rate"),
    ({"rate": 1e40}, "rate"),
    ({"rate": float("nan")}, "rate"),
    ({"starts": datetime.now(UTC) + timedelta(days=93)}, "starts"),
    ({"until": datetime(2020, 1, 1, tzinfo=UTC)}, "until"),
    ({"until": datetime.now(UTC) + timedelta(days=32)}, "until"),
    ({"starts": datetime(2030, 1, 1)}, "starts"),
    ({"sources": ("nowhere",)}, "sources[0]"),
    ({"sources": ("203.0.113.7",)}, "sources"),
    ({"sources": ("192.0.2.1",) * 33}, "sources"),
    ({"activity": "port"}, "scope[0]"),
]


def test_what_can_not_be_used_is_refused_with_its_place(house: House) -> None:
    for facts, where in UNUSABLE:
        with pytest.raises(InputError) as told:
            house.ask(house.finder, "pkg:pypi/x", **{"activity": "fuzzing", **facts})
        assert told.value.where == where, facts


def test_what_has_run_out_is_swept_and_old_counts_are_forgotten(house: House) -> None:
    lease = house.lease(house.finder, "pkg:pypi/x", activity="fuzzing", ttl_s=600)
    house.lease(house.rival, "pkg:pypi/x", activity="fuzzing")
    house.passes(lease, 1)
    with house.owner() as db:
        db.execute("update clearway.lease_pace set hour = hour - interval '3 days'")
        db.execute("update clearway.lease_told set at = at - interval '3 days'")
        assert tasks.sweep(db) == 1
        for table in ("lease_pace", "lease_told"):
            assert db.execute(f"select from clearway.{table}".encode()).fetchall() == []


def test_a_proof_that_runs_out_soon_is_looked_for_again(house: House) -> None:
    kept, gone = house.prove(house.finder, "a.example.org"), house.prove(house.finder, "b.example.org")
    with house.owner() as db:
        db.execute("update clearway.lease_control set expires = clock_timestamp() + interval '3 days'")
    zone = {kept.place.name: (kept.place.content,)}
    with Client() as client:
        looking = Looker(lambda name: zone.get(name, ()), client)
        assert tasks.look_again(house.owner, looking, datetime.now(UTC)) == (1, 1)
    with house.owner() as db:
        ends = {one.scope: one.expires for one in control.listed(db)}
    now = datetime.now(UTC)
    assert ends[kept.scope] > now + timedelta(days=80)
    assert ends[gone.scope] < now + timedelta(days=4)


def test_the_databases_rules_are_those_of_the_code(house: House) -> None:
    with house.owner() as db:
        kept = {
            (a, b, live): o
            for a, b, live, o in db.execute("select one, other, live, outcome from clearway.lease_rule")
        }
    assert kept == {
        (a, b, live): rule.outcome(a, b, live=live)
        for a in get_args(rule.Activity)
        for b in get_args(rule.Activity)
        for live in (True, False)
    }


def test_the_database_answers_as_the_rules_say_over_many_asks(house: House) -> None:
    draw = random.Random(15)
    names = {house.finder.key: "lab", house.rival.key: "rival"}
    said = [
        (house.finder, "10.0.0.0/8", "own", {}), (house.rival, "10.0.0.0/8", "own", {}),
        (house.operator, "10.0.3.0/24", "refuse", {"authorised": ["lab"]}),
        (house.operator, "10.0.2.0/24", "cap", {"max_rate": 5.0}),
        (house.finder, "*.example.org", "own", {"authorised": ["rival"]}),
    ]  # fmt: skip
    slugs = {house.finder.key: "lab", house.rival.key: "rival", house.operator.key: "water"}
    controls = []
    for who, text, stance, more in said:
        house.prove(who, text, stance, **more)
        controls.append(rule.Control(
            org=slugs[who.key], target=parse(text), stance=stance, max_rate=more.get("max_rate"),
            authorised=frozenset(more.get("authorised", ())),
        ))  # fmt: skip
    pool = [f"10.0.{n}.0/24" for n in range(5)] + [f"10.0.{n}.{m}" for n in range(5) for m in (1, 2)]
    pool += ["a.example.org", "*.example.org", "*.b.example.org", "c.b.example.org", "elsewhere.example"]
    software = ["pkg:pypi/x@1", "pkg:pypi/x#src", "pkg:pypi/y", "git+https://git.example.org/t/x#src/net/**"]
    held: list[rule.Held] = []
    seen = set()
    for _ in range(150):
        who = draw.choice([house.finder, house.rival])
        activity: rule.Activity = draw.choice(rule.ACTIVITIES)
        live = activity in ("port", "authenticated") or draw.random() < 0.6
        scope = tuple(draw.sample(pool if live else software, draw.choice([1, 1, 2])))
        targets = parse_all(scope)
        now = datetime.now(UTC)
        starts = now + timedelta(hours=draw.randrange(1, 30))
        until = starts + timedelta(hours=draw.randrange(1, 6))
        rate = draw.choice([None, 4.0, 9.0])
        sources = ("198.51.100.7",) if any(t.live for t in targets) and draw.random() < 0.4 else ()
        wanted = rule.decide(
            activity, targets, starts, until, held, controls, org=names[who.key], rate=rate,
            reaches=bool(sources), now=now,
        )  # fmt: skip
        found = house.ask(
            who, *scope, activity=activity, starts=starts, until=until, rate=rate, sources=sources
        )
        assert (found.answer, found.why) == (wanted.answer, wanted.why), (scope, activity)
        seen.add(found.answer)
        if found.lease is not None:
            held.append(
                rule.Held(
                    activity=activity,
                    targets=targets,
                    starts=starts,
                    until=until,
                    ends=found.lease.ends,
                    rate=rate,
                )
            )
            if draw.random() < 0.2:
                house.release(who, found.lease)
                held.pop()
    assert seen == {"go", "share", "wait", "refused"}
