"""Zones by their IANA names, and hours on a wall there: those that are there once, and the others."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearway.records import zones
from clearway.records.errors import InputError

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    "name", ["localtime", "Factory", "posixrules", "posix/UTC", "right/UTC", "", "..", "/etc/x"]
)
def test_what_only_this_machine_means_by_a_name_is_no_zone(name: str) -> None:
    with pytest.raises(InputError, match="no such zone") as told:
        zones.one(name, "zone")
    assert told.value.where == "zone"


def test_zones_of_the_database_are_known() -> None:
    assert {"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"} <= zones.names()
    assert zones.one("Europe/Berlin", "zone").key == "Europe/Berlin"


def test_an_hour_that_is_there_once_is_told_in_utc() -> None:
    assert zones.moment(datetime(2027, 1, 24, 9), BERLIN, "until") == datetime(2027, 1, 24, 8, tzinfo=UTC)
    assert zones.moment(datetime(2027, 3, 28, 3), BERLIN, "until") == datetime(2027, 3, 28, 1, tzinfo=UTC)


def test_an_hour_over_which_clocks_go_forward_is_not_there() -> None:
    with pytest.raises(InputError, match="not there in Europe/Berlin: clocks go forward by 1 h") as told:
        zones.moment(datetime(2027, 3, 28, 2, 30), BERLIN, "until")
    assert "2027-03-28T03:30" in told.value.mend


def test_an_hour_over_which_clocks_go_back_is_asked_for_with_its_offset() -> None:
    with pytest.raises(InputError, match="there twice in Europe/Berlin") as told:
        zones.moment(datetime(2027, 10, 31, 2, 30), BERLIN, "until")
    assert "2027-10-31T02:30+02:00 or 2027-10-31T02:30+01:00" in told.value.mend
    with pytest.raises(InputError, match=r"back by 0\.5 h"):
        zones.moment(datetime(2027, 4, 4, 1, 45), ZoneInfo("Australia/Lord_Howe"), "until")


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2036, 1, 1)),
    st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Africa/Casablanca"]),
)
def test_an_hour_that_is_taken_is_the_one_hour_that_reads_so_there(local: datetime, name: str) -> None:
    zone = ZoneInfo(name)
    utc = local.replace(tzinfo=UTC)
    reads = {
        at
        for minutes in range(-15 * 60, 15 * 60 + 1, 15)
        if (at := utc + timedelta(minutes=minutes)).astimezone(zone).replace(tzinfo=None) == local
    }
    try:
        found = zones.moment(local, zone, "until")
    except InputError:
        assert len(reads) != 1
    else:
        assert reads == {found}
