"""A digest is marked as what it counts, and says no more of that than may stand in a mail."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import combinations
from typing import Any

import msgspec
import pytest

from clearway.access import audience
from clearway.access.marking import CLEAR, CLEAR_AUD, GREEN, GREEN_AUD, TLP, Marking, own
from clearway.directives.kept import triages
from clearway.records.principal import Principal
from digest_world import BASE, addressed, marked, run, settle
from fleet_world import Fleet
from mail_server import Letters

WAITS = "Something waits for you: sign in to see it"
MARKINGS = {
    "CLEAR": lambda org: CLEAR,
    "GREEN": lambda org: GREEN,
    "AMBER": lambda org: Marking(tlp="AMBER", org=org),
    "AMBER+STRICT": lambda org: Marking(tlp="AMBER+STRICT", org=org),
    "RED": own,
}


def bodies(letter: Any) -> tuple[str, str]:
    return tuple(str(letter.get_body((kind,)).get_content()) for kind in ("plain", "html"))  # type: ignore[return-value]


def digest_to(fleet: Fleet, letters: Letters, who: Any = None, rhythm: str = "daily") -> Any:
    run(fleet, "app.digest", {"person": addressed(fleet, who, rhythm), "period": "p"})
    return letters.kept[-1]


@pytest.mark.parametrize("tlp", ["CLEAR", "GREEN"])
def test_up_to_green_the_counts_are_told_and_the_mail_is_green(
    known: Fleet, smtp: Callable[..., int], letters: Letters, tlp: str
) -> None:
    settle(known.world.home, smtp())
    marked(known, MARKINGS[tlp](known.org))
    letter = digest_to(known, letters)
    assert letter["subject"] == "[TLP:GREEN] Clearway: 2 due within a week, 2 of them overdue"
    for body in bodies(letter):
        assert "TLP:GREEN" in body
        assert "2 due within 7 days, 2 of them overdue" in body
        assert "django" not in body


@pytest.mark.parametrize("tlp", ["AMBER", "AMBER+STRICT", "RED"])
def test_above_green_one_row_of_two_is_enough_for_a_mail_that_only_says_where_to_look(
    known: Fleet, smtp: Callable[..., int], letters: Letters, tlp: str
) -> None:
    settle(known.world.home, smtp())
    marked(known, GREEN)
    marked(known, MARKINGS[tlp](known.org), "secret-db")
    letter = digest_to(known, letters)
    assert letter["subject"] == f"[TLP:{tlp}] Clearway: something waits for you"
    for body in bodies(letter):
        assert f"TLP:{tlp}" in body
        assert WAITS in body
        assert f"{BASE}/" in body
        for said in ("due", "overdue", "?org=", "water", "Water", "secret", "django"):
            assert said not in body.replace("TLP:", "")


def test_with_details_it_tells_and_is_red(known: Fleet, smtp: Callable[..., int], letters: Letters) -> None:
    settle(known.world.home, smtp(), details=True)
    marked(known, GREEN)
    marked(known, MARKINGS["AMBER"](known.org), "secret-db")
    letter = digest_to(known, letters)
    assert letter["subject"] == "[TLP:RED] Clearway: 2 due within a week, 2 of them overdue"
    assert "secret-db" in bodies(letter)[0]
    read = "select actor, content::jsonb ->> 'route' from clearway.log_entry where act = 'content.read'"
    assert known.world.sql(read) == [(known.operator.person, "mail/digest")]


def test_an_open_triage_is_its_members_alone_and_so_is_a_mail_that_would_count_it(
    known: Fleet, smtp: Callable[..., int], letters: Letters
) -> None:
    settle(known.world.home, smtp())
    marked(known, GREEN)
    assert "2 due" in digest_to(known, letters)["subject"]
    with known.acting() as db:
        (who,) = db.execute("select clearway.whoami()::text").fetchone() or ("",)
        me = msgspec.json.decode(who, type=Principal)
        triages.open_triage(
            db, me, "water", directive="bod-26-04", asset="router-7", asset_name="router-7", flaw="CVE-2026-0001",
            component="firmware", kev_added=datetime(2026, 10, 30, tzinfo=UTC),
            now=datetime(2026, 11, 25, tzinfo=UTC),
        )  # fmt: skip
        assert triages.open_of(db, "water", now=datetime(2026, 11, 26, tzinfo=UTC)).number == 1
    letter = digest_to(known, letters)
    assert letter["subject"] == "[TLP:RED] Clearway: something waits for you"
    assert "triage" not in "".join(bodies(letter))


def test_a_weekly_mail_with_nothing_due_is_marked_as_the_fleet_that_it_looked_at(
    fleet: Fleet, smtp: Callable[..., int], letters: Letters
) -> None:
    settle(fleet.world.home, smtp())
    fleet.asset("quiet")
    letter = digest_to(fleet, letters, rhythm="weekly")
    assert letter["subject"] == "[TLP:RED] Clearway: your week"
    assert "quiet" not in letter.as_string()


def test_several_markings_together_are_the_meets_and_a_single_one_is_its_own(fleet: Fleet) -> None:
    other = fleet.another()
    with fleet.people.owner() as db:
        each = {
            CLEAR_AUD, GREEN_AUD,
            *(audience.of(db, make(org)) for make in MARKINGS.values() for org in (fleet.org, other.org)),
        }  # fmt: skip
        for aud in each:
            assert f"TLP:{audience.strictest(db, [aud])}" == audience.meaning(db, aud).label
        for auds in [*combinations(sorted(each), 2), *combinations(sorted(each), 3)]:
            together = audience.strictest(db, auds)
            strictest = max((audience.strictest(db, [aud]) for aud in auds), key=TLP.index)
            assert TLP.index(together) >= TLP.index(strictest)
            assert f"TLP:{together}" == audience.meaning(db, audience.meet(db, auds)).label


def test_who_is_not_of_a_marking_learns_nothing_of_it(fleet: Fleet) -> None:
    other = fleet.another()
    with fleet.people.owner() as db:
        theirs = audience.of(db, Marking(tlp="AMBER", org=other.org))
        mine = audience.of(db, Marking(tlp="AMBER", org=fleet.org))
    with fleet.acting() as db:
        assert audience.strictest(db, [mine]) == "AMBER"
        assert audience.strictest(db, [theirs]) == "RED"
        assert audience.strictest(db, [65_535]) == audience.strictest(db, [70_000]) == "RED"
        assert audience.strictest(db, []) == "CLEAR"
        assert audience.strictest(db, [mine], least="AMBER+STRICT") == "AMBER+STRICT"
