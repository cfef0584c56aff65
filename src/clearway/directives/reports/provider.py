"""Where the rows of a report come from: the room that keeps fleets, which stands above this one and is handed in.

`app` hands a provider to the routes. The command line, which is entered here, loads the one that `DEFAULT` names.
"""

from __future__ import annotations

from datetime import date
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct

from clearway.records.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import psycopg

    from ..directive import Directive
    from ..triage_patch import SeenPatch, Wanted
    from .row import AssetTags, ReportRow

DEFAULT = "clearway.exposure.fleet.report_rows"  # has `PROVIDER`


class Chosen(Struct, frozen=True, kw_only=True):
    """The options of an organisation: "" is the directive's default."""

    policy: str = ""
    retier: str = ""


class Found(Struct, frozen=True, kw_only=True):
    """One flaw in one component of an asset: every name that the component is shown by, and its day in KEV.

    `component` is the name that reports give it, `flaw` the id that the flaw has now, `former` those that it had.
    `auds` are the audiences of what says so.
    """

    component: str
    components: tuple[str, ...]
    flaw: str
    kev: date | None
    former: tuple[str, ...] = ()
    auds: tuple[int, ...] = ()


class Named(Struct, frozen=True, kw_only=True):
    """An asset that a text names."""

    asset: int
    name: str


class Late(Struct, frozen=True):
    """How many items are overdue, and of how many of them the date had passed before the organisation knew of them."""

    items: int = 0
    before_listed: int = 0


class Provider(Protocol):
    """Assets and rows of one organisation as they stood at the end of a UTC day.

    Only what all members of the organisation may see is handed in: a report is read by all of them, and by the
    authority it is shared with.
    """

    def assets(self, db: psycopg.Connection[Any], org: int, as_of: date) -> Iterable[AssetTags]:
        """Every asset that was there on that day, decommissioned ones included."""
        ...

    def edge_devices(self, db: psycopg.Connection[Any], org: int, as_of: date) -> Iterable[AssetTags]:
        """As `assets`, of the devices at the network's edge alone."""
        ...

    def rows(
        self, db: psycopg.Connection[Any], org: int, directive: Directive, as_of: date, *, since: date
    ) -> Iterable[ReportRow]:
        """Every flaw that was open on that day, and what ended from `since` on."""
        ...

    def found_on(self, db: psycopg.Connection[Any], org: int, asset: int, flaw: str) -> tuple[Found, ...]:
        """Where that flaw is or was on one of the organisation's assets that the caller may see.

        Raises NotFoundError: the organisation has no such asset.
        """
        ...

    def named(self, db: psycopg.Connection[Any], org: int, text: str) -> tuple[Named, ...]:
        """The assets of the organisation that a text names best and the caller sees: by number ("asset/17"), name,
        identifier, address or former name, whatever their case. Empty for none."""
        ...

    def words(self, db: psycopg.Connection[Any], assets: Sequence[int]) -> Mapping[int, frozenset[str]]:
        """Everything that these assets are or were called, in lower case, of those that the caller sees."""
        ...

    def kev_day(self, db: psycopg.Connection[Any], flaw: str) -> date | None:
        """The day that a flaw, by any of its ids and whatever their case, was added to KEV; None where it was not."""
        ...

    def with_flaw(self, db: psycopg.Connection[Any], org: int, flaw: str) -> tuple[Named, ...]:
        """Assets of the organisation that have that flaw now and the caller sees, at most twenty."""
        ...

    def patched(
        self, db: psycopg.Connection[Any], wanted: Sequence[Wanted]
    ) -> Sequence[tuple[SeenPatch, ...]]:
        """For each that is wanted the patches that the fleet has seen and the caller may see: what stands as fixed, and
        inventories that show the component no more; and, as `TakenBack`, those that did not stay."""
        ...

    def overdue(self, db: psycopg.Connection[Any], org: int, as_of: date, most: int) -> Late:
        """How many open exposures of the organisation the caller sees past their date on that day, of at most `most`.

        Open as in a report, `state_of`: mitigated and accepted ones too.
        """
        ...

    def options(self, db: psycopg.Connection[Any], org: int, directive: str, as_of: date) -> Chosen:
        """The policy and the re-tiering rule that the organisation's dates were counted by on that day."""
        ...


def default_provider() -> Provider:
    """The provider of the kept fleet. Raises ConfigError where this installation has none."""
    try:
        found: Provider = import_module(DEFAULT).PROVIDER
    except ModuleNotFoundError as error:
        if error.name is None or not DEFAULT.startswith(error.name):
            raise
        raise ConfigError("no kept fleet to report on", mend="give the rows with --rows FILE") from error
    return found
