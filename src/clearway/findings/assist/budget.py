"""How much the endpoint may be asked: requests and tokens a day (UTC), and a rest after failures. As the owner.

What a call may take at most is booked before it is sent and set right after it: a crash in between counts too much and
never too little.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from clearway.records.errors import TooManyRequestsError

if TYPE_CHECKING:
    import psycopg

    from .settings import Settings

    Connection = psycopg.Connection[Any]

FAILURES = 3  # in a row, until it rests
REST_S = 60
_LONGEST_REST_S = 3_600


class Used(Struct, frozen=True, kw_only=True):
    """What the endpoint has had today. `rests_until` while it rests after failures."""

    requests: int = 0
    tokens: int = 0
    failures: int = 0
    rests_until: datetime | None = None


def rest_s(failures: int) -> int:
    """For how many seconds it rests after so many failures in a row: a minute, then twice as long each, to an hour."""
    return min(REST_S << min(failures - FAILURES, 10), _LONGEST_REST_S) if failures >= FAILURES else 0


def used(owner: Connection, settings: Settings) -> Used:
    """What it has had today."""
    row = owner.execute(
        """select case when day = %(today)s then requests else 0 end, case when day = %(today)s then tokens else 0 end,
            failures, case when rests_until > clock_timestamp() then rests_until end
        from clearway.assist_endpoint where endpoint = %(at)s""",
        {"today": now(owner).date(), "at": settings.origin},
    ).fetchone()
    if row is None:
        return Used()
    return Used(requests=row[0], tokens=row[1], failures=row[2], rests_until=row[3])


def refusal(found: Used, settings: Settings, tokens: int, at: datetime) -> TooManyRequestsError | None:
    """Why one more call of so many tokens may not be made now, None when it may. Pure."""
    if found.rests_until is not None and found.rests_until > at:
        return TooManyRequestsError(
            "the endpoint failed several times and rests",
            where=settings.origin,
            mend=f"ask again after {found.rests_until:%H:%M} UTC",
            retry_after_s=_seconds(found.rests_until - at),
        )
    tomorrow = datetime.combine(at.date() + timedelta(days=1), time(), UTC)
    if found.requests >= settings.day_requests:
        what = f"the day's {settings.day_requests:,} requests are used up"
    elif found.tokens + tokens > settings.day_tokens:
        what = f"the day's {settings.day_tokens:,} tokens leave no room for it"
    else:
        return None
    return TooManyRequestsError(
        what, where=settings.origin, mend="ask again tomorrow", retry_after_s=_seconds(tomorrow - at)
    )


def take(owner: Connection, settings: Settings, tokens: int) -> None:
    """Books one call of at most so many tokens.

    Raises:
        TooManyRequestsError: the day's share is used up, or the endpoint rests.
    """
    at = now(owner)
    owner.execute(
        "insert into clearway.assist_endpoint (endpoint, day) values (%s, %s) on conflict do nothing",
        (settings.origin, at.date()),
    )
    owner.execute("select from clearway.assist_endpoint where endpoint = %s for update", (settings.origin,))
    refused = refusal(used(owner, settings), settings, tokens, at)
    if refused is not None:
        raise refused
    owner.execute(
        """update clearway.assist_endpoint set day = %(day)s,
            requests = case when day = %(day)s then requests else 0 end + 1,
            tokens = case when day = %(day)s then tokens else 0 end + %(tokens)s
        where endpoint = %(at)s""",
        {"day": at.date(), "tokens": tokens, "at": settings.origin},
    )


def settle(
    owner: Connection, settings: Settings, booked: int, took: int | None, *, failed: bool = False
) -> None:
    """Sets right what a call took, and counts failures in a row: after the third the endpoint rests."""
    owner.execute(
        """update clearway.assist_endpoint set
            tokens = greatest(0, tokens - case when day = %(day)s then %(over)s else 0 end),
            failures = case when %(failed)s then failures + 1 else 0 end
        where endpoint = %(at)s""",
        {
            "day": now(owner).date(), "over": booked - (booked if took is None else took), "failed": failed,
            "at": settings.origin,
        },
    )  # fmt: skip
    seconds = rest_s(used(owner, settings).failures) if failed else 0
    owner.execute(
        """update clearway.assist_endpoint set rests_until = case when %(s)s = 0 then '-infinity'
            else clock_timestamp() + make_interval(secs => %(s)s) end
        where endpoint = %(at)s""",
        {"s": seconds, "at": settings.origin},
    )


def now(owner: Connection) -> datetime:
    """The database's time, in UTC."""
    row = owner.execute("select clock_timestamp()").fetchone()
    assert row is not None
    found: datetime = row[0]
    return found.astimezone(UTC)


def _seconds(left: timedelta) -> int:
    return max(1, int(left.total_seconds()) + 1)
