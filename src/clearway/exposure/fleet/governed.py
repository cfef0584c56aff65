"""By which table an organisation's dates are counted: its own choice, in the version that governs it.

The version is that of `directives.governing`, which reports ask too. What cannot be used is no reason to keep no dates:
a version whose signature does not hold, and a directive that no longer stands and does not ship, give way to the table
that ships, and then to `DEFAULT`. A report refuses instead. A directive that is revoked asks nothing any more, so that
who has chosen it is counted as if nothing were chosen, from that day on.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from clearway.directives import Directive, load
from clearway.directives.governing import DEFAULT, directive_of, governing
from clearway.directives.kept.governing import bearing, table_of, today_of
from clearway.records.errors import InputError, IntegrityError, NotFoundError, TooLargeError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import psycopg

    from clearway.directives.governing import Bearing


class Under:
    """The version that governs, with its table. Two are one when they are the same version of the same bytes."""

    __slots__ = ("_key", "authority", "directive", "imported", "standing", "version_id")

    def __init__(self, directive: Directive, found: Bearing) -> None:
        self.directive = directive
        self.version_id = found.version_id
        self.authority = found.authority
        self.standing = found.standing
        self.imported = found.imported
        self._key = (found.version_id, found.sha256)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Under) and other._key == self._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __repr__(self) -> str:
        return f"Under({self.directive.id} {self.directive.version})"


class Setting(NamedTuple):
    """By which rule an organisation counts. "" is the directive's default; `under` None: the table that ships."""

    directive: str = DEFAULT
    policy: str = ""
    retier: str = ""
    under: Under | None = None

    @property
    def table(self) -> Directive:
        """The table. Raises NotFoundError for one that neither governs nor ships."""
        return load(self.directive) if self.under is None else self.under.directive

    @property
    def version_id(self) -> int | None:
        """The issued version, or None for the table that ships."""
        return None if self.under is None else self.under.version_id

    def fitting(self) -> Setting:
        """The same with the names of its policy and option, by their defaults where the table has no such name."""
        table = self.table
        policies = {policy.id for policy in table.policies}
        policy = self.policy if self.policy in policies else table.policies[0].id
        retier = self.retier if self.retier in table.clock.retier else table.clock.retier[0]
        return self._replace(policy=policy, retier=retier)

    @property
    def name(self) -> str:
        """Names all of it: two settings of one name count alike."""
        return f"{self.directive} {self.version_id or 0} {self.policy} {self.retier}"


def settings(
    db: psycopg.Connection[Any], orgs: Iterable[int], at: datetime | None = None, day: date | None = None
) -> dict[int, Setting]:
    """Organisation -> its setting on `day`, as known now; or as it was just before the moment `at`.

    Without either, today's. The default for an organisation that the caller neither reads nor operates for.
    """
    wanted = sorted(set(orgs))
    if at is not None and day is None:
        day = (at - timedelta(microseconds=1)).date()
    chosen = {
        org: (directive, policy, retier)
        for org, directive, policy, retier in db.execute(
            """select distinct on (org) org, directive, policy, retier from clearway.fleet_setting
            where org = any(%s) and (%s::timestamptz is null or recorded < %s) order by org, setting desc""",
            (wanted, at, at),
        )
    }
    made = {}
    for org, found in bearing(db, wanted, day, at).items():
        setting = _setting(db, chosen.get(org, _NOTHING), found)
        if setting.table.revoked is not None:
            day = day or today_of(db)
            if setting.table.ended(day) is not None:
                setting = _setting(db, _NOTHING, found)
        made[org] = setting
    return made


_NOTHING = ("", "", "")  # chosen


def alone(db: psycopg.Connection[Any], org: int) -> None:
    """Until this transaction ends nobody else chooses for the organisation, or counts its dates anew by its setting."""
    db.execute("select pg_advisory_xact_lock(hashtextextended('clearway setting', %s))", (org,))


def _setting(
    db: psycopg.Connection[Any], chosen: tuple[str, str, str], found: tuple[Bearing, ...]
) -> Setting:
    directive, policy, retier = chosen
    setting = Setting(directive_of(found, directive), policy, retier)
    version = governing(found, setting.directive)
    if version is not None:
        try:
            table = table_of(db, version.version_id, version.sha256)
        except (IntegrityError, InputError, NotFoundError, TooLargeError):
            pass
        else:
            return setting._replace(under=Under(table, version)).fitting()
    try:
        return setting.fitting()
    except NotFoundError:
        return Setting().fitting()


def of_clock(db: psycopg.Connection[Any], directive: str, policy: str, retier: str, version: Any) -> Setting:
    """The setting that a rule of the table `clock` names: for who sees a date, and not whose organisation chose.

    `version` is (version_id, authority, whether it is imported), or None for the table that ships.
    """
    if version is None:
        return Setting(directive, policy, retier).fitting()
    from clearway.directives.governing import Bearing

    version_id, authority, imported = version
    table = table_of(db, version_id)
    found = Bearing(
        directive=directive,
        version_id=version_id,
        version=table.version,
        sha256=b"",
        authority=authority,
        standing="advisory",
        since=date.min,
        imported=imported,
    )
    return Setting(directive, policy, retier, Under(table, found)).fitting()
