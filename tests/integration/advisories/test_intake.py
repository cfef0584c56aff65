"""Records into a real database: what stands, what is counted, and what the table then says."""

from __future__ import annotations

import gzip
import hashlib
import io
import itertools
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import zstandard

from clearway.advisories.intake import Counts
from clearway.advisories.view import show, view
from clearway.records.errors import IntegrityError
from intake_world import World, compiled_anew, environment, kev, osv, package, write
from shared import shared

NewWorld = Callable[[], World]


def numbers(counts: Counts) -> tuple[int, int, int, int, int]:
    return counts.new, counts.changed, counts.unchanged, counts.skipped, counts.set_aside


def line(record: Any) -> bytes:
    return json.dumps(record).encode() + b"\n"


# What is taken in once, and again


def test_a_second_run_finds_everything_unchanged_and_the_table_as_it_was(
    world: World, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    write(folder / "a.json", osv("GHSA-a", aliases=["CVE-2026-0001"]))
    write(folder / "more.jsonl", osv("PYSEC-1", aliases=["CVE-2026-0001"]), osv("PYSEC-2"))
    write(folder / "kev.json", kev("2026.01.05", "CVE-2026-0001"))
    (folder / "epss.csv").write_text(
        "#model_version:v1,score_date:2026-01-05T00:00:00Z\ncve,epss,percentile\nCVE-2026-0001,0.5,0.9\n"
    )
    write(
        folder / "osv.schema.json",
        {"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object"},
    )
    (folder / "bad.json").write_text('{"id": "GHSA-b", "modified": ')
    first = world.take(folder)
    assert numbers(first) == (5, 0, 0, 1, 1)
    standing, rows, content = world.standing(), world.rows(), world.meta().content
    again = world.take(folder)
    assert numbers(again) == (0, 0, 5, 1, 1)
    assert world.standing() == standing
    assert world.rows() == rows
    assert world.meta().content == content
    assert world.sql("select count(*) from clearway.set_aside") == [(1,)]


def test_what_was_read_is_the_sum_of_what_became_of_it(world: World, tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", *(osv(f"GHSA-{n}") for n in range(7)), {"id": 4}, osv("GHSA-1"))
    counts = world.take(path)
    assert counts.read == sum(numbers(counts)) == 9
    assert counts.by_source == {"github": {"new": 7, "changed": 0, "unchanged": 1}}


def test_a_record_is_kept_byte_for_byte_with_its_hash(world: World, tmp_path: Path) -> None:
    odd = b'{ "modified" :\t"2026-01-01T00:00:00Z",\r\n "id":"GHSA-a",  "affected": [ ], "x": "\\u00e9\xc3\xa9" }\n\n'
    world.take(write(tmp_path / "a.json", odd))
    ((raw, sha256),) = world.sql("select raw, sha256 from clearway.record")
    assert bytes(raw) == odd
    assert bytes(sha256) == hashlib.sha256(odd).digest()


def test_two_homes_that_took_the_same_in_hold_the_same_rows(new_world: NewWorld, tmp_path: Path) -> None:
    one, two = new_world(), new_world()
    records = [
        osv(f"GHSA-{n}", package("PyPI", f"p{n % 3}", f"{n}.0"), aliases=[f"CVE-2026-{n // 2}"])
        for n in range(9)
    ]
    one.take(write(tmp_path / "one.jsonl", *records))
    two.take(write(tmp_path / "two.jsonl", *reversed(records)))
    assert one.rows() == two.rows()
    assert one.meta().content == two.meta().content


# Versions of a record


def test_whatever_the_order_of_arrival_the_newest_version_stands(new_world: NewWorld, tmp_path: Path) -> None:
    versions = [
        osv("GHSA-a", package("PyPI", "a", fixed), modified=f"2026-01-0{day}T00:00:00Z")
        for day, fixed in enumerate(("1.0", "2.0", "3.0"), 1)
    ]
    files = [write(tmp_path / f"{n}.json", v) for n, v in enumerate(versions)]
    states = []
    for order in itertools.permutations(files):
        one, each = new_world(), new_world()
        one.take(*order)
        for path in order:
            each.take(path)
        assert one.rows() == each.rows()
        states.append((one.standing(), each.standing(), one.rows(), one.meta().content, each.meta().content))
    assert all(state == states[0] for state in states)
    assert json.loads(states[0][0][0][4])["modified"] == "2026-01-03T00:00:00Z"


@pytest.mark.parametrize("order", ["ABA", "BAA", "BAAB", "ABBA"])
def test_a_batch_may_hold_the_same_version_twice(world: World, tmp_path: Path, order: str) -> None:
    made = {
        "A": osv("GHSA-a", modified="2026-01-01T00:00:00Z"),
        "B": osv("GHSA-a", modified="2026-01-02T00:00:00Z"),
    }
    counts = world.take(write(tmp_path / "a.jsonl", *(made[letter] for letter in order)))
    assert counts.read == len(order)
    assert world.sql("select version from clearway.record where current") == [
        ("2026-01-02T00:00:00.000000Z",)
    ]
    assert world.sql("select count(*) from clearway.record") == [(2,)]
    assert compiled_anew(world, tmp_path)[1].content == world.meta().content


def test_an_older_version_counts_as_unchanged_and_is_kept(world: World, tmp_path: Path) -> None:
    world.take(
        write(
            tmp_path / "new.json", osv("GHSA-a", package("PyPI", "a", "2.0"), modified="2026-01-02T00:00:00Z")
        )
    )
    before = world.rows()
    counts = world.take(
        write(
            tmp_path / "old.json", osv("GHSA-a", package("PyPI", "a", "1.0"), modified="2026-01-01T00:00:00Z")
        )
    )
    assert numbers(counts) == (0, 0, 1, 0, 0)
    assert world.rows() == before
    assert world.sql("select count(*), count(*) filter (where current) from clearway.record") == [(2, 1)]


def test_of_equal_versions_the_one_that_came_later_stands(world: World, tmp_path: Path) -> None:
    world.take(write(tmp_path / "a.json", osv("GHSA-a", package("PyPI", "a", "1.0"))))
    counts = world.take(write(tmp_path / "b.json", osv("GHSA-a", package("PyPI", "a", "1.1"))))
    assert counts.changed == 1
    assert world.table().claims("PyPI", "a")[0].intervals[0][3] == "1.1"


def test_a_changed_record_is_followed_beside_the_table(world: World, tmp_path: Path) -> None:
    world.take(
        write(
            tmp_path / "a.jsonl",
            osv("GHSA-a", package("PyPI", "a", "1.0")),
            osv("GHSA-b", package("PyPI", "b", "1.0")),
        )
    )
    base = world.meta().base
    world.take(
        write(
            tmp_path / "b.json", osv("GHSA-a", package("PyPI", "c", "2.0"), modified="2026-01-02T00:00:00Z")
        )
    )
    assert world.has_changes_beside()
    assert world.meta().base == base
    table = world.table()
    assert table.claims("PyPI", "a") == ()
    assert [c.record for c in table.claims("PyPI", "c")] == ["GHSA-a"]
    assert [c.record for c in table.claims("PyPI", "b")] == ["GHSA-b"]
    assert world.rows() == compiled_anew(world, tmp_path)[0]


def test_a_withdrawn_record_takes_its_matches_back(world: World, tmp_path: Path) -> None:
    world.take(
        write(tmp_path / "a.json", osv("GHSA-a", package("PyPI", "a", "1.0"), aliases=["CVE-2026-0001"]))
    )
    assert world.table().claims("PyPI", "a")
    assert world.table().flaws_of("GHSA-a") == ("CVE-2026-0001",)
    gone = osv(
        "GHSA-a",
        package("PyPI", "a", "1.0"),
        modified="2026-01-02T00:00:00Z",
        withdrawn="2026-01-02T00:00:00Z",
    )
    assert world.take(write(tmp_path / "b.json", gone)).changed == 1
    assert world.table().claims("PyPI", "a") == ()
    assert world.table().flaws_of("CVE-2026-0001") == ()
    assert world.rows() == compiled_anew(world, tmp_path)[0]
    assert world.meta().records == 0


def test_of_a_withdrawn_record_is_told_when_and_by_whom(world: World, tmp_path: Path) -> None:
    stood = osv("GHSA-a", package("PyPI", "a", "1.0"), aliases=["CVE-2026-0001"])
    world.take(
        write(tmp_path / "a.json", stood),
        write(tmp_path / "b.json", osv("PYSEC-2026-2", package("PyPI", "a", "1.0"), aliases=["GHSA-a"])),
    )
    gone = stood | {"modified": "2026-01-02T00:00:00Z", "withdrawn": "2026-01-02T00:00:00Z"}
    world.take(write(tmp_path / "c.json", gone))
    beside = view(world.table(), "GHSA-a")  # another source speaks of it still
    assert [source["record"] for source in beside["sources"]] == ["PYSEC-2026-2"]
    assert [one["text"] for one in beside["withdrawn"]] == ["GHSA-a was withdrawn by github on 2026-01-02"]
    world.take(
        write(
            tmp_path / "d.json",
            osv(
                "PYSEC-2026-2",
                package("PyPI", "a", "1.0"),
                aliases=["GHSA-a"],
                modified="2026-01-03T00:00:00Z",
                withdrawn="2026-01-03T00:00:00Z",
            ),
        )
    )
    for asked in ("GHSA-a", "ghsa-a", "PYSEC-2026-2"):
        alone = view(world.table(), asked)
        assert (alone["sources"], len(alone["withdrawn"])) == ([], 1)
    out = io.StringIO()
    show(view(world.table(), "GHSA-a"), out)
    assert "GHSA-a was withdrawn by github on 2026-01-02" in out.getvalue()
    assert world.rows() == compiled_anew(world, tmp_path)[0]
    world.take(
        write(tmp_path / "e.json", stood | {"modified": "2026-01-04T00:00:00Z"})
    )  # and it is taken back
    assert view(world.table(), "GHSA-a")["withdrawn"] == []


# Catalogues


def listed(world: World) -> set[str]:
    table = world.table()
    return {
        i
        for i in ("CVE-2026-0001", "CVE-2026-0002")
        if (f := table.flaw(i)) is not None and f.kev is not None
    }


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_two_kev_catalogues_the_newer_counts_whichever_comes_first(
    world: World, tmp_path: Path, order: tuple[int, int]
) -> None:
    files = [
        write(tmp_path / "old.json", kev("2026.01.05", "CVE-2026-0001", "CVE-2026-0002")),
        write(tmp_path / "new.json", kev("2026.01.06", "CVE-2026-0002")),
    ]
    for at in order:
        world.take(files[at])
    assert listed(world) == {"CVE-2026-0002"}
    assert world.meta().kev.startswith("2026.01.06")
    rows, meta = compiled_anew(world, tmp_path)
    assert world.rows() == rows
    assert (meta.content, meta.kev, meta.records) == (
        world.meta().content,
        world.meta().kev,
        world.meta().records,
    )


def test_an_entry_that_left_kev_comes_back_when_it_is_listed_again(world: World, tmp_path: Path) -> None:
    for day, cves in (
        (5, ["CVE-2026-0001", "CVE-2026-0002"]),
        (6, ["CVE-2026-0002"]),
        (7, ["CVE-2026-0001", "CVE-2026-0002"]),
    ):
        world.take(write(tmp_path / f"{day}.json", kev(f"2026.01.0{day}", *cves)))
        assert listed(world) == set(cves)


def test_a_kev_catalogue_of_a_day_to_come_is_set_aside_and_stands_in_nobodys_way(
    world: World, tmp_path: Path
) -> None:
    early = write(tmp_path / "early.json", kev("2026.11.26", "CVE-2026-0002"))
    counts = world.take(early)
    assert (counts.new, counts.set_aside) == (0, 1)
    assert counts.rejects[0][1] == "version 2026-11-26 lies in the future: today is 2026-11-25 (UTC)"
    world.take(write(tmp_path / "now.json", kev("2026.11.25", "CVE-2026-0001")))
    assert listed(world) == {"CVE-2026-0001"}
    world.take(early, at=datetime(2026, 11, 26, tzinfo=UTC))  # then it is of now
    assert listed(world) == {"CVE-2026-0002"}


def test_a_newer_kev_catalogue_that_says_the_same_still_dates_the_table(world: World, tmp_path: Path) -> None:
    world.take(write(tmp_path / "1.json", kev("2026.01.05", "CVE-2026-0001")))
    world.take(write(tmp_path / "2.json", kev("2026.01.06", "CVE-2026-0001")))
    assert world.meta().kev.startswith("2026.01.06")


@pytest.mark.parametrize("order", ["json first", "csv first"])
def test_json_and_csv_of_one_kev_version_end_alike(world: World, tmp_path: Path, order: str) -> None:
    cell = '"Acme","Thing","x","2026-01-05","x","x","2026-01-26","Known","",""'
    header = (
        "cveID,vendorProject,product,vulnerabilityName,dateAdded,shortDescription,requiredAction,dueDate,"
        "knownRansomwareCampaignUse,notes,cwes"
    )
    table = tmp_path / "kev-2026.01.05.csv"
    table.write_text(
        f'"{header.replace(",", chr(34) + "," + chr(34))}"\n"CVE-2026-0001",{cell}\n"CVE-2026-0002",{cell}\n'
    )
    whole = write(
        tmp_path / "kev.json",
        kev("2026.01.05", "CVE-2026-0001", "CVE-2026-0002", knownRansomwareCampaignUse="Known"),
    )
    for path in (whole, table) if order == "json first" else (table, whole):
        assert world.take(path).set_aside == 0
    assert listed(world) == {"CVE-2026-0001", "CVE-2026-0002"}
    assert world.sql("select count(*) from clearway.record where current") == [(2,)]
    assert {
        f.kev.date_added.isoformat() for i in listed(world) if (f := world.table().flaw(i)) and f.kev
    } == {"2026-01-05"}


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_newest_epss_score_of_each_cve_counts(
    world: World, tmp_path: Path, order: tuple[int, ...]
) -> None:
    days = [{"CVE-2026-0001": 0.1, "CVE-2026-0002": 0.2}, {"CVE-2026-0001": 0.3}, {"CVE-2026-0002": 0.4}]
    world.take(write(tmp_path / "a.jsonl", osv("CVE-2026-0001"), osv("CVE-2026-0002")))
    for at in order:
        lines = "".join(f"{cve},{score},0.5\n" for cve, score in days[at].items())
        path = tmp_path / f"epss{at}.csv"
        path.write_text(
            f"#model_version:v1,score_date:2026-01-0{at + 1}T00:00:00Z\ncve,epss,percentile\n{lines}"
        )
        world.take(path)
    found = {
        i: f.epss[:1] + f.epss[2:3]
        for i in ("CVE-2026-0001", "CVE-2026-0002")
        if (f := world.table().flaw(i)) and f.epss
    }
    assert found == {"CVE-2026-0001": (0.3, "2026-01-02"), "CVE-2026-0002": (0.4, "2026-01-03")}
    assert world.meta().epss.startswith("2026-01-03")


# VEX and markings


def openvex(version: int, status: str, product: str = "pkg:pypi/a@0.5") -> dict[str, Any]:
    statement: dict[str, Any] = {
        "vulnerability": {"name": "CVE-2026-0001"},
        "products": [{"@id": product}],
        "status": status,
    }
    if status == "not_affected":
        statement["justification"] = "vulnerable_code_not_present"
    elif status == "affected":
        statement["action_statement"] = "update"
    return {"@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://psirt.acme.com/vex/1", "author": "Example",
            "timestamp": f"2026-01-0{version}T00:00:00Z", "version": version, "statements": [statement]}  # fmt: skip


def test_a_newer_vex_document_replaces_the_older(world: World, tmp_path: Path) -> None:
    world.take(write(tmp_path / "1.json", openvex(1, "not_affected")))
    assert [c.status for c in world.table().vex("pypi/a")] == ["not_affected"]
    world.take(write(tmp_path / "2.json", openvex(2, "affected")))
    assert [c.status for c in world.table().vex("pypi/a")] == ["affected"]
    assert world.take(write(tmp_path / "1.json", openvex(1, "not_affected"))).unchanged == 1
    assert [c.status for c in world.table().vex("pypi/a")] == ["affected"]


def csaf(identifier: str, label: str, *, category: str = "csaf_security_advisory") -> dict[str, Any]:
    when = "2026-01-01T00:00:00Z"
    product = {
        "product_id": "P",
        "name": "Acme Secret",
        "product_identification_helper": {"purl": "pkg:pypi/secretproduct@1.0"},
    }
    version = {"category": "product_version", "name": "1.0", "product": product}
    named = {"category": "product_name", "name": "secretproduct", "branches": [version]}
    status = "known_not_affected" if category == "csaf_vex" else "known_affected"
    return {
        "document": {
            "category": category,
            "csaf_version": "2.0",
            "title": "secrettitle",
            "tracking": {
                "id": identifier,
                "status": "final",
                "version": "1",
                "initial_release_date": when,
                "current_release_date": when,
                "revision_history": [{"date": when, "number": "1", "summary": "x"}],
            },
            "publisher": {"category": "vendor", "name": "Acme", "namespace": "https://psirt.acme.com"},
            "distribution": {"tlp": {"label": label}},
        },
        "product_tree": {"branches": [{"category": "vendor", "name": "Acme", "branches": [named]}]},
        "vulnerabilities": [{"cve": "CVE-2026-7777", "product_status": {status: ["P"]}}],
    }


@pytest.mark.parametrize("category", ["csaf_security_advisory", "csaf_vex"])
@pytest.mark.parametrize("label", ["GREEN", "AMBER", "AMBER+STRICT", "RED"])
def test_a_marked_document_is_kept_and_nothing_of_it_is_in_the_table(
    world: World, tmp_path: Path, label: str, category: str
) -> None:
    world.take(write(tmp_path / "open.json", osv("GHSA-a")))
    counts = world.take(write(tmp_path / "marked.json", csaf("SECRETID-1", label, category=category)))
    assert counts.new == 1
    assert world.sql("select tlp from clearway.record where id = 'SECRETID-1'") == [(label,)]
    for rebuild in (False, True):
        if rebuild:
            world.take(rebuild=True)
        files = b"".join(p.read_bytes() for p in world.path.parent.iterdir())
        for word in (b"SECRETID", b"secretproduct", b"secrettitle", b"CVE-2026-7777", b"psirt.acme"):
            assert word not in files
    assert compiled_anew(world, tmp_path)[1].content == world.meta().content


def test_a_document_that_becomes_marked_leaves_the_table(world: World, tmp_path: Path) -> None:
    world.take(write(tmp_path / "1.json", csaf("EX-1", "CLEAR")))
    assert world.table().flaws_of("CVE-2026-7777")
    marked = csaf("EX-1", "RED")
    marked["document"]["tracking"]["current_release_date"] = "2026-01-02T00:00:00Z"
    world.take(write(tmp_path / "2.json", marked))
    assert world.table().flaws_of("CVE-2026-7777") == ()
    assert world.table().records("EX-1") == ()
    assert b"secretproduct" not in b"".join(p.read_bytes() for p in world.path.parent.iterdir())
    assert compiled_anew(world, tmp_path)[1].content == world.meta().content


def test_a_label_that_no_one_knows_is_never_taken_for_clear(world: World, tmp_path: Path) -> None:
    counts = world.take(write(tmp_path / "1.json", csaf("EX-1", "PURPLE")))
    assert (counts.new, counts.set_aside) == (0, 1)


# Records that can't be used


GOOD = osv("GHSA-good")


def bad(
    identifier: bytes = b'"GHSA-bad"', more: bytes = b"", modified: bytes = b"2026-01-01T00:00:00Z"
) -> bytes:
    return b'{"id": ' + identifier + b', "modified": "' + modified + b'", "affected": []' + more + b"}"


BAD = {
    "cut short": bad()[:-20],
    "two values of one key": bad(more=b', "id": "GHSA-worse"'),
    "no UTF-8": bad(b'"GHSA-bad\xff"'),
    "not a number": bad(more=b', "x": NaN'),
    "an endless number": bad(more=b', "x": Infinity'),
    "too deep": bad(more=b', "x": ' + b"[" * 100_000 + b"]" * 100_000),
    "a zero character in the id": bad(b'"GHSA-\\u0000bad"'),
    "half of a surrogate pair": bad(b'"GHSA-\\ud800bad"'),
    "an id of another type": bad(b'["GHSA-bad"]'),
    "a day that is none": bad(modified=b"2026-13-01T00:00:00Z"),
    "an id without end": bad(b'"GHSA-' + b"ab" * 50_000 + b'"'),
}


@pytest.mark.parametrize("what", list(BAD))
def test_a_bad_record_among_good_ones_is_set_aside_and_the_rest_lands(
    world: World, tmp_path: Path, what: str
) -> None:
    folder = tmp_path / "in"
    write(folder / "a.json", GOOD)
    write(folder / "bad.json", BAD[what])
    write(folder / "z.json", osv("GHSA-other"))
    counts = world.take(folder)
    assert numbers(counts) == (2, 0, 0, 0, 1), counts.rejects
    ((place, reason),) = counts.rejects
    assert place.startswith(str(folder / "bad.json"))
    assert reason
    assert world.sql("select place, reason from clearway.set_aside") == [(place, reason)]


LONG = "x" * 40_000
ODD = {
    "a zero character in a package's name": osv("GHSA-odd", package("PyPI", "a\0b", "1.0")),
    "a zero character in an alias": osv("GHSA-odd", aliases=["CVE-2026-\0"]),
    "a zero character in the ecosystem": osv("GHSA-odd", package("Py\0PI", "a", "1.0")),
    "half a surrogate pair in a name": osv("GHSA-odd", package("PyPI", "a\ud800", "1.0")),
    "half a surrogate pair in an alias": osv("GHSA-odd", aliases=["CVE-\ud800"]),
    "a name without end": osv("GHSA-odd", package("PyPI", LONG, "1.0")),
    "a name without end that packs badly": osv(
        "GHSA-odd", package("PyPI", hashlib.shake_256(b"x").hexdigest(20_000), "1.0")
    ),
    "an alias without end": osv("GHSA-odd", aliases=[hashlib.shake_256(b"y").hexdigest(20_000)]),
    "an ecosystem without end": osv(
        "GHSA-odd", package(hashlib.shake_256(b"z").hexdigest(20_000), "a", "1.0")
    ),
    "a version without end": osv("GHSA-odd", package("PyPI", "a", hashlib.shake_256(b"v").hexdigest(20_000))),
    "a huge number in a version": osv("GHSA-odd", package("PyPI", "a", "9" * 5_000)),
}


@pytest.mark.parametrize("what", list(ODD))
def test_an_odd_record_never_takes_its_batch_down(world: World, tmp_path: Path, what: str) -> None:
    folder = tmp_path / "in"
    write(folder / "a.json", GOOD)
    write(folder / "odd.json", ODD[what])
    write(folder / "z.json", osv("GHSA-other"))
    counts = world.take(folder)
    assert counts.read == 3
    assert {row[0] for row in world.sql("select id from clearway.record where current")} >= {
        "GHSA-good",
        "GHSA-other",
    }
    assert world.rows() == compiled_anew(world, tmp_path)[0]


def test_a_byte_order_mark_is_noted_and_kept(world: World, tmp_path: Path) -> None:
    data = b"\xef\xbb\xbf" + json.dumps(GOOD).encode()
    counts = world.take(write(tmp_path / "a.json", data))
    assert numbers(counts) == (1, 0, 0, 0, 0)
    assert any("byte-order mark" in note for note in counts.notes)
    assert bytes(world.sql("select raw from clearway.record")[0][0]) == data


def test_a_bad_entry_of_a_catalogue_leaves_the_others(world: World, tmp_path: Path) -> None:
    catalogue = kev("2026.01.05", "CVE-2026-0001", "CVE-2026-0002")
    catalogue["vulnerabilities"][0]["dateAdded"] = "yesterday"
    counts = world.take(write(tmp_path / "kev.json", catalogue))
    assert numbers(counts) == (1, 0, 0, 0, 1)
    assert listed(world) == {"CVE-2026-0002"}


def test_a_file_name_that_is_no_text_is_taken_all_the_same(world: World, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    with open(os.path.join(os.fsencode(folder), b"odd\xff\nname.json"), "wb") as file:  # noqa: PTH118, PTH123
        file.write(json.dumps(GOOD).encode())
    with open(os.path.join(os.fsencode(folder), b"worse\xfe.json"), "wb") as file:  # noqa: PTH118, PTH123
        file.write(b"{")
    assert numbers(world.take(folder)) == (1, 0, 0, 0, 1)


def test_a_member_whose_name_has_no_end_is_set_aside_or_taken(world: World, tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(hashlib.shake_256(b"m").hexdigest(20_000) + ".json", b"{")
        archive.writestr("good.json", json.dumps(GOOD))
    assert numbers(world.take(path)) == (1, 0, 0, 0, 1)


# Where records come from


def packed(kind: str, folder: Path) -> Path:
    records = {"a.json": line(GOOD), "sub/b.json": line(osv("GHSA-other"))}
    path = folder / f"all{kind}"
    if kind == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in records.items():
                archive.writestr(name, data)
    elif kind.startswith(".tar"):
        buffer = BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            for name, data in records.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                tar.addfile(info, BytesIO(data))
        plain = buffer.getvalue()
        path.write_bytes(
            zstandard.compress(plain)
            if kind.endswith("zst")
            else gzip.compress(plain)
            if kind.endswith("gz")
            else plain
        )
    else:
        plain = b"".join(records.values())
        path.write_bytes(
            zstandard.compress(plain)
            if kind.endswith("zst")
            else gzip.compress(plain)
            if kind.endswith("gz")
            else plain
        )
    return path


@pytest.mark.parametrize("kind", [".zip", ".tar", ".tar.gz", ".tar.zst", ".jsonl", ".jsonl.gz", ".jsonl.zst"])
def test_the_same_records_from_any_packing_are_the_same(world: World, tmp_path: Path, kind: str) -> None:
    assert numbers(world.take(packed(kind, tmp_path))) == (2, 0, 0, 0, 0)
    found = world.sql("select id, raw from clearway.record where current order by id")
    assert [(i, json.loads(bytes(raw))) for i, raw in found] == [
        ("GHSA-good", GOOD),
        ("GHSA-other", osv("GHSA-other")),
    ]


def test_a_format_named_by_hand_rules_over_what_the_content_seems(world: World, tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", {"id": "X-1", "modified": "2026-01-01T00:00:00Z"})
    assert world.take(path, forced="osv").new == 1
    assert world.take(write(tmp_path / "b.json", GOOD), forced="csaf").set_aside == 1


# What a reader meets


@pytest.mark.parametrize("label", ["AMBER", "CLEAR"])
def test_the_osv_api_has_no_word_of_a_marked_document(world: World, tmp_path: Path, label: str) -> None:
    import asyncio

    from clearway.advisories.osv_document import documents
    from clearway.advisories.stored_records import StoredRecords

    world.take(write(tmp_path / "marked.json", csaf("SECRETID-1", label)))

    async def ask() -> dict[str, bytes]:
        records = StoredRecords(world.url)
        try:
            return await documents(world.table(), records, {"SECRETID-1": "", "CVE-2026-7777": ""})
        finally:
            await records.close()

    assert set(asyncio.run(ask())) == ({"SECRETID-1"} if label == "CLEAR" else set())


def test_changes_of_another_table_are_never_read_whatever_their_age(world: World, tmp_path: Path) -> None:
    world.take(write(tmp_path / "a.json", osv("GHSA-a", package("PyPI", "a", "1.0"))))
    world.take(write(tmp_path / "b.json", osv("GHSA-b", package("PyPI", "b", "1.0"))))
    beside = world.path.with_suffix(".changes")
    stray = beside.read_bytes()
    world.take(rebuild=True)
    assert not beside.exists()
    beside.write_bytes(stray)
    os.utime(beside, ns=(2**62, 2**62))  # as after a restored copy
    assert world.table().claims("PyPI", "b")
    world.take(write(tmp_path / "c.json", osv("GHSA-c", package("PyPI", "c", "1.0"))))
    assert [bool(world.table().claims("PyPI", p)) for p in "abc"] == [True, True, True]


@pytest.mark.parametrize("what", ["cut short", "empty", "not ours"])
def test_damaged_changes_are_mended_by_the_next_intake(world: World, tmp_path: Path, what: str) -> None:
    world.take(write(tmp_path / "a.json", osv("GHSA-a", package("PyPI", "a", "1.0"))))
    world.take(write(tmp_path / "b.json", osv("GHSA-b", package("PyPI", "b", "1.0"))))
    beside = world.path.with_suffix(".changes")
    beside.write_bytes({"cut short": beside.read_bytes()[:-9], "empty": b"", "not ours": b"\xff" * 40}[what])
    with pytest.raises(IntegrityError, match="can't be read"):
        world.table()
    world.take(write(tmp_path / "c.json", osv("GHSA-c", package("PyPI", "c", "1.0"))))
    assert [bool(world.table().claims("PyPI", p)) for p in "abc"] == [True, True, True]


@pytest.mark.slow
def test_test_documents_never_become_advisories(world: World) -> None:
    folder = shared("conformance")
    counts = world.take(folder)
    found = [
        row[0] for row in world.sql("select origin from clearway.record where kind like 'csaf%%' and current")
    ]
    assert counts.skipped > 0
    assert [o for o in found if "/test" in o.lower() and "oasis" in o.lower()] == []


def test_a_reader_meets_the_old_state_or_the_new_one_and_nothing_between(
    world: World, tmp_path: Path
) -> None:
    world.take(write(tmp_path / "a.json", osv("GHSA-a", package("PyPI", "a", "1.0"))))
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom clearway.advisories.table import Table\n"
        "last, ended = 0, False\nprint('reading', flush=True)\n"
        "while not ended:\n"
        "    ended = Path(sys.argv[2]).exists()\n"
        "    table = Table.open(Path(sys.argv[1]))\n"
        "    fixed = int(table.claims('PyPI', 'a')[0].intervals[0][3].partition('.')[0])\n"
        "    assert fixed >= last, (fixed, last)\n"
        "    last = fixed\n    table.close()\n"
        "print(last)"
    )
    end = tmp_path / "end"
    reader = subprocess.Popen(
        [sys.executable, "-c", code, str(world.path), str(end)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    assert reader.stdout is not None
    reader.stdout.readline()
    for number in range(2, 26):
        newer = osv("GHSA-a", package("PyPI", "a", f"{number}.0"), modified=f"2026-02-{number:02}T00:00:00Z")
        world.take(write(tmp_path / f"{number}.json", newer), rebuild=number % 3 == 0)
    end.touch()
    out, said = reader.communicate(timeout=20)
    assert (reader.returncode, said) == (0, "")
    assert out.strip() == "25"
