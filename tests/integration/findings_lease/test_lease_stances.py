"""A table: each activity under each word of an owner, as question, renewal, the word itself and `whose` have it.

A refusal is of what comes to the owner's: load and reading on hosts, any work on software. Who only looks on sends
nothing, so there is nothing to refuse; but one that names addresses says that packets come from them, and those come to
hosts. Leave is needed for load and reading on hosts alone.
"""

from __future__ import annotations

import pytest

from clearway.findings.lease import control, hold
from clearway.records.errors import ConflictError
from lease_house import NET, House

HOST, PACKAGE, SOURCE = "192.0.2.7", "pkg:golang/code.example.org/x", "198.51.100.7"
# (activity, whether it names an address, scope): why somebody whom the owner does not authorise gets no lease for nine
# requests a second under own, refuse, a cap of five, and nobody's word; "" where there is one.
ROWS: list[tuple[str, bool, str, tuple[str, str, str, str]]] = [
    ("fuzzing", True, HOST, ("no-proof", "opt-out", "no-proof", "no-proof")),
    ("fuzzing", False, HOST, ("no-proof", "opt-out", "no-proof", "no-proof")),
    ("authenticated", True, HOST, ("no-proof", "opt-out", "no-proof", "no-proof")),
    ("port", True, HOST, ("no-proof", "opt-out", "no-proof", "no-proof")),
    ("source-review", False, HOST, ("no-proof", "opt-out", "no-proof", "no-proof")),
    ("passive", True, HOST, ("", "opt-out", "", "")),
    ("passive", False, HOST, ("", "", "", "")),
    ("source-review", False, PACKAGE, ("", "opt-out", "", "")),
    ("fuzzing", False, PACKAGE, ("", "opt-out", "", "")),
    ("passive", False, PACKAGE, ("", "", "", "")),
]
WORDS = ("own", "refuse", "cap", "nobody")
CASES = [
    pytest.param(activity, named, where, word, why,
                 id=f"{activity} {'from an address' if named else 'unnamed'} of {where[:3]} under {word}")
    for activity, named, where, whys in ROWS
    for word, why in zip(WORDS, whys, strict=True)
    if not (word == "cap" and where == PACKAGE)  # a rate is of hosts
]  # fmt: skip


def begins(house: House, where: str) -> control.Control:
    return house.prove(house.operator, NET if where == HOST else PACKAGE)


def says(house: House, owned: control.Control, word: str, *authorised: str) -> None:
    cap = 5.0 if word == "cap" else None
    with house.acting(house.operator) as db:
        if word == "nobody":
            control.end(db, owned.id)
        else:
            control.say(db, owned.id, word, max_rate=cap, authorised=authorised)  # type: ignore[arg-type]


@pytest.mark.parametrize(("activity", "named", "where", "word", "why"), CASES)
def test_question_renewal_and_what_is_held_agree(
    house: House, activity: str, named: bool, where: str, word: str, why: str
) -> None:
    facts = {"activity": activity, "rate": 9.0, "sources": (SOURCE,) if named else ()}
    owned = begins(house, where)
    says(house, owned, word)
    asked = house.ask(house.rival, where, **facts)
    assert (asked.answer, asked.why) == (("refused", why) if why else ("go", ""))
    if asked.lease is not None:
        house.release(house.rival, asked.lease)
    # What was granted under leave, when the word is said.
    if word == "nobody":
        owned = begins(house, where)
    says(house, owned, "own", "rival")
    lease = house.lease(house.rival, where, **facts)
    says(house, owned, word)
    with house.owner() as db:
        found = hold.one(db, lease.reference)
    assert (found.state, found.withdrawn) == (("withdrawn", why) if why else ("held", ""))
    if why:
        with pytest.raises(ConflictError):
            house.renew(house.rival, lease)
    else:
        house.renew(house.rival, lease)
    assert house.withdrawn() == 0, "nothing is left to the minute's job"
    if named:
        told = house.whose(house.operator, SOURCE, where)
        assert (told.answer, told.reference) == ("withdrawn" if why else "claimed", lease.reference)
    if word != "nobody":  # whom the owner authorises meets the cap alone
        says(house, owned, word, "rival")
        again = house.ask(house.rival, where, **facts)
        capped = word == "cap" and activity != "passive"
        assert again.answer in (("refused",) if capped else ("go", "share"))
        assert again.why == ("rate" if capped else "")
