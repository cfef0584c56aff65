"""A findings desk in the middle of a week, as its screens show it: reports of every state, a trial that runs and one
that is done, a pair that waits, a case under embargo, leases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from clearway.findings import artefact, kept
from clearway.findings.artefact import File
from clearway.findings.case import kept as cases_kept
from clearway.findings.case import mail, party, talk, thread
from clearway.findings.dedup import edge
from clearway.findings.intake import submit
from clearway.findings.lease import ask, control
from clearway.findings.lease.blind import BlindKey
from clearway.findings.validate import level, validation
from clearway.records.clock import SystemClock
from clearway.records.principal import Principal
from findings_case_world import Cases
from findings_world import Desk
from people import Somebody
from report_documents import dump, own

LOG = "==1==ERROR: AddressSanitizer: heap-buffer-overflow on address 0x602000000020\n" + "".join(
    f"    #{n} 0x55d0c0de{n:04x} in parse_string /src/cJSON.c:{700 + n}\n" for n in range(600)
)
_TITLES = (
    ("Heap buffer overflow in parse_string", "cJSON", "1.7.15", "CWE-787", "high", 4),
    ("Out-of-bounds read when a number ends the input", "cJSON", "1.7.15", "CWE-125", "medium", 3),
    ("Path traversal in the extraction of archives", "tarpit", "2.4.0", "CWE-22", "high", 2),
    ("Quadratic time on nested brackets", "mistfall", "3.0.1", "CWE-400", "medium", 1),
    ("Use after free when a callback closes the stream", "streamlet", "0.9.7", "CWE-416", "critical", 1),
    ("Session id in a log line", "gatehouse", "5.2", "CWE-532", "low", 0),
)


class Furnished:
    """Handling ids and people of what was put there. `desk` has the people."""

    def __init__(self, desk: Desk, cases: Cases) -> None:
        self.desk, self.cases = desk, cases
        self.waiting = [self._judged(*facts) for facts in _TITLES]
        self.done = self.waiting[0]
        self.running = self._running()
        self.incomplete = self._incomplete()
        self.pair = self._pair()
        self.case = self._case()
        self.link = self._link()
        self.lease = self._leases()

    def _judged(self, title: str, package: str, release: str, cwe: str, claim: Any, reached: int) -> str:
        desk = self.desk
        found = desk.finding(
            title=title, package=package, release=release, purl=f"pkg:pypi/{package.lower()}@{release}", cwe=cwe,
            severity=claim, place=f"src/{package.lower()}.c parse_string", state="queued",
        )  # fmt: skip
        if reached:
            self._validated(found, reached)
        return found.handling

    def _validated(self, found: kept.Finding, reached: int) -> None:
        desk = self.desk
        with desk.acting(desk.coordinator) as db:
            number = validation.one(db, found.id, validation.ask(db, found, upto=4, seconds=30)).id
        words = (
            "the recipe is valid", "heap-buffer-overflow at each run", "silent on the patched build",
            "47 tests pass as before", "no variant finds anything related",
        )  # fmt: skip
        with desk.owner() as db:
            log = artefact.add(
                db,
                desk.vault,
                found,
                File(kind="log", data=LOG.encode(), name="validation.log", media="text/plain"),
            )
            made = artefact.add(
                db,
                desk.vault,
                found,
                File(kind="statement", data=b"{}", name="E1.json", media="application/json"),
            )
            why = (
                ""
                if reached == 4
                else "no fix was named"
                if reached == 1
                else "a test that passed before fails"
            )
            db.execute(
                """update clearway.validation set state = 'done', level = %s, why = %s, log = %s, crash = 'd3adbeef',
                    crash_state = 'heap-buffer-overflow WRITE | parse_string | parse_value',
                    begun = clock_timestamp() - interval '41 s', ended = clock_timestamp() where validation = %s""",
                (reached, why, log.id, number),
            )
            for n in range(reached + 1):
                step = level.Step(level=n, result="met", why=words[n], times=3, of=3)
                validation.add_step(
                    db, number, (found.id, found.org, found.aud), step, made.id if n else None
                )
            if reached < 4:
                step = level.Step(level=reached + 1, result="failed", why=why, times=0, of=3)
                validation.add_step(db, number, (found.id, found.org, found.aud), step, None)
            kept.set_level(db, kept.by_id(db, found.id), reached, why)
            kept.move(db, kept.by_id(db, found.id), "judged")

    def _running(self) -> str:
        desk = self.desk
        found = desk.finding(title="Stack overflow on deep recursion", package="mistfall", state="queued")
        with desk.acting(desk.coordinator) as db:
            number = validation.one(db, found.id, validation.ask(db, found)).id
        with desk.owner() as db:
            validation.begin(db, number)
            validation.tell(db, number, "silent", 2, 3)
        return found.handling

    def _incomplete(self) -> str:
        desk = self.desk
        lacking = own(title="Integer overflow in the length of a frame", trace=[])
        with desk.acting(desk.finder) as db:
            made = submit.submit(db, desk.tools, desk.finder.org, dump(lacking))
        return made.taken[0].handling

    def _pair(self) -> tuple[str, str]:
        desk = self.desk
        ours = desk.finding(
            title="Overflow in parse_hex4", package="cJSON", release="1.7.15", place="cJSON.c parse_hex4"
        )
        theirs = desk.finding(
            desk.rival, title="Crash when an escape is cut off", package="cJSON", release="1.7.14",
            place="cJSON.c:620 parse_hex4",
        )  # fmt: skip
        with desk.owner() as db:
            for one in (ours, theirs):
                kept.move(db, one, "queued")
            edge.add(
                db,
                ours.id,
                theirs.id,
                "likely",
                "place",
                score=0.62,
                reason="the same file, function and class",
            )
        return ours.handling, theirs.handling

    def _case(self) -> str:
        cases, desk = self.cases, self.desk
        case = cases.opened(title="Heap buffer overflow in a parser", state="queued")
        vendor = cases.vendor(case)
        self.mailed = cases.by_mail(case)
        cases.drafted(case)
        now = datetime.now(UTC)
        with cases.acting() as db:
            every = thread.add(db, desk.vault, case, "The flaw")
            thread.say(
                db,
                desk.vault,
                case,
                every,
                "Welcome. The reproducer and the fix are attached to the finding.",
            )
            at = now.replace(minute=0, second=0, microsecond=0) + timedelta(days=30)
            talk.propose(
                db,
                cases.again(case),
                at,
                "Europe/Berlin",
                now=now,
                party=vendor.id,
                why="our next release",
                vault=desk.vault,
            )
        self._aged(case)
        return case.handling

    def _aged(self, case: cases_kept.Case) -> None:
        """What was done today was done over nine days."""
        with self.desk.owner() as db:
            db.execute(
                "update clearway.desk_case set opened = opened - interval '9 days' where case_id = %s",
                (case.id,),
            )
            db.execute(
                """update clearway.case_party set asked = asked - interval '8 days' where case_id = %s
                    and asked is not null""",
                (case.id,),
            )
            db.execute(
                """update clearway.case_act set at = at - interval '3 days' where case_id = %s
                    and machine = 'embargo'""",
                (case.id,),
            )

    def _link(self) -> str:
        with self.desk.owner() as db:
            return mail.make_link(db, self.desk.vault, self.mailed.id, datetime.now(UTC))

    def _leases(self) -> str:
        key = BlindKey.of_home(self.desk.home)
        clock = SystemClock()
        now = datetime.now(UTC)

        def lease(who: Somebody, *scope: str, **facts: Any) -> str:
            with self.desk.acting(who) as db:
                row = db.execute("select clearway.whoami()::text").fetchone()
                assert row is not None
                of = msgspec.json.decode(row[0], type=Principal).memberships[0]
                made = ask.ask(db, key, of, ask.Asking(scope=scope, **facts), table=None, clock=clock)
            assert made.lease is not None, made
            return made.lease.reference

        with self.desk.acting(self.desk.operator) as db:
            row = db.execute("select clearway.whoami()::text").fetchone()
            assert row is not None
            of = msgspec.json.decode(row[0], type=Principal).memberships[0]
            proof = control.begin(db, key, of, "192.0.2.0/24", "dns-txt")
        with self.desk.owner() as db:
            control.prove(db, proof, now)
        first = lease(self.desk.finder, "pkg:pypi/cjson@1.7.15", activity="fuzzing", label="night run",
                      until=now + timedelta(days=3))  # fmt: skip
        lease(
            self.desk.rival, "pkg:pypi/cjson@1.7.15", activity="source-review", until=now + timedelta(days=6)
        )
        lease(self.desk.finder, "git+https://git.example.org/team/tool@4f2a9c1#src/net/**", activity="source-review",
              starts=now + timedelta(days=7), until=now + timedelta(days=9))  # fmt: skip
        lease(self.desk.operator, "192.0.2.0/25", activity="port", rate=50.0, sources=("198.51.100.7",),
              authorisation="change 4711", until=now + timedelta(hours=5))  # fmt: skip
        return first


def again(cases: Cases, handling: str) -> cases_kept.Case:
    """The case of that handling id, as the desk sees it now."""
    with cases.acting() as db:
        return cases_kept.one(db, handling)


def line_of(cases: Cases, handling: str, role: str) -> party.Party:
    """The first party of the case in that role."""
    with cases.acting() as db:
        return next(p for p in party.listed(db, cases_kept.one(db, handling)) if p.role == role)
