"""What a rule says: for who may see the rule, wherever it decides."""

from __future__ import annotations

import re
from typing import Any

from clearway.access.marking import GREEN_AUD
from fleet_site import Site

WORDS = "canary-of-the-rule"
NEW = "canary-of-a-person"
PLACES = ("/api/v1/exposures/{0}", "/exposure/{0}", "/api/v1/events", "/api/v1/ledger/entries")


def seen_in(site: Site, who: Any, exposure: int, word: str) -> list[str]:
    """The places at which `who` reads `word`."""
    found = []
    for place in PLACES:
        address = place.format(exposure)
        while address:
            answer = site.ask("GET", address, who, page=not place.startswith("/api"))
            assert answer.status_code == 200, (address, answer.text)
            if word in answer.text and place not in found:
                found.append(place)
            more = place.endswith("events") and answer.json()["items"]
            address = f"{place}?after={answer.json()['next']}" if more else ""
    return found


def test_who_may_not_see_a_rule_learns_that_it_decided_and_not_what_it_says(site: Site) -> None:
    asset = site.machine(site.operator, "shared-1", "pkg:pypi/django@4.1")
    with site.people.owner() as owner:
        owner.execute("update clearway.asset set aud = %s where asset = %s", (GREEN_AUD, asset))
    rule = {
        "name": "no django on what is shared",
        "about": {"name": "django", "asset_name": "shared-1"},
        "say": {"status": "not_affected", "justification": "component_not_present", "detail": WORDS},
        "expected": len(site.exposures(query="?asset_name=shared-1")),
    }
    made = site.ask("POST", "/api/v1/rules", site.operator, json=rule)
    assert made.status_code == 201, made.text
    number = made.json()["rule"]
    (line,) = site.exposures(site.other, "?asset_name=shared-1")
    exposure = line["id"]

    (said,) = site.ask("GET", f"/api/v1/exposures/{exposure}", site.other).json()["said"]
    assert (said["status"], said["justification"]) == ("not_affected", "component_not_present")
    assert (said["rule"], said["detail"], said["withheld"]) == (number, "", True)
    assert seen_in(site, site.other, exposure, WORDS) == []
    assert "for who may see the rule" in site.ask("GET", f"/exposure/{exposure}", site.other, page=True).text

    (own,) = site.ask("GET", f"/api/v1/exposures/{exposure}", site.operator).json()["said"]
    assert (own["rule"], own["detail"], own["withheld"]) == (number, WORDS, False)
    # In the log it is what the rule was added with.
    assert seen_in(site, site.operator, exposure, WORDS) == [PLACES[0], PLACES[1], PLACES[3]]
    assert (
        "for who may see the rule"
        not in site.ask("GET", f"/exposure/{exposure}", site.operator, page=True).text
    )

    # What a person says of an exposure is for who sees it, before as after.
    person = {"status": "mitigated", "detail": NEW}
    tag = site.ask("GET", f"/api/v1/exposures/{exposure}", site.operator).headers["etag"]
    asked = site.ask(
        "PATCH", f"/api/v1/exposures/{exposure}", site.operator, json=person, headers={"if-match": tag}
    )
    assert asked.status_code == 200, asked.text
    assert seen_in(site, site.other, exposure, NEW) == [*PLACES]
    assert seen_in(site, site.other, exposure, WORDS) == []


def test_reading_the_words_of_a_rule_is_reading_what_it_is_marked_with(site: Site) -> None:
    (line,) = site.exposures(site.operator, "?asset_name=shared-1")
    exposure = line["id"]
    assert "TLP:RED" in site.ask("GET", f"/exposure/{exposure}", site.operator, page=True).text
    assert "TLP:RED" not in site.ask("GET", f"/exposure/{exposure}", site.other, page=True).text


def test_the_form_of_a_rule_says_of_each_field_what_it_is(site: Site) -> None:
    text = site.ask("GET", "/exposure/rules", site.operator, page=True).text
    hints = dict(re.findall(r'id="field-(until|detail)-hint"[^>]*>([^<]*)<', text))
    assert hints["until"] == "The last day on which it counts. Needed where it is accepted."
    assert "for who may see the rule" in hints["detail"].lower()
    assert "day" not in hints["detail"]
