"""Reading marked content stands on the log: who, what, once a request."""

from __future__ import annotations

from fleet_site import Site


def told(site: Site) -> list[tuple[str, int]]:
    with site.people.owner() as owner:
        rows = owner.execute(
            "select subject, actor from clearway.log_entry where act = 'content.read' order by entry"
        ).fetchall()
    return [(str(subject), int(actor)) for subject, actor in rows]


def test_each_way_to_marked_content_is_an_entry_and_a_list_on_a_page_is_none(site: Site) -> None:
    asset, number = site.assets["web-1"], site.inventories["web-1"]
    exposure = site.exposures()[0]["id"]
    ways = {
        f"/assets/{asset}": f"asset/{asset}",
        f"/exposure/{exposure}": f"exposure/{exposure}",
        f"/inventories/{number}": f"inventory/{number}",
        "/assets.csv": "list/assets",
        "/exposure.csv?status=open": "list/exposures",
        "/api/v1/assets.csv": "list/assets",
        "/api/v1/exposures.csv": "list/exposures",
    }
    for path, subject in ways.items():
        before = told(site)
        assert site.ask("GET", path, site.operator).status_code == 200, path
        assert told(site)[len(before) :] == [(subject, site.operator.person)], path
    again = {  # by another credential: the same things by the API, and the documents byte for byte
        f"/api/v1/assets/{asset}": f"asset/{asset}",
        f"/api/v1/exposures/{exposure}": f"exposure/{exposure}",
        f"/api/v1/inventories/{number}/document": f"inventory/{number}",
    }
    for path, subject in again.items():
        before = told(site)
        assert site.ask("GET", path, site.auditor).status_code == 200, path
        assert told(site)[len(before) :] == [(subject, site.auditor.person)], path
    before = told(site)
    for path in (
        "/assets",
        "/exposure?status=open",
        "/api/v1/assets",
        "/api/v1/exposures",
        f"/assets/{asset}",
    ):
        assert site.ask("GET", path, site.operator).status_code == 200, path
    assert told(site) == before


def test_what_one_may_not_see_is_no_reading(site: Site) -> None:
    before = told(site)
    for path in (
        f"/api/v1/assets/{site.assets['web-1']}",
        f"/inventories/{site.inventories['web-1']}/document",
    ):
        assert site.ask("GET", path, site.other).status_code == 404
    assert told(site) == before
