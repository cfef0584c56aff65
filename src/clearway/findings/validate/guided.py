"""Atheris on a Python package's patched build, from the proof: for E4, where it is installed and the proof is steps.

    entry      the proof's own steps under our harness (`cover`), with its file, or the longest text in them, varied
    slices     a few seconds each, in a box of its own; the inputs that reached new code go from one to the next
    found      each of those, and each on which it stopped, is a variant: it counts when the ordinary patched build
               fires on it in a process of its own (`variants`), by the recipe's own oracle; one on which it stopped
               and that can't be looked at is *lost*, as of libFuzzer (`fuzz`)

Atheris counts coverage of Python code alone; a compiled extension is run and not seen into. What it says of itself (how
many runs) is the word of the process that the package shares with it, and no level rests on it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from importlib import resources
from typing import Any

import msgspec

from clearway.sandbox.run import Backend, Bind, Limits, Outcome, Run

from . import mutate, tools
from . import recipe as r
from .build import TARGET, Built
from .files import Files
from .fuzz import ENDED, LEAST_S, MADE, MOST_SLICES, SEEDS, SLICE_S, Fuzzed, Told

MOST_NEW = 100  # inputs of one slice that are tried
MOST_KEPT = 400  # that go on to the next
_OURS = {"cover.py", "drive.py", "steps.json", "place.json", "seeds", "found", "corpus"}  # in the box
_LIBRARY = "/atheris"  # where the box sees it
_MEMORY_MIB = 2048
NAME = "Atheris"


class Guided(Told):
    """Atheris on one patched build. `lacking` says why it can't be used, "" when it may be."""

    _corpus = "corpus/"

    def __init__(
        self, backend: Backend, patched: Built, recipe: r.Recipe, files: Files, seconds: float
    ) -> None:
        self._backend, self._patched, self._recipe, self._files = backend, patched, recipe, files
        self._place: dict[str, Any] = {}
        self._seed = b""
        lacking = self._start(seconds)
        self._found = Fuzzed(lacking=lacking, tool=NAME)
        if not lacking:
            self._found = Fuzzed(
                tool=NAME, engine=f"{NAME} {tools.atheris_version()}", entry="the proof's steps",
                seed=int.from_bytes(sha256(self._seed).digest()[:4], "big") % SEEDS + 1, build=patched.digest,
            )  # fmt: skip

    def variants(
        self, seconds: float, told: Callable[[int, int], None]
    ) -> Iterator[tuple[r.Proof, tuple[str, bytes] | None]]:
        """The proof with each input that it found, in so many seconds. `told` hears how far it is, in seconds."""
        begun = time.monotonic()
        kept: dict[str, bytes] = {}
        for n in range(MOST_SLICES):
            passed = time.monotonic() - begun
            left = seconds - passed
            if left < 1:
                if not n:
                    self._lacks("the variants before it took the time")
                return
            told(int(passed), int(seconds))
            outcome = self._slice(max(1.0, min(SLICE_S, left / 2)), n, kept)
            counted = self._count(outcome, n + 1, begun)
            stopped = self._stopped(outcome)
            fresh = {
                name: data
                for name, data in outcome.kept.items()
                if name.startswith(self._corpus) and name not in kept
                and len(data) <= mutate.LONGEST and not name.endswith(MADE)
            }  # fmt: skip
            kept = dict(list((kept | fresh).items())[-MOST_KEPT:])
            for data in (stopped + list(fresh.values()))[:MOST_NEW]:
                yield self._varied(data)
                if time.monotonic() - begun >= seconds:
                    return
            if not counted and not stopped:  # it ended by itself: the next ends the same
                if not self._found.runs:
                    self._lacks(ENDED)
                return

    def _start(self, seconds: float) -> str:
        """Takes what is varied; why there is nothing, or no Atheris, in words."""
        proof = self._recipe.proof
        if not isinstance(proof, r.Steps):
            return "the proof is no steps of the package"
        if isinstance(self._recipe.oracle, r.Output | r.Raised):
            return "another input may well give another text, or raise"
        if self._patched.sanitized:
            return "the package's extensions are built with sanitizers"
        if any(name.partition("/")[0] in _OURS for name in proof.files):
            return "a file of the proof is called as one of the fuzzer's"
        if lacking := tools.no_atheris():
            return lacking
        if seconds < LEAST_S:
            return f"{seconds:g} s are too short for it"
        seed = mutate.seed_of(self._recipe, self._files)
        if seed is not None:
            self._place, self._seed = {"file": seed[0]}, seed[1]
            return ""
        texts = mutate.texts(proof.steps)
        if not texts:
            return "the proof has no input"
        path, text = max(texts, key=lambda t: len(t[1]))
        self._place, self._seed = {"path": list(path)}, text.encode("utf-8", "surrogatepass")
        return ""

    def _varied(self, data: bytes) -> tuple[r.Proof, tuple[str, bytes] | None]:
        proof = self._recipe.proof
        if "file" in self._place or not isinstance(proof, r.Steps):
            return proof, (str(self._place.get("file", "")), data)
        steps = mutate.with_text(proof.steps, tuple(self._place["path"]), data.decode("latin-1"))
        return msgspec.structs.replace(proof, steps=steps), None

    def _slice(self, seconds: float, n: int, kept: dict[str, bytes]) -> Outcome:
        proof, python = self._recipe.proof, tools.first_interpreter()
        once = max(1, min(10, int(self._recipe.limits.cpu_s)))
        words = (
            f"-seed={(self._found.seed + n - 1) % SEEDS + 1}", f"-max_total_time={max(1, round(seconds))}",
            f"-max_len={min(max(4 * len(self._seed), 4096), mutate.LONGEST)}", f"-timeout={once}",
            f"-rss_limit_mb={_MEMORY_MIB}", "-artifact_prefix=/work/found/", "-print_final_stats=1", "-reload=0",
            "-verbosity=0", "corpus", "seeds",
        )  # fmt: skip
        package = resources.files(__package__)
        inputs = {name: self._files.read(digest) for name, digest in proof.files.items()}
        inputs |= kept | {
            "cover.py": package.joinpath("cover.py").read_bytes(),
            "drive.py": package.joinpath("drive.py").read_bytes(),
            "steps.json": msgspec.json.encode(getattr(proof, "steps", ())),
            "place.json": msgspec.json.encode(self._place), "seeds/0": self._seed,
            f"found/{MADE}": b"", f"corpus/{MADE}": b"",
        }  # fmt: skip
        wall_s = seconds + 2 * once + 15
        return self._backend.run(
            Run(
                argv=(python.path, "-s", "-S", "-B", "cover.py", TARGET, "steps.json", "place.json", *words),
                inputs=inputs, keep=("found/*", "corpus/*"),
                binds=(
                    Bind(self._patched.folder, TARGET), Bind(tools.atheris_folder(), f"{_LIBRARY}/atheris"),
                    *python.binds,
                ),
                env={"PATH": "/usr/bin:/bin", "HOME": "/work", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "0"},
                limits=Limits(
                    cpu_s=wall_s, wall_s=wall_s, memory_mib=_MEMORY_MIB + 512, processes=64, work_mib=256,
                    file_mib=64, keep_bytes=32 << 20,
                ),
            )
        )  # fmt: skip
