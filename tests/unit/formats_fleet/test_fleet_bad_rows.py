"""One row that can't be used loses no other, whichever list it stands in."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clearway.formats.observed import read_fleet

LONG = "h" * 301


def alert(repository: str, **more: Any) -> dict[str, Any]:
    return {
        "security_advisory": {"cve_id": "CVE-2026-0001"}, "repository": {"full_name": repository},
        "created_at": "2026-11-01T00:00:00Z", **more,
    }  # fmt: skip


def snapshot(host: str, *names: str) -> dict[str, Any]:
    rows = [{"name": name, "version": "1"} for name in names]
    return {"hostIdentifier": host, "name": "deb_packages", "unixTime": 1764000000, "snapshot": rows}


def entry(host: str, version: str) -> dict[str, str]:
    return {"DisplayName": "Chrome", "DisplayVersion": version, "PSComputerName": host}


ROWS: dict[str, tuple[str, bytes, str, str]] = {
    "a detection from before there were CVEs": (
        "s.csv", b"asset,cve,first_detected\nbad,CVE-2026-0001,1998-12-31\ngood,CVE-2026-0001,1999-01-01\n",
        "line 2", "1998-12-31, before there were CVEs",
    ),
    "an alert from before there were CVEs": (
        "d.json", json.dumps([alert("o/bad", created_at="1998-12-31T00:00:00Z"), alert("good")]).encode(),
        "[0]", "before there were CVEs",
    ),
    "a name of 301 characters beside a flaw": (
        "s.csv", f"asset,cve\n{LONG},CVE-2026-0001\ngood,CVE-2026-0001\n".encode(),
        "line 2", "in 301 characters (shorten the name to 300)",
    ),
    "a name of 301 characters in a list of assets": (
        "a.csv", f"asset,owner\n{LONG},me\ngood,me\n".encode(), "line 2", "in 301 characters",
    ),
    "a NUL in an alert": (
        "d.json", json.dumps([alert("o/bad", state="\0"), alert("good")]).encode(), "[0]", "NUL",
    ),
    "a NUL in an entry of the registry": (
        "w.json", json.dumps([entry("bad", "1\0"), entry("good", "1")]).encode(),
        "[0]", "NUL",
    ),
    "a NUL in a row of osquery's": (
        "o.json", json.dumps([snapshot("good", "bad\0", "sound")]).encode(), "[0] deb_packages[0]", "NUL",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("name", "data", "place", "reason"), ROWS.values(), ids=ROWS.keys())
def test_a_bad_row_is_set_aside_with_its_place_and_the_rest_lands(
    name: str, data: bytes, place: str, reason: str
) -> None:
    found = read_fleet(data, name)
    assert [one.name for one in found.observed] == ["good"]
    assert len([*found.observed[0].components, *found.observed[0].detections]) == (name != "a.csv")
    (aside,) = found.set_aside
    assert aside.place == place
    assert reason in aside.reason
    assert not found.observed[0].complete  # what was set aside may be what is missing


def test_a_clock_that_was_not_set_when_it_looked_last_costs_no_row() -> None:
    found = read_fleet(b"asset,cve,last_seen\ngood,CVE-2026-0001,1995-01-01\n", "s.csv")
    assert (len(found.observed[0].detections), found.set_aside) == (1, ())


def test_of_rows_that_belong_to_no_asset_each_asset_of_the_list_has_their_lines_and_no_word() -> None:
    head = b"product,version,host,exposure\n"
    read = read_fleet(
        head + b"A,1,one,weird\nhidden \xff,2,two,public\nB,1,two,public\nhidden \xff,2,one,public\n", "l.csv"
    )
    assert {o.name: o.problems for o in read.observed} == {
        "one": (
            "line 2: exposure 'weird' is neither public nor internal",
            "2 rows belong to no asset: lines 3, 5",
        ),
        "two": ("2 rows belong to no asset: lines 3, 5",),
    }
    alone = read_fleet(head + b"A,1,one,public\nhidden \xff,2,two,public\n", "l.csv")
    assert [o.problems for o in alone.observed] == [
        ('line 3 is not UTF-8 (save it as "CSV UTF-8") (set aside)',)
    ]
