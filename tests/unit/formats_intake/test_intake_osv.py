"""OSV 1.x: what each kind of record says survives, and nothing is added."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from clearway.formats import intake, osv
from clearway.formats.archive import walk
from clearway.records.advisory import Advisory, Event
from clearway.records.errors import InputError
from shared import shared


def decode(record: dict[str, Any]) -> Advisory:
    decoded = list(intake.decode("osv", json.dumps(record).encode(), "x.json"))
    assert len(decoded) == 1
    assert isinstance(decoded[0], intake.Decoded)
    item = decoded[0].item
    assert isinstance(item, Advisory)
    return item


BASE = {"id": "GHSA-aaaa-bbbb-cccc", "modified": "2024-01-02T03:04:05Z"}


def test_all_event_kinds_keep_their_order() -> None:
    events = [
        {"introduced": "2"},
        {"fixed": "1"},
        {"introduced": "0"},
        {"last_affected": "3"},
        {"limit": "*"},
    ]
    item = decode({**BASE, "affected": [{"package": {"ecosystem": "PyPI", "name": "x"},
                                         "ranges": [{"type": "ECOSYSTEM", "events": events}]}]})  # fmt: skip
    assert item.affected[0].ranges[0].events == (
        Event("introduced", "2"),
        Event("fixed", "1"),
        Event("introduced", "0"),
        Event("last_affected", "3"),
        Event("limit", "*"),
    )


def test_a_record_without_package_keeps_its_repository() -> None:
    events = [{"introduced": "0"}, {"fixed": "a" * 40}]
    item = decode(
        {**BASE, "affected": [{"ranges": [{"type": "GIT", "repo": "https://x/y", "events": events}]}]}
    )
    assert (item.affected[0].ecosystem, item.affected[0].name) == ("", "")
    assert item.affected[0].ranges[0].repo == "https://x/y"


def test_no_range_is_invented_where_the_record_has_none() -> None:
    item = decode({**BASE, "affected": [{"package": {"ecosystem": "npm", "name": "x"}, "versions": ["1.0"]}]})
    assert item.affected[0].ranges == ()
    assert item.affected[0].versions == ("1.0",)


def test_relations_keep_their_kind() -> None:
    item = decode({**BASE, "aliases": ["CVE-1"], "related": ["CVE-2"], "upstream": ["CVE-3"]})
    assert (item.aliases, item.related, item.upstream) == (("CVE-1",), ("CVE-2",), ("CVE-3",))


def test_the_year_one_of_the_go_database_is_no_date() -> None:
    item = decode({"id": "GO-2024-0001", "modified": "0001-01-01T00:00:00Z", "published": "0001-01-01T00:00:00Z",
                   "affected": []})  # fmt: skip
    assert item.modified is None
    assert item.published is None


def test_a_withdrawn_record_says_so_and_names_what_it_repeats() -> None:
    item = decode({**BASE, "withdrawn": "2024-02-01T00:00:00Z",
                   "details": "# Duplicate Advisory\nThis is a duplicate of GHSA-xxxx-yyyy-zzzz."})  # fmt: skip
    assert item.withdrawn == datetime(2024, 2, 1, tzinfo=UTC)
    assert item.duplicates == ("GHSA-xxxx-yyyy-zzzz",)


@pytest.mark.parametrize(
    ("said", "conditions"),
    [("unmaintained", ("informational=unmaintained",)), ("unsound", ("informational=unsound",)), (None, ()),
     ("", ()), (["notice"], ()), (7, ()), ("a\nb\x1b[31m", ("informational=a b[31m",))],
)  # fmt: skip
def test_an_advisory_about_no_vulnerability_says_so_with_its_statement(
    said: Any, conditions: tuple[str, ...]
) -> None:
    affected = {
        "package": {"ecosystem": "crates.io", "name": "old"},
        "database_specific": {"informational": said},
    }
    (found,) = osv.advisory({"id": "RUSTSEC-2026-0001", "affected": [affected]}).affected
    assert found.conditions == conditions


def test_every_informational_record_of_rustsec_shows_it() -> None:
    kinds: Counter[str] = Counter()
    for piece in walk([str(shared("osv/crates.io.jsonl.zst"))]):
        for affected in osv.advisory(json.loads(piece.data)).affected:  # type: ignore[union-attr]
            kinds.update(c for c in affected.conditions if c.startswith("informational="))
    assert kinds == {
        f"informational={k}": n for k, n in (("unmaintained", 244), ("unsound", 186), ("notice", 5))
    }


def test_what_narrows_a_match_becomes_conditions() -> None:
    go = {"imports": [{"path": "x/y", "symbols": ["A", "B"], "goos": ["windows"]}],
          "custom_ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.9"}]}]}  # fmt: skip
    crates = {"affects": {"os": ["windows"], "arch": ["x86_64"], "functions": []}}
    package = {"ecosystem": "Go", "name": "x"}
    item = decode({**BASE, "affected": [{"package": package, "ecosystem_specific": go},
                                        {"package": package, "ecosystem_specific": crates}]})  # fmt: skip
    assert item.affected[0].conditions == (
        "package=x/y symbols=A,B goos=windows",
        "in the project's own versions: introduced 0, fixed 1.9",
    )
    assert item.affected[1].conditions == ("os=windows", "arch=x86_64")


def test_severities_of_record_and_package_are_kept_with_their_source() -> None:
    vector = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
    item = decode({"id": "BIT-x-2024-1", "modified": "2024-01-01T00:00:00Z",
                   "affected": [{"severity": [{"type": "CVSS_V3", "score": vector}]}],
                   "severity": [{"type": "Ubuntu", "score": "medium"}],
                   "database_specific": {"severity": "High"}})  # fmt: skip
    assert {(s.system, s.vector, s.rating, s.source) for s in item.scores} == {
        ("Ubuntu", "", "medium", "bitnami"),
        ("CVSS_V3", vector, "", "bitnami"),
        ("bitnami", "", "High", "bitnami"),
    }


@pytest.mark.parametrize(
    ("record_id", "source"),
    [
        ("PYSEC-2024-1", "pypa"), ("GO-2024-1", "go-vulndb"), ("GHSA-aaaa-bbbb-cccc", "github"),
        ("RUSTSEC-2024-0001", "rustsec"), ("ALSA-2024:1", "almalinux"), ("ALEA-2024:1", "almalinux"),
        ("BIT-x-2024-1", "bitnami"), ("OSV-2024-1", "oss-fuzz"), ("DRUPAL-CORE-2024-1", "drupal"),
        ("EEF-CVE-2024-1", "eef"), ("PSF-2024-1", "psf"), ("HSEC-2024-1", "haskell"),
        ("RSEC-2024-1", "r-consortium"), ("DSA-1-1", "debian"), ("DLA-1-1", "debian"), ("USN-1-1", "ubuntu"),
        ("openSUSE-SU-2024:1", "suse"), ("NEWDB-1", "osv:NEWDB"),
    ],
)  # fmt: skip
def test_the_id_tells_whose_database_it_is(record_id: str, source: str) -> None:
    assert decode({**BASE, "id": record_id}).source == source


@pytest.mark.parametrize(
    ("record", "says"),
    [
        ({"modified": "2024-01-01T00:00:00Z"}, "`id` is missing"),
        ({**BASE, "id": "a b"}, "`id` is no identifier"),
        ({**BASE, "id": 7}, "`id` is not a string"),
        ({**BASE, "affected": {}}, "`affected` is not a list"),
        ({**BASE, "affected": ["x"]}, "`affected` holds something that is not an object"),
        ({**BASE, "aliases": [1]}, "`aliases` holds something that is not a string"),
        ({**BASE, "modified": "yesterday"}, "`modified` is no timestamp"),
        ({**BASE, "affected": [{"ranges": [{"type": "DATE", "events": []}]}]}, "a range has the type 'DATE'"),
        (
            {**BASE, "affected": [{"ranges": [{"type": "GIT", "events": [{"fixed": 3}]}]}]},
            "is not a version text",
        ),
    ],
)
def test_a_bad_record_names_its_place_and_what_is_wrong(record: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError) as caught:
        list(intake.decode("osv", json.dumps(record).encode(), "all.jsonl:17"))
    assert says in caught.value.what
    assert caught.value.where == "all.jsonl:17"


def test_the_version_of_a_record_grows_with_time() -> None:
    versions = []
    for modified in (
        "2024-01-02T03:04:05Z",
        "2024-01-02T03:04:05.5Z",
        "2024-01-02T05:04:06+02:00",
        "2024-01-02T03:04:07",
    ):
        (decoded,) = intake.decode("osv", json.dumps({**BASE, "modified": modified}).encode(), "x")
        assert isinstance(decoded, intake.Decoded)
        versions.append(decoded.version)
    assert versions == sorted(set(versions))
    assert versions[0] == "2024-01-02T03:04:05.000000Z"


def test_raw_bytes_are_kept_and_a_byte_order_mark_is_noted() -> None:
    data = b'\xef\xbb\xbf{"id": "X-1",  "modified": "2024-01-01T00:00:00Z"}'
    (decoded,) = intake.decode("osv", data, "x")
    assert isinstance(decoded, intake.Decoded)
    assert decoded.raw == data
    assert decoded.notes == ("it starts with a byte-order mark",)


@pytest.mark.parametrize(
    ("said", "disputes"),
    [
        ([{"party": "Vendor", "why": "A  feature,\nit is."}], (("Vendor", "A feature, it is."),)),
        ([{"party": "Vendor"}, {"party": "Other", "why": 7}], (("Vendor", ""), ("Other", ""))),
        ([{"why": "nobody"}, "text", {"party": ""}, {"party": 3}], ()),
        ("Vendor", ()),
        (None, ()),
        ([{"party": "V"}] * 100, (("V", ""),) * osv.MOST_DISPUTES),
    ],
)
def test_who_disputes_a_record_is_kept_and_anything_else_says_nothing(
    said: Any, disputes: tuple[tuple[str, str], ...]
) -> None:
    assert decode({**BASE, "database_specific": {"disputed_by": said}}).disputes == disputes
