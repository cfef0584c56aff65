"""The score of a CVSS vector: by published examples, and by what a source rates its own vectors."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearway.advisories.view import view
from clearway.formats.archive import walk
from clearway.formats.cvss_vector import score_of
from clearway.formats.report_parts import severity
from shared import shared
from world import record, table_of

V3, V4 = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N", "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H"


@pytest.mark.parametrize(
    ("vector", "score"),
    [
        ("AV:N/AC:M/Au:N/C:N/I:P/A:N", 4.3),  # CVE-2013-1937, CVSS 3.1 examples
        ("CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 6.1),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 6.1),
        ("CVSS:3.1/AV:L/AC:L/PR:H/UI:N/S:U/C:L/I:L/A:L", 4.2),  # by hand: 0.80 + 3.37, rounded up
        (f"{V3}/S:C/C:H/I:H/A:H", 10.0),
        (f"{V3}/S:U/C:N/I:N/A:N", 0.0),
        (f"{V4}/SC:H/SI:H/SA:H", 10.0),
        (f"{V4}/SC:N/SI:N/SA:N", 9.3),
    ],
)
def test_a_vector_has_the_score_of_its_standard(vector: str, score: float) -> None:
    assert score_of(vector) == score


def test_the_threat_metric_counts_in_cvss_4_and_not_in_a_base_score() -> None:
    assert score_of(f"{V3}/S:U/C:H/I:H/A:H/E:U/RL:O") == score_of(f"{V3}/S:U/C:H/I:H/A:H") == 9.8
    assert score_of(f"{V4}/SC:N/SI:N/SA:N/E:U") == 8.1


@pytest.mark.parametrize(
    "vector",
    [
        "",
        "9.8",
        "HIGH",
        V3,
        f"{V3}/S:U/C:H/I:H/A:X",
        "CVSS:5.0/AV:N",
        "CVSS:3.1/" + "AV:N/" * 100_000,
        "AV:N/AC:M/",
    ],
)
def test_what_is_no_whole_vector_has_no_score(vector: str) -> None:
    assert score_of(vector) is None


PARTS = st.sampled_from(
    [*V3.split("/"), *V4.split("/"), "S:U", "C:H", "I:L", "A:N", "E:", ":", "É:H", "SC:N"]
)


@given(st.one_of(st.text(max_size=60), st.lists(PARTS, max_size=14).map("/".join)))
def test_any_text_has_a_score_between_0_and_10_or_none(text: str) -> None:
    found = score_of(text)
    assert found is None or 0.0 <= found <= 10.0


def test_a_flaw_shows_the_score_of_a_vector_that_came_without(tmp_path: Path) -> None:
    severities = [
        {"type": "CVSS_V3", "score": f"{V3}/S:U/C:H/I:H/A:H"},
        {"type": "CVSS_V4", "score": "broken"},
    ]
    table = table_of(
        tmp_path, record("PYSEC-2026-1", "PyPI", "demo", {"introduced": "0"}, severity=severities)
    )
    scores = view(table, "PYSEC-2026-1")["cvss"]
    assert [(s["vector"], s["score"], s["rating"]) for s in scores] == [
        (f"{V3}/S:U/C:H/I:H/A:H", 9.8, ""),
        ("broken", None, ""),
    ]
    about = table.flaw("PYSEC-2026-1")
    assert about is not None
    assert about.best_score == 9.8


def test_every_vector_of_bitnami_has_the_score_that_bitnami_rates_it_by() -> None:
    seen = 0
    for piece in walk([str(shared("osv/bitnami.jsonl.zst"))]):
        item = json.loads(piece.data)  # type: ignore[union-attr]
        rating = item.get("database_specific", {}).get("severity")
        if not isinstance(rating, str):
            continue
        for affected in item["affected"]:
            for stated in affected.get("severity", ()):
                assert severity(score_of(stated["score"])) == rating.lower(), item["id"]
                seen += 1
    assert seen > 6000


def test_a_command_that_only_reads_does_not_pay_for_the_library() -> None:
    code = "import sys, clearway.exposure.commands, clearway.advisories.derived; print('cvss' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"False\n"
