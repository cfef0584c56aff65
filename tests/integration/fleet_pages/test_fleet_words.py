"""What a list of things to do says of what must wait, and an act on many that is not what was expected."""

from __future__ import annotations

from fleet_site import Site
from site_client import words


def test_each_step_that_asks_for_traces_says_what_to_do_while_a_restart_waits(site: Site) -> None:
    site.machine(
        site.operator, "pump-1", "pkg:pypi/django@4.1", exposure="internal", environment="production"
    )
    for name in (
        "web-1",
        "db-1",
        "pump-1",
    ):  # none can be reached: cutting them off the internet moves no date
        answer = site.ask(
            "POST",
            f"/api/v1/assets/{site.assets[name]}/exposure",
            site.operator,
            json={"exposure": "internal"},
        )
        assert answer.status_code == 200
    shown = words(site.ask("GET", "/this-week", site.operator, page=True).text)
    steps = shown.count("Look for traces first")
    assert steps > 0
    assert shown.count("If a restart must wait: leave it running") + shown.count("If you can't") >= steps
    assert "If a restart must wait: leave it running" in shown


def test_of_many_that_are_named_all_are_decided_or_none(site: Site) -> None:
    mine = site.exposures()[0]["id"]
    theirs = site.exposures(site.other)[0]["id"]
    body = {"exposures": [mine, theirs], "status": "fixed", "expected": 2}
    refused = site.ask("POST", "/api/v1/exposures/decisions", site.operator, json=body)
    assert (refused.status_code, refused.json()["where"]) == (409, "body.expected")
    assert site.ask("GET", f"/api/v1/exposures/{mine}", site.operator).json()["exposure"]["status"] == "open"
    done = site.ask("POST", "/api/v1/exposures/decisions", site.operator, json=body | {"expected": 1})
    assert (done.status_code, done.json()["changed"]) == (200, 1)
