"""The backend of container runtimes: what it asks of one, and what it makes of the answers.

The runtime here is a script that writes down what it is asked and runs programs without any container: it stands for
the command line alone. What a real one holds is tested where one answers.
"""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearway.records.errors import ConfigError, InputError
from clearway.sandbox import Bind, Limits, Run
from clearway.sandbox.oci import Oci, counted, create_argv, looked_for, unescaped
from clearway.sandbox.pack import packed, unpacked

RUNTIME = """#!/usr/bin/python3 -I
import contextlib, json, os, signal, subprocess, sys
folder, words = os.path.dirname(os.path.abspath(__file__)), sys.argv[1:]
with open(folder + "/asked", "a") as file:
    file.write(json.dumps(words) + "\\n")
if words[0] == "version":
    print("9.9")
elif words[0] == "info":
    sys.exit(os.path.exists(folder + "/down"))
elif words[0] == "inspect":
    print("true" if os.path.exists(folder + "/oom") else "false")
elif words[0] == "exec":
    words = words[1:]
    while words[0].startswith("-"):
        words = words[1 if words[0] == "--interactive" else 2:]
    here = {"/work": "/work", "/": "/root"}
    words = [folder + here[w] if w in here else w for w in words[1:]]
    words = [w.replace("/sys/fs/cgroup", folder) for w in words]
    if "kill -9 -1" in " ".join(words):  # of this runtime's own programs alone: there is no container around them
        for session in open(folder + "/sessions").read().split():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(int(session), signal.SIGKILL)
        sys.exit(os.path.exists(folder + "/unkillable"))
    done = subprocess.Popen(words, cwd=folder + "/work", start_new_session=True)
    with open(folder + "/sessions", "a") as file:
        print(done.pid, file=file)
    code = done.wait()
    sys.exit(code if code >= 0 else 128 - code)
"""


@pytest.fixture
def runtime(tmp_path: Path) -> Path:
    place = tmp_path / "podman"
    place.write_text(RUNTIME)
    place.chmod(place.stat().st_mode | stat.S_IXUSR)
    for name in ("work", "root/tmp", "root/dev/shm"):
        (tmp_path / name).mkdir(parents=True)
    return place


def asked(runtime: Path) -> list[list[str]]:
    return [json.loads(line) for line in (runtime.parent / "asked").read_text().splitlines()]


def test_a_container_is_closed_in_every_way_before_the_program_comes_in(runtime, tmp_path):
    box = Oci(str(runtime), "image@sha256:0")
    limits = Limits(memory_mib=99, processes=7, work_mib=5, cpu_s=3, file_mib=2, open_files=33)
    outcome = box.run(
        Run(
            argv=("cat", "in"),
            inputs={"in": b"data"},
            keep=("in",),
            limits=limits,
            binds=(Bind(tmp_path, "/src"),),
        )
    )
    assert (outcome.ended, outcome.code, outcome.stdout, outcome.kept) == (
        "exited",
        0,
        b"data",
        {"in": b"data"},
    )
    *_, run, fill, program, killed, _, _, listed, kept, _, removed = asked(runtime)
    assert run[0] == "run"
    line = " ".join(run)
    for words in (
        *(
            "--network none",
            "--read-only",
            "--cap-drop ALL",
            "--security-opt no-new-privileges",
            "--user 65534:65534",
        ),
        *(
            "--memory 99m",
            "--memory-swap 99m",
            "--pids-limit 10",
            "size=5m",
            "--pull never",
            "--shm-size 64m",
        ),
        *("cpu=3", "fsize=2097152", "nofile=33", "core=0", "readonly", "nosuid,nodev"),
    ):
        assert words in line, words
    assert "privileged" not in line
    name = run[run.index("--name") + 1]
    assert fill[:2] == ["exec", "--interactive"]
    assert program[-3:] == [name, "cat", "in"]
    assert killed[:3] == ["exec", name, "sh"]
    assert listed[:3] == ["exec", name, "tar"]
    assert kept[:4] == ["exec", "--interactive", name, "tar"]
    assert removed == ["rm", "--force", "--volumes", name]


@pytest.mark.parametrize(
    ("script", "limits", "ended", "code"),
    [
        ("exit 3", Limits(), "exited", 3),
        ("kill -11 $$", Limits(), "signal", 11),
        ("sleep 20", Limits(wall_s=0.3), "wall", -1),
        ("yes", Limits(output_bytes=1000), "output", -1),
    ],
)
def test_how_a_program_ended_is_told_and_its_container_is_removed(runtime, script, limits, ended, code):
    outcome = Oci(str(runtime), "image").run(Run(argv=("sh", "-c", script), limits=limits))
    assert (outcome.ended, outcome.code) == (ended, code)
    assert len(outcome.stdout) <= limits.output_bytes
    assert asked(runtime)[-1][0] == "rm"


@pytest.mark.parametrize(
    ("name", "said", "seconds"),
    [
        ("cpu.stat", "usage_usec 1500000\nuser_usec 7\nsystem_usec 9\n", 1.5),
        ("cpuacct/cpuacct.usage", "2500000000\n", 2.5),
        ("other", "", 0.0),
    ],
    ids=["cgroup v2", "cgroup v1", "none"],
)
def test_processor_time_is_the_containers_own_account(runtime, name, said, seconds):
    (runtime.parent / name).parent.mkdir(exist_ok=True)
    (runtime.parent / name).write_text(said)
    raises = Run(argv=("sh", "-c", "kill -24 $$"), limits=Limits(cpu_s=2.0))
    outcome = Oci(str(runtime), "image").run(raises)
    assert outcome.cpu_s == seconds
    # SIGXCPU without the time spent is a signal that anybody raises.
    assert (outcome.ended, outcome.code) == (("cpu", -1) if seconds > 1.4 else ("signal", 24))


def test_what_is_left_outside_is_told(runtime):
    root = runtime.parent / "root"
    (root / "tmp" / "deep").mkdir()
    for name in ("tmp/outside", "tmp/deep/er", "dev/shm/too"):
        (root / name).write_text("x")
    outcome = Oci(str(runtime), "image").run(Run(argv=("true",)))
    assert sorted(outcome.stray) == ["/dev/shm/too", "/tmp/deep/er", "/tmp/outside"]


def test_patterns_names_and_folders_are_handed_back_whatever_else_lies_there(runtime):
    script = (
        "mkdir -p found/deep 'odd?' lots; echo 1 >asan.17; echo 2 >asan.18; echo 3 >found/a; echo 4 >found/deep/b;"
        " echo 5 >plain; echo 6 >other; echo 7 >'b[1]'; echo 8 >é; echo 9 >'back\\slash'; ln -s plain asan.link;"
        " : >'two\nlines'; i=0; while [ $i -lt 300 ]; do : >lots/$i; i=$((i+1)); done"
    ).replace("\\n", "\n")
    keep = ("asan.*", "found/*", "plain", "none", "é", "back*", "two*")
    outcome = Oci(str(runtime), "image").run(Run(argv=("sh", "-c", script), keep=keep))
    assert outcome.kept == {
        "asan.17": b"1\n",
        "asan.18": b"2\n",
        "found/a": b"3\n",
        "found/deep/b": b"4\n",
        "plain": b"5\n",
        "é": b"8\n",
        "back\\slash": b"9\n",
    }
    assert [line.partition(":")[0] for line in outcome.unkept] == ["none", "'two\\nlines'", "'asan.link'"]


def test_what_outlives_the_program_neither_holds_it_up_nor_writes_any_more(runtime):
    """As in a box of bubblewrap: the program has ended, and nothing of it runs on."""
    script = "(sleep 0.4; echo late >late) & (while :; do echo x; done) & echo out; exit 3"
    limits = Limits(wall_s=20, output_bytes=1 << 20)
    outcome = Oci(str(runtime), "image").run(Run(argv=("sh", "-c", script), keep=("late",), limits=limits))
    assert (outcome.ended, outcome.code) == ("exited", 3)
    assert outcome.stdout.startswith(b"out\n") or b"x\n" in outcome.stdout
    assert outcome.wall_s < 10
    assert not (runtime.parent / "work" / "late").exists()


def test_where_what_it_left_running_can_not_be_killed_nothing_is_read(runtime):
    (runtime.parent / "unkillable").touch()
    run = Run(argv=("sh", "-c", "echo 1 >out"), keep=("out",), look_for=("/tmp/a",))
    outcome = Oci(str(runtime), "image").run(run)
    assert (outcome.kept, outcome.stray, outcome.looked) == ({}, (), {})
    assert "could not be killed" in outcome.unkept[0]


def test_a_place_outside_is_looked_for_among_any_number_of_others(runtime):
    script = "cd ../root/tmp; i=0; while [ $i -lt 400 ]; do : >a$i; i=$((i+1)); done; : >z; ln -s /etc link"
    asked_for = ("/tmp/z", "/tmp/none", "/tmp/link/passwd", "/tmp/é")
    outcome = Oci(str(runtime), "image").run(Run(argv=("sh", "-c", script), look_for=asked_for))
    assert outcome.looked == {"/tmp/z": True, "/tmp/none": False, "/tmp/é": False}
    assert len(outcome.stray) == 256


def test_a_name_with_a_line_s_end_is_no_name_of_two(runtime):
    script = "mkdir -p '../root/tmp/x\n.'; : >'../root/tmp/x\n./planted'".replace("\\n", "\n")
    outcome = Oci(str(runtime), "image").run(
        Run(argv=("sh", "-c", script), look_for=("/tmp/planted", "/tmp/b"))
    )
    assert outcome.looked == {"/tmp/planted": False, "/tmp/b": False}


@pytest.mark.parametrize("cut", [0, 3], ids=["whole", "cut"])
def test_names_that_are_missing_from_a_list_are_told_of_as_missing(cut):
    found = ["/tmp/a", "/tmp/b", "/tmp/link"]
    told = looked_for(("/tmp/a", "/tmp/c", "/tmp/link/x"), found, whole=not cut)
    assert told == {"/tmp/a": True} | ({} if cut else {"/tmp/c": False})


@given(st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=20))
def test_every_name_is_read_back_as_gnu_tar_escapes_it(name):
    escaped = "".join(
        {"\n": "\\n", "\t": "\\t", "\\": "\\\\"}.get(c)
        or (c if " " <= c <= "~" else "".join(f"\\{b:03o}" for b in c.encode()))
        for c in name
    )
    assert unescaped(escaped.encode()) == name


@pytest.mark.parametrize(
    "said", [b"", b"usage_usec x\n", b"usage_usec " + b"9" * 40, b"\xff\xfe", "usage_usec \u0663".encode()]
)
def test_an_account_that_is_none_is_no_time(said):
    assert counted(said) == 0.0


def test_death_for_memory_is_the_runtimes_word(runtime):
    (runtime.parent / "oom").touch()
    assert Oci(str(runtime), "image").run(Run(argv=("true",))).ended == "memory"


def test_what_is_missing_is_named_with_the_cure(runtime, monkeypatch):
    monkeypatch.delenv("CLEARWAY_SANDBOX_IMAGE", raising=False)
    with pytest.raises(ConfigError, match=r"no image.*digest"):
        Oci(str(runtime))
    with pytest.raises(ConfigError, match=r"no container runtime.*install podman"):
        Oci("none-of-that-name", "image")
    (runtime.parent / "down").touch()
    with pytest.raises(ConfigError, match=r"does not answer.*start its service"):
        Oci(str(runtime), "image")


def test_a_bind_can_not_smuggle_options(tmp_path):
    place = tmp_path / "a,readonly=false"
    place.mkdir()
    with pytest.raises(InputError, match="comma"):
        create_argv(Run(argv=("x",), binds=(Bind(place, "/src"),)), "name", "image")


def test_a_hostile_stream_gives_plain_files_only():
    import io
    import tarfile

    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, kind in (("../up", b"0"), ("/abs", b"0"), ("link", b"2"), ("dev", b"3"), ("\x1b[2J", b"0")):
            head = tarfile.TarInfo(name)
            head.type, head.linkname = kind, "/etc/passwd"
            tar.addfile(head)
        big = tarfile.TarInfo("big")
        big.size = 2000
        tar.addfile(big, io.BytesIO(b"x" * 2000))
        good = tarfile.TarInfo("./good")
        good.size = 4
        tar.addfile(good, io.BytesIO(b"good"))
    kept, unkept = unpacked(out.getvalue(), 1000)
    assert kept == {"good": b"good"}
    assert len(unkept) == 6
    for cut in range(0, len(out.getvalue()), 100):
        unpacked(out.getvalue()[:cut], 1000)  # never raises
    assert unpacked(packed({"a/b": b"1", "c": b""}), 10)[0] == {"a/b": b"1", "c": b""}


def test_a_real_runtime_holds_a_program():
    if not os.environ.get("CLEARWAY_SANDBOX_IMAGE"):
        pytest.skip("no image named in CLEARWAY_SANDBOX_IMAGE: no container is tried")
    try:
        box = Oci()
    except ConfigError as error:
        pytest.skip(str(error))
    outcome = box.run(Run(argv=("sh", "-c", "cat in; echo 1 >out"), inputs={"in": b"x"}, keep=("out",)))
    assert (outcome.stdout, outcome.kept) == (b"x", {"out": b"1\n"})
