"""Routes for the signed-in, held to their own description by a tool that we did not write, with a real token."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import refusals
from manners_world import Manners


def fuzz(manners: Manners, secret: str, folder: Path, examples: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{manners.live.url}/api/v1/openapi.json"),
            *("--checks", "all", "--seed", "7", "--max-examples", str(examples), "--workers", "1"),
            # That a number names a thing, a header a version, or a cursor a place is more than a schema can say.
            *("--exclude-checks", "positive_data_acceptance,missing_required_header"),
            # It never ends by itself.
            *("--exclude-path", "/api/v1/events/live"),
            *("--exclude-path-regex", "^/(streams|health)"),
            *("--header", f"Authorization: Bearer {secret}"),
            *("--generation-database", "none", "--max-failures", "10"),
        ],
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
        cwd=refusals.told(folder),
    )


@pytest.mark.slow  # a few examples of each route are asked for by test_whole_api
@pytest.mark.parametrize("examples", [100])
def test_schemathesis_finds_nothing_as_an_administrator(
    manners: Manners, tmp_path: Path, examples: int
) -> None:
    admin = manners.people.somebody(manners.ours, "administrator")
    done = fuzz(manners, admin.secret, tmp_path, examples)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr
    assert manners.ask("GET", "/api/v1/things")[0] == 200
