"""What a directive's pages cost at size: the cockpit, the figures that follow it, and a draft seven-day report.

Asked of the whole application in this process, as a browser asks: by somebody of the largest organisation, with a fifth
of all assets, and by one of a small one. A cockpit counts at most so many items itself, and the rest after it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from litestar.testing import TestClient

from clearway.access import credential, person
from clearway.advisories.stored_records import StoredRecords
from clearway.advisories.table import TABLE_FILE
from clearway.app.server import build
from clearway.app.workspace import Workspace
from clearway.store.principal import Pool

DIRECTIVE = "bod-26-04"
TIMES = 5
_NTH = {"large": 0, "small": 7}
# The name of each question, and its address.
COCKPIT, FIGURES, REPORT = "cockpit page", "cockpit's figures", "draft seven-day report"
_ASKED = (
    (COCKPIT, f"/directives/{DIRECTIVE}"),
    (FIGURES, f"/directives/{DIRECTIVE}/figures"),
    (REPORT, f"/api/v1/directives/draft/{DIRECTIVE}/seven_day"),
)


def asked(db: psycopg.Connection[Any], pool: Pool, home: Path, url: str) -> Iterator[dict[str, Any]]:
    """A row for each question and reader: milliseconds of the whole request, and the exposures of the organisation."""
    app = build(home / TABLE_FILE, StoredRecords(url), workspace=Workspace(home, url))
    with TestClient(app, base_url="http://clearway.local") as http:
        for reader, nth in _NTH.items():
            org, exposures = db.execute(
                """select o.org, (select count(*) from clearway.exposure e where e.org = o.org and e.gone is null)
                from bench_org o where o.nth = %s""",
                (nth,),
            ).fetchone() or (0, 0)
            with pool.owner() as owner:
                who = person.add(owner, org, f"reader of {reader}", ("operator",))
                secret = credential.make_session(owner, who.person, by="code", now=datetime.now(UTC)).secret
            for name, path in _ASKED:
                times, size = [], 0
                for _ in range(TIMES + 1):
                    begun = time.perf_counter()
                    answer = http.get(path, headers={"cookie": f"clearway={secret}"})
                    times.append((time.perf_counter() - begun) * 1000)
                    if answer.status_code == 413 and name == REPORT:  # more rows than one report may have
                        break
                    if answer.status_code != 200:
                        raise RuntimeError(f"{path}: {answer.status_code} {answer.text[:300]}")
                    size = len(answer.content)
                ordered = sorted(times[1:])  # the first one warms
                if not ordered:
                    yield {
                        "row": f"{name}, reader of {reader}",
                        "exposures": exposures,
                        "refused": "too large",
                    }
                    continue
                yield {
                    "row": f"{name}, reader of {reader}",
                    "exposures": exposures,
                    "n": TIMES,
                    "p50_ms": round(ordered[TIMES // 2], 1),
                    "max_ms": round(ordered[-1], 1),
                    "us_an_exposure": round(ordered[TIMES // 2] * 1000 / max(exposures, 1), 1),
                    "bytes": size,
                }
