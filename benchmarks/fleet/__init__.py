"""The kept fleet at size: one record against everybody, one inventory against everything, all anew, first pages, and
the cockpit of a directive with its report.

By default it grows to 3,000 inventories and 0.3 million components, ten times as large at each step;
`CLEARWAY_BENCH_FULL=1` grows it to 100,000 and 10 million, which takes some ten minutes to build. `CLEARWAY_BENCH_HOME`
names a home whose advisories are loaded already.
"""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from benchmarks._measure import CLEARWAY, ROOT, goal, shared_data
from clearway.access import credential, person
from clearway.advisories.table import TABLE_FILE, Table
from clearway.exposure.fleet import asset, listing, prepare, take, whom
from clearway.exposure.fleet.wanted import Filter
from clearway.records.inventory import Component, Inventory
from clearway.store.connect import connect
from clearway.store.migrate import migrate
from clearway.store.principal import Pool
from clearway.store.server import lease

from . import build, cockpit

DAY = date(2026, 11, 25)
FOLDERS = ("osv", "kev", "epss", "vulnrichment")
VERSIONS = 500_000  # distinct, of 10 million components
SIZES = (300, 3_000)  # inventories of 100 components
FULL_SIZES = (1_000, 10_000, 100_000)
COLD, WARMING, AT_WORK = 25, 75, 50  # inventories of one organisation, one after another
_GOALS = (
    ("a new record to the list of affected assets, p99", 20.0, "ms"),
    ("a new inventory of 1,000 components to committed exposures, median", 50.0, "ms"),
    ("everything matched anew", 8.0, "s"),
    ("everything matched anew, peak", 2_500.0, "MB"),
    ("first page by due date, severity or EPSS, slowest median", 100.0, "ms"),
    ("cockpit page of a directive, organisations of up to 100,000 exposures, slowest median", 1_000.0, "ms"),
    ("draft seven-day report, an exposure of the largest organisation that has one", 250.0, "us"),
)


def run() -> dict[str, Any]:
    """The rows of each size, and the goals at the largest."""
    data = shared_data()
    if data is None:
        return {"rows": [], "goals": [goal(text, limit, None, unit) for text, limit, unit in _GOALS]}
    full = bool(os.environ.get("CLEARWAY_BENCH_FULL"))
    rows: list[dict[str, Any]] = []
    with ExitStack() as stack:
        home = Path(
            os.environ.get("CLEARWAY_BENCH_HOME") or stack.enter_context(tempfile.TemporaryDirectory())
        )
        if not (home / TABLE_FILE).is_file():
            _load(home, data)
        url = stack.enter_context(lease(home))
        migrate(url)
        table = Table.of_home(home)
        db = stack.enter_context(connect(url, autocommit=True, application_name="clearway bench"))
        db.execute("create temporary table bench_org (nth int primary key, org int, aud int)")
        begun = time.perf_counter()
        drawn = build.components(table, data, VERSIONS if full else VERSIONS // 10)
        found = drawn.found
        build.dictionary_of(db, table, found, home, DAY)
        build.organisations(db)
        rows.append(
            {
                "row": "dictionary and first answers",
                "versions": len(found),
                "s": round(time.perf_counter() - begun, 1),
            }
        )
        pool = stack.enter_context(Pool(url))
        readers = _readers(pool, db)
        figures: dict[str, float] = {}
        for assets in FULL_SIZES if full else SIZES:
            begun = time.perf_counter()
            size = build.grow(db, drawn, assets, DAY)
            rows.append(
                {
                    "row": f"{assets:,} inventories",
                    **size,
                    "load": round(os.getloadavg()[0], 1),
                    "built_s": round(time.perf_counter() - begun, 1),
                }
            )
            _progress(rows[-1])
            rows += _measured(db, pool, table, home, readers, drawn, assets, figures)
    return {"rows": rows, "goals": [goal(text, limit, figures[text], unit) for text, limit, unit in _GOALS]}


def _progress(row: dict[str, Any]) -> None:
    print(row, file=sys.stderr, flush=True)


def _load(home: Path, data: Path) -> None:
    done = subprocess.run(
        [*CLEARWAY, "--home", str(home), "--quiet", "ingest", *(str(data / f) for f in FOLDERS)],
        stdout=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode not in (0, 10):
        raise RuntimeError(f"the intake ended with {done.returncode}")


def _readers(pool: Pool, db: psycopg.Connection[Any]) -> dict[str, str]:
    """Keys of an operator of the largest organisation, one of a small one, and one who sees all thousand."""
    orgs = dict(db.execute("select nth, org from bench_org").fetchall())
    keys = {}
    with pool.owner() as owner:
        for name, members in (("large", [0]), ("small", [7]), ("all", range(build.ORGS))):
            made = person.add(owner, orgs[members[0]], name, ("operator",))
            for n in list(members)[1:]:
                owner.execute(
                    "insert into clearway.membership (person, org, role) values (%s, %s, 'operator')",
                    (made.person, orgs[n]),
                )
            owner.execute("select clearway.rebadge(%s)", (made.person,))
            token = credential.make_session(owner, made.person, by="code", now=datetime.now(UTC))
            keys[name] = token.key
    return keys


def _measured(
    db: psycopg.Connection[Any],
    pool: Pool,
    table: Table,
    home: Path,
    readers: dict[str, str],
    drawn: build.Pool,
    assets: int,
    figures: dict[str, float],
) -> list[dict[str, Any]]:
    chance = random.Random(build.SEED)  # noqa: S311 - to choose, not to hide
    rows: list[dict[str, Any]] = [_records(db, table, chance)]
    _progress(rows[-1])
    figures[_GOALS[0][0]] = rows[-1]["p99_ms"]
    for row in _inventories(db, pool, table, drawn, chance, assets):
        rows.append(row)
        _progress(row)
    figures[_GOALS[1][0]] = rows[-1]["p50_ms"]
    rows.append(_all_anew(db, table, home))
    _progress(rows[-1])
    figures[_GOALS[2][0]] = rows[-1]["s"]
    figures[_GOALS[3][0]] = rows[-1]["peak_mb"]
    pages = list(_pages(pool, readers))
    for page in pages:
        _progress(page)
    figures[_GOALS[4][0]] = max(p["p50_ms"] for p in pages if p["sort"] in ("due", "severity", "epss"))
    directives = []
    for row in cockpit.asked(db, pool, home, os.environ.get("CLEARWAY_DATABASE_URL") or _url(db)):
        directives.append(row)
        _progress(row)
    figures[_GOALS[5][0]] = max(
        r["p50_ms"] for r in directives if r["row"].startswith(cockpit.COCKPIT) and r["exposures"] <= 100_000
    )
    figures[_GOALS[6][0]] = next(
        r["us_an_exposure"] for r in directives if r["row"].startswith(cockpit.REPORT) and "p50_ms" in r
    )
    return [*rows, *pages, *directives]


def _records(db: psycopg.Connection[Any], table: Table, chance: random.Random) -> dict[str, Any]:
    """Records that somebody's components meet, each as if it were new."""
    ids = [r[0] for r in db.execute(
        "select r from (select distinct unnest(records) as r from clearway.answer) x order by md5(r) limit 400"
    )]  # fmt: skip
    times, hit = [], []
    cpu = _Cpu(db)
    for record in ids:
        packages = {p for note in table.records(record) for p in note.packages}
        packages |= {("go-folded", n.lower()) for e, n in packages if e == "Go"}
        begun = time.perf_counter()
        with db.transaction():
            found = whom.assets_hit(db, table, packages, record)
        times.append((time.perf_counter() - begun) * 1000)
        hit.append(len(found))
    return {
        "row": "a new record to its assets",
        **_spread(times),
        "cpu_ms": cpu.ms(len(ids)),
        "assets_mean": sum(hit) // len(hit),
        "assets_max": max(hit),
    }


def _inventories(
    db: psycopg.Connection[Any],
    pool: Pool,
    table: Table,
    drawn: build.Pool,
    chance: random.Random,
    assets: int,
) -> list[dict[str, Any]]:
    """Inventories of 1,000 components, one in a hundred of which nobody had before; taken by their organisation.

    The first come as they do after a start or a bulk load, when what they touch is read from disk and, after a
    checkpoint, written to the log of the database page by page. The last meet a server that has been at work.
    """
    org = (db.execute("select org from bench_org where nth = 3").fetchone() or (0,))[0]
    with pool.owner() as owner:
        who = person.add(owner, org, f"operator {assets}", ("operator",))
        key = credential.make_session(owner, who.person, by="code", now=datetime.now(UTC)).key
    times: list[float] = []
    spent: list[float] = []
    exposed = []
    for n in range(COLD + WARMING + AT_WORK):
        some = [_draw(drawn, chance) for _ in range(990)]
        fresh = [
            Component(ecosystem="PyPI", name=f"new-{assets}-{n}-{i}-{os.getpid()}", version="1.0")
            for i in range(10)
        ]
        raw = bytes(str(some), "utf-8")[:200_000]
        written = msgspec.msgpack.encode((*some, *fresh))
        with pool.acting(key) as acting:
            which = asset.add(
                acting, org, f"new-{assets}-{n}-{os.getpid()}", exposure="public", since=DAY
            ).asset
        # Made of bytes just now, as by parsing, and not of what lies all over the memory of a benchmark.
        components = msgspec.msgpack.decode(written, type=tuple[Component, ...])
        inventory = Inventory(name="sbom", format="cyclonedx", components=components)
        cpu = _Cpu(db)
        begun = time.perf_counter()
        with pool.owner() as owner:
            prepared = prepare.one(owner, table, inventory, DAY)
        with pool.acting(key) as acting:
            taken = take.take(acting, which, prepared, raw, day=DAY, witness="bench")
        times.append((time.perf_counter() - begun) * 1000)
        exposed.append(len(taken.appeared))
        spent.append(cpu.ms(1))
    return [
        {
            "row": name,
            **_spread(times[which]),
            "cpu_ms": round(statistics.mean(spent[which]), 2),
            "exposures_mean": sum(exposed) // len(exposed),
        }
        for name, which in (
            ("a new inventory of 1,000, the first after a start or a bulk load", slice(3, COLD)),
            ("a new inventory of 1,000", slice(-AT_WORK, None)),
        )
    ]


def _draw(pool: build.Pool, chance: random.Random) -> Component:
    kind, r = chance.random(), chance.random()
    if kind < 0.85:
        return pool.found[int(pool.real * r**2.2)]
    if kind < 0.97:
        return pool.found[pool.real + int(pool.other * r)]
    return pool.found[pool.real + pool.other + int(pool.named * r)]


def _all_anew(db: psycopg.Connection[Any], table: Table, home: Path) -> dict[str, Any]:
    """Every version against the whole table, in a process of its own; then the judge alone, as yardstick."""
    program = (
        "import sys, time, resource\nfrom pathlib import Path\nfrom datetime import date\n"
        "from clearway.advisories.table import Table\nfrom clearway.store.connect import connect\n"
        "from clearway.exposure.fleet import rematch\nfrom benchmarks.fleet import _stat\n"
        "home = Path(sys.argv[2])\ntable = Table.of_home(home)\n"
        "with connect(sys.argv[1], autocommit=True) as db, db.transaction():\n"
        "    begun = time.perf_counter()\n"
        "    done = rematch.rematch(db, table, home, date(2026, 11, 25))\n"
        "    print(time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,"
        " done.versions, done.judged, done.changed,"
        " time.process_time() + _stat(db.info.backend_pid)[0])\n"
    )
    url = os.environ.get("CLEARWAY_DATABASE_URL") or _url(db)
    out = subprocess.run(
        [sys.executable, "-c", program, url, str(home)], capture_output=True, text=True, check=True, cwd=ROOT
    )
    seconds, peak, versions, judged, changed, cpu = out.stdout.splitlines()[-1].split()
    from clearway.exposure.fleet import answer, dictionary

    sample = [
        r[0] for r in db.execute("select pv from clearway.package_version order by md5(pv::text) limit 20000")
    ]
    asker = answer.Asker(table, DAY)
    begun = time.perf_counter()
    answer.ask(asker, dictionary.components(db, sample))
    loop = (time.perf_counter() - begun) / len(sample) * int(versions)
    return {
        "row": "everything matched anew", "s": round(float(seconds), 2), "cpu_s": round(float(cpu), 2),
        "peak_mb": round(float(peak)),
        "versions": int(versions), "judged": int(judged), "changed": int(changed),
        "judge_alone_s": round(loop, 2), "of_judge_alone": round(float(seconds) / loop, 3),
    }  # fmt: skip


def _url(db: psycopg.Connection[Any]) -> str:
    from urllib.parse import quote

    return f"postgresql://{db.info.user}@/{db.info.dbname}?host={quote(db.info.host, safe='')}&port={db.info.port}"


def _pages(pool: Pool, readers: dict[str, str]) -> Any:
    for who, key in readers.items():
        for sort in ("due", "severity", "epss", "kev"):
            times = []
            with pool.acting(key) as db:
                cpu = _Cpu(db)
            for _ in range(9):
                begun = time.perf_counter()
                with pool.acting(key) as db:
                    page = listing.page(db, Filter(yes={"status": ("open",)}), sort=sort)
                times.append((time.perf_counter() - begun) * 1000)
            row = {
                "row": f"first page, reader of {who}",
                "sort": sort,
                **_spread(times[1:]),
                "cpu_ms": cpu.ms(9),
                "lines": len(page.lines),
            }
            if who == "large" and sort == "severity":
                with pool.acting(key) as db:
                    begun = time.perf_counter()
                    db.execute(_SORTED).fetchall()
                row["sorting_all_ms"] = round((time.perf_counter() - begun) * 1000, 1)
                row["of_sorting_all"] = round(row["p50_ms"] / row["sorting_all_ms"], 4)
            yield row


# The yardstick: what is visible, joined and sorted.
_SORTED = """select e.exposure from clearway.exposure e join clearway.flaw f using (flaw)
where e.gone is null and e.status = 0 order by f.score desc, f.flaw, e.exposure limit 50"""


class _Cpu:
    """Processor time of this process and of the database, which other work on the machine does not lengthen."""

    def __init__(self, db: psycopg.Connection[Any]) -> None:
        self._postmaster = _stat(db.info.backend_pid)[1]
        self._begun = self._now()

    def ms(self, times: int) -> float:
        """Milliseconds since it was made, each of so many times."""
        return round((self._now() - self._begun) * 1000 / times, 2)

    def _now(self) -> float:
        total = time.process_time()
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    ticks, parent = _stat(int(entry.name))
                except (OSError, ValueError):
                    continue
                if parent == self._postmaster:
                    total += ticks
        return total


def _stat(pid: int) -> tuple[float, int]:
    """(processor seconds, parent) of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), int(fields[1])


def _spread(times: Sequence[float]) -> dict[str, Any]:
    ordered = sorted(times)
    return {
        "n": len(ordered),
        "p50_ms": round(ordered[len(ordered) // 2], 2),
        "p99_ms": round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))], 2),
        "max_ms": round(ordered[-1], 2),
    }
