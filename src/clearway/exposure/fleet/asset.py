"""Assets: what is kept of each, and how exposed it is, since when, and who said so."""

from __future__ import annotations

from datetime import date, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from clearway.access import audience, marking
from clearway.records.errors import ConflictError, InputError, NotFoundError
from clearway.records.text import is_one_line

from . import due
from .acts import record
from .version import storable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import psycopg

Exposed = Literal["public", "internal", "unknown"]
Environment = Literal["production", "development", "unknown"]
_LIST = 200  # identifiers, addresses or names of one asset
_TEXT = 300
_TRIES = 5
_COLUMNS = (
    "asset, org, aud, name, owner, sub_organisation, environment, kind, exposure, edge, end_of_support, eos_listed, "
    "identifiers, addresses, names, created, decommissioned, version"
)


class Details(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What an organisation says of an asset, beside its name and exposure.

    `edge` and `end_of_support` matter for BOD 26-02; `identifiers` are image digests, serial numbers, cloud ids, by
    which two inventories are known to be of one asset.
    """

    owner: str = ""
    sub_organisation: str = ""
    environment: Environment = "unknown"
    kind: str = ""
    edge: bool = False
    end_of_support: date | None = None
    eos_listed: bool | None = None
    identifiers: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    decommissioned: date | None = None

    def __post_init__(self) -> None:
        if self.environment not in get_args(Environment):
            raise InputError(
                f"no environment {self.environment!r}",
                where="environment",
                mend="production, development or unknown",
            )
        for field in ("owner", "sub_organisation", "kind"):
            if len(getattr(self, field)) > (100 if field == "kind" else _TEXT):
                raise InputError(f"{field} is too long", where=field, mend="shorten it")
        for field in ("identifiers", "addresses", "names"):
            values = getattr(self, field)
            if len(values) > _LIST or any(not 0 < len(v) <= _TEXT for v in values):
                raise InputError(
                    f"{field}: up to {_LIST} texts of 1 to {_TEXT} characters",
                    where=field,
                    mend="leave some out",
                )


class Asset(Struct, frozen=True, kw_only=True):
    """One asset as it is kept. `version` is for If-Match."""

    asset: int
    org: int
    aud: int
    name: str
    exposure: Exposed
    details: Details
    created: datetime
    version: int


class Statement(Struct, frozen=True, kw_only=True):
    """How exposed an asset was said to be from `since` on."""

    exposure: Exposed
    since: date
    said_by: str
    person: int
    recorded: datetime


def add(
    db: psycopg.Connection[Any],
    org: int,
    name: str,
    *,
    exposure: Exposed = "unknown",
    since: date,
    said_by: str = "",
    details: Details | None = None,
    aud: int | None = None,
    day: date | None = None,
    called: bool = False,
) -> Asset:
    """Adds an asset, seen by its organisation alone unless `aud` says otherwise.

    With `day`, what is said of its exposure from a later day on holds from that one: until then, nobody has said.
    `called`: who adds it gives the name, and not `said_by`.

    Raises:
        InputError: the name or a detail can't be kept.
        ConflictError: the organisation has one of that name.
        ForbiddenError: the caller may not operate for it.
    """
    name = storable(name).strip()
    if not 0 < len(name) <= _TEXT:
        raise InputError(
            f"an asset's name has 1 to {_TEXT} characters", where="name", mend="give a short name"
        )
    _exposed(exposure)
    _shown(name)
    _free(db, org, name)
    kept = details or Details()
    later = day is not None and since > day and exposure != "unknown"
    now: Exposed = "unknown" if later else exposure
    # Its history names who said so (`described`); what is done after this in the transaction is not theirs.
    db.execute(
        "select set_config('clearway.said_by', %s, true)", ("" if called else storable(said_by)[:_TEXT],)
    )
    own = audience.of(db, marking.own(org)) if aud is None else aud
    row = db.execute(
        f"""insert into clearway.asset (org, aud, name, exposure, owner, sub_organisation, environment, kind, edge,
            end_of_support, eos_listed, identifiers, addresses, names, decommissioned)
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) returning {_COLUMNS}""",  # noqa: S608
        (org, own, name, now, *_values(kept)),
    ).fetchone()
    assert row is not None
    db.execute("select set_config('clearway.said_by', '', true)")
    made = _asset(row)
    if later and day is not None:
        _say(db, made, now, day, said_by)
    _say(db, made, exposure, since, said_by)
    record(
        db, "asset.added", f"asset/{made.asset}",
        {"name": name, "exposure": now, **({"said": exposure, "since": since} if later else {}),
         **_brief(msgspec.to_builtins(kept))},
        org=org, aud=own,
    )  # fmt: skip
    return made


def change(
    db: psycopg.Connection[Any], asset: int, version: int, details: Details, *, name: str = ""
) -> Asset:
    """Replaces the details of an asset, and its name where one is given.

    Raises:
        NotFoundError: no such asset, or it may not be seen.
        ConflictError: it changed since `version` was read.
        ForbiddenError: the caller may not operate for its organisation.
    """
    before = one(db, asset)
    name = storable(name).strip()
    if name and name != before.name:
        _shown(name)
        _free(db, before.org, name)
    row = db.execute(
        f"""update clearway.asset set owner = %s, sub_organisation = %s, environment = %s, kind = %s, edge = %s,
            end_of_support = %s, eos_listed = %s, identifiers = %s, addresses = %s, names = %s, decommissioned = %s,
            name = %s, version = version + 1
        where asset = %s and version = %s returning {_COLUMNS}""",  # noqa: S608
        (*_values(details), name or before.name, asset, version),
    ).fetchone()
    if row is None:
        raise ConflictError(
            "it has changed, or is not yours to change", where=f"asset/{asset}", mend="read it again"
        )
    after = _asset(row)
    changed = {
        k: v
        for k, v in msgspec.to_builtins(details).items()
        if v != msgspec.to_builtins(before.details).get(k)
    }
    more: dict[str, Any] = {}
    if (
        details.decommissioned != before.details.decommissioned
    ):  # what stands on it ends, or is back with its dates
        from .take import again

        row = db.execute(
            "select clearway.fleet_retire(%s), (clearway.fleet_now() at time zone 'utc')::date", (asset,)
        ).fetchone()
        assert row is not None
        more["exposures"], day = row
        if details.decommissioned is None or details.decommissioned > day:
            again(db, asset, day)
    record(db, "asset.changed", f"asset/{asset}", {"name": after.name, "changed": _brief(changed), **more},
           org=after.org, aud=after.aud)  # fmt: skip
    return after


def _brief(details: dict[str, Any]) -> dict[str, Any]:
    """Details for the log: of a list, how long it is."""
    return {k: len(v) if isinstance(v, list) else v for k, v in details.items()}


def say_exposure(
    db: psycopg.Connection[Any], asset: int, exposure: Exposed, since: date, said_by: str, *, day: date
) -> tuple[Asset, int]:
    """Says how exposed an asset is from `since` on, and dates its exposures anew; returns it, and how many moved.

    The last word counts, from `since` to `day`: where another was said of a day between them, this one is said of that
    day too (`_over`). What was known before stays as it was recorded. That nobody has said, as an asset begins with,
    outweighs no earlier day (`due.exposed_on`). A later day than `day` may be said beforehand: `follow.tick` dates
    again when it comes. Exposures that the caller may not see are dated by the owner's job (`tasks`).

    Raises: as `change`.
    """
    _exposed(exposure)
    found = one(db, asset)
    for begin in (since, *_over(db, asset, exposure, since, day)):
        _say(db, found, exposure, begin, said_by)
    row = db.execute(
        f"""update clearway.asset a set version = version + 1, exposure = coalesce((
            select s.exposure from clearway.asset_exposure s where s.asset = a.asset and s.since <= %s
                and (s.exposure <> 'unknown' or exists (
                    select from clearway.asset_exposure f where f.asset = s.asset and f.statement < s.statement))
            order by s.since desc, s.statement desc limit 1), a.exposure)
        where asset = %s returning {_COLUMNS}""",  # noqa: S608
        (day, asset),
    ).fetchone()
    if row is None:
        raise ConflictError("it is not yours to change", where=f"asset/{asset}")
    after = _asset(row)
    moved = due.date_again(db, day, assets=[asset])
    record(db, "asset.exposed", f"asset/{asset}",
           {"exposure": exposure, "since": since, "said_by": said_by, "dated": moved},
           org=after.org, aud=after.aud)  # fmt: skip
    return after, moved


def hear_exposure(
    db: psycopg.Connection[Any], kept: Asset, word: str, since: date | None, said_by: str, *, day: date
) -> Asset:
    """Says of an asset what a document states, where that is news: another word, or a day that nobody has said of it.

    `word` is "" where the document states none, `since` None where it states no day: then another word holds from
    `day` on. What was said before stays on record, and so the earlier of two days of one word counts. A document that
    states again what was said already does not outweigh what was said after it. Raises: as `say_exposure`.
    """
    if not word or (since is None and word == kept.exposure):
        return kept
    if since is not None:
        before = _was_said(db, kept.asset, word, since)
        if before is not None and not _over(db, kept.asset, word, since, day, before):
            return kept
    _exposed(word)
    return say_exposure(db, kept.asset, cast("Exposed", word), since or day, said_by, day=day)[0]


def _was_said(db: psycopg.Connection[Any], asset: int, word: str, since: date) -> int | None:
    """The statement that said so last of that day; None where none did, or another word was said of it after."""
    row = db.execute(
        """select exposure, statement from clearway.asset_exposure
        where asset = %s and since = %s order by statement desc limit 1""",
        (asset, since),
    ).fetchone()
    return row[1] if row is not None and row[0] == word else None


def _over(
    db: psycopg.Connection[Any], asset: int, word: str, since: date, day: date, before: int | None = None
) -> tuple[date, ...]:
    """The days after `since`, up to `day`, from which on the asset was said to be otherwise: last, before `before`."""
    rows = db.execute(
        """select since from (
            select distinct on (s.since) s.since, s.exposure, s.statement from clearway.asset_exposure s
            where s.asset = %(asset)s and s.since > %(since)s and s.since <= %(day)s
                and (s.exposure <> 'unknown' or exists (
                    select from clearway.asset_exposure f where f.asset = s.asset and f.statement < s.statement))
            order by s.since, s.statement desc) last
        where exposure <> %(word)s and (%(before)s::bigint is null or statement < %(before)s) order by since""",
        {"asset": asset, "since": since, "day": day, "word": word, "before": before},
    )
    return tuple(row[0] for row in rows)


def _say(db: psycopg.Connection[Any], asset: Asset, exposure: str, since: date, said_by: str) -> None:
    db.execute(
        """insert into clearway.asset_exposure (asset, org, aud, exposure, since, said_by, person)
        values (%s, %s, %s, %s, %s, %s, greatest(clearway.actor(), 0))""",
        (asset.asset, asset.org, asset.aud, exposure, since, storable(said_by)[:_TEXT]),
    )


def _exposed(word: str) -> None:
    if word not in get_args(Exposed):
        raise InputError(f"no exposure {word!r}", where="exposure", mend="public, internal or unknown")


def one(db: psycopg.Connection[Any], asset: int) -> Asset:
    """One asset. Raises NotFoundError for one that is not there or may not be seen."""
    row = db.execute(f"select {_COLUMNS} from clearway.asset where asset = %s", (asset,)).fetchone()  # noqa: S608
    if row is None:
        raise NotFoundError("no such asset", where=f"asset/{asset}")
    return _asset(row)


def find(db: psycopg.Connection[Any], org: int, name: str) -> Asset | None:
    """The asset of that name, of those that the caller sees, whatever the case if none is called just so; else the one
    that a document calls so, and that is called otherwise here; else None.

    Raises:
        ConflictError: several have it. Each was named by somebody who did not see the others.
    """
    rows = db.execute(
        f"""select {_COLUMNS} from clearway.asset where org = %s and lower(name) = lower(%s)
        order by name = %s desc limit 3""",  # noqa: S608
        (org, name, name),
    ).fetchall()
    found = [_asset(row) for row in rows]
    found = [one for one in found if one.name == name] or found
    if not found:
        alias = f"name:{storable(name)}"[:_TEXT]  # `whose.alias_of`
        rows = db.execute(
            f"select {_COLUMNS} from clearway.asset where org = %s and identifiers @> array[%s] limit 2",  # noqa: S608
            (org, alias),
        ).fetchall()
        found = [_asset(row) for row in rows]
    if len(found) > 1:
        raise ConflictError(
            f"several assets are called {name!r}",
            where=f"org/{org}",
            mend="name it by its number, or rename one",
        )
    return found[0] if found else None


def alike(db: psycopg.Connection[Any], org: int, name: str, identifiers: Sequence[str]) -> tuple[Asset, ...]:
    """The assets of that name, whatever its case, or with any of these identifiers: at most `_LIST`.

    Those of just that name first, then the oldest.
    """
    rows = db.execute(
        f"""select {_COLUMNS} from clearway.asset
        where org = %s and (lower(name) = lower(%s) or identifiers && %s)
        order by name = %s desc, lower(name) = lower(%s) desc, asset limit %s""",  # noqa: S608
        (org, name, [storable(i) for i in identifiers], name, name, _LIST),
    )
    return tuple(_asset(row) for row in rows)


def taken(db: psycopg.Connection[Any], org: int, names: Sequence[str]) -> frozenset[str]:
    """Which of `names` assets of `org` have that the caller sees: that a hidden one has a name is told to nobody."""
    rows = db.execute("select name from clearway.asset where org = %s and name = any(%s)", (org, list(names)))
    return frozenset(row[0] for row in rows)


def free(db: psycopg.Connection[Any], org: int, names: Iterable[str]) -> str:
    """The first of `names` that no asset of `org` has that the caller sees; they never end. See `one_at_a_time`."""
    several, many = iter(names), 8
    while True:
        some = list(islice(several, many))
        has = taken(db, org, some)
        found = next((n for n in some if n not in has), None)
        if found is not None:
            return found
        many = min(2 * many, 8_192)


def _shown(name: str) -> None:
    if not is_one_line(name):
        raise InputError(
            "an asset's name is one line, without control characters and marks that turn its direction",
            where="name",
            mend="type the name anew",
        )


def _free(db: psycopg.Connection[Any], org: int, name: str) -> None:
    """Raises ConflictError where an asset that the caller sees has it; nobody takes it until this transaction ends."""
    one_at_a_time(db, org)
    if taken(db, org, [name]):
        raise ConflictError(f"there is an asset {name!r}", where=f"org/{org}", mend="choose another name")


def one_at_a_time(db: psycopg.Connection[Any], org: int) -> None:
    """Until this transaction ends nobody else names assets of `org`."""
    db.execute("select pg_advisory_xact_lock(hashtextextended('clearway asset', %s))", (org,))


def learn(
    db: psycopg.Connection[Any],
    kept: Asset,
    details: Details,
    said_by: str,
    *,
    edge: bool | None = None,
    name: str = "",
) -> Asset:
    """Keeps what a document says of an asset beside what is kept: new identifiers, addresses and names are added, and
    whatever else `details` states is how it is from now on. `edge` None: not stated. With `name` it is called so from
    now on, and found by what it was called before, too.

    Raises: as `change`.
    """
    if name:
        details = replace(details, identifiers=(f"name:{kept.name}"[:_TEXT], *details.identifiers))
    for tries in range(_TRIES):
        new = _learned(kept.details, details, edge)
        if new == kept.details and name in ("", kept.name):
            break
        db.execute("select set_config('clearway.said_by', %s, true)", (storable(said_by)[:_TEXT],))
        try:
            kept = change(db, kept.asset, kept.version, new, name=name)
        except ConflictError:  # another document of it has landed meanwhile
            if tries == _TRIES - 1:
                raise
            kept = one(db, kept.asset)
        db.execute("select set_config('clearway.said_by', '', true)")
    return kept


def _learned(old: Details, said: Details, edge: bool | None) -> Details:
    return replace(
        old,
        owner=said.owner or old.owner,
        kind=said.kind or old.kind,
        environment=old.environment if said.environment == "unknown" else said.environment,
        edge=old.edge if edge is None else edge,
        end_of_support=said.end_of_support or old.end_of_support,
        identifiers=_more(old.identifiers, said.identifiers),
        addresses=_more(old.addresses, said.addresses),
        names=_more(old.names, said.names),
    )


def _more(kept: tuple[str, ...], said: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*kept, *(storable(s) for s in said))))[:_LIST]


class AssetLine(Struct, frozen=True, kw_only=True):
    """One asset in a list: what it is, how much it holds, and what is open on it."""

    asset: Asset
    components: int
    open: int
    earliest: date | None
    inventoried: datetime | None


def page(
    db: psycopg.Connection[Any],
    *,
    org: int | None = None,
    only: Sequence[int] | None = None,
    after: int = 0,
    limit: int = 100,
) -> tuple[AssetLine, ...]:
    """Assets by number, after the number `after`; with `only` those of these numbers."""
    columns = ", ".join(f"a.{c.strip()}" for c in _COLUMNS.split(","))
    rows = db.execute(
        f"""with chosen as (
            select {columns} from clearway.asset a
            where a.asset > %(after)s and (%(org)s::int is null or a.org = %(org)s)
                and (%(only)s::int[] is null or a.asset = any(%(only)s))
            order by a.asset limit %(limit)s)
        select chosen.*, (select count(*) from clearway.held h where h.asset = chosen.asset),
            x.open, x.earliest, (select max(received) from clearway.inventory i where i.asset = chosen.asset)
        from chosen left join lateral (
            select count(*) as open, min(e.due) as earliest from clearway.exposure e
            where e.asset = chosen.asset and e.gone is null and e.status = 0) x on true
        order by chosen.asset""",  # noqa: S608
        {
            "after": after,
            "org": org,
            "only": None if only is None else [*only],
            "limit": min(limit, 1_000),
        },
    )
    return tuple(
        AssetLine(
            asset=_asset(row[:-4]), components=row[-4], open=row[-3], earliest=row[-2], inventoried=row[-1]
        )
        for row in rows
    )


def exposures_said(db: psycopg.Connection[Any], asset: int) -> tuple[Statement, ...]:
    """Every statement about an asset's exposure, in the order in which they were made."""
    rows = db.execute(
        """select exposure, since, said_by, person, recorded from clearway.asset_exposure
        where asset = %s order by statement""",
        (asset,),
    )
    return tuple(Statement(exposure=r[0], since=r[1], said_by=r[2], person=r[3], recorded=r[4]) for r in rows)


def _values(d: Details) -> tuple[Any, ...]:
    return (
        storable(d.owner), storable(d.sub_organisation), d.environment, storable(d.kind), d.edge, d.end_of_support,
        d.eos_listed, [storable(i) for i in d.identifiers], [storable(a) for a in d.addresses],
        [storable(n) for n in d.names], d.decommissioned,
    )  # fmt: skip


def _asset(row: Sequence[Any]) -> Asset:
    (asset, org, aud, name, owner, sub_organisation, environment, kind, exposure, edge, end_of_support, eos_listed,
     identifiers, addresses, names, created, decommissioned, version) = row  # fmt: skip
    return Asset(
        asset=asset,
        org=org,
        aud=aud,
        name=name,
        exposure=exposure,
        details=Details(
            owner=owner,
            sub_organisation=sub_organisation,
            environment=environment,
            kind=kind,
            edge=edge,
            end_of_support=end_of_support,
            eos_listed=eos_listed,
            identifiers=tuple(identifiers),
            addresses=tuple(addresses),
            names=tuple(names),
            decommissioned=decommissioned,
        ),
        created=created,
        version=version,
    )
