"""One proof on one built target: how it is started in the box, and what the run shows.

A sanitizer writes its report to a file whose name is drawn for the run, and ends the program by SIGABRT. What a program
prints that looks like a report (because its input says so, or it wants to) is neither.

The target lies in a folder whose name is drawn as well: a proof that could name a file of one release alone, such as a
module that the next one lacks, would have the package's own `open` tell them apart.
"""

from __future__ import annotations

import secrets
import signal
from collections.abc import Sequence
from importlib import resources

import msgspec
from msgspec import Struct

from clearway.records.errors import InputError
from clearway.sandbox.run import Backend, Bind, Limits, Outcome, Run

from . import recipe as r
from . import whose
from .build import TARGET, Built
from .check import MOST
from .crash import FORMAT
from .files import Files
from .mutate import STDIN
from .oracle import Said, Seen, growth, heard, look, of_package, steep
from .tools import Interpreter, asan_library, first_interpreter

SECRET = b"{{secret}}"
# Leaks need ptrace, which no box allows. A failed allocation is the program's to handle.
_ASAN = "detect_leaks=0:allocator_may_return_null=1:disable_coredump=1"
_UBSAN = "halt_on_error=1:print_stacktrace=1"
_DIES = {False: "abort_on_error=1", True: "abort_on_error=0:exitcode=113"}
_EXIT = 113
_SIGNALS = (
    "handle_segv=0:handle_abort=0:handle_sigbus=0:handle_sigfpe=0:handle_sigill=0"  # left to the kernel
)


class Shown(Struct, frozen=True, kw_only=True):
    """What one trial shows, with the run behind it: the last of several where sizes grow."""

    seen: Seen
    outcome: Outcome
    said: Said
    report: bytes = b""  # the sanitizer's, when it stopped the program


def trial(
    backend: Backend,
    built: Built,
    proof: r.Proof,
    oracle: r.Oracle,
    files: Files,
    limits: Limits,
    *,
    symbolize: bool = False,
    replaced: tuple[str, bytes] | None = None,
    interpreter: Interpreter | None = None,
    uncaught: bool = False,
) -> Shown:
    """Runs the proof once (once for each size where it grows) and looks at it.

    `symbolize` names the functions of a crash, which costs most of its time: once a finding is enough. `replaced` puts
    other bytes in the place of one of its files, or of its standard input (`mutate.STDIN`). `interpreter` is one for a
    Python package in place of the first. `uncaught` has a sanitizer end the program where no handler of the program's
    is called: a patch that catches SIGABRT would have the last word otherwise.

    Raises:
        InputError: the proof is not for this target, or runs something else than the target.
    """
    runs: list[_Ran] = []
    for size in oracle.sizes if isinstance(oracle, r.Growth) else (1,):
        if runs and isinstance(oracle, r.Growth):
            limits = longer(limits, steep(oracle, runs[0].outcome.cpu_s, len(runs)))
        runs.append(
            _once(
                backend, built, proof, oracle, files, limits, size, symbolize, replaced, interpreter, uncaught
            )
        )
        if runs[-1].outcome.ended != "exited":
            break
    last = runs[-1]
    if isinstance(oracle, r.Growth):
        seen = growth(oracle, [one.outcome for one in runs], last.said)
    else:
        seen = look(oracle, last.outcome, last.said, last.secret, last.report, lost=last.lost)
    seen = of_package(seen, last.said)
    return Shown(seen=seen, outcome=last.outcome, said=last.said, report=last.report)


def longer(limits: Limits, cpu_s: float) -> Limits:
    """Limits with room for so much processor time, up to what a recipe may ask for."""
    cpu_s = min(max(limits.cpu_s, cpu_s), MOST.cpu_s)
    wall_s = min(max(limits.wall_s, 5 * cpu_s), MOST.wall_s)
    return msgspec.structs.replace(limits, cpu_s=cpu_s, wall_s=wall_s)


class _Ran(Struct, frozen=True):
    outcome: Outcome
    said: Said
    secret: str
    report: bytes
    lost: bool  # of what it left some was not handed back: a report may be among it


def _once(
    backend: Backend,
    built: Built,
    proof: r.Proof,
    oracle: r.Oracle,
    files: Files,
    limits: Limits,
    size: int,
    symbolize: bool,
    replaced: tuple[str, bytes] | None,
    interpreter: Interpreter | None,
    uncaught: bool,
) -> _Ran:
    secret, nonce, report, drawn = (secrets.token_hex(16) for _ in range(4))
    place = f"{TARGET}-{drawn}"
    inputs = {name: files.read(digest) for name, digest in proof.files.items()}
    if replaced is not None and replaced[0] != STDIN:
        inputs[replaced[0]] = replaced[1]
    if isinstance(oracle, r.Access):
        # In that file alone: another one may be handed to the program, which may well show what it is handed.
        inputs |= {oracle.file: inputs.get(oracle.file, b"").replace(SECRET, secret.encode())}
    stdin = b""
    argv: Sequence[str]
    python_runs = built.kind == "python"
    runs_it = interpreter or (first_interpreter() if python_runs else None)
    python = runs_it.path if runs_it is not None else ""
    if isinstance(proof, r.Steps):
        if not python_runs:
            raise InputError("steps are for a Python package", where="proof")
        inputs |= {"drive.py": _driver(), "steps.json": msgspec.json.encode(proof.steps)}
        outside = oracle.path if isinstance(oracle, r.FileOutside) else ""
        inputs |= {"about.json": msgspec.json.encode({"own": built.own, "place": outside})}
        hidden = oracle.file if isinstance(oracle, r.Access) else ""
        argv = (python, "-I", "-S", "-B", "drive.py", place, "steps.json", str(size), hidden, "about.json")
        stdin = f"{nonce}\n".encode()
    elif isinstance(proof, r.Command):
        head, *rest = proof.argv
        stdin = files.read(proof.stdin) if proof.stdin else b""
        if head == "target" and not python_runs:
            argv = (f"{place}/target", *rest)
        elif head == "python3" and rest[:1] == ["-m"] and python_runs:
            if not _has(built, rest[1] if len(rest) > 1 else ""):
                raise InputError("the module is none of the target's", where="proof.argv")
            # -P, or the module would first be looked for among the proof's files
            argv = (python, "-P", "-s", "-S", "-B", *rest)
        else:
            raise InputError("a command is `target …`, or `python3 -m …`", where="proof.argv")
    else:
        if proof.language != "python" or not python_runs:
            raise InputError("a script of the reporter's is Python, for a Python package", where="proof")
        inputs["script.py"] = files.read(proof.source)
        argv = (python, "-s", "-S", "-B", "script.py", str(size))
    if replaced is not None and replaced[0] == STDIN:
        stdin = replaced[1]
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/work", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "0"}
    if python_runs:
        environment["PYTHONPATH"] = place
    if built.sanitized:
        common = f'symbolize={int(symbolize)}:log_path=/work/{report}:{_DIES[uncaught]}:stack_trace_format="{FORMAT}"'
        if isinstance(oracle, r.Signal):
            common += f":{_SIGNALS}"
        environment |= {"ASAN_OPTIONS": f"{_ASAN}:{common}", "UBSAN_OPTIONS": f"{_UBSAN}:{common}"}
        if symbolize:
            environment["ASAN_SYMBOLIZER_PATH"] = "/usr/bin/llvm-symbolizer"
        if python_runs:
            environment["LD_PRELOAD"] = asan_library()
    outcome = backend.run(
        Run(
            argv=tuple(argv), env=environment, stdin=stdin, inputs=inputs, limits=limits, sanitized=built.sanitized,
            binds=(Bind(built.folder, place), *(runs_it.binds if runs_it is not None else ())),
            keep=(f"{report}.*",) if built.sanitized else (),
            look_for=(oracle.path,) if isinstance(oracle, r.FileOutside) else (),
        )
    )  # fmt: skip
    # One process writes one report; a program of many may leave several, and any of them is a sanitizer's.
    wrote = b"\n".join(outcome.kept[name] for name in sorted(outcome.kept))
    outcome = msgspec.structs.replace(  # what was drawn is no output
        outcome, stdout=outcome.stdout.replace(place.encode(), TARGET.encode()),
        stderr=outcome.stderr.replace(place.encode(), TARGET.encode()),
    )  # fmt: skip
    if uncaught and (outcome.ended, outcome.code) == ("exited", _EXIT):  # as a sanitizer was told to
        outcome = msgspec.structs.replace(outcome, ended="signal", code=int(signal.SIGABRT))
    said = heard(outcome, nonce) if isinstance(proof, r.Steps) else Said()
    if isinstance(proof, r.Command) and not of_target(built, proof):
        said = Said(step="beside", aside=True)
    if isinstance(proof, r.Steps):
        outcome = msgspec.structs.replace(outcome, stdout=outcome.stdout.replace(nonce.encode(), b""))
    report_of = wrote.replace(place.encode(), TARGET.encode())
    return _Ran(outcome, said, secret, report_of, lost=bool(outcome.unkept))


def of_target(built: Built, proof: r.Command) -> bool:
    """Whether a command runs the target: its program, or a module of the package's and not of what lies beside it."""
    return proof.argv[0] == "target" or whose.runs_own(built.own, proof.argv[2])


def _has(built: Built, module: str) -> bool:
    """Whether a module is the package's, or of what was installed beside it."""
    top = module.partition(".")[0]
    return top.isidentifier() and any((built.folder / name).exists() for name in (top, f"{top}.py"))


def _driver() -> bytes:
    return resources.files(__package__).joinpath("drive.py").read_bytes()
