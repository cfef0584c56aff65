"""What one file can silence: few records of a source leave as they say, many are asked about, and each is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from clearway.advisories.view import view
from feed_world import Feeds
from intake_world import World, osv, package, write

MANY = [f"PYSEC-2024-{n}" for n in range(500)]  # of which 25 are a twentieth
NEXT = "2026-02-01T00:00:00Z"
GONE: dict[str, Any] = {"modified": NEXT, "withdrawn": NEXT}


def loaded(world: World, folder: Path) -> None:
    world.take(write(folder / "all.jsonl", *map(osv, MANY)))


def silent(world: World) -> int:
    """How many records of the source say nothing any more."""
    ((speaking,),) = world.sql("select count(distinct rec) from clearway.claim")
    return len(MANY) - int(speaking)


def test_few_records_fall_silent_as_they_say_and_are_told(world: World, tmp_path: Path) -> None:
    loaded(world, tmp_path)
    counts = world.take(write(tmp_path / "next.jsonl", *(osv(i, **GONE) for i in MANY[:25])))
    assert (counts.changed, counts.set_aside, counts.silent) == (25, 0, {"pypa": MANY[:25]})
    assert silent(world) == 25
    assert not world.table().claims("PyPI", MANY[0].lower())
    assert world.table().claims("PyPI", MANY[25].lower())


def test_of_many_none_falls_silent_until_somebody_says_so(world: World, tmp_path: Path) -> None:
    loaded(world, tmp_path)
    other = osv("PYSEC-2026-1")
    path = write(tmp_path / "next.jsonl", *(osv(i, **GONE) for i in MANY[:26]), other)
    counts = world.take(path)
    assert (counts.new, counts.changed, counts.set_aside) == (1, 0, 26)
    assert {reason for _, reason in counts.rejects} == {
        "26 of the 501 records of pypa would be withdrawn, or speak of nothing of which they spoke before "
        "(if that is right: clearway ingest FILE --accept-smaller)"
    }
    assert counts.read == 27
    assert silent(world) == -1  # the other one speaks
    assert world.sql("select count(*) from clearway.set_aside") == [(26,)]
    counts = world.take(path, accept_smaller=True)
    assert world.sql("select count(*) from clearway.set_aside") == [(0,)]
    assert (counts.changed, counts.unchanged, counts.silent) == (26, 1, {"pypa": MANY[:26]})
    assert silent(world) == 25


@pytest.mark.parametrize("affected", [[], [package("PyPI", "another", "1")]])
def test_what_speaks_of_something_else_alone_is_silent_too(
    world: World, tmp_path: Path, affected: list[dict[str, Any]]
) -> None:
    loaded(world, tmp_path)
    empty = [osv(i, modified=NEXT) | {"affected": affected} for i in MANY[:100]]
    assert world.take(write(tmp_path / "empty.jsonl", *empty)).set_aside == 100
    mended = [osv(i, package("PyPI", i.lower(), "0.9"), modified=NEXT) for i in MANY]
    assert world.take(write(tmp_path / "mended.jsonl", *mended)).changed == 500


def test_over_several_batches_what_is_asked_about_is_all_of_an_intake(world: World, tmp_path: Path) -> None:
    loaded(world, tmp_path)
    for n, identifier in enumerate(MANY[:200]):
        write(tmp_path / "next" / f"{n}.json", osv(identifier, **GONE, details="x" * 200_000))
    assert world.take(tmp_path / "next").set_aside == 200
    assert silent(world) == 0


def test_a_record_that_speaks_again_in_the_same_intake_is_not_silent(world: World, tmp_path: Path) -> None:
    loaded(world, tmp_path)
    back = osv(MANY[0], modified="2026-03-01T00:00:00Z")
    counts = world.take(write(tmp_path / "both.jsonl", osv(MANY[0], **GONE), back))
    assert (counts.changed, counts.older, counts.silent) == (1, 1, {})
    assert silent(world) == 0


def test_a_feed_that_withdraws_much_is_refused(made: World, feeds: Feeds, tmp_path: Path) -> None:
    path = write(tmp_path / "all.jsonl", *map(osv, MANY))
    feeds.add("mine", "file", str(path))
    feeds.good("mine")
    write(path, *(osv(i, **GONE) for i in MANY))
    pulled = feeds.pull("mine")
    assert pulled.result == "refused"
    assert "500 of the 500 records of pypa would be withdrawn" in pulled.error
    assert silent(made) == 0
    assert feeds.good("mine", accept_smaller=True).counts["changed"] == 500
    assert silent(made) == 500


VERSION = {"version": "1", "status": "affected"}
CISA_ADP = "134c704f-9b21-4f2e-91b3-4a467353bcc0"
ANOTHER = "00000000-0000-4000-8000-000000000002"


def cve(cna: str, who: str, automatable: str, at: str, **more: Any) -> dict[str, Any]:
    options = [{"Exploitation": "none"}, {"Automatable": automatable}, {"Technical Impact": "total"}]
    decided = {"other": {"type": "ssvc", "content": {"timestamp": at, "options": options}}}
    listed = {"other": {"type": "kev", "content": {"dateAdded": more.get("listed", "2026-03-01")}}}
    return {
        "dataType": "CVE_RECORD", "dataVersion": "5.1",
        "cveMetadata": {"cveId": "CVE-2026-0001", "state": "PUBLISHED", "assignerShortName": cna,
                        "dateUpdated": "2026-04-01T00:00:00Z"},
        "containers": {
            "cna": {"providerMetadata": {"shortName": cna},
                    "affected": [{"vendor": "a", "product": "b", "versions": [VERSION]}]},
            "adp": [{"providerMetadata": {"orgId": more.get("org", CISA_ADP), "shortName": who},
                     "metrics": [decided, listed]}],
        },
    }  # fmt: skip


@pytest.mark.parametrize("listed", ["2026-11-20", "2026-01-02"], ids=["listed later", "listed earlier"])
@pytest.mark.parametrize("who", ["other-adp", "CISA-ADP"])
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_nobody_but_cisa_decides_what_a_due_date_rests_on(
    world: World, tmp_path: Path, order: tuple[int, int], who: str, listed: str
) -> None:
    files = [
        write(tmp_path / "true.json", cve("acme", "CISA-ADP", "yes", "2026-03-01T00:00:00Z")),
        write(
            tmp_path / "other.json",
            cve("other", who, "no", "2026-11-20T00:00:00Z", listed=listed, org=ANOTHER),
        ),
    ]
    for at in order:
        assert world.take(files[at]).new == 1
    flaw = world.table().flaw("CVE-2026-0001")
    assert flaw is not None
    assert flaw.ssvc is not None
    assert flaw.kev is not None
    assert (flaw.ssvc.source, flaw.ssvc.automatable) == ("cve:cisa-adp", "yes")
    assert flaw.kev.date_added.isoformat() == "2026-03-01"
    assert world.meta().kev == ""  # what a record says of a catalogue loads none


def test_what_is_not_cisas_is_told_with_the_record(world: World, tmp_path: Path) -> None:
    record = cve("acme", "CISA-ADP", "no", "2026-11-20T00:00:00Z", org=ANOTHER)
    assert world.take(write(tmp_path / "forged.json", record)).new == 1
    (source,) = view(world.table(), "CVE-2026-0001")["sources"]
    (note,) = source["notes"]
    assert f"it is shown as cve:{ANOTHER}" in note
    found = view(world.table(), "CVE-2026-0001")
    assert (found["ssvc"], found["kev"]) == (None, None)


@pytest.mark.parametrize("who", ["other-adp", "CISA-ADP"])
def test_a_decision_that_is_not_cisas_loads_none(world: World, tmp_path: Path, who: str) -> None:
    world.take(write(tmp_path / "other.json", cve("other", who, "no", "2026-11-20T00:00:00Z", org=ANOTHER)))
    assert not world.meta().ssvc
    flaw = world.table().flaw("CVE-2026-0001")
    assert flaw is not None
    assert flaw.ssvc is None
