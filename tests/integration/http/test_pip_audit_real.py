"""pip-audit against a server that took in the real PyPI advisories, held to an oracle of its own.

The oracle reads each record's raw JSON and orders versions with `packaging`, as the OSV schema
describes its evaluation; it shares no code with the server.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zstandard
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

import live_server
from live_server import Live
from shared import shared

PINNED = {
    "aiohttp": "3.8.1",
    "certifi": "2021.5.30",
    "cryptography": "3.2",
    "django": "3.2.1",
    "flask": "0.12",
    "jinja2": "2.10",
    "lxml": "4.6.2",
    "numpy": "1.26.0",
    "pillow": "8.1.0",
    "pyyaml": "5.3",
    "requests": "2.19.0",
    "six": "1.16.0",
    "urllib3": "1.26.4",
}
_CLI = "import sys; from clearway.app.cli import main; sys.exit(main())"
_SERVE = """
import sys
from pathlib import Path
from clearway.app.server import serve
serve(Path(sys.argv[1]), "127.0.0.1", 0)
"""


@pytest.fixture(scope="module")
def advisories() -> Path:
    return shared("osv/pypi.jsonl.zst")


@pytest.fixture(scope="module")
def live(advisories: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    home = tmp_path_factory.mktemp("pip-audit")
    taken = subprocess.run(
        [sys.executable, "-c", _CLI, "--home", str(home), "ingest", str(advisories)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert taken.returncode in (0, 10), taken.stderr
    with live_server.started([sys.executable, "-c", _SERVE, str(home)], home / "log") as server:
        yield server


def raw_records(archive: Path) -> Iterator[dict[str, Any]]:
    with archive.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as stream:
        for line in stream.read().splitlines():
            if line.strip():
                yield json.loads(line)


def affects(record: dict[str, Any], name: str, version: str) -> bool:
    """The OSV schema's evaluation: listed, or behind an `introduced` and before its end."""
    at = Version(version)
    for affected in record.get("affected", []):
        package = affected.get("package", {})
        if package.get("ecosystem") != "PyPI" or canonicalize_name(package.get("name", "")) != name:
            continue
        if any(same(at, listed) for listed in affected.get("versions", [])):
            return True
        for stated in affected.get("ranges", []):
            if stated["type"] == "ECOSYSTEM" and inside(at, stated["events"]):
                return True
    return False


def same(at: Version, listed: str) -> bool:
    try:
        return Version(listed) == at
    except InvalidVersion:
        return False


def inside(at: Version, events: list[dict[str, str]]) -> bool:
    state = False
    points = [(kind, text) for event in events for kind, text in event.items()]
    for kind, text in sorted(points, key=lambda p: Version("0.dev0" if p[1] == "0" else p[1])):
        point = Version("0.dev0" if text == "0" else text)
        if kind == "introduced" and point <= at:
            state = True
        elif (kind == "fixed" and point <= at) or (kind == "last_affected" and point < at):
            state = False
    return state


@pytest.mark.slow
def test_pip_audit_reports_what_an_independent_reading_of_the_records_gives(
    live: Live, advisories: Path, tmp_path: Path
) -> None:
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("".join(f"{name}=={version}\n" for name, version in PINNED.items()))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip_audit", "--vulnerability-service", "osv"),
            *("--osv-url", f"{live.url}/v1/query", "-r", str(requirements)),
            *("--no-deps", "--disable-pip", "-f", "json", "--progress-spinner", "off"),
            *("--cache-dir", str(tmp_path / "cache")),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    found = {
        one["name"]: sorted(vuln["id"] for vuln in one["vulns"])
        for one in json.loads(done.stdout)["dependencies"]
    }
    expected: dict[str, list[str]] = {name: [] for name in PINNED}
    for record in raw_records(advisories):
        if "withdrawn" not in record:
            for name, version in PINNED.items():
                if affects(record, name, version):
                    expected[name].append(record["id"])
    assert {name: sorted(ids) for name, ids in expected.items()} == found
    assert sum(map(len, found.values())) > 50
    assert found["six"] == []
