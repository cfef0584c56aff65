"""From how runs ended to what they show: text proves nothing that the box has not seen."""

from __future__ import annotations

import signal

import pytest

from clearway.findings.validate import recipe as r
from clearway.findings.validate.crash import state_of
from clearway.findings.validate.oracle import Said, growth, heard, look
from clearway.sandbox import Outcome

REPORT = b"""=================================================================
==2==ERROR: AddressSanitizer: heap-buffer-overflow on address 0x602000000018 at pc 0x7f bp 0x7ff sp 0x7fe
WRITE of size 24 at 0x602000000018 thread T0
    #0 0x7f1 in __interceptor_strcpy ../../../../src/libsanitizer/asan/asan_interceptors.cpp:440
    #1 0x401 in keep main.c:4
    #2 0x402 in parse(char const*) ./main.c:8:5
    #3 0x403 in ns::Reader<int, std::vector<int> >::read(int) /build/x/reader.cc:10
    #4 0x404 in main main.c:18
    #5 0x405 in __libc_start_main (/lib/x86_64-linux-gnu/libc.so.6+0x2724a) (BuildId: 0123)

0x602000000018 is located 0 bytes to the right of 8-byte region
allocated by thread T0 here:
    #0 0x7f2 in malloc asan_malloc_linux.cpp:69
    #1 0x409 in other main.c:6
"""
UB = b"main.c:7:3: runtime error: signed integer overflow: 2147483647 + 1 cannot be represented in type 'int'\n"
ABORTED = Outcome(ended="signal", code=signal.SIGABRT)
WELL = Outcome(ended="exited", code=0)


def test_a_report_becomes_the_error_and_three_frames_of_the_programs_own() -> None:
    state = state_of(REPORT)
    assert state is not None
    assert (state.error, state.access) == ("heap-buffer-overflow", "WRITE")
    assert state.frames == ("keep", "parse", "ns::Reader::read")


def test_one_bug_has_one_key_under_two_compilers() -> None:
    gcc = state_of(b"x.c:7:3: runtime error: member access within null pointer of type 'struct cJSON'\n")
    clang = state_of(
        b"x.c:7:9: runtime error: member access within null pointer of type 'cJSON' (aka 'struct cJSON')\n"
    )
    assert gcc is not None
    assert clang is not None
    assert gcc.key == clang.key
    moved = state_of(
        REPORT.replace(b"size 24", b"size 8").replace(b"0x40", b"0x55").replace(b"main.c:4", b"/a/main.c:9:1")
    )
    assert moved is not None
    assert moved.key == state_of(REPORT).key  # type: ignore[union-attr]


def test_a_sanitizer_is_believed_with_its_own_file_and_its_own_end() -> None:
    assert look(r.Sanitizer(), ABORTED, report=REPORT).shows == "fires"
    assert look(r.Sanitizer(), ABORTED, report=UB).shows == "fires"
    assert look(r.Sanitizer(error="use-after-free"), ABORTED, report=REPORT).shows == "unclear"


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome(ended="exited", code=1, stderr=REPORT),
        Outcome(ended="exited", code=77, stderr=REPORT),
        Outcome(ended="signal", code=signal.SIGABRT, stderr=REPORT),
        Outcome(ended="output", stderr=REPORT),
    ],
)
def test_a_printed_report_is_none(outcome: Outcome) -> None:
    assert look(r.Sanitizer(), outcome).shows != "fires"


def test_a_report_of_a_program_that_goes_on_is_neither_a_stop_nor_silence() -> None:
    assert look(r.Sanitizer(), WELL, report=REPORT).shows == "unclear"
    assert look(r.Sanitizer(), Outcome(ended="wall"), report=REPORT).shows == "unclear"
    assert look(r.Sanitizer(child=True), WELL, report=REPORT).shows == "fires"
    assert look(r.Sanitizer(child=True), WELL, report=b"").shows == "silent"
    assert look(r.Sanitizer(child=True), WELL, report=b"no report").shows == "silent"


def test_a_signal_is_the_kernels_word() -> None:
    assert look(r.Signal(), Outcome(ended="signal", code=signal.SIGSEGV)).shows == "fires"
    assert look(r.Signal(), ABORTED).shows == "unclear"
    assert look(r.Signal(), WELL).shows == "silent"
    assert look(r.Signal(), Outcome(ended="signal", code=63)).shows == "unclear"


def test_no_end_is_told_by_processor_time_and_not_by_the_clock() -> None:
    assert look(r.Endless(), Outcome(ended="cpu")).shows == "fires"
    assert look(r.Endless(), Outcome(ended="wall")).shows == "unclear"
    assert look(r.Endless(), WELL).shows == "silent"


@pytest.mark.parametrize(
    ("times", "shows"),
    [
        ((0.01, 0.02, 0.05), "silent"),
        ((0.1, 0.4, 1.6), "fires"),  # 16 times for 4 times the size
        ((0.1, 0.2, 0.4), "silent"),
        ((0.001, 0.004, 0.02), "silent"),  # too short to be told from the start of a program
    ],
)
def test_growth_is_far_beyond_linear_or_it_is_none(times: tuple[float, ...], shows: str) -> None:
    assert growth(r.Growth(), [Outcome(ended="exited", code=0, cpu_s=t) for t in times]).shows == shows


def test_growth_of_what_was_stopped() -> None:
    ok, cpu = Outcome(ended="exited", code=0, cpu_s=0.1), Outcome(ended="cpu", cpu_s=3)
    assert growth(r.Growth(), [ok, cpu]).shows == "fires"
    linear = Outcome(ended="cpu", cpu_s=0.15)  # met a limit that what is linear meets as well
    assert growth(r.Growth(sizes=(1, 2, 16)), [ok, linear]).shows == "unclear"
    assert growth(r.Growth(sizes=(1, 2, 16)), [ok, ok, Outcome(ended="cpu", cpu_s=2)]).shows == "unclear"
    assert growth(r.Growth(), [cpu]).shows == "unclear"
    assert growth(r.Growth(), [ok, Outcome(ended="wall", cpu_s=1)]).shows == "unclear"
    assert growth(r.Growth(), [ok, ok]).shows == "unclear"


def test_the_harness_is_heard_by_its_number_alone() -> None:
    said = b"abc result 'x'\nnot result 'y'\n\nabc raised toy.E\n"
    assert heard(Outcome(ended="exited", stdout=said), "abc") == Said(raised="toy.E")
    assert heard(Outcome(ended="exited", stdout=said), "other") == Said()
    assert heard(Outcome(ended="exited", stdout=b" result 'x'\n"), "") == Said()


def test_a_box_that_was_not_made_says_nothing() -> None:
    for oracle in (r.Sanitizer(), r.Signal(), r.Endless(), r.Output(text="x"), r.Raised(exception="E")):
        assert look(oracle, Outcome(ended="refused")).shows == "unclear"


def test_a_secret_that_is_empty_never_came_out() -> None:
    assert look(r.Access(file="a"), Outcome(ended="exited", code=0, stdout=b"x"), secret="").shows == "silent"
    assert (
        look(r.Access(file="a"), Outcome(ended="exited", code=0, stdout=b"xsx"), secret="s").shows == "fires"
    )


def test_a_file_outside_is_what_was_looked_for_and_never_what_a_list_lacks() -> None:
    oracle = r.FileOutside(path="/tmp/a")
    shows = [
        look(oracle, Outcome(ended="exited", code=0, stray=stray, looked=looked)).shows
        for stray, looked in (
            (("/tmp/a",), {}),
            ((), {}),
            ((), {"/tmp/a": True}),
            (("/tmp/a",), {"/tmp/a": False}),
        )
    ]
    assert shows == ["unclear", "unclear", "fires", "silent"]


def test_another_exception_than_the_oracles_is_named_and_no_other_word_of_a_program_is() -> None:
    oracle = r.Raised(exception="RecursionError")
    told = look(oracle, WELL, said=Said(raised="builtins.RecursionError"))
    assert told.shows == "silent"
    assert told.why == "not that exception was raised, but builtins.RecursionError"
    for odd in ("", "a b", "x" * 200, "toy.<locals>.E", "E\n"):
        assert look(oracle, WELL, said=Said(raised=odd)).why == "that exception was not raised"
