"""A list as data: its columns, its rows, and where its links lead. `ui.table` draws it.

The address decides: `?sort=due` or `?sort=-due`, `?columns=due,flaw` for which columns are shown, `?cursor=` for the
page. What an address names and the table does not have is ignored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from .address import Address

if TYPE_CHECKING:
    from collections.abc import Sequence


class Column(Struct, frozen=True, kw_only=True):
    """One column. `sort` is its name in `?sort=`, "" when it can't be sorted by; `lead` is the fact that decides:
    on a phone it is the headline of the card."""

    key: str
    label: str
    sort: str = ""
    number: bool = False  # to the right, tabular figures
    lead: bool = False
    wide: bool = False  # takes what space there is
    shown: bool = True  # False: only when the address asks for it
    term: str = ""  # a glossary term, explained in the head


class Table(Struct, frozen=True, kw_only=True):
    """Rows to be drawn. `id` names the region that sorting, filtering and paging replace: the template has a block
    of that name ("-" as "_").

    `key` is the attribute or item that identifies a row for selection. `next` is the cursor of the next page, "" on
    the last (`http.listing`): the way back is the browser's, and a link to the first page. `total` is the number of
    rows on all pages where that is known.
    """

    id: str
    caption: str
    columns: tuple[Column, ...]
    rows: Sequence[Any]
    address: Address
    key: str = "id"
    default_sort: str = ""
    next: str = ""
    total: int | None = None
    noun: str = "row"
    selectable: bool = False
    chosen: frozenset[str] = frozenset()  # keys of rows that are selected as the page is made
    formats: tuple[str, ...] = ("csv", "json")

    @property
    def sort(self) -> str:
        """What it is sorted by: a column's name, "-" before it for descending."""
        asked = self.address.get("sort")
        return (
            asked
            if asked.removeprefix("-") in {c.sort for c in self.columns if c.sort}
            else self.default_sort
        )

    @property
    def shown(self) -> tuple[Column, ...]:
        """The columns to draw; the leading ones always."""
        asked = set(self.address.get("columns").split(","))
        known = asked & {c.key for c in self.columns}
        if not known:
            return tuple(c for c in self.columns if c.shown)
        return tuple(c for c in self.columns if c.key in known or c.lead)

    def sorting(self, column: Column) -> str:
        """The value of `aria-sort` for a column."""
        if not column.sort or self.sort.removeprefix("-") != column.sort:
            return "none"
        return "descending" if self.sort.startswith("-") else "ascending"

    def sort_link(self, column: Column) -> Address:
        """Sorts by `column`; the other way round when it is sorted by it already."""
        return self.address.set(
            sort=f"-{column.sort}" if self.sorting(column) == "ascending" else column.sort
        )

    def column_link(self, column: Column) -> Address:
        """Shows `column`, or hides it when it is shown."""
        keys = [c.key for c in self.shown]
        keys = [k for k in keys if k != column.key] if column.key in keys else [*keys, column.key]
        in_order = [c.key for c in self.columns if c.key in keys]
        usual = [c.key for c in self.columns if c.shown]
        return self.address.set(columns=None if in_order == usual else ",".join(in_order))


class Choice(Struct, frozen=True):
    """One value of a facet; `count` is how many rows have it, None when that is not known."""

    value: str
    label: str
    count: int | None = None


class Facet(Struct, frozen=True, kw_only=True):
    """A filter with its values; `name` is its parameter in the address."""

    name: str
    label: str
    choices: tuple[Choice, ...]
    term: str = ""
