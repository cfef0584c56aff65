"""What a table was made of: its sources and what they cover, its layout, and the changes beside it."""

from __future__ import annotations

from msgspec import Struct

# Raised when the layout changes: an older file is then rebuilt, never misread.
TABLE_FORMAT = 2
TABLE_FILE = "table/advisories.sqlite"  # inside a home
CHANGES_SUFFIX = ".changes"


class SourceNote(Struct, frozen=True):
    """One loaded source: how much of it, how old, and what it covers.

    `covers` are the ecosystems about which its silence means "no known flaw". `partial` are
    those it speaks of without covering them. `newest` is the latest date inside its records,
    `received` when they were taken in; both ISO.
    """

    source: str
    records: int
    newest: str
    received: str
    undated: int = 0  # records without a date of their own, which `newest` says nothing about
    title: str = ""
    licence: str = ""
    covers: tuple[str, ...] = ()
    partial: tuple[str, ...] = ()


class Meta(Struct, frozen=True):
    """What the file is. `generation` is the database's count of committed intake batches."""

    format: int
    base: str  # random id of the whole compilation, which a file of changes names
    generation: int
    home: str  # random id of the database it was compiled from
    built: str
    content: str  # sha256 over what was compiled: equal content, equal hash
    sources: tuple[SourceNote, ...]
    kev: str = ""  # catalogue version; "" means not loaded, never "nothing is in KEV"
    kev_received: str = ""
    kev_entries: int = 0
    kev_most: int = 0  # entries of the largest catalogue in force in the year before, itself included
    epss: str = ""  # date of the newest scores loaded
    epss_entries: int = 0
    epss_most: int = 0
    ssvc: bool = False  # whether any source of SSVC values is loaded
    vendor_map: str = ""
    refused_merges: int = 0
    records: int = 0
    packages: int = 0
    flaws: int = 0
    claims: int = 0


class Changes(Struct, frozen=True):
    """Rows that stand before those of the file `base`: table -> key -> body, None for a row that is gone."""

    base: str
    meta: Meta
    rows: dict[str, dict[str, bytes | None]]


class Coverage(Struct, frozen=True):
    """Whether silence about a package of this ecosystem says anything."""

    covered: bool
    sources: tuple[str, ...]
    reason: str = ""
