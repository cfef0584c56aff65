"""What a model would get, before anything is sent: the request byte for byte, where it would go, and what stays here.

It is made as the job makes it, from what the caller sees now. When nothing changes in between, its SHA-256 is that of
the log's entry `assist.sent`. To look opens the reports, so that it is on the log as a reading.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from msgspec import Struct

from clearway import ledger
from clearway.records.errors import ConflictError, ForbiddenError

from ..case import kept as cases
from ..desk_key import DeskKey
from ..intake.record import desk_only
from ..intake.submit import Desk
from ..vault import Vault
from . import budget, endpoint, gather, outgoing, start
from .compose import composed
from .outgoing import Kind
from .settings import FIELDS

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg

    from ..case.kept import Case
    from ..kept import Finding
    from .compose import Composed
    from .outgoing import Part
    from .settings import Settings
    from .start import Owner

    Connection = psycopg.Connection[Any]


class Sends(Struct, frozen=True, kw_only=True):
    """One part of the request: how the model knows it ("F2"), what it is here, and which fields it gives."""

    ref: str
    about: str  # a handling id
    tlp: str
    fields: tuple[str, ...]


class LeftOut(Struct, frozen=True, kw_only=True):
    """Something that stays here: fields of a part, or all of it; `because` is marking, embargo, length or budget."""

    about: str
    what: str
    because: str
    why: str


class Preview(Struct, frozen=True, kw_only=True):
    """`body` is the request's body: its UTF-8 is what would be sent, byte for byte, and "" where nothing would be.

    The endpoint's key goes in a header of its own and is no part of it. `tokens_at_most` is what is booked for it.
    """

    handling: str
    kind: Kind
    url: str
    host: str
    place: str
    model: str
    body: str
    bytes: int
    sha256: str  # hexadecimal, "" where nothing would be sent
    tokens_at_most: int
    sends: tuple[Sends, ...]
    left_out: tuple[LeftOut, ...]
    refused: str = ""


def preview(db: Connection, owner: Owner, home: Path, kind: Kind, about: Finding | Case) -> Preview:
    """The preview of a proposal of that kind, for the caller; nothing is asked, booked or sent.

    Raises:
        ForbiddenError: the caller is no coordinator of a clearinghouse.
        ConflictError: the assistance is off.
        InputError: what is asked for is none of a case.
        NotFoundError, IntegrityError: a report can't be opened in this home.
    """
    desk_only(db)
    settings = start.must_be_on(home)
    with owner() as other:
        spent = budget.refusal(
            budget.used(other, settings), settings, settings.answer_tokens, budget.now(other)
        )
    left: list[LeftOut] = []
    refused = ""
    if spent is not None:
        refused = spent.what
        left.append(LeftOut(about=about.handling, what="all of it", because="budget", why=spent.what))
    made: Composed | None = None
    parts: list[Part] = []
    names: dict[str, str] = {}
    try:
        beside = start.beside(db, kind, about)
        # By what lists show already: a report that may not be sent is not opened for the preview of it.
        outgoing.leaving(settings, start.outline(db, kind, about, beside))
        parts = gather.parts(
            db, Desk(Vault.of_home(home), DeskKey.of_home(home)), start.made_of(about, beside)
        )
        names = {f"F{at}": one.handling for at, one in enumerate(beside, 2)}
        names["C1" if isinstance(about, cases.Case) else "F1"] = about.handling
        _tell(db, [*beside, *([] if isinstance(about, cases.Case) else [about])])
        made = composed(settings, kind, parts)
    except (ForbiddenError, ConflictError) as error:
        words = f"{error.what}: {error.mend}" if error.mend else error.what
        because = "embargo" if "embargo" in error.what else "marking"
        if isinstance(error, ForbiddenError):
            left.append(LeftOut(about=about.handling, what="all of it", because=because, why=words))
        refused = refused or words
    body = made.body if made is not None else b""
    return Preview(
        handling=about.handling,
        kind=kind,
        url=endpoint.address(settings),
        host=urlsplit(settings.origin).netloc,
        place=settings.place,
        model=settings.model,
        body=body.decode(),
        bytes=len(body),
        sha256=sha256(body).hexdigest() if body else "",
        tokens_at_most=outgoing.tokens_at_most(body, settings) if body else 0,
        sends=tuple(
            Sends(ref=one.ref, about=names.get(one.ref, one.ref), tlp=one.tlp, fields=one.fields)
            for one in (made.leaving if made is not None else ())
        ),
        left_out=(*left, *(_left(settings, parts, names, made) if made is not None else ())),
        refused=refused,
    )


def _left(settings: Settings, parts: list[Part], names: dict[str, str], made: Composed) -> list[LeftOut]:
    found = []
    for part in parts:
        sent = settings.fields(part.tlp)
        here = [name for name in FIELDS if part.values.get(name) and name not in sent]
        if here:
            what = ", ".join(here) if sent else "all of it"
            why = f"[send] does not name it for TLP:{part.tlp}"
            found.append(LeftOut(about=names.get(part.ref, part.ref), what=what, because="marking", why=why))
    for cut in made.cuts:
        why = f"{cut.kept:,} of its {cut.had:,} characters are sent, by prompt_chars"
        found.append(LeftOut(about=names.get(cut.ref, cut.ref), what=cut.field, because="length", why=why))
    return found


def _tell(db: Connection, opened: list[Finding]) -> None:
    for finding in opened:
        ledger.append_read(db, [finding.subject], finding.aud)
