"""The whole application over a real database, and its routes and tables as the matrix sees them."""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from litestar.testing import TestClient

import kept_builds  # noqa: F401
from clearway.advisories.record_source import MemoryRecords
from clearway.advisories.table import TABLE_FILE
from clearway.app.server import build
from clearway.app.workspace import Workspace
from clearway.http.ratelimit import Policy, Rates
from people import People

MATRIX = Path(__file__).parent / "matrix.toml"
_PARAMETER = re.compile(r"\{([^}:]+)(?::([^}]+))?\}")
_SAMPLES = {
    "int": "999999",
    "str": "nothing-of-that-name",
    "path": "nothing",
    "uuid": "0" * 8 + "-0000" * 3 + "-" + "0" * 12,
}


def matrix() -> dict[str, dict[str, str]]:
    return tomllib.loads(MATRIX.read_text())


@contextmanager
def application(people: People, home: Path) -> Iterator[TestClient[Any]]:
    """A client of the application, which follows no redirect and raises nothing of the server's."""
    workspace = Workspace(home, people.url)
    much = {name: Policy(name, 10**9, 1) for name in ("address", "principal", "sign-in", "failures")}
    rates = Rates(
        address=much["address"],
        principal=much["principal"],
        sign_in=much["sign-in"],
        failures=much["failures"],
    )
    app = build(home / TABLE_FILE, MemoryRecords({}), workspace=workspace, rates=rates)
    with TestClient(app, base_url="http://127.0.0.1:8437", raise_server_exceptions=False) as client:  # type: ignore[arg-type]
        client.follow_redirects = False
        client.app_under_test = app  # type: ignore[attr-defined]
        yield client


def routes(client: TestClient[Any]) -> dict[str, Any]:
    """ "GET /api/v1/assets/{asset:int}" -> its handler."""
    found = {}
    for route in client.app_under_test.framework.routes:  # type: ignore[attr-defined]
        for handler in getattr(route, "route_handlers", ()):
            for method in sorted(handler.http_methods - {"OPTIONS", "HEAD"}):
                found[f"{method} {route.path}"] = handler
    return found


def path_of(route: str) -> tuple[str, str]:
    """The method and a path of that route that names nothing that is there."""
    method, _, template = route.partition(" ")
    return method, _PARAMETER.sub(lambda m: _SAMPLES.get(m[2] or "str", "0"), template)


def missing(given: dict[str, str], there: set[str]) -> tuple[list[str], list[str]]:
    """What has no row, and the rows of nothing."""
    return sorted(there - given.keys()), sorted(given.keys() - there)


TABLES = """select c.relname, c.relrowsecurity, c.relforcerowsecurity,
    has_any_column_privilege('clearway_app', c.oid, 'select'),
    has_table_privilege('clearway_app', c.oid, 'insert') or has_any_column_privilege('clearway_app', c.oid, 'update')
        or has_table_privilege('clearway_app', c.oid, 'delete'),
    exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'aud' and not a.attisdropped)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname in ('clearway', 'clearway_jobs') and c.relkind in ('r', 'p') order by 1"""


def kind_of(row: tuple[Any, ...]) -> str:
    """What the database says of a table: owner, read, write; and whether by an audience of each row."""
    _, _, forced, reads, writes, marked = row
    if not (reads or writes):
        return "owner"
    return f"{'write' if writes else 'read'} {'by audience' if marked else 'by rules'}{'' if forced else ' UNFORCED'}"


if __name__ == "__main__":  # prints the rows that the matrix lacks, for a person to judge and write
    sys.exit("run `pytest tests/security/access/test_matrix.py`: it names what is missing")
