"""Control groups by files that look like the kernel's, in each arrangement that machines have.

Ordinary folders take every write, so these tests are of where groups are made and what is written; what the kernel does
with it is tested with boxes.
"""

from __future__ import annotations

import os
from pathlib import Path

from clearway.sandbox import cgroup
from clearway.sandbox.cgroup import Groups


def v2(root: Path, path: str = "", controllers: str = "cpu memory pids") -> Path:
    place = root / path
    place.mkdir(parents=True, exist_ok=True)
    (place / "cgroup.controllers").write_text(controllers)
    (place / "cgroup.subtree_control").touch()
    return place


class Kernel(Groups):
    """Makes the files that a kernel makes in a new group."""

    def take(self):
        group = super().take()
        if group is not None:
            for folder in group._folders.values():
                for name in ("memory.max", "pids.max", "memory.limit_in_bytes", "memory.max_usage_in_bytes"):
                    (folder / name).touch()
        return group


def home(base: Path) -> Path:
    return base / f"clearway-{os.getpid()}"


def made(root: Path, own: str, **homes: Path) -> Groups:
    for place in homes.values():
        home(place).mkdir(parents=True, exist_ok=True)
        (home(place) / "cgroup.subtree_control").touch()
    return Kernel(root, own)


def test_version_2_is_used_where_it_has_the_controllers(tmp_path):
    base = v2(tmp_path, "user.slice/mine")
    groups = made(tmp_path, "0::/user.slice/mine\n", base=base)
    assert groups.version == "v2"
    group = groups.take()
    group.bound(100 << 20, 10)
    folder = home(base) / "box-1"
    assert (folder / "pids.max").read_text() == "14"
    assert int((folder / "memory.max").read_text()) == 108 << 20
    assert group.entry() == {"groups": [], "into": str(folder)}


def test_the_parent_that_was_delegated_is_asked_when_the_own_group_has_none(tmp_path):
    base = v2(tmp_path, "user.slice")
    v2(tmp_path, "user.slice/mine", controllers="cpu")
    groups = made(tmp_path, "0::/user.slice/mine\n", base=base)
    assert groups.version == "v2"
    assert home(base).is_dir()


def test_version_1_is_used_where_version_2_has_nothing_to_give(tmp_path):
    v2(tmp_path / "unified", controllers="")
    for controller in ("memory", "pids", "cpuacct"):
        (tmp_path / controller / "job").mkdir(parents=True)
    own = "8:pids:/job\n4:memory:/job\n2:cpuacct:/job\n0::/\n"
    groups = made(tmp_path, own)
    assert groups.version == "v1"
    group = groups.take()
    assert {Path(e).name for e in group.entry()["groups"]} == {"tasks"}
    assert len(group.entrances) == 3


def test_without_either_there_are_resource_limits_and_no_group(tmp_path):
    groups = made(tmp_path, "")
    assert (groups.version, groups.take()) == ("rlimits", None)
    assert made(tmp_path, "not what the kernel writes\n").version == "rlimits"


def test_counters_are_read_from_both_versions_and_nonsense_is_zero(tmp_path):
    base = v2(tmp_path)
    group = made(tmp_path, "0::/\n", base=base).take()
    folder = group._folders["memory"]
    (folder / "cpu.stat").write_text("usage_usec 1500000\nuser_usec 1\n")
    (folder / "memory.peak").write_text("4096\n")
    (folder / "memory.events").write_text("low 0\noom 3\noom_kill 2\n")
    assert group.read() == cgroup.Counters(cpu_s=1.5, memory_bytes=4096, oom=2)
    (folder / "cpu.stat").write_text("usage_usec many\n")
    (folder / "memory.peak").unlink()
    assert group.read() == cgroup.Counters(cpu_s=0.0, memory_bytes=0, oom=2)


def test_groups_of_processes_that_are_gone_are_removed_and_others_stay(tmp_path):
    gone, mine, other = (
        tmp_path / name for name in ("clearway-999999999", f"clearway-{os.getpid()}", "else")
    )
    for place in (gone, mine, other):
        (place / "box-1").mkdir(parents=True)
    cgroup.sweep(tmp_path)
    assert not gone.exists()
    assert (mine / "box-1").is_dir()
    assert (other / "box-1").is_dir()


def test_a_group_is_used_again_and_never_by_two_at_once(tmp_path):
    groups = made(tmp_path, "0::/\n", base=v2(tmp_path))
    first, second = groups.take(), groups.take()
    assert first is not second
    groups.give_back(first)
    assert groups.take() is first
