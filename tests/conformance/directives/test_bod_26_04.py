"""BOD 26-04 and 22-01 against what CERT/CC and CISA publish."""

from __future__ import annotations

import csv
import io
import json
import tarfile
from collections import Counter
from datetime import date
from typing import Any

import pytest
import zstandard

from clearway.directives import Fact, Judge, decide, load
from clearway.records.advisory import Kev
from shared import shared

BOD = load("bod-26-04")
OLD = load("bod-22-01")
TABLE = "cisa_bod_26_04_1_0_0"


def member(archive: str, ending: str) -> bytes:
    """The bytes of the one file of a .tar.zst whose path ends so."""
    with (
        shared(archive).open("rb") as file,
        zstandard.ZstdDecompressor().stream_reader(file) as stream,
        tarfile.open(fileobj=stream, mode="r|") as tar,
    ):
        for entry in tar:
            if entry.isfile() and entry.name.endswith(ending):
                data = tar.extractfile(entry)
                assert data is not None
                return data.read()
    pytest.fail(f"{archive} holds no {ending}")


@pytest.fixture(scope="module")
def kev() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(member("kev/kev.tar.zst", "kev-2026.08.07.json"))
    return found


def test_all_sixteen_rows_equal_cert_ccs_json_table() -> None:
    table = json.loads(member("conformance/ssvc-decision-tables.tar.zst", f"{TABLE}.json"))
    assert len(table["mapping"]) == 16
    ids = {point.ssvc: point for point in BOD.points}
    assert BOD.outcome == table["outcome"]
    for mapping in table["mapping"]:
        inputs = {}
        for ssvc, key in mapping.items():
            if ssvc != BOD.outcome:
                point = ids[ssvc]
                value = next(value.id for value in point.values if value.ssvc == key)
                inputs[point.id] = Fact(point=point.id, value=value)
        assert decide(BOD, inputs).code == mapping[BOD.outcome], mapping


def test_the_decision_points_and_values_carry_cert_ccs_ids() -> None:
    table = json.loads(member("conformance/ssvc-decision-tables.tar.zst", f"{TABLE}.json"))
    for point in BOD.points:
        theirs = table["decision_points"][point.ssvc]
        assert point.name == theirs["name"]
        assert [value.ssvc for value in point.values] == [value["key"] for value in theirs["values"]]
    codes = [value["key"] for value in table["decision_points"][BOD.outcome]["values"]]
    assert [outcome.code for outcome in BOD.outcomes] == codes


def test_all_sixteen_rows_equal_cert_ccs_csv_table() -> None:
    text = member("conformance/ssvc-decision-tables.tar.zst", f"{TABLE}.csv").decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 16
    names = {
        "exposed": "Publicly Exposed v1.0.0 (cisa)",
        "kev": "In KEV v1.0.0 (cisa)",
        "automatable": "Automatable v2.0.0",
        "impact": "Technical Impact v1.0.0",
    }
    for row in rows:
        decision = decide(BOD, {p: Fact(point=p, value=row[name]) for p, name in names.items()})
        said = row["CISA BOD 26-04 Remediation Timelines v1.0.0 (cisa)"]
        assert said == decision.name.replace(" and forensic triage", " & forensic investigation")


@pytest.mark.parametrize(
    ("cve", "added", "due"),
    [("CVE-2026-20253", "2026-06-18", "2026-06-21"), ("CVE-2026-21962", "2026-08-24", "2026-08-27")],
)
def test_a_listed_item_without_metadata_has_the_date_that_cisa_printed(
    cve: str, added: str, due: str
) -> None:
    entry = Kev(cve=cve, date_added=date.fromisoformat(added))
    answer = Judge(BOD, exposure="unknown", as_of=date(2026, 12, 7)).due(cve, entry, True, None)
    assert str(answer.due) == due


def test_every_due_date_printed_under_bod_26_04_is_one_of_its_exposed_tiers(kev: dict[str, Any]) -> None:
    tiers = {
        BOD.outcome_of(row.code).days for row in BOD.rows if row.when["kev"] == row.when["exposed"] == "yes"
    }
    entries = [e for e in kev["vulnerabilities"] if "BOD 26-04" in e["notes"]]
    assert len(entries) >= 45
    for entry in entries:
        assert date.fromisoformat(entry["dateAdded"]) >= BOD.published
        spent = date.fromisoformat(entry["dueDate"]) - date.fromisoformat(entry["dateAdded"])
        assert spent.days in tiers, entry["cveID"]


def test_bod_22_01_against_the_catalogues_due_dates(
    kev: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """With the printed date the answer is that date; the directive's own terms explain a part of them."""
    # as of its last day: nothing is due under it from the day on which it was revoked
    judge = Judge(OLD, standing="binding", as_of=date(2026, 6, 9))
    explained: Counter[int] = Counter()
    total: Counter[int] = Counter()
    for entry in kev["vulnerabilities"]:
        added, due = date.fromisoformat(entry["dateAdded"]), date.fromisoformat(entry["dueDate"])
        if added >= BOD.published:
            continue
        printed = judge.due(entry["cveID"], Kev(cve="", date_added=added, due_date=due), True, None)
        assert printed.due == due
        bare = judge.due(entry["cveID"], Kev(cve="", date_added=added), True, None)
        assert bare.due is not None
        total[added.year] += 1
        explained[added.year] += bare.due == due
    with capsys.disabled():
        shares = ", ".join(f"{year}: {explained[year]} of {total[year]}" for year in sorted(total))
        print(f"\nBOD 22-01's own terms give the catalogue's date: {shares}")
    assert explained[2021] == 300
    assert total[2021] == 311
    assert sum(explained.values()) >= 400
