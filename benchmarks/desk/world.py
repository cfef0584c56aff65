"""A findings desk as it is after a year: 10,000 findings of ten reporters, 1,000 cases, 1,000 leases; made by bulk.

Everything that a page of the desk asks for has its rows: gates, files, receipts, validations with their levels, keys,
pairs that wait, marks, parties, acts, threads. Texts and files are small: how large they are is another measurement.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, LiteralString

import psycopg

from clearway.access import audience, credential, organisation, person
from clearway.access.marking import Marking
from clearway.findings.case import kept as cases
from clearway.findings.case import thread
from clearway.findings.vault import Vault
from clearway.store.connect import connect
from clearway.store.principal import Pool

FINDINGS, CASES, LEASES = 10_000, 1_000, 1_000
LABS, VENDORS = 10, 20
IN_CASES = 2_000
_BASE32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_STATES = ("incomplete", "queued", "queued", "judged", "judged", "judged", "judged", "closed")
_CLASSES = ("CWE-787", "CWE-125", "CWE-22", "CWE-79", "CWE-400", "CWE-416")
_SEVERITIES = ("", "low", "medium", "high", "critical")


class World:
    """People with their sessions' secrets, and the handling ids of what is looked at."""

    def __init__(self, url: str, home: Path) -> None:
        self.url, self.home = url, home
        self.draw = random.Random(7)  # noqa: S311  no secret: the same world each time
        self.now = datetime.now(UTC)
        with connect(url, autocommit=True) as db:
            db.execute("set synchronous_commit = off")
            self._people(db)
            self._findings(db)
            self._around(db)
            self._pairs(db)
            self._leases(db)
        with Pool(url, size=2) as pool:
            self._cases(pool)
        with connect(url, autocommit=True) as db:
            db.execute("vacuum analyze")

    def _people(self, db: psycopg.Connection[Any]) -> None:
        self.house = organisation.add(db, "house", "House", "clearinghouse").org
        self.labs = [organisation.add(db, f"lab{n}", f"Lab {n}", "lab").org for n in range(LABS)]
        self.vendors = [
            organisation.add(db, f"vendor{n}", f"Vendor {n}", "vendor").org for n in range(VENDORS)
        ]
        self.auds = [audience.of(db, Marking(tlp="AMBER+STRICT", org=org)) for org in self.labs]
        self.coordinator, self.coordinator_key = _somebody(db, self.house, "coordinator", self.now)
        self.finder, _ = _somebody(db, self.labs[0], "finder", self.now)
        self.maintainer, _ = _somebody(db, self.vendors[0], "maintainer", self.now)

    def _findings(self, db: psycopg.Connection[Any]) -> None:
        rows = []
        for n in range(FINDINGS):
            state = _STATES[n % len(_STATES)]
            level = self.draw.choice((0, 1, 1, 2, 3, 4)) if state in ("judged", "closed") else 0
            lab = n % LABS
            received = self.now - timedelta(minutes=50 * (FINDINGS - n))
            rows.append((
                handling("CWF", n), self.labs[lab], self.auds[lab], sha256(b"%d" % n).digest(), "clearway-finding",
                f"Flaw {n} in a parser", "PyPI", f"package-{n // 2 % 500}", f"1.{n % 40}",
                f"pkg:pypi/package-{n // 2 % 500}@1.{n % 40}", f"src/file{n // 4 % 50}.c parse_{n // 4 % 50}",
                _CLASSES[n % len(_CLASSES)], _SEVERITIES[n % len(_SEVERITIES)], state, level, received, received,
            ))  # fmt: skip
        _copy(
            db, """clearway.finding (handling, org, aud, digest, format, title, ecosystem, package, release, purl,
                place, cwe, severity, state, level, received, changed)""", rows,
        )  # fmt: skip
        db.execute("update clearway.finding set person = 1")
        self.finding = handling("CWF", 6 * LABS)  # judged, and the finder's
        self.pair = handling("CWF", 0), handling("CWF", 1)

    def _around(self, db: psycopg.Connection[Any]) -> None:
        """Gates, receipts, files, validations, marks and keys of every finding."""
        found = db.execute(
            "select finding, org, aud::int, state, level from clearway.finding order by 1"
        ).fetchall()
        gates, files, keys = [], [], []
        for number, org, aud, state, _ in found:
            for gate in ("product", "release", "reproduction", "trace", "ruled-out"):
                lacks = state == "incomplete" and gate == "trace"
                gates.append((number, gate, org, aud, "missing" if lacks else "met", ""))
            for kind in ("document", "input", "attachment"):
                digest = sha256(f"{kind} {number}".encode()).digest()
                files.append((number, org, aud, kind, f"{kind}.json", 200, digest, b"s" * 240))
            for kind, group in (("input", number), ("context", number // 3), ("place", number // 2)):
                value = sha256(f"{kind} {group}".encode()).hexdigest()[:32]
                keys.append((number, org, aud, kind, "1", value))
        _copy(db, "clearway.finding_gate (finding, gate, org, aud, state, what)", gates)
        _copy(db, "clearway.artefact (finding, org, aud, kind, name, bytes, sha256, sealed)", files)
        _copy(db, "clearway.finding_key (finding, org, aud, kind, version, value)", keys)
        judged = [row for row in found if row[3] in ("judged", "closed")]
        _copy(
            db, "clearway.validation (finding, org, aud, upto, seconds, state, level, why, begun, ended, asked)",
            ((n, o, a, 4, 30, "done", level, "no patch", self.now, self.now, self.now) for n, o, a, _, level in judged),
        )  # fmt: skip
        db.execute(
            """insert into clearway.validation_step (validation, level, finding, org, aud, result, why, times, of_runs)
            select v.validation, l, v.finding, v.org, v.aud, case when l <= v.level then 'met' else 'not_tried' end,
                'three of three', 3, 3 from clearway.validation v, generate_series(0, 4) l"""
        )
        _copy(
            db, "clearway.finding_mark (finding, org, aud, mark, why)",
            ((n, o, a, ("valid", "valid", "duplicate", "invalid")[n % 4], "seen") for n, o, a, _, _ in judged),
        )  # fmt: skip

    def _pairs(self, db: psycopg.Connection[Any]) -> None:
        """What keys say of neighbours: a third of all findings are in a pair that waits."""
        met = db.execute("select clearway.meet(array[%s, %s])", (self.auds[0], self.auds[1])).fetchone()
        assert met is not None
        db.execute(
            """insert into clearway.finding_edge (one, other, aud, verdict, basis, score, reason)
            select f.finding, f.finding + 1, %s, case when f.finding %% 30 = 0 then 'regression' else 'likely' end,
                'place', 0.5 + (f.finding %% 40) / 100.0, 'the same file, function and class'
            from clearway.finding f where f.finding %% 3 = 1 and f.finding < %s""",
            (met[0], FINDINGS),
        )

    def _leases(self, db: psycopg.Connection[Any]) -> None:
        rows = []
        for n in range(LEASES):
            starts = self.now + timedelta(hours=n - LEASES // 2)
            until = starts + timedelta(hours=8 + n % 40)
            lab = n % LABS
            rows.append((
                handling("CWL", n), self.labs[lab], self.auds[lab], "fuzzing", False, False, False,
                [f"pkg:pypi/package-{n % 500}@1.0"], starts, until, until, 900, n + 1,
            ))  # fmt: skip
        _copy(
            db, """clearway.lease (reference, org, aud, activity, exclusive, shared, sealed, scope, starts, until, ends,
                ttl_s, fence)""", rows,
        )  # fmt: skip
        self.lease = handling("CWL", LEASES // 2 // LABS * LABS)

    def _cases(self, pool: Pool) -> None:
        """Cases with two vendors and their reporters; a tenth is released, and many wait for the first vendor."""
        with pool.acting(self.coordinator_key) as db:
            made = db.execute(
                """select clearway.add_case_embargo(%s, handling) from unnest(%s::text[]) handling""",
                (self.house, [handling("CWC", n) for n in range(CASES)]),
            ).fetchall()
            held = [number for (number,) in made]
            auds = [
                row[0]
                for row in db.execute(
                    "select clearway.case_audiences(e) from unnest(%s::int[]) with ordinality u(e, n) order by n",
                    (held,),
                )
            ]
        with pool.owner() as db:
            _copy(
                db, """clearway.desk_case (handling, org, aud, open_aud, embargo, title, ecosystem, package, purl, em,
                    until, zone, opened)""",
                (self._case(n, aud, open_aud, held[n]) for n, (aud, open_aud) in enumerate(auds)),
            )  # fmt: skip
            made = db.execute("select case_id, aud::int from clearway.desk_case order by 1").fetchall()
            _copy(
                db, """clearway.case_party (case_id, org, aud, role, member, name, product, rm, vfd, answer, asked)""",
                (line for number, aud in made for line in self._parties(number, aud)),
            )  # fmt: skip
            db.execute(
                """insert into clearway.list_member (list, org) select distinct e.list, p.member
                from clearway.desk_case c join clearway.embargo e on e.embargo = c.embargo
                join clearway.case_party p on p.case_id = c.case_id on conflict do nothing"""
            )
            db.execute("select clearway.rebadge(person) from clearway.membership group by person")
            db.execute(
                """insert into clearway.case_act (case_id, org, aud, machine, act, was, now, at)
                select c.case_id, c.org, c.aud, 'report', 'notify', 'start', 'received', c.opened
                from clearway.desk_case c, generate_series(1, 10)"""
            )
            db.execute(
                """update clearway.finding f set case_id = c.case_id from clearway.desk_case c
                where f.finding <= %s and c.case_id = f.finding / 2 and f.state = 'judged'""",
                (IN_CASES,),
            )
        self.case = handling("CWC", 1)
        self._talk(pool)

    def _case(self, n: int, aud: int, open_aud: int, held: int) -> tuple[object, ...]:
        until = self.now + timedelta(days=1 + n % 90) if n % 2 else None
        return (
            handling("CWC", n), self.house, aud, open_aud, held, f"Flaw {n} in a parser", "PyPI", f"package-{n % 500}",
            f"pkg:pypi/package-{n % 500}", ("none", "active")[n % 2], until, "Europe/Berlin",
            self.now - timedelta(hours=n),
        )  # fmt: skip

    def _parties(self, number: int, aud: int) -> list[tuple[object, ...]]:
        """Two vendors and a reporter; every other case is the first vendor's too."""
        first = self.vendors[0] if number % 2 else self.vendors[number % VENDORS]
        second = self.vendors[(number + 7) % VENDORS]
        asked = self.now - timedelta(days=number % 40)
        purl = f"pkg:pypi/package-{number % 500}"
        return [
            (number, self.house, aud, "vendor", first, "Vendor", purl, "received", "Vfd", "no-answer", asked),
            (number, self.house, aud, "maintainer", second, "Maintainer", purl, "accepted", "VFd", "affected", asked),
            (number, self.house, aud, "reporter", self.labs[number % LABS], "Lab", "", "start", "vfd", "not-asked",
             None),
        ]  # fmt: skip

    def _talk(self, pool: Pool) -> None:
        """Three threads of ten messages in the case that is looked at."""
        vault = Vault.of_home(self.home)
        with pool.acting(self.coordinator_key) as db:
            case = cases.one(db, self.case)
            for n in range(3):
                made = thread.add(db, vault, case, f"Topic {n}")
                for m in range(10):
                    thread.say(db, vault, case, made, f"Message {m}. " + "What was found and when. " * 10)


def handling(prefix: str, number: int) -> str:
    """The handling id of the thing of that number, as if it had been drawn."""
    drawn = int.from_bytes(sha256(f"{prefix} {number}".encode()).digest()[:5])
    letters = "".join(_BASE32[drawn >> 5 * place & 31] for place in range(8))
    return f"{prefix}-{letters[:4]}-{letters[4:]}"


def _somebody(db: psycopg.Connection[Any], org: int, role: str, now: datetime) -> tuple[str, str]:
    """The secret and the key of a session of a new member."""
    who = person.add(db, org, role.capitalize(), (role,))
    made = credential.make_session(db, who.person, by="code", now=now)
    return made.secret, made.key


def _copy(db: psycopg.Connection[Any], table: LiteralString, rows: Iterable[Sequence[object]]) -> None:
    with db.cursor() as cursor, cursor.copy(f"copy {table} from stdin") as copy:
        for row in rows:
            copy.write_row(row)
