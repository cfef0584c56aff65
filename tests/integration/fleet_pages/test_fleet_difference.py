"""The page of one inventory: packages apart from what a scanner detected, and what is no longer kept of it."""

from __future__ import annotations

from clearway.exposure.fleet import inventory
from fleet_site import Site
from fleet_world import document
from site_client import words


def test_detections_are_no_packages_and_are_counted_by_themselves(site: Site) -> None:
    rows = (
        b"asset,cve,first_detected,package\n"
        b"plain-1,CVE-2024-99999,2026-11-01,\nplain-1,CVE-2024-99998,2026-11-01,kernel\n"
    )
    made = site.ask("POST", "/api/v1/inventories?filename=scan.csv", site.operator, content=rows)
    (number,) = [m["inventory"] for m in made.json()["items"]]
    told = site.ask("GET", f"/api/v1/inventories/{number}/difference", site.operator).json()
    assert (told["added"], told["removed"], told["changed"]) == ([], [], [])
    assert (told["detections_added"], told["detections_removed"], told["appeared"]) == (2, 0, 2)
    shown = words(site.ask("GET", f"/inventories/{number}", site.operator, page=True).text)
    assert "2 components and detections, 2 added, 0 removed" in shown
    assert "CVE-2024-99999 reported without a package" in shown
    assert "CVE-2024-99998 in kernel" in shown
    assert "packages added" not in shown
    assert "in CVE-2024-99999" not in shown
    assert "Nothing changed" not in shown


def test_an_upload_says_how_many_its_own_vex_silences_and_its_page_leads_to_them(site: Site) -> None:
    purl = "pkg:pypi/django@4.1"
    said = {"id": "CVE-2026-0001", "affects": [{"ref": "d"}],
            "analysis": {"state": "not_affected", "justification": "code_not_reachable"}}  # fmt: skip
    body = document(purl, components=[{"type": "library", "name": "django", "version": "4.1", "purl": purl,
                                       "bom-ref": "d"}], vulnerabilities=[said])  # fmt: skip
    made = site.ask(
        "POST", "/api/v1/inventories?name=vexed-1&filename=s.json", site.operator, content=body
    ).json()
    (one,) = made["items"]
    number = one["inventory"]
    assert [(s["inventory"], s["source"], s["exposures"]) for s in one["silenced"]] == [
        (number, "inventory", 1)
    ]
    told = site.ask("GET", f"/api/v1/inventories/{number}/difference", site.operator).json()
    assert (told["appeared"], told["silenced"]) == (1, 1)
    page = site.ask("GET", f"/inventories/{number}", site.operator, page=True).text
    assert "1 exposure not affected by its VEX" in words(page)
    assert f"/exposure?asset={one['asset']}&amp;status=not_affected" in page
    sent = site.ask("POST", f"/assets/{one['asset']}/inventories", site.operator, page=True, follow=True,
                    files={"file": ("s.json", body)})  # fmt: skip
    assert "1 not affected by VEX (this inventory)." in words(sent.text)


def test_of_a_replaced_inventory_the_page_says_that_what_could_not_be_judged_is_not_kept(site: Site) -> None:
    site.machine(site.operator, "twice-1", "pkg:pypi/django@4.1")
    old = site.inventories["twice-1"]
    new = site.upload(site.operator, "twice-1", "pkg:pypi/django@4.2").inventory
    of_old, of_new = (
        words(site.ask("GET", f"/inventories/{n}", site.operator, page=True).text) for n in (old, new)
    )
    said = "could not be judged is not kept"
    assert said in of_old
    assert said not in of_new


def test_of_one_day_what_is_affected_is_told_before_what_is_only_possible(site: Site) -> None:
    asset = site.machine(site.operator, "order-1", "pkg:pypi/django@4.1", "pkg:pypi/flask@2.0")
    number = site.inventories["order-1"]

    def told() -> list[tuple[str, str]]:
        with site.people.acting(site.operator) as db:
            new = inventory.difference(db, number).new
        assert {m.due for m in new} == {day}
        return [(verdicts[m.exposure], m.flaw) for m in new]

    with site.people.owner() as owner:
        rows = owner.execute(
            """select e.exposure, f.id, current_date + 5 from clearway.exposure e join clearway.flaw f using (flaw)
            where e.asset = %s order by f.id, e.exposure""",
            (asset,),
        ).fetchall()
        assert len(rows) > 1
        day = rows[0][2]
        verdicts = {exposure: "unknown" if n == 0 else "affected" for n, (exposure, *_) in enumerate(rows)}
        owner.execute("update clearway.exposure set due = %s where asset = %s", (day, asset))
        owner.execute("update clearway.exposure set verdict = 2 where exposure = %s", (rows[0][0],))
    found = told()
    assert found == sorted(found)
    assert found[-1] == ("unknown", rows[0][1])
