"""What the pages and routes of the fleet have in common: the day, the organisation, the table."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from clearway.records.errors import ConfigError, ForbiddenError, IntegrityError

if TYPE_CHECKING:
    from litestar import Request

    from clearway.advisories.table import Table
    from clearway.records.principal import Principal

    Asked = Request[Any, Any, Any]

PAGE: dict[str, Any] = {"sync_to_thread": True, "include_in_schema": False}


def today() -> date:
    """The calendar day in UTC."""
    return datetime.now(UTC).date()


def pairs_of(request: Asked) -> list[tuple[str, str]]:
    """The query's parameters in their order."""
    return [(name, str(value)) for name, value in request.query_params.multi_items()]


def table_of(request: Asked) -> Table:
    """The compiled table. Raises ConfigError before the first intake."""
    found: Table = request.app.state.table.current()
    return found


def table_or_none(request: Asked) -> Table | None:
    """The compiled table, None where there is none yet or it can't be read: the fleet's pages go on without."""
    try:
        return table_of(request)
    except (ConfigError, IntegrityError):
        return None


def operating(me: Principal, org: int) -> None:
    """Passes when the caller operates for `org`, of which it sees the thing it wants to change.

    Raises:
        ForbiddenError: it does not.
    """
    if not me.may("operate", org):
        raise ForbiddenError("you may see it, and not change it", mend="ask an operator of its organisation")
