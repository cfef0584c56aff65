"""CVE JSON 5.x: each provider's words apart, version semantics as the schema has them, SSVC in every spelling."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest

from clearway.formats import intake
from clearway.formats._ssvc import read_ssvc
from clearway.records.advisory import Advisory, Affected
from clearway.records.errors import InputError

V = dict[str, Any]
CISA_ADP = {"orgId": "134c704f-9b21-4f2e-91b3-4a467353bcc0", "shortName": "CISA-ADP"}


def decode(cna: V, adp: list[V] | None = None, **meta: str) -> Advisory:
    record = {
        "dataType": "CVE_RECORD",
        "cveMetadata": {"cveId": "CVE-2024-1000", "state": "PUBLISHED", "assignerShortName": "ACME", **meta},
        "containers": {"cna": {"providerMetadata": {"shortName": "acme"}, **cna}, "adp": adp or []},
    }
    (decoded,) = intake.decode("cve", json.dumps(record).encode(), "x.json")
    assert isinstance(decoded, intake.Decoded)
    assert isinstance(decoded.item, Advisory)
    return decoded.item


def product(versions: list[V], **more: Any) -> list[Affected]:
    return list(
        decode({"affected": [{"vendor": "V", "product": "P", "versions": versions, **more}]}).affected
    )


def events(affected: Affected) -> list[str]:
    return [" ".join(f"{e.kind} {e.version}" for e in r.events) for r in affected.ranges]


A = {"status": "affected"}
U = {"status": "unaffected"}


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"version": "1.0", "lessThan": "1.4", "versionType": "semver"}, ["introduced 1.0 fixed 1.4"]),
        ({"version": "0", "lessThanOrEqual": "3.2", "versionType": "custom"}, ["introduced 0 last_affected 3.2"]),
        ({"version": "2.0", "lessThan": "*", "versionType": "custom"}, ["introduced 2.0"]),
        ({"version": "6.6", "lessThanOrEqual": "6.6.*", "versionType": "semver"}, ["introduced 6.6 limit 6.7"]),
        ({"version": "*"}, ["introduced 0"]),
        ({"version": "< 1.2.3"}, ["introduced 0 fixed 1.2.3"]),
        ({"version": ">= 1.0, < 2.0"}, ["introduced 1.0 fixed 2.0"]),
        ({"version": "All versions < V2.0"}, ["introduced 0 fixed V2.0"]),
        (
            {"version": "1", "lessThan": "5", "versionType": "custom",
             "changes": [{"at": "2", "status": "unaffected"}, {"at": "3", "status": "affected"}]},
            ["introduced 1 fixed 2 introduced 3 fixed 5"],
        ),
    ],
)  # fmt: skip
def test_a_range_reads_as_the_schema_has_it(entry: V, expected: list[str]) -> None:
    (affected,) = product([{**entry, **A}])
    assert events(affected) == expected
    assert affected.unread == ()


def test_no_introduced_0_is_invented_where_the_source_states_no_version() -> None:
    for version in ("n/a", "unspecified", "-", "N/A", "unknown"):
        (affected,) = product([{"version": version, **A}])
        assert affected.ranges == ()
        assert affected.versions == ()
        (affected,) = product([{"version": version, "lessThan": "2", "versionType": "custom", **A}])
        assert events(affected) == ["fixed 2"]
        assert affected.unread == ("up to 2; the lower end is not stated",)


@pytest.mark.parametrize(
    ("entry", "unread"),
    [
        ({"version": "10.0.0", "lessThan": "publication", "versionType": "custom"}, "10.0.0 < publication"),
        ({"version": "8.14.0", "lessThan": "unspecified", "versionType": "custom"}, "8.14.0 < unspecified"),
        ({"version": "1.26.0 to 1.26.10"}, "1.26.0 to 1.26.10"),
        ({"version": "21.1", "lessThan": "21.1*", "versionType": "custom"}, "21.1 < 21.1*"),
        ({"version": "1", "lessThan": "2", "lessThanOrEqual": "2"}, "1, lessThan 2, lessThanOrEqual 2"),
    ],
)
def test_what_has_no_certain_reading_stays_text(entry: V, unread: str) -> None:
    (affected,) = product([{**entry, **A}])
    assert affected.unread == (unread,)
    assert affected.ranges == ()
    assert affected.versions == ()


def test_single_versions_are_enumerated() -> None:
    (affected,) = product([{"version": "1.0", **A}, {"version": "15.2(1)GC", **A}])
    assert affected.versions == ("1.0", "15.2(1)GC")


def test_affected_by_default_with_exceptions_becomes_one_list_of_events() -> None:
    (affected,) = product(
        [
            {"version": "6.5", **A},
            {"version": "0", "lessThan": "6.5", "versionType": "semver", **U},
            {"version": "6.6.17", "lessThanOrEqual": "6.6.*", "versionType": "semver", **U},
            {"version": "6.8", "lessThanOrEqual": "*", "versionType": "original_commit_for_fix", **U},
        ],
        defaultStatus="affected",
    )
    assert affected.status == "affected"
    assert affected.default == "affected"
    assert events(affected) == ["introduced 6.5 fixed 6.6.17 introduced 6.7 fixed 6.8"]


def test_exceptions_that_no_event_can_say_stand_beside_the_default() -> None:
    affected, exception = product([{"version": "2.1", **U}], defaultStatus="affected")
    assert events(affected) == ["introduced 0"]
    assert (exception.status, exception.versions) == ("not_affected", ("2.1",))


def test_unaffected_ranges_are_kept_as_not_affected() -> None:
    affected, other = product(
        [{"version": "1", "lessThan": "2", "versionType": "custom", **A},
         {"version": "2", "lessThan": "*", "versionType": "custom", **U}],
        defaultStatus="unaffected",
    )  # fmt: skip
    assert affected.default == "not_affected"
    assert (other.status, events(other)) == ("not_affected", ["introduced 2"])


def test_fixes_on_several_branches_are_marked_as_not_comparable_in_one_line() -> None:
    changes = [{"at": at, "status": "unaffected"} for at in ("28.0.3", "27.3.4.3")]
    (affected,) = product(
        [{"version": "17.0", "lessThan": "*", "versionType": "otp", "changes": changes, **A}]
    )
    assert events(affected) == ["introduced 17.0 fixed 28.0.3 fixed 27.3.4.3"]
    assert affected.unread == ("fixed on several branches: 28.0.3, 27.3.4.3",)


def test_commits_are_git_ranges_of_their_repository() -> None:
    (affected,) = product(
        [{"version": "8284a79136c3", "lessThan": "c60d252949ca", "versionType": "git", **A}],
        repo="https://git.example/linux.git",
    )
    assert affected.ranges[0].type == "GIT"
    assert affected.ranges[0].repo == "https://git.example/linux.git"


def test_packages_of_known_collections_get_their_ecosystem_and_others_do_not() -> None:
    (pypi,) = product([], collectionURL="https://pypi.example.org", packageName="apache-airflow")
    assert (pypi.ecosystem, pypi.name, pypi.vendor, pypi.product) == ("PyPI", "apache-airflow", "", "")
    (hexpm,) = product([], packageURL="pkg:hex/absinthe")
    assert (hexpm.ecosystem, hexpm.name, hexpm.purl) == ("Hex", "absinthe", "pkg:hex/absinthe")
    (red_hat,) = product([], collectionURL="https://access.redhat.com/downloads/", packageName="kernel")
    assert (red_hat.ecosystem, red_hat.vendor, red_hat.product) == ("", "V", "P")
    (maven,) = product([], collectionURL="https://maven.example.org/maven2", packageName="just-an-artifact")
    assert maven.ecosystem == ""


def test_providers_stay_apart() -> None:
    adp = {"providerMetadata": {**CISA_ADP, "dateUpdated": "2024-09-01T00:00:00Z"},
           "affected": [{"vendor": "v", "product": "p", "cpes": ["cpe:2.3:a:v:p:*:*:*:*:*:*:*:*"]}],
           "metrics": [{"cvssV3_1": {"vectorString": "CVSS:3.1/AV:N", "baseScore": 9.8}}]}  # fmt: skip
    item = decode({"affected": [{"vendor": "V", "product": "P"}]}, [adp], dateUpdated="2024-08-01T00:00:00Z")
    assert [a.source for a in item.affected] == ["cve:acme", "cve:cisa-adp"]
    assert item.source == "cve:acme"
    assert (item.scores[0].source, item.scores[0].score, item.scores[0].dated) == (
        "cve:cisa-adp",
        9.8,
        "2024-09-01",
    )
    assert item.modified == datetime(2024, 9, 1, tzinfo=UTC)  # the latest voice counts


@pytest.mark.parametrize("org", ["00000000-0000-4000-8000-000000000002", ""])
@pytest.mark.parametrize("name", ["CISA-ADP", "cisa adp", "cisa-cg", "icscert"])
def test_a_container_that_calls_itself_cisas_without_its_id_is_its_own_and_the_record_says_so(
    name: str, org: str
) -> None:
    adp = {"providerMetadata": {"shortName": name, **({"orgId": org} if org else {})},
           "affected": [{"vendor": "v", "product": "p", "versions": [{"version": "1", "status": "affected"}]}],
           "metrics": [{"cvssV3_1": {"vectorString": "CVSS:3.1/AV:N", "baseScore": 9.8}},
                       {"other": {"type": "ssvc", "content": {"options": [{"Automatable": "no"}]}}},
                       {"other": {"type": "kev", "content": {"dateAdded": "2024-03-03"}}}]}  # fmt: skip
    item = decode({"affected": [{"vendor": "V", "product": "P"}]}, [adp])
    own = f"cve:{org or 'unnamed'}"
    said = (*item.affected, *item.scores, *item.ssvc, *item.kev)
    assert [x.source for x in said] == ["cve:acme", own, own, own, own]
    (note,) = item.notes
    assert note.startswith(
        f"a container calls itself cve:{name.lower().replace(' ', '-')} and has not CISA's id"
    )


def test_a_record_whose_authority_calls_itself_cisa_replaces_none_of_cisas() -> None:
    forged = {"providerMetadata": {**CISA_ADP, "orgId": "00000000-0000-4000-8000-000000000002"}}
    assert decode(forged).source == "cve:00000000-0000-4000-8000-000000000002"
    true = decode({"providerMetadata": {**CISA_ADP, "orgId": CISA_ADP["orgId"].upper()}})
    assert (true.source, true.notes) == ("cve:cisa-adp", ())


def test_a_rejected_record_says_so_and_what_replaces_it() -> None:
    item = decode({"replacedBy": ["CVE-2024-2000"], "rejectedReasons": []}, state="REJECTED")
    assert item.rejected
    assert item.related == ("CVE-2024-2000",)


def test_the_kev_block_of_an_adp_is_read() -> None:
    adp = {
        "metrics": [
            {"other": {"type": "kev", "content": {"dateAdded": "2022-03-03", "reference": "https://x"}}}
        ]
    }
    (kev,) = decode({}, [adp]).kev
    assert (kev.cve, kev.date_added) == ("CVE-2024-1000", date(2022, 3, 3))


@pytest.mark.parametrize(
    "content",
    [
        {"options": [{"Exploitation": "active"}, {"Automatable": "yes"}, {"Technical Impact": "total"}]},
        {"options": [{"Exploitation": "Active"}, {"Automatable": "Yes"}, {"Technical Impact": "Total"}]},
        {"options": [{"exploitation": "ACTIVE"}, {"automatable": "yes"}, {"technicalImpact": "total"}]},
        {"options": {"exploitation": "active", "automatable": "yes", "technical_impact": "total"}},
        {"ssvcData": {"options": [{"exploitation": "active"}, {"automatable": "yes"}, {"technicalImpact": "total"}]}},
        {"exploitation": "active", "automatable": True, "technicalImpact": "total"},
        {"selections": [{"key": "E", "values": [{"key": "A"}]}, {"key": "A", "values": [{"key": "Y"}]},
                        {"name": "Technical Impact", "key": "TI", "values": [{"name": "Total", "key": "T"}]}]},
    ],
)  # fmt: skip
def test_ssvc_reads_alike_in_every_spelling(content: V) -> None:
    found = read_ssvc("CVE-1", content, "s")
    assert found is not None
    assert (found.exploitation, found.automatable, found.technical_impact) == ("active", "yes", "total")


def test_ssvc_without_a_known_point_is_none() -> None:
    for content in (
        None,
        [],
        {},
        {"options": []},
        {"options": [{"Exploitation": "maybe"}]},
        {"options": [3]},
    ):
        assert read_ssvc("CVE-1", content, "s") is None


@pytest.mark.parametrize(
    ("meta", "says"),
    [
        ({"cveId": "CVE-24-1"}, "`cveMetadata.cveId`"),
        ({"state": "RESERVED"}, "`cveMetadata.state`"),
    ],
)
def test_a_bad_record_is_refused_by_field(meta: dict[str, str], says: str) -> None:
    with pytest.raises(InputError, match=says):
        decode({}, **meta)


@pytest.mark.parametrize(
    ("tags", "disputes"),
    [(["disputed"], (("cve:acme", ""),)), (["x_other"], ()), ("disputed", ()), (None, ())],
)
def test_a_record_that_its_authority_tags_as_disputed_is(
    tags: Any, disputes: tuple[tuple[str, str], ...]
) -> None:
    assert decode({"tags": tags}).disputes == disputes
