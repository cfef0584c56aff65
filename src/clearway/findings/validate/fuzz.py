"""libFuzzer on the patched build, from the proof: for E4, where clang is there and the target gives an entry.

    entry      the recipe's own (`target.fuzz`), or ours around a program that reads a file or its standard input
    control    the same entry on the vulnerable build has to crash on the proof: else it does not reach the flaw
    slices     a few seconds each, in a box of its own; the corpus goes from one to the next, the seeds are `seed`,
               `seed` + 1 … and on record
    found      an input counts when the ordinary patched build fires on it in a process of its own (`variants`);
               one that the box could not hand back whole, or too long to be tried, is *lost*: nothing can be said then

libFuzzer and what it fuzzes are one process. What it says of itself (how many runs) is the program's word and is told
as such; no level rests on it alone.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from importlib import resources

import msgspec
from msgspec import Struct

from clearway.records.errors import ConfigError
from clearway.sandbox.run import Backend, Bind, Limits, Outcome, Run

from . import recipe as r
from . import tools
from .build import TARGET, Builder, BuildFailedError, Built
from .files import Files
from .mutate import LONGEST, STDIN, seed_of

SLICE_S = 5.0  # a stop is heard between two
LEAST_S = 4.0  # to build for it takes about as long
MOST_SLICES = 1_000
MOST_FOUND = 5  # of one slice
FOUND = "found/"  # where in the box lies what it stopped on
MADE = ".made"  # an empty file, so that its folder is there
_ENTRY = "clearway-input"
SEEDS = 0x7FFFFFFF  # libFuzzer reads a seed as an int; 0 draws one
_MEMORY_MIB = 2048
_RSS_MIB = 1536  # libFuzzer stops by itself before the box does
ENDED = "the patched build ended it at once"
_MORE = re.compile(r"and \d+ more")  # of those named before it: what it stopped on is asked for first
_RUNS = re.compile(rb"stat::number_of_executed_units:\s*(\d{1,15})")
_OPTIONS = "detect_leaks=0:abort_on_error=1:symbolize=0:disable_coredump=1:allocator_may_return_null=1"


class Fuzzed(Struct, frozen=True, kw_only=True):
    """What libFuzzer, or another `tool`, did. `lacking` says why it did nothing; then all else is empty."""

    lacking: str = ""
    engine: str = ""  # "libFuzzer, Debian clang version 14.0.6"
    entry: str = ""  # "the recipe's own" or "derived from its main()"
    seed: int = 0  # of the first slice; each further one counts on
    slices: int = 0
    runs: int = 0  # by its own word
    seconds: float = 0.0
    build: str = ""  # digest of the build that was fuzzed
    tool: str = "libFuzzer"
    lost: int = 0  # inputs on which it stopped, as far as is known, that could not be looked at whole

    @property
    def words(self) -> str:
        """For the reason of a level."""
        if self.lacking:
            return f"{self.tool} was not used: {self.lacking}"
        return f"{self.tool} made {self.runs:,} runs in {self.seconds:.0f} s (seed {self.seed})"


class Entry(Struct, frozen=True, kw_only=True):
    """How a target is fuzzed: our source (empty for the recipe's own), the proof's bytes, and the files beside."""

    source: bytes
    seed: bytes
    files: dict[str, bytes]


def entry(recipe: r.Recipe, files: Files) -> Entry | str:
    """The entry of a recipe's target, or why it has none, in words."""
    if not isinstance(recipe.target, r.CTarget) or not isinstance(recipe.proof, r.Command):
        return "the target is no program in C"
    if not isinstance(recipe.oracle, r.Sanitizer | r.Signal):
        return f"it finds crashes, and the oracle is {type(recipe.oracle).__struct_config__.tag}"
    seed = seed_of(recipe, files)
    if seed is None:
        return "the proof has no input"
    name, data = seed
    if recipe.target.fuzz is not None:
        return Entry(source=b"", seed=data, files={})
    words = recipe.proof.argv
    if name != STDIN and name not in words:
        return "no word of the command is the input's name"
    beside = {n: files.read(digest) for n, digest in recipe.proof.files.items() if n != name}
    return Entry(source=source_of(words, name), seed=data, files=beside)


def source_of(words: tuple[str, ...], name: str) -> bytes:
    """Our entry in C for a command whose input is the file `name`, or its standard input."""
    text = b"".join(w.encode() + b"\0" for w in words)[:-1]  # a literal ends in a NUL of its own
    head = (
        f"#define CLEARWAY_STDIN {int(name == STDIN)}\n"
        f'#define CLEARWAY_INPUT "{_octal((name if name != STDIN else _ENTRY).encode())}"\n'
        f'#define CLEARWAY_WORDS "{_octal(text)}"\n'
        f"#define CLEARWAY_COUNT {len(words)}\n"
    )
    return head.encode() + resources.files(__package__).joinpath("entry.c").read_bytes()


def _octal(data: bytes) -> str:
    return "".join(f"\\{byte:03o}" for byte in data)


def lost(outcome: Outcome, corpus: str) -> int:
    """How much of what a fuzzer left was not handed back whole, at least, but for what begins with `corpus`.

    An input on which it stopped may be any of that. What is lost of its corpus is found again, or is not.
    """
    return sum(not (line.lstrip("'").startswith(corpus) or _MORE.fullmatch(line)) for line in outcome.unkept)


class Told:
    """What is known of a fuzzer's work so far. `_corpus` begins the names of what it has reached, in its box."""

    _found: Fuzzed
    _corpus: str

    @property
    def lacking(self) -> str:
        """Why it can't be used."""
        return self._found.lacking

    @property
    def fuzzed(self) -> Fuzzed:
        """What was done so far."""
        return self._found

    def _lacks(self, why: str) -> None:
        self._found = msgspec.structs.replace(self._found, lacking=why)

    def _stopped(self, outcome: Outcome) -> list[bytes]:
        """The inputs of a slice on which it stopped that can be tried; the others are counted."""
        found = [
            data for name, data in outcome.kept.items() if name.startswith(FOUND) and not name.endswith(MADE)
        ]
        short = [data for data in found if len(data) <= LONGEST]
        gone = len(found) - len(short) + lost(outcome, self._corpus)
        self._found = msgspec.structs.replace(self._found, lost=self._found.lost + gone)
        return short

    def _count(self, outcome: Outcome, slices: int, begun: float) -> bool:
        """Notes a slice; whether it said how many runs it made. It says so when it ends as it was asked to."""
        counted = _RUNS.search(outcome.stderr[-8192:])
        self._found = msgspec.structs.replace(
            self._found, slices=slices, seconds=time.monotonic() - begun,
            runs=self._found.runs + (int(counted[1]) if counted else 0),
        )  # fmt: skip
        return counted is not None


class Fuzzer(Told):
    """libFuzzer on one patched build, for so many seconds. `lacking` says why it can't be used, "" when it may be."""

    _corpus = "corpus.tar"

    def __init__(
        self, backend: Backend, builder: Builder, recipe: r.Recipe, files: Files, seconds: float
    ) -> None:
        self._backend, self._builder, self._recipe, self._files = backend, builder, recipe, files
        self._entry: Entry | None = None
        self._patched: Built | None = None
        self._found = Fuzzed()
        made = entry(recipe, files)
        if isinstance(made, str):
            self._found = Fuzzed(lacking=made)
        elif lacking := tools.no_fuzzer():
            self._found = Fuzzed(lacking=lacking)
        elif seconds < LEAST_S:
            self._found = Fuzzed(lacking=f"{seconds:g} s are too short for it")
        else:
            self._entry = made

    def prepare(self) -> bool:
        """Builds for it, and sees whether its entry reaches the flaw; whether it may be used."""
        made, target, patched = self._entry, self._recipe.target, self._recipe.patched
        if made is None or not isinstance(target, r.CTarget) or not isinstance(patched, r.CTarget):
            return False
        try:
            vulnerable = self._builder.fuzzer(target, self._files, made.source)
            self._patched = self._builder.fuzzer(patched, self._files, made.source)
        except (BuildFailedError, ConfigError) as error:
            self._found = Fuzzed(lacking=f"the target does not build for it ({error.what})")
            return False
        crashes = self._crashes(vulnerable, made)
        if not crashes:
            why = "whether its entry reaches what the proof fires on can't be read"
            self._found = Fuzzed(
                lacking=why if crashes is None else "its entry does not reach what the proof fires on"
            )
            return False
        self._found = Fuzzed(
            engine=f"libFuzzer, {tools.compiler_version('clang')}",
            entry="derived from its main()" if made.source else "the recipe's own",
            seed=int.from_bytes(sha256(made.seed).digest()[:4], "big") % SEEDS + 1,
            build=self._patched.digest,
        )
        return True

    def inputs(self, seconds: float, told: Callable[[int, int], None]) -> Iterator[bytes]:
        """Each input on which libFuzzer stopped, in so many seconds. `told` hears how far it is, in seconds."""
        if self._entry is None or self._patched is None:
            return
        begun = time.monotonic()
        corpus = b""
        for n in range(MOST_SLICES):
            passed = time.monotonic() - begun
            left = seconds - passed
            if left < 1 and n:
                return
            told(int(passed), int(seconds))
            outcome = self._slice(self._patched, self._entry, max(1.0, min(SLICE_S, left)), n, corpus)
            counted = self._count(outcome, n + 1, begun)
            corpus = outcome.kept.get(self._corpus, corpus)
            # libFuzzer stops at its first; a program that leaves more is not listened to for ever.
            stopped = self._stopped(outcome)[:MOST_FOUND]
            yield from stopped
            if not counted and (
                not stopped or not self._found.runs
            ):  # it ended by itself: the next ends the same
                if not self._found.runs:
                    self._lacks(ENDED)
                return

    def _crashes(self, built: Built, made: Entry) -> bool | None:
        """Whether the proof, as one input of libFuzzer's, stops the vulnerable build; None where its report may be
        among what was not handed back."""
        inputs = {**made.files, "proof-input": made.seed}
        # Only the program's stdout is closed: with its stderr libFuzzer takes the report from its file as well.
        outcome = self._run(
            built, (f"{TARGET}/target", "-close_fd_mask=1", "proof-input"), inputs, ("report.*",), 20.0
        )
        return any(outcome.kept.values()) or (None if outcome.unkept else False)

    def _slice(self, built: Built, made: Entry, seconds: float, n: int, corpus: bytes) -> Outcome:
        longest = min(max(4 * len(made.seed), 4096), LONGEST)
        once = max(1, min(10, int(self._recipe.limits.cpu_s)))
        words = (
            f"-seed={(self._found.seed + n - 1) % SEEDS + 1}", f"-max_total_time={max(1, round(seconds))}",
            f"-max_len={longest}", f"-timeout={once}", f"-rss_limit_mb={_RSS_MIB}", "-artifact_prefix=/work/found/",
            "-close_fd_mask=3", "-print_final_stats=1", "-detect_leaks=0", "-reload=0", "-verbosity=0",
        )  # fmt: skip
        script = (
            "mkdir -p corpus found; if [ -f corpus.tar ]; then tar xf corpus.tar; rm corpus.tar; fi\n"
            f"{TARGET}/target {' '.join(words)} corpus seeds; tar cf corpus.tar corpus; exit 0"
        )
        inputs = {**made.files, "seeds/0": made.seed}
        if corpus:
            inputs["corpus.tar"] = corpus
        return self._run(
            built, ("/bin/sh", "-c", script), inputs, ("found/*", "corpus.tar"), seconds + once + 10
        )

    def _run(
        self,
        built: Built,
        argv: tuple[str, ...],
        inputs: Mapping[str, bytes],
        keep: tuple[str, ...],
        wall_s: float,
    ) -> Outcome:
        report = "report"
        return self._backend.run(
            Run(
                argv=argv, inputs=inputs, keep=keep, binds=(Bind(built.folder, TARGET),), sanitized=True,
                env={
                    "PATH": "/usr/bin:/bin", "HOME": "/work", "LC_ALL": "C.UTF-8",
                    "ASAN_OPTIONS": f"{_OPTIONS}:log_path=/work/{report}",
                    "UBSAN_OPTIONS": f"halt_on_error=1:abort_on_error=1:log_path=/work/{report}",
                },
                limits=Limits(
                    cpu_s=wall_s, wall_s=wall_s, memory_mib=_MEMORY_MIB, processes=64, work_mib=256, file_mib=64,
                    keep_bytes=32 << 20,
                ),
            )
        )  # fmt: skip
