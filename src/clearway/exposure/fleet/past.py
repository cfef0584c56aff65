"""Exposures as they were at the end of a day: what every report and answer of an earlier day is made of.

All that can change of an exposure is kept `until` then in `exposure_history`, by a trigger. Who asks about the past
takes every column from `EXPOSURES`, and none from the table beside it: so nothing that comes later changes the answer.
Who may read a row is of today (`aud`).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Final, LiteralString

from clearway.records.errors import InputError

# Needs the parameter `end`, and a name behind it. Flaws that are found to be one stay one, so what was of one flaw then
# is of one now: `flaw_now` is what an index knows. CASE, for a row-level policy holds COALESCE to be leaky: no index of
# the tables that are joined to these columns would be used.
EXPOSURES: Final[LiteralString] = """(
    select x.exposure, x.aud, x.asset, x.org, x.via, x.flaw as flaw_now,
        case when h.until is null then x.pv else h.pv end as pv,
        case when h.until is null then x.flaw else h.flaw end as flaw,
        case when h.until is null then x.first_seen else h.first_seen end as first_seen,
        case when h.until is null then x.gone else h.gone end as gone,
        case when h.until is null then x.detected else h.detected end as detected,
        case when h.until is null then x.how else h.how end as how,
        case when h.until is null then x.due else h.due end as due,
        case when h.until is null then x.clock else h.clock end as clock,
        case when h.until is null then x.decision else h.decision end as decision,
        case when h.until is null then x.status else h.status end as status,
        case when h.until is null then x.verdict else h.verdict end as verdict,
        case when h.until is null then x.until else h.accepted_until end as accepted_until
    from clearway.exposure x
    left join lateral (select * from clearway.exposure_history k where k.exposure = x.exposure and k.until >= %(end)s
        order by k.until limit 1) h on true)"""


def end_of(day: date) -> datetime:
    """The first moment after a UTC day. Raises InputError for the calendar's last."""
    try:
        return datetime.combine(day + timedelta(days=1), time(), UTC)
    except OverflowError:
        raise InputError(f"{day} is the calendar's last day", mend="give an earlier day") from None
