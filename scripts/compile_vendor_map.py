"""Compile the reviewed vendor/product map, `src/clearway/advisories/data/vendor-map.json`, from names in public data.

    python scripts/compile_vendor_map.py --from ../shared/data [--doubtful]

Sources spell one product in many ways: KEV says "Cisco | IOS XE Software", CISA's container "cisco | ios_xe". The map
holds, for every product that KEV names and for every product of the same vendor in the CVE records of KEV-listed
flaws, one canonical pair and the spellings seen.

Two spellings are one product only where
1. they agree after folding: case, punctuation, a leading vendor name, brackets, "software" and "firmware", and
   the legal form of the vendor; or
2. for one CVE, KEV and each other source name exactly one product, and one of the names is the other with
   words in addition that name no other product; or
3. a person looked at it: `REVIEWED`.
Whatever else would have been a candidate is not merged; `--doubtful` lists it. A KEV entry that names several
products or none ("Multiple Products") is no product: it stands under `not_merged` with its reason.
"""

from __future__ import annotations

import argparse
import io
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clearway.advisories.vendors import fold
from compile_facts import CISA_ADP, VULNRICHMENT_FILES, lines, newest_kev

ROOT = Path(__file__).resolve().parent.parent
Pair = tuple[str, str]

# Words that tell a vendor's legal form and not who it is.
LEGAL = frozenset((
    "inc", "incorporated", "corp", "corporation", "ltd", "limited", "llc", "co", "company", "gmbh",
    "ag", "plc", "sa", "srl", "pty", "bv", "oy", "ab", "as", "kk", "se", "foundation", "systems",
    "technologies", "technology", "group", "project", "the", "software", "networks",
))  # fmt: skip
# Words of a product name that do not tell it from its vendor's other products.
NOISE = frozenset(["software", "firmware"])
# One vendor under two names, each checked: what the first key is for in public records.
VENDORS = {
    "paloaltonetworks": "paloalto",
    "samsungelectronics": "samsung",
    "justiceavsolutions": "javs",
    "solitonkk": "soliton",
    "metaplatforms": "meta",
}
# Pairs of keys that rules 1 and 2 don't reach, each accepted by a person.
REVIEWED: tuple[tuple[Pair, Pair], ...] = (
    (("cisco", "adaptivesecurityappliance"), ("cisco", "asa")),
    (("cisco", "firepowerthreatdefense"), ("cisco", "ftd")),
    (("cisco", "smartlicensingutility"), ("cisco", "smartlicenseutility")),
    (("fortinet", "forticlientems"), ("fortinet", "forticliententerprisemanagementserver")),
    (("gitlab", "gitlab"), ("gitlab", "ceee")),
    (("ivanti", "cloudservicesappliance"), ("ivanti", "csacloudservicesappliance")),
    (("ivanti", "cloudservicesappliance"), ("ivanti", "endpointmanagercloudservicesappliance")),
    (("ivanti", "cloudservicesappliance"), ("ivanti", "endpointmanagercloudserviceapplianceepmcsa")),
    (("ivanti", "endpointmanager"), ("ivanti", "epm")),
    (("ivanti", "endpointmanagermobile"), ("ivanti", "epmm")),
    (("ivanti", "virtualtrafficmanager"), ("ivanti", "vtm")),
    (("joomla", "joomla"), ("joomla", "cms")),
    (("microsoft", "internetexplorer"), ("microsoft", "ie")),
    (("oracle", "agileproductlifecyclemanagement"), ("oracle", "agileplmframework")),
    (("sysaid", "server"), ("sysaid", "onpremises")),
    (("twilio", "authy"), ("twilio", "authy2factorauthentication")),
    (("wordpress", "core"), ("wordpress", "wordpress")),
    (("cwp", "controlwebpanel"), ("centoswebpanel", "centoswebpanel")),  # renamed
    (("linux", "kernel"), ("linuxkernelorganization", "linux")),
    (("osgeo", "geoserver"), ("geoserver", "geoserver")),
    (("osgeo", "jaiext"), ("geosolutionsit", "jaiext")),
    (("osgeo", "jaiext"), ("geosolutionsgroup", "jaiext")),
    (("papercut", "mfng"), ("papercut", "ngmf")),
    (("progress", "kemploadmaster"), ("kemptechnologies", "loadmaster")),
    (("synacor", "zimbracollaborationsuite"), ("zimbra", "collaborationsuite")),
    (("synacor", "zimbracollaborationsuite"), ("synacor", "zimbracollaboratesuite")),
    (("vite", "vitejs"), ("vitejs", "vite")),
)
# Short names in daily use that no source spells, each checked.
IN_USE: dict[Pair, tuple[Pair, ...]] = {
    ("cisco", "adaptivesecurityappliance"): (("Cisco", "ASA Software"),),
    ("cisco", "firepowerthreatdefense"): (("Cisco", "FTD Software"),),
    ("citrix", "netscalerapplicationdeliverycontroller"): (
        ("Citrix", "NetScaler ADC"),
        ("Citrix", "Citrix ADC"),
    ),
    ("paloalto", "panos"): (("Palo Alto", "PAN-OS"),),
    ("vmware", "vcenterserver"): (("VMware", "vCenter"),),
}
# Candidates that rule 2 would accept and a person refused.
REFUSED = {
    frozenset((("apache", "airflowsexperimentalapi"), ("apache", "airflow"))),  # a part of it
}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--from", dest="source", type=Path, required=True, help="the folder of snapshots")
    parser.add_argument("--doubtful", action="store_true", help="list the candidates that were not merged")
    default = ROOT / "src" / "clearway" / "advisories" / "data" / "vendor-map.json"
    parser.add_argument("--out", type=Path, default=default)
    args = parser.parse_args()
    catalogue = newest_kev(args.source / "kev" / "kev.tar.zst")
    listed = {
        e["cveID"]: (e["vendorProject"].strip(), e["product"].strip()) for e in catalogue["vulnerabilities"]
    }
    seen = Names()
    not_merged = {}
    for pair in sorted(set(listed.values())):
        reason = no_product(pair)
        if reason:
            not_merged[pair] = reason
        else:
            seen.add(pair, "kev")
    doubtful = join(seen, listed, not_merged, said_by_source(args.source, set(listed)))
    products = seen.products()
    document = {
        "version": f"{catalogue['catalogVersion']}-1",
        "products": products,
        "not_merged": [{"vendor": v, "product": p, "why": why} for (v, p), why in sorted(not_merged.items())],
    }
    args.out.write_text(layout(document), encoding="utf-8")
    names = sum(len(product["names"]) for product in products)
    print(f"{len(products)} products, {names} names, {len(not_merged)} KEV entries that are no product")
    if args.doubtful:
        for line in sorted(doubtful):
            print(line)
    return 0


# In brackets: an abbreviation, a former name, or a way of installing. Anything longer may be another product.
ASIDE = re.compile(r"\s*\((?:[^\s()]{1,9}|formerly[^()]*|server core installation)\)", re.IGNORECASE)


def plain(name: str) -> str:
    """The name without such brackets; never empty."""
    return ASIDE.sub("", name).strip() or name


def words(text: str) -> list[str]:
    """The words of a name without such brackets, lower-case."""
    return re.findall(r"[a-z0-9+#]+", plain(text).casefold().replace("_", " "))


def vendor_key(vendor: str) -> str:
    kept = [word for word in words(vendor) if word not in LEGAL] or words(vendor)
    key = "".join(kept)
    return VENDORS.get(key, key)


def product_words(vendor: str, product: str) -> list[str]:
    """What the product's name adds to its vendor's; never empty unless the name is."""
    found = words(product)
    of_vendor = [word for word in words(vendor) if word not in LEGAL]
    if of_vendor and found[: len(of_vendor)] == of_vendor and len(found) > len(of_vendor):
        found = found[len(of_vendor) :]
    return [word for word in found if word not in NOISE] or found


def pair_key(pair: Pair) -> Pair:
    vendor, product = pair
    return vendor_key(vendor), "".join(product_words(vendor, product))


# Names with such a joint that are one product all the same.
ONE_PRODUCT = {
    ("erlang", "erlang/otp"),
    ("gitlab", "gitlab ce/ee"),
    ("ietf", "http/2"),
    ("kaseya", "virtual system/server administrator (vsa)"),
    ("nakivo", "backup and replication"),
    ("papercut", "mf/ng"),
    ("papercut", "ng/mf"),
    ("veeam", "backup & replication"),
}
SEVERAL = re.compile(r",|\s(?:and|&)\s|/", re.IGNORECASE)


def no_product(pair: Pair) -> str:
    """Why a KEV entry names no single product; "" when it does."""
    vendor, product = pair
    if "multiple" in product.casefold():
        return "names no product"
    if (vendor.casefold(), product.casefold()) in ONE_PRODUCT:
        return ""
    if SEVERAL.search(product) or SEVERAL.search(vendor):
        return "names several products"
    return ""


class Names:
    """Spellings by product, joined as merges are found."""

    def __init__(self) -> None:
        self.spelled: dict[Pair, dict[Pair, str]] = defaultdict(dict)  # key -> spelling -> first source
        self.parent: dict[Pair, Pair] = {}

    def root(self, key: Pair) -> Pair:
        while key in self.parent:
            key = self.parent[key]
        return key

    def add(self, pair: Pair, source: str) -> None:
        self.spelled[pair_key(pair)].setdefault(pair, source)

    def join(self, one: Pair, other: Pair) -> None:
        one, other = self.root(one), self.root(other)
        if one != other:
            self.parent[other] = one

    def products(self) -> list[dict[str, Any]]:
        groups: dict[Pair, dict[Pair, str]] = defaultdict(dict)
        for key, spellings in self.spelled.items():
            groups[self.root(key)].update(spellings)
        vendors: dict[str, dict[str, str]] = defaultdict(
            dict
        )  # every spelling of a vendor, by its folded form
        for spellings in self.spelled.values():
            for vendor, _ in sorted(pair for pair, source in spellings.items() if source != "use"):
                vendors[vendor_key(vendor)].setdefault(fold(vendor), vendor)
        found = [entry(spellings, vendors) for spellings in groups.values()]
        return sorted(found, key=lambda product: (product["vendor"], product["product"]))


PREFERRED = ("adp", "cpe", "kev", "cna", "use")


def entry(spellings: dict[Pair, str], vendors: dict[str, dict[str, str]]) -> dict[str, Any]:
    """One product of the map: canonical pair, and each spelling once, as folding sees it."""
    best = min(spellings, key=lambda pair: (PREFERRED.index(spellings[pair]), len(pair[1]), pair))
    one_slug = min(vendors[vendor_key(best[0])].values(), key=lambda v: (len(slug(plain(v))), slug(plain(v))))
    canonical = (slug(plain(one_slug)), slug(plain(best[1])))
    taken = {(fold(canonical[0]), fold(canonical[1]))}
    names: list[list[str]] = []
    for vendor, product in sorted(spellings, key=lambda pair: (PREFERRED.index(spellings[pair]), pair)):
        short = plain(product)
        alone = " ".join(words(short)).startswith(
            " ".join(words(vendor))
        )  # the name begins with the vendor's
        bare = re.sub(r"[ _](?:software|firmware)$", "", short, flags=re.IGNORECASE)
        wanted = [product, short, bare] if alone else [product, short, bare, f"{vendor} {short}"]
        others = sorted(
            v
            for v in vendors[vendor_key(vendor)].values()
            if v != vendor and spellings[vendor, product] != "use"
        )
        for spelled, name in [(v, n) for v in (vendor, *others) for n in wanted]:
            folded = (fold(spelled), fold(name))
            if folded not in taken:
                taken.add(folded)
                names.append([spelled, name])
    return {"vendor": canonical[0], "product": canonical[1], "names": names, "scheme": "generic"}


def slug(text: str) -> str:
    return re.sub(r"[^a-z0-9+#.-]+", "_", text.casefold()).strip("_")


def said_by_source(folder: Path, listed: set[str]) -> dict[str, dict[str, set[Pair]]]:
    """CVE -> source ("cna", "adp", "cpe") -> the products that it names."""
    said: dict[str, dict[str, set[Pair]]] = defaultdict(lambda: defaultdict(set))
    for name in VULNRICHMENT_FILES:
        for record in lines(folder / f"vulnrichment/{name}.jsonl.zst"):
            cve = record["cveMetadata"]["cveId"]
            if cve in listed:
                for source, container in containers(record):
                    for product in container.get("affected", ()):
                        pair = (product.get("vendor") or "").strip(), (product.get("product") or "").strip()
                        if not {pair[0].casefold(), pair[1].casefold()} & {
                            "",
                            "n/a",
                            "unspecified",
                            "unknown",
                        }:
                            said[cve][source].add(pair)
    for record in lines(folder / "cpe-overrides/anchore-nvd-data-overrides.jsonl.zst"):
        cve = record["_annotation"]["cve_id"]
        if cve in listed:
            said[cve]["cpe"].update(cpe_names(record))
    return said


def containers(record: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield "cna", record["containers"].get("cna", {})
    for adp in record["containers"].get("adp", ()):
        if adp["providerMetadata"].get("shortName") == CISA_ADP:
            yield "adp", adp


def cpe_names(record: dict[str, Any]) -> Iterator[Pair]:
    for configuration in record["cve"].get("configurations", ()):
        for node in configuration["nodes"]:
            for match in node.get("cpeMatch", ()):
                parts = re.split(r"(?<!\\):", match["criteria"])
                if match.get("vulnerable", True) and parts[3] != "null":
                    yield parts[3].replace("\\", ""), parts[4].replace("\\", "")


def join(
    seen: Names, listed: dict[str, Pair], not_merged: dict[Pair, str], said: dict[str, dict[str, set[Pair]]]
) -> set[str]:
    """Adds what other sources say of KEV's vendors, merges by the rules, and returns what stayed apart."""
    doubtful: set[str] = set()
    apart: dict[str, tuple[Pair, Pair]] = {}
    cross = {key for pair in REVIEWED for key in pair}  # also of a vendor that KEV does not name
    for cve, pair in sorted(listed.items()):
        ours = pair_key(pair)
        for source, pairs in sorted(said.get(cve, {}).items()):
            for other in sorted(pairs):
                if no_product(other):
                    continue
                if pair_key(other)[0] == ours[0] or pair_key(other) in cross:
                    seen.add(other, source)
                elif len(pairs) == 1:
                    doubtful.add(f"vendor  {pair} ~ {other}")
            other = next(iter(pairs), pair)
            if len(pairs) == 1 and pair not in not_merged and not no_product(other):
                theirs = pair_key(other)
                if theirs == ours or theirs[0] != ours[0]:
                    continue
                if contains(pair, other) and frozenset((ours, theirs)) not in REFUSED:
                    seen.join(ours, theirs)
                    doubtful.add(f"merged  {pair} = {other}")
                else:
                    apart[f"apart   {pair} ~ {other}  {ours} {theirs}"] = (ours, theirs)
    gone = {key for pair in REVIEWED for key in pair if key not in seen.spelled}
    if gone:
        raise SystemExit(f"REVIEWED speaks of names that the data does not hold: {sorted(gone)}")
    for one, two in REVIEWED:
        seen.join(one, two)
    for key, spellings in IN_USE.items():
        if key not in seen.spelled:
            raise SystemExit(f"IN_USE speaks of {key}, which the data does not hold")
        seen.spelled[key].update(dict.fromkeys(spellings, "use"))
    return doubtful | {line for line, (one, two) in apart.items() if seen.root(one) != seen.root(two)}


# Words that make another product of the one they stand beside.
TELLING = frozenset((
    "mobile", "cloud", "lite", "pro", "enterprise", "client", "server", "manager", "gateway", "web",
    "ui", "plugin", "driver", "kernel",
))  # fmt: skip


def contains(one: Pair, other: Pair) -> bool:
    """Whether one name is the other with more words, none of which is a number or tells products apart."""
    a, b = set(product_words(*one)), set(product_words(*other))
    more = a ^ b
    return (
        bool(a & b)
        and (a < b or b < a)
        and not any(any(c.isdigit() for c in w) or w in TELLING for w in more)
    )


def layout(document: dict[str, Any]) -> str:
    """JSON with one product a line, so that a change is a line in a diff."""

    def rows(items: list[Any]) -> str:
        return ",\n".join("  " + json.dumps(item, ensure_ascii=False) for item in items)

    out = io.StringIO()
    out.write(
        f'{{\n "version": {json.dumps(document["version"])},\n "products": [\n{rows(document["products"])}\n ],\n'
    )
    out.write(f' "not_merged": [\n{rows(document["not_merged"])}\n ]\n}}\n')
    return out.getvalue()


if __name__ == "__main__":
    sys.exit(main())
