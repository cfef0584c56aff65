"""Who may see what, written a second time in plain Python from the words of TLP 2.0, without a look at `access`.

It knows people and organisations as sets and answers one question at a time; it interns nothing, keeps no badges and
has no SQL, so that it can't share a mistake with what it is held against.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Facts:
    """The world as it stands: ids of organisations, people, lists and embargoes."""

    kinds: dict[int, str] = field(default_factory=dict)  # organisation -> kind
    roles: set[tuple[int, int, str]] = field(default_factory=set)  # person, organisation, role
    clients: set[tuple[int, int]] = field(default_factory=set)  # client, provider
    lists: dict[int, set[tuple[str, int]]] = field(default_factory=dict)  # list -> ("person" or "org", id)
    embargoes: dict[int, int] = field(default_factory=dict)  # embargo -> list of its parties
    released: set[int] = field(default_factory=set)
    barred: set[int] = field(default_factory=set)


@dataclass(frozen=True)
class Mark:
    tlp: str
    org: int = 0
    recipients: int = 0
    embargo: int = 0


def homes(facts: Facts, person: int) -> set[int]:
    return {org for who, org, _ in facts.roles if who == person}


def coordinates(facts: Facts, person: int) -> bool:
    return any(
        who == person and role == "coordinator" and facts.kinds[org] == "clearinghouse"
        for who, org, role in facts.roles
    )


def on_list(facts: Facts, person: int, which: int) -> bool:
    members = facts.lists[which]
    return ("person", person) in members or any(("org", org) in members for org in homes(facts, person))


def sees_mark(facts: Facts, person: int | None, mark: Mark) -> bool:
    """Whether `person` (None: the public) may see a row that carries just this marking."""
    known = person is not None and person not in facts.barred and bool(homes(facts, person))
    if mark.embargo and mark.embargo not in facts.released:
        if not known or person is None:
            return False
        if not (on_list(facts, person, facts.embargoes[mark.embargo]) or coordinates(facts, person)):
            return False
    if mark.tlp == "CLEAR":
        return True
    if not known or person is None:
        return False
    if mark.tlp == "GREEN":
        return True
    member = mark.org in homes(facts, person)
    if mark.tlp == "AMBER":
        client = any(c in homes(facts, person) and p == mark.org for c, p in facts.clients)
        return member or client or coordinates(facts, person)
    if mark.tlp == "AMBER+STRICT":
        return member or coordinates(facts, person)
    if mark.recipients:
        return on_list(facts, person, mark.recipients)
    return member


def sees(facts: Facts, person: int | None, parents: tuple[Mark, ...]) -> bool:
    """Whether `person` may see what was derived from all of these: only who may see each of them."""
    if person is not None and person in facts.barred:
        return False  # not even as the public: the credential is dead
    return all(sees_mark(facts, person, mark) for mark in parents)
