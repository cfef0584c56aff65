"""A list as CSV is whole, step by step, under the rights of each; each row is told once. Of the API as of pages."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import Any

import pytest
from litestar.exceptions import LitestarException

from clearway.exposure.fleet import page_asked
from clearway.http import listing, whole
from clearway.store.connect import connect, translated
from cockpit_world import Cockpit

FILES = [
    ("/assets.csv?sort=name", 3),
    ("/exposure.csv?sort=due", 1),
    ("/api/v1/assets.csv?sort=name", 3),
    ("/api/v1/exposures.csv?sort=due", 1),
]
MORE = """insert into clearway.asset (org, aud, name, exposure, environment)
    select org, aud, 'more-' || n, 'internal', 'production' from clearway.asset, generate_series(1, 7) n
    where name = 'water-gw'"""


@pytest.fixture
def many(cockpit: Cockpit, monkeypatch: pytest.MonkeyPatch) -> Cockpit:
    """Eight assets and two exposures, in steps of three rows; as files page by page, in threes and one by one."""
    with translated(), connect(cockpit.desk.url) as owner:
        owner.execute(MORE)
    monkeypatch.setattr(listing, "MAX_CSV_LIMIT", 3)
    monkeypatch.setattr(page_asked, "CSV_LIMIT", 1)
    monkeypatch.setattr(whole, "STEP_ROWS", 3)
    return cockpit


def headers_of(cockpit: Cockpit, path: str, who: str = "operator@water") -> dict[str, str]:
    """By session at a page's address, by token at the API."""
    if path.startswith("/api/"):
        return {"authorization": f"Bearer {cockpit.desk.secrets[who]}"}
    return {"cookie": f"clearway={cockpit.cookie(who)}"}


def asked(cockpit: Cockpit, path: str, who: str = "operator@water") -> Any:
    answer = cockpit.here.http.get(path, headers=headers_of(cockpit, path, who))
    assert answer.status_code == 200, answer.text
    return answer


def rows(answer: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.text)))


def told(cockpit: Cockpit, subject: str) -> list[int]:
    """How many rows each entry about reading that list has, in their order."""
    with translated(), connect(cockpit.desk.url) as owner:
        found = owner.execute(
            "select content::json ->> 'rows' from clearway.log_entry where subject = %s order by entry",
            (subject,),
        ).fetchall()
    return [int(n) for (n,) in found]


@pytest.mark.parametrize("at", ["", "/api/v1"])
def test_a_list_of_assets_leaves_whole_and_each_of_its_rows_is_told_once(many: Cockpit, at: str) -> None:
    answer = asked(many, f"{at}/assets.csv?sort=name")
    names = [row["name"] for row in rows(answer)]
    assert names == sorted([*(f"more-{n}" for n in range(1, 8)), "water-gw"])
    assert answer.headers["content-disposition"] == 'attachment; filename="assets.csv"'
    assert told(many, "list/assets") == [3, 3, 2]
    # What fits into one step is as before, with a tag.
    few = asked(many, f"{at}/assets.csv?name=water-gw")
    assert "etag" in few.headers
    assert len(rows(few)) == 1


@pytest.mark.parametrize("at", ["/exposure.csv", "/api/v1/exposures.csv"])
def test_exposures_leave_whole_and_only_ones_own(
    many: Cockpit, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    monkeypatch.setattr(whole, "STEP_ROWS", 1)
    answer = asked(many, f"{at}?sort=due")
    found = rows(answer)
    assert {row["flaw"] for row in found} == {"CVE-2026-1", "CVE-2026-2"}
    assert {row["asset_name"] for row in found} == {"water-gw"}
    assert len(found) == 2
    assert told(many, "list/exposures") == [1, 1]
    assert answer.headers["content-disposition"] == 'attachment; filename="exposures.csv"'


@pytest.mark.parametrize("at", ["/audit.csv", "/api/v1/ledger/entries.csv"])
def test_the_log_leaves_whole(many: Cockpit, at: str) -> None:
    found = rows(asked(many, at, "auditor@water"))
    entries = [int(row["entry"]) for row in found]
    assert len(entries) > 3
    assert entries == sorted(set(entries), reverse=True)


@pytest.mark.parametrize(
    "path",
    [
        "/assets.csv?limit=2",
        "/exposure.csv?limit=1",
        "/api/v1/assets.csv?limit=3",
        "/api/v1/exposures.csv?limit=1",
    ],
)
def test_a_page_that_was_asked_for_says_by_its_name_that_it_is_a_part(many: Cockpit, path: str) -> None:
    headers = headers_of(many, path)
    seen = 0
    following = path
    while following:
        answer = many.here.http.get(following, headers=headers)
        assert answer.status_code == 200, answer.text
        assert '-part.csv"' in answer.headers["content-disposition"], "the last one too"
        seen += len(rows(answer))
        following = answer.links["next"]["url"] if "next" in answer.links else ""
    assert seen == (8 if "assets" in path else 2)


def test_what_is_marked_away_while_a_file_leaves_is_not_in_it(
    many: Cockpit, monkeypatch: pytest.MonkeyPatch
) -> None:
    between = whole.sync_to_thread
    steps = []

    async def hidden(step: Any, cursor: str) -> Any:
        if not steps:
            with translated(), connect(many.desk.url) as owner:
                owner.execute(
                    """update clearway.asset set aud = (select aud from clearway.asset where name = 'hospital-gw')
                    where name in ('more-6', 'water-gw')"""
                )
        steps.append(cursor)
        return await between(step, cursor)

    monkeypatch.setattr(whole, "sync_to_thread", hidden)
    names = [row["name"] for row in rows(asked(many, "/assets.csv?sort=name"))]
    assert names == [f"more-{n}" for n in (1, 2, 3, 4, 5, 7)]
    assert told(many, "list/assets") == [3, 3]


@pytest.mark.parametrize(("path", "first"), FILES)
def test_a_session_that_ends_while_a_file_leaves_breaks_it_off(
    many: Cockpit, monkeypatch: pytest.MonkeyPatch, path: str, first: int
) -> None:
    between = whole.sync_to_thread

    async def ended(step: Any, cursor: str) -> Any:
        with translated(), connect(many.desk.url) as owner:
            owner.execute("update clearway.credential set revoked = clock_timestamp() where kind <> 'public'")
        return await between(step, cursor)

    headers = headers_of(many, path)
    monkeypatch.setattr(whole, "STEP_ROWS", first)
    monkeypatch.setattr(whole, "sync_to_thread", ended)
    with pytest.raises(LitestarException, match="after response started"):
        many.here.http.get(path, headers=headers)
    assert told(many, "list/assets") + told(many, "list/exposures") == [first]


@pytest.mark.parametrize(("path", "step"), FILES)
@pytest.mark.parametrize(
    ("bound", "mend"), [("OF_READER", "let one of them end"), ("IN_ALL", "try again soon")]
)
def test_one_file_too_many_is_refused_with_the_cure_and_is_no_reading(
    many: Cockpit, monkeypatch: pytest.MonkeyPatch, path: str, step: int, bound: str, mend: str
) -> None:
    monkeypatch.setattr(whole, "STEP_ROWS", step)
    monkeypatch.setattr(whole, bound, 0)
    headers = headers_of(many, path)
    refused = many.here.http.get(path, headers=headers)
    assert refused.status_code == 429, refused.text
    assert refused.headers["retry-after"] == str(whole.AGAIN_S)
    assert mend in refused.text
    if path.startswith("/api/"):
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.json()["type"] == "urn:clearway:problem:too-many-requests"
    assert told(many, "list/assets") + told(many, "list/exposures") == []
    # A part has no such bound, and neither has what fits into one step.
    assert many.here.http.get(path + "&limit=1", headers=headers).status_code == 200
    few = "/api/v1/assets.csv?name=water-gw" if path.startswith("/api/") else "/assets.csv?name=water-gw"
    assert many.here.http.get(few, headers=headers).status_code == 200


def test_files_of_the_api_and_of_pages_share_their_places(
    many: Cockpit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So many of one reader, wherever each was asked for."""
    path, other = "/api/v1/assets.csv?sort=name", "/assets.csv?sort=name"
    with many.desk.acting("operator@water") as (_, me):
        reader = me.person
    held = [whole.place(reader) for _ in range(whole.OF_READER)]
    for at in (path, other):
        assert many.here.http.get(at, headers=headers_of(many, at)).status_code == 429
    held.pop().leave()
    assert len(rows(asked(many, path))) == 8
    assert (
        many.here.http.get("/api/v1/assets.csv?limit=1001", headers=headers_of(many, path)).status_code == 400
    )


def test_every_list_leaves_by_the_one_way_that_is_bounded() -> None:
    source = Path(whole.__file__).parents[1]
    answering = re.compile(r"\w[.]answer[(]request, [a-z_]+, [a-z_]+[)]")
    found = {p.name for p in source.rglob("*.py") if answering.search(p.read_text("utf-8"))}
    assert found == {"whole.py"}
