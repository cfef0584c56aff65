"""The tiers of a kept report's page stand the soonest first, whatever order the database keeps them in."""

from __future__ import annotations

from clearway.directives.pages_reports import _soonest


def test_tiers_are_in_the_order_in_which_they_are_due() -> None:
    kept = ["3D", "14D", "3DF", "60D", "FSU", "out_of_scope", "OTHER"]
    assert sorted(sorted(kept), key=_soonest) == ["3DF", "3D", "14D", "60D", "OTHER", "FSU", "out_of_scope"]
