"""Lists, all with the same manners: declared filters and orders, pages by signed cursor, JSON and CSV.

    ASSETS = Listing(
        "assets", Asset,
        Source("a.asset as id, a.name, a.environment", "clearway.asset a"),
        sorts={"name": Column("a.name"), "added": Column("a.added", "timestamptz")},
        tie=Column("a.asset", "int"), default="name",
        filters={"environment": choice("a.environment = any(%s)", ENVIRONMENTS, "a.environment <> all(%s)")},
    )

    @get(paths("/assets"), opt=needs("read"), sync_to_thread=True, summary="…",
         operation_class=ASSETS.operation, responses=ASSETS.responses)
    def assets(request: Request) -> Response[bytes]:
        return as_file(request, ASSETS)  # `ledger.reading`; by `Listing.read` and `answer`, CSV by `http.whole`

There is no offset and no total: both cost the whole list, and a total of what one may see is a query of its own.
Row-level policies decide what is in the list; a cursor is bound to the reader besides, so that it tells others nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic, LiteralString, TypeVar
from urllib.parse import urlencode

import msgspec
from litestar import Response
from litestar.openapi.spec import OpenAPIMediaType, OpenAPIResponse, Operation, Parameter, Schema
from litestar.openapi.spec.enums import OpenAPIType
from msgspec import Struct

from clearway.records.errors import InputError
from clearway.records.text import plain
from clearway.store.keyset import Column, Condition, Source, page
from clearway.store.labels import labels

from . import csv_out, etag
from .cursor import MAX_CHARS as CURSOR_CHARS
from .filters import MAX_CHARS, Filter, values_of
from .openapi import READ, gives

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import psycopg
    from litestar import Request

    from clearway.records.principal import Principal

    from .cursor import Sealer

DEFAULT_LIMIT = 50
MAX_LIMIT = 200
MAX_CSV_LIMIT = 1_000  # a part; without `limit` it is the whole list, in steps (`http.whole`)
MOST_HINTED = 64
OWN = ("sort", "limit", "cursor")
_OF_PAGES = (
    "columns",
    "words",
    "org",
    "at",
)  # `pages.address`: how a page shows the list; no parameter of the API's

T = TypeVar("T", bound=Struct)


class Asked(Struct, frozen=True, kw_only=True):
    """What a request asks of a list, read and bounded. `narrowed` is (parameter, values) in alphabetical order."""

    sort: str
    descending: bool
    limit: int
    narrowed: tuple[tuple[str, tuple[Any, ...]], ...] = ()
    cursor: str = ""

    def query(self, **changed: str) -> str:
        """The query string that asks for the same, with `changed` parameters; an empty text takes one away."""
        pairs: list[tuple[str, object]] = []
        for name, values in self.narrowed:
            pairs += [(name, _typed(value)) for value in values]
        own = {
            "sort": f"-{self.sort}" if self.descending else self.sort,
            "limit": str(self.limit),
            "cursor": self.cursor,
        }
        pairs += [(name, value) for name, value in {**own, **changed}.items() if value]
        return urlencode(pairs)


class Page(Struct, Generic[T], frozen=True, kw_only=True):
    """A page of a list. `next` is the cursor of the next one, "" when this is the last.

    `auds` are the audiences of its rows, for the log of what is read; they are good for the transaction that read them.
    Empty where the list's rows carry no marking.
    """

    name: str
    asked: Asked
    items: tuple[T, ...]
    next: str = ""
    auds: tuple[int, ...] = ()


class Items(Struct, Generic[T], frozen=True, kw_only=True):
    """What a list answers. `next` is the address of the next page, null on the last one."""

    items: list[T]
    next: str | None


class Listing(Generic[T]):
    """One kind of list. `name` is bound into its cursors; `where` is constant SQL that always holds.

    `hint` names the audience column of a large table whose rows are mostly other people's ("e.aud"): a reader of at
    most 64 audiences then names them, so that an index on (audience, order) finds the first page at once. The policy
    decides all the same.

    `aud` is the column of its rows' audience, where they carry content that somebody marked ("a.aud"): `Page.auds` has
    them, and `ledger.reading` puts on the log that they were read. With `labelled` each row's field `tlp` is the label
    of that: the number itself is good for its transaction, and stands in no answer and no file.
    """

    def __init__(
        self,
        name: str,
        record: type[T],
        source: Source,
        *,
        sorts: Mapping[str, Column],
        tie: Column,
        default: str,
        filters: Mapping[str, Filter] | None = None,
        where: LiteralString = "",
        hint: LiteralString = "",
        aud: LiteralString = "",
        labelled: bool = False,
    ) -> None:
        self.name = name
        self.record = record
        self.source = source
        self.sorts = sorts
        self.tie = tie
        self.default = default
        self.filters = filters or {}
        self._always = where
        self._hint = hint
        self.marked = aud != ""
        self._labelled = labelled
        self._read = source._replace(columns=source.columns + ", " + aud + " as aud_") if aud else source
        self.operation = _operation(self)
        self.responses = gives(Items[record], *READ)  # type: ignore[valid-type]

    def asked(self, request: Request[Any, Any, Any]) -> Asked:
        """What `request` asks for.

        Raises:
            InputError: a parameter that this list does not have, or a value that does not fit.
        """
        of_page = not request.url.path.startswith("/api/")
        pairs = request.query_params.multi_items()
        return self.asked_of(
            [(name, value) for name, value in pairs if not (of_page and name in _OF_PAGES)],
            csv=_suffix(request) == "csv",
        )

    def asked_of(self, pairs: Iterable[tuple[str, str]], *, csv: bool = False) -> Asked:
        """What these parameters ask for, of the list as JSON or as CSV.

        Raises:
            InputError: as `asked`.
        """
        given: dict[str, list[str]] = {}
        for name, value in pairs:
            given.setdefault(name, []).append(value)
        for name in given:
            if name not in OWN and not self._has(name):
                known = ", ".join((*self.filters, *OWN))
                raise InputError(
                    "this list has no such parameter",
                    where=f"query.{plain(name, 60)}",
                    mend=f"one of {known}",
                )
            if name in OWN and len(given[name]) > 1:
                raise InputError("said twice", where=f"query.{name}")
        sort = given.get("sort", [self.default])[0]
        if sort.removeprefix("-") not in self.sorts:
            raise InputError(
                "this list has no such order",
                where="query.sort",
                mend=f"one of {', '.join(self.sorts)}; with - in front, descending",
            )
        most = MAX_CSV_LIMIT if csv else MAX_LIMIT
        standard = MAX_CSV_LIMIT if csv else DEFAULT_LIMIT
        cursor = given.get("cursor", [""])[0]
        if len(cursor) > CURSOR_CHARS:
            raise InputError(f"longer than {CURSOR_CHARS} characters", where="query.cursor")
        return Asked(
            sort=sort.removeprefix("-"),
            descending=sort.startswith("-"),
            limit=_limit(given.get("limit", [str(standard)])[0], most),
            narrowed=tuple(
                (name, tuple(values_of(name, self.filters[name.removesuffix("!")], typed)))
                for name, typed in sorted(given.items())
                if name not in OWN
            ),
            cursor=cursor,
        )

    def _has(self, name: str) -> bool:
        found = self.filters.get(name.removesuffix("!"))
        return found is not None and (not name.endswith("!") or found.without != "")

    def read(
        self,
        db: psycopg.Connection[Any],
        me: Principal,
        asked: Asked,
        sealer: Sealer,
        *conditions: Condition,
    ) -> Page[T]:
        """The page asked for, as far as the principal of `db` may see it.

        `conditions` hold besides the filters, such as the parent that the path names; a cursor is bound to them too.

        Raises:
            CursorError: the cursor is not for this list, these filters, this order or this reader.
        """
        bound = self._bound(me, asked, conditions)
        after = sealer.open(asked.cursor, bound) if asked.cursor else None
        narrowed = [
            Condition(found.without if name.endswith("!") else found.where, [*values])
            for name, values in asked.narrowed
            for found in (self.filters[name.removesuffix("!")],)
        ]
        always = [Condition(self._always + " and %s", True)] if self._always else []
        rows = page(
            db,
            self._read,
            [*always, *self._hinted(db), *conditions, *narrowed],
            order=self.sorts[asked.sort],
            tie=self.tie,
            descending=asked.descending,
            after=after,
            limit=asked.limit,
        )
        found = [dict(zip(rows.names, row, strict=True)) for row in rows.rows]
        auds = tuple(row.pop("aud_") for row in found) if self.marked else ()
        if self._labelled:
            named = labels(db, auds)
            for row, aud in zip(found, auds, strict=True):
                row["tlp"] = named[aud]
        return Page(
            name=self.name,
            asked=asked,
            items=tuple(self.record(**row) for row in found),
            next="" if rows.last is None else sealer.seal(rows.last, bound),
            auds=auds,
        )

    def _hinted(self, db: psycopg.Connection[Any]) -> list[Condition]:
        if not self._hint:
            return []
        row = db.execute("select clearway.my_audiences(%s)", (MOST_HINTED,)).fetchone()
        return [Condition(self._hint + " = any(%s)", row[0])] if row and row[0] is not None else []

    def _bound(self, me: Principal, asked: Asked, conditions: Sequence[Condition]) -> tuple[str, ...]:
        narrowed = msgspec.json.encode((asked.narrowed, conditions)).decode()
        return (self.name, narrowed, f"{'-' if asked.descending else ''}{asked.sort}", str(me.person))

    def answer(self, request: Request[Any, Any, Any], page: Page[T], me: Principal) -> Response[bytes]:
        """The response: JSON, or CSV when the path ends so; 304 when the reader has it already."""
        headers = {}
        if page.next:
            following = f"{request.url.path}?{page.asked.query(cursor=page.next)}"
            headers["link"] = f'<{following}>; rel="next"'
        else:
            following = ""
        if _suffix(request) == "csv":
            # A file of which others are the rest says so by its name too; the whole of it is `http.whole`.
            part = "-part" if page.next or page.asked.cursor else ""
            headers["content-disposition"] = f'attachment; filename="{self.name}{part}.csv"'
            body = csv_out.of_records(self.record, page.items)
            return etag.response(request, body, me, csv_out.MEDIA_TYPE, headers)
        body = msgspec.json.encode({"items": page.items, "next": following or None})
        return etag.response(request, body, me, "application/json", headers)


def paths(path: str) -> list[str]:
    """The paths of a list: itself, and the same as `.json` and `.csv`."""
    return [path, f"{path}.json", f"{path}.csv"]


def files(path: str) -> list[str]:
    """The two of these that are files: what stands beside a page that is no list of the API's."""
    return paths(path)[1:]


def _suffix(request: Request[Any, Any, Any]) -> str:
    last = request.url.path.rpartition("/")[2]
    return "csv" if last.endswith(".csv") else "json"


def _limit(typed: str, most: int) -> int:
    if not (typed.isascii() and typed.isdigit() and len(typed) < 7 and 1 <= int(typed) <= most):
        raise InputError(f"a page has 1 to {most} rows", where="query.limit")
    return int(typed)


def _typed(value: object) -> object:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else value


def _operation(listing: Listing[Any]) -> type[Operation]:
    """An OpenAPI operation that knows the list's query parameters."""
    orders = [way + name for name in listing.sorts for way in ("", "-")]
    found = [
        _parameter("sort", Schema(type=OpenAPIType.STRING, enum=orders), "order; `-` is descending"),
        _parameter(
            "limit",
            Schema(type=OpenAPIType.INTEGER, minimum=1, maximum=MAX_CSV_LIMIT),
            "rows a page: 200, or 1,000 as CSV, which without `limit` and `cursor` is the whole list",
        ),
        _parameter(
            "cursor", Schema(type=OpenAPIType.STRING, max_length=CURSOR_CHARS), "from `next` or `Link`"
        ),
    ]
    for name, one in listing.filters.items():
        kind = OpenAPIType.INTEGER if one.schema == "integer" else OpenAPIType.STRING
        value = Schema(type=kind, enum=[*one.choices] or None)
        if kind == OpenAPIType.STRING and not one.choices:
            value.max_length = MAX_CHARS
        several = Schema(type=OpenAPIType.ARRAY, items=value, max_items=50)
        found.append(_parameter(name, several, "any of these"))
        if one.without:
            found.append(_parameter(f"{name}!", several, "none of these"))

    @dataclass
    class ListOperation(Operation):
        of_a_list: ClassVar[bool] = True

        def __post_init__(self) -> None:
            self.parameters = [*(self.parameters or ()), *found]
            done = (self.responses or {}).get("200")
            if isinstance(done, OpenAPIResponse) and done.content is not None:
                done.content["text/csv"] = OpenAPIMediaType(schema=Schema(type=OpenAPIType.STRING))

    return ListOperation


def _parameter(name: str, schema: Schema, description: str) -> Parameter:
    return Parameter(name=name, param_in="query", schema=schema, description=description, required=False)
