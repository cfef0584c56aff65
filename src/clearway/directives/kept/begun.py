"""The day on which a version that was issued ahead takes over: told once, on the log and to whoever listens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import issues
from .who import tell

if TYPE_CHECKING:
    from datetime import date

    import psycopg


def begin(owner: psycopg.Connection[Any], day: date) -> int:
    """Tells of each version whose own day has come by `day`, and which stands on it; returns how many.

    What was in effect when it was issued was told then. The owner's transaction; a second time it tells nothing.
    """
    rows = owner.execute(
        """update clearway.directive_version v set begun = clock_timestamp() from clearway.organisation o
        where o.org = v.org and v.begun is null and v.begins > v.issued and v.begins <= %s
        returning v.version_id, v.org, o.slug, v.aud::int, v.directive, v.version, v.begins, v.imported""",
        (day,),
    ).fetchall()
    told = 0
    for number, org, slug, aud, directive, version, begins, imported in sorted(rows):
        found = [v for v in issues.versions(owner, directive, slug) if v.imported is imported]
        stood = issues.standing_of(found, directive, begins)
        if stood is None or stood.id != number:
            continue  # revoked before its day, or superseded by one that is in effect already
        tell(
            owner,
            "directive.begun",
            f"directive/{directive}/{version}",
            {"organisation": slug, "begins": begins.isoformat()},
            org=org,
            aud=aud,
        )
        told += 1
    return told
