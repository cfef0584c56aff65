"""What was asked of a list, as the entries of its reading say it: a digest, and holding a question against it.

An entry `content.read` of a list names the filters that were set, and not what they were set to: a value may name what
not all who read the entry may see. Of the values it has a digest, HMAC-SHA-256 (RFC 2104) cut to 128 bits, under a key
that is in the database alone and covers the reader's number: equal digests of one reader are equal questions, and who
knows what others may have asked for can't find it by asking the same. The installation's owner holds a suspected
question against it.
"""

from __future__ import annotations

from datetime import datetime
from itertools import islice, product
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

from msgspec import Struct
from msgspec.structs import replace

from clearway.http.listing import OWN

from .append import READ

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import psycopg

LIST = "list/"
_MOST = 1_000


# What a list is asked besides its filters: order, place, and how a page shows it.
PLACE = frozenset((*OWN, "after", "from", "columns", "words", "org", "at"))
# What stands in entries of a list and not in the address that was asked, besides filters that were not set.
_DEFAULTS = {"cockpit": {"directive": ("directives",)}}
_NEWEST = 10_000  # entries that are looked through for the filters of a list
_MOST_TRIED = 200


class Found(Struct, frozen=True, kw_only=True):
    """An entry by its number, and when it was written (UTC)."""

    entry: int
    at: datetime


class Read(Struct, frozen=True, kw_only=True):
    """The digest of a question, and the entries that have it, the newest first, at most 1,000.

    `question` is what was held against the entries: as it was given, or with what the list adds to an address.
    `filters` are the names that the entries of this person and list have, each set once.
    """

    asked: str
    entries: tuple[Found, ...]
    question: str = ""
    filters: tuple[tuple[str, ...], ...] = ()


def text_of(name: str, pairs: Iterable[tuple[str, str]]) -> str:
    """What the digest of a question to the list `name` is made of: its filters with their values, in one order."""
    return f"{name}?{urlencode(sorted(pairs))}"


def digest(db: psycopg.Connection[Any], name: str, pairs: Iterable[tuple[str, str]]) -> str:
    """The digest of the caller's own question, 32 hexadecimal digits."""
    row = db.execute("select clearway.question(%s)", (text_of(name, pairs),)).fetchone()
    return str(row[0]) if row else ""


def read_under(owner: psycopg.Connection[Any], person: int, name: str, question: str) -> Read:
    """The entries that say that `person` read the list `name` under the filters of `question`, a query string.

    All the filters that were set, in any order; not the list's order or place. An address has less than an entry: a
    filter that was not set may stand in entries as an empty one, and the organisation by its name. So the question is
    tried as it is, and then with what the entries of that list have besides. What was erased is not found.
    """
    pairs = parse_qsl(
        question.partition("?")[2] if question.startswith("/") else question.lstrip("?"),
        keep_blank_values=True,
    )
    filters = _filters(owner, person, name)
    slugs = owner.execute(
        """select distinct o.slug from clearway.organisation o join clearway.membership m using (org)
        where m.person = %s order by o.slug limit 50""",
        (person,),
    )
    values = {"organisation": tuple(slug for (slug,) in slugs), **_DEFAULTS.get(name, {})}
    first: Read | None = None
    for one in islice(dict.fromkeys(completed(pairs, filters, values)), _MOST_TRIED):
        found = _under(owner, person, name, one)
        first = first or found
        if found.entries:
            return replace(found, filters=filters)
    assert first is not None  # the question itself was tried
    return replace(first, filters=filters)


def completed(
    pairs: Sequence[tuple[str, str]],
    filters: Iterable[tuple[str, ...]],
    values: Mapping[str, tuple[str, ...]],
) -> Iterator[tuple[tuple[str, str], ...]]:
    """A question as it is, and with what entries have besides: for each set of `filters` that has all of its own.

    What is missing is empty, or each of its `values`; the organisation that an address is looked at as is `org`.
    """
    yield tuple(pairs)
    org = tuple(value for name, value in pairs if name == "org" and value)
    own = tuple(pair for pair in pairs if pair[0] not in PLACE)
    yield own
    names = {name for name, _ in own}
    for wanted in filters:
        missing = sorted({*wanted} - names)
        if not missing or names - {*wanted}:
            continue
        choices = [
            [(name, value) for value in (org if name == "organisation" and org else values.get(name, ("",)))]
            for name in missing
        ]
        for more in product(*choices):
            yield (*own, *more)


def _filters(owner: psycopg.Connection[Any], person: int, name: str) -> tuple[tuple[str, ...], ...]:
    rows = owner.execute(
        """select distinct filters from (
            select content::jsonb -> 'filters' as filters from clearway.log_entry
            where act = %s and subject = %s and actor = %s and content is not null order by entry desc limit %s) f
        where jsonb_typeof(filters) = 'array' and filters <> '[]' order by filters limit 50""",
        (READ, LIST + name, person, _NEWEST),
    )
    return tuple(tuple(map(str, filters)) for (filters,) in rows)


def _under(
    owner: psycopg.Connection[Any], person: int, name: str, pairs: tuple[tuple[str, str], ...]
) -> Read:
    row = owner.execute("select clearway.question_of(%s, %s)", (person, text_of(name, pairs))).fetchone()
    asked = str(row[0]) if row else ""
    rows = owner.execute(
        "select entry, at from clearway.log_entry where act = %s and subject = %s and actor = %s "
        "and strpos(content, %s) > 0 order by entry desc limit %s",
        (READ, LIST + name, person, f'"asked":"{asked}"', _MOST),
    )
    found = tuple(Found(entry=entry, at=at) for entry, at in rows)
    return Read(asked=asked, entries=found, question=urlencode(pairs))
