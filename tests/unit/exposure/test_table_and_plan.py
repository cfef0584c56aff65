"""What a person sees: the most urgent first, one upgrade for many flaws, and nothing hostile on the terminal."""

from __future__ import annotations

import io
from datetime import date

from clearway.exposure.as_table import show
from clearway.exposure.match import Due, Matcher
from clearway.exposure.plan import upgrades
from clearway.records.finding import Finding
from clearway.records.inventory import Component, Inventory
from world import record, table_of

DAY = date(2026, 11, 25)


def finding(
    flaw: str, *fixed: str, name: str = "django", due: date | None = DAY, tier: str = "60D"
) -> Finding:
    component = Component(ecosystem="PyPI", name=name, version="2.2.9")
    return Finding(component=component, flaw=flaw, verdict="affected", fixed=fixed, due=due, tier=tier)


def test_an_upgrade_goes_to_the_highest_of_the_lowest_fixes():
    (act,) = upgrades(
        [finding("CVE-1", "2.2.10", "3.0.1"), finding("CVE-2", "2.2.9.1"), finding("CVE-3", "2.2.28")]
    )
    assert (act.to, act.flaws, act.without_fix) == ("2.2.28", 3, 0)


def test_flaws_without_a_fix_are_counted_and_do_not_hide_the_upgrade():
    (act,) = upgrades([finding("CVE-1"), finding("CVE-2", "2.2.10")])
    assert (act.to, act.without_fix) == ("2.2.10", 1)


def test_a_fix_that_has_no_order_gives_way_to_one_that_has():
    (act,) = upgrades([finding("CVE-1", "2.2.10"), finding("CVE-2", "not a version")])
    assert act.to == "2.2.10"


def printed(tmp_path, *components: Component, records=(), everything: bool = False) -> str:
    table = table_of(tmp_path, *records)
    inventory = Inventory(name="shop\x1b[2J.json", format="t", components=components)
    report = Matcher(table, as_of=DAY).match(
        inventory,
        detected=DAY,
        detected_by="today",
        deadline=lambda f, _: Due(
            "bod-26-04", date(2026, 11, 24) if f.flaw.endswith("1") else date(2027, 1, 24), "3D"
        ),
        directive="bod-26-04",
        standing="advisory",
    )
    out = io.StringIO()
    show(report, out, everything=everything)
    return out.getvalue()


def test_a_late_date_says_so_and_comes_first(tmp_path):
    records = [record(f"PYSEC-{i}", "PyPI", "a", {"introduced": "0"}, {"fixed": "2.0"}) for i in (2, 1)]
    text = printed(tmp_path, Component(ecosystem="PyPI", name="a", version="1.0"), records=records)
    assert text.index("2026-11-24 overdue") < text.index("2027-01-24")


def test_the_same_component_twice_is_one_line(tmp_path):
    twice = [Component(ecosystem="PyPI", name="a", version="1.0", place=f"components[{i}]") for i in (0, 1)]
    text = printed(tmp_path, *twice, records=[record("PYSEC-1", "PyPI", "a", {"introduced": "0"})])
    assert text.count("PYSEC-1") == 1
    assert "(2 times)" in text


def test_many_flaws_are_gathered_by_component_unless_all_are_asked_for(tmp_path):
    records = [
        record(f"PYSEC-2020-{i:03}", "PyPI", "a", {"introduced": "0"}, {"fixed": f"2.{i}"}) for i in range(60)
    ]
    component = Component(ecosystem="PyPI", name="a", version="1.0")
    short = printed(tmp_path, component, records=records)
    assert "more flaws, by component" in short
    assert "2.59" in short
    assert short.count("PYSEC-2020-") == 20
    assert printed(tmp_path, component, records=records, everything=True).count("PYSEC-2020-") == 60


def test_what_no_source_covers_is_said_to_be_no_safety(tmp_path):
    text = printed(
        tmp_path,
        Component(ecosystem="Debian:12", name="bash", version="5"),
        records=[record("PYSEC-1", "PyPI", "a", {"introduced": "0"})],
    )
    assert "that is not safety" in text
    assert "no source loaded for Debian:12" in text


def test_control_characters_never_reach_the_terminal(tmp_path):
    hostile = Component(ecosystem="PyPI", name="a\x1b]0;owned\x07\u202e", version="1.0\x1b[31m")
    text = printed(
        tmp_path, hostile, records=[record("PYSEC-1", "PyPI", "b", {"introduced": "0"})], everything=True
    )
    assert not any(c in text for c in "\x1b\x07\u202e")
