"""A finding that is handed on says the same at the next desk, with its provenance untouched and a hop more."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from clearway.findings import kept
from clearway.findings.desk_key import DeskKey
from clearway.findings.intake import gates, onward, receipt
from clearway.formats.reported import read_reports
from clearway.formats.reported_parts import Reported
from clearway.records.errors import TooLargeError
from report_documents import csaf, dump, mail, own, sarif, vince

FORMS = {
    "own": dump(own()),
    "sarif": dump(sarif()),
    "csaf": dump(csaf()),
    "vince": dump(vince()),
    "mail": mail(),
}


def finding(**more: Any) -> kept.Finding:
    now = datetime(2026, 11, 25, tzinfo=UTC)
    return kept.Finding(
        **{
            "id": 1, "handling": "CWF-7Q4K-9M2X", "org": 1, "organisation": "lab", "aud": 1, "person": 1, "live": True,
            "digest": "0" * 64, "part": "", "format": "clearway-finding", "title": "t", "ecosystem": "", "package": "",
            "release": "", "purl": "", "place": "", "cwe": "", "severity": "", "publishes": None, "state": "queued",
            "state_why": "", "level": 0, "level_why": "", "case_id": None, "received": now,
            "changed": now, "version": 1, **more,
        }
    )  # fmt: skip


def one(data: bytes) -> Reported:
    (report,) = read_reports(data).reports
    return report


@pytest.mark.parametrize("name", FORMS)
def test_what_is_handed_on_says_the_same(name: str, tmp_path: Path) -> None:
    before = one(FORMS[name])
    signed = receipt.make(DeskKey.of_home(tmp_path), finding(), gates.judge(before))
    after = one(onward.document(before, finding(), signed, desk="desk-1"))
    for field in (
        "title",
        "ecosystem",
        "package",
        "release",
        "purl",
        "cwe",
        "severity",
        "trace",
        "ruled_out",
        "where",
    ):
        assert getattr(after, field) == getattr(before, field), field
    assert after.provenance == before.provenance
    assert after.reproduction == before.reproduction
    assert {f.data for f in after.files} >= {f.data for f in before.files}
    assert (before.raw in [f.data for f in after.files]) is (name != "own"), "another form goes along whole"
    (hop,) = after.hops
    assert json.loads(hop)["receipt"] == json.loads(signed)
    assert gates.judge(after) == gates.judge(before)


def test_hops_are_kept_byte_for_byte_and_bounded() -> None:
    report = one(FORMS["own"])
    seen: tuple[bytes, ...] = ()
    for n in range(50):
        report = one(onward.document(report, finding(), "", desk=f"desk-{n}"))
        assert report.hops[:n] == seen
        seen = report.hops
    with pytest.raises(TooLargeError, match="50 desks"):
        onward.document(report, finding(), "", desk="one too many")


ODD = (
    b'{ "finders" : [ {"name":"\\u00c5ke  \\/ x", "n": 1.0, "e":1E3, "big": 123456789012345678901234567890} ],'
    b'\t"z":{"a":[ ] } }'
)


LOG = (
    '{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"t"}}, "properties": {"clearway": RUN},\n'
    '"results":[{"message":{"text":"m"},"ruleId":"r","properties":{"tags":[],"clearway": RESULT}}]}]}'
)


def sarif_with(of_run: str, of_result: str) -> bytes:
    """A log whose run and result have these blocks, as they are written."""
    return LOG.replace("RUN", of_run).replace("RESULT", of_result).encode()


@pytest.mark.parametrize(
    ("of_run", "of_result"),
    [
        ("{}", '{"purl":"pkg:pypi/a@1", "provenance": BLOCK}'),
        ('{"provenance":BLOCK , "purl":"pkg:pypi/a@1"}', "{}"),
        ('{"provenance":BLOCK}', '{"purl":"pkg:pypi/a@1"}'),
        ('{"provenance":{"of":"the run"}}', '{"provenance":BLOCK}'),
    ],
    ids=["of the result", "of the run", "of the run, beside a block of the result", "of both"],
)
def test_the_provenance_of_a_sarif_log_goes_over_two_desks_byte_for_byte(of_run: str, of_result: str) -> None:
    block = ODD.decode()
    report = one(sarif_with(of_run.replace("BLOCK", block), of_result.replace("BLOCK", block)))
    assert report.provenance == ODD
    assert one(report.raw).provenance == ODD, "as it is read again from what is sealed"
    assert one(report.raw).raw == report.raw
    for desk in ("one", "two"):
        sent = onward.document(report, finding(), "", desk=desk)
        assert ODD in sent
        report = one(sent)
    assert report.provenance == ODD


def test_the_recipe_of_a_sarif_log_is_kept_as_it_was_sent() -> None:
    recipe = b'{"b":1,   "a":[1.50, 1E2]}'
    report = one(sarif_with(f'{{"reproduction":{{"recipe":{recipe.decode()}}}}}', "{}"))
    assert report.reproduction.recipe == one(report.raw).reproduction.recipe == recipe


def test_the_provenance_of_each_csaf_vulnerability_is_the_documents_byte_for_byte() -> None:
    document = csaf()
    document["vulnerabilities"] *= 2
    document["vulnerabilities"][1] = {**document["vulnerabilities"][1], "title": "Another"}
    said = b'[ {"names":["\\u00c5 \\/"],   "n":1E3} ]'
    document["document"]["acknowledgments"] = "HERE"
    data = dump(document).replace(b'"HERE"', said)
    reports = read_reports(data).reports
    assert len(reports) == 2
    for report in reports:
        assert b'"acknowledgments":' + said in report.provenance
        assert one(report.raw).provenance == report.provenance


@pytest.mark.parametrize(
    "place",
    [
        {"file": "src/my file.c", "line": 7, "function": "f"},
        {"file": "", "line": 0, "function": "ns::f(int a)"},
        {"file": "a b:3 c.py", "line": 12, "function": "operator ()(int a, char *b)"},
        {"file": "", "line": 9, "function": "f"},
        {"file": "only a file", "line": 0, "function": ""},
        {"file": "", "line": 0, "function": ""},
        {"file": "f" * 300, "line": 10_000_000, "function": "g" * 300},
    ],
)
def test_a_place_is_the_same_behind_two_desks(place: dict[str, Any]) -> None:
    report = first = one(dump(own(place=place)))
    for desk in ("one", "two"):
        sent = onward.document(report, finding(), "", desk=desk)
        told = {"file": "", "line": 0, "function": "", **json.loads(sent)["place"]}
        assert told == place
        report = one(sent)
    assert (report.at, report.where) == (first.at, first.where)


def test_a_place_that_was_added_later_is_handed_on_in_its_parts() -> None:
    from clearway.formats.reported_own import with_more

    place = {"file": "my file.c", "line": 3, "function": "f(int a)"}
    more = with_more(one(dump(own())), dump({"place": place}))
    assert json.loads(onward.document(more, finding(), "", desk="d"))["place"] == place
    untouched = with_more(more, dump({"cwe": "CWE-1"}))
    assert untouched.at == more.at
