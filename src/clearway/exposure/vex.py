"""VEX statements applied to findings: only to what they name, always shown, and never past their end.

A statement reaches a finding when it names one of the flaw's ids and either the component
itself, or the inventory's own product with the component among its subcomponents. A product
with a version reaches that version only; one without reaches all. Statements that name
nothing, that were made after the day asked about, or whose `expires` lies before it, change nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from clearway.advisories.table import VexClaim, product_key
from clearway.formats import purl as purls
from clearway.records.errors import InputError
from clearway.records.vex import VexDocument, VexStatement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import date

    from clearway.advisories.table import Table
    from clearway.records.finding import Finding
    from clearway.records.inventory import Component, Inventory

_SUPPRESSING = frozenset({"not_affected", "fixed"})


def claims_in(document: VexDocument) -> list[VexClaim]:
    """The statements of one document, one for each product identifier that they name."""
    return [c for s in document.statements for c in _claims(s, document.id, document.source, document)]


def _claims(
    statement: VexStatement, document: str, source: str, dated: VexDocument | None = None
) -> Iterable[VexClaim]:
    moment = statement.timestamp or (dated and (dated.updated or dated.timestamp)) or None
    for product in statement.products:
        for identifier in product.identifiers:
            yield VexClaim(
                flaws=statement.flaws,
                status=statement.status,
                product=identifier,
                subcomponents=product.subcomponents,
                justification=statement.justification,
                document=document,
                source=source,
                timestamp="" if moment is None else moment.isoformat(),
                expires="" if statement.expires is None else statement.expires.isoformat(),
                impact=statement.impact,
            )


def claims_of(inventory: Inventory, source: str = "inventory") -> list[VexClaim]:
    """The statements inside an inventory, one for each product identifier that they name."""
    return [
        c for s in inventory.vex if isinstance(s, VexStatement) for c in _claims(s, inventory.name, source)
    ]


def rule(
    table: Table, given: Sequence[VexClaim], as_of: date
) -> Callable[[Inventory], Callable[[Finding, Component], Finding]]:
    """A rule for `Matcher.match`: `given` statements, those inside the inventory, and those in the table."""

    statements = Statements(table)

    def for_inventory(inventory: Inventory) -> Callable[[Finding, Component], Finding]:
        about = statements.about([*given, *claims_of(inventory)], inventory.root_purl)

        def apply(finding: Finding, component: Component) -> Finding:
            claims = about(finding, component.purl)
            return _decide(finding, claims, as_of) if claims else finding

        return apply

    return for_inventory


class Statements:
    """Which statements are about a finding: those that come with its inventory, and those in the table."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._stored: dict[str, _ByFlaw] = {}  # product -> statements in the table; shared by all inventories

    def _kept(self, product: str) -> _ByFlaw:
        found = self._stored.get(product)
        if found is None:
            found = self._stored[product] = _by_flaw(self._table.vex(product)) if product else {}
        return found

    def about(self, brought: Iterable[VexClaim], root: str) -> Callable[[Finding, str], list[VexClaim]]:
        """For an inventory of the product `root` ("" for none), with what it brings: (finding, purl) -> statements."""
        own = _by_flaw(brought)
        about_root = self._kept(product_key(root)) if root else {}

        def found(finding: Finding, purl: str) -> list[VexClaim]:
            direct = self._kept(product_key(purl))
            if not own and not about_root and not direct:
                return []
            names = {finding.flaw, *finding.aliases, *finding.ids}
            claims = [
                claim
                for statements in (own, about_root, direct)
                for name in names
                for claim in statements.get(name, ())
                if _reaches(claim, purl, root)
            ]
            return list(dict.fromkeys(claims))

        return found


_ByFlaw = dict[str, list[VexClaim]]


def _by_flaw(claims: Iterable[VexClaim]) -> _ByFlaw:
    found: _ByFlaw = {}
    for claim in claims:
        for flaw in claim.flaws:
            found.setdefault(flaw, []).append(claim)
    return found


def _reaches(claim: VexClaim, purl: str, root: str) -> bool:
    """Whether the statement is about this component: by itself, or as a part of the inventory's product."""
    if not claim.subcomponents:
        return _names(claim.product, purl)
    return bool(root) and _names(claim.product, root) and any(_names(s, purl) for s in claim.subcomponents)


def holding(claims: Iterable[VexClaim], as_of: date) -> tuple[VexClaim, ...]:
    """Those that hold on a day, the newest first: made by then, and not expired before."""
    today = as_of.isoformat()
    return tuple(
        claim
        for claim in sorted(claims, key=lambda c: c.timestamp, reverse=True)
        if claim.timestamp[:10] <= today and not (claim.expires and claim.expires[:10] < today)
    )


def deciding(claims: Iterable[VexClaim], as_of: date) -> VexClaim | None:
    """The statement that takes a finding back on a day: the newest that holds, where it says so; else None.

    The one rule of what a statement does, for `clearway match` and the kept fleet.
    """
    held = holding(claims, as_of)
    return held[0] if held and held[0].status in _SUPPRESSING else None


def _decide(finding: Finding, claims: list[VexClaim], as_of: date) -> Finding:
    """The newest statement that still holds decides; the others are shown."""
    reasons = list(finding.reasons)
    today = as_of.isoformat()
    reasons += [
        f"VEX by {claim.source} ({claim.status}) expired on {claim.expires[:10]}"
        for claim in sorted(claims, key=lambda c: c.timestamp, reverse=True)
        if claim.timestamp[:10] <= today and claim.expires and claim.expires[:10] < today
    ]
    for claim in holding(claims, as_of):
        why = f", {claim.justification}" if claim.justification else ""
        reasons.append(f"VEX by {claim.source}: {claim.status}{why} ({claim.document})")
    if finding.verdict != "not_affected" and deciding(claims, as_of) is not None:
        return replace(finding, verdict="not_affected", basis="vex", reasons=tuple(reasons))
    return replace(finding, reasons=tuple(reasons))


def _names(stated: str, purl: str) -> bool:
    """Whether a stated product is `purl`: the same package, its version if stated, its qualifiers if stated."""
    if stated == purl:
        return True
    try:
        wanted, actual = purls.parse(stated), purls.parse(purl)
    except InputError:
        return False
    if (wanted.type, wanted.namespace, wanted.name) != (actual.type, actual.namespace, actual.name):
        return False
    if wanted.version and wanted.version != actual.version:
        return False
    return all(actual.qualifiers.get(k) == v for k, v in wanted.qualifiers.items())


def read_documents(paths: Sequence[str]) -> list[VexDocument]:
    """The VEX documents in files, folders or archives.

    Raises:
        InputError: a file holds no VEX that can be read; a statement missed would be a finding kept,
            but a file named for nothing is a mistake to hear of.
    """
    if not paths:
        return []
    from clearway.formats import detect, intake
    from clearway.formats.archive import Refused, walk

    found: list[VexDocument] = []
    for path in paths:
        documents = []
        passed_over = ""
        for piece in walk([path]):
            if isinstance(piece, Refused):
                raise InputError(piece.reason, where=piece.place, mend="give VEX documents")
            found_as = detect.detect(piece.data, piece.place)
            kind = found_as.kind
            if kind == "test-document":
                passed_over = found_as.reason
            if kind not in ("openvex", "csaf", "csaf-vex", "cyclonedx-vex"):
                continue
            for decoded in intake.decode(kind, piece.data, piece.place):
                items = getattr(decoded, "item", ())
                documents += [
                    d for d in (items if isinstance(items, tuple) else (items,)) if isinstance(d, VexDocument)
                ]
        if not documents:
            if passed_over:
                raise InputError(
                    f"is passed over as {passed_over}",
                    where=path,
                    mend="give it an id and a publisher of your own: those of examples and tests say nothing",
                )
            raise InputError(
                "holds no VEX document", where=path, mend="give OpenVEX, CSAF VEX or CycloneDX VEX"
            )
        found += documents
    return found
