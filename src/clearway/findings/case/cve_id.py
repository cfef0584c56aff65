"""CVE ids: asked of the numbering authority's service, or assigned by hand where another authority gave one.

The shape is CVE Services' (https://github.com/CVEProject/cve-services): `POST /cve-id` reserves, `POST /cve/{id}/cna`
publishes the CNA container, and `PUT` replaces it. A reservation that is lost on the way back leaves an id unused
there; it is never guessed here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from clearway.access import embargo
from clearway.formats.report_advisory import CVE
from clearway.records.errors import ConfigError, ConflictError, InputError, IntegrityError, UpstreamError
from clearway.records.text import plain

from . import kept
from . import settings as setting

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg

    from clearway.http.outbound import Client

    from .kept import Case
    from .settings import Cna

    Connection = psycopg.Connection[Any]

TASK = "findings.case_cve"
DEADLINE_S = 30.0


def ask(db: Connection, case: Case, home: Path) -> Case:
    """Asks for an id; a job gets it from the authority. One that could not be had is asked for again.

    Raises:
        ConfigError: the home's settings name no authority.
        ConflictError: it has one, or one is asked for.
        ForbiddenError: the caller does not coordinate for the clearinghouse that keeps the case.
    """
    kept.check_open(case)
    case = kept.locked(db, case)
    found = setting.known(home)
    if found is None or found.cna is None:
        raise ConfigError(
            "no numbering authority is named",
            where=setting.FILE,
            mend="add [cna], or note an id that you were given",
        )
    if case.cve_state not in ("", "rejected") and not (case.cve_state == "requested" and case.cve_problem):
        raise ConflictError(f"its CVE id is {case.cve_state}", where=case.subject)
    kept.changed(db, case, "cve = '', cve_state = 'requested', cve_problem = ''")
    kept.tell(db, case, "case.cve_requested", {})
    db.execute("select clearway.start_case_job(%s, 'cve')", (case.id,))
    return kept.by_id(db, case.id)


def assign(db: Connection, case: Case, cve: str) -> Case:
    """Notes the id that an authority has given.

    Raises:
        InputError: it is no CVE id.
        ConflictError: the case has another, or another case has this one: one flaw is one case.
        ForbiddenError: the caller does not coordinate for the clearinghouse that keeps the case.
    """
    kept.check_open(case)
    case = kept.locked(db, case)
    found = cve.strip().upper()
    if not CVE.fullmatch(found):
        raise InputError("this is no CVE id", where="cve", mend="such as CVE-2026-12345")
    if case.cve_state in ("reserved", "published") and case.cve != found:
        raise ConflictError("it has another CVE id", where=case.subject)
    if case.cve == found and case.cve_state in ("reserved", "published"):
        return case
    # Two desks that note one id at once come one after the other.
    db.execute("select pg_advisory_xact_lock(hashtextextended(%s, 19))", (f"case cve {found}",))
    other = db.execute(
        """select handling from clearway.desk_case
        where cve = %s and case_id <> %s and (closed is null or published is not null) limit 1""",
        (found, case.id),
    ).fetchone()
    if other is not None:
        raise ConflictError(
            "another case has this CVE id",
            where=f"case/{other[0]}",
            mend="close one of the two; one flaw is one case",
        )
    note(db, case, found, "case.cve_assigned")
    return kept.by_id(db, case.id)


def note(db: Connection, case: Case, cve: str, act: str) -> None:
    """Gives the case its id, and its embargo too: a listing of it in KEV is noticed."""
    kept.changed(db, case, "cve = %s, cve_state = 'reserved', cve_problem = ''", (cve,))
    embargo.name_flaw(db, case.embargo, cve)
    kept.tell(db, case, act, {"cve": cve})


def reserve(client: Client, cna: Cna, year: int) -> str:
    """An id that the authority's service has reserved.

    Raises:
        ConfigError: it refuses our credentials or the request.
        UpstreamError: it does not answer, or with an error; try again later.
        IntegrityError: it has done so, and does not say which: asking again would reserve another.
    """
    url = (
        f"{cna.url.rstrip('/')}/cve-id?amount=1&batch_type=sequential&cve_year={year:d}&short_name={cna.org}"
    )
    body = _post(client, cna, url, b"{}")
    try:
        found = str(body["cve_ids"][0]["cve_id"])
    except (KeyError, IndexError, TypeError):
        found = ""
    if not CVE.fullmatch(found):
        raise IntegrityError(
            "the numbering authority names no CVE id",
            where=cna.url,
            mend="see there which, and note it",
        )
    return found


def publish(client: Client, cna: Cna, cve: str, container: dict[str, Any], *, again: bool = False) -> None:
    """Publishes the CNA container of an id; with `again`, or where one is published already, in place of it.

    Raises:
        ConfigError, UpstreamError: as `reserve`.
    """
    url, body = f"{cna.url.rstrip('/')}/cve/{cve}/cna", msgspec.json.encode({"cnaContainer": container})
    if not again:
        try:
            _post(client, cna, url, body)
        except ConfigError as error:
            if "CVE_RECORD_EXISTS" not in error.what:
                raise
        else:
            return
    _post(client, cna, url, body, replaces=True)


def _post(client: Client, cna: Cna, url: str, body: bytes, *, replaces: bool = False) -> dict[str, Any]:
    headers = {
        "content-type": "application/json",
        "CVE-API-ORG": cna.org,
        "CVE-API-USER": cna.user,
        "CVE-API-KEY": cna.key,
    }
    answer = (client.put if replaces else client.post)(url, body, headers, DEADLINE_S)
    try:
        said = msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        said = {}  # an answer that is cut: its status is what counts
    if 200 <= answer.status < 300:
        return said if isinstance(said, dict) else {}
    told = plain(str(said.get("error", "")) if isinstance(said, dict) else "", 100)
    if answer.status in (400, 401, 403, 404):
        raise ConfigError(f"the numbering authority refuses: {answer.status} {told}".strip(), where=cna.url)
    raise UpstreamError(f"the numbering authority answers {answer.status}", where=cna.url)
