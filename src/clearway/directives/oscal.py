"""OSCAL 1.2.1 assessment results, as much of the model as the reports use (NIST, `assessment-results`).

Fields that would be empty are left out: the model forbids empty arrays. UUIDs are version 5, so that the same
report gives the same document.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid5

import msgspec
from msgspec import Struct

from clearway.records.text import plain

OSCAL_VERSION = "1.2.1"
NAMESPACE = UUID("8e2a0b52-6a43-5c5e-9f3e-4f6f2a1c7d10")  # of this product's documents, chosen once
LONGEST = 2000  # characters of one text
NS = "urn:clearway:oscal"  # the namespace of our own properties


def name_uuid(*parts: str) -> str:
    """The version 5 UUID of a name made of `parts`; a part may hold any text, and parts never run together."""
    return str(uuid5(NAMESPACE, "\x00".join(part.replace("\x00", "\ufffd") for part in parts)))


def line(text: str) -> str:
    """Text as OSCAL's single lines want it: at most 2,000 characters, nothing around them, never empty."""
    return plain(text, LONGEST).strip() or "-"


class _Part(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="kebab"):
    """Spelled as OSCAL spells its keys, and without what is not set."""


class Property(_Part, frozen=True, kw_only=True):
    name: str
    value: str
    ns: str = ""


def props(values: dict[str, str]) -> tuple[Property, ...]:
    """Properties of our namespace, without those that say nothing."""
    return tuple(
        Property(name=name, value=line(value), ns=NS) for name, value in values.items() if value.strip()
    )


class Party(_Part, frozen=True, kw_only=True):
    uuid: str
    type: str
    name: str


class ResponsibleParty(_Part, frozen=True, kw_only=True):
    role_id: str
    party_uuids: tuple[str, ...]


class Role(_Part, frozen=True, kw_only=True):
    id: str
    title: str


class Metadata(_Part, frozen=True, kw_only=True):
    title: str
    last_modified: datetime
    version: str
    oscal_version: str = ""
    props: tuple[Property, ...] = ()
    roles: tuple[Role, ...] = ()
    parties: tuple[Party, ...] = ()
    responsible_parties: tuple[ResponsibleParty, ...] = ()


class ImportAp(_Part, frozen=True, kw_only=True):
    href: str


class InventoryItem(_Part, frozen=True, kw_only=True):
    uuid: str
    description: str
    props: tuple[Property, ...] = ()


class LocalDefinitions(_Part, frozen=True, kw_only=True):
    inventory_items: tuple[InventoryItem, ...] = ()


class ControlId(_Part, frozen=True, kw_only=True):
    control_id: str


class ControlSelection(_Part, frozen=True, kw_only=True):
    include_controls: tuple[ControlId, ...]


class ReviewedControls(_Part, frozen=True, kw_only=True):
    control_selections: tuple[ControlSelection, ...]


class Subject(_Part, frozen=True, kw_only=True):
    subject_uuid: str
    type: str


class Observation(_Part, frozen=True, kw_only=True):
    uuid: str
    title: str
    description: str
    methods: tuple[str, ...]
    collected: datetime
    types: tuple[str, ...] = ()
    subjects: tuple[Subject, ...] = ()
    props: tuple[Property, ...] = ()


class ObservationId(_Part, frozen=True, kw_only=True):
    observation_uuid: str


class RiskId(_Part, frozen=True, kw_only=True):
    risk_uuid: str


class Risk(_Part, frozen=True, kw_only=True):
    uuid: str
    title: str
    description: str
    statement: str
    status: str
    deadline: datetime | None = None
    props: tuple[Property, ...] = ()
    related_observations: tuple[ObservationId, ...] = ()


class TargetStatus(_Part, frozen=True, kw_only=True):
    state: str
    reason: str = ""


class FindingTarget(_Part, frozen=True, kw_only=True):
    type: str
    target_id: str
    status: TargetStatus


class Finding(_Part, frozen=True, kw_only=True):
    uuid: str
    title: str
    description: str
    target: FindingTarget
    props: tuple[Property, ...] = ()
    related_observations: tuple[ObservationId, ...] = ()
    related_risks: tuple[RiskId, ...] = ()


class Result(_Part, frozen=True, kw_only=True):
    uuid: str
    title: str
    description: str
    start: datetime
    reviewed_controls: ReviewedControls
    end: datetime | None = None
    props: tuple[Property, ...] = ()
    local_definitions: LocalDefinitions | None = None
    observations: tuple[Observation, ...] = ()
    risks: tuple[Risk, ...] = ()
    findings: tuple[Finding, ...] = ()


class AssessmentResults(_Part, frozen=True, kw_only=True):
    uuid: str
    metadata: Metadata
    import_ap: ImportAp
    results: tuple[Result, ...]


class Document(_Part, frozen=True, kw_only=True):
    """The root of the JSON document."""

    assessment_results: AssessmentResults


def reviewed(control: str) -> ReviewedControls:
    """That one control is what was looked at."""
    return ReviewedControls(
        control_selections=(ControlSelection(include_controls=(ControlId(control_id=control),)),)
    )


def document(
    uuid: str,
    result: Result,
    *,
    title: str,
    at: datetime,
    version: str,
    organisation: str,
    name: str,
    plan: str,
) -> bytes:
    """One result as the bytes of an OSCAL JSON document; the same arguments give the same bytes.

    It is told by the organisation of that slug and `name`, `at` that moment; `plan` is what it was looked at by.
    """
    party = name_uuid("organisation", organisation)
    whole = Document(
        assessment_results=AssessmentResults(
            uuid=uuid,
            metadata=Metadata(
                title=title,
                last_modified=at,
                version=version,
                oscal_version=OSCAL_VERSION,
                roles=(Role(id="reporter", title="Reporting organisation"),),
                parties=(Party(uuid=party, type="organization", name=line(name)),),
                responsible_parties=(ResponsibleParty(role_id="reporter", party_uuids=(party,)),),
            ),
            import_ap=ImportAp(href=plan),
            results=(result,),
        )
    )
    return msgspec.json.format(msgspec.json.encode(whole), indent=2) + b"\n"
