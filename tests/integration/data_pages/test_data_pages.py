"""*Data sources* as different people see it: what is stale, what to do, what was set aside, and pulling."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, timedelta
from html import unescape
from pathlib import Path

import pytest

from clearway.advisories.api_lists import cure, feed_item
from clearway.advisories.feeds import FeedStatus
from clearway.advisories.feeds import store as feed_store
from clearway.advisories.feeds.feed import HABITS, Feed, staleness
from clearway.app import doctor
from fleet_world import Fleet, kev, osv, package
from site_client import Site, words

NOW = datetime.now(UTC)


def add_feed(fleet: Fleet, name: str = "kev", url: str = "/nowhere/kev.json") -> None:
    habits = HABITS["kev"]
    with fleet.people.owner() as db:
        feed_store.add(
            db,
            Feed(name=name, layout="kev", url=url, every_s=habits.every_s, stale_after_s=habits.stale_after_s,
                oldest_s=habits.oldest_s),
            NOW - timedelta(days=9),
        )  # fmt: skip


def test_what_is_loaded_is_told_with_what_its_silence_means(fleet: Fleet, here: Site) -> None:
    fleet.ingest(osv("PYSEC-1", package("PyPI", "django", "4.2")), kev("2026.11.01", "CVE-2026-0004"))
    text = words(here.page(fleet.operator.cookie, "/data"))
    assert "2 sources loaded from files, and no feed is pulled" in text
    assert "Python Packaging Advisory Database" in text
    assert "In PyPI: no known flaw." in text
    assert "KEV catalogue 2026.11.01" in text
    assert "EPSS is not loaded" in text
    items = here.api(fleet.operator.secret, "GET", "/data/sources.json").json()["items"]
    assert {item["source"]: item["records"] for item in items} == {"cisa-kev": 1, "pypa": 1}
    csv = here.page(fleet.operator.cookie, "/data/sources.csv")
    assert csv.startswith("source,title,licence,records")


@pytest.mark.parametrize(
    ("table", "column", "head"), [("feeds", "newest", "Newest"), ("sources", "records", "Records")]
)
def test_the_columns_of_each_table_are_chosen_with_and_without_scripts(
    fleet: Fleet, here: Site, table: str, column: str, head: str
) -> None:
    add_feed(fleet)
    fleet.ingest(kev("2026.11.01", "CVE-2026-0004"))
    me = fleet.operator.cookie
    usual = here.page(me, "/data")
    link = unescape(re.findall(f'id="{table}-column-{column}" href="([^"]+)"', usual)[0])
    chosen = here.page(me, link)
    assert heads(usual).count(head) == heads(chosen).count(head) + 1
    assert len(heads(usual)) == len(heads(chosen)) + 1
    part = here.page(
        me, link, **{"hx-request": "true", "hx-request-type": "partial", "hx-target": f"div#{table}"}
    )
    assert "<html" not in part
    assert heads(part)
    assert head not in heads(part)
    back = unescape(re.findall(f'id="{table}-column-{column}" href="([^"]+)"', chosen)[0])
    assert heads(here.page(me, back)) == heads(usual)


def heads(page: str) -> list[str]:
    return re.findall(r'<th role="columnheader" scope="col"[^>]*>([^<]+)', page)


def test_each_source_that_is_over_its_limit_is_marked_as_old_here_and_by_the_doctor(
    fleet: Fleet, here: Site
) -> None:
    fresh = osv("RUSTSEC-2026-1", package("crates.io", "crate", "1.0"))
    fresh["modified"] = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    fleet.ingest(osv("PYSEC-2026-1", package("PyPI", "django", "4.2")), fresh)
    age = (datetime.now(UTC).date() - date(2026, 1, 1)).days
    told = json.loads(here.page(fleet.operator.cookie, "/data/sources.json"))
    sources = {s["source"]: s for s in told["items"]}
    assert (sources["pypa"]["old_days"], sources["pypa"]["limit_days"]) == (age, 21)
    assert (sources["rustsec"]["old_days"], sources["rustsec"]["limit_days"]) == (0, 0)
    shown = words(here.page(fleet.operator.cookie, "/data"))
    assert shown.count(f"old: {age} days") == 1
    checks = {c.name: c for c in doctor.examine(fleet.world.home)}
    assert not checks["source pypa"].ok
    assert f"OLD: {age} days ago, its limit is 21" in checks["source pypa"].found
    assert "clearway feeds add osv:PyPI" in checks["source pypa"].mend
    assert checks["source rustsec"].ok


def test_before_any_data_the_page_says_what_to_do(fleet: Fleet, here: Site) -> None:
    text = words(here.page(fleet.operator.cookie, "/data"))
    assert "No data is loaded yet" in text
    assert "clearway ingest PATH" in text


def test_a_stranger_sees_no_data_page(here: Site) -> None:
    for path in ("/data", "/data/sources.json", "/data/feeds.csv", "/data/feeds/kev", "/data/set-aside"):
        here.page("", path, 401)


def test_a_stale_feed_leads_the_page_with_its_cure(fleet: Fleet, here: Site) -> None:
    add_feed(fleet)
    text = words(here.page(fleet.operator.cookie, "/data"))
    assert "1 of 1 feeds needs a look: kev is stale" in text
    assert "Pull it now" in text
    assert "Pull kev now" not in here.page(fleet.operator.cookie, "/data"), "an operator has no such button"
    assert "Pull kev now" in here.page(fleet.people.admin.cookie, "/data")
    (item,) = here.api(fleet.operator.secret, "GET", "/api/v1/data").json()["feeds"]
    assert (item["state"], item["name"]) == ("stale", "kev")


def test_only_who_administers_this_installation_pulls(fleet: Fleet, here: Site) -> None:
    add_feed(fleet)
    theirs = fleet.people.somebody(fleet.org, "administrator")  # of an organisation, not of the installation
    here.post(theirs.cookie, "/data/feeds/kev/pull", 403)
    here.post(fleet.operator.cookie, "/data/feeds/kev/pull", 403)
    here.post(fleet.people.admin.cookie, "/data/feeds/nothing/pull", 404)
    led = here.post(fleet.people.admin.cookie, "/data/feeds/kev/pull").headers["location"]
    assert "Waiting for a worker" in words(here.page(fleet.people.admin.cookie, led))
    here.page(fleet.operator.cookie, led, 404)
    again = here.api(fleet.people.admin.secret, "POST", "/api/v1/data/feeds/kev/pull", 202).json()
    assert led.endswith(f"/{again['job']}"), "a pull that waits stands for the second one"


def test_the_task_refuses_who_was_let_start_it_otherwise(fleet: Fleet) -> None:
    from clearway.advisories.tasks import tasks
    from clearway.records.errors import ForbiddenError

    class OfOperator:
        stopping = False

        def acting(self) -> object:
            return fleet.acting()

    run = tasks(fleet.world.home, fleet.world.url)["feeds.pull_now"].run
    with pytest.raises(ForbiddenError):
        run(OfOperator(), {"feed": "kev"})  # type: ignore[arg-type]


def test_what_was_set_aside_is_listed_for_the_installations_administrator_alone(
    fleet: Fleet, here: Site, tmp_path: Path
) -> None:
    for n in range(3):
        (tmp_path / f"bad{n}.json").write_text(
            f'{{"id": "X-{n}", "modified": "2026-01-01T00:00:00Z", "affected": 5}}'
        )
    bad = sorted(tmp_path.glob("bad*.json"))
    counts = fleet.world.take(*bad, forced="osv")
    assert counts.set_aside == 3
    assert "3 records and files are set aside" in words(
        here.page(fleet.people.admin.cookie, "/data/set-aside")
    )
    page = here.page(fleet.people.admin.cookie, "/data/set-aside")
    assert "bad0.json" in page
    theirs = here.page(fleet.operator.cookie, "/data/set-aside")
    assert "3 records and files are set aside" in words(theirs)
    assert "bad0.json" not in theirs
    assert here.page(fleet.operator.cookie, "/data/set-aside.csv").count("\n") == 1
    listed = here.api(fleet.people.admin.secret, "GET", "/api/v1/data/set-aside?limit=2").json()
    assert len(listed["items"]) == 2
    rest = here.api(fleet.people.admin.secret, "GET", listed["next"]).json()
    assert len(rest["items"]) == 1
    assert rest["next"] is None


def test_a_feed_tells_its_last_pulls_and_why_one_failed(fleet: Fleet, here: Site) -> None:
    from clearway.advisories.tasks import tasks

    add_feed(fleet)
    tasks(fleet.world.home, fleet.world.url)["feeds.pull"].run(_Free(), {"feed": "kev"})  # type: ignore[arg-type]
    text = words(here.page(fleet.operator.cookie, "/data/feeds/kev"))
    assert "failed" in text
    here.page(fleet.operator.cookie, "/data/feeds/none", 404)
    detail = here.api(fleet.operator.secret, "GET", "/api/v1/data/feeds/kev").json()
    assert [run["result"] for run in detail["runs"]] == ["failed"]


class _Free:
    stopping = False


STATUS = FeedStatus(name="x", layout="kev", added=NOW - timedelta(days=30), every_s=3600, stale_after_s=7200)


@pytest.mark.parametrize(
    ("changed", "state", "says"),
    [
        ({"good": NOW}, "current", ""),
        ({"added": NOW}, "new", "pull it now"),
        ({"good": NOW, "error": "lists 5 entries, and listed 900 before"}, "failing", "--accept-smaller"),
        ({"good": NOW, "error": "answers 503", "not_before": NOW}, "failing", "left alone"),
        ({"good": NOW, "error": "answers 503"}, "failing", "What was taken in before stands"),
        ({"good": NOW - timedelta(days=3)}, "stale", "worker"),
        ({"good": NOW, "dated": "2020-01-01", "oldest_s": 86_400}, "stale", "no longer filled"),
    ],
    ids=[
        "current",
        "never pulled",
        "shrunk",
        "asked to wait",
        "failing",
        "not reached",
        "a mirror that stands",
    ],
)
def test_each_state_of_a_feed_has_its_cure(changed: dict[str, object], state: str, says: str) -> None:
    import msgspec

    status = msgspec.structs.replace(STATUS, **changed)
    status = msgspec.structs.replace(status, stale=staleness(status, NOW))
    item = feed_item(status)
    assert item.state == state
    assert says in cure(status, state)
    assert bool(item.cure) == (state != "current")


def test_an_old_catalogue_is_marked_on_the_page_for_programs_and_by_the_doctor(
    fleet: Fleet, here: Site
) -> None:
    fleet.ingest(kev("2026.02.01", "CVE-2026-0001"))
    days = (datetime.now(UTC).date() - date(2026, 2, 1)).days
    told = json.loads(here.page(fleet.operator.cookie, "/api/v1/data"))
    (source,) = [s for s in told["sources"] if s["source"] == "cisa-kev"]
    assert (told["kev_old_days"], source["old_days"], source["limit_days"]) == (days, days, 45)
    shown = words(here.page(fleet.operator.cookie, "/data"))
    assert f"KEV catalogue 2026.02.01 old: {days} days" in shown
    assert shown.count(f"old: {days} days") == 2
    checks = {c.name: c for c in doctor.examine(fleet.world.home)}
    assert not checks["kev"].ok
    assert f"OLD: {days} days ago, its limit is 45" in checks["kev"].found


def test_both_files_of_the_page_are_of_the_sources_and_an_empty_one_has_its_headings(
    fleet: Fleet, here: Site
) -> None:
    head = here.page(fleet.operator.cookie, "/data.csv").splitlines()[0]
    assert head == here.page(fleet.operator.cookie, "/data/sources.csv").splitlines()[0]
    assert head.split(",")[:4] == ["source", "title", "licence", "records"]
    assert (
        here.page(fleet.operator.cookie, "/data/feeds.csv").splitlines()[0].startswith("name,layout,state,")
    )
