"""What is revoked is due no more, on every page and in every file of today, and stays in those of the days before."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from importlib.resources import files
from typing import Any

from clearway.directives.issue import sign
from clearway.directives.kept import addresses, issues, names
from clearway.store.connect import connect, translated
from cockpit_world import TODAY, Cockpit
from site_client import words

BOD = (files("clearway.directives") / "data" / "bod-26-04.json").read_bytes()
OLD = "bod-22-01"


def asked(cockpit: Cockpit, path: str, who: str = "operator@water", status: int = 200) -> Any:
    answer = cockpit.here.http.get(
        f"/api/v1/directives{path}", headers={"authorization": f"Bearer {cockpit.desk.secrets[who]}"}
    )
    assert answer.status_code == status, answer.text
    return answer.json()


def test_no_page_and_no_file_of_today_has_something_due_under_a_directive_that_ships_revoked(
    cockpit: Cockpit,
) -> None:
    text = words(cockpit.page("operator@water", f"/directives/{OLD}"))
    assert "BOD 22-01 is revoked since Wed 10 Jun" in text
    assert "Nothing of it is due or overdue today" in text
    for gone in (
        "Due first",
        "Look for traces first",
        "Open items by tier",
        "overdue under",
        "It is advice for",
    ):
        assert gone not in text
    assert "it is revoked" in words(cockpit.page("operator@water", f"/directives/{OLD}/figures"))
    said = asked(cockpit, f"/cockpit/{OLD}")
    assert (said["revoked"], said["tiers"], said["urgent"], said["forensic"]) == ("2026-06-10", [], [], [])
    for kind in ("seven_day", "two_week", "overdue"):
        made = asked(cockpit, f"/draft/{OLD}/{kind}")
        assert made["items"] == []
        assert "was revoked on 2026-06-10 by bod-26-04: nothing is due under it" in made["notes"][0]
    assert asked(cockpit, "/cockpit/bod-26-04")["revoked"] is None
    # Its files are those of its last day.
    links = re.findall(
        r'href="(/api/v1/directives/draft/[^"]+)"', cockpit.page("operator@water", f"/directives/{OLD}")
    )
    assert links
    assert all("as_of=2026-06-09" in link for link in links)


def issued_and_revoked(cockpit: Cockpit, since: int) -> None:
    """A directive of the authority's own, issued and addressed `since` days ago, and revoked from today on."""
    desk = cockpit.desk
    with translated(), connect(desk.url) as owner:
        names.tie(owner, "nca-1", "authority")
    phases = [{"phase": "", "from": "2026-07-01", "what": "all of it"}]
    document = json.dumps(
        {**json.loads(BOD), "id": "nca-1", "short": "NCA 1", "published": "2026-07-01", "effective": phases}
    ).encode()
    day = TODAY - timedelta(days=since)
    signature = sign(document, desk.private).signature
    made = desk.do("official@authority", issues.publish, "authority", document, signature, issued=day)
    desk.do("official@authority", addresses.address, "authority", "nca-1", {"water": "binding"}, since=day)
    desk.known_on_their_days()
    desk.do("operator@water", addresses.acknowledge, "water", made.id)
    desk.do(
        "official@authority", issues.revoke, "authority", "nca-1", made.version, on=TODAY, reason="superseded"
    )


def test_what_was_due_under_an_authoritys_directive_stays_in_the_reports_of_the_days_before(
    cockpit: Cockpit,
) -> None:
    issued_and_revoked(cockpit, 20)
    page = cockpit.page("operator@water", "/directives/nca-1")
    text = words(page)
    assert "NCA 1 is revoked since" in text
    assert "Nothing of it is due or overdue today" in text
    assert "once it is taken note of" not in text
    assert "As it would be under" not in text
    (link,) = {
        link.replace("&amp;", "&")
        for link in re.findall(r'href="/api/v1/directives(/draft/nca-1/overdue[^"]+form=json)"', page)
    }
    before = asked(cockpit, link)
    assert before["as_of"] == str(TODAY - timedelta(days=1))
    assert {item["flaw"] for item in before["items"]} == {"CVE-2026-1", "CVE-2026-2"}
    asked(cockpit, "/draft/nca-1/overdue", status=404)  # nothing stands under which it could be drawn up


def test_who_never_reported_under_it_is_offered_no_file_of_it(cockpit: Cockpit) -> None:
    issued_and_revoked(cockpit, 20)
    page = cockpit.page("operator@hospital", "/directives/nca-1")
    assert "/draft/nca-1/" not in page
    assert "it was never yours to report" in page
