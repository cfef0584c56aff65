"""What a program in a box does to run the machine full, or to outlive its time: bounded, and its cause named."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from clearway.sandbox import Limits, Outcome


def number(outcome: Outcome, at: int = -1) -> int:
    return int(outcome.stdout.split()[at])


def processes_with(text: str) -> int:
    """How many processes of the machine have this in their command line."""
    found = 0
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found += text.encode() in place.read_bytes()
        except OSError:
            continue
    return found


def none_left(text: str) -> bool:
    """Whether they are gone, or go within a third of the time that an attack outlasts: what is killed ends soon."""
    ends = time.monotonic() + 20
    while processes_with(text):
        if time.monotonic() > ends:
            return False
        time.sleep(0.02)
    return True


def test_a_fork_bomb_stops_at_the_limit_and_leaves_nothing(attacks):
    outcome = attacks("fork-bomb", limits=Limits(processes=20, wall_s=10))
    assert outcome.ended == "exited"
    assert 10 <= number(outcome) <= 24
    assert none_left("attack\0fork-bomb")


def test_a_flood_of_zombies_stops_at_the_limit(attacks):
    outcome = attacks("zombies", limits=Limits(processes=20, wall_s=10))
    assert outcome.ended == "exited"
    assert 10 <= number(outcome) <= 24


def test_memory_is_bounded_and_named(attacks, boxes):
    outcome = attacks("memory", "400", limits=Limits(memory_mib=100, wall_s=10))
    if boxes.enforcement().cgroup == "rlimits":
        assert (outcome.ended, outcome.code) == ("exited", 9)
        assert outcome.stdout.startswith(b"refused ")
    else:
        assert outcome.ended == "memory"
        assert 90 < outcome.max_rss_mib < 120
    assert attacks("memory", "40", limits=Limits(memory_mib=100)).stdout == b"held 40\n"


def test_memory_of_many_processes_counts_together(attacks):
    outcome = attacks("memory", "60", "6", limits=Limits(memory_mib=150, wall_s=10))
    assert outcome.ended == "memory"


def test_memory_of_no_process_is_bounded(attacks, boxes):
    outcome = attacks("hidden-memory", "400", limits=Limits(memory_mib=100, wall_s=10))
    if boxes.enforcement().cgroup == "rlimits":
        assert outcome.stdout == b"hidden 0 1\n"  # EPERM: no anonymous files where nothing would count them
    else:
        assert outcome.ended == "memory"


def test_a_program_that_reserves_terabytes_is_bounded_all_the_same(attacks):
    outcome = attacks("memory", "400", limits=Limits(memory_mib=100, wall_s=10), sanitized=True)
    assert outcome.ended == "memory"


@pytest.mark.parametrize("place", ["/work", "/tmp", "/dev/shm"])
def test_a_full_disk_is_the_boxes_own(attacks, place):
    outcome = attacks("disk", "300", place, limits=Limits(work_mib=40, memory_mib=512, wall_s=10))
    assert outcome.ended == "exited"
    _, done, _ = outcome.stdout.split()
    assert int(done) <= 64


def test_one_file_has_its_own_bound(attacks):
    outcome = attacks("disk", "300", "/work", limits=Limits(file_mib=4, wall_s=10))
    assert (outcome.ended, outcome.code) == ("signal", 25)
    assert "SIGXFSZ" in outcome.why


@pytest.mark.slow
def test_files_without_content_are_bounded_too(attacks):
    outcome = attacks("inodes", "3000000", limits=Limits(wall_s=20, memory_mib=900, cpu_s=20))
    assert outcome.ended in {"output", "memory"}
    assert outcome.why


def test_a_flood_of_output_is_cut_and_ended(attacks):
    outcome = attacks("flood", limits=Limits(output_bytes=100_000, wall_s=10))
    assert (outcome.ended, outcome.cut) == ("output", True)
    assert len(outcome.stdout) + len(outcome.stderr) == 100_000


def test_cpu_of_one_process_is_bounded_and_named(attacks):
    outcome = attacks("spin", "1", limits=Limits(cpu_s=1.0, wall_s=30))
    assert outcome.ended == "cpu"
    assert 0.5 < outcome.cpu_s < 3


def test_cpu_of_many_processes_counts_together_where_a_cgroup_counts(attacks, boxes):
    outcome = attacks("spin", "8", limits=Limits(cpu_s=0.4, wall_s=1.5))
    assert outcome.ended == ("wall" if boxes.enforcement().cgroup == "rlimits" else "cpu")


def test_who_leaves_children_behind_takes_them_along(attacks):
    outcome = attacks("outlast", "0", keep=("alive",), limits=Limits(wall_s=10))
    assert outcome.ended == "exited"
    assert outcome.wall_s < 5
    assert none_left("attack\0outlast")


def test_a_session_of_its_own_does_not_outlive_the_clock(attacks):
    outcome = attacks("outlast", "60", limits=Limits(wall_s=0.5))
    assert outcome.ended == "wall"
    assert none_left("attack\0outlast")


def test_no_bound_can_be_had_by_a_number_that_is_none(boxes):
    from clearway.records.errors import InputError
    from clearway.sandbox import Run

    for limits in (
        Limits(wall_s=float("nan")),
        Limits(memory_mib=0),
        Limits(processes=10**9),
        Limits(cpu_s=-1),
    ):
        with pytest.raises(InputError, match=r"limits\."):
            boxes.run(Run(argv=("/bin/true",), limits=limits))


def test_a_status_can_not_be_made_up(attacks):
    assert (attacks("exit", "7").ended, attacks("exit", "7").code) == ("exited", 7)
    for signal in (6, 11, 9, 24):
        outcome = attacks("raise", str(signal))
        # SIGXCPU and SIGKILL without the time spent are what they are: signals, not limits.
        assert (outcome.ended, outcome.code) == ("signal", signal)


def test_what_is_left_is_handed_back_without_tricks(attacks):
    outcome = attacks(
        "leave",
        keep=("out/", "link", "root/etc/passwd", "deep/", "nothing"),
        limits=Limits(keep_bytes=1 << 20),
    )
    assert outcome.kept.keys() == {"out/good", "out/hard"} or outcome.kept.keys() == {"out/good"}
    assert outcome.kept["out/good"] == b"good"
    said = "\n".join(outcome.unkept)
    for reason in (
        *("out/up: a link", "out/pipe: a pipe", "link: a link", "root/etc/passwd: ", "nothing: No such file"),
        *("out/hole: 62914560 bytes", "not a printable name", "too deep"),
    ):
        assert reason in said
    assert said.isprintable() or "\x1b" not in said
    assert sorted(outcome.stray) == ["/dev/shm/stray", "/tmp/stray"]


@pytest.mark.slow
def test_a_listing_of_very_many_files_is_cut(boxes):
    from clearway.sandbox import Run

    script = "i=0; while [ $i -lt 130 ]; do mkdir d$i; (cd d$i; touch $(seq 100)); i=$((i+1)); done"
    outcome = boxes.run(Run(argv=("/bin/sh", "-c", script), keep=("*",), limits=Limits(wall_s=20)))
    assert outcome.ended == "exited", outcome
    assert len(outcome.kept) <= 10_000
    assert any("the rest was not looked at" in line for line in outcome.unkept)


def test_nothing_is_left_on_the_machine(attacks):
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        attacks("exit", "0")
        attacks("flood", limits=Limits(output_bytes=10))
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 2
