"""What a directive is to an organisation, and how a due date is worded for it."""

from __future__ import annotations

from datetime import date
from typing import Literal, get_args

from clearway.records.errors import UsageError

from .decision import OUT_OF_SCOPE, REVOKED, Decision
from .directive import Directive

# binding: it is law to them; adopted: they made it their own rule; advisory: good advice
Standing = Literal["binding", "adopted", "advisory"]


def asks_reports(standing: Standing) -> bool:
    """Whether reports are owed to whoever addressed a directive in that standing: of what is advice, none is due."""
    return standing != "advisory"


def read_standing(name: str) -> Standing:
    """`name` as a standing. Raises UsageError for any other word."""
    for known in get_args(Standing):
        if name == known:
            return known  # type: ignore[no-any-return]
    raise UsageError(f"no standing {name!r}", mend="one of: binding, adopted, advisory")


def word(directive: Directive, decision: Decision, due: date | None, what_it_is: Standing) -> str:
    """One sentence: the date, under which rule, and whether it is a duty or advice."""
    row = f", row {decision.row}" if decision.row is not None else ""
    advice = what_it_is == "advisory"
    under = f"under {directive.short}{row}" + (", which you have adopted" if what_it_is == "adopted" else "")
    whose = f"{directive.issuer}'s {directive.short}"
    if decision.basis == REVOKED:
        return f"Nothing is due under {directive.short}: it was revoked on {directive.revoked}"
    if decision.code == OUT_OF_SCOPE:
        return f"Out of scope of {directive.short}: no CVE id"
    if due is not None:
        return f"{whose} would give {due}{row}; advice for you" if advice else f"Due {due} {under}"
    if decision.days is None and decision.months is None:
        said = f"{whose} would say: {decision.name}{row}; advice for you"
        return said if advice else f"No date: {decision.name} {under}"
    return f"No date under {directive.short} yet: nothing has started the clock"
