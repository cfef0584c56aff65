"""The cure for a wrong file that was taken in: the right one takes its place again, though it is older."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from intake_world import World, compiled_anew, kev, osv, package, write

CVES = [f"CVE-2024-{n}" for n in range(1000, 1100)]
WRONG = "2026-11-20T00:00:00Z"


def told(world: World) -> set[str]:
    rows = world.sql("select id from clearway.record where current and source = 'cisa-kev'")
    return {row[0] for row in rows}


def test_an_older_record_takes_its_place_back_and_what_comes_next_is_judged_by_it(
    world: World, tmp_path: Path
) -> None:
    true = write(tmp_path / "true.json", osv("PYSEC-1", package("PyPI", "django", "4.2")))
    world.take(true)
    before = world.rows()
    wrong = osv("PYSEC-1", package("PyPI", "django", "0.1"), modified=WRONG, withdrawn=WRONG)
    world.take(write(tmp_path / "wrong.json", wrong))
    assert not world.table().claims("PyPI", "django")
    assert world.take(true).older == 1  # as it is, it takes no place
    counts = world.take(true, accept_older=True)
    assert (counts.changed, counts.older) == (1, 0)
    assert world.rows() == before
    assert world.rows() == compiled_anew(world, tmp_path)[0]
    assert world.take(tmp_path / "wrong.json").older == 1  # which is known, and stands no more
    later = osv("PYSEC-1", package("PyPI", "django", "4.3"), modified="2026-02-01T00:00:00Z")
    assert world.take(write(tmp_path / "later.json", later)).changed == 1


def test_a_text_with_the_same_date_takes_its_place_back_too(world: World, tmp_path: Path) -> None:
    true = write(tmp_path / "true.json", osv("PYSEC-1", package("PyPI", "django", "4.2")))
    world.take(true)
    world.take(write(tmp_path / "wrong.json", osv("PYSEC-1", package("PyPI", "django", "0.1"))))
    assert (world.take(true).changed, world.take(true, accept_older=True).changed) == (0, 1)
    assert world.take(true, accept_older=True).unchanged == 1


@pytest.mark.parametrize("names", [("1", "2"), ("2", "1")])
def test_of_what_is_given_the_newest_stands(world: World, tmp_path: Path, names: tuple[str, str]) -> None:
    world.take(write(tmp_path / "wrong.json", osv("PYSEC-1", modified=WRONG)))
    days = dict(zip(names, ("2026-01-01", "2026-01-02"), strict=True))
    for name, day in days.items():
        write(tmp_path / "given" / f"{name}.json", osv("PYSEC-1", modified=f"{day}T00:00:00Z"))
    world.take(tmp_path / "given", accept_older=True)
    ((version,),) = world.sql("select version from clearway.record where current")
    assert version.startswith("2026-01-02")


def test_an_older_catalogue_takes_its_place_back(world: World, tmp_path: Path) -> None:
    full = write(tmp_path / "full.json", kev("2026.11.20", *CVES))
    world.take(full)
    wrong = write(tmp_path / "wrong.json", kev("2026.11.25", "CVE-2026-40404"))
    world.take(wrong, accept_smaller=True)
    counts = world.take(full, accept_older=True)
    assert (counts.changed + counts.new, counts.left) == (100, {"cisa-kev": ["CVE-2026-40404"]})
    assert told(world) == set(CVES)
    assert world.meta().kev == "2026.11.20"
    assert (world.meta().kev_entries, world.meta().kev_most) == (100, 100)
    assert world.rows() == compiled_anew(world, tmp_path)[0]
    assert world.take(wrong).set_aside == 1  # asked about as if it had never been
    assert world.take(write(tmp_path / "next.json", kev("2026.11.21", *CVES))).set_aside == 0
    assert world.meta().kev == "2026.11.21"


def test_an_older_catalogue_that_takes_much_back_is_asked_about_all_the_same(
    world: World, tmp_path: Path
) -> None:
    world.take(write(tmp_path / "full.json", kev("2026.11.20", *CVES)))
    small = write(tmp_path / "small.json", kev("2026.11.19", *CVES[:5]))
    assert world.take(small, accept_older=True).set_aside == 1
    assert told(world) == set(CVES)
    assert len(world.take(small, accept_older=True, accept_smaller=True).left["cisa-kev"]) == 95


EARLY = kev("2026.11.25", *CVES, added="2024-01-01", dueDate="2024-01-02")
MADE_UP = kev("2026.11.25", *CVES, *(cve.replace("2024", "2023") for cve in CVES))
OTHERS = kev("2026.11.25", *(cve.replace("2024", "2023") for cve in CVES))


@pytest.mark.parametrize(
    ("wrong", "version"),
    [(EARLY, "2026.11.20"), (EARLY, "2026.11.25"), (MADE_UP, "2026.11.20"), (OTHERS, "2026.11.22")],
    ids=["dated early", "of the same day", "with more", "of others"],
)
def test_the_right_catalogue_needs_no_more_said_whatever_the_wrong_one_was(
    world: World, tmp_path: Path, wrong: dict[str, Any], version: str
) -> None:
    world.take(write(tmp_path / "full.json", kev("2026.11.20", *CVES)))
    world.take(write(tmp_path / "wrong.json", wrong), accept_smaller=True)
    right = write(tmp_path / "right.json", kev(version, *CVES))  # the one of before, or one never seen here
    assert world.take(right, accept_older=True).set_aside == 0
    assert told(world) == set(CVES)
    assert world.meta().kev == version
    assert world.rows() == compiled_anew(world, tmp_path)[0]
    short = write(tmp_path / "short.json", kev("2026.11.19", *CVES[:5]))
    assert world.take(short, accept_older=True).rejects[0][1].endswith("--accept-older --accept-smaller)")


def test_what_comes_with_the_right_catalogue_is_judged_by_it(world: World, tmp_path: Path) -> None:
    world.take(write(tmp_path / "full.json", kev("2026.11.20", *CVES)))
    world.take(write(tmp_path / "wrong.json", EARLY), accept_smaller=True)
    for day, left_out in ((20, 0), (21, 1), (22, 50)):
        write(tmp_path / "right" / f"{day}.json", kev(f"2026.11.{day}", *CVES[left_out:]))
    counts = world.take(tmp_path / "right", accept_older=True)
    assert [Path(place).name for place, _ in counts.rejects] == ["22.json"]
    assert told(world) == set(CVES[1:])


def test_without_one_of_before_a_right_catalogue_of_the_same_length_takes_its_place(
    world: World, tmp_path: Path
) -> None:
    world.take(write(tmp_path / "wrong.json", EARLY))
    right = write(tmp_path / "right.json", kev("2026.11.20", *CVES))
    assert world.take(right, accept_older=True).changed == 100


def test_fewer_scores_take_the_place_of_wrong_ones(world: World, tmp_path: Path) -> None:
    def scores(name: str, day: str, *cves: str) -> Path:
        path = tmp_path / name
        lines = "".join(f"{cve},0.5,0.5\n" for cve in cves)
        path.write_text(f"#model_version:v1,score_date:{day}T00:00:00Z\ncve,epss,percentile\n{lines}")
        return path

    true = scores("true.csv", "2026-11-20", *CVES)
    world.take(true)
    world.take(scores("wrong.csv", "2026-11-25", *CVES, *(cve.replace("2024", "2023") for cve in CVES)))
    assert world.take(true, accept_older=True).set_aside == 0
    assert world.sql("select count(*) from clearway.epss where dated = '2026-11-20'") == [(100,)]


def test_older_scores_take_the_place_of_wrong_ones(world: World, tmp_path: Path) -> None:
    def scores(name: str, day: str, score: str) -> Path:
        path = tmp_path / name
        lines = "".join(f"{cve},{score},0.5\n" for cve in CVES)
        path.write_text(f"#model_version:v1,score_date:{day}T00:00:00Z\ncve,epss,percentile\n{lines}")
        return path

    true = scores("true.csv", "2026-11-20", "0.9")
    world.take(true)
    world.take(scores("wrong.csv", "2026-11-25", "0.0"))
    assert world.take(true).older == 100
    world.take(true, accept_older=True)
    assert world.sql("select distinct probability, dated from clearway.epss") == [(0.9, "2026-11-20")]
    assert world.meta().epss == "2026-11-20"


def test_what_somebody_accepted_is_on_the_log_with_numbers_alone(world: World, tmp_path: Path) -> None:
    def logged() -> list[tuple[str, str]]:
        return [
            (act, subject)
            for act, subject in world.sql("select act, subject from clearway.log_entry order by entry")
            if act.startswith("record.")
        ]

    full = write(tmp_path / "full.json", kev("2026.11.20", *CVES))
    world.take(full)
    small = write(tmp_path / "small.json", kev("2026.11.24", *CVES[:5]))
    world.take(small)
    world.take(write(tmp_path / "next.json", kev("2026.11.21", *CVES[1:])), accept_older=True)
    assert logged() == [("record.accepted", "intake/3")]  # one entry of it left
    world.take(small, accept_smaller=True)
    world.take(full, accept_older=True)
    world.take(full, accept_older=True)  # which changes nothing
    assert logged()[1:] == [("record.accepted", "intake/4"), ("record.accepted", "intake/5")]
