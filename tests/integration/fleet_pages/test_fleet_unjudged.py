"""What could not be judged is told where it comes in, in the list of assets, and is not among what needs nothing."""

from __future__ import annotations

from typing import Any

import httpx

from clearway.exposure.fleet import unjudged
from clearway.http.csrf import token
from fleet_site import TODAY, Site
from fleet_world import document
from site_client import words

PRODUCTS = b"asset,vendor,product,version\npacs-1,Acme,Picture Archive,12\nprint-2,Acme,Teapot,1\n"


def _sent(site: Site, path: str, data: bytes, filename: str, **fields: str) -> str:
    """What the page says after an upload by form."""
    with httpx.Client(
        base_url=site.url, cookies=site.cookies(site.operator), follow_redirects=True
    ) as client:
        answer = client.post(
            path,
            data=fields,
            files={"file": (filename, data)},
            headers={
                "accept": "text/html", "x-csrf-token": token(site.operator.key), "sec-fetch-site": "same-origin",
            },
        )  # fmt: skip
    assert answer.status_code == 200, answer.text
    return words(answer.text)


def _rest(site: Site) -> dict[str, Any]:
    found: dict[str, Any] = site.ask("GET", "/api/v1/week/rest", site.operator).json()
    return found


def test_an_upload_says_how_much_could_not_be_judged(site: Site) -> None:
    shown = _sent(
        site,
        "/assets/add",
        document("pkg:generic/firmware@1.0", "pkg:pypi/attrs@24.1"),
        "s.json",
        name="box-1",
    )
    said = shown[shown.index("box-1: 2 components") :][:300]
    assert "0 exposures appeared, 0 ended. 1 component could not be judged: firmware 1.0 (" in said
    clean = _sent(site, "/assets/add", document("pkg:pypi/attrs@24.1"), "s.json", name="box-2")
    assert "could not be judged" not in clean[clean.index("box-2: 1 components") :][:200]


def test_an_upload_of_several_assets_says_on_which_not_all_could_be_judged(site: Site) -> None:
    shown = _sent(site, "/assets/add", PRODUCTS, "products.csv")
    assert "On 2 of them not all could be judged: pacs-1, print-2." in shown


def test_the_list_of_assets_marks_them(site: Site) -> None:
    site.machine(site.operator, "box-3", "pkg:generic/firmware@1.0", "pkg:generic/loader@2")
    site.machine(site.operator, "box-4", "pkg:pypi/attrs@24.1")
    shown = words(site.ask("GET", "/assets?name=box-3", site.operator, page=True).text)
    assert "0 2 not judged" in shown
    assert "not judged" not in words(site.ask("GET", "/assets?name=box-4", site.operator, page=True).text)


def test_a_machine_that_could_not_be_judged_is_not_among_those_that_need_nothing(site: Site) -> None:
    before = _rest(site)
    site.machine(site.operator, "box-5", "pkg:generic/firmware@1.0")
    site.machine(site.operator, "box-6")  # no inventory: nothing is known of it
    between = _rest(site)
    assert (between["quiet"], between["unsure"]) == (before["quiet"], before["unsure"] + 2)
    site.machine(site.operator, "box-7", "pkg:pypi/attrs@24.1")
    after = _rest(site)
    assert (after["quiet"], after["unsure"]) == (before["quiet"] + 1, before["unsure"] + 2)
    shown = words(site.ask("GET", "/this-week/rest", site.operator, page=True).text)
    assert f"{after['unsure']} more machines we can't say that:" in shown
    assert "need nothing that we know of" not in words(
        site.ask("GET", "/this-week", site.operator, page=True).text
    )


def test_several_assets_at_once_are_told_as_one_by_one(site: Site) -> None:
    table = site.world.table()
    with site.people.acting(site.operator) as db:
        numbers = [row[0] for row in db.execute("select asset from clearway.asset order by asset").fetchall()]
        single = {a: unjudged.of_asset(db, table, a, TODAY) for a in numbers}
        together = unjudged.of_assets(db, table, numbers, TODAY)
    assert len(numbers) > 2
    assert {a: b.count for a, b in together.items()} == {a: b.count for a, b in single.items() if b.count}


def test_what_could_not_be_judged_of_an_inventory_stays_on_its_page(site: Site) -> None:
    data = document("pkg:generic/firmware@1.0", "pkg:pypi/attrs@24.1")
    taken = site.ask("POST", "/api/v1/inventories", site.operator, params={"name": "box-8"}, content=data)
    (item,) = taken.json()["items"]
    path = f"/inventories/{item['inventory']}"
    for _ in range(2):  # and after a reload
        shown = words(site.ask("GET", path, site.operator, page=True).text)
        assert "1 component could not be: that nothing is said of it proves nothing. firmware 1.0" in shown
    told = site.ask("GET", f"/api/v1{path}/difference", site.operator).json()["unjudged"]
    assert (told["count"], [b["name"] for b in told["some"]]) == (1, ["firmware"])
    # Of what another witness shows this one says nothing, and a newer one speaks for itself.
    more = {"witness": "other", "name": "box-8"}
    site.ask(
        "POST",
        "/api/v1/inventories",
        site.operator,
        params=more,
        content=document("pkg:generic/loader@1"),
    )
    again = site.ask("GET", f"/api/v1{path}/difference", site.operator).json()["unjudged"]
    assert [b["name"] for b in again["some"]] == ["firmware"]
    site.ask("POST", "/api/v1/inventories", site.operator, params={"name": "box-8"}, content=document())
    assert site.ask("GET", f"/api/v1{path}/difference", site.operator).json()["unjudged"] is None


def test_a_difference_names_the_exposures_that_are_new_and_those_that_ended(site: Site) -> None:
    def sent(*purls: str) -> str:
        answer = site.ask(
            "POST", "/api/v1/inventories", site.operator, params={"name": "box-9"}, content=document(*purls)
        )
        return f"/inventories/{answer.json()['items'][0]['inventory']}"

    def named(path: str) -> tuple[list[str], list[str]]:
        found = site.ask("GET", f"/api/v1{path}/difference", site.operator).json()
        assert (found["appeared"], found["ended"]) == (len(found["new"]), len(found["over"]))
        return [m["name"] for m in found["new"]], [m["name"] for m in found["over"]]

    first, second = sent("pkg:pypi/django@4.1"), sent("pkg:pypi/flask@2.0")
    third = sent("pkg:pypi/django@4.1", "pkg:pypi/flask@2.0")  # it comes back, and is new once more
    assert [named(p) for p in (first, second, third)] == [
        (["django"], []), (["flask"], ["django"]), (["django"], []),
    ]  # fmt: skip
    shown = words(site.ask("GET", second, site.operator, page=True).text)
    assert "1 exposure new CVE-2026-0002 in flask 2.0 due" in shown
    assert "1 exposure ended CVE-2026-0001 in django 4.1" in shown
