"""The CSV at a page's address is the whole list, step by step, under the rights of each; each row is told once."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from litestar.exceptions import LitestarException

from clearway.exposure.fleet import page_asked
from clearway.http import listing, whole
from clearway.store.connect import connect, translated
from cockpit_world import Cockpit

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


def asked(cockpit: Cockpit, path: str, who: str = "operator@water") -> Any:
    headers = {"cookie": f"clearway={cockpit.cookie(who)}"}
    answer = cockpit.here.http.get(path, headers=headers)
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


def test_a_list_of_assets_leaves_whole_and_each_of_its_rows_is_told_once(many: Cockpit) -> None:
    answer = asked(many, "/assets.csv?sort=name")
    names = [row["name"] for row in rows(answer)]
    assert names == sorted([*(f"more-{n}" for n in range(1, 8)), "water-gw"])
    assert answer.headers["content-disposition"] == 'attachment; filename="assets.csv"'
    assert told(many, "list/assets") == [3, 3, 2]
    # What fits into one step is as before, with a tag.
    few = asked(many, "/assets.csv?name=water-gw")
    assert "etag" in few.headers
    assert len(rows(few)) == 1


def test_exposures_leave_whole_and_only_ones_own(many: Cockpit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole, "STEP_ROWS", 1)
    answer = asked(many, "/exposure.csv?sort=due")
    found = rows(answer)
    assert {row["flaw"] for row in found} == {"CVE-2026-1", "CVE-2026-2"}
    assert {row["asset_name"] for row in found} == {"water-gw"}
    assert len(found) == 2
    assert told(many, "list/exposures") == [1, 1]
    assert answer.headers["content-disposition"] == 'attachment; filename="exposures.csv"'


def test_the_log_leaves_whole(many: Cockpit) -> None:
    found = rows(asked(many, "/audit.csv", "auditor@water"))
    entries = [int(row["entry"]) for row in found]
    assert len(entries) > 3
    assert entries == sorted(set(entries), reverse=True)


@pytest.mark.parametrize(
    "path", ["/assets.csv?limit=2", "/exposure.csv?limit=1", "/api/v1/assets.csv", "/api/v1/exposures.csv"]
)
def test_a_page_that_was_asked_for_says_by_its_name_that_it_is_a_part(many: Cockpit, path: str) -> None:
    secret = many.desk.secrets["operator@water"]
    headers = (
        {"authorization": f"Bearer {secret}"}
        if path.startswith("/api/")
        else {"cookie": f"clearway={many.cookie('operator@water')}"}
    )
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


@pytest.mark.parametrize(("path", "first"), [("/assets.csv?sort=name", 3), ("/exposure.csv?sort=due", 1)])
def test_a_session_that_ends_while_a_file_leaves_breaks_it_off(
    many: Cockpit, monkeypatch: pytest.MonkeyPatch, path: str, first: int
) -> None:
    between = whole.sync_to_thread

    async def ended(step: Any, cursor: str) -> Any:
        with translated(), connect(many.desk.url) as owner:
            owner.execute("update clearway.credential set revoked = clock_timestamp() where kind = 'session'")
        return await between(step, cursor)

    headers = {"cookie": f"clearway={many.cookie('operator@water')}"}
    monkeypatch.setattr(whole, "STEP_ROWS", first)
    monkeypatch.setattr(whole, "sync_to_thread", ended)
    with pytest.raises(LitestarException, match="after response started"):
        many.here.http.get(path, headers=headers)
    assert told(many, "list/assets") + told(many, "list/exposures") == [first]


@pytest.mark.parametrize(("path", "step"), [("/assets.csv?sort=name", 3), ("/exposure.csv?sort=due", 1)])
@pytest.mark.parametrize(
    ("bound", "mend"), [("OF_READER", "let one of them end"), ("IN_ALL", "try again soon")]
)
def test_one_file_too_many_is_refused_with_the_cure_and_is_no_reading(
    many: Cockpit, monkeypatch: pytest.MonkeyPatch, path: str, step: int, bound: str, mend: str
) -> None:
    monkeypatch.setattr(whole, "STEP_ROWS", step)
    monkeypatch.setattr(whole, bound, 0)
    headers = {"cookie": f"clearway={many.cookie('operator@water')}"}
    refused = many.here.http.get(path, headers=headers)
    assert refused.status_code == 429, refused.text
    assert refused.headers["retry-after"] == str(whole.AGAIN_S)
    assert mend in refused.text
    assert told(many, "list/assets") + told(many, "list/exposures") == []
    # A part has no such bound, and neither has what fits into one step.
    assert many.here.http.get(path + "&limit=1", headers=headers).status_code == 200
    assert many.here.http.get("/assets.csv?name=water-gw", headers=headers).status_code == 200
