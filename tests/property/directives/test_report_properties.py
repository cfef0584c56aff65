"""What holds of every report and triage: replay, counts, bytes, and events in any order."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from clearway.directives import Fact, Facts, load
from clearway.directives.attestation import address_report
from clearway.directives.duties import duties
from clearway.directives.reports import AssetTags, Options, ReportRow, remediation_report, state_of
from clearway.directives.reports.as_csv import cell
from clearway.directives.reports.as_oscal import remediation_oscal
from clearway.directives.reports.as_text import WIDTH, remediation_text
from clearway.directives.reports.counts import total
from clearway.directives.reports.remediation import as_json, read_report
from clearway.directives.reports.replay import StatusChange, row_as_of
from clearway.directives.triage import (
    Concluded,
    Event,
    EvidenceMoved,
    EvidenceTaken,
    IncidentReported,
    Patched,
    Reopened,
    StepDone,
    StepSkipped,
    StepStarted,
    Subject,
    Workbook,
    apply,
    flagged,
    new,
)
from clearway.records.errors import ConflictError, InputError

BOD = load("bod-26-04")
DAY0 = date(2026, 11, 1)
KEV = datetime(2026, 12, 7, tzinfo=UTC)
STEPS = duties("bod-26-04").triage
OPTIONS = Options(organisation="water")
days = st.integers(0, 90).map(lambda n: DAY0 + timedelta(days=n))
facts = st.lists(
    st.sampled_from([(p.id, v.id) for p in BOD.points for v in p.values]).flatmap(
        lambda pair: st.builds(Fact, point=st.just(pair[0]), value=st.just(pair[1]), dated=days)
    ),
    max_size=6,
).map(tuple)
statuses = st.lists(
    st.builds(
        StatusChange,
        dated=days,
        status=st.sampled_from(["open", "mitigated", "accepted", "fixed", "not_affected"]),
        until=st.none() | days,
    ),
    max_size=4,
).map(tuple)
histories = st.lists(
    st.tuples(
        st.builds(Facts, cve=st.sampled_from(["CVE-2026-1", ""]), changes=facts, detected=st.none() | days),
        statuses,
    ),
    max_size=5,
)


def rows_of(
    history: list[tuple[Facts, tuple[StatusChange, ...]]], as_of: date, gone: date | None = None
) -> list[ReportRow]:
    made = []
    for n, (known, said) in enumerate(history):
        asset = AssetTags(id=f"asset/{n % 2}", name="x", organisation="water", decommissioned=gone)
        row = row_as_of(BOD, asset, f"c{n}", known.cve or f"F-{n}", known, said, as_of=as_of)
        if row is not None:
            made.append(row)
    return made


def report_of(rows: list[ReportRow], as_of: date, kind: Any = "seven_day") -> Any:
    return remediation_report(kind, BOD, rows, as_of=as_of, options=OPTIONS)


@given(histories, days, st.data())
def test_what_becomes_known_later_changes_no_report_of_an_earlier_day(
    history: list[tuple[Facts, tuple[StatusChange, ...]]], day: date, data: st.DataObject
) -> None:
    then = as_json(report_of(rows_of(history, day), day))
    later = st.integers(1, 60).map(lambda n: day + timedelta(days=n))
    grown = []
    for known, said in history:
        more = data.draw(
            st.lists(st.builds(Fact, point=st.just("kev"), value=st.just("yes"), dated=later), max_size=2)
        )
        changes = data.draw(
            st.lists(st.builds(StatusChange, dated=later, status=st.just("fixed")), max_size=2)
        )
        grown.append(
            (
                Facts(cve=known.cve, changes=(*known.changes, *more), detected=known.detected),
                (*said, *changes),
            )
        )
    assert as_json(report_of(rows_of(grown, day, day + timedelta(days=1)), day)) == then


@given(histories, days, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_changes_no_byte_of_any_format(
    history: list[tuple[Facts, tuple[StatusChange, ...]]], day: date, random: Any
) -> None:
    rows = rows_of(history, day)
    shuffled = [*rows]
    random.shuffle(shuffled)
    one, other = report_of(rows, day), report_of(shuffled, day)
    assert as_json(one) == as_json(other)
    assert remediation_oscal(one) == remediation_oscal(other)
    assert read_report(as_json(one)) == one


@given(histories, days, st.sampled_from(["seven_day", "two_week", "overdue"]))
def test_the_counts_are_those_of_the_items_and_only_past_rows_are_left_out(
    history: list[tuple[Facts, tuple[StatusChange, ...]]], day: date, kind: str
) -> None:
    rows = rows_of(history, day)
    made = report_of(rows, day, kind)
    assert sum(total(made.counts).values()) == len(made.items)
    listed = {(i.asset, i.flaw, i.component) for i in made.items}
    for row in rows:
        state = state_of(row, day)
        there = (row.asset.id, row.flaw, row.component) in listed
        if state == "overdue":
            assert there
        elif kind == "overdue":
            assert not there
        elif state not in ("remediated", "remediated_late", "not_affected"):
            assert there
    assert max(map(len, remediation_text(made).splitlines())) <= WIDTH


@given(st.text())
def test_no_text_makes_a_cell_that_a_spreadsheet_runs(text: str) -> None:
    shown = cell(text)
    assert not shown.lstrip().startswith(("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20"))
    assert shown.isprintable()


@given(st.lists(st.text(max_size=40), max_size=4), st.lists(st.text(max_size=40), max_size=3))
def test_any_text_for_an_address_is_an_address_a_doubt_or_private(
    addresses: list[str], names: list[str]
) -> None:
    asset = AssetTags(
        id="a", name="a", organisation="o", exposure="public", addresses=tuple(addresses), names=tuple(names)
    )
    made = address_report("bod-26-04", [asset], as_of=DAY0, organisation="o")
    again = AssetTags(
        id="a", name="a", organisation="o", exposure="public",
        addresses=tuple(a.address for a in made.addresses if a.kind != "name"),
        names=tuple(a.address for a in made.addresses if a.kind == "name"),
    )  # fmt: skip
    assert address_report("bod-26-04", [again], as_of=DAY0, organisation="o").addresses == made.addresses


moments = st.integers(0, 100).map(lambda h: KEV + timedelta(hours=h))
people = st.sampled_from(["ann", "bob"])
ids = st.sampled_from(["E1", "E2"])
hashes = st.sampled_from(["a" * 64, "b" * 64])
step_ids = st.sampled_from([s.id for s in STEPS])
base = {"at": moments, "by": people}
events: st.SearchStrategy[Event] = st.one_of(
    st.builds(StepStarted, **base, step=step_ids),
    st.builds(StepDone, **base, step=step_ids),
    st.builds(StepSkipped, **base, step=step_ids, reason=st.just("why")),
    st.builds(
        EvidenceTaken, **base, evidence=ids, what=st.just("memory"), volatile=st.booleans(), sha256=hashes,
        size_bytes=st.integers(0, 9), place=st.just("safe"),
    ),
    st.builds(EvidenceMoved, **base, evidence=ids, to=people, place=st.just("lab"), sha256=hashes),
    st.builds(Patched, **base, what=st.just("update")),
    st.builds(Concluded, **base, conclusion=st.sampled_from(["none", "suspected", "confirmed"]), summary=st.just("s")),
    st.builds(IncidentReported, **base, reference=st.just("R")),
    st.builds(Reopened, **base, reason=st.just("r")),
)  # fmt: skip
SUBJECT = Subject(
    organisation="o", asset="a", asset_name="a", flaw="f", component="c", directive="bod-26-04", kev_added=KEV
)


def holds(book: Workbook, now: datetime) -> None:
    """What is true of every workbook that can be reached."""
    ended = [s for s in book.steps if s.state in ("done", "skipped")]
    assert all(s.ended is not None for s in ended)
    if book.conclusion is not None:
        assert len(ended) == len(book.steps)
        assert book.concluded_by
    for evidence in book.evidence:
        assert evidence.custody[0].sha256 == evidence.sha256
        since = [c.since for c in evidence.custody]
        assert since == sorted(since)
        assert all(c.intact == (c.sha256 == evidence.sha256) for c in evidence.custody)
    seen = flagged(book, now)
    assert flagged(seen, now) == seen


def patched_too_soon(told: list[Event]) -> bool:
    """Said a second time, from the events alone: a patch by whatever event, and no volatile evidence told by then."""
    memory: list[datetime] = []
    for event in told:
        match event:
            case EvidenceTaken(volatile=True) if event.size_bytes:
                memory.append(event.at)
            case Patched() | StepStarted(step="patch") | StepDone(step="patch"):
                if not any(at <= event.at for at in memory):
                    return True
            case _:
                pass
    return False


@settings(max_examples=150)
@given(st.lists(events, max_size=25), moments)
def test_every_reachable_workbook_keeps_its_promises(given_events: list[Event], now: datetime) -> None:
    book = new(SUBJECT, STEPS)
    told: list[Event] = []
    for event in given_events:
        try:
            book = apply(book, event)
        except (ConflictError, InputError):
            continue
        told.append(event)
        holds(book, now)
        seen = flagged(book, now)
        assert seen.patched_first == patched_too_soon(told)
        assert seen.patched_first == any(f.startswith("patched") for f in seen.flags)
