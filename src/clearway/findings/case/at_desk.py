"""What routes and commands of cases share: the transaction, the case, the vault of the home, the time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from clearway.http.idempotency import Made

from ..vault import Vault
from . import kept
from .view import CaseView, view

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg
    from litestar import Request

    from clearway.records.principal import Principal

    from .kept import Case

    Asked = Request[Any, Any, Any]
    Db = psycopg.Connection[Any]


def now() -> datetime:
    """The machine's time, in UTC."""
    return datetime.now(UTC)


def home_of(request: Asked) -> Path:
    """The home that this server serves."""
    found: Path = request.app.state.home
    return found


def vault_of(request: Asked) -> Vault:
    """Its vault."""
    return Vault.of_home(home_of(request))


def seen(db: Db, vault: Vault, case: Case, me: Principal) -> CaseView:
    """The case as it stands now."""
    return view(db, vault, kept.by_id(db, case.id), me, now())


def told(db: Db, vault: Vault, case: Case, me: Principal, status: int = 200) -> Made:
    """The answer of an act: the case as it then stands."""
    found = seen(db, vault, case, me)
    return Made(
        record=found, status=status, location=f"/api/v1/cases/{found.handling}" if status == 201 else ""
    )
