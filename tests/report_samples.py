"""Findings of every shape, for the tests of the report writers."""

from __future__ import annotations

from datetime import UTC, date, datetime

from clearway.records.advisory import Kev, Ssvc
from clearway.records.finding import Finding, Statement
from clearway.records.inventory import Component, Inventory

AS_OF = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LODASH = Component(
    ecosystem="npm",
    name="lodash",
    version="4.17.20",
    purl="pkg:npm/lodash@4.17.20",
    cpes=("cpe:2.3:a:lodash:lodash:4.17.20:*:*:*:*:node.js:*:*",),
    place="components[3].components[0]",
)
GATEWAY = Component(
    ecosystem="vendor",
    vendor="Ivanti",
    name="Connect Secure",
    version="22.7R2",
    host='=HYPERLINK("http://x")',
    place="line 3",
)
ODD = Component(
    name="\x1b[31m: ü/?#", cpes=("cpe:nonsense", "a b"), purl="pkg:maven/", problem="purl is missing its name"
)
FINDINGS = (
    Finding(
        component=LODASH,
        flaw="CVE-2021-23337",
        verdict="affected",
        basis="range",
        ids=("GHSA-35jh-r3h4-6jhm",),
        aliases=("CVE-2021-23337", "GHSA-35jh-r3h4-6jhm"),
        fixed=("4.17.21",),
        statements=(
            Statement(record="GHSA-35jh-r3h4-6jhm", source="github", verdict="affected", basis="range"),
        ),
        reasons=("4.17.20 is in [0, 4.17.21)",),
        sources=("github",),
        ssvc=Ssvc(cve="CVE-2021-23337", exploitation="poc"),
        epss=0.01,
        score=7.2,
        directive="BOD 26-04",
        due=date(2026, 3, 15),
        tier="14D",
    ),
    Finding(
        component=GATEWAY,
        flaw="CVE-2025-22457",
        verdict="affected",
        basis="vendor_range",
        reasons=("22.7R2 is below 22.7R2.6",),
        kev=Kev(cve="CVE-2025-22457", date_added=date(2025, 4, 4)),
    ),
    Finding(component=LODASH, flaw="GHSA-p6mc-m468-83gw", verdict="not_affected", basis="vex", score=3.1),
    Finding(component=ODD, flaw="GO-2024-0001", verdict="unknown", basis="possible_name", score=0.0),
    Finding(component=ODD, flaw="ODDID", verdict="unknown"),
)
INVENTORY = Inventory(
    name="fleet a/site:1/products.csv",
    format="product-list",
    components=(LODASH, GATEWAY, ODD),
    serial="urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79",
)
