"""The quarterly inventory of public addresses, and end-of-support edge devices."""

from __future__ import annotations

from datetime import date

import msgspec
import pytest
from report_rows import D, asset

from clearway.directives.attestation import Attested, address_csv, address_report, read_address_report
from clearway.directives.duties import duties
from clearway.directives.lifecycle import bucket_of, lifecycle_csv, lifecycle_report
from clearway.directives.reports import AssetTags
from clearway.directives.reports.remediation import as_json
from clearway.records.errors import InputError
from published import validated

EDGE = duties("bod-26-02")


def addresses(*assets: AssetTags, as_of: date = D, **more: object):  # type: ignore[no-untyped-def]
    return address_report("bod-26-04", assets, as_of=as_of, organisation="water", **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        pytest.param("8.8.8.8", "8.8.8.8", id="global IPv4"),
        pytest.param("2606:4700:0::1", "2606:4700::1", id="global IPv6, in its canonical spelling"),
        pytest.param("::ffff:8.8.8.8", "8.8.8.8", id="IPv4 inside IPv6"),
        pytest.param("8.8.8.0/24", "8.8.8.0/24", id="a network"),
        pytest.param(" 8.8.8.8 ", "8.8.8.8", id="space around"),
        pytest.param("10.1.2.3", "", id="RFC 1918"),
        pytest.param("fd12::1", "", id="RFC 4193"),
        pytest.param("127.0.0.1", "", id="loopback"),
        pytest.param("169.254.1.1", "", id="link-local"),
        pytest.param("fe80::1%eth0", "", id="link-local with a zone"),
        pytest.param("100.64.0.1", "", id="carrier-grade NAT"),
        pytest.param("203.0.113.7", "", id="documentation"),
        pytest.param("224.0.0.1", "", id="multicast"),
    ],
)
def test_which_addresses_are_public(address: str, shown: str) -> None:
    made = addresses(asset(exposure="public", addresses=(address,), names=("x.example",)))
    assert [a.address for a in made.addresses if a.kind != "name"] == ([shown] if shown else [])
    assert made.doubts == ()


def test_names_count_where_the_asset_is_public_and_are_spelled_alike() -> None:
    made = addresses(
        asset("a", exposure="public", names=("GW.Example.org.", "gw.example.org")),
        asset("b", exposure="internal", names=("inside.example.org",)),
    )
    assert [(a.address, a.kind) for a in made.addresses] == [("gw.example.org", "name")]
    assert made.counts == {"address": 0, "network": 0, "name": 1}


def test_tags_that_contradict_each_other_are_doubts() -> None:
    made = addresses(
        asset("a", exposure="internal", addresses=("8.8.8.8",)),
        asset("b", exposure="public", addresses=("10.0.0.1",)),
        asset("c", addresses=("not an address", "8.8.8.8/99")),
    )
    assert [(d.asset, d.what.split(",")[0]) for d in made.doubts] == [
        ("a", "globally routable"),
        ("b", "tagged public"),
        ("c", "not an IP address or network"),
        ("c", "not an IP address or network"),
    ]


def test_a_decommissioned_asset_has_no_addresses_any_more() -> None:
    gone = asset(exposure="public", addresses=("8.8.8.8",), decommissioned=D)
    assert addresses(gone).addresses == ()
    assert len(addresses(gone, as_of=date(2026, 12, 19)).addresses) == 1


def test_changes_are_against_the_inventory_before() -> None:
    before = addresses(asset(exposure="public", addresses=("8.8.8.8", "8.8.4.4")), as_of=date(2026, 9, 30))
    assert (before.previous_quarter, before.added, before.removed) == (None, (), ())
    now = addresses(asset(exposure="public", addresses=("8.8.4.4", "1.1.1.1")), previous=before)
    assert (now.quarter, now.previous_quarter) == ("2026-Q4", "2026-Q3")
    assert (now.added, now.removed) == (("1.1.1.1",), ("8.8.8.8",))
    lines = address_csv(now).decode().splitlines()
    assert lines[1].endswith(",added")
    assert lines[-1].endswith(",removed")
    with pytest.raises(InputError, match="after"):
        addresses(as_of=date(2026, 1, 1), previous=before)


def test_one_attests_to_a_day_that_is_over_and_the_document_is_by_its_schema() -> None:
    with pytest.raises(InputError, match="before"):
        addresses(attested=Attested(by="somebody", role="CISO", on=date(2026, 12, 19)))
    made = addresses(
        asset(exposure="public", addresses=("8.8.8.8", "x")),
        attested=Attested(by="somebody", role="CISO", on=D),
    )
    validated("directive-report-addresses", as_json(made))
    assert read_address_report(as_json(made)) == made
    with pytest.raises(InputError, match="not an inventory"):
        read_address_report(b"[" * 100_000)


@pytest.mark.parametrize(
    ("ends", "bucket"),
    [
        (D, "ended"),
        (date(2026, 12, 21), "within_12_months"),
        (date(2027, 12, 20), "within_12_months"),
        (date(2027, 12, 21), "later"),
        (None, "unknown"),
    ],
)
def test_the_bucket_of_a_device(ends: date | None, bucket: str) -> None:
    assert bucket_of(ends, D) == bucket


def lifecycle(*assets: AssetTags, as_of: date = D):  # type: ignore[no-untyped-def]
    return lifecycle_report(EDGE, assets, as_of=as_of, organisation="water")


def duties_of(found: object) -> list[tuple[str, date, str]]:
    return [(d.act, d.due, d.state) for d in found.duties]  # type: ignore[attr-defined]


def test_the_deadlines_count_months_from_the_directive() -> None:
    days = {d.months: d.due for d in lifecycle().deadlines}
    assert days == {
        3: date(2026, 5, 5),
        12: date(2027, 2, 5),
        18: date(2027, 8, 5),
        24: date(2028, 2, 5),
    }


def test_a_listed_device_past_its_support_goes_within_twelve_months() -> None:
    edge = asset(edge_device=True, end_of_support=date(2025, 1, 1), eos_listed=True)
    (found,) = lifecycle(edge).devices
    assert duties_of(found) == [
        ("inventory", date(2026, 5, 5), "due"),
        ("decommission", date(2027, 2, 5), "due"),
    ]
    (late,) = lifecycle(edge, as_of=date(2027, 2, 6)).devices
    assert duties_of(late)[1] == ("decommission", date(2027, 2, 5), "overdue")


def test_one_that_nobody_has_looked_up_is_taken_as_listed_and_an_unlisted_one_has_eighteen_months() -> None:
    unknown = asset("a", edge_device=True, end_of_support=date(2025, 1, 1))
    other = asset("b", edge_device=True, end_of_support=date(2025, 1, 1), eos_listed=False)
    first, second = lifecycle(other, unknown).devices
    assert duties_of(first)[-1] == ("decommission", date(2027, 2, 5), "due")
    assert duties_of(second)[-1] == ("decommission", date(2027, 8, 5), "due")
    assert "taken as listed" in first.reasons[1]


def test_a_device_is_never_due_before_its_support_ends() -> None:
    edge = asset(edge_device=True, end_of_support=date(2029, 1, 1), eos_listed=False)
    (found,) = lifecycle(edge).devices
    assert ("process", date(2029, 1, 1), "due") in duties_of(found)
    (ended,) = lifecycle(edge, as_of=date(2029, 1, 1)).devices
    assert duties_of(ended)[-1] == ("decommission", date(2029, 1, 1), "due")


def test_other_assets_are_left_out_and_decommissioned_ones_have_met_their_duties() -> None:
    made = lifecycle(
        asset("a"),
        asset("b", edge_device=True, end_of_support=date(2025, 1, 1), decommissioned=date(2026, 12, 1)),
    )
    assert [d.asset.id for d in made.devices] == ["b"]
    assert {state for *_, state in duties_of(made.devices[0])} == {"decommissioned"}
    assert made.counts == {"ended": 1, "within_12_months": 0, "unknown": 0, "later": 0}
    validated("directive-report-lifecycle", as_json(made))
    assert len(lifecycle_csv(made).decode().splitlines()) == 3
    with pytest.raises(InputError, match="twice"):
        lifecycle(asset(edge_device=True), asset(edge_device=True))
    with pytest.raises(InputError, match="no lifecycle"):
        lifecycle_report(duties("bod-26-04"), [], as_of=D, organisation="x")


def test_a_device_far_in_the_future_is_no_overflow() -> None:
    assert msgspec.to_builtins(lifecycle(asset(edge_device=True, end_of_support=date.max)))
    with pytest.raises(InputError, match="beyond the calendar"):
        lifecycle(asset(edge_device=True, end_of_support=date.max), as_of=date(9999, 6, 1))
