"""The seccomp programs: what they let through is one list that can be read."""

from __future__ import annotations

import pytest

from clearway.sandbox import filter as filters

pytest.importorskip("pyseccomp")


def test_nothing_is_both_allowed_and_forbidden():
    assert not filters.ALLOWED & filters.FORBIDDEN
    assert not filters.UNCOUNTED & (filters.ALLOWED | filters.FORBIDDEN)


@pytest.mark.parametrize(
    "call",
    [
        *(
            "bpf",
            "keyctl",
            "add_key",
            "request_key",
            "perf_event_open",
            "userfaultfd",
            "io_uring_setup",
            "mount",
        ),
        *("ptrace", "kexec_load", "init_module", "setns", "unshare", "pivot_root", "process_vm_writev"),
    ],
)
def test_the_parts_of_the_kernel_that_escapes_use_are_forbidden(call):
    assert call in filters.FORBIDDEN


@pytest.mark.parametrize("judged", ["clone", "clone3", "socket", "socketpair", "personality"])
def test_what_is_judged_by_its_arguments_is_in_no_list(judged):
    assert judged not in filters.ALLOWED | filters.FORBIDDEN | filters.UNCOUNTED


def test_the_programs_are_the_same_every_time_and_differ_by_what_they_admit():
    made = {(a, b): filters.programs(loopback=a, uncounted=b) for a in (False, True) for b in (False, True)}
    assert len({filters.digest(programs) for programs in made.values()}) == 4
    filters.programs.cache_clear()
    assert filters.programs() == made[(False, True)]
    for programs in made.values():
        for code in programs:
            assert len(code) % 8 == 0
            assert 0 < len(code) // 8 <= 4096  # BPF_MAXINSNS, linux/bpf_common.h
