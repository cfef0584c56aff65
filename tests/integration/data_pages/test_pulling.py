"""A pull that an administrator starts: done by a worker, and told how far it is."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

from clearway.advisories.feeds import store as feed_store
from clearway.advisories.feeds.feed import HABITS, Feed
from clearway.advisories.tasks import tasks
from clearway.app.worker import mint
from clearway.records.clock import SystemClock
from clearway.store.jobs_worker import run_worker
from fleet_world import Fleet, kev
from site_client import Site, words


def test_a_pull_is_done_by_a_worker_and_its_page_says_what_came(
    fleet: Fleet, here: Site, tmp_path: Path
) -> None:
    document = tmp_path / "kev.json"
    document.write_text(json.dumps(kev("2026.11.01", "CVE-2026-0004")))
    habits = HABITS["kev"]
    with fleet.people.owner() as db:
        feed_store.add(
            db,
            Feed(name="kev", layout="kev", url=str(document), every_s=habits.every_s,
                stale_after_s=habits.stale_after_s, oldest_s=0),
            SystemClock().now(),
        )  # fmt: skip
    led = here.post(fleet.people.admin.cookie, "/data/feeds/kev/pull").headers["location"]
    stop = threading.Event()
    worker = threading.Thread(
        target=run_worker,
        args=(fleet.world.url, tasks(fleet.world.home, fleet.world.url)),
        kwargs={"concurrency": 1, "stop": stop, "mint": mint},
    )
    worker.start()
    try:
        ends = time.monotonic() + 30
        text = ""
        while "The pull is over" not in text and time.monotonic() < ends:
            text = words(here.page(fleet.people.admin.cookie, led))
            time.sleep(0.2)
    finally:
        stop.set()
        worker.join(20)
    assert "taken: 1 read, 1 new" in text
    assert "The one feed is current" in words(here.page(fleet.operator.cookie, "/data"))
    assert "kev is current" in words(here.page(fleet.operator.cookie, "/data/feeds/kev"))
