"""A client that we did not write: pip-audit, pointed at a running server."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import live_server
import osv_world

REQUIREMENTS = """\
example-web==2.0
example-clean==1.0
example.zope_thing==2.9
example-cve==1.5
"""
EXPECTED = {
    "example-web": {"PYSEC-TEST-1": (["CVE-2026-0001"], ["2.0.1"])},
    "example-clean": {},
    "example-zope-thing": {"PYSEC-TEST-3": ([], ["3.0"])},
    "example-cve": {"CVE-2026-0007": (["GHSA-test-0007"], [])},
}


def test_pip_audit_reports_exactly_what_the_records_say(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text(REQUIREMENTS)
    table = osv_world.table(tmp_path / "advisories.table")
    with live_server.over(table) as server:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pip_audit", "--vulnerability-service", "osv"),
                *("--osv-url", f"{server.url}/v1/query", "-r", str(tmp_path / "requirements.txt")),
                *("--no-deps", "--disable-pip", "-f", "json", "--progress-spinner", "off"),
                *("--cache-dir", str(tmp_path / "cache")),
            ],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1, done.stderr  # it found something
    found = {
        one["name"]: {v["id"]: (v["aliases"], v["fix_versions"]) for v in one["vulns"]}
        for one in json.loads(done.stdout)["dependencies"]
    }
    assert found == EXPECTED
