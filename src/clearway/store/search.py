"""Search over everything that one may see: documents put by the rooms, words cut one way, found under the rules.

Words are cut the same in documents and in questions: letters and digits in lower case, and beside them the whole of
what holds together (`CVE-2026-20253`, `log4j-core`, `pkg:npm/left-pad@1.3.0`). Every word of a question must be there,
the last one may be unfinished. No dictionary: names of packages and flaws are no English.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import psycopg

_MOST_TERMS = 256
_MOST_WORDS = 16
_LONGEST = 100
_TOGETHER = re.compile(r"[^\s,;()\[\]{}\"'<>]+")
_PART = re.compile(r"[^\W_]+")


class Found(Struct, frozen=True, kw_only=True):
    """One thing found: what it is, its page, and how it is marked."""

    kind: str
    ref: str
    org: int
    aud: int
    title: str
    path: str


def terms(*texts: str) -> list[str]:
    """The words of `texts`, each once, at most 256: the parts, and what holds together as a whole."""
    found: dict[str, None] = {}
    for text in texts:
        for whole in _TOGETHER.findall(_folded(text)):
            for part in (whole.strip(".:/@-_"), *_PART.findall(whole)):
                if part and len(found) < _MOST_TERMS:
                    found.setdefault(part[:_LONGEST])
    return list(found)


def question(text: str) -> list[str]:
    """The words that must all be there; the last may be unfinished. Empty when nothing can be looked for."""
    wholes = [w.strip(".:/@-_") for w in _TOGETHER.findall(_folded(text))]
    return [w[:_LONGEST] for w in wholes if w and _PART.search(w)][:_MOST_WORDS]


def put(
    db: psycopg.Connection[Any],
    kind: str,
    ref: str,
    *,
    org: int,
    aud: int,
    title: str,
    path: str,
    texts: Iterable[str] = (),
) -> None:
    """Makes a thing findable, in place of what was said of it before; `ref` is its id within `kind`."""
    db.execute(
        "select clearway.put_doc(%s, %s, %s, %s, %s, %s, %s)",
        (kind, ref, org, aud, title[:300], path, terms(ref, title, *texts)),
    )


def drop(db: psycopg.Connection[Any], kind: str, ref: str, *, org: int) -> None:
    """Takes a thing out of the search."""
    db.execute("select clearway.drop_doc(%s, %s, %s)", (kind, ref, org))


def find(
    db: psycopg.Connection[Any], text: str, *, kinds: Sequence[str] = (), most: int = 50
) -> tuple[Found, ...]:
    """What the caller may see that has every word of `text`, the best first; () when there is nothing to look for."""
    words = question(text)
    if not words:
        return ()
    rows = db.execute(
        """select d.kind, d.ref, d.org, d.aud, d.title, d.path
        from clearway.search_docs(%s::tsquery, %s, %s) f join clearway.search_doc d using (doc)
        order by f.score desc, f.doc desc""",
        (
            " & ".join(_asked(word, last=n == len(words) - 1) for n, word in enumerate(words)),
            list(kinds),
            most,
        ),
    )
    return tuple(
        Found(kind=kind, ref=ref, org=org, aud=aud, title=title, path=path)
        for kind, ref, org, aud, title, path in rows
    )


def begun(db: psycopg.Connection[Any], kind: str, begins: str, *, most: int) -> tuple[Found, ...]:
    """What the caller may see of a kind whose `ref` begins so, in the order of the number that follows."""
    rows = db.execute(
        """select d.kind, d.ref, d.org, d.aud, d.title, d.path
        from clearway.search_begun(%s, %s, %s) with ordinality f(doc, nth) join clearway.search_doc d using (doc)
        order by f.nth""",
        (kind, begins, most),
    )
    return tuple(
        Found(kind=kind, ref=ref, org=org, aud=aud, title=title, path=path)
        for kind, ref, org, aud, title, path in rows
    )


def _asked(word: str, *, last: bool) -> str:
    """A word as it holds together, or each of its parts: "2026-20253" finds CVE-2026-20253 too."""
    end = ":*" if last else ""
    parts = _PART.findall(word)
    if parts == [word]:
        return _lexeme(word) + end
    return f"({_lexeme(word)}{end} | ({' & '.join([*map(_lexeme, parts[:-1]), _lexeme(parts[-1]) + end])}))"


def _lexeme(word: str) -> str:
    """In quotes: nothing that a person types is read as an operator."""
    return "'" + word.replace("\\", "\\\\").replace("'", "''") + "'"


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text[:20_000].replace("\0", " ")).casefold()
