"""What is revoked before it begins is nowhere said to come, and the cockpit looks at what compliance looks at."""

from __future__ import annotations

import json
from datetime import date, timedelta
from importlib.resources import files
from typing import Any

import pytest

from clearway.directives.issue import sign
from clearway.directives.kept import addresses, issues, names
from clearway.exposure.fleet.page_rule import notices
from clearway.store.connect import connect, translated
from cockpit_world import TODAY, Cockpit
from site_client import words

BOD = json.loads((files("clearway.directives") / "data" / "bod-26-04.json").read_bytes())


def day(n: int) -> date:
    return TODAY + timedelta(days=n)


def publish(cockpit: Cockpit, version: str, begins: int) -> None:
    phases = [{"phase": "", "from": str(day(begins)), "what": "all of it"}]
    said = {"id": "nca-1", "short": "NCA 1", "version": version, "published": str(min(TODAY, day(begins)))}
    document = json.dumps({**BOD, **said, "effective": phases}).encode()
    signature = sign(document, cockpit.desk.private).signature
    cockpit.desk.do("official@authority", issues.publish, "authority", document, signature, issued=TODAY)


def revoke(cockpit: Cockpit, version: str, on: int) -> None:
    told = {"on": day(on), "reason": "a mistake"}
    cockpit.desk.do("official@authority", issues.revoke, "authority", "nca-1", version, **told)


def asked(cockpit: Cockpit, path: str, who: str) -> Any:
    answer = cockpit.here.http.get(
        f"/api/v1/directives{path}", headers={"authorization": f"Bearer {cockpit.desk.secrets[who]}"}
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


def in_the_list(cockpit: Cockpit) -> str:
    found = json.loads(cockpit.page("operator@water", "/directives.json"))["items"]
    return next(str(line["notice"]) for line in found if line["directive"] == "nca-1")


@pytest.fixture
def tied(cockpit: Cockpit) -> Cockpit:
    with translated(), connect(cockpit.desk.url) as owner:
        names.tie(owner, "nca-1", "authority")
    return cockpit


def test_the_cockpit_looks_at_the_version_that_compliance_looks_at(tied: Cockpit) -> None:
    """Of three the one in effect is revoked, the next is revoked before its day, and the one after that comes."""
    for version, begins in (("1.0", -16), ("1.1", 14), ("1.2", 9)):
        publish(tied, version, begins)
    to = {"water": "binding"}
    tied.desk.do("official@authority", addresses.address, "authority", "nca-1", to, since=TODAY)
    revoke(tied, "1.2", 5)
    revoke(tied, "1.1", 16)
    revoke(tied, "1.0", 0)
    view = asked(tied, "/compliance/nca-1?organisation=authority", "official@authority")
    said = asked(tied, "/cockpit/nca-1", "operator@water")
    assert (view["version"], view["revoked"]) == (said["version"], said["revoked"]) == ("1.0", str(TODAY))
    assert said["tiers"] == []
    assert in_the_list(tied) == f"NCA 1 was revoked on {TODAY}; version 1.1 is in effect from {day(14)} on"
    page = words(tied.page("operator@water", "/directives/nca-1"))
    assert "NCA 1 is revoked since" in page
    assert "Version 1.1 is issued, and in effect from" in page
    shown = words(tied.page("official@authority", "/directives/nca-1/compliance"))
    assert "Version 1.1 is issued, and in effect from" in shown
    assert "until then none stands" in shown
    assert "1.2" not in page + shown


def test_what_comes_first_is_not_what_is_revoked_before_its_day(tied: Cockpit) -> None:
    publish(tied, "1.0", 9)
    publish(tied, "1.1", 14)
    assert in_the_list(tied) == f"NCA 1 1.0 is in effect from {day(9)} on"
    revoke(tied, "1.0", 9)
    assert in_the_list(tied) == f"NCA 1 1.1 is in effect from {day(14)} on"
    assert asked(tied, "/cockpit/nca-1", "operator@water")["version"] == "1.1"


def test_of_a_directive_that_is_revoked_before_it_begins_nothing_is_counted(tied: Cockpit) -> None:
    publish(tied, "1.0", 9)
    revoke(tied, "1.0", 5)
    never = f"NCA 1 1.0 is revoked from {day(5)} on, and was to begin on {day(9)}"
    assert in_the_list(tied) == never
    said = asked(tied, "/cockpit/nca-1", "operator@water")
    assert (said["version"], said["tiers"], said["urgent"]) == ("", [], [])
    page = words(tied.page("operator@water", "/directives/nca-1"))
    assert never in page
    assert "in effect from" not in page
    assert "As it would be" not in page
    assert "in effect from" not in words(tied.page("official@authority", "/directives/issue"))


def test_this_week_does_not_tell_of_a_revocation_that_took_nothing_away(tied: Cockpit) -> None:
    publish(tied, "1.0", -16)
    publish(tied, "1.1", 9)
    to = {"water": "binding"}
    tied.desk.do("official@authority", addresses.address, "authority", "nca-1", to, since=TODAY)

    def told(n: int) -> list[tuple[str, str]]:
        with tied.desk.acting("operator@water") as (db, me):
            return [(x.kind, x.version) for x in notices(db, me.memberships[0].org, day(n))]

    assert ("comes", "1.1") in told(0)
    revoke(tied, "1.1", 5)
    assert "1.1" not in [version for n in (0, 5, 10) for _, version in told(n)]
    revoke(tied, "1.0", 7)
    assert ("revoked", "1.0") in told(10)
