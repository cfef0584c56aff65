"""A wrong day of detection is set right through the API and on the exposure's page."""

from __future__ import annotations

from datetime import timedelta

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
