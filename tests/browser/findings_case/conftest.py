"""A served workspace with a case under embargo and findings that wait."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from clearway.findings.case import kept, talk, thread
from database import server  # noqa: F401
from findings_case_world import Cases
from findings_world import Template
from fleet_site import application
from live_server import within


@pytest.fixture(scope="module")
def live(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cases, kept.Case, str]]:  # noqa: F811
    """The cases, one that is full, and the URL of the server over them."""
    folder = tmp_path_factory.mktemp("cases")
    template = Template(server, folder / "template")
    now = datetime.now(UTC)
    for desk, world in template.copy(folder / "desk" / "home"):
        cases = Cases(desk, world)
        case = cases.opened(title="Heap buffer overflow in a parser")
        vendor = cases.vendor(case)
        cases.by_mail(case)
        cases.drafted(case)
        with cases.acting() as db:
            every = thread.add(db, cases.desk.vault, case, "The flaw")
            thread.say(db, desk.vault, case, every, "Welcome.")
            talk.propose(
                db, cases.again(case), now + timedelta(days=30), "Europe/Berlin", now=now, party=vendor.id
            )
        for n in range(3):
            desk.finding(state="queued", title=f"Finding {n}", package=f"package-{n}")
        with within(application(world.url, str(world.home))) as address:
            yield cases, case, address
    template.close()
