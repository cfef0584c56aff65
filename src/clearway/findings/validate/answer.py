"""Whether the silence of a fix is its own answer to the proof (E2): it may come from what it lacks, or from what lies
beside it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from clearway.sandbox.run import Backend

from . import control, whose
from . import recipe as r
from .build import Builder, BuildFailedError, Built
from .files import Files
from .trial import Shown, trial
from .unbroken import difference, way_of
from .variants import Progress


def changed_beside(
    backend: Backend, builder: Builder, recipe: r.Recipe, files: Files, times: int, told: Progress
) -> str:
    """Why a fix may fall silent for what lies beside it, in words; "" when it does not.

    Two releases of a package may have other releases of what they need beside them, one of which had the flaw. So the
    vulnerable release is tried with what lies beside the fix, and has to fire there as well, k of k.
    """
    target, patched = recipe.target, recipe.patched
    if not isinstance(target, r.PythonTarget) or not isinstance(patched, r.PythonTarget):
        return ""
    mixed = whose.with_fixes_needs(target, patched, files)
    if mixed is None:
        return ""
    try:
        built = builder.build(mixed, files)
    except BuildFailedError as error:
        return f"other packages lie beside the fix, and the vulnerable release does not build with them: {error.what}"
    for n in range(times):
        told("beside the fix", n, times)
        seen = trial(backend, built, recipe.proof, recipe.oracle, files, recipe.limits).seen
        if seen.shows != "fires":
            return f"other packages lie beside the fix, and with them the vulnerable release does not fire: {seen.why}"
    return ""


def no_answer(
    backend: Backend,
    builder: Builder,
    vulnerable: Built,
    patched: Built,
    recipe: r.Recipe,
    files: Files,
    shown: Sequence[Shown],
) -> str:
    """Why silence on the patched build is no answer to the proof, in words; "" when it is one.

    A release may fall silent for what it lacks here, or does no more: an option, a setting, a file. So where a program
    is told something by its words, or an exception ends the steps, a benign input that asks for the same (`control`)
    has to come to its end there as it does on the vulnerable build.
    """
    steps = isinstance(recipe.proof, r.Steps)
    if isinstance(recipe.proof, r.Script) or (steps and all(one.said.raised is None for one in shown)):
        return ""
    differs = ""
    for proof in control.alike(recipe):
        before = builder.known(
            vulnerable, proof, recipe, partial(way_of, backend, vulnerable, proof, recipe, files)
        )
        if not before.well:
            continue
        how = difference(before, way_of(backend, patched, proof, recipe, files))
        if not how:
            return ""
        differs = (
            differs or f"; benign input {recipe.benign.index(proof) + 1} makes the same request, and {how}"
        )
    return _unanswered(steps) + differs


def _unanswered(steps: bool) -> str:
    if steps:
        return "an exception ended it, and no benign input that makes the same calls ends well on both builds"
    return "no benign command with the proof's own words ends by 0, and the same way, on both builds"
