"""`clearway feeds` and `clearway doctor`, the jobs that pull by themselves, and what they print."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from clearway.advisories.feeds import commands, due
from clearway.advisories.feeds.feed import FeedStatus, Pulled
from clearway.advisories.tasks import tasks
from clearway.records.clock import FixedClock
from clearway.records.errors import ClearwayError, UsageError
from clearway.store.jobs import Job
from clearway.store.principal import Pool
from database import running_home as home  # noqa: F401
from feed_world import NOW, OPEN, Feeds, kev_catalogues, lines, osv_layout
from intake_world import World, run_here
from upstream import Reply, Upstream, serving

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with serving() as made:
        yield made


def test_feeds_from_the_command_line(home: Path, upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    upstream.put("/Go/", osv_layout(lines("osv/go.jsonl.zst", 20)))

    def clearway(*words: str, allow: str = "127.0.0.1") -> Any:
        monkeypatch.setenv("CLEARWAY_FEEDS_ALLOW", allow)
        return run_here("--home", home, "--quiet", "feeds", *words)

    first = clearway("list")
    assert b"no feed is added; nothing is pulled" in first.stdout
    for words in (("pull",), ("pull", "kev")):
        none = clearway(*words)
        assert none.returncode == 6  # a script must not take "nothing was pulled" for "all is new"
        assert b"clearway feeds add kev" in none.stderr
    assert b"kev" in first.stdout
    assert clearway("add", "osv:Go", "osv", f"{upstream.url}/Go").returncode == 0
    assert clearway("add", "osv:Go", "osv", f"{upstream.url}/Go").returncode == 7

    closed = clearway("pull", allow="")
    assert (closed.returncode, closed.stdout) == (8, b"osv-go: failed; what was taken in before stands\n")
    assert b"127.0.0.1 is loopback" in closed.stderr
    assert upstream.connections == 0
    pulled = clearway("pull", "--json")
    assert pulled.returncode == 0
    (one,) = json.loads(pulled.stdout)["pulled"]
    assert (one["feed"], one["result"], one["counts"]["new"]) == ("osv-go", "taken", 20)
    assert clearway("pull", "nothing").returncode == 6

    stale = clearway("status", "--check", "--json")
    (state,) = json.loads(stale.stdout)["feeds"]
    assert (state["entries"], state["error"]) == (20, "")
    assert stale.returncode == (8 if state["stale"] else 0)
    health = json.loads(run_here("--home", home, "doctor", "--json").stdout)
    assert [c["name"] for c in health if c["name"].startswith("feed ")] == ["feed osv-go"]
    assert clearway("remove", "osv-go").returncode == 0
    assert clearway("remove", "osv-go").returncode == 6
    assert not (home / "feeds" / "osv-go").exists()
    assert not [
        c
        for c in json.loads(run_here("--home", home, "doctor", "--json").stdout)
        if c["name"].startswith("feed ")
    ]


def test_doctor_says_which_feed_is_stale(tmp_path: Path) -> None:
    from clearway.app.doctor import _feeds

    (tmp_path / "feeds").mkdir()
    old = FeedStatus(name="kev", layout="kev", added=NOW, every_s=60, stale_after_s=120, good=NOW)
    (tmp_path / "feeds" / "status.json").write_bytes(msgspec.json.encode([old]))
    (check,) = _feeds(tmp_path)
    assert (check.name, check.ok) == ("feed kev", "last reached" not in check.found)


def test_doctor_says_of_a_feed_that_fails_that_it_does_before_it_is_old(tmp_path: Path) -> None:
    from clearway.app.doctor import _feeds

    (tmp_path / "feeds").mkdir()
    now = datetime.now(UTC)
    fails = FeedStatus(
        name="kev", layout="kev", added=now, every_s=60, stale_after_s=864_000, good=now, error="it drips"
    )
    (tmp_path / "feeds" / "status.json").write_bytes(msgspec.json.encode([fails]))
    (check,) = _feeds(tmp_path)
    assert check.ok
    assert re.fullmatch(r"failing, and not old yet \(reached .* UTC\): it drips", check.found), check.found


def test_due_feeds_are_pulled_by_jobs_one_at_a_time_for_each_host(
    world: World, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in OPEN.items():
        monkeypatch.setenv(name, value)
    old, _ = kev_catalogues()
    upstream.pages["/kev.json"] = old
    upstream.pages["/broken.json"] = Reply(status=500, validators=False)
    feeds = Feeds(world)
    feeds.add("kev", "kev", f"{upstream.url}/kev.json")
    feeds.add("broken", "kev", f"{upstream.url}/broken.json")
    with Pool(world.url) as pool:
        given = tasks(world.home, world.url, FixedClock(NOW))

        def do(task: str, **args: Any) -> None:
            job = Job(pool, id=1, task=task, args=args, run=uuid4(), failures=0, by_person=None)
            given[task].run(job, args)

        do("feeds.due")
        do("feeds.due")  # what waits already is not started again
        waiting = world.sql("select lock, args::text from clearway_jobs.procrastinate_jobs order by 2")
        assert [lock for lock, _ in waiting] == [f"feeds of 127.0.0.1:{upstream.port}"] * 2
        assert ["broken" in waiting[0][1], "kev" in waiting[1][1]] == [True, True]
        do("feeds.pull", feed="kev")
        do("feeds.pull", feed="broken")  # its failure is the feed's, not the job's
        do("feeds.pull", feed="removed-meanwhile")
    assert (feeds.status("kev").good, feeds.status("broken").failures) == (NOW, 1)


def test_a_worker_that_is_asked_to_stop_leaves_a_pull_between_two_pieces(
    world: World, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    from clearway.store.jobs import JobStoppedError

    monkeypatch.setenv("CLEARWAY_FEEDS_ALLOW", "127.0.0.1")
    feeds = Feeds(world)
    feeds.add("kev", "kev", f"{upstream.url}/kev.json")
    stopping = threading.Event()
    stopping.set()
    with Pool(world.url) as pool:
        job = Job(
            pool, id=1, task="feeds.pull", args={}, run=uuid4(), failures=0, by_person=None, stopping=stopping
        )
        with pytest.raises(JobStoppedError):
            tasks(world.home, world.url, FixedClock(NOW))["feeds.pull"].run(job, {"feed": "kev"})
    assert upstream.asked == []


def test_acts_on_feeds_are_on_the_log(world: World, upstream: Upstream) -> None:
    old, _ = kev_catalogues()
    upstream.pages["/kev.json"] = old
    feeds = Feeds(world)
    feeds.add("kev", "kev", f"{upstream.url}/kev.json")
    feeds.good("kev")
    feeds.good("kev")  # nothing new: nothing to log
    acts = world.sql("select act, subject from clearway.log_entry order by 1")
    assert acts == [("feed.added", "feed/kev"), ("feed.taken", "feed/kev")]


def test_a_feed_is_due_after_its_interval_and_later_after_each_failure() -> None:
    feed = FeedStatus(name="kev", layout="kev", added=NOW, every_s=3600, stale_after_s=86_400)
    assert due.is_due(feed, NOW)
    tried = msgspec.structs.replace(feed, tried=NOW)
    assert not due.is_due(tried, NOW + timedelta(minutes=53))
    assert due.is_due(tried, NOW + timedelta(minutes=67))
    failing = msgspec.structs.replace(tried, failures=2)
    assert not due.is_due(failing, NOW + timedelta(hours=3.5))
    assert due.is_due(failing, NOW + timedelta(hours=4.5))
    for_long = msgspec.structs.replace(tried, failures=500)
    assert due.is_due(for_long, NOW + timedelta(hours=27))


def parsed(*words: str) -> Any:
    parser = argparse.ArgumentParser()
    commands.add_commands(parser.add_subparsers())
    return commands.feed_of(parser.parse_args(["feeds", "add", *words]))


def test_a_known_publisher_is_added_by_its_name_alone() -> None:
    assert parsed("kev").url.startswith("https://www.cisa.gov/")
    assert parsed("osv:Rocky Linux").name == "osv-rocky-linux"
    assert parsed("osv:Rocky Linux").url.endswith("/Rocky%20Linux/")
    assert parsed("cve", "--every", "2h").every_s == 7200
    assert "baseline" in parsed("cve").options
    assert parsed("cve", "cve", "https://mirror.example/cve").options == {}


@pytest.mark.parametrize(
    "words",
    [["unknown"], ["x", "nvd", "https://a.example/"], ["x", "kev"], ["kev", "--every", "soon"],
     ["kev", "--option", "tlp=RED"], ["x", "kev", "ftp://a.example/"], ["x", "kev", "https://u:p@a.example/"],
     ["../x", "kev", "https://a.example/"], ["x", "kev", "/no/such/file"], ["x", "kev", "https://127.1/"],
     ["kev", "--stale-after", "0d"], ["kev", "--mirror", "x", "/tmp"],
     ["kev", "--mirror", "https://a.example/", "/tmp"]],
)  # fmt: skip
def test_what_can_be_no_feed_is_refused_with_its_cure(words: list[str]) -> None:
    with pytest.raises(ClearwayError) as caught:
        parsed(*words)
    assert "Traceback" not in str(caught.value)
    assert caught.value.mend or not isinstance(caught.value, UsageError)


def test_every_key_that_is_printed_is_documented() -> None:
    text = (ROOT / "docs/reference/json.md").read_text("utf-8")

    def documented(heading: str) -> set[str]:
        found = re.search(rf"^## `{heading}`\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
        assert found
        return {part for code in re.findall(r"`([^`\n]+)`", found[1]) for part in code.split(", ")}

    pulled = commands.as_json(Pulled(feed="kev", result="taken"))
    assert set(pulled) <= documented("clearway feeds pull --json")
    assert set(FeedStatus.__struct_fields__) <= documented("clearway feeds status --json")
