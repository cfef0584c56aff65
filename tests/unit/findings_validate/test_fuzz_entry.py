"""What libFuzzer is given, what a second build says, and what a statement tells of both: without running anything."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearway.findings.validate import fuzz, level, mutate, program, statement
from clearway.findings.validate.files import Given
from clearway.findings.validate.fuzz import Fuzzed
from clearway.findings.validate.judge import Judged
from clearway.findings.validate.level import Second
from clearway.findings.validate.oracle import Seen
from clearway.sandbox import Enforcement, Outcome
from findings_targets import COPIES, LONG, MENDED, SHORT, a_wheel, c_recipe, py_recipe, read, sha

FILES = Given(COPIES, MENDED, LONG, SHORT)
FIRES, SILENT = Seen(shows="fires", why="it fired"), Seen(shows="silent", why="nothing")


def test_a_program_that_reads_a_file_is_given_our_entry_with_the_files_name_and_words() -> None:
    made = fuzz.entry(read(c_recipe(COPIES, MENDED)), FILES)
    assert isinstance(made, fuzz.Entry)
    assert made.seed == LONG
    assert b"#define CLEARWAY_STDIN 0\n" in made.source
    assert b'#define CLEARWAY_INPUT "\\151\\156"' in made.source
    assert b"#define CLEARWAY_COUNT 2\n" in made.source


def test_a_program_that_reads_its_standard_input_is_given_it_there() -> None:
    proof = {"kind": "command", "argv": ["target", "-x"], "stdin": sha(LONG)}
    made = fuzz.entry(read(c_recipe(COPIES, MENDED) | {"proof": proof}), FILES)
    assert isinstance(made, fuzz.Entry)
    assert b"#define CLEARWAY_STDIN 1\n" in made.source
    assert mutate.seed_of(read(c_recipe(COPIES, MENDED) | {"proof": proof}), FILES) == (mutate.STDIN, LONG)


@given(
    st.lists(
        st.text(min_size=1, max_size=20).filter(lambda t: t.encode("utf-8", "ignore") != b""), max_size=5
    )
)
def test_no_word_of_a_command_ends_the_literal_that_it_stands_in(words: list[str]) -> None:
    words = [w.encode("utf-8", "ignore").decode() for w in words]
    text = fuzz.source_of((*words, "in"), "in").decode("ascii")
    for line in text.splitlines()[1:3]:
        literal = line.split(" ", 2)[2]
        assert set(literal[1:-1]) <= set("\\01234567")


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (c_recipe(COPIES, MENDED, oracle={"kind": "output", "text": "x"}), "the oracle is output"),
        (c_recipe(COPIES, MENDED) | {"proof": {"kind": "command", "argv": ["target"]}}, "no input"),
        (
            c_recipe(COPIES, MENDED)
            | {"proof": {"kind": "command", "argv": ["target", "--f=in"], "files": {"in": sha(LONG)}}},
            "no word of the command",
        ),
        (py_recipe(a_wheel({}), None, [{"call": "toy.f"}], {"kind": "signal"}), "no program in C"),
    ],
)
def test_a_target_without_an_entry_says_why(made: dict[str, object], why: str) -> None:
    found = fuzz.entry(read(made), FILES)
    assert isinstance(found, str)
    assert why in found


def test_a_second_build_is_met_only_each_time_and_what_lacks_fails_nothing() -> None:
    assert Second(tool="clang", seen=(FIRES,) * 3, of=3).result == "met"
    assert Second(tool="clang", seen=(FIRES, SILENT), of=3).result == "failed"
    assert Second(tool="clang", seen=(FIRES, FIRES), of=3).result == "failed"
    lacks = Second(lacking="clang is not installed")
    assert lacks.result == "not_tried"
    step = level.variants(
        tried=20, related=0, seconds=1, second=lacks, fuzzed="libFuzzer was not used: no clang"
    )
    assert step.result == "met"
    assert "libFuzzer was not used: no clang; no second build: clang is not installed" in step.why


def test_crashes_that_the_vulnerable_build_has_as_well_are_told_and_fail_nothing() -> None:
    step = level.variants(tried=20, related=0, seconds=1, second=Second(), elsewhere=2)
    assert step.result == "met"
    assert "2 crashes elsewhere" in step.why


def test_a_patch_that_tells_the_sanitizers_to_look_away_is_seen_by_what_it_adds() -> None:
    before, after = program.marks_of(b"1 0\n0 4\n"), program.marks_of(b"2 0\n0 4\n")
    assert (before.said, before.apart) == (1, 4)
    assert after.over(before)
    assert not before.over(after)
    assert program.marks_of(b"x y\n\xff\n") == program.Marks()


def test_a_statement_of_e4_says_how_its_variants_were_made_and_what_lacked() -> None:
    raw = b"{}"
    enforcement = Enforcement(
        backend="bubblewrap", kernel="6", cgroup="v2", memory="cgroup", processes="cgroup", cpu="cgroup", seccomp="",
        user_namespace=True, own_user=True,
    )  # fmt: skip
    steps = [level.Step(level=n, result="met", why="") for n in (1, 2, 3, 4)]
    judged = Judged(
        ladder=level.ladder(steps),
        vulnerable="a" * 64,
        patched="b" * 64,
        compilers=("gcc 12", "clang 14"),
        variant_seconds=30.0,
        fuzzed=Fuzzed(
            engine="libFuzzer, clang 14", entry="the recipe's own", seed=7, slices=2, runs=100, seconds=9.5
        ),
        second=Second(tool="clang 14", build="c" * 64, seen=(FIRES,) * 3, of=3),
    )
    at = datetime(2026, 11, 26, tzinfo=UTC)
    told = statement.statements(read(c_recipe(COPIES, MENDED)), raw, judged, enforcement, at)
    e2, e4 = told[2].predicate, told[4].predicate
    assert (e2.variants, e2.second, e2.compilers) == (None, None, ("gcc 12",))
    assert e4.variants is not None
    assert (e4.variants.seed, e4.variants.runs, e4.variants.lacking) == (7, 100, "")
    assert e4.second is not None
    assert (e4.second.times, e4.second.of) == (3, 3)
    assert e4.compilers == ("gcc 12", "clang 14")
    assert e2.environment != e4.environment
    assert e4.builds["vulnerable, second compiler"] == "c" * 64
    assert statement.read(msgspec.json.encode(told[4])) == told[4]
    less = msgspec.structs.replace(
        judged, fuzzed=Fuzzed(lacking="clang is not installed"), second=Second(lacking="x")
    )
    lacks = statement.statements(read(c_recipe(COPIES, MENDED)), raw, less, enforcement, at)[4].predicate
    assert lacks.variants is not None
    assert lacks.variants.lacking == "clang is not installed"
    assert lacks.second is not None
    assert (lacks.second.lacking, lacks.second.of) == ("x", 0)


def left(*unkept: str) -> Outcome:
    return Outcome(ended="exited", code=0, unkept=unkept)


def test_what_a_fuzzer_left_and_the_box_did_not_hand_back_is_lost_but_for_its_corpus() -> None:
    big = "found/crash-1: 62914560 bytes, of which 33554432 may be handed back"
    assert fuzz.lost(left(), "corpus/") == 0
    assert fuzz.lost(left(big), "corpus/") == 1
    assert fuzz.lost(left(big, "found/crash-2: a link", "and 7 more"), "corpus/") == 2
    assert (
        fuzz.lost(left("corpus/1: 4096 bytes, of which 0 may be handed back", "and 70 more"), "corpus/") == 0
    )
    assert fuzz.lost(left("corpus.tar: No such file or directory"), "corpus.tar") == 0
    # As the other backend says it.
    assert fuzz.lost(left("'corpus/1': not handed back"), "corpus/") == 0
    assert fuzz.lost(left("more names; the rest was not looked at"), "corpus/") == 1
    # A folder of that name below what it stopped on is none of the corpus.
    assert fuzz.lost(left("found/corpus/1: a pipe"), "corpus/") == 1


def test_e4_is_not_met_where_an_input_on_which_the_fuzzer_stopped_was_lost() -> None:
    def step(lost: int, related: int = 0) -> level.Step:
        return level.variants(
            tried=30, related=related, seconds=1.0, second=Second(), fuzzed="libFuzzer made 9 runs", lost=lost
        )

    assert step(0).result == "met"
    assert step(2).result == "failed"
    assert step(2).why == (
        "nothing can be said: 2 or more inputs on which the fuzzer stopped could not be looked at whole; "
        "libFuzzer made 9 runs"
    )
    assert "still fire" in step(2, related=1).why  # what is known goes before what is not
