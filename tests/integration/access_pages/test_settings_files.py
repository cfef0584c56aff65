"""The lists of *Settings* as files: what the page shows, for who may see it."""

from __future__ import annotations

from typing import Any

import pytest

from access_house import House, Reader
from clearway.access import embargo, recipients

FILES = ("", "/services", "/organisations", "/lists", "/embargoes", "/approvals")


def told(reader: Reader, path: str) -> Any:
    answer = reader.look(path)
    assert answer.status_code == 200, answer.text[:400]
    return answer.json()["items"]


@pytest.mark.parametrize("path", FILES)
@pytest.mark.parametrize("form", ["json", "csv"])
def test_each_list_is_a_file_for_whoever_is_signed_in_and_for_nobody_else(
    house: House, path: str, form: str
) -> None:
    for reader in (house.admin, house.chief, house.member, house.stranger):
        answer = reader.look(f"/settings{path}.{form}")
        assert answer.status_code == 200, answer.text[:400]
        assert answer.headers["content-type"].startswith(("application/json", "text/csv"))
    assert house.public.look(f"/settings{path}.{form}").status_code == 401


def test_people_and_services_are_those_of_the_page_and_of_no_other_organisation(house: House) -> None:
    names = [one["name"] for one in told(house.chief, "/settings.json")]
    assert "Member of Water" in names
    assert "Chief of Hospital" not in names
    assert "Member of Water" not in [one["name"] for one in told(house.stranger, "/settings.json")]
    assert house.stranger.look(f"/settings.json?at={house.water}").status_code == 404
    assert "Member of Water" in [o["name"] for o in told(house.admin, f"/settings.json?at={house.water}")]
    assert {one["kind"] for one in told(house.chief, "/settings.json")} == {"person"}
    house.chief.submit("/settings/people", name="Night upload", kind="service", roles=["operator"])
    assert [one["name"] for one in told(house.chief, "/settings/services.json")] == ["Night upload"]
    lines = house.chief.look("/settings/services.csv").text.splitlines()
    assert lines[0].startswith("person,kind,name")
    assert "Night upload" in lines[1]


def test_lists_and_embargoes_are_those_that_the_reader_may_know(house: House) -> None:
    assert house.desk.who is not None
    with house.people.acting(house.desk.who) as db:
        recipients.add(db, house.water, "Neighbours")
        embargo.add(db, house.water, "quiet one")
    assert [one["name"] for one in told(house.member, "/settings/lists.json")] == ["Neighbours"]
    assert [one["name"] for one in told(house.desk, "/settings/embargoes.json")] == ["quiet one"]
    for path in ("/settings/lists.json", "/settings/embargoes.json"):
        assert told(house.stranger, path) == []
    page = house.desk.look("/settings/sharing").text
    for path in ("/settings/lists", "/settings/embargoes"):
        assert f'href="{path}.csv?at={house.water}"' in page
        assert f'href="{path}.json?at={house.water}"' in page


def test_what_the_list_does_not_have_is_refused(house: House) -> None:
    assert house.chief.look("/settings.json?colour=red").status_code == 400
    assert house.chief.look("/settings.csv?at=x").status_code == 404
