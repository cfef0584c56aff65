"""What may be shared with whom, in the words of TLP 2.0 (FIRST), with named recipients and an embargo."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from clearway.records.errors import InputError

Tlp = Literal["CLEAR", "GREEN", "AMBER", "AMBER+STRICT", "RED"]
TLP: tuple[Tlp, ...] = ("CLEAR", "GREEN", "AMBER", "AMBER+STRICT", "RED")
_NEED_ORG = ("AMBER", "AMBER+STRICT")


class Marking(Struct, frozen=True, kw_only=True):
    """A marking as a person chooses it.

    - CLEAR: everybody. GREEN: everybody who is signed in.
    - AMBER: `org`, its clients, and the coordinators. AMBER+STRICT: `org` and the coordinators.
    - RED: the recipients of the list `recipients`, or, when that is 0, the members of `org` alone.

    With `embargo`, its parties alone until it is released; what the TLP says holds besides, and is what
    remains then.
    """

    tlp: Tlp
    org: int = 0
    recipients: int = 0
    embargo: int = 0

    def __post_init__(self) -> None:
        if self.tlp not in TLP:
            raise InputError(f"no such marking: TLP:{self.tlp}", mend=f"one of {', '.join(TLP)}")
        if self.tlp in _NEED_ORG and not self.org:
            raise InputError(f"TLP:{self.tlp} of which organisation?", where="org")
        if self.tlp == "RED" and not (self.org or self.recipients):
            raise InputError("TLP:RED names its recipients", where="recipients")
        if self.recipients and self.tlp != "RED":
            raise InputError("only TLP:RED names recipients", where="recipients", mend="choose TLP:RED")

    @property
    def label(self) -> str:
        """As FIRST prints it: "TLP:AMBER+STRICT"."""
        return f"TLP:{self.tlp}"


def own(org: int) -> Marking:
    """The marking of an organisation's own fleet: for its members alone."""
    return Marking(tlp="RED", org=org)


CLEAR = Marking(tlp="CLEAR")
GREEN = Marking(tlp="GREEN")
CLEAR_AUD = 0
GREEN_AUD = 1
