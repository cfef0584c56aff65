"""What routes, pages and commands of leases have in common: the key, for whom one acts, and looking for proofs."""

from __future__ import annotations

import os
from collections import Counter
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any

from clearway.http.outbound import Client, Networks
from clearway.http.ratelimit import Buckets, Policy
from clearway.records.clock import SystemClock
from clearway.records.errors import ForbiddenError, NotFoundError, TooManyRequestsError
from clearway.records.principal import lacking
from clearway.records.text import plain

from .blind import BlindKey
from .proof import Looker
from .txt import Txt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from litestar import Request

    from clearway.records.clock import Clock
    from clearway.records.principal import Membership, Principal, Right

    Asked = Request[Any, Any, Any]

SCANS: tuple[Right, ...] = ("submit", "operate")
CONTROLS: tuple[Right, ...] = ("operate", "maintain", "submit")
READS: tuple[Right, ...] = ("read",)
ALLOW_VARIABLE = "CLEARWAY_SCAN_PROOFS_ALLOW"  # networks where proofs are looked for though not public
# Each look makes this server call an address that somebody else chose.
LOOKS = Policy("scan-proofs", 30, 600)
MOST_AT_ONCE = 2  # looks of one organisation, so that others find a thread for theirs
_STATE = "findings_lease"
_LOCK = Lock()


class Tools:
    """The blinding key of one home, the clock, each organisation's looks, and where proofs are looked for."""

    def __init__(self, home: Path) -> None:
        self.key = BlindKey.of_home(home)
        self.clock: Clock = SystemClock()
        self.looks = Buckets(LOOKS)
        self.looking: Counter[int] = Counter()
        self.looker: Callable[[], AbstractContextManager[Looker]] = looker


@contextmanager
def looker() -> Iterator[Looker]:
    """Looks for proofs by the machine's resolver and at public addresses, and those that the operator opened.

    Raises:
        ConfigError: the operator's setting can't be read.
    """
    allow = Networks.parse(os.environ.get(ALLOW_VARIABLE, ""), ALLOW_VARIABLE)
    with Client(allow) as client:
        yield Looker(Txt(), client)


def tools(request: Asked) -> Tools:
    """The application's tools, made at the first use. Raises ConfigError when the key can't be read."""
    with _LOCK:
        found: Tools | None = request.app.state.get(_STATE)
        if found is None:
            found = Tools(request.app.state.home)
            request.app.state[_STATE] = found
        return found


def spend_look(kept: Tools, org: int) -> None:
    """Takes one look from the organisation's share; raises TooManyRequestsError when there is none left."""
    stand = kept.looks.take(org)
    if stand.refused:
        wait = max(1, int(stand.wait_s) + 1)
        raise TooManyRequestsError(
            f"more than {LOOKS.quota} looks in {LOOKS.window_s} s",
            mend=f"go on in {wait} s",
            retry_after_s=wait,
        )


@contextmanager
def looking(kept: Tools, org: int) -> Iterator[Looker]:
    """One look of the organisation's; raises TooManyRequestsError while as many as may be are going on."""
    with _LOCK:
        if kept.looking[org] >= MOST_AT_ONCE:
            raise TooManyRequestsError(
                f"{MOST_AT_ONCE} proofs of this organisation are being looked for already",
                mend="look again when they are done",
                retry_after_s=10,
            )
        kept.looking[org] += 1
    try:
        spend_look(kept, org)
        with kept.looker() as one:
            yield one
    finally:
        with _LOCK:
            kept.looking[org] -= 1


def home_of(me: Principal, slug: str, rights: tuple[Right, ...]) -> Membership:
    """The organisation of one's own in which to act; "" is the only one with one of these rights.

    Raises:
        NotFoundError: it is none of the caller's.
        ForbiddenError: the caller has none of the rights in it, or has them in several and names none.
    """
    able = [m for m in me.memberships if set(rights) & set(m.rights)]
    if not slug:
        if not able:
            raise lacking(*rights)
        if len(able) != 1:
            raise ForbiddenError(
                f"you may {' or '.join(rights)} in {len(able)} organisations",
                where="organisation",
                mend="name one",
            )
        return able[0]
    mine = next((m for m in me.memberships if m.slug == slug), None)
    if mine is None:
        raise NotFoundError("no such organisation of yours", where=plain(slug, 80))
    if mine not in able:
        raise ForbiddenError(f"the right to {' or '.join(rights)} is missing", where=slug)
    return mine
