"""A vendor's product is asked for by the name that it is shown by: with its vendor or without, in any case."""

from __future__ import annotations

from typing import Any

import pytest

from clearway.exposure.fleet import observe, rule, witness
from clearway.formats.observed import read_fleet
from fleet_world import DAY, Fleet

LONG = "The Company of Companies that Make Appliances"
PRODUCTS = (
    ("Fortinet", "FortiOS"), ("Progress", "MOVEit Transfer"), (LONG, "Gate"), ("Name", "Nothing"), ("A%b\\_", "Odd"),
    ("Bücher", "Regal"),
)  # fmt: skip


def record(number: int, vendor: str, product: str) -> dict[str, Any]:
    org = "11111111-1111-4111-8111-111111111111"
    affected = {"vendor": vendor, "product": product, "versions": [
        {"version": "1.0", "lessThan": "3.0", "status": "affected", "versionType": "custom"}]}  # fmt: skip
    flaw = f"CVE-2026-900{number}"
    return {
        "dataType": "CVE_RECORD", "dataVersion": "5.1",
        "cveMetadata": {"cveId": flaw, "assignerOrgId": org, "state": "PUBLISHED",
                        "datePublished": "2026-11-01T00:00:00Z", "dateUpdated": "2026-11-01T00:00:00Z"},
        "containers": {"cna": {"providerMetadata": {"orgId": org}, "affected": [affected],
                               "descriptions": [{"lang": "en", "value": "x"}]}},
    }  # fmt: skip


@pytest.fixture
def shelf(mine: Fleet) -> Fleet:
    mine.ingest(*(record(n, *one) for n, one in enumerate(PRODUCTS)))
    mine.follow()
    text = "host,vendor,product,version\n" + "".join(f"fw,{v},{p},2.0\n" for v, p in PRODUCTS)
    read = read_fleet(text.encode(), "list.csv")
    observe.observe(
        mine.people.pool, mine.operator.key, mine.table, mine.org, read.observed, text.encode(), DAY,
        place="list.csv", file=witness.file_of("list.csv"),
    )  # fmt: skip
    mine.upload(mine.asset("web"), "pkg:pypi/django@4.1")
    return mine


NAMED = {
    "FortiOS": "FortiOS", "fortios": "FortiOS", "Fortinet FortiOS": "FortiOS", "fortinet fortios": "FortiOS",
    "fortinet*": "FortiOS", "Fortinet For*": "FortiOS", "forti*": "FortiOS", "moveit transfer": "MOVEit Transfer",
    "Progress MOVEit Transfer": "MOVEit Transfer", "progress m*": "MOVEit Transfer", f"{LONG} Gate": "Gate",
    "The company of*": "Gate", "A%b\\_ odd": "Odd", "a%b*": "Odd", "bücher regal": "Regal", "django": "django",
    "name*": "Nothing",
}  # fmt: skip
NOBODY = (
    "inet FortiOS",
    "Fortinet",
    "OS",
    "Django",
    "vendor*",
    "7*",
    "A%",
    "Progress FortiOS",
    "%*",
    "_*",
    "Fortinet Forti",
)


def test_a_product_is_found_by_the_name_that_it_is_shown_by(shelf: Fleet) -> None:
    shown = {x.called for x in shelf.lines()}
    assert "Progress MOVEit Transfer" in shown
    assert {text: [x.name for x in shelf.lines(name=text)] for text in NAMED} == {
        text: [name] for text, name in NAMED.items()
    }
    assert {text: shelf.lines(name=text) for text in NOBODY} == dict.fromkeys(NOBODY, ())
    assert all(len(shelf.lines(name=text)) == 1 for text in shown)
    with shelf.acting() as db:
        assert rule.dry_run(db, shelf.org, rule.Match(name="fortinet fortios")).total == 1
