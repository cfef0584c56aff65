"""What an address asks of the list: read once, alike for page and API, and never an error of ours."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearway.exposure.fleet import page_asked
from clearway.exposure.fleet.wanted import conditions
from clearway.http.pages import Address
from clearway.records.errors import InputError, UsageError
from clearway.records.principal import Membership, Principal

DAY = date(2026, 11, 26)
ME = Principal(
    person=7,
    name="x",
    memberships=(Membership(org=3, slug="water", name="Water", kind="operator", rights=("read",)),),
)


def asked(query: str, *, of_page: bool = False) -> page_asked.Asked:
    return page_asked.asked(Address.read("/exposure", query).query, ME, DAY, of_page=of_page)


def test_set_aside_is_three_states_of_two_statuses() -> None:
    assert asked("suppressed!=yes").wanted.no == {"status": ("not_affected", "accepted")}
    assert asked("suppressed=yes").wanted.yes == {"status": ("not_affected", "accepted")}
    assert asked("suppressed=yes&status=accepted").wanted.yes == {"status": ("accepted",)}
    assert asked("suppressed!=yes&status!=fixed").wanted.no == {
        "status": ("fixed", "not_affected", "accepted")
    }


def test_the_outcomes_that_there_are_are_asked_for_once_however_many_are_named() -> None:
    calls: list[int] = []

    def tiers() -> tuple[str, ...]:
        calls.append(1)
        return ("21D", "30D", "45D")

    query = Address.read("/exposure", "tier=21D&tier=30D&tier!=45D").query
    found = page_asked.asked(query, ME, DAY, tiers=tiers)
    assert (found.wanted.yes, found.wanted.no) == ({"tier": ("21D", "30D")}, {"tier": ("45D",)})
    assert len(calls) == 1
    page_asked.asked(Address.read("/exposure", "tier=14D").query, ME, DAY, tiers=tiers)
    assert len(calls) == 1  # and not at all for what every installation has


def test_within_is_counted_from_today_and_never_widens_what_else_is_asked() -> None:
    assert asked("within=7").wanted.due_to == date(2026, 12, 3)
    assert asked("within=overdue").wanted.due_to == date(2026, 11, 25)
    assert asked("within=7&due_to=2026-11-30").wanted.due_to == date(2026, 11, 30)
    assert asked("within=7&due_to=2027-11-30").wanted.due_to == date(2026, 12, 3)


def test_an_organisation_is_named_by_its_slug_and_a_foreign_one_has_nothing_here() -> None:
    assert asked("organisation=water").wanted.yes == {"org": ("3",)}
    assert asked("organisation=hospital").wanted.yes == {"org": ("0",)}


def test_how_a_page_shows_the_list_is_no_parameter_of_the_api() -> None:
    assert asked("columns=due&words=plain&org=water", of_page=True).pairs == ()
    with pytest.raises(InputError, match="no such parameter"):
        asked("columns=due")


def test_the_order_of_parameters_makes_no_other_list() -> None:
    one, two = asked("status=open&kev=yes&sort=epss"), asked("sort=epss&kev=yes&status=open")
    assert one.bound(ME) == two.bound(ME)
    assert one.bound(ME) != asked("status=open&kev=no&sort=epss").bound(ME)


@pytest.mark.parametrize(
    "query",
    [
        "status=done",
        "asset=x",
        "asset=1&asset=2",
        "within=-1",
        "within=99999",
        "due_to=2026-13-01",
        "due_to=20261201",
        "gone=maybe",
        "flaw=" + "x" * 301,
        "name=a%00b",
        "&".join(f"kind=k{n}" for n in range(60)),
    ],
)
def test_what_does_not_fit_is_named_with_its_place(query: str) -> None:
    with pytest.raises(InputError) as found:
        asked(query)
    assert found.value.where.startswith("query.")


NAMES = st.sampled_from(
    [*page_asked.FACETS, *(f + "!" for f in page_asked.FACETS), "suppressed", "suppressed!", "within", "asset", "flaw",
     "name", "asset_name", "due_from", "due_to", "gone", "sort", "limit", "cursor", "other"]
)  # fmt: skip
VALUES = st.one_of(
    st.text(max_size=20),
    st.sampled_from(["yes", "open", "7", "overdue", "2026-12-07", "water", "affected", "due"]),
)


@given(st.lists(st.tuples(NAMES, VALUES), max_size=12))
def test_any_query_is_a_list_or_an_error_that_names_its_place(pairs: list[tuple[str, str]]) -> None:
    try:
        found = page_asked.asked(pairs, ME, DAY)
    except InputError as error:
        place = error.where
    else:
        place = ""
        text = conditions(found.wanted).text
        assert text.startswith("e.gone is")
    assert place == "" or place.startswith("query.")


@given(st.text(max_size=40))
def test_no_value_becomes_sql(value: str) -> None:
    try:
        found = conditions(page_asked.asked([("name", value), ("kind", value)], ME, DAY).wanted)
    except (InputError, UsageError):
        return
    if len(value) > 3 and value not in "v.name %(w_name)s a.kind any(%(w_yes_kind)s) e.gone is null":
        assert value not in found.text
