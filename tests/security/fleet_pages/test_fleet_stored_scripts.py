"""Text of people with bad intent in every field that the fleet keeps, looked at in a real browser: nothing runs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "browser"))

import harness
import hostile

import fleet_site
from database import server  # noqa: F401
from fleet_site import Site
from fleet_world import document
from intake_world import World, drop_database, new_database


@pytest.fixture
def site(server: str, tmp_path: Path) -> Iterator[Site]:  # noqa: F811
    if not harness.CHROMIUM.exists():
        pytest.skip(f"no Chromium at {harness.CHROMIUM}; scripts/system-packages.sh installs it")
    url = new_database(server, "made")
    try:
        with fleet_site.empty_site(World(url, tmp_path / "home")) as made:
            yield made
    finally:
        drop_database(server, url)


@pytest.mark.slow
def test_nothing_that_is_stored_runs_on_any_screen_of_the_fleet(site: Site) -> None:
    post: Callable[..., Any] = lambda path, **more: site.ask("POST", path, site.operator, **more)  # noqa: E731
    numbers: list[int] = []
    for name, payload in hostile.CORPUS.items():
        text = payload[:290]
        made = post("/api/v1/assets", json={
            "name": f"{len(numbers)} {text}"[:300], "said_by": text,
            "details": {"owner": text, "sub_organisation": text, "kind": text[:100], "names": [text],
                        "addresses": [text], "identifiers": [text]},
        })  # fmt: skip
        if made.status_code != 201:  # what can't be kept is refused, with its place
            assert made.status_code in (400, 422), (name, made.text)
            continue
        number = made.json()["id"]
        numbers.append(number)
        own = document("pkg:pypi/django@4.1", metadata={"component": {"type": "application", "name": text}})
        taken = post(
            f"/api/v1/assets/{number}/inventories",
            content=own,
            params={"witness": text, "filename": text[:100]},
        )
        assert taken.status_code == 201, (name, taken.text)
        one = site.exposures(query=f"?asset={number}")[0]["id"]
        until = (fleet_site.TODAY.replace(year=fleet_site.TODAY.year + 1)).isoformat()
        said = {"exposures": [one], "status": "accepted", "detail": payload[:3_000], "until": until}
        assert post("/api/v1/exposures/decisions", json=said).status_code == 200
    assert len(numbers) > 20
    ids = [e["id"] for e in site.exposures(query="?limit=200")]
    inventories = [
        i["inventory"]
        for n in numbers
        for i in site.ask("GET", f"/api/v1/assets/{n}/inventories", site.operator).json()["items"]
    ]
    with harness.chromium() as browser:
        screen = harness.Screen(browser, site.url, cookies=site.cookies(site.operator))
        try:
            hostile.look(
                screen,
                "/this-week",
                "/exposure?sort=due&columns=due,flaw,component,asset,tier,status,severity,epss,kev,detected,tlp",
                f"/exposure/decide?act=open&ids={','.join(map(str, ids))}",
                "/flaws/CVE-2026-0001",
                "/assets?columns=name,open,earliest,exposure,environment,owner,kind,components,inventoried,marking",
                *(f"/assets/{n}" for n in numbers),
                *(f"/exposure/{i}" for i in ids),
                *(f"/inventories/{i}" for i in inventories),
            )
            screen.check()
        finally:
            screen.close()
