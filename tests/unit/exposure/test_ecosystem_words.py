"""What is no ecosystem is not called one."""

from __future__ import annotations

from clearway.exposure.fleet.page_facets import words_of


def test_a_scanners_word_is_no_ecosystem() -> None:
    assert words_of("ecosystem", "reported") == "None: a scanner's word alone"
    assert words_of("ecosystem", "") == "None named"
    assert words_of("ecosystem", "PyPI") == "PyPI"
    assert words_of("kind", "") == "(none)"
