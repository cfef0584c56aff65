"""How old loaded data is, source by source: what rests on what, and which limit holds."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from clearway.advisories.age import PRODUCTS, aged, oldest
from clearway.advisories.table_meta import Meta, SourceNote
from clearway.exposure.fleet import page_age

DAY = date(2026, 11, 26)


def note(
    source: str, days: int, covers: tuple[str, ...] = (), partial: tuple[str, ...] = (), title: str = ""
) -> SourceNote:
    return SourceNote(
        source=source, records=1, newest=(DAY - timedelta(days=days)).isoformat(), received=DAY.isoformat(),
        covers=covers, partial=partial, title=title,
    )  # fmt: skip


def meta(*notes: SourceNote, kev: str = "2026.11.25", epss: str = "") -> Meta:
    return Meta(
        format=2, base="", generation=1, home="", built="", content="", sources=notes, kev=kev, epss=epss
    )


def test_a_fresh_record_of_one_source_says_nothing_of_another() -> None:
    loaded = meta(note("pypa", 777, ("PyPI",)), note("rustsec", 1, ("crates.io",)))
    (found,) = aged(loaded, DAY)
    assert (found.source, found.days, found.limit, found.rests) == ("pypa", 777, 21, {"PyPI"})
    assert [o.source for o in page_age.chosen([found], ["PyPI", "npm"])] == ["pypa"]
    assert page_age.chosen([found], ["crates.io"]) == ()


def test_vendor_products_rest_on_the_cve_list_and_its_daily_additions() -> None:
    loaded = meta(note("cve:cisa-adp", 763), note("cve:fortinet", 900), note("cve:siemens", 1))
    (found,) = aged(loaded, DAY)  # one numbering authority may be silent for years: the list is not
    assert (found.source, found.days, found.rests) == ("cve:cisa-adp", 763, PRODUCTS)
    assert [o.feeds for o in page_age.chosen([found], ["vendor"])] == [("cve",)]
    assert page_age.chosen([found], ["PyPI"]) == ()
    (whole,) = aged(meta(note("cve:fortinet", 900), note("cve:siemens", 40)), DAY)
    assert (whole.source, whole.days, whole.members) == ("cve", 40, ("cve:fortinet", "cve:siemens"))


def test_the_age_of_the_data_is_that_of_the_oldest_of_what_answers_rest_on() -> None:
    old = note("pypa", 777, ("PyPI",))
    assert oldest(meta(old, note("rustsec", 1, ("crates.io",))), DAY) == aged(meta(old), DAY)[0].dated
    assert oldest(meta(note("pypa", 2, ("PyPI",)), note("psf", 700)), DAY) == DAY - timedelta(days=2)
    assert oldest(meta(note("pypa", 2, ("PyPI",)), kev="2026.11.01"), DAY) == date(2026, 11, 1)
    assert oldest(meta(kev=""), DAY) is None


def test_what_another_source_covers_does_not_rest_on_one_that_only_names_it() -> None:
    loaded = meta(note("pypa", 1, ("PyPI",)), note("eef", 117, (), ("Hex", "PyPI")), note("psf", 700))
    found = {a.source: a.rests for a in aged(loaded, DAY)}
    assert found == {"eef": {"Hex"}, "psf": frozenset()}


def test_a_source_that_publishes_seldom_has_a_limit_of_its_own() -> None:
    assert aged(meta(note("haskell", 150, ("Hackage",)), note("r-consortium", 258, ("CRAN",))), DAY) == ()
    assert [a.limit for a in aged(meta(note("haskell", 200, ("Hackage",))), DAY)] == [180]


def test_the_feeds_that_would_bring_it_are_those_of_the_ecosystems_that_are_held() -> None:
    loaded = meta(note("debian", 100, ("Debian:11", "Debian:12")), kev="2026.01.01", epss="2026-01-01")
    found = page_age.chosen(aged(loaded, DAY), ["Debian:12"])
    assert {o.source: o.feeds for o in found} == {
        "kev": ("kev",),
        "epss": ("epss",),
        "debian": ("osv:Debian",),
    }


ECOSYSTEMS = ("PyPI", "npm", "crates.io")


@given(
    st.lists(st.tuples(st.integers(0, 900), st.sets(st.sampled_from(ECOSYSTEMS), min_size=1)), max_size=6),
    st.sets(st.sampled_from(ECOSYSTEMS)),
)
def test_each_old_source_that_covers_what_is_held_is_told_and_the_oldest_leads(
    sources: list[tuple[int, set[str]]], held: set[str]
) -> None:
    loaded = meta(*(note(f"s{n}", days, tuple(sorted(e))) for n, (days, e) in enumerate(sources)))
    told = page_age.chosen(aged(loaded, DAY), held)
    assert {o.source for o in told} == {
        f"s{n}" for n, (days, e) in enumerate(sources) if days > 21 and e & held
    }
    assert [o.days for o in told] == sorted((o.days for o in told), reverse=True)
