"""The filters on the command line are those of the lists that the pages and the API have."""

from __future__ import annotations

import io
import sys

import pytest

from clearway.exposure.fleet import commands_filters, page_asked
from clearway.exposure.fleet.api_asset_list import ASSETS


def test_exposures_are_narrowed_by_each_facet_of_the_page_with_its_values() -> None:
    asked = {
        "org" if name == "organisation" else name: values or () for name, values in page_asked.FACETS.items()
    }
    assert asked == commands_filters.EXPOSURES


def test_assets_are_narrowed_by_each_filter_of_the_page_with_its_values() -> None:
    three = {name: one.choices for name, one in ASSETS.filters.items() if one.without}
    assert {"organisation" if k == "org" else k: v for k, v in commands_filters.ASSETS.items()} == three
    # The rest: a name, which is whole on the command line or a beginning, and what is yes or no.
    assert ASSETS.filters.keys() - three.keys() == {"name", *commands_filters.FLAGS}
    assert all(ASSETS.filters[flag].choices == ("yes", "no") for flag in commands_filters.FLAGS)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_what_a_terminal_would_run_is_not_written_to_one(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Terminal()
    monkeypatch.setattr(sys, "stdout", seen)
    commands_filters.write_csv("name\r\nweb\x1b[2J\u202e\r\n".encode())
    assert seen.getvalue() == "name\nweb\ufffd[2J\ufffd\n"
