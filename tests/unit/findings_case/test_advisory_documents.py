"""An advisory's three documents hold their schemas, say the same, and are read back by our own readers."""

from __future__ import annotations

import io
import json
import re
import tarfile
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from jsonschema.validators import validator_for
from msgspec.structs import replace
from referencing import Registry, Resource

from clearway.formats import csaf, cve, osv, report_check, report_csaf, report_cve, report_osv
from clearway.formats.report_advisory import (
    Advisory,
    Credit,
    Dispute,
    Draft,
    Involved,
    Product,
    Publisher,
    Reference,
    Revision,
    tidied,
)
from clearway.formats.report_csaf_tests import MANDATORY, failures
from clearway.records.errors import InputError
from clearway.versions import intervals, key, vers
from shared import shared

AT = datetime(2026, 11, 26, 12, tzinfo=UTC)
PUBLISHER = Publisher(
    name="Example Clearinghouse",
    namespace="https://clearing.example.org",
    org_id="11111111-2222-4333-8444-555555555555",
    short_name="example",
)
V3 = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
V4 = "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N"


def draft(**more: Any) -> Draft:
    facts: dict[str, Any] = {
        "title": "Heap buffer overflow in parse_string",
        "description": "A string without an end is read beyond its buffer.",
        "products": (Product(purl="pkg:pypi/example@1.2.3", introduced="1.0", fixed="1.2.4"),),
        "cwe": "CWE-787",
        "vector": V3,
        "references": (Reference(url="https://example.org/fix", kind="fix"),),
        "credits": (Credit(name="A finder"),),
    }
    return tidied(Draft(**{**facts, **more}))


def advisory(made: Draft | None = None, **more: Any) -> Advisory:
    facts: dict[str, Any] = {
        "id": "CWC-7Q4K-9M2X",
        "draft": made or draft(),
        "publisher": PUBLISHER,
        "published": AT,
        "revisions": (Revision(number=1, at=AT, summary="First release"),),
        "cve": "CVE-2026-12345",
    }
    return Advisory(**{**facts, **more})


SAMPLES = {
    "everything": advisory(
        draft(solution="Update.", workaround="Turn it off."),
        disputes=(Dispute(party="Vendor", why="It is a feature.", at=AT),),
        involved=(Involved(party="Vendor", status="disputed"), Involved(party="Other", status="open", at=AT)),
        revisions=(
            Revision(number=1, at=AT, summary="First release"),
            Revision(number=2, at=AT.replace(day=27), summary="A fix"),
        ),
    ),
    "no cve": advisory(cve=""),
    "cvss 4": advisory(draft(vector=V4)),
    "no vector, no weakness": advisory(draft(vector="", cwe="", credits=(), references=())),
    "listed versions": advisory(
        draft(products=(Product(purl="pkg:npm/%40a/b", versions=("1.0.0", "1.0.2")),), cwe="CWE-561")
    ),
    "no fix": advisory(draft(products=(Product(purl="pkg:cargo/x", introduced="0", last_affected="2.0.0"),))),
    "open end and a workaround": advisory(
        draft(products=(Product(purl="pkg:maven/g/a", introduced="0"),), workaround="Turn it off.")
    ),
    "a commercial product": advisory(
        draft(products=(Product(vendor="Acme", name="Router", introduced="1", fixed="2"),))
    ),
    "two products of one vendor": advisory(
        draft(
            products=(
                Product(purl="pkg:pypi/one", introduced="0", fixed="2"),
                Product(purl="pkg:pypi/two", introduced="0", fixed="3"),
                Product(purl="pkg:deb/debian/curl?distro=debian-12", introduced="0", fixed="7.88.1-10"),
            )
        )
    ),
}
STATUSES = ("open", "disputed", "in_progress", "completed", "contact_attempted", "not_contacted")


@given(st.lists(st.tuples(st.sampled_from(STATUSES), st.integers(0, 3)), max_size=12))
def test_no_vendor_is_left_out_and_no_two_are_of_one_date(stand: list[tuple[str, int]]) -> None:
    involved = tuple(
        Involved(party=f"vendor {n}", status=status, at=AT + timedelta(seconds=second))  # type: ignore[arg-type]
        for n, (status, second) in enumerate(stand)
    )
    made = json.loads(report_csaf.document(advisory(involved=involved)))
    found = [i for i in made["vulnerabilities"][0]["involvements"] if i["party"] == "vendor"]
    said = {name: i["status"] for i in found for name in i["summary"].split("; ")}
    assert said == {i.party: i.status for i in involved}
    assert len({i["date"] for i in found}) == len(found), "CSAF 2.1, test 6.1.24"


every = pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES.keys())


@cache
def members(archive: str) -> dict[str, bytes]:
    with shared(f"conformance/{archive}.tar.zst").open("rb") as packed:
        raw = zstandard.ZstdDecompressor().stream_reader(packed).read()
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        return {m.name: tar.extractfile(m).read() for m in tar if m.isfile()}  # type: ignore[union-attr]


def only(archive: str, end: str) -> Any:
    (found,) = [body for name, body in members(archive).items() if name.endswith(end)]
    return json.loads(found)


def lenient(uri: str) -> Resource[Any]:
    """What a schema refers to and the archive does not carry (CVSS, tag lists): of it the version alone counts."""
    version = re.search(r"cvss-v(\d\.\d)\.json", uri)
    rule: dict[str, Any] = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": uri}
    if version:
        rule |= {"required": ["version"], "properties": {"version": {"const": version[1]}}}
    return Resource.from_contents(rule)


def wrong(schema: Any, document: Any) -> list[str]:
    registry: Registry[Any] = Registry(retrieve=lenient)
    kind = validator_for(schema, Draft202012Validator)
    return [f"{e.json_path}: {e.message}" for e in kind(schema, registry=registry).iter_errors(document)]


@every
def test_the_csaf_document_holds_its_schema_and_the_mandatory_tests(sample: Advisory) -> None:
    document = json.loads(report_csaf.document(sample))
    assert wrong(only("oasis-csaf-tests", "csaf_2.1/json_schema/csaf.json"), document) == []
    assert failures(document) == []


@every
def test_the_osv_record_holds_its_schema(sample: Advisory) -> None:
    record = json.loads(report_osv.document(sample))
    assert wrong(only("osv-schema", "validation/schema.json"), record) == []


def test_every_ecosystem_that_we_write_is_one_of_the_schema() -> None:
    schema = only("osv-schema", "validation/schema.json")
    rule = {"$ref": "#/$defs/ecosystemWithSuffix", "$defs": schema["$defs"]}
    assert [e for e in report_osv.ECOSYSTEMS if wrong(rule, e)] == []


@every
def test_the_cve_record_holds_its_schema(sample: Advisory) -> None:
    if not sample.cve:
        with pytest.raises(InputError, match="no CVE id"):
            report_cve.document(sample)
        return
    record = json.loads(report_cve.document(sample))
    schema = only("cve-record-schema", "CVE_Record_Format.json")
    # The copy that is shared is of a database that also gives its own ids; the CVE program's own has no such field.
    record["cveMetadata"]["vulnId"] = "CIRCL-SA-2026-12345"
    published = {"$ref": "#/definitions/cnaPublishedContainer", "definitions": schema["definitions"]}
    assert wrong(published, record["containers"]["cna"]) == []
    assert wrong(schema, record) == []


@pytest.mark.parametrize("test", sorted(MANDATORY))
def test_our_mandatory_tests_judge_the_oasis_examples_as_oasis_does(test: str) -> None:
    listed = only("oasis-csaf-tests", "csaf_2.1/test/validator/data/testcases.json")["tests"]
    (case,) = [t for t in listed if t["id"] == test]
    for kind in ("failures", "valid"):
        for example in case.get(kind, ()):
            document = only("oasis-csaf-tests", f"csaf_2.1/test/validator/data/{example['name']}")
            assert bool(MANDATORY[test](document)) == (kind == "failures"), (kind, example["name"])


@every
def test_the_same_advisory_gives_the_same_bytes(sample: Advisory) -> None:
    assert report_csaf.document(sample) == report_csaf.document(replace(sample))
    assert report_osv.document(sample) == report_osv.document(replace(sample))


@every
def test_ranges_are_read_back_as_they_were_meant(sample: Advisory) -> None:
    read = osv.advisory(json.loads(report_osv.document(sample)))
    products = [p for p in sample.draft.products if report_osv.in_osv(p)]
    assert [(a.ecosystem, a.name) for a in read.affected] == [(p.ecosystem, p.name) for p in products]
    for meant, found in zip(products, read.affected, strict=True):
        events = [(e.kind, e.version) for r in found.ranges for e in r.events]
        stated = [(k, v) for k in ("introduced", "fixed", "last_affected") if (v := getattr(meant, k))]
        assert events == stated
        assert found.versions == meant.versions
    if not sample.cve:
        return
    said = cve.advisory(json.loads(report_cve.document(sample)))
    assert said.id == sample.cve
    assert not any(a.unread for a in said.affected if a.status == "affected")
    ends = {e.version for a in said.affected for r in a.ranges for e in r.events if e.kind == "fixed"}
    assert ends == {p.fixed for p in sample.draft.products if p.fixed}


@every
def test_the_csaf_document_is_read_back_with_its_ranges(sample: Advisory) -> None:
    _, identifier, statements = csaf.documents(json.loads(report_csaf.document(sample)), vex=False)
    assert identifier == sample.id
    (read,) = statements
    assert read.aliases == ((sample.cve,) if sample.cve else ())  # type: ignore[union-attr]
    assert not [a.unread for a in read.affected if a.unread]  # type: ignore[union-attr]
    for product in sample.draft.products:
        if product.introduced and product.purl:
            vers.parse(report_csaf.version_range(product))


def test_a_dispute_travels_with_each_document() -> None:
    made = SAMPLES["everything"]
    for document in (report_csaf.document(made), report_osv.document(made), report_cve.document(made)):
        assert b"It is a feature." in document
    assert json.loads(report_cve.document(made))["containers"]["cna"]["tags"] == ["disputed"]
    (vulnerability,) = json.loads(report_csaf.document(made))["vulnerabilities"]
    assert "disputed" in {i["status"] for i in vulnerability["involvements"]}


@pytest.mark.parametrize(
    ("more", "place"),
    [
        ({"title": " "}, "title"),
        ({"products": ()}, "products"),
        ({"products": (Product(purl="nonsense", introduced="0"),)}, "products[0].purl"),
        ({"products": (Product(purl="pkg:pypi/x"),)}, "products[0].introduced"),
        ({"products": (Product(purl="pkg:pypi/x", introduced="0", fixed="2", last_affected="1"),)}, "products[0]"),
        ({"products": (Product(name="bare", introduced="0"),)}, "products[0]"),
        ({"cwe": "787"}, "cwe"),
        ({"vector": "CVSS:3.1/AV:N"}, "vector"),
        ({"vector": "AV:N/AC:L/Au:N/C:P/I:P/A:P"}, "vector"),
        ({"references": (Reference(url="javascript:alert(1)"),)}, "references[0].url"),
        ({"references": (Reference(url="https://[::bad"),)}, "references[0].url"),
        ({"credits": (Credit(name=" "),)}, "credits[0].name"),
    ],
)  # fmt: skip
def test_what_no_document_can_be_made_of_is_refused_with_its_place(more: dict[str, Any], place: str) -> None:
    with pytest.raises(InputError) as told:
        draft(**more)
    assert told.value.where == place


PYPI = {"purl": "pkg:pypi/example"}


@pytest.mark.parametrize(
    ("product", "place"),
    [
        ({**PYPI, "introduced": "2.0", "fixed": "1.0"}, "products[0].fixed"),
        ({**PYPI, "introduced": "1.0", "fixed": "1.0.0"}, "products[0].fixed"),
        ({**PYPI, "introduced": "1.10", "fixed": "1.9"}, "products[0].fixed"),
        ({**PYPI, "introduced": "1.0", "last_affected": "0.5"}, "products[0].last_affected"),
        ({**PYPI, "fixed": "1.0", "versions": ("0.9",)}, "products[0].introduced"),
        ({"purl": "pkg:npm/example", "introduced": "abc", "fixed": "zzz"}, "products[0].introduced"),
        ({"purl": "pkg:npm/example", "introduced": "0", "fixed": "not!a!version"}, "products[0].fixed"),
        ({**PYPI, "introduced": "1.0|<5", "fixed": "6"}, "products[0].introduced"),
        ({**PYPI, "introduced": "0", "fixed": ">=1"}, "products[0].fixed"),
        ({**PYPI, "versions": ("<2.0",)}, "products[0].versions[0]"),
        ({**PYPI, "versions": ("1.0", "all")}, "products[0].versions[1]"),
        ({**PYPI, "versions": ("",)}, "products[0].versions[0]"),
        ({**PYPI, "introduced": "1", "fixed": "2.0", "versions": ("2",)}, "products[0].versions[0]"),
        ({"vendor": "Acme", "name": "Box", "versions": ("all",)}, "products[0].versions[0]"),
        ({"vendor": "Acme", "name": "Box", "introduced": "2", "fixed": "1"}, "products[0].fixed"),
        ({**PYPI, "ecosystem": "npm", "introduced": "0"}, "products[0].ecosystem"),
        ({**PYPI, "name": "other", "introduced": "0"}, "products[0].name"),
        (
            {"purl": "pkg:deb/debian/curl?distro=debian-12", "ecosystem": "Debian:11", "introduced": "0"},
            "products[0].ecosystem",
        ),
        ({"vendor": "V\x1b[31m", "name": "N", "introduced": "1"}, "products[0].vendor"),
    ],
)  # fmt: skip
def test_a_range_that_readers_would_take_for_another_is_refused(product: dict[str, Any], place: str) -> None:
    with pytest.raises(InputError) as told:
        draft(products=(Product(**product),))
    assert told.value.where == place


@pytest.mark.parametrize(
    "product",
    [
        {**PYPI, "introduced": "1.0", "last_affected": "1.0"},
        {**PYPI, "introduced": "1.9", "fixed": "1.10"},
        {**PYPI, "introduced": "1!1.0", "fixed": "1!2.0"},
        {"purl": "pkg:deb/debian/curl", "ecosystem": "Debian:12", "introduced": "0", "fixed": "7.88.1-10~deb12u1"},
        {"purl": "pkg:pypi/Foo_Bar", "name": "foo.bar", "introduced": "0"},
        {"purl": "pkg:generic/box", "ecosystem": "OSS-Fuzz", "name": "box", "introduced": "0"},
        {"purl": "pkg:alpm/arch/pacman", "introduced": "1:5.0-1", "fixed": "1:6.0-1"},
    ],
)  # fmt: skip
def test_a_range_in_the_order_of_its_ecosystem_is_taken(product: dict[str, Any]) -> None:
    assert draft(products=(Product(**product),)).products[0].introduced == product["introduced"]


def test_a_version_is_not_fixed_by_one_range_and_affected_by_another() -> None:
    ranges = (Product(**PYPI, introduced="1.0", fixed="2.0"), Product(**PYPI, introduced="1.5", fixed="1.8"))
    with pytest.raises(InputError, match="another range") as told:
        draft(products=ranges)
    assert told.value.where == "products[1].fixed"
    apart = (Product(**PYPI, introduced="1.0", fixed="1.5"), Product(**PYPI, introduced="1.6", fixed="1.8"))
    assert draft(products=apart).products == tuple(tidied(draft(products=apart)).products)


@pytest.mark.parametrize("char", ["\x00", "\x1b", "\x9b", "\u202e", "\u2066"])
@pytest.mark.parametrize("place", ["title", "description", "solution", "workaround"])
def test_controls_and_turns_of_direction_are_refused_where_they_stand(place: str, char: str) -> None:
    with pytest.raises(InputError, match="control or direction") as told:
        draft(**{place: f"a{char}b"})
    assert told.value.where == place


def test_prose_has_lines_and_tabs_and_a_title_has_none() -> None:
    assert draft(description="one\n\ttwo\r\nthree").description == "one\n\ttwo\r\nthree"
    with pytest.raises(InputError, match="control"):
        draft(title="one\ntwo")


@given(st.lists(st.integers(0, 30), min_size=4, max_size=4))
def test_what_is_taken_is_affected_where_it_is_introduced_and_not_where_it_is_fixed(parts: list[int]) -> None:
    start, end = f"{parts[0]}.{parts[1]}", f"{parts[2]}.{parts[3]}"
    try:
        made = draft(products=(Product(**PYPI, introduced=start, fixed=end),))
    except InputError:
        assert key("pypi", start) >= key("pypi", end)
        return
    read = osv.advisory(json.loads(report_osv.document(advisory(made))))
    (interval,) = intervals("pypi", read.affected[0].ranges[0].events)
    assert interval.lo <= key("pypi", start) < interval.hi <= key("pypi", end)


@every
def test_what_is_published_is_read_back_by_our_own_intake(sample: Advisory) -> None:
    made = {"csaf": report_csaf.document(sample), "osv": report_osv.document(sample)}
    report_check.check({**made, **({"cve": report_cve.document(sample)} if sample.cve else {})})


def test_a_document_that_breaks_a_mandatory_test_is_refused_with_the_test() -> None:
    document = json.loads(report_csaf.document(SAMPLES["no fix"]))
    document["document"]["tracking"]["version"] = "2"
    with pytest.raises(InputError, match=r"6\.1\.16"):
        report_check.check({"csaf": json.dumps(document).encode()})
    nul = report_osv.document(SAMPLES["no fix"]).replace(b"A string", b"A\\u0000string")
    with pytest.raises(InputError, match=r"(?i)nul"):
        report_check.check({"osv": nul})
