"""Dates follow the version of the directive that an authority addresses, and every day's date can be had again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from clearway import directives
from clearway.directives.issue import Key, sign, verify
from clearway.directives.kept import addresses, issues, names, reports
from clearway.directives.kept.who import organisation
from clearway.exposure.fleet import due, governed, page_week, page_why, ruling, setting, tasks
from clearway.exposure.fleet.report_rows import PROVIDER
from clearway.records.errors import ForbiddenError, NotFoundError, UsageError
from clearway.records.principal import Principal
from clearway.store.connect import connect
from fleet_world import Fleet
from people import Somebody

DOCUMENT = (Path(directives.__file__).parent / "data" / "bod-26-04.json").read_bytes()
PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEY = Key(PRIVATE.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))
# Days to come, so that all of this test's acts are known on them whatever the clock says.
START = date(2031, 3, 3)
NEXT = START + timedelta(days=10)
LATER = START + timedelta(days=20)
IDNA = "pkg:pypi/idna@3.6"  # listed in KEV
FLASK = "pkg:pypi/flask@2.0"  # not listed: 60 days by default


def table(version: str, days: int, name: str = "bod-26-04", **more: Any) -> bytes:
    """The shipped table in another version, in which 60 days are others."""
    made = msgspec.json.decode(DOCUMENT)
    made["id"], made["version"] = name, version
    made["outcomes"][1]["days"] = days
    return msgspec.json.encode({**made, **more})


class Authority:
    """An organisation that issues directives, with its official."""

    def __init__(self, fleet: Fleet, slug: str, *, tied: bool = True) -> None:
        self.fleet, self.slug = fleet, slug
        self.org = fleet.people.org(slug, "authority")
        self.official = fleet.people.somebody(self.org, "official")
        for directive in ("bod-26-04", "water-rule") if tied else ():
            with fleet.owner(START) as owner:
                names.tie(owner, directive, slug)
        self.do(fleet.people.somebody(self.org, "administrator"), issues.add_key, slug, KEY)

    def do(self, who: Somebody, act: Any, *args: Any, **named: Any) -> Any:
        with self.fleet.acting(who) as db:
            row = db.execute("select clearway.whoami()::text").fetchone()
            return act(db, msgspec.json.decode(row[0], type=Principal), *args, **named)

    def publish(self, document: bytes, issued: date) -> issues.Version:
        signature = sign(document, PRIVATE).signature
        made: issues.Version = self.do(
            self.official, issues.publish, self.slug, document, signature, issued=issued
        )
        return made

    def address(self, standing: str, since: date = START, to: str = "", directive: str = "bod-26-04") -> None:
        slug = to or slug_of(self.fleet)
        self.do(self.official, addresses.address, self.slug, directive, {slug: standing}, since=since)

    def withdraw(self, until: date) -> None:
        self.do(self.official, addresses.withdraw, self.slug, "bod-26-04", slug_of(self.fleet), until=until)

    def noted(self, version: issues.Version) -> None:
        """The organisation takes note of it."""
        self.do(self.fleet.operator, addresses.acknowledge, slug_of(self.fleet), version.id)


def slug_of(fleet: Fleet) -> str:
    (row,) = fleet.world.sql("select slug from clearway.organisation where org = %s", fleet.org)
    return str(row[0])


@pytest.fixture
def authority(mine: Fleet) -> Authority:
    return Authority(mine, f"authority-{mine.org}")


@pytest.fixture
def exposed(mine: Fleet) -> Fleet:
    """One asset with a flaw that is not listed, detected on START."""
    web = mine.asset("web", "internal", day=START - timedelta(days=1))
    mine.upload(web, FLASK, day=START, owned=True)
    return mine


def dated(fleet: Fleet, day: date) -> None:
    """The jobs of that day."""
    with fleet.owner(day) as db:
        ruling.note(db, day)
    while True:
        with fleet.owner(day) as db:
            if not ruling.step(db, day):
                return


def shown(fleet: Fleet) -> date | None:
    (line,) = fleet.lines()
    found: date | None = line.due
    return found


def replayed(fleet: Fleet, day: date, who: Any = None) -> due.Shown:
    (line,) = fleet.lines()
    with fleet.acting(who) as db:
        return due.replay(db, line.exposure, day)


def test_an_addressed_version_governs_from_its_day_on_and_earlier_days_stay(
    exposed: Fleet, authority: Authority
) -> None:
    assert shown(exposed) == START + timedelta(days=60)
    authority.publish(table("1.1.0", 30), NEXT)
    authority.address("binding", NEXT)
    dated(exposed, START)
    assert shown(exposed) == START + timedelta(days=60)  # it has not begun
    dated(exposed, NEXT)
    assert shown(exposed) == START + timedelta(days=30)
    authority.publish(table("1.2.0", 20), LATER)
    dated(exposed, LATER)
    assert shown(exposed) == START + timedelta(days=20)
    for day, days, version in (
        (NEXT - timedelta(days=1), 60, "1.0.0"),
        (NEXT, 30, "1.1.0"),
        (LATER - timedelta(days=1), 30, "1.1.0"),
        (LATER, 20, "1.2.0"),
    ):
        found = replayed(exposed, day)
        assert (found.due, found.again.due, found.version) == (
            START + timedelta(days=days), START + timedelta(days=days), version,
        )  # fmt: skip


def test_what_is_taken_in_is_dated_by_the_version_at_once(exposed: Fleet, authority: Authority) -> None:
    authority.publish(table("1.1.0", 30), START)
    authority.address("binding")
    db_asset = exposed.asset("db", "internal", day=START)
    exposed.upload(db_asset, FLASK, day=START, owned=True)
    dues = {x.asset_name: x.due for x in exposed.lines()}
    assert dues["db"] == START + timedelta(days=30)


@pytest.mark.parametrize("end", ["revoked", "withdrawn"])
def test_what_no_longer_governs_gives_way_to_the_table_that_ships(
    exposed: Fleet, authority: Authority, end: str
) -> None:
    authority.publish(table("1.1.0", 30), START)
    authority.address("binding")
    dated(exposed, START)
    assert shown(exposed) == START + timedelta(days=30)
    if end == "revoked":
        authority.do(
            authority.official, issues.revoke, authority.slug, "bod-26-04", "1.1.0", on=NEXT, reason="wrong"
        )
    else:
        authority.withdraw(NEXT)
    dated(exposed, NEXT)
    assert shown(exposed) == START + timedelta(days=60)
    assert replayed(exposed, START).again.due == START + timedelta(days=30)
    assert replayed(exposed, NEXT).again.due == START + timedelta(days=60)


def test_a_version_that_is_issued_for_a_day_long_past_changes_no_date_that_was_shown_then(
    mine: Fleet, authority: Authority
) -> None:
    early = date(2026, 10, 5)
    web = mine.asset("web", "internal", day=early)
    mine.upload(web, FLASK, day=early, owned=True)
    authority.publish(table("1.1.0", 30), early)  # recorded today
    authority.address("binding", early)
    found = replayed(mine, early)
    assert (found.due, found.again.due, found.version) == (
        early + timedelta(days=60), early + timedelta(days=60), "1.0.0",
    )  # fmt: skip
    with mine.acting() as db:
        made: Any = reports.make(
            db, PROVIDER, organisation(db, slug_of(mine)), "seven_day", "bod-26-04", early + timedelta(days=1)
        )
    assert (made.directive.version, made.items[0].due) == ("1.0.0", early + timedelta(days=60))


def test_reports_and_the_fleet_name_one_version_and_one_date(exposed: Fleet, authority: Authority) -> None:
    authority.publish(table("1.1.0", 5), START)
    authority.address("adopted")
    dated(exposed, START)
    day = START + timedelta(days=6)
    (line,) = exposed.lines()
    with exposed.acting() as db:
        made: Any = reports.make(
            db, PROVIDER, organisation(db, slug_of(exposed)), "overdue", "bod-26-04", day
        )
        why = page_why.why(db, line.exposure, day)
    assert made.items[0].due == line.due == why.tier.due == START + timedelta(days=5)
    assert made.directive.version == why.directive.version == "1.1.0"
    assert (why.authority, why.standing) == (authority.slug.title(), "adopted")
    assert "which you have adopted" in why.wording


def test_who_addresses_later_takes_nothing_over_and_a_stronger_standing_does(
    exposed: Fleet, authority: Authority
) -> None:
    other = Authority(exposed, f"other-{exposed.org}")
    authority.publish(table("1.1.0", 30), START)
    authority.address("advisory")
    late = other.publish(table("2.0.0", 3_000), START)
    other.address("advisory", NEXT)
    other.noted(late)
    dated(exposed, NEXT)
    assert shown(exposed) == START + timedelta(days=30)
    other.address("binding", LATER)
    dated(exposed, LATER)
    assert shown(exposed) == START + timedelta(days=3_000)


def test_a_directive_that_alone_is_binding_governs_who_has_chosen_none(
    exposed: Fleet, authority: Authority
) -> None:
    authority.publish(table("1", 7, "water-rule"), START)
    authority.address("advisory", directive="water-rule")
    dated(exposed, START)
    assert shown(exposed) == START + timedelta(days=60)
    authority.address("binding", NEXT, directive="water-rule")
    dated(exposed, NEXT)
    assert shown(exposed) == START + timedelta(days=7)
    with exposed.owner(NEXT) as db:
        assert setting.choose(db, exposed.org, due.Setting("bod-26-04"), NEXT) == 1
    assert shown(exposed) == START + timedelta(days=60)
    with exposed.owner(LATER) as db:
        setting.choose(db, exposed.org, due.Setting("water-rule", "strict_incomplete"), LATER)
        with pytest.raises(UsageError, match="no policy"):
            setting.choose(db, exposed.org, due.Setting("water-rule", "none"), LATER)
        with pytest.raises(NotFoundError):
            setting.choose(db, exposed.org, due.Setting("fire-rule"), LATER)


def test_a_chosen_policy_that_a_new_version_lacks_is_its_default_and_no_failure(
    exposed: Fleet, authority: Authority
) -> None:
    with exposed.owner(START) as db:
        setting.choose(db, exposed.org, due.Setting("bod-26-04", "fedramp_assume_automatable"), START)
    policies = [p for p in msgspec.json.decode(DOCUMENT)["policies"] if p["id"] == "cisa_60d"]
    made = authority.publish(table("1.1.0", 30, policies=policies), NEXT)
    authority.address("binding", NEXT)
    authority.noted(made)
    dated(exposed, NEXT)
    assert shown(exposed) == START + timedelta(days=30)
    with exposed.acting() as db:
        assert PROVIDER.options(db, exposed.org, "bod-26-04", NEXT).policy == "cisa_60d"


def test_what_an_organisation_imports_dates_its_fleet_and_is_named_to_nobody_else(exposed: Fleet) -> None:
    administrator = exposed.people.somebody(exposed.org, "administrator")
    document = table("7", 9)
    signed = verify(document, sign(document, PRIVATE).signature, [KEY])
    with exposed.acting(administrator) as db:
        row = db.execute("select clearway.whoami()::text").fetchone()
        assert row is not None
        me = msgspec.json.decode(row[0], type=Principal)
        issues.take_over(db, me, slug_of(exposed), signed, KEY, issued=START)
    dated(exposed, START)
    assert shown(exposed) == START + timedelta(days=9)
    assert replayed(exposed, START).version == "7"
    stranger = exposed.another()
    with exposed.acting(stranger.operator) as db:
        seen = db.execute("select count(*) from clearway.clock where clock < 0").fetchone()
        document_of = db.execute(
            """select (clearway.directive_document(v)).document from generate_series(1, 50) v
            where (clearway.directive_document(v)).sha256 = %s""",
            (signed.sha256,),
        ).fetchall()
        assert (
            db.execute(
                "select * from clearway.directives_of(%s, %s, null)", ([exposed.org], START)
            ).fetchall()
            == []
        )
    assert (seen, document_of) == ((0,), [])
    with exposed.acting() as db:
        assert db.execute("select count(*) > 0 from clearway.clock where clock < 0").fetchone() == (True,)


def test_a_version_whose_signature_does_not_hold_dates_nothing(exposed: Fleet, authority: Authority) -> None:
    made = authority.publish(table("1.1.0", 31), START)
    authority.address("binding")
    with exposed.people.owner() as db:
        db.execute(
            "update clearway.directive_version set signature = %s where version_id = %s", (bytes(64), made.id)
        )
    dated(exposed, START)
    assert shown(exposed) == START + timedelta(days=60)


def test_dating_goes_on_where_a_killed_job_left_it_and_begins_again_for_another_version(
    mine: Fleet, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ruling, "ASSETS", 2)
    for n in range(5):
        mine.upload(mine.asset(f"host-{n}", "internal", day=START), FLASK, day=START, owned=True)
    authority.publish(table("1.1.0", 30), START)
    authority.address("binding")

    def steps(most: int = 99) -> int:
        done = 0
        while done < most:
            with mine.owner(START) as db:
                if not ruling.step(db, START):
                    break
            done += 1
        return done

    def dues() -> list[int]:
        return [(x.due - START).days for x in sorted(mine.lines(), key=lambda x: x.asset) if x.due]

    steps(1)
    assert dues() == [30, 30, 60, 60, 60]
    steps(1)
    assert dues() == [30, 30, 30, 30, 60]
    authority.publish(table("1.2.0", 20), START)
    steps()
    assert dues() == [20] * 5
    assert mine.world.sql("select from clearway.fleet_ruling where org = %s", mine.org) == []
    with mine.owner(START) as db:
        assert ruling.note(db, START) == 0  # nothing to do, and said so


@pytest.mark.parametrize("act", ["addressed", "issued", "revoked", "withdrawn", "another standing"])
def test_each_way_to_another_version_wakes_who_dates_and_says_so_until_it_is_done(
    exposed: Fleet, authority: Authority, act: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = NEXT + timedelta(days=1)
    monkeypatch.setattr(tasks, "_today", lambda: day)
    authority.publish(table("1.1.0", 30), START)
    other = Authority(exposed, f"other-{exposed.org}")
    second = other.publish(table("1.9.0", 40), START)
    if act != "addressed":
        authority.address("advisory")
        other.address("advisory", NEXT)
        other.noted(second)
    dated(exposed, day)
    with connect(exposed.world.url, autocommit=True) as ear:
        ear.execute("listen clearway_ruling")
        match act:
            case "addressed":
                authority.address("binding")
                days = 30
            case "issued":
                authority.publish(table("1.2.0", 20), NEXT)
                days = 20
            case "revoked":
                authority.do(
                    authority.official,
                    issues.revoke,
                    authority.slug,
                    "bod-26-04",
                    "1.1.0",
                    on=NEXT,
                    reason="wrong",
                )
                days = 40
            case "withdrawn":
                authority.withdraw(NEXT)
                days = 40
            case _:
                other.address("binding", day)
                days = 40
        assert [n.channel for n in ear.notifies(timeout=10, stop_after=1)] == ["clearway_ruling"]
    stranger = exposed.another()
    for who, sees in ((exposed.operator, [exposed.org]), (stranger.operator, [])):
        with exposed.acting(who) as db:
            assert [*ruling.pending(db, [exposed.org])] == sees
    before = shown(exposed)
    with exposed.acting() as db:
        assert page_week.read(db, day, exposed.org, None).redating
    tasks.date_at_once(exposed.people.owner)
    assert shown(exposed) == START + timedelta(days=days)
    assert before != shown(exposed)
    with exposed.acting() as db:
        assert ruling.pending(db, [exposed.org]) == {}
        assert not page_week.read(db, day, exposed.org, None).redating


def test_a_large_fleet_is_dated_in_turns(
    mine: Fleet, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ruling, "ASSETS", 1)
    monkeypatch.setattr(tasks, "TURN_S", -1.0)
    monkeypatch.setattr(tasks, "_today", lambda: START)
    for n in range(3):
        mine.upload(mine.asset(f"host-{n}", "internal", day=START), FLASK, day=START, owned=True)
    authority.publish(table("1.1.0", 30), START)
    authority.address("binding")
    turns = 0
    with connect(mine.world.url, autocommit=True) as ear:
        ear.execute("listen clearway_ruling")
        while turns < 20:
            tasks.date_at_once(mine.people.owner)
            if not [*ear.notifies(timeout=2, stop_after=1)]:
                break
            turns += 1
    assert turns >= 3
    assert {x.due for x in mine.lines()} == {START + timedelta(days=30)}


def test_the_version_is_that_of_the_day_in_every_setting(exposed: Fleet, authority: Authority) -> None:
    made = authority.publish(table("1.1.0", 30), START)
    authority.address("binding")
    with exposed.acting() as db:
        found = governed.settings(db, [exposed.org], day=START)[exposed.org]
        before = governed.settings(db, [exposed.org], day=START - timedelta(days=1))[exposed.org]
    assert (found.version_id, found.table.version, found.policy) == (made.id, "1.1.0", "cisa_60d")
    assert (before.version_id, before.table.version) == (None, "1.0.0")


def test_who_had_chosen_what_is_revoked_since_is_dated_as_if_nothing_were_chosen(exposed: Fleet) -> None:
    last = date(2026, 6, 9)  # of BOD 22-01
    exposed.world.sql(
        """insert into clearway.fleet_setting (org, aud, directive, policy, retier)
        select org, aud, 'bod-22-01', 'catalogue', 'original_start' from clearway.asset where org = %s returning org""",
        exposed.org,
    )
    exposed.world.sql(
        "update clearway.exposure set due = '2021-12-24' where org = %s returning exposure", exposed.org
    )
    with exposed.acting() as db:
        then = governed.settings(db, [exposed.org], day=last)[exposed.org]
        now = governed.settings(db, [exposed.org], day=last + timedelta(days=1))[exposed.org]
        assert setting.of(db, exposed.org) == now
    assert (then.directive, now.directive, now.policy) == ("bod-22-01", "bod-26-04", "cisa_60d")
    dated(exposed, START)  # the jobs of a day find it, though nothing was addressed
    assert shown(exposed) == START + timedelta(days=60)
    with exposed.owner(START) as db:
        assert ruling.note(db, START) == 0, "once"
        with pytest.raises(UsageError, match="was revoked on 2026-06-10 by bod-26-04"):
            setting.choose(db, exposed.org, due.Setting("bod-22-01"), START)


def test_a_version_that_says_when_it_is_revoked_gives_way_to_the_one_before_on_that_day(
    exposed: Fleet, authority: Authority
) -> None:
    authority.publish(table("1.1.0", 30), START)
    authority.address("binding")
    authority.noted(authority.publish(table("1.2.0", 20, revoked=NEXT.isoformat()), START))
    dated(exposed, START)
    assert shown(exposed) == START + timedelta(days=20)
    dated(exposed, NEXT)
    assert shown(exposed) == START + timedelta(days=30)
    eve = NEXT - timedelta(days=1)
    assert (replayed(exposed, eve).due, replayed(exposed, eve).version) == (
        START + timedelta(days=20),
        "1.2.0",
    )
    assert replayed(exposed, NEXT).again.due == START + timedelta(days=30)


def test_of_two_who_choose_at_once_the_dates_are_those_of_the_choice_that_stands(exposed: Fleet) -> None:
    policies = ("cisa_60d", "strict_incomplete")

    def choose(n: int) -> int:
        with exposed.owner(START) as db:
            return setting.choose(db, exposed.org, due.Setting("bod-26-04", policies[n % 2]), START)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(choose, range(12)))
    with exposed.acting() as db:
        stands = setting.of(db, exposed.org).policy
        row = db.execute(
            "select distinct c.policy from clearway.exposure e join clearway.clock c using (clock) where e.org = %s",
            (exposed.org,),
        ).fetchall()
    assert row == [(stands,)]


def test_a_version_that_makes_a_date_later_waits_until_the_organisation_takes_note(
    exposed: Fleet, authority: Authority
) -> None:
    first = authority.publish(table("1.1.0", 30), START)
    authority.address("binding")
    authority.noted(first)
    later = authority.publish(table("1.3.0", 3_000), NEXT)
    dated(exposed, NEXT)
    assert shown(exposed) == START + timedelta(days=30)
    with exposed.acting() as db:
        (said,) = page_week.read(db, NEXT, exposed.org, None).notices
    assert (said.kind, said.version, said.instead, said.by) == (
        "waits",
        "1.3.0",
        "1.1.0",
        authority.slug.title(),
    )
    authority.noted(later)
    dated(exposed, NEXT)
    assert shown(exposed) == START + timedelta(days=3_000)
    with exposed.acting() as db:
        assert page_week.read(db, NEXT, exposed.org, None).notices == ()


def test_a_directive_of_another_name_takes_over_later_dates_only_once_it_is_taken_note_of(
    exposed: Fleet, authority: Authority
) -> None:
    rule = authority.publish(table("1", 3_000, "water-rule"), START)
    authority.address("binding", directive="water-rule")
    dated(exposed, START)
    assert shown(exposed) == START + timedelta(days=60)
    authority.noted(rule)
    dated(exposed, START)
    assert shown(exposed) == START + timedelta(days=3_000)


def test_revoking_a_successor_brings_back_what_it_superseded_and_says_so(
    exposed: Fleet, authority: Authority
) -> None:
    authority.publish(table("1.1.0", 30), START)
    authority.address("binding")
    authority.publish(table("1.2.0", 20), START)
    dated(exposed, START)
    assert shown(exposed) == START + timedelta(days=20)
    end = {"on": NEXT, "reason": "issued by mistake"}
    authority.do(authority.official, issues.revoke, authority.slug, "bod-26-04", "1.2.0", **end)
    dated(exposed, NEXT)
    assert shown(exposed) == START + timedelta(days=30)
    with exposed.acting() as db:
        week = page_week.read(db, NEXT, exposed.org, None)
    assert (week.version, week.standing) == ("1.1.0", "binding")
    (said,) = week.notices
    assert (said.kind, said.version, said.instead) == ("revoked", "1.2.0", "1.1.0")
    authority.do(authority.official, issues.revoke, authority.slug, "bod-26-04", "1.1.0", **end)
    with exposed.acting() as db:
        (said,) = page_week.read(db, NEXT, exposed.org, None).notices
    assert (said.kind, said.instead) == ("revoked", "")


def test_nobody_signs_numbers_of_their_own_under_a_name_that_ships_or_that_another_issues(
    exposed: Fleet, authority: Authority
) -> None:
    stranger = Authority(exposed, f"stranger-{exposed.org}", tied=False)
    with pytest.raises(ForbiddenError, match="ships with Clearway as CISA's"):
        stranger.publish(table("1.3.0", 3_000), START)
    with pytest.raises(ForbiddenError, match="the issuer of directives that ship"):
        stranger.publish(table("1", 3_000, "my-rule", issuer="C.I.S.A."), START)
    authority.publish(table("1", 7, "water-rule", issuer="Water Office"), START)
    with pytest.raises(ForbiddenError, match="another authority has issued water-rule"):
        stranger.publish(table("2", 3_000, "water-rule", issuer="Stranger"), START)
    with pytest.raises(ForbiddenError, match="another authority issues as"):
        stranger.publish(table("2", 3_000, "other-rule", issuer="Water office"), START)
    with exposed.owner(START) as owner:
        names.tie(owner, "bod-26-04", stranger.slug)
    assert stranger.publish(table("1.3.0", 3_000), START).version == "1.3.0"
    with exposed.owner(START) as owner:
        names.tie(owner, "bod-26-04", stranger.slug, end=True)
    with pytest.raises(ForbiddenError, match="not tied"):
        stranger.publish(table("1.4.0", 3_000), START)
