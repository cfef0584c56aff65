"""Pages and the API name whose word a thing is: the version of the directive, the document, who described an asset."""

from __future__ import annotations

import html
import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from fleet_site import Site

PURL = "pkg:pypi/django@4.1"
VEX = {
    "bomFormat": "CycloneDX",
    "specVersion": "1.6",
    "version": 1,
    "components": [{"type": "library", "name": "django", "version": "4.1", "purl": PURL, "bom-ref": PURL}],
    "vulnerabilities": [
        {
            "id": "CVE-2026-0001",
            "analysis": {
                "state": "not_affected",
                "justification": "code_not_present",
                "detail": "<b>removed</b>",
            },
            "affects": [{"ref": PURL}],
        }
    ],
}


def _asset(site: Site, name: str) -> dict[str, Any]:
    made = site.ask(
        "POST", "/api/v1/assets", site.operator, json={"name": name, "details": {"owner": "<i>ops"}}
    )
    assert made.status_code == 201, made.text
    found: dict[str, Any] = made.json()
    return found


def _words(text: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", text)).split())


def test_an_upload_with_vex_is_the_documents_word_on_the_page_and_in_the_api(site: Site) -> None:
    number = _asset(site, "word-1")["id"]
    body = json.dumps(VEX).encode()
    sent = site.ask(
        "POST",
        f"/api/v1/assets/{number}/inventories?witness=builder&filename=x.json",
        site.operator,
        content=body,
    )
    assert sent.status_code == 201, sent.text
    (line,) = [e for e in site.exposures() if e["asset"] == number and e["flaw"] == "CVE-2026-0001"]
    assert line["status"] == "not_affected"
    one = site.ask("GET", f"/api/v1/exposures/{line['id']}", site.operator).json()
    assert (one["said"][0]["document"], one["said"][0]["witness"]) == (sent.json()["inventory"], "builder")
    assert (one["directive"], one["directive_version"], one["authority"]) == ("bod-26-04", "1.0.0", "")
    page = site.ask("GET", f"/exposure/{line['id']}", site.operator, headers={"accept": "text/html"})
    words = _words(page.text)
    assert "by the inventory of builder" in words
    assert "BOD 26-04 1.0.0" in words
    assert "<b>removed</b>" not in page.text


def test_an_assets_changes_say_what_was_what_became_and_who_did_it(site: Site) -> None:
    made = _asset(site, "word-2")
    path = f"/api/v1/assets/{made['id']}"
    tag = site.ask("GET", path, site.operator).headers["etag"]
    changed = site.ask(
        "PUT", path, site.operator, headers={"if-match": tag},
        json={"name": "word-2", "details": {"owner": "net", "edge": True, "end_of_support": "2027-01-01"}},
    )  # fmt: skip
    assert changed.status_code == 200, changed.text
    described = changed.json()["described"]
    assert [d["details"].get("owner") for d in described] == ["net", "<i>ops"]
    page = site.ask("GET", f"/assets/{made['id']}", site.operator, headers={"accept": "text/html"}).text
    assert "Owner: <i>ops → net; Edge device: no → yes; End of support: nothing → 2027-01-01" in _words(page)
    assert "<i>ops" not in page


def test_of_many_who_say_what_an_exposure_is_under_one_tag_one_is_heard(site: Site) -> None:
    number = _asset(site, "word-3")["id"]
    made = site.ask("POST", f"/api/v1/assets/{number}/inventories", site.operator, content=b"django==4.1\n")
    assert made.status_code == 201, made.text
    line = next(e for e in site.exposures() if e["asset"] == number)
    path = f"/api/v1/exposures/{line['id']}"
    tag = site.ask("GET", path, site.operator).headers["etag"]

    def attempt(n: int) -> int:
        body = {"status": "mitigated", "detail": f"wall {n}"}
        status: int = site.ask("PATCH", path, site.operator, json=body, headers={"if-match": tag}).status_code
        return status

    with ThreadPoolExecutor(8) as threads:
        answers = sorted(threads.map(attempt, range(16)))
    assert answers == [200] + [412] * 15
