"""What may take a catalogue's place: one file that is short, foreign or old loosens nothing, and says so."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from clearway.advisories.feeds.feed import Pulled
from clearway.app import doctor
from database import running_home as home  # noqa: F401
from feed_world import NOW, Feeds
from intake_world import World, kev, osv, run_here, write

CVES = [f"CVE-2024-{n}" for n in range(1000, 1100)]
LATER = NOW + timedelta(days=1)


def listed(world: World) -> set[str]:
    rows = world.sql("select id from clearway.record where current and source = 'cisa-kev'")
    return {row[0] for row in rows}


def full(world: World, folder: Path, version: str = "2026.11.20") -> Path:
    """A whole catalogue, taken in."""
    path = write(folder / f"full-{version}.json", kev(version, *CVES))
    world.take(path)
    return path


def test_a_catalogue_of_one_entry_takes_nobodys_place_until_somebody_says_so(
    world: World, tmp_path: Path
) -> None:
    full(world, tmp_path)
    small = write(tmp_path / "small.json", kev("2026.11.25", "CVE-2026-40404"))
    counts = world.take(small)
    assert (counts.new, counts.changed, counts.set_aside) == (0, 0, 1)
    assert counts.rejects == [
        (
            str(small),
            "lists 1 entry where 100 stand, and would take 100 off (CVE-2024-1000, CVE-2024-1001, CVE-2024-1002, …)"
            " (if that is right: clearway ingest FILE --accept-smaller)",
        )
    ]
    assert listed(world) == set(CVES)
    assert world.meta().kev == "2026.11.20"
    assert world.sql("select count(*) from clearway.set_aside") == [(1,)]
    counts = world.take(small, accept_smaller=True)
    assert (counts.new, counts.set_aside, counts.left) == (1, 0, {"cisa-kev": sorted(CVES)})
    assert world.sql("select count(*) from clearway.set_aside") == [(0,)]
    assert listed(world) == {"CVE-2026-40404"}


def test_a_catalogue_of_as_many_entries_that_are_others_is_as_foreign(world: World, tmp_path: Path) -> None:
    full(world, tmp_path)
    foreign = kev("2026.11.25", *(cve.replace("2024", "2019") for cve in CVES))
    assert world.take(write(tmp_path / "foreign.json", foreign)).set_aside == 1
    repeated = kev("2026.11.25", *CVES[:1] * 100)
    assert world.take(write(tmp_path / "repeated.json", repeated)).set_aside == 1
    assert listed(world) == set(CVES)


@pytest.mark.parametrize("change", [{"added": "2026-11-24"}, {"dueDate": "2030-01-01"}, {"dueDate": ""}])
def test_a_catalogue_that_postpones_what_it_lists_is_asked_about(
    world: World, tmp_path: Path, change: dict[str, Any]
) -> None:
    full(world, tmp_path)
    counts = world.take(write(tmp_path / "late.json", kev("2026.11.25", *CVES, **change)))
    assert "dates 100 later than before (CVE-2024-1000," in counts.rejects[0][1]


@pytest.mark.parametrize("change", [{"added": "2024-01-02"}, {"dueDate": "2026-01-06"}])
def test_a_catalogue_that_dates_much_too_early_is_asked_about(
    world: World, tmp_path: Path, change: dict[str, Any]
) -> None:
    full(world, tmp_path)
    early = write(tmp_path / "early.json", kev("2026.11.23", *CVES, **change))
    counts = world.take(early)
    assert (counts.changed, counts.set_aside) == (0, 1)
    assert "dates 100 earlier than before (CVE-2024-1000," in counts.rejects[0][1]
    assert world.take(write(tmp_path / "true.json", kev("2026.11.24", *CVES))).set_aside == 0
    early = write(tmp_path / "early.json", kev("2026.11.25", *CVES, **change))
    counts = world.take(early, accept_smaller=True)
    assert (counts.changed, counts.earlier, counts.later) == (100, {"cisa-kev": CVES}, {})
    assert world.sql("select act from clearway.log_entry where starts_with(act, 'record.')") == [
        ("record.accepted",)
    ]


def test_many_files_of_one_intake_take_no_more_together_than_one_may(world: World, tmp_path: Path) -> None:
    full(world, tmp_path)
    for day in range(21, 25):  # each takes one off, and all of them four of a hundred
        write(tmp_path / "drip" / f"{day}.json", kev(f"2026.11.{day}", *CVES[day - 20 :]))
    counts = world.take(tmp_path / "drip")
    assert counts.left == {"cisa-kev": CVES[:2]}
    assert [reason.partition(" (")[0] for _, reason in counts.rejects] == [
        f"lists {listed} entries where 100 stood when this intake began, and would take {off} off"
        for listed, off in ((97, 3), (96, 4))
    ]
    assert listed(world) == set(CVES[2:])


def test_a_short_file_after_a_whole_one_of_the_same_intake_is_asked_about_in_a_new_home(
    world: World, tmp_path: Path
) -> None:
    write(tmp_path / "both" / "1.json", kev("2026.11.20", *CVES))
    write(tmp_path / "both" / "2.json", kev("2026.11.21", *CVES[:5]))
    assert world.take(tmp_path / "both").set_aside == 1
    assert listed(world) == set(CVES)


def test_many_tables_of_scores_lose_no_more_together_than_one_may(world: World, tmp_path: Path) -> None:
    world.take(scores(tmp_path / "full.csv", "2026-11-20", *CVES))
    (tmp_path / "drip").mkdir()
    for day, number in ((21, 95), (22, 91), (23, 87)):
        scores(tmp_path / "drip" / f"{day}.csv", f"2026-11-{day}", *CVES[:number])
    counts = world.take(tmp_path / "drip")
    assert [reason.partition(" (")[0] for _, reason in counts.rejects] == [
        "lists 87 entries, and listed 100 before"
    ]
    assert world.meta().epss == "2026-11-22"


def test_catalogues_that_take_off_a_little_each_day_take_no_more_in_a_year_than_one_may(
    world: World, tmp_path: Path
) -> None:
    full(world, tmp_path)

    def without(first: int) -> tuple[dict[str, list[str]], str]:
        """What a catalogue without the first ones took off, in an intake of its own; or why it was not taken."""
        path = write(tmp_path / f"{first}.json", kev(f"2026.11.{20 + first}", *CVES[first:]))
        counts = world.take(path, at=NOW + timedelta(days=first))
        return counts.left, counts.rejects[0][1] if counts.rejects else ""

    for number in (1, 2):  # each takes one off, which it may
        assert without(number) == ({"cisa-kev": [CVES[number - 1]]}, "")
    for number in (3, 4):
        left, reason = without(number)
        off = f"lists {100 - number} entries where 100 stood within the last year, and would take {number} off ("
        assert (left, reason.startswith(off)) == ({}, True), reason
    assert listed(world) == set(CVES[2:])
    # Taken all the same, it is what the next are held to.
    counts = world.take(tmp_path / "4.json", at=NOW + timedelta(days=4), accept_smaller=True)
    assert counts.left == {"cisa-kev": CVES[2:4]}
    for number in (5, 6):
        assert without(number) == ({"cisa-kev": [CVES[number - 1]]}, "")
    assert "where 96 stood within the last year, and would take 3 off" in without(7)[1]


def test_entries_that_make_up_for_those_taken_off_do_not_hide_them(world: World, tmp_path: Path) -> None:
    full(world, tmp_path)
    for day in range(1, 4):
        more = [f"CVE-2019-{n}" for n in range(1000, 1000 + 2 * day)]
        path = write(tmp_path / f"{day}.json", kev(f"2026.11.{20 + day}", *CVES[day:], *more))
        counts = world.take(path, at=NOW + timedelta(days=day))
    assert "would take 3 off" in counts.rejects[0][1]
    late = write(
        tmp_path / "late.json", kev("2027.11.30", *CVES[3:], *more)
    )  # and after a year nobody knows better
    assert world.take(late, at=NOW + timedelta(days=370)).set_aside == 0


def test_dates_that_move_for_a_few_each_day_move_for_no_more_in_a_year(world: World, tmp_path: Path) -> None:
    full(world, tmp_path)
    for day in range(1, 4):
        moved = kev(f"2026.11.{20 + day}", *CVES)
        for entry in moved["vulnerabilities"][:day]:
            entry["dueDate"] = "2030-01-01"
        counts = world.take(write(tmp_path / f"{day}.json", moved), at=NOW + timedelta(days=day))
    assert "dates 3 later than before" in counts.rejects[0][1]


def test_tables_that_lose_a_few_scores_each_day_lose_no_more_in_a_year(world: World, tmp_path: Path) -> None:
    world.take(scores(tmp_path / "full.csv", "2026-11-20", *CVES))
    for day, number in ((21, 95), (22, 91), (23, 87)):
        table = scores(tmp_path / f"{day}.csv", f"2026-11-{day}", *CVES[:number])
        counts = world.take(table, at=NOW + timedelta(days=day))
    assert counts.rejects[0][1].startswith("lists 87 entries, and listed 100 within the last year")
    assert world.meta().epss == "2026-11-22"
    assert world.take(table, at=NOW + timedelta(days=24), accept_smaller=True).changed == 87


def test_an_entry_that_was_added_before_the_catalogue_began_is_set_aside_alone(
    world: World, tmp_path: Path
) -> None:
    document = kev("2026.11.20", *CVES)
    document["vulnerabilities"][7] |= {"cveID": "CVE-2010-0001", "dateAdded": "2021-11-02"}
    document["vulnerabilities"][8] |= {"dateAdded": "2023-12-31"}
    counts = world.take(write(tmp_path / "kev.json", document))
    assert (counts.new, counts.set_aside) == (98, 2)
    assert [reason for _, reason in counts.rejects] == [
        "`dateAdded` is 2021-11-02, and the catalogue began on 2021-11-03",
        f"`dateAdded` is 2023-12-31, before the year of {CVES[8]}",
    ]


def test_what_its_publisher_takes_off_one_by_one_leaves_and_is_told(world: World, tmp_path: Path) -> None:
    full(world, tmp_path)
    counts = world.take(write(tmp_path / "next.json", kev("2026.11.21", *CVES[2:])))
    assert (counts.set_aside, counts.left) == (0, {"cisa-kev": CVES[:2]})
    assert listed(world) == set(CVES[2:])
    assert world.table().flaw(CVES[0]) is None


def test_other_dates_of_few_are_taken_and_told(world: World, tmp_path: Path) -> None:
    full(world, tmp_path)
    document = kev("2026.11.21", *CVES)
    document["vulnerabilities"][3]["dateAdded"] = "2026-11-21"
    document["vulnerabilities"][4]["dueDate"] = "2026-12-24"
    document["vulnerabilities"][5]["dueDate"] = "2026-01-25"
    counts = world.take(write(tmp_path / "next.json", document))
    assert (counts.set_aside, counts.changed, counts.left) == (1, 0, {})  # three of a hundred
    document["vulnerabilities"][4]["dueDate"] = "2026-01-26"
    counts = world.take(write(tmp_path / "next.json", document))
    assert (counts.changed, counts.left) == (2, {})
    assert (counts.later, counts.earlier) == ({"cisa-kev": [CVES[3]]}, {"cisa-kev": [CVES[5]]})


def test_an_older_catalogue_says_that_it_is_not_taken_each_time(world: World, tmp_path: Path) -> None:
    old = write(tmp_path / "old.json", kev("2026.11.19", *CVES[1:]))
    path = full(world, tmp_path)
    said = f"{old}: older than what is in force: not taken (its version 2026.11.19, in force 2026.11.20)"
    for _ in range(2):
        counts = world.take(old)
        assert (counts.unchanged, counts.older, counts.notes) == (99, 99, [said])
    other = write(tmp_path / "other.json", kev("2026.11.20", *CVES[:99]))
    assert world.take(other).notes == [
        f"{other}: no newer than what is in force: not taken (its version 2026.11.20, in force 2026.11.20)"
    ]
    counts = world.take(path)  # what is in force is as it was
    assert (counts.unchanged, counts.older, counts.notes) == (100, 0, [])
    assert listed(world) == set(CVES)


def test_an_older_record_counts_as_older(world: World, tmp_path: Path) -> None:
    new = write(tmp_path / "new.json", osv("PYSEC-1", modified="2026-02-01T00:00:00Z"))
    old = write(tmp_path / "old.json", osv("PYSEC-1", modified="2026-01-01T00:00:00Z"))
    assert world.take(new).older == 0
    for _ in range(2):
        counts = world.take(old)
        assert (counts.unchanged, counts.older) == (1, 1)
    assert world.take(new).older == 0


def test_a_catalogue_whose_version_is_no_day_would_be_newer_for_ever(world: World, tmp_path: Path) -> None:
    for version in ("zzzz", "9", "2026.13.45", "２０２６.11.25"):
        document = kev("2026.11.25", *CVES) | {"catalogVersion": version}
        counts = world.take(write(tmp_path / f"{len(version)}.json", document))
        assert counts.set_aside == 1, version
    unnamed = kev("2026.11.24", *CVES) | {"catalogVersion": None}
    assert world.take(write(tmp_path / "unnamed.json", unnamed)).new == 100
    assert world.meta().kev == "2026.11.24"  # of the day of its release
    late = kev("2026.11.25", *CVES) | {"dateReleased": "2027-01-01T00:00:00Z"}
    assert "2027-01-01 lies in the future" in world.take(write(tmp_path / "l.json", late)).rejects[0][1]
    full(world, tmp_path, "2026.11.25")
    assert world.meta().kev == "2026.11.25"


def test_a_catalogue_without_any_date_is_older_than_every_other(world: World, tmp_path: Path) -> None:
    undated = {"catalogVersion": None, "dateReleased": None}
    world.take(write(tmp_path / "first.json", kev("2026.11.20", *CVES) | undated), forced="kev")
    counts = world.take(
        write(tmp_path / "second.json", kev("2026.11.20", "CVE-2026-40404") | undated), forced="kev"
    )
    assert (counts.older, counts.notes[0].partition(": ")[2]) == (
        1,
        "no newer than what is in force: not taken (its version is none, in force none)",
    )
    assert listed(world) == set(CVES)
    full(world, tmp_path)
    assert world.meta().kev == "2026.11.20"


def test_of_a_flaw_that_is_listed_twice_the_earlier_date_counts(world: World, tmp_path: Path) -> None:
    document = kev("2026.11.20", "CVE-2024-0001")
    (entry,) = document["vulnerabilities"]
    document["vulnerabilities"] = [
        entry,
        entry | {"dateAdded": "2026-11-19"},
        entry | {"dateAdded": "2025-01-01"},
    ]
    counts = world.take(write(tmp_path / "twice.json", document))
    assert (counts.new, counts.set_aside) == (1, 2)
    assert "listed twice" in counts.rejects[0][1]
    flaw = world.table().flaw("CVE-2024-0001")
    assert flaw is not None
    assert flaw.kev is not None
    assert flaw.kev.date_added.isoformat() == "2025-01-01"


def scores(path: Path, day: str, *cves: str) -> Path:
    lines = "".join(f"{cve},0.5,0.5\n" for cve in cves)
    path.write_text(f"#model_version:v1,score_date:{day}T00:00:00Z\ncve,epss,percentile\n{lines}")
    return path


def test_a_table_of_few_scores_is_not_passed_off_as_todays(world: World, tmp_path: Path) -> None:
    world.take(scores(tmp_path / "full.csv", "2026-11-20", *CVES))
    few = scores(tmp_path / "few.csv", "2026-11-25", *CVES[:50])
    assert world.take(few).rejects[0][1].startswith("lists 50 entries, and listed 100 before")
    assert world.meta().epss == "2026-11-20"
    most = scores(tmp_path / "most.csv", "2026-11-24", *CVES[:95])
    assert world.take(most).changed == 95
    assert world.take(few, accept_smaller=True).changed == 50
    assert world.meta().epss == "2026-11-25"
    counts = world.take(scores(tmp_path / "old.csv", "2026-11-19", *CVES[:3]))
    assert "older than what is in force: not taken" in counts.notes[0]
    assert counts.older == 3


def test_doctor_tells_a_catalogue_that_has_shrunk_until_it_is_whole_again(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def said() -> tuple[bool, str]:
        (check,) = [c for c in doctor._table(world.home) if c.name == "kev"]
        return check.ok, check.found.partition(", OLD")[0]

    full(world, tmp_path)
    assert "SHRUNK" not in said()[1]
    world.take(write(tmp_path / "small.json", kev("2026.11.24", *CVES[:10])), accept_smaller=True)
    for rebuild in (False, True):
        world.take(rebuild=rebuild)
        ok, found = said()
        assert not ok
        assert "SHRUNK: 10 entries, and 100 before" in found
    full(world, tmp_path, "2026.11.25")
    assert "SHRUNK" not in said()[1]


def test_an_older_catalogue_that_was_never_in_force_shrinks_nothing(world: World, tmp_path: Path) -> None:
    full(world, tmp_path)
    more = [f"CVE-2019-{n}" for n in range(1000, 2000)]
    world.take(write(tmp_path / "old.json", kev("2020.01.01", *more)), at=LATER)
    full(world, tmp_path, "2026.11.24")
    assert (world.meta().kev_entries, world.meta().kev_most) == (100, 100)


def test_the_command_says_what_left_and_what_was_older(home: Path, tmp_path: Path) -> None:  # noqa: F811
    def ingest(*words: str | Path) -> tuple[int, str, str]:
        done = run_here("--home", home, "--quiet", "ingest", *words)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    old = write(tmp_path / "old.json", kev("2026.01.05", *CVES))
    small = write(tmp_path / "small.json", kev("2026.01.06", *CVES[:50]))
    assert ingest(old)[0] == 0
    code, _, err = ingest(small)
    assert code == 10
    assert "would take 50 off" in err
    assert "--accept-smaller" in err
    code, out, _ = ingest(small, "--accept-smaller")
    assert code == 0
    assert "no longer listed by cisa-kev: 50: CVE-2024-1050, " in out
    assert "and 30 more; --json lists them" in out
    code, out, err = ingest(old)
    assert code == 0
    assert "100 unchanged (100 older than what is in force: not taken)" in out
    assert "in force 2026.01.06" in err
    summary = json.loads(ingest(old, "--json")[1])
    assert (summary["unchanged"], summary["older"], summary["left"]) == (100, 100, {})


# By a feed


def test_a_feed_that_shrinks_slowly_is_asked_about_and_then_followed(feeds: Feeds, tmp_path: Path) -> None:
    path = tmp_path / "kev.json"
    write(path, kev("2026.11.20", *CVES))
    feeds.add("kev", "kev", str(path))
    feeds.good("kev")
    for day in range(1, 4):
        write(path, kev(f"2026.11.{20 + day}", *CVES[day:]))
        pulled = feeds.pull("kev", NOW + timedelta(days=day))
    assert "stood within the last year" in refused(pulled).error
    assert "clearway feeds pull NAME --accept-smaller" in pulled.error
    feeds.good("kev", NOW + timedelta(days=4), accept_smaller=True)
    write(path, kev("2026.11.24", *CVES[4:]))
    assert feeds.pull("kev", NOW + timedelta(days=5)).result == "taken"


@pytest.mark.parametrize("layout", ["kev", "file"])
def test_a_feed_has_the_same_guard_whatever_its_layout(feeds: Feeds, tmp_path: Path, layout: str) -> None:
    path = write(tmp_path / "kev.json", kev("2026.11.20", *CVES))
    feeds.add("kev", layout, str(path))
    feeds.good("kev")
    write(path, kev("2026.11.24", *(cve.replace("2024", "2019") for cve in CVES)))
    pulled = refused(feeds.pull("kev", LATER))
    assert "would take 100 off" in pulled.error
    assert "clearway feeds pull NAME --accept-smaller" in pulled.error
    assert listed(feeds.world) == set(CVES)
    pulled = feeds.good("kev", LATER, accept_smaller=True)
    assert any("no longer listed by cisa-kev: 100 (CVE-2024-1000" in note for note in pulled.notes)


def refused(pulled: Pulled) -> Pulled:
    assert pulled.result == "refused"
    return pulled


def test_a_moment_to_come_counts_as_none(world: World, tmp_path: Path) -> None:
    """A record that bears one would stand before every true version until then."""
    hostile = osv("PYSEC-1", modified="2099-01-01T00:00:00Z", withdrawn="2026-01-01T00:00:00Z")
    counts = world.take(write(tmp_path / "hostile.json", hostile))
    assert (counts.new, counts.set_aside) == (0, 1)
    assert counts.rejects[0][1] == ("its own time, 2099-01-01, lies in the future: today is 2026-11-25 (UTC)")
    near = osv("PYSEC-2", modified="2026-11-26T23:00:00Z")  # clocks and zones differ
    assert world.take(write(tmp_path / "near.json", near)).new == 1
    assert world.take(write(tmp_path / "true.json", osv("PYSEC-1"))).new == 1
    at = datetime(2099, 1, 2, tzinfo=UTC)
    assert world.take(tmp_path / "hostile.json", at=at).changed == 1
