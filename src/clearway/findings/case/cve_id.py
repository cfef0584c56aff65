"""CVE ids: asked of the numbering authority's service, or assigned by hand where another authority gave one.

The shape is CVE Services' (https://github.com/CVEProject/cve-services): `POST /cve-id` reserves, `POST /cve/{id}/cna`
publishes the CNA container. A reservation that is lost on the way back leaves an id unused there; it is never guessed
here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from clearway.access import embargo
from clearway.formats.report_advisory import CVE
from clearway.records.errors import ConfigError, ConflictError, InputError, UpstreamError
from clearway.records.text import plain
from clearway.store.jobs import defer

from . import kept

if TYPE_CHECKING:
    import psycopg

    from clearway.http.outbound import Client

    from .kept import Case
    from .settings import Cna

    Connection = psycopg.Connection[Any]

TASK = "findings.case_cve"
DEADLINE_S = 30.0


def ask(db: Connection, case: Case) -> Case:
    """Asks for an id; a job gets it from the authority.

    Raises:
        ConflictError: it has one, or one is asked for.
        ForbiddenError: the caller is no coordinator.
    """
    kept.check_open(case)
    if case.cve_state not in ("", "rejected"):
        raise ConflictError(f"its CVE id is {case.cve_state}", where=case.subject)
    kept.changed(db, case, "cve = '', cve_state = 'requested'")
    kept.tell(db, case, "case.cve_requested", {})
    defer(db, TASK, {"case": case.id}, once=f"cve {case.handling}")
    return kept.by_id(db, case.id)


def assign(db: Connection, case: Case, cve: str) -> Case:
    """Notes the id that an authority has given.

    Raises:
        InputError: it is no CVE id.
        ConflictError: the case has another.
    """
    kept.check_open(case)
    found = cve.strip().upper()
    if not CVE.fullmatch(found):
        raise InputError("this is no CVE id", where="cve", mend="such as CVE-2026-12345")
    if case.cve_state in ("reserved", "published") and case.cve != found:
        raise ConflictError("it has another CVE id", where=case.subject)
    note(db, case, found, "case.cve_assigned")
    return kept.by_id(db, case.id)


def note(db: Connection, case: Case, cve: str, act: str) -> None:
    """Gives the case its id, and its embargo too: a listing of it in KEV is noticed."""
    kept.changed(db, case, "cve = %s, cve_state = 'reserved'", (cve,))
    embargo.name_flaw(db, case.embargo, cve)
    kept.tell(db, case, act, {"cve": cve})


def reserve(client: Client, cna: Cna, year: int) -> str:
    """An id that the authority's service has reserved.

    Raises:
        ConfigError: it refuses our credentials or the request.
        UpstreamError: it does not answer, or not as it should; try again later.
    """
    url = (
        f"{cna.url.rstrip('/')}/cve-id?amount=1&batch_type=sequential&cve_year={year:d}&short_name={cna.org}"
    )
    body = _post(client, cna, url, b"{}")
    try:
        found = str(body["cve_ids"][0]["cve_id"])
    except (KeyError, IndexError, TypeError):
        raise UpstreamError("the numbering authority gives no id", where=cna.url) from None
    if not CVE.fullmatch(found):
        raise UpstreamError("the numbering authority gives no CVE id", where=cna.url)
    return found


def publish(client: Client, cna: Cna, cve: str, container: dict[str, Any]) -> None:
    """Publishes the CNA container of an id; one that is published already is left as it is.

    Raises:
        ConfigError, UpstreamError: as `reserve`.
    """
    try:
        _post(
            client,
            cna,
            f"{cna.url.rstrip('/')}/cve/{cve}/cna",
            msgspec.json.encode({"cnaContainer": container}),
        )
    except ConfigError as error:
        if "CVE_RECORD_EXISTS" not in error.what:
            raise


def _post(client: Client, cna: Cna, url: str, body: bytes) -> dict[str, Any]:
    headers = {
        "content-type": "application/json",
        "CVE-API-ORG": cna.org,
        "CVE-API-USER": cna.user,
        "CVE-API-KEY": cna.key,
    }
    answer = client.post(url, body, headers, DEADLINE_S)
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
