"""Whose a directive's name is: what ships, or was issued by another authority, is issued by who is tied to it alone.

A directive's id and its issuer are what its readers go by, so nobody signs numbers of their own under another's. The
installation's owner ties an id to an authority, and the log says so.
"""

from __future__ import annotations

import unicodedata
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from clearway import ledger
from clearway.records.errors import ConflictError, ForbiddenError, InputError, NotFoundError
from clearway.records.text import plain

from ..duties import read_duties
from ..files import load, names
from .governing import usable

if TYPE_CHECKING:
    import psycopg

    from ..directive import Directive
    from .who import Org


def check_names(db: psycopg.Connection[Any], org: Org, directive: Directive) -> None:
    """Nothing, where the organisation may issue a directive of that id and issuer.

    Raises ForbiddenError, which names the owner's command.
    """
    ours = shipped()
    tied = {
        row[0]
        for row in db.execute("select directive from clearway.directive_authority where org = %s", (org.org,))
    }
    if directive.id in tied:
        return
    mend = (
        f"the installation's owner says so: clearway directive authority {plain(directive.id, 80)} {org.slug}"
    )
    if directive.id in ours:
        raise ForbiddenError(
            f"{directive.id} ships with Clearway as {ours[directive.id]}'s, and {org.slug} is not tied to it",
            where="directive.id", mend=mend,
        )  # fmt: skip
    row = db.execute("select clearway.may_issue(%s, %s)", (org.org, directive.id)).fetchone()
    if not (row and row[0]):
        raise ForbiddenError(
            f"another authority has issued {plain(directive.id, 80)}", where="directive.id", mend=mend
        )
    issuer = folded(directive.issuer)
    # Who is tied to one directive of an issuer speaks for that issuer.
    if any(
        folded(name) == issuer and not tied & {i for i, n in ours.items() if n == name}
        for name in set(ours.values())
    ):
        raise ForbiddenError(
            f"{plain(directive.issuer, 80)} is the issuer of directives that ship with Clearway, and {org.slug} is "
            "tied to none of them", where="directive.issuer", mend=mend,
        )  # fmt: skip
    if issuer == folded(org.name):
        return
    others = db.execute(
        """select distinct on (v.org, v.directive) v.version_id, v.sha256, v.directive
        from clearway.directive_version v where not v.imported and v.org <> %s
        order by v.org, v.directive, v.issued desc, v.version_id desc limit 1000""",
        (org.org,),
    ).fetchall()
    for version_id, sha256, other in others:
        table = None if other in tied else usable(db, version_id, bytes(sha256))
        if table is not None and folded(table.issuer) == issuer:
            raise ForbiddenError(
                f"another authority issues as {plain(directive.issuer, 80)}",
                where="directive.issuer",
                mend=mend,
            )


def shipped() -> dict[str, str]:
    """The ids that ship with the product -> their issuers, also of those with duties and no table."""
    found = {name: load(name).issuer for name in names()}
    for entry in (files("clearway.directives") / "data" / "duties").iterdir():
        if entry.name.endswith(".json") and entry.name[:-5] not in found:
            found[entry.name[:-5]] = read_duties(entry.read_bytes(), entry.name).issuer
    return found


def folded(text: str) -> str:
    """An issuer's name as it is compared: letters and digits alone, so that "C.I.S.A" is no other than "CISA"."""
    return "".join(c for c in unicodedata.normalize("NFKC", text).casefold() if c.isalnum())


def tie(owner: psycopg.Connection[Any], directive: str, slug: str, *, end: bool = False) -> None:
    """Ties a directive's id to an authority, or ends that; what it has issued stays. The owner's act, on the log.

    Raises:
        NotFoundError: no such authority, or none to end.
        ConflictError: it is tied already.
        InputError: what can't be an id.
    """
    from .issues import ID

    if not ID.fullmatch(directive):
        raise InputError(f"{plain(directive, 80)!r} can't be a directive's id", where="directive")
    row = owner.execute(
        "select org from clearway.organisation where slug = %s and kind = 'authority'", (slug,)
    ).fetchone()
    if row is None:
        raise NotFoundError("no such authority", where=plain(slug, 80), mend="clearway access org list")
    values = (directive, row[0])
    if end:
        done = owner.execute(
            "delete from clearway.directive_authority where directive = %s and org = %s", values
        ).rowcount
    else:
        done = owner.execute(
            "insert into clearway.directive_authority (directive, org) values (%s, %s) on conflict do nothing",
            values,
        ).rowcount
    if not done and end:
        raise NotFoundError(f"{slug} is not tied to it", where=directive)
    if not done:
        raise ConflictError(f"{slug} is tied to it already", where=directive)
    act = "directive.untied" if end else "directive.tied"
    ledger.append(owner, act, f"directive/{directive}", {"organisation": slug}, aud=0)
