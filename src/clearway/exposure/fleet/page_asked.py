"""What an address asks of the list of exposures: its filters, order and place. The pages and the API read it alike.

?status=open&severity=critical      open ones, critical ones
?status!=accepted                   without those accepted
?suppressed!=yes                    without what somebody set aside: not affected, or accepted
?within=7                           due within seven days, or overdue;  ?within=overdue
?asset=17 ?flaw=CVE-… ?name=openssl* ?asset_name=web* ?due_from=… ?due_to=… ?gone=yes
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, get_args

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from clearway.records.errors import InputError
from clearway.records.text import plain

from .listing import MOST, Sort
from .tiers import STANDARD
from .wanted import SEVERITIES, STATUSES, Filter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from clearway.http.cursor import Sealer
    from clearway.records.principal import Principal

Pairs = tuple[tuple[str, str], ...]
# facet -> its values where they are known; None where they are what the fleet has
FACETS: dict[str, tuple[str, ...] | None] = {
    "status": STATUSES,
    "verdict": ("affected", "unknown"),
    "tier": None,  # those of the directives in use (`tiers`)
    "kev": ("yes", "no"),
    "severity": tuple(SEVERITIES),
    "exposure": ("public", "internal", "unknown"),
    "environment": ("production", "development", "unknown"),
    "kind": None,
    "ecosystem": None,
    "organisation": None,
}
SUPPRESSED = ("not_affected", "accepted")
# order asked for -> order of the list; `-` is from the highest or newest down, as these lists go with or without it
SORTS: dict[str, Sort] = {
    **{s: s for s in get_args(Sort)},
    "-severity": "severity",
    "-epss": "epss",
    "-kev": "kev",
}
LIMIT = 50
CSV_LIMIT = 1_000
_TEXTS = ("flaw", "name", "asset_name")
_DAYS = ("due_from", "due_to")
_OWN = ("sort", "limit", "cursor")
_OF_PAGES = ("columns", "words", "org")
_WITHIN = 3_650
_LONGEST = 300
_VALUES = 50


class Asked(Struct, frozen=True, kw_only=True):
    """A list as it was asked for. `pairs` are its filters in one order, which a cursor is bound to."""

    wanted: Filter
    sort: Sort = "due"
    limit: int = LIMIT
    cursor: str = ""
    pairs: Pairs = ()

    def bound(self, me: Principal) -> tuple[str, ...]:
        """What a cursor of this list opens for."""
        return ("exposures", msgspec.json.encode(self.pairs).decode(), self.sort, str(me.person))

    def after(self, sealer: Sealer, me: Principal) -> list[Any] | None:
        """The place after which the page begins. Raises CursorError."""
        return sealer.open(self.cursor, self.bound(me)) if self.cursor else None

    def without(self, facet: str, me: Principal, day: date) -> Filter:
        """The same list without what `facet` asks, to count its other values."""
        pairs = tuple(p for p in self.pairs if p[0].removesuffix("!") != facet)
        rest = _filter(pairs, me, day, tiers=lambda: [value for _, value in pairs])  # they were looked at
        if rest.asset_name:
            rest = replace(rest, assets=self.wanted.assets)
        return replace(rest, flaws=self.wanted.flaws) if rest.flaw else rest


def asked(
    pairs: Sequence[tuple[str, str]],
    me: Principal,
    day: date,
    *,
    most: int = MOST,
    of_page: bool = False,
    leads: Callable[[str], tuple[str, ...]] | None = None,
    called: Callable[[str], tuple[int, ...]] | None = None,
    tiers: Callable[[], Sequence[str]] = tuple,
) -> Asked:
    """What these parameters ask for on `day`. `of_page`: an address of a page, which may say how it is shown.

    `leads` gives the ids that a name of a flaw leads to (`flawview.led`), `called` the assets that a whole name means
    (`called.led`), `tiers` the outcomes that there are besides
    CISA's (`tiers.known`), where one is asked for.

    Raises:
        InputError: a parameter that the list does not have, or a value that does not fit.
    """
    given = [(name, value) for name, value in pairs if not (of_page and name in _OF_PAGES)]
    for name, _ in given:
        if name not in _OWN and not _known(name):
            raise InputError(
                "this list has no such parameter",
                where=f"query.{plain(name, 60)}",
                mend="one of "
                + ", ".join((*FACETS, "suppressed", "within", "asset", *_TEXTS, *_DAYS, "gone", *_OWN)),
            )
    for name in {name for name, _ in given if not _is_facet(name)}:
        if sum(n == name for n, _ in given) > 1:
            raise InputError("said twice", where=f"query.{name}")
    own = {name: value for name, value in given if name in _OWN}
    sort = SORTS.get(own.get("sort", "due"))
    if sort is None:
        raise InputError("this list has no such order", where="query.sort", mend="one of " + ", ".join(SORTS))
    narrowed = tuple(sorted({p for p in given if p[0] not in _OWN}))
    return Asked(
        wanted=_filter(narrowed, me, day, leads, called, tiers),
        sort=sort,
        limit=_number(own.get("limit", str(LIMIT)), "limit", most, least=1),
        cursor=own.get("cursor", ""),
        pairs=narrowed,
    )


def _known(name: str) -> bool:
    return _is_facet(name) or name in (*_TEXTS, *_DAYS, "within", "asset", "gone")


def _is_facet(name: str) -> bool:
    return name.removesuffix("!") in (*FACETS, "suppressed")


def _filter(
    pairs: Pairs,
    me: Principal,
    day: date,
    leads: Callable[[str], tuple[str, ...]] | None = None,
    called: Callable[[str], tuple[int, ...]] | None = None,
    tiers: Callable[[], Sequence[str]] = tuple,
) -> Filter:
    tiers = cache(tiers)  # asked once, however many outcomes are named
    sides: tuple[dict[str, list[str]], dict[str, list[str]]] = ({}, {})
    single: dict[str, str] = {}
    for name, value in pairs:
        if len(value) > _LONGEST or not value.isprintable():
            raise InputError(
                "is too long, or has characters that can't be shown", where=f"query.{plain(name, 60)}"
            )
        if _is_facet(name):
            facet = name.removesuffix("!")
            sides[name.endswith("!")].setdefault(facet, []).append(_value(facet, value, me, tiers))
        else:
            single[name] = value
    yes, no = sides
    for side in sides:
        for facet, values in side.items():
            if len(values) > _VALUES:
                raise InputError(f"more than {_VALUES} values", where=f"query.{facet}")
    _set_aside(yes, no)
    due_from, due_to = (day_in(single.get(name, ""), name) for name in _DAYS)
    within = single.get("within", "")
    if within:
        ends = day + timedelta(days=-1 if within == "overdue" else _number(within, "within", _WITHIN))
        due_to = min(due_to or ends, ends)
    asset_name = single.get("asset_name", "")
    return Filter(
        asset=_number(single["asset"], "asset") if "asset" in single else None,
        flaw=single.get("flaw", ""),
        flaws=leads(single["flaw"]) if leads is not None and single.get("flaw") else (),
        name=single.get("name", ""),
        asset_name=asset_name,
        assets=called(asset_name) if called and asset_name and not asset_name.endswith("*") else None,
        due_from=due_from,
        due_to=due_to,
        yes={("org" if k == "organisation" else k): tuple(v) for k, v in yes.items() if v},
        no={("org" if k == "organisation" else k): tuple(v) for k, v in no.items() if v},
        gone=_flag(single.get("gone", "no"), "gone"),
    )


def _set_aside(yes: dict[str, list[str]], no: dict[str, list[str]]) -> None:
    """`suppressed` in terms of statuses."""
    if "yes" in yes.pop("suppressed", ()):
        kept = yes.get("status", list(SUPPRESSED))
        yes["status"] = [s for s in kept if s in SUPPRESSED] or list(SUPPRESSED)
    if "yes" in no.pop("suppressed", ()):
        no["status"] = [*dict.fromkeys((*no.get("status", ()), *SUPPRESSED))]


def _value(facet: str, value: str, me: Principal, tiers: Callable[[], Sequence[str]]) -> str:
    if facet == "organisation":
        # A slug of one's own; any other has nothing here for this reader.
        return str(next((m.org for m in me.memberships if m.slug == value), 0))
    known = ("yes",) if facet == "suppressed" else FACETS[facet]
    if facet == "tier" and value not in STANDARD:
        known = tuple(tiers()) or STANDARD
    if known is not None and value not in known:
        raise InputError(
            f"{plain(value, 60)!r} does not fit", where=f"query.{facet}", mend="one of " + ", ".join(known)
        )
    return value


def day_in(text: str, name: str) -> date | None:
    if not text:
        return None
    try:
        if len(text) != 10:
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise InputError(
            f"{plain(text, 40)!r} is no date", where=f"query.{name}", mend="such as 2026-12-07"
        ) from None


def known_day(text: str, name: str, today: date) -> date:
    """The day as of which is asked, "" for today. Raises InputError, also for a day to come."""
    asked = day_in(text, name) or today
    if asked > today:
        raise InputError(
            f"{asked} is a day to come: how it stands then is not known",
            where=f"query.{name}",
            mend=f"give {today}, which is today in UTC, or a day before",
        )
    return asked


def _number(text: str, name: str, most: int = 2**31 - 1, *, least: int = 0) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and least <= int(text) <= most):
        raise InputError(f"is a whole number from {least} to {most}", where=f"query.{name}")
    return int(text)


def _flag(text: str, name: str) -> bool:
    if text not in ("yes", "no"):
        raise InputError("is yes or no", where=f"query.{name}")
    return text == "yes"
