"""A wrong day of detection is set right through the API and on the exposure's page."""

from __future__ import annotations

import re
from datetime import date, timedelta
from html import unescape

import pytest

from fleet_site import TODAY, Site
from site_client import words


def test_a_day_is_set_right_under_the_tag_that_was_read(site: Site) -> None:
    number = site.exposures()[0]["id"]
    path = f"/api/v1/exposures/{number}"
    tag = site.ask("GET", path, site.operator).headers["etag"]
    body = {"detected": (TODAY - timedelta(days=3)).isoformat(), "reason": "the list had another day"}
    assert site.ask("PATCH", f"{path}/detected", site.operator, json=body).status_code == 428
    done = site.ask("PATCH", f"{path}/detected", site.operator, json=body, headers={"if-match": tag})
    assert done.status_code == 200, done.text
    assert done.json()["exposure"]["detected"] == body["detected"]
    stale = site.ask("PATCH", f"{path}/detected", site.operator, json=body, headers={"if-match": tag})
    assert stale.status_code == 412
    for wrong in ({"detected": "1999-01-01"}, {"detected": (TODAY + timedelta(days=2)).isoformat()}):
        answer = site.ask(
            "PATCH", f"{path}/detected", site.operator, json=body | wrong, headers={"if-match": "*"}
        )
        assert answer.status_code == 400, answer.text


def test_the_page_has_a_form_for_it_for_who_operates(site: Site) -> None:
    number = site.exposures()[0]["id"]
    shown = site.ask("GET", f"/exposure/{number}", site.operator, page=True)
    assert "The day it was found is wrong" in words(shown.text)
    day = (TODAY - timedelta(days=1)).isoformat()
    done = site.ask(
        "POST", f"/exposure/{number}/detected", site.operator, page=True,
        data={"detected": day, "reason": "seen by hand"},
    )  # fmt: skip
    assert done.status_code in (200, 303), done.text
    assert next(e for e in site.exposures() if e["id"] == number)["detected"] == day


TO_COME = TODAY + timedelta(days=2)


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        (
            {"detected": TO_COME.isoformat(), "reason": "seen by hand"},
            {"detected": f"can't have been detected on {TO_COME}"},
        ),
        (
            {"detected": "1999-01-01", "reason": "seen by hand"},
            {"detected": "can't have been detected on 1999-01-01"},
        ),
        ({"detected": "26 Nov", "reason": "seen by hand"}, {"detected": "'26 Nov' is no date: such as"}),
        ({"detected": "", "reason": "seen by hand"}, {"detected": "which day?"}),
        ({"detected": TODAY.isoformat(), "reason": " "}, {"reason": "has a reason of 1 to 4,000 characters"}),
        ({"detected": "2026-13-01", "reason": ""}, {"detected": "is no date", "reason": "has a reason"}),
        (
            {"detected": TO_COME.isoformat(), "reason": ""},
            {"detected": "give a day from", "reason": "has a reason"},
        ),
    ],
    ids=["to come", "before its CVE's year", "no date", "none", "no reason", "both", "both, of a date"],
)
def test_what_is_wrong_is_said_beside_its_field_and_what_was_typed_is_kept(
    site: Site, given: dict[str, str], wrong: dict[str, str]
) -> None:
    before = site.exposures()[0]
    path = f"/exposure/{before['id']}"
    answer = site.ask("POST", f"{path}/detected", site.operator, page=True, data=given)
    assert answer.status_code == 422, answer.text
    text = unescape(answer.text)
    assert "This needs mending before it can be saved" in text
    for name, label in (("detected", "Found on"), ("reason", "Why it is that day")):
        assert (f'<a href="#field-{name}">{label}</a>' in text) is (name in wrong)
        beside = re.search(rf'id="field-{name}-error">([^<]*)<', text)
        assert (beside is not None) is (name in wrong)
        assert beside is None or wrong[name] in beside[1]
        typed = re.search(rf'<input type="[a-z]+" id="field-{name}"[^>]* value="([^"]*)"', text)
        assert typed is not None
        assert typed[1] == given[name]
    assert '<details id="redate" open>' in text
    assert site.exposures()[0]["detected"] == before["detected"]
    shown = site.ask("GET", path, site.operator, page=True).text
    assert '<details id="redate">' in shown
    assert "This needs mending" not in shown


def test_the_form_says_which_days_it_takes(site: Site) -> None:
    found = site.exposures()[0]
    first = date(int(found["flaw"].split("-")[1]), 1, 1)
    shown = words(site.ask("GET", f"/exposure/{found['id']}", site.operator, page=True).text)
    assert f"From {first} to {TODAY}." in shown
