"""The workspace assembled: who may come in, what each room answers, and the pages' navigation.

A room that has `api.py` or `pages.py` with `routes()` is joined here; `app.server` serves the whole.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from clearway import ledger
from clearway.access import audience, providers, sign_in
from clearway.access.marking import own
from clearway.http import events_api, sse, webhook_api
from clearway.http.acting import Doorkeeper
from clearway.http.cursor import Seals
from clearway.http.pages import Nav, Pages
from clearway.ledger.reading import one as one_read
from clearway.ledger.reading import reading, tell_events
from clearway.store import cursor_keys
from clearway.store.principal import LOOK, REQUEST, Pool

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import psycopg
    from litestar.types import ControllerRouterHandler

    from clearway.http.guard import Guard

# Rooms in the order of the navigation; their routes, where they have any.
_ROUTES = (
    "clearway.http.api",
    "clearway.access.api",
    "clearway.access.pages",
    "clearway.ledger.api",
    "clearway.ledger.pages",
    "clearway.advisories.api",
    "clearway.advisories.pages",
    "clearway.directives.api",
    "clearway.directives.pages",
    "clearway.exposure.fleet.api",
    "clearway.exposure.fleet.pages",
    "clearway.findings.intake.api",
    "clearway.findings.intake.pages",
    "clearway.findings.lease.api",
    "clearway.findings.lease.pages",
    "clearway.findings.validate.api",
    "clearway.findings.validate.pages",
    "clearway.findings.dedup.api",
    "clearway.findings.dedup.pages",
    "clearway.findings.case.api",
    "clearway.findings.case.pages",
    "clearway.findings.assist.api",
    "clearway.findings.assist.pages",
    "clearway.app.search",
)
_TEMPLATES = {
    "access": "clearway.access",
    "ledger": "clearway.ledger",
    "advisories": "clearway.advisories",
    "directives": "clearway.directives",
    "exposure": "clearway.exposure.fleet",
    "findings": "clearway.findings",
    "app": "clearway.app",
}
# The findings desk: a finder's ways, a maintainer's, a coordinator's; who only reads has the lists.
_DESK = (
    Nav("Triage", "/cases/triage", "desk"),
    Nav("Waits for you", "/cases/mine", "maintain"),
    Nav("Report", "/findings/report", "submit"),
    Nav("My findings", "/findings", "submit", unless="desk"),
    Nav("Findings", "/findings", "desk"),
    Nav("Findings", "/findings", "signed-in", unless="submit"),
    Nav("Cases", "/cases", "signed-in"),
    Nav("Duplicates", "/findings/duplicates", "desk"),
    Nav("Leases", "/leases", "signed-in"),
    Nav("Limits", "/findings/limits", "signed-in"),
)
_NAVIGATION = (
    Nav("This week", "/this-week", "signed-in"),
    Nav("Exposure", "/exposure", "signed-in"),
    Nav("Assets", "/assets", "signed-in"),
    Nav("Directives", "/directives", "signed-in"),
    Nav("Findings", "/findings", "signed-in", parts=_DESK, always=("finds", "desk", "maintain")),
    Nav("Data", "/data", "signed-in"),
    Nav("Audit", "/audit", "signed-in"),
)
_ACCOUNT = (
    Nav("Your account", "/settings/account", "signed-in"),
    Nav("Settings", "/settings", "signed-in"),
    Nav("Sign out", "/sign-out", "signed-in", post=True),
)


class Workspace:
    """All that the server needs besides the public API. Close it at the end."""

    def __init__(self, home: Path, url: str) -> None:
        self.pool = Pool(url, size=16, owners=4, bounds=REQUEST, look=LOOK)
        self.doorkeeper = Doorkeeper(self.pool)
        self.seals = Seals(self._cursor_keys)
        self.hub = sse.Hub(url, self.pool, self.seals, telling=tell_events)
        self.sign_in = providers.read(home)
        self.pages = Pages(
            {name: package for name, package in _TEMPLATES.items() if _has_templates(package)},
            navigation=_NAVIGATION,
            account=_ACCOUNT,
            search="/search",
            sign_in="/sign-in",
        )
        self.state: dict[str, Any] = {
            "doorkeeper": self.doorkeeper,
            "pool": self.pool,
            "seals": self.seals,
            "hub": self.hub,
            "home": home,
            "sign_in": self.sign_in,
            "standings": _standings,
        }

    def _cursor_keys(self) -> Mapping[int, bytes]:
        with self.pool.owner() as owner:
            return cursor_keys.keys(owner)

    def close(self) -> None:
        """Gives the connections back."""
        self.pool.close()

    def guard(self) -> Guard:
        """Who may reach what."""
        return self.doorkeeper.guard()

    def routes(self) -> list[ControllerRouterHandler]:
        """The routes of every room that has some."""
        found: list[ControllerRouterHandler] = [
            sign_in.routes(self.sign_in),
            events_api.routes(self.hub, self.seals),
            webhook_api.routes(_own, _log, reading, one_read),
        ]
        for name in _ROUTES:
            if _exists(name):
                found.append(import_module(name).routes())
        return found


def _standings(db: psycopg.Connection[Any], org: int, standing: Mapping[str, str]) -> Mapping[str, Any]:
    """What each directive is to an organisation today, for the settings, which stand below the directives."""
    from clearway.directives.kept.standings import held_by
    from clearway.directives.kept.who import now

    return held_by(db, org, standing, now(db).date())


def _own(db: psycopg.Connection[Any], org: int) -> int:
    return audience.of(db, own(org))


def _log(
    db: psycopg.Connection[Any], act: str, subject: str, content: Mapping[str, object], aud: int
) -> None:
    ledger.append(db, act, subject, content, aud=aud)


def _exists(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # its package is not there
        return False


def _has_templates(package: str) -> bool:
    spec = find_spec(package) if _exists(package) else None
    if spec is None or not spec.submodule_search_locations:
        return False
    from pathlib import Path

    return any((Path(place) / "templates").is_dir() for place in spec.submodule_search_locations)
