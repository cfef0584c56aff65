"""Over any history of who made, let in and bound what: two ways in that one hand could have used never sign as two.

The oracle keeps who made what, and looks from each person forward at all that they could have come by. The database
keeps at each way in whose hands are in it. They meet nowhere but here.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from msgspec import Struct

from clearway.access import credential, invitation, local, person
from clearway.access.oidc import Account
from clearway.access.sign_in import _bound
from clearway.store.principal import key_of
from clearway.store.scalar import scalar
from often import often
from people import People

NOW = datetime.now(UTC)
ACTS = (
    "add",
    "let in",
    "let in",
    "at the machine",
    "passkey",
    "token",
    "service",
    "provider",
    "provider",
    "unbind",
)
How = Literal["root", "code", "bound", "token", "service"]


class Way(Struct, eq=False):
    """One way in. `of` is the one that it was made with; None: nobody's, or the machine's."""

    account: int
    key: str
    how: How
    of: Way | None = None
    session: bool = True
    known_as: tuple[str, str] | None = None  # the provider's account by which it comes


class History:
    """A few people who let in others, in a house where all of them administer."""

    def __init__(self, people: People, machine: str) -> None:
        self.people = people
        self.machine = machine
        self.ways: list[Way] = []
        self.accounts: list[int] = []
        self.bound: dict[
            tuple[str, str], tuple[int, int, Way]
        ] = {}  # (account, identity, the way in it was bound by)
        for _ in range(2):
            root = people.somebody(people.house, "administrator", "coordinator")
            self.accounts.append(root.person)
            self.ways.append(Way(root.person, root.key, "root"))

    def act(self, what: str, a: int, b: int) -> None:
        by = self.ways[a % len(self.ways)]
        whom = self.accounts[b % len(self.accounts)]
        {
            "add": self.add, "let in": self.let_in, "at the machine": self.at_the_machine, "passkey": self.passkey,
            "token": self.token, "service": self.service, "provider": self.provider, "unbind": self.unbind,
        }[what](by, whom, b)  # fmt: skip

    def add(self, by: Way, whom: int, b: int) -> None:
        if by.how == "service":
            return
        with self.people.pool.acting(by.key) as db:
            made = person.add(db, self.people.house, "made", ["administrator", "coordinator"]).person
        self.accounts.append(made)
        self.let_in(by, made, b)

    def let_in(self, by: Way, whom: int, _: int) -> None:
        if by.account != whom and by.how != "service":
            self.ways.append(Way(whom, self._code(by.key, whom), "code", by))

    def at_the_machine(self, by: Way, whom: int, _: int) -> None:
        self.ways.append(Way(whom, self._code(self.machine, whom), "code"))

    def _code(self, key: str, whom: int) -> str:
        with self.people.pool.acting(key) as db:
            code = invitation.invite(db, whom, self.people.house, now=NOW)
        with self.people.owner() as owner:
            return invitation.accept(owner, code, now=NOW).key

    def passkey(self, by: Way, *_: int) -> None:
        if not by.session:
            return
        with self.people.owner() as owner:
            owner.execute(
                "insert into clearway.identity (person, kind, subject, public_key, hands) "
                "values (%s, 'passkey', gen_random_uuid()::text, '\\x01', %s)",
                (by.account, credential.hands_of(owner, by.key)),
            )
            made = credential.make_session(
                owner, by.account, by="passkey", now=NOW, hands=credential.hands_of(owner, by.key)
            )
        self.ways.append(Way(by.account, made.key, "bound", by, known_as=by.known_as))

    def token(self, by: Way, *_: int) -> None:
        if by.how != "service":
            self.ways.append(self._token(by, by.account, "token", by.known_as))

    def service(self, by: Way, *_: int) -> None:
        if by.how == "service":
            return
        with self.people.pool.acting(by.key) as db:
            made = person.add(db, self.people.house, "program", ["coordinator"], kind="service").person
        self.ways.append(self._token(by, made, "service", None))

    def _token(self, by: Way, whom: int, how: How, known_as: tuple[str, str] | None) -> Way:
        with self.people.pool.acting(by.key) as db:
            made = credential.make_token(db, whom, label="t", scopes=None, life=timedelta(days=1), now=NOW)
        return Way(whom, key_of(made.secret), how, by, session=False, known_as=known_as)

    def provider(self, by: Way, _: int, b: int) -> None:
        """Somebody's account at a provider is bound, or signs in again where it is already."""
        at = (f"https://{'ab'[b % 2]}.example", str(b // 2 % 3))
        bound = self.bound.get(at)
        if bound is None and not by.session:
            return
        binds = 0 if bound else by.account
        with self.people.owner() as owner:
            came = _bound(owner, Account(issuer=at[0], subject=at[1]), binds, NOW, by.key)
            made = credential.make_session(owner, came.person, by="oidc", now=NOW, hands=came.hands)
        if bound is None:
            self.bound[at] = bound = (by.account, -came.hands[-1], by)
        assert came.person == bound[0]
        self.ways.append(Way(bound[0], made.key, "bound", bound[2], known_as=at))

    def unbind(self, by: Way, _: int, b: int) -> None:
        """Who takes an account at a provider away has no proof by it any more, also where it is bound anew."""
        for at in sorted(self.bound)[: b % 2]:
            with self.people.owner() as owner:
                owner.execute("delete from clearway.identity where identity = %s", (self.bound.pop(at)[1],))
            for way in self.ways:
                if way.known_as == at:
                    way.known_as = None

    def come_by(self, who: int) -> set[Way]:
        """The ways in that the person of an account has, or could have had, in their hands."""
        found = {way for way in self.ways if way.account == who}
        while more := {way for way in self.ways if way.of in found} - found:
            found |= more
        return found

    def clear(self) -> None:
        with self.people.owner() as owner:
            owner.execute("delete from clearway.identity")


def told_apart(a: Way, b: Way) -> bool:
    return bool(a.known_as and b.known_as and a.known_as[0] == b.known_as[0] and a.known_as != b.known_as)


def check(history: History) -> tuple[int, int]:
    """Asserts that the database and the oracle say the same of each two ways in; how many are two, and are not."""
    hands: dict[Way, Any] = {}
    with history.people.owner() as db:
        for way in history.ways:
            hands[way] = credential.hands_of(db, way.key)
    reach = [history.come_by(who) for who in {way.account for way in history.ways}]
    counts = [0, 0]
    with history.people.owner() as db:
        for a, b in combinations(history.ways, 2):
            one_hand = any(a in found and b in found for found in reach)
            two = a.account != b.account and (told_apart(a, b) or not one_hand)
            for one, other in ((a, b), (b, a)):
                said = scalar(
                    db,
                    "select clearway.not_two(%s, %s::int[], %s, %s::int[]) is null",
                    (one.account, hands[one], other.account, hands[other]),
                )
                assert said == two, (history.ways.index(one), history.ways.index(other), one, other)
            counts[two] += 1
    return counts[1], counts[0]


@settings(
    max_examples=often(25, 50),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    acts=st.lists(
        st.tuples(st.sampled_from(ACTS), st.integers(0, 40), st.integers(0, 40)), min_size=4, max_size=14
    )
)
# Three whom one person let in, known to one provider, to another, and to the first again.
@example(
    acts=[("add", 0, 0)] * 3 + [("provider", 2, 0), ("provider", 3, 1), ("provider", 4, 2), ("passkey", 5, 0)]
)
def test_two_ways_in_that_one_hand_could_have_used_never_count_as_two(
    people: People, tmp_path: Path, acts: list[tuple[str, int, int]]
) -> None:
    history = History(people, local.key(people.url, tmp_path, now=NOW))
    for act in acts:
        history.act(*act)
    check(history)
    history.clear()


def test_the_histories_have_both_two_persons_and_one(people: People, tmp_path: Path) -> None:
    """What is drawn above can fail: of one long history many pairs are two, and many are not."""
    history = History(people, local.key(people.url, tmp_path, now=NOW))
    for n, act in enumerate(ACTS[:-1] * 2):
        history.act(act, n * 5, n * 3)
    two, one = check(history)
    assert two > 10
    assert one > 10
