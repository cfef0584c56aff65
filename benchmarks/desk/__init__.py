"""The findings desk's pages with 10,000 findings and 1,000 cases: how long the server takes for each, as its reader.

Each page is asked whole, as a browser asks first, of the product's own application over PostgreSQL, its interpreter
set as the server's: guard, row-level policies, queries, template. What a browser does after is not in it. The yardstick
is the smallest page that a signed-in reader can ask for, which is what any page costs.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from litestar.testing import TestClient

from benchmarks._measure import goal
from clearway.advisories.stored_records import StoredRecords
from clearway.advisories.table import TABLE_FILE
from clearway.app.server import build, settle
from clearway.app.workspace import Workspace
from clearway.http.session_cookie import SESSION_COOKIE_PLAIN
from clearway.store.migrate import migrate
from clearway.store.server import lease

from .world import World

TIMES = 20
LIMIT_MS = 100.0


def run() -> dict[str, Any]:
    """The rows, and the goals of pages."""
    with tempfile.TemporaryDirectory() as folder, lease(Path(folder) / "home") as url:
        home = Path(folder) / "home"
        migrate(url)
        world = World(url, home)
        settle()
        with _client(home, url) as http:
            least = _timed(http, world.coordinator, "/leases/whose")
            rows: list[dict[str, Any]] = [
                {"page": page, "as": role, **_timed(http, secret, path), "to the least page": 0.0}
                for page, role, secret, path in pages(world)
            ]
    for row in rows:
        row["to the least page"] = row["p50_ms"] / least["p50_ms"]
    slowest = max(rows, key=lambda row: row["p50_ms"])
    return {
        "rows": [{"page": "the least", "as": "coordinator", **least}, *rows],
        "goals": [
            goal(
                f"the slowest page ({slowest['page']}, {slowest['as']}), median",
                LIMIT_MS,
                slowest["p50_ms"],
                "ms",
            ),
            goal("the slowest page, nine of ten times", LIMIT_MS, max(row["p90_ms"] for row in rows), "ms"),
        ],
    }


def pages(world: World) -> list[tuple[str, str, str, str]]:
    """(page, who reads it, the secret of their session, path)."""
    desk, finder, maintainer = world.coordinator, world.finder, world.maintainer
    one, other = world.pair
    return [
        ("triage", "coordinator", desk, "/cases/triage"),
        ("findings", "coordinator", desk, "/findings"),
        ("findings by level", "coordinator", desk, "/findings?sort=-level"),
        ("finding", "coordinator", desk, f"/findings/{world.finding}"),
        ("evidence", "coordinator", desk, f"/findings/{world.finding}/evidence"),
        ("pairs", "coordinator", desk, "/findings/duplicates"),
        ("duplicates", "coordinator", desk, f"/findings/{one}/duplicates?with={other}"),
        ("cases", "coordinator", desk, "/cases"),
        ("case room", "coordinator", desk, f"/cases/{world.case}"),
        ("leases", "coordinator", desk, "/leases"),
        ("my findings", "finder", finder, "/findings"),
        ("my finding", "finder", finder, f"/findings/{world.finding}"),
        ("my leases", "finder", finder, "/leases"),
        ("lease", "finder", finder, f"/leases/{world.lease}"),
        ("limits", "finder", finder, "/findings/limits"),
        ("waits for you", "maintainer", maintainer, "/cases/mine"),
        ("cases", "maintainer", maintainer, "/cases"),
    ]


def _client(home: Path, url: str) -> TestClient[Any]:
    app = build(home / TABLE_FILE, StoredRecords(url), workspace=Workspace(home, url))
    return TestClient(app, base_url="http://clearway.local")


def _timed(http: TestClient[Any], secret: str, path: str) -> dict[str, float]:
    headers = {"accept": "text/html", "cookie": f"{SESSION_COOKIE_PLAIN}={secret}"}
    took = []
    for n in range(TIMES + 3):
        begun = time.perf_counter()
        answer = http.get(path, headers=headers, follow_redirects=False)
        done = time.perf_counter() - begun
        if answer.status_code != 200:
            raise AssertionError(f"{path} answered {answer.status_code}: {answer.text[:500]}")
        if n >= 3:  # connections and templates are made by then
            took.append(done * 1_000)
    ordered = sorted(took)
    return {"p50_ms": statistics.median(ordered), "p90_ms": ordered[int(len(ordered) * 0.9)]}
