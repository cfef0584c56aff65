"""Who has been in another's account, or made it, is no second person beside it: in no act that takes two."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from clearway.access import credential, invitation, person
from clearway.findings.intake import limit, record
from clearway.findings.lease import control
from clearway.findings.lease.blind import BlindKey
from clearway.records.errors import ForbiddenError
from clearway.records.principal import Membership
from clearway.store.principal import key_of
from findings_world import Desk
from people import Somebody
from steps import Steps, since, step_of, there

NOW = datetime.now(UTC)
# What the first of two does; what the second one would do, with the refusal that a limit to it raises.
First = Callable[[Desk, Somebody], Callable[[Somebody], None]]


def of_receiver(who: Somebody) -> Membership:
    return Membership(
        org=who.org, slug="vendor", name="V", kind="vendor", roles=("maintainer",),
        rights=("read", "maintain", "submit"),
    )  # fmt: skip


@contextmanager
def offered_rightly(offered: bool) -> Iterator[None]:
    """What is refused was not offered, and what is done was."""
    try:
        yield
    except ForbiddenError:
        assert not offered
        raise
    assert offered


def marks(desk: Desk, first: Somebody) -> Callable[[Somebody], None]:
    finding = desk.finding()
    with desk.acting(first) as db:
        record.give(db, finding, "invalid", "looked at")
    with desk.acting(desk.finder) as db:
        number = record.appeal(db, finding, "it is real")

    def decide(who: Somebody) -> None:
        with desk.acting(who) as db:
            offered = record.mark_of(db, finding.id)
            assert offered is not None
        with offered_rightly(offered.appeals[0].decides), desk.acting(who) as db:
            record.decide(db, number, "refused", "because")

    return decide


def sets_a_limit(desk: Desk, first: Somebody) -> Callable[[Somebody], None]:
    with desk.acting(first) as db:
        made = limit.put(db, of_receiver(first), "PyPI", "example", per_week=1)

    def confirm(who: Somebody) -> None:
        with desk.acting(who) as db:
            offered = limit.confirmable(db, limit.listed(db))
        with offered_rightly(made.id in offered), desk.acting(who) as db:
            limit.confirm(db, made.id, holds=True)

    return confirm


def claims_a_package(desk: Desk, first: Somebody) -> Callable[[Somebody], None]:
    with desk.acting(first) as db:
        made = control.begin(db, BlindKey.of_home(desk.home), of_receiver(first), "pkg:pypi/example", "desk")

    def confirm(who: Somebody) -> None:
        with desk.acting(who) as db:
            offered = control.confirmable(db, control.listed(db))
        with offered_rightly(made.id in offered), desk.acting(who) as db:
            control.confirm(db, made.id, NOW, "their domain answers")

    return confirm


ACTS = pytest.mark.parametrize("act", [marks, sets_a_limit, claims_a_package])


def again(desk: Desk, who: Somebody, *hands: Somebody) -> Somebody:
    """The same account, come in again by a code that `hands` made."""
    with desk.owner() as owner:
        came = credential.make_session(
            owner, who.person, by="code", now=NOW, hands=[one.person for one in hands]
        )
    return Somebody(
        person=who.person, org=who.org, roles=who.roles, key=came.key, token_key="", secret="", cookie=""
    )


def added(desk: Desk, maker: Somebody, org: int, *roles: str) -> Somebody:
    with desk.acting(maker) as db:
        made = person.add(db, org, "made", roles).person
        code = invitation.invite(db, made, org, now=NOW)
    with desk.owner() as owner:
        key = invitation.accept(owner, code, now=NOW).key
    return Somebody(person=made, org=org, roles=roles, key=key, token_key="", secret="", cookie="")


def first_of(desk: Desk, act: Any) -> Somebody:
    return desk.coordinator if act is marks else desk.maintainer


@ACTS
def test_who_has_nothing_to_do_with_the_first_is_a_second_person(desk: Desk, act: First) -> None:
    first = first_of(desk, act)
    act(desk, first)(desk.people.somebody(desk.people.house, "coordinator"))


@ACTS
@pytest.mark.parametrize("side", ["first", "second"])
def test_who_let_the_other_in_again_is_none(desk: Desk, act: First, side: str) -> None:
    first, second = first_of(desk, act), desk.people.somebody(desk.people.house, "coordinator")
    begun = again(desk, first, second) if side == "first" else first
    deciding = act(desk, begun)
    with pytest.raises(ForbiddenError, match=r"second person.*one-time code"):
        deciding(again(desk, second, first) if side == "second" else second)
    deciding(desk.people.somebody(desk.people.house, "coordinator"))


@ACTS
def test_who_made_the_account_of_the_first_is_none(desk: Desk, act: First) -> None:
    org = desk.people.house if act is marks else desk.vendor
    chief = desk.people.somebody(org, "administrator")
    with desk.owner() as owner:
        owner.execute(
            "insert into clearway.membership (person, org, role) values (%s, %s, 'coordinator')",
            (chief.person, desk.people.house),
        )
        owner.execute("select clearway.rebadge(%s)", (chief.person,))
    first = added(desk, chief, org, "coordinator" if act is marks else "maintainer")
    deciding = act(desk, first)
    with pytest.raises(ForbiddenError, match=r"the other had a hand|another organisation"):
        deciding(chief)
    deciding(desk.people.somebody(desk.people.house, "coordinator"))


@ACTS
def test_a_program_is_none(desk: Desk, act: First) -> None:
    first = first_of(desk, act)
    robot = desk.people.somebody(desk.people.house, "coordinator", kind="service")
    deciding = act(desk, first)
    with pytest.raises(ForbiddenError, match="a program's account"):
        deciding(Somebody(person=robot.person, org=robot.org, roles=robot.roles, key=key_of(robot.secret),
                          token_key="", secret="", cookie=""))  # fmt: skip


def test_who_was_in_the_account_that_appealed_does_not_judge(desk: Desk) -> None:
    finding, judge = desk.finding(), desk.people.somebody(desk.people.house, "coordinator")
    with desk.acting(desk.coordinator) as db:
        record.give(db, finding, "invalid", "looked at")
    with desk.acting(again(desk, desk.finder, judge)) as db:
        number = record.appeal(db, finding, "it is real")
    with pytest.raises(ForbiddenError, match="been in one account"), desk.acting(judge) as db:
        record.decide(db, number, "granted", "because")


def test_a_limit_is_refused_by_whoever_coordinates(desk: Desk) -> None:
    with desk.acting(desk.maintainer) as db:
        made = limit.put(db, of_receiver(desk.maintainer), "PyPI", "example", per_week=1)
    with desk.acting(again(desk, desk.coordinator, desk.maintainer)) as db:
        limit.confirm(db, made.id, holds=False)


@ACTS
def test_what_was_begun_before_first_codes_left_hands_has_them(desk: Desk, act: First) -> None:
    org = desk.people.house if act is marks else desk.vendor
    chief = desk.people.somebody(org, "administrator")
    steps = Steps(desk.people.url, *since(step_of("one_hand")))
    steps.down()
    first = added(desk, chief, org, "coordinator" if act is marks else "maintainer")
    second = added(desk, chief, org, "coordinator")
    with desk.owner() as owner:
        assert credential.hands_of(owner, first.key) == []
        owner.execute(
            "insert into clearway.membership (person, org, role) values (%s, %s, 'coordinator') on conflict do nothing",
            (second.person, desk.people.house),
        )
        if org != desk.people.house:  # nobody confirms what is their own organisation's
            owner.execute(
                "delete from clearway.membership where person = %s and org = %s", (second.person, org)
            )
        owner.execute("select clearway.rebadge(%s)", (second.person,))
    deciding = act(desk, first)
    steps.up()
    with desk.owner() as owner:
        assert credential.hands_of(owner, first.key) == [chief.person]
    with pytest.raises(ForbiddenError, match=r"second person.*one person had a hand"):
        deciding(second)
    deciding(desk.people.somebody(desk.people.house, "coordinator"))


def test_the_step_goes_down_and_up(desk: Desk) -> None:
    steps = Steps(desk.people.url, *since(step_of("second")))
    with desk.owner() as db:
        before = there(db)
    steps.down()
    with desk.owner() as db:
        gone = {name.partition("(")[0] for _, name in before - there(db)}
    assert {"no_second", "is_apart", "no_judge", "no_confirmer", "keep_hands"} <= gone
    steps.up()
    with desk.owner() as db:
        assert there(db) == before
    marks(desk, desk.coordinator)(desk.people.somebody(desk.people.house, "coordinator"))
