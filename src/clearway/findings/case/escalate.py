"""Who has not answered, for how long, and what is due next. Pure: days are calendar days in UTC.

    asked ─7 days─> remind ─14─> another contact ─30─> escalate ─45─> unreachable

At 45 days without an answer CERT/CC publishes; here a coordinator decides, and a product whose every vendor is
unreachable is an orphan: somebody named may then patch it. Reminding comes first, however late, and nobody is
unreachable who was not reminded a week before. Who answers begins anew, and its product is no orphan.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable

Step = Literal["", "remind", "another-contact", "escalate", "unreachable"]
AFTER_DAYS: tuple[tuple[int, Step], ...] = (
    (7, "remind"), (14, "another-contact"), (30, "escalate"), (45, "unreachable"),
)  # fmt: skip

_REMINDED = timedelta(days=7)  # what a reminder has before silence is "unreachable"


class Standing(Struct, frozen=True, kw_only=True):
    """How one vendor stands. `taken` is the last step that was taken, `reminded` when the first was, if known."""

    role: str
    answer: str
    asked: datetime | None
    taken: Step = ""
    reminded: datetime | None = None


def due(standing: Standing, now: datetime) -> Step:
    """The step that is due and not taken yet; "" for none, and for who has answered or was never asked."""
    if standing.asked is None or standing.answer != "no-answer":
        return ""
    silent = (now - standing.asked).days
    order = [step for _, step in AFTER_DAYS]
    reached = [step for days, step in AFTER_DAYS if silent >= days]
    if reached and not standing.taken:
        return "remind"
    if "unreachable" in reached and standing.reminded is not None and now - standing.reminded < _REMINDED:
        reached.remove("unreachable")
    taken = order.index(standing.taken) if standing.taken in order else -1
    return reached[-1] if reached and order.index(reached[-1]) > taken else ""


def orphaned(vendors: Iterable[Standing]) -> bool:
    """Whether nobody maintains the product as far as is known: no vendor at all, or each unreachable and silent."""
    return all(
        v.taken == "unreachable" and v.answer == "no-answer"
        for v in vendors
        if v.role in ("vendor", "maintainer")
    )
