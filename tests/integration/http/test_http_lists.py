"""Lists over a real server: pages, filters, orders, CSV, and cursors that are nobody else's."""

from __future__ import annotations

import csv
import io
import urllib.request
from typing import Any

import pytest

from manners_world import Manners


@pytest.fixture(scope="module", autouse=True)
def things(manners: Manners) -> list[int]:
    made = [manners.add(f"thing {n}", rank=n // 3) for n in range(12)]
    made.append(manners.add("=cmd|' /C calc'!A0", rank=99))
    with manners.people.owner() as db:
        db.execute("update clearway.thing set colour = 'blue' where rank = 1")
        db.execute(
            "insert into clearway.thing (org, aud, name, rank) values (%s, %s, 'not yours', 1)",
            (manners.theirs, manners.their_aud),
        )
    return made


def pages(manners: Manners, path: str, who: Any = None) -> list[list[dict[str, Any]]]:
    found = []
    while path:
        status, headers, body = manners.ask("GET", path, who=who)
        assert status == 200, body
        assert (headers["link"] is None) == (body["next"] is None)
        found.append(body["items"])
        path = body["next"]
    return found


@pytest.mark.parametrize("sort", ["id", "-id", "rank", "-rank", "name", "-name"])
def test_pages_put_together_are_the_list_in_its_order(manners: Manners, sort: str, things: list[int]) -> None:
    found = [thing for page in pages(manners, f"/api/v1/things?sort={sort}&limit=2") for thing in page]
    key = sort.removeprefix("-")
    assert sorted(thing["id"] for thing in found) == sorted(things)
    assert found == sorted(found, key=lambda t: (t[key], t["id"]), reverse=sort.startswith("-"))


def test_filters_narrow_and_exclude_and_are_kept_on_the_next_page(manners: Manners) -> None:
    blue = pages(manners, "/api/v1/things?colour=blue&limit=2")
    assert [len(page) for page in blue] == [2, 1]
    assert {t["rank"] for page in blue for t in page} == {1}
    rest = pages(manners, "/api/v1/things?colour!=blue&limit=200")
    assert {t["colour"] for t in rest[0]} == {"red"}
    assert {t["rank"] for t in pages(manners, "/api/v1/things?rank=0&rank=2")[0]} == {0, 2}
    assert {t["rank"] % 2 for t in pages(manners, "/api/v1/things?even=yes")[0]} == {0}


@pytest.mark.parametrize(
    "query",
    ["colour=pink", "color=red", "rank=one", "rank=-1", "rank=99999999999999999999", "limit=0", "limit=201",
     "limit=x", "sort=aud", "sort=id&sort=name", "rank!=1", "even=maybe", "name=%00", "name=" + "a" * 201,
     "cursor=" + "a" * 2001, "offset=10", "&".join(f"rank={n}" for n in range(51))],
)  # fmt: skip
def test_a_parameter_that_does_not_fit_is_400_and_named(manners: Manners, query: str) -> None:
    status, _, problem = manners.ask("GET", f"/api/v1/things?{query}")
    assert status == 400
    assert problem["where"].startswith("query.")


def test_a_list_is_only_what_its_reader_may_see(manners: Manners) -> None:
    assert [t["name"] for t in pages(manners, "/api/v1/things", who=manners.other)[0]] == ["not yours"]


def test_a_cursor_is_good_for_nobody_else_and_for_nothing_else(manners: Manners) -> None:
    mine = manners.ask("GET", "/api/v1/things?limit=2&sort=rank")[2]["next"]
    assert manners.ask("GET", mine)[0] == 200
    cursor = mine.partition("cursor=")[2]
    asks = [
        (mine, manners.other),
        (f"/api/v1/things?limit=2&cursor={cursor}", None),
        (f"/api/v1/things?limit=2&sort=-rank&cursor={cursor}", None),
        (f"/api/v1/things?limit=2&sort=rank&colour=red&cursor={cursor}", None),
        (f"/api/v1/things?limit=2&sort=rank&cursor={cursor[:-2]}", None),
        ("/api/v1/things?cursor=x", None),
    ]
    seen = [manners.ask("GET", path, who=who) for path, who in asks]
    assert {status for status, _, _ in seen} == {404}
    bodies = [{k: v for k, v in body.items() if k != "trace_id"} for _, _, body in seen]
    assert all(body == bodies[0] for body in bodies)
    assert bodies[0]["type"] == "urn:clearway:problem:cursor-invalid"


def test_a_cursor_tells_nothing_of_what_is_in_the_list(manners: Manners) -> None:
    import base64

    for sort in ("name", "rank"):
        cursor = manners.ask("GET", f"/api/v1/things?limit=2&sort={sort}")[2]["next"].partition("cursor=")[2]
        assert b"thing" not in base64.urlsafe_b64decode(cursor + "==")


def test_csv_at_the_same_address_shows_a_formula_and_does_not_run_it(manners: Manners) -> None:
    request = urllib.request.Request(
        f"{manners.live.url}/api/v1/things.csv", headers={"authorization": f"Bearer {manners.me.secret}"}
    )
    with urllib.request.urlopen(request) as answer:
        assert answer.headers["content-type"].startswith("text/csv")
        assert answer.headers["content-disposition"] == 'attachment; filename="things.csv"'
        rows = list(csv.reader(io.StringIO(answer.read().decode(), newline="")))
    assert rows[0] == ["id", "name", "rank", "colour"]
    assert len(rows) == 14
    assert rows[-1][1] == "'=cmd|' /C calc'!A0"
    assert manners.ask("GET", "/api/v1/things.json")[2] == manners.ask("GET", "/api/v1/things")[2] | {
        "next": None
    }


def test_a_list_that_is_there_already_is_not_sent_again_and_its_tag_is_its_readers_alone(
    manners: Manners,
) -> None:
    _, headers, _ = manners.ask("GET", "/api/v1/things")
    assert headers["cache-control"] == "private, no-cache"
    assert manners.ask("GET", "/api/v1/things", if_none_match=headers["etag"])[::2] == (304, None)
    assert manners.ask("GET", "/api/v1/things", if_none_match=f'W/{headers["etag"]}, "x"')[0] == 304
    assert manners.ask("GET", "/api/v1/things", if_none_match="nonsense")[0] == 200
    nothing = "/api/v1/things?rank=77"
    tags = {manners.ask("GET", nothing, who=who)[1]["etag"] for who in (manners.me, manners.other)}
    assert len(tags) == 2
