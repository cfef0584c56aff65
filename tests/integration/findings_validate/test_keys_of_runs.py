"""What a reporter's own program shows here joins it to nobody: keys come from files that the desk knows."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from clearway.app.worker import mint
from clearway.findings import artefact, kept
from clearway.findings.artefact import File
from clearway.findings.dedup import edge
from clearway.findings.validate import validation
from clearway.findings.validate.tasks import tasks
from clearway.store.jobs_worker import run_worker
from findings_dedup_world import replay
from findings_targets import COPIES, LONG, MENDED, SHORT, c_recipe, sha
from findings_world import Desk
from people import Somebody

pytestmark = pytest.mark.usefixtures("box")  # skips where no box can be made

# It prints the report of another's crash, and then does something that a sanitizer does stop.
LIAR = rb"""#include <stdio.h>
#include <stdlib.h>
int main(void) {
    fputs("==12==ERROR: AddressSanitizer: heap-buffer-overflow on address 0x1 at pc 0x2 bp 0x3 sp 0x4\n"
          "WRITE of size 25 at 0x1 thread T0\n    #0 0x1 in strcpy /work/main.c:4\n    #1 0x1 in keep /work/main.c:4\n"
          "    #2 0x2 in parse /work/main.c:8\n    #3 0x3 in main /work/main.c:18\n\n", stderr);
    fflush(stderr);
    char *one = malloc(1);
    volatile int at = 3;
    one[at] = 1;
    return 0;
}
"""


@contextmanager
def worker(desk: Desk) -> Iterator[None]:
    stop = threading.Event()
    known = tasks(desk.home, desk.people.url)
    running = threading.Thread(
        target=run_worker, args=(desk.people.url, known), kwargs={"stop": stop, "mint": mint}
    )
    running.start()
    try:
        yield
    finally:
        stop.set()
        running.join(30)


def validated(
    desk: Desk, who: Somebody | None, source: bytes, vouched: tuple[str, ...], beside: bytes = b""
) -> kept.Finding:
    found = desk.finding(
        who,
        state="queued",
        ecosystem="",
        package="toy",
        release="1",
        purl="pkg:generic/toy@1",
        place="main.c keep",
    )
    given = LONG if not beside else b"B" * 24
    files = [File(kind="source", data=data, name="") for data in (source, MENDED, SHORT)]
    files += [File(kind="input", data=data, name="") for data in (given, *((beside,) if beside else ()))]
    raw = json.dumps(c_recipe(source, MENDED, proof=given)).encode()
    with desk.owner() as db:
        artefact.add_all(
            db, desk.vault, found, [*files, File(kind="attachment", data=raw, name="recipe.json")]
        )
    with desk.acting(desk.coordinator) as db:
        number = validation.ask(db, found, upto=1, seconds=0, vouched=vouched)
        number = validation.one(db, found.id, number).id
    ends = time.monotonic() + 40
    while True:
        with desk.owner() as db:
            done = validation.by_id(db, number)
        if done.state == "done":
            assert done.level == 1, done.why
            return found
        assert time.monotonic() < ends, done
        time.sleep(0.1)


def test_a_forged_report_and_a_guessed_input_are_no_reason_and_two_true_ones_are(desk: Desk) -> None:
    known = (sha(COPIES), sha(MENDED))
    with worker(desk):
        victim = validated(desk, None, COPIES, known)
        liar = validated(desk, desk.rival, LIAR, (), beside=LONG)
        twin = validated(desk, desk.rival, COPIES, known)
    replay(desk)
    with desk.acting(desk.coordinator) as db:
        said = {(e.one, e.other): (e.verdict, e.basis) for e in edge.of(db, victim) if e.revoked is None}
        assert said.pop((victim.handling, liar.handling), ("likely", "place"))[1] in ("context", "place")
        assert said == {(victim.handling, twin.handling): ("same", "input")}
        assert edge.group_of(db, victim.id) == (victim.id, twin.id)
