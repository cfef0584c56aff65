"""VEX that comes with an inventory acts on the kept fleet as it acts on `clearway match`, and says whose word it is."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import zstandard

from clearway.advisories.table import VexClaim
from clearway.exposure.fleet import due, follow, inventory, page_decide, prepare, rule, stated, status, take
from clearway.exposure.match import Matcher
from clearway.exposure.vex import rule as vex_rule
from clearway.formats.inventory import read_inventory
from clearway.records.errors import TooLargeError
from fleet_world import DAY, Fleet, osv, package

DJANGO, FLASK = "pkg:pypi/django@4.1", "pkg:pypi/flask@2.0"
ONE, TWO = "CVE-2026-0001", "CVE-2026-0002"
PRODUCT = "pkg:generic/acme/portal@3"
NOT = {"state": "not_affected", "justification": "code_not_reachable", "detail": "never called"}
_numbers = iter(range(10**6))


def sbom(*purls: str, vex: dict[str, dict[str, Any]] | None = None, root: str = "", **more: Any) -> bytes:
    """A CycloneDX document; `vex` maps "flaw purl" to an analysis."""
    vulnerabilities = [
        {"id": key.split()[0], "analysis": analysis, "affects": [{"ref": key.split()[1]}]}
        for key, analysis in (vex or {}).items()
    ]
    components = [{"type": "library", "name": p, "version": "1", "purl": p, "bom-ref": p} for p in purls]
    metadata: dict[str, Any] = {}
    if root:
        metadata = {"component": {"type": "application", "name": "portal", "purl": root, "bom-ref": root}}
    return json.dumps(
        {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": next(_numbers) + 1, "metadata": metadata,
         "components": components, "vulnerabilities": vulnerabilities, **more}
    ).encode()  # fmt: skip


def upload(
    fleet: Fleet, asset: int, data: bytes, *, witness: str = "syft", day: Any = DAY, **more: Any
) -> take.Taken:
    inventory = read_inventory(data, "sbom.json")
    with fleet.owner(day) as owner:
        prepared = prepare.one(owner, fleet.table, inventory, day)
    with fleet.acting() as db:
        return stated.take(db, fleet.table, asset, prepared, data, day=day, witness=witness, **more)


def statuses(fleet: Fleet) -> dict[str, str]:
    return {x.flaw: x.status for x in fleet.lines()}


def number(fleet: Fleet, flaw: str) -> int:
    (found,) = [x.exposure for x in fleet.lines() if x.flaw == flaw]
    return found


def matched(fleet: Fleet, data: bytes) -> dict[str, str]:
    """What `clearway match` says of the same document."""
    report = Matcher(fleet.table, as_of=DAY).match(
        read_inventory(data, "sbom.json"),
        detected=DAY,
        detected_by="given",
        rules=[vex_rule(fleet.table, (), DAY)],
    )
    return {f.flaw: f.verdict for f in report.findings}


@pytest.mark.parametrize(
    "data",
    [
        sbom(DJANGO, FLASK, vex={f"{ONE} {DJANGO}": NOT}),
        sbom(DJANGO, FLASK, vex={f"PYSEC-1 {DJANGO}": NOT}),
        sbom(DJANGO, FLASK, vex={f"{ONE} {FLASK}": NOT}),
        sbom(DJANGO, FLASK, vex={f"{ONE} {DJANGO}": {"state": "exploitable"}}),
        sbom(DJANGO, FLASK, vex={f"{ONE} {DJANGO}": {"state": "in_triage"}}),
        sbom(DJANGO, FLASK, vex={f"{ONE} {DJANGO}": {"state": "resolved"}, f"{TWO} {FLASK}": NOT}),
        sbom(DJANGO, vex={f"{ONE} pkg:pypi/django@4.0": NOT}),
        sbom(DJANGO, vex={f"{ONE} {DJANGO}": {**NOT, "lastUpdated": "2030-01-01T00:00:00Z"}}),
        sbom("pkg:pypi/django@4.1?distro=debian-12", vex={f"{ONE} pkg:pypi/django@4.1?distro=debian-12": NOT}),
        sbom(DJANGO, FLASK, root=PRODUCT, vex={f"{ONE} {PRODUCT}": NOT}),
    ],
    ids=["by id", "by alias", "another component", "affected", "in triage", "fixed and not affected",
         "another version", "not yet said", "with qualifiers", "about the product itself"],
)  # fmt: skip
def test_what_match_takes_back_is_not_affected_in_the_fleet_and_nothing_else(
    mine: Fleet, data: bytes
) -> None:
    upload(mine, mine.asset("web"), data)
    expected = {
        flaw: "not_affected" if v == "not_affected" else "open" for flaw, v in matched(mine, data).items()
    }
    assert statuses(mine) == expected


def test_the_document_is_who_said_so_on_the_page_and_in_the_log(mine: Fleet) -> None:
    taken = upload(mine, mine.asset("web"), sbom(DJANGO, vex={f"{ONE} {DJANGO}": NOT}))
    with mine.acting() as db:
        (said,) = status.said(db, number(mine, ONE))
    assert (said.status, said.justification, said.document, said.witness, said.person) == (
        "not_affected", "vulnerable_code_not_in_execute_path", taken.inventory, "syft", 0,
    )  # fmt: skip
    assert "never called" in said.detail
    entries = mine.world.sql(
        "select count(*) from clearway.log_entry where subject = %s and act = 'exposure.decided'",
        f"exposure/{number(mine, ONE)}",
    )
    assert entries == [(1,)]


def test_a_document_that_repeats_it_changes_nothing_and_one_that_does_not_takes_it_back(mine: Fleet) -> None:
    web = mine.asset("web")
    upload(mine, web, sbom(DJANGO, vex={f"{ONE} {DJANGO}": NOT}))
    with mine.acting() as db:
        (first,) = status.said(db, number(mine, ONE))
    upload(mine, web, sbom(DJANGO, vex={f"{ONE} {DJANGO}": NOT}))
    with mine.acting() as db:
        assert status.said(db, number(mine, ONE)) == (first,)
    upload(mine, web, sbom(DJANGO, FLASK))
    assert statuses(mine) == {ONE: "open", TWO: "open"}
    with mine.acting() as db:
        (ended,) = status.said(db, number(mine, ONE))
    assert ended.ended_why == "the newest inventory no longer says so"


def test_another_witness_that_is_silent_leaves_it_and_a_newer_word_of_its_own_counts(mine: Fleet) -> None:
    web = mine.asset("web")
    upload(mine, web, sbom(DJANGO, vex={f"{ONE} {DJANGO}": {**NOT, "lastUpdated": "2026-01-01T00:00:00Z"}}))
    upload(mine, web, sbom(DJANGO), witness="trivy")
    assert statuses(mine) == {ONE: "not_affected"}
    newer = {"state": "exploitable", "lastUpdated": "2026-02-01T00:00:00Z"}
    upload(mine, web, sbom(DJANGO, vex={f"{ONE} {DJANGO}": newer}), witness="trivy")
    assert statuses(mine) == {ONE: "open"}


def test_a_person_has_the_last_word_in_either_order(mine: Fleet) -> None:
    web = mine.asset("web")
    said = sbom(DJANGO, vex={f"{ONE} {DJANGO}": NOT})
    upload(mine, web, said)
    with mine.acting() as db:
        status.decide(db, [number(mine, ONE)], status.Decision(status="open", detail="we do call it"))
    assert statuses(mine) == {ONE: "open"}
    upload(mine, web, sbom(DJANGO, vex={f"{ONE} {DJANGO}": NOT}))
    assert statuses(mine) == {ONE: "open"}
    accepted = status.Decision(status="accepted", detail="until the move", until=DAY + timedelta(days=9))
    other = mine.asset("other")
    upload(mine, other, sbom(FLASK))
    with mine.acting() as db:
        status.decide(db, [number(mine, TWO)], accepted)
    upload(mine, other, sbom(FLASK, vex={f"{TWO} {FLASK}": NOT}))
    assert statuses(mine)[TWO] == "accepted"


def test_a_rule_that_has_decided_stays(mine: Fleet) -> None:
    web = mine.asset("web")
    with mine.acting() as db:
        rule.add(
            db, mine.org, "flask is behind a wall", rule.Match(name="flask"),
            status.Decision(status="mitigated", detail="wall"), expected=0,
        )  # fmt: skip
    upload(mine, web, sbom(FLASK, vex={f"{TWO} {FLASK}": NOT}))
    assert statuses(mine) == {TWO: "mitigated"}


def test_it_comes_back_with_the_component_and_ends_with_the_word(mine: Fleet) -> None:
    web = mine.asset("web")
    upload(mine, web, sbom(DJANGO, vex={f"{ONE} {DJANGO}": NOT}))
    upload(mine, web, sbom(FLASK, vex={f"{ONE} {DJANGO}": NOT}))
    assert ONE not in statuses(mine)
    upload(mine, web, sbom(DJANGO, vex={f"{ONE} {DJANGO}": NOT}))
    assert statuses(mine) == {ONE: "not_affected"}
    upload(mine, web, sbom(DJANGO))
    assert statuses(mine) == {ONE: "open"}


def test_statements_that_are_given_with_an_inventory_act_and_end_on_their_day(mine: Fleet) -> None:
    web = mine.asset("web")
    claim = VexClaim(
        (ONE,), "not_affected", DJANGO, (), "component_not_present", "vex.json", "acme", "2026-01-01", "2026-12-01"
    )  # fmt: skip
    data = sbom(DJANGO)
    upload(mine, web, data)
    assert upload(mine, web, data, given=[claim]).unchanged
    assert statuses(mine) == {ONE: "not_affected"}
    later = DAY + timedelta(days=30)
    with mine.owner(later) as db:
        follow.tick(db, later)
        while stated.pending(db, mine.table, later):
            pass
    assert statuses(mine) == {ONE: "open"}
    with mine.acting() as db:  # and what was shown before stays
        assert (
            status.STATUSES[due.replay(db, number(mine, ONE), datetime.now(UTC).date()).status]
            == "not_affected"
        )


def test_what_comes_of_an_inventory_says_how_many_its_vex_silences_and_by_which_document(mine: Fleet) -> None:
    web = mine.asset("web")
    data = sbom(DJANGO, FLASK, vex={f"{ONE} {DJANGO}": NOT})
    taken = upload(mine, web, data)
    own = take.Silenced(inventory=taken.inventory, source="inventory", document="sbom.json", exposures=1)
    assert (len(taken.appeared), taken.silenced) == (2, (own,))
    assert take.not_affected(taken.silenced, taken.inventory) == "1 not affected by VEX (this inventory)"
    assert upload(mine, web, data).silenced == (own,)  # the same bytes again
    claim = VexClaim(
        (TWO,), "not_affected", FLASK, (), "component_not_present", "VEX-7", "acme", "2026-01-01", ""
    )  # fmt: skip
    both = upload(mine, web, data, given=[claim])
    assert {(s.source, s.document, s.exposures) for s in both.silenced} == {
        ("inventory", "sbom.json", 1), ("acme", "VEX-7", 1),
    }  # fmt: skip
    assert take.not_affected(both.silenced, both.inventory) == (
        "2 not affected by VEX (1 by acme, VEX-7; 1 by this inventory)"
    )
    other = upload(mine, web, sbom(DJANGO), witness="trivy")  # by what stands of another witness
    words = f"(1 by acme, VEX-7; 1 by inventory {taken.inventory})"
    assert take.not_affected(other.silenced, other.inventory).endswith(words)
    with mine.acting() as db:
        assert inventory.difference(db, taken.inventory).silenced == 2
        assert inventory.difference(db, other.inventory).silenced == 0
        status.decide(
            db, [number(mine, ONE), number(mine, TWO)], status.Decision(status="mitigated", detail="x")
        )
    assert upload(mine, web, data).silenced == ()  # a person's word goes before it


def test_a_flaw_that_becomes_known_later_meets_the_statement_that_was_there_before(fleet: Fleet) -> None:
    fleet.ingest(osv("PYSEC-2", package("PyPI", "flask", "3.0"), aliases=[TWO]))
    fleet.follow(DAY)
    upload(fleet, fleet.asset("web"), sbom(DJANGO, vex={f"{ONE} {DJANGO}": NOT}))
    fleet.ingest(osv("PYSEC-1", package("PyPI", "django", "4.2"), aliases=[ONE]))
    fleet.follow(DAY)
    assert statuses(fleet) == {ONE: "open"}
    with fleet.owner(DAY) as db:
        assert stated.pending(db, fleet.table, DAY)
        assert not stated.pending(db, fleet.table, DAY)
    assert statuses(fleet) == {ONE: "not_affected"}


def test_nobody_states_anything_of_a_fleet_that_is_not_theirs(mine: Fleet) -> None:
    taken = upload(mine, mine.asset("web"), sbom(DJANGO))
    stranger = mine.another().operator
    for query, values in (
        ("select clearway.fleet_keep_vex(%s, '', true, 'x')", (taken.inventory,)),
        ("select clearway.fleet_vex(1, %s, %s, '{x}', '{x}')", ([number(mine, ONE)], [taken.inventory])),
    ):
        with pytest.raises(Exception, match="nothing of that name"), mine.acting(stranger) as db:
            db.execute(query, values)
    own = mine.another()
    theirs = upload(own, own.asset("web"), sbom(DJANGO))
    asset = own.world.sql("select asset from clearway.inventory where inventory = %s", theirs.inventory)[0][0]
    with own.acting() as db:  # another's exposure, and another's document
        for exposure, document in (
            (number(mine, ONE), theirs.inventory), (number(own, ONE), taken.inventory),
        ):  # fmt: skip
            made = db.execute(
                "select made from clearway.fleet_vex(%s, %s, %s, '{x}', '{x}')",
                (asset, [exposure], [document]),
            ).fetchone()
            assert made == ([],)


def test_more_statements_than_anybody_would_read_are_refused(
    mine: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stated, "MOST", 1)
    with pytest.raises(TooLargeError, match="2 VEX statements"):
        upload(mine, mine.asset("web"), sbom(DJANGO, vex={f"{ONE} {DJANGO}": NOT, f"{TWO} {FLASK}": NOT}))


@pytest.mark.parametrize(
    "body",
    [b"", b"no frame", zstandard.compress(b"\xc1"), zstandard.compress(b"\x93" * 5_000),
     bytes.fromhex("28b52ffde0ffffffffffffff7f")],
    ids=["nothing", "no frame", "no message", "deep", "a frame that claims exabytes"],
)  # fmt: skip
def test_a_body_that_is_none_says_nothing_and_stops_nobody(mine: Fleet, body: bytes) -> None:
    web, other = mine.asset("web"), mine.asset("other")
    taken = upload(mine, web, sbom(DJANGO))
    upload(mine, other, sbom(FLASK, vex={f"{TWO} {FLASK}": NOT}))
    with mine.acting() as db:
        db.execute("select clearway.fleet_keep_vex(%s, '', true, %s)", (taken.inventory, body))
    with mine.owner(DAY) as db:
        follow.tick(db, DAY)
        while stated.pending(db, mine.table, DAY):
            pass
    assert statuses(mine) == {ONE: "open", TWO: "not_affected"}


def test_taking_back_what_one_decided_over_a_document_gives_its_word_again(mine: Fleet) -> None:
    upload(mine, mine.asset("web"), sbom(DJANGO, FLASK, vex={
        f"{ONE} {DJANGO}": NOT, f"{TWO} {FLASK}": {"state": "not_affected", "justification": "requires_environment"},
    }))  # fmt: skip
    with mine.acting() as db:
        changed = status.decide(db, [x.exposure for x in mine.lines()], status.Decision(status="fixed"))
        batch = page_decide.batch_of(db, changed)
    with mine.acting() as db:
        assert page_decide.take_back(db, batch) == changed
    assert statuses(mine) == {ONE: "not_affected", TWO: "open"}
