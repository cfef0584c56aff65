"""CSV: whatever is in a cell comes back, and no cell is a formula."""

from __future__ import annotations

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from clearway.http import csv_out

texts = st.text(st.characters(blacklist_categories=("Cs",)), max_size=30)


def read(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode(), newline="")))


@given(st.lists(st.lists(texts, min_size=2, max_size=2), max_size=5))
def test_every_cell_comes_back_and_none_is_a_formula(rows: list[list[str]]) -> None:
    found = read(csv_out.table(["a", "b"], rows))
    assert found[0] == ["a", "b"]
    assert len(found) == len(rows) + 1
    for row, given_row in zip(found[1:], rows, strict=True):
        for cell, text in zip(row, given_row, strict=True):
            assert cell.removeprefix("'") == text.replace("\0", "\ufffd").removeprefix("'")
            assert not cell.lstrip(" ").startswith(
                ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
            )


def test_numbers_of_ours_are_numbers_and_text_that_looks_like_one_is_not() -> None:
    assert read(csv_out.table(["n"], [[-1], [-1.5], ["-1"], [None], [True], [["a", "=b"]]]))[1:] == [
        ["-1"], ["-1.5"], ["'-1"], [""], ["yes"], ["a | '=b"],
    ]  # fmt: skip


def test_lines_end_as_rfc_4180_says() -> None:
    assert csv_out.table(["a"], [['say "x", then\nmore']]) == b'a\r\n"say ""x"", then\nmore"\r\n'
