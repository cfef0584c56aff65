"""A document of several assets: what is kept with one of them says nothing of the others."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import msgspec
import zstandard

from clearway.exposure.fleet import inventory, observe, witness
from clearway.formats.observed import read_fleet
from clearway.records.fleet_input import Observed
from fleet_world import DAY, Fleet

HEAD = "vendor,product,version,host,exposure\n"
OURS = "JetBrains,TeamCity,2023.11.3,ci-9,internal\n"
SECRET = "Fortinet,FortiOS,7.2.5,fw-9,public\n"


def add(fleet: Fleet, text: str, filename: str = "list.csv") -> dict[str, observe.Seen]:
    read = read_fleet(text.encode(), filename)
    seen = observe.observe(
        fleet.people.pool, fleet.operator.key, fleet.table, fleet.org, read.observed, text.encode(), DAY,
        place=filename, file=witness.file_of(filename), whole=not read.set_aside,
    )  # fmt: skip
    return {s.name: s for s in seen}


def kept(fleet: Fleet, seen: observe.Seen) -> tuple[dict[str, Any], inventory.InventoryLine]:
    with fleet.acting() as db:
        number = seen.taken.inventory
        return json.loads(inventory.raw(db, number)), inventory.one(db, number)


def hashes(text: str, observed: dict[str, Any]) -> set[str]:
    """What somebody can count who guesses the whole document and knows one asset's part."""
    plain = sha256(text.encode()).hexdigest()
    part = msgspec.json.encode({"document": plain, "observed": observed})
    return {plain, sha256(part).hexdigest()}


def test_what_a_document_says_of_others_cannot_be_tried_out_against_the_part_of_one(mine: Fleet) -> None:
    text = HEAD + OURS + SECRET
    seen = add(mine, text)
    marks = set()
    for name in ("ci-9", "fw-9"):
        part, line = kept(mine, seen[name])
        assert part["observed"]["name"] == name
        assert not hashes(text, part["observed"]) & {part["document"], line.sha256}
        marks.add(part["document"])
    assert len(marks) == 2  # nor which assets stand in one document


def test_another_organisation_has_other_marks_for_the_same_document(mine: Fleet) -> None:
    text = HEAD + OURS + SECRET
    other = mine.another()
    both = [kept(fleet, add(fleet, text)["ci-9"])[0] for fleet in (mine, other)]
    assert both[0]["observed"] == both[1]["observed"]
    assert both[0]["document"] != both[1]["document"]


def test_the_same_document_again_changes_nothing_and_another_with_the_same_row_is_taken(mine: Fleet) -> None:
    text = HEAD + OURS + SECRET
    first = add(mine, text)
    again = add(mine, text)
    assert {n: s.taken.inventory for n, s in again.items()} == {
        n: s.taken.inventory for n, s in first.items()
    }
    assert all(s.taken.unchanged for s in again.values())
    other = add(mine, text.replace("7.2.5", "7.2.6"))
    assert not any(s.taken.unchanged for s in other.values())


def test_a_part_that_was_kept_with_the_plain_hash_of_its_document_is_known_again(mine: Fleet) -> None:
    text = HEAD + OURS + SECRET
    first = add(mine, text)
    plain = sha256(text.encode()).hexdigest()
    read = {o.name: o for o in read_fleet(text.encode(), "list.csv").observed}
    for name, seen in first.items():
        raw = formerly(read[name], plain)
        with mine.owner() as owner:
            owner.execute(
                "update clearway.inventory set raw = %s, sha256 = %s where inventory = %s",
                (zstandard.compress(raw), sha256(raw).digest(), seen.taken.inventory),
            )
    again = add(mine, text)
    assert {n: (s.taken.unchanged, s.taken.inventory) for n, s in again.items()} == {
        n: (True, s.taken.inventory) for n, s in first.items()
    }


def formerly(observed: Observed, plain: str) -> bytes:
    return msgspec.json.encode({"document": plain, "observed": msgspec.to_builtins(observed)})


def test_an_asset_has_the_problems_of_its_own_rows_alone(mine: Fleet) -> None:
    seen = add(
        mine,
        HEAD + OURS + "Fortinet,FortiOS,7.2.5,fw-9,weird cell\n" + "Acme,Thing,7.x,ci-9,weirder\n"
        "Fortinet,FortiOS,7.4.*,fw-9,public\n",
    )
    problems = {name: kept(mine, one)[1].problems for name, one in seen.items()}
    assert problems == {
        "ci-9": (
            "line 4: exposure 'weirder' is neither public nor internal",
            "line 4: '7.x' is a wildcard, not a version",
        ),
        "fw-9": (
            "line 3: exposure 'weird cell' is neither public nor internal",
            "line 5: '7.4.*' is a wildcard, not a version",
        ),
    }
