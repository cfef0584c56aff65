"""What a report must have before anybody's time is spent on it, and what of that it lacks. Pure.

Four questions, as maintainers ask them of machine-made reports (OpenSSF, working group on disclosure): does it happen
on a release that was shipped, on which input, along which way from source to sink, and were the usual false positives
ruled out? A gate says that something was given, not that it is true: that is the validation's to show.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from . import releases, shapes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from clearway.formats.reported_parts import Reported, RuledOut, Step

Name = Literal["product", "release", "reproduction", "trace", "ruled-out", "turn", "known"]
State = Literal["met", "missing", "waits", "public"]
_MIN_STEPS = 20  # characters


class Gate(Struct, frozen=True, kw_only=True):
    """One gate. `what` is what is missing and how to mend it, in the desk's words: it quotes nothing of the report.

    `public`: a coordinator says that it is a flaw which public records have; the reporter may say why it is none.
    """

    gate: Name
    state: State
    what: str = ""

    @property
    def met(self) -> bool:
        return self.state == "met"


TITLES: dict[str, str] = {
    "product": "Which product",
    "release": "A shipped release",
    "reproduction": "A working reproduction",
    "trace": "From source to sink",
    "ruled-out": "False positives ruled out",
    "turn": "Its turn with the receiver",
    "known": "Known already",
}


def judge(report: Reported) -> tuple[Gate, ...]:
    """Every gate for a report, in the order in which they are asked."""
    return (
        _gate("product", _product(report)),
        _gate("release", releases.wrong(report.reproduction.release, report.release, report.ecosystem)),
        _gate("reproduction", _reproduction(report)),
        _gate("trace", _trace(report.trace)),
        _gate("ruled-out", _ruled_out(report.ruled_out, report.cwe, report.where)),
    )


def missing(gates: Iterable[Gate]) -> tuple[Gate, ...]:
    """The gates at which something is missing."""
    return tuple(gate for gate in gates if gate.state == "missing")


def summary(gates: Iterable[Gate]) -> str:
    """What is missing, on one line, for `state_why`; "" when nothing is."""
    lacking = missing(gates)
    return "" if not lacking else "missing: " + ", ".join(TITLES[gate.gate].lower() for gate in lacking)


def known(flaw: str, verdict: str, fixed: Iterable[str]) -> Gate:
    """The gate of a finding of which the desk has said that it is a public flaw ("is"), or its return ("returns")."""
    versions = ", ".join(fixed)
    mended = f", fixed in {versions}" if versions else ""
    if verdict == "returns":
        return Gate(gate="known", state="met", what=f"{flaw}{mended}, fires here again: no duplicate of it")
    return Gate(gate="known", state="public", what=f"it is {flaw}{mended}")


def _gate(name: Name, lacking: str) -> Gate:
    return Gate(gate=name, state="missing" if lacking else "met", what=lacking)


def _product(report: Reported) -> str:
    if report.purl or (report.ecosystem and report.package):
        return ""
    if report.package:
        return "the product is named without its ecosystem: give a purl, such as pkg:pypi/name@1.2.3"
    return "no product is named: give a purl, such as pkg:pypi/name@1.2.3"


def _reproduction(report: Reported) -> str:
    made = report.reproduction
    # Sent as a field, or as the attachment under whose name the desk looks for it.
    if made.recipe or any(f.kind == "attachment" and f.name == "recipe.json" for f in report.files):
        return ""
    has_input = any(file.kind in ("input", "harness") for file in report.files)
    if len(made.steps) >= _MIN_STEPS and has_input:
        return ""
    if has_input:
        return "an input is there, and not how it is used: give the steps, or a recipe that runs here"
    if made.steps:
        return "steps are there, and no input: attach the file that makes it happen, or give a recipe"
    return "nothing shows that it happens: give a recipe that runs here, or steps with the input as a file"


def _trace(trace: tuple[Step, ...]) -> str:
    roles = {step.role for step in trace if step.file or step.function}
    lacking = [role for role in ("source", "sink") if role not in roles]
    if not lacking:
        return ""
    return f"the {' and the '.join(lacking)} of the data with file or function: give the trace, in SARIF a code flow"


def _ruled_out(given: tuple[RuledOut, ...], cwe: str, where: str) -> str:
    said = {one.shape for one in given if len(one.why.strip()) >= shapes.MIN_WHY}
    lacking = [shape for shape in shapes.asked_of(cwe) if shape.key not in said]
    if not lacking:
        return ""
    told = "; ".join(f"{shape.key}: {shape.say}" for shape in lacking)
    hint = " (the place looks like test code)" if shapes.looks_like_test_code(where) else ""
    return f"say why it is none of these{hint}: {told}"
