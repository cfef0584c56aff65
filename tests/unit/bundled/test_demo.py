"""The demonstration inventories: what a tool said of real releases, with every tier of BOD 26-04 among the answers."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from datetime import date
from functools import cache

import msgspec
import pytest

from clearway.advisories.claims import claims_of
from clearway.advisories.table import Claim
from clearway.advisories.vendors import bundled
from clearway.directives import Judge, load
from clearway.formats import intake
from clearway.formats.inventory import read_inventory
from clearway.records.advisory import Advisory, Kev, Ssvc
from clearway.records.errors import VersionUnreadableError
from clearway.records.inventory import Component, Inventory
from clearway.versions import key
from shared import ROOT

DEMO = ROOT / "data" / "demo"
FACTS = ROOT / "data" / "facts"
TODAY = date(2026, 11, 25)


def inventory(name: str) -> Inventory:
    return read_inventory((DEMO / name).read_bytes(), name)


class Known(msgspec.Struct):
    claims: dict[tuple[str, str], list[Claim]]
    cve: dict[str, str]  # record -> CVE
    kev: dict[str, Kev]
    ssvc: dict[str, Ssvc]


@cache
def known() -> Known:
    """What the bundled facts say of the packages and products in the demonstration; the plainest way, no table."""
    found = Known(defaultdict(list), {}, {}, {})
    decoder = msgspec.msgpack.Decoder(Claim)
    documents = [("kev-json", (FACTS / "kev.json").read_bytes())]
    for name, kind in (("pypi.jsonl", "osv"), ("vulnrichment.jsonl", "cve")):
        documents += [(kind, line) for line in (FACTS / name).read_bytes().splitlines()]
    for kind, data in documents:
        for decoded in intake.decode(kind, data, "facts"):
            assert isinstance(decoded, intake.Decoded)
            item = decoded.item
            if isinstance(item, Kev):
                found.kev[item.cve] = item
            elif isinstance(item, Advisory):
                found.cve[item.id] = next((i for i in (item.id, *item.aliases) if i.startswith("CVE-")), "")
                found.ssvc.update({decision.cve: decision for decision in item.ssvc})
                for row in claims_of(item, bundled()):
                    found.claims[row.ecosystem, row.name].append(decoder.decode(row.body))
    return found


def hits(component: Component) -> set[str]:
    """The records whose intervals hold the component's version."""
    if component.ecosystem == "vendor":
        product = bundled().find(component.vendor, component.name)
        at = ("vendor" if product.reviewed else "vendor-unreviewed", product.key)
    else:
        at = (component.ecosystem, component.name)
    found = set()
    for claim in known().claims.get(at, ()):
        try:
            version = key(claim.scheme, component.version)
        except VersionUnreadableError:
            continue
        inside = any(low <= version < high for low, high, *_ in claim.intervals)
        if inside or any(version == listed for listed, _ in claim.listed):
            found.add(claim.record)
    return found


def tiers(name: str) -> set[str]:
    found = set()
    read = inventory(name)
    for component in read.components:
        judge = Judge(load("bod-26-04"), exposure=component.exposure or read.exposure, as_of=TODAY)
        for record in hits(component):
            cve = known().cve[record]
            found.add(judge.due(cve, known().kev.get(cve), True, known().ssvc.get(cve)).tier)
    return found


def test_a_public_web_frontend_has_every_tier_with_a_date_and_one_finding_out_of_scope() -> None:
    assert tiers("web-frontend.cdx.json") == {"3DF", "3D", "14D", "60D", "out_of_scope"}


def test_an_internal_records_office_has_what_waits_for_the_next_upgrade() -> None:
    assert {"3DF", "60D", "FSU"} <= tiers("records-office.cdx.json")


def test_a_records_office_has_components_that_no_bundled_source_covers() -> None:
    ecosystems = {component.ecosystem for component in inventory("records-office.cdx.json").components}
    assert ecosystems == {"PyPI", "Maven"}


@pytest.mark.parametrize(("name", "exposure"), [("web-frontend", "public"), ("records-office", "internal")])
def test_an_inventory_states_its_exposure_and_speaks_of_no_machine(name: str, exposure: str) -> None:
    text = (DEMO / f"{name}.cdx.json").read_text(encoding="utf-8")
    document = json.loads(text)
    assert "serialNumber" not in document
    assert "timestamp" not in document["metadata"]
    assert document["metadata"]["tools"]["components"][0]["name"] == "syft"
    assert not re.search(r'"(?:/|[A-Z]:\\)|/(?:home|tmp|root|work)/|@[a-z]+\.(?:com|org)', text)
    read = inventory(f"{name}.cdx.json")
    assert (read.exposure, read.problems) == (exposure, ())
    assert len(read.components) > 30
    assert not [component for component in read.components if component.problem]


APPLIANCES = [
    ("edge-fw-1", {"CVE-2024-21762"}),
    ("edge-fw-2", set()),
    ("edge-fw-3", {"CVE-2024-3400"}),
    ("mdm-1", {"CVE-2023-35078"}),
    ("files-1", {"CVE-2023-34362"}),
    ("mail-1", {"CVE-2023-43770", "CVE-2024-37383"}),
    ("build-1", {"CVE-2024-27198", "CVE-2024-27199"}),
    ("build-2", set()),
    ("wiki-1", {"CVE-2023-22515", "CVE-2023-22527"}),
    ("backup-1", {"CVE-2024-40711"}),
    ("virt-1", {"CVE-2023-34048"}),
    ("print-1", set()),
]


@pytest.mark.parametrize(("host", "flaws"), APPLIANCES, ids=[host for host, _ in APPLIANCES])
def test_an_appliance_matches_the_ranges_of_cisas_container(host: str, flaws: set[str]) -> None:
    (component,) = [c for c in inventory("appliances.csv").components if c.host == host]
    assert hits(component) == flaws
    assert flaws <= set(known().kev)


def test_the_printer_is_a_product_that_nothing_bundled_speaks_of() -> None:
    (printer,) = [c for c in inventory("appliances.csv").components if c.host == "print-1"]
    assert not bundled().find(printer.vendor, printer.name).reviewed
