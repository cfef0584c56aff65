"""The OpenAPI document, and the server held to it by a tool that we did not write."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import live_server
import osv_world
import refusals
from live_server import Live


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    table = osv_world.table(tmp_path_factory.mktemp("openapi") / "advisories.table")
    with live_server.over(table) as server:
        yield server


def test_the_document_is_openapi_3_1_and_describes_every_refusal_as_a_problem(live: Live) -> None:
    status, headers, document = live.ask("GET", "/api/v1/openapi.json")
    assert (status, headers["content-type"]) == (200, "application/vnd.oai.openapi+json")
    assert document["openapi"].startswith("3.1.")
    assert set(document["paths"]) == {
        *("/v1/query", "/v1/querybatch", "/v1/vulns/{identifier}"),
        *("/health/live", "/health/ready"),
    }
    for path in ("/v1/query", "/v1/querybatch"):
        answers = document["paths"][path]["post"]["responses"]
        assert set(answers) == {"200", "400", "408", "413", "414", "429", "431", "500", "503"}
        for code in set(answers) - {"200"}:
            assert list(answers[code]["content"]) == ["application/problem+json"]


@pytest.mark.parametrize("examples", [8, pytest.param(400, marks=pytest.mark.slow)])
def test_schemathesis_finds_nothing(live: Live, tmp_path: Path, examples: int) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{live.url}/api/v1/openapi.json"),
            *("--checks", "all", "--seed", "7", "--max-examples", str(examples), "--workers", "1"),
            # That a query asks for exactly one thing, once, is more than a schema can say.
            *("--exclude-checks", "positive_data_acceptance"),
            *("--generation-database", "none"),
        ],
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
        cwd=refusals.told(tmp_path),
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr
    assert "5 selected / 5 total" in done.stdout
    assert live.log.read_text() == ""
