"""What is an id of a public flaw, and what is not."""

from __future__ import annotations

import pytest

from clearway.findings.dedup import flaw_id
from clearway.records.errors import InputError


@pytest.mark.parametrize(
    ("said", "read"),
    [
        (" cve-2024-3651 ", "CVE-2024-3651"),
        ("ghsa-JM77-qphf-c4w8", "GHSA-jm77-qphf-c4w8"),
        ("PYSEC-2024-60", "PYSEC-2024-60"),
        ("GO-2024-2611", "GO-2024-2611"),
        ("RHSA-2024:1234", "RHSA-2024:1234"),
        ("CWC-SVST-FPQR", "CWC-SVST-FPQR"),  # the eight are drawn, and may have no digit
        ("CWC-7Q4K-9M2X", "CWC-7Q4K-9M2X"),
        ("x_CWC-SVST-FPQR", "x_CWC-SVST-FPQR"),
    ],
)
def test_an_id_is_read_as_its_database_writes_it(said: str, read: str) -> None:
    assert flaw_id.read(said) == read


@pytest.mark.parametrize(
    "said",
    [
        "CVE-x",
        "CVE-2024-1",
        "CVE-2024-3651 or so",
        "GHSA-1",
        "it",
        "",
        "CVE-2024-\u0661\u0661\u0661\u0661",
        "A-" + "1" * 500,
    ],
)
def test_what_is_none_is_refused(said: str) -> None:
    with pytest.raises(InputError, match="no id of a public flaw"):
        flaw_id.read(said)
