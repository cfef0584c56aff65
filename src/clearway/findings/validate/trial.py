"""One proof on one built target: how it is started in the box, and what the run shows."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from importlib import resources

import msgspec
from msgspec import Struct

from clearway.records.errors import InputError
from clearway.sandbox.run import Backend, Bind, Limits, Outcome, Run

from . import recipe as r
from .build import TARGET, Built, asan_library, python, python_binds
from .files import Files
from .oracle import Said, Seen, growth, heard, look

SECRET = b"{{secret}}"
_ASAN = "detect_leaks=0:abort_on_error=0:exitcode=77:allocator_may_return_null=1:handle_abort=1"
_UBSAN = "halt_on_error=1:print_stacktrace=1"


class Shown(Struct, frozen=True, kw_only=True):
    """What one trial shows, with the run behind it: the last of several where sizes grow."""

    seen: Seen
    outcome: Outcome
    said: Said


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
) -> Shown:
    """Runs the proof once (once for each size where it grows) and looks at it.

    `symbolize` names the functions of a crash, which costs most of its time: once a finding is enough. `replaced` puts
    other bytes in the place of one of its files.
    """
    if isinstance(oracle, r.Growth):
        outcomes = []
        for size in oracle.sizes:
            outcome, said, _ = _once(backend, built, proof, files, limits, size, symbolize, replaced)
            outcomes.append(outcome)
            if outcome.ended in ("cpu", "wall"):
                break
        return Shown(seen=growth(oracle, outcomes), outcome=outcomes[-1], said=said)
    outcome, said, secret = _once(backend, built, proof, files, limits, 1, symbolize, replaced)
    return Shown(seen=look(oracle, outcome, said, secret), outcome=outcome, said=said)


def _once(
    backend: Backend,
    built: Built,
    proof: r.Proof,
    files: Files,
    limits: Limits,
    size: int,
    symbolize: bool,
    replaced: tuple[str, bytes] | None,
) -> tuple[Outcome, Said, str]:
    secret, nonce = secrets.token_hex(16), secrets.token_hex(16)
    inputs = {
        name: files.read(digest).replace(SECRET, secret.encode()) for name, digest in proof.files.items()
    }
    if replaced is not None:
        inputs[replaced[0]] = replaced[1]
    stdin = b""
    argv: Sequence[str]
    python_runs = built.kind == "python"
    if isinstance(proof, r.Steps):
        if not python_runs:
            raise InputError("steps are for a Python package", where="proof")
        inputs |= {"drive.py": _driver(), "steps.json": msgspec.json.encode(proof.steps)}
        argv = (python(), "-I", "-B", "drive.py", TARGET, "steps.json", str(size))
        stdin = f"{nonce}\n".encode()
    elif isinstance(proof, r.Command):
        head, *rest = proof.argv
        stdin = files.read(proof.stdin) if proof.stdin else b""
        if head == "target" and not python_runs:
            argv = (f"{TARGET}/target", *rest)
        elif head == "python3" and rest[:1] == ["-m"]:
            argv = (python(), "-B", *rest)
        else:
            raise InputError("a command is `target …`, or `python3 -m …`", where="proof.argv")
    else:
        if proof.language != "python" or not python_runs:
            raise InputError("a script of the reporter's is Python, for a Python package", where="proof")
        inputs["script.py"] = files.read(proof.source)
        argv = (python(), "-B", "script.py", str(size))
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/work", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "0"}
    if python_runs:
        environment["PYTHONPATH"] = TARGET
    if built.sanitized:
        environment |= {"ASAN_OPTIONS": f"{_ASAN}:symbolize={int(symbolize)}", "UBSAN_OPTIONS": _UBSAN}
        if symbolize:
            environment["ASAN_SYMBOLIZER_PATH"] = "/usr/bin/llvm-symbolizer"
        if python_runs:
            environment["LD_PRELOAD"] = asan_library()
    outcome = backend.run(
        Run(
            argv=tuple(argv), env=environment, stdin=stdin, inputs=inputs, limits=limits, sanitized=built.sanitized,
            binds=(Bind(built.folder, TARGET), *(python_binds() if python_runs else ())),
        )
    )  # fmt: skip
    return outcome, heard(outcome, nonce) if isinstance(proof, r.Steps) else Said(), secret


def _driver() -> bytes:
    return resources.files(__package__).joinpath("drive.py").read_bytes()
