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
            "release": "", "purl": "", "place": "", "cwe": "", "severity": "", "state": "queued", "state_why": "",
            "level": 0, "level_why": "", "case_id": None, "received": now, "changed": now, "version": 1, **more,
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
