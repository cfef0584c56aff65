"""`clearway directive report|attest|compliance`: what an organisation reports, and what an authority sees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .commands_parts import acting, day, form_of, known, read_file, say, say_json, today

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from datetime import date

    from .kept.reports import Report

_KINDS = ("seven-day", "two-week", "overdue", "addresses", "lifecycle")
_ROWS_BYTES = 512 << 20


def add(command: Callable[[str, Callable[[argparse.Namespace], int], str], argparse.ArgumentParser]) -> None:
    """Registers the three commands; `command` makes a parser from a name, a function and a summary."""
    report = command("report", _report, "a report as of a day: the same facts and day give the same bytes")
    report.add_argument("name", metavar="NAME", help="such as bod-26-04, or bod-26-02 for edge devices")
    report.add_argument(
        "--kind", choices=_KINDS, default=None, help="default: seven-day; for bod-26-02 lifecycle"
    )
    _as_of(report)
    _organisation(report)
    report.add_argument(
        "--rows", metavar="FILE", help="assets and flaws from a file instead of the kept fleet"
    )
    report.add_argument("--csv", action="store_true", help="print CSV")
    report.add_argument("--oscal", action="store_true", help="print OSCAL assessment results")
    report.add_argument(
        "--validate", action="store_true", help="with --oscal: hold it to compliance-trestle first"
    )
    report.add_argument("--submit", action="store_true", help="keep it as this day's report")
    report.add_argument(
        "--share-with", metavar="AUTHORITY", default="", help="with --submit: let that authority see it"
    )

    attest = command("attest", _attest, "attest to this quarter's public addresses, and keep the inventory")
    attest.add_argument("name", metavar="NAME", nargs="?", default="bod-26-04", help="default: bod-26-04")
    attest.add_argument("--by", metavar="NAME", required=True, help="who attests")
    attest.add_argument("--role", metavar="ROLE", required=True, help="in which function")
    _as_of(attest)
    _organisation(attest)
    attest.add_argument("--share-with", metavar="AUTHORITY", default="", help="let that authority see it")

    seen = command("compliance", _compliance, "an authority's view of the organisations that it addressed")
    seen.add_argument("name", metavar="NAME", help="such as bod-26-04")
    _as_of(seen)
    _organisation(seen)
    seen.add_argument("--csv", action="store_true", help="print CSV")


def _as_of(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--as-of", metavar="DATE", type=day, help="the end of this day, UTC (default: today)")


def _organisation(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--org", metavar="SLUG", default="", help="the organisation (default: the only one you can act for)"
    )


def _report(args: argparse.Namespace) -> int:
    from clearway.records.errors import UsageError

    form = _form(args)
    if args.validate and form != "oscal":
        raise UsageError("--validate is of --oscal", mend="give both")
    if args.share_with and not args.submit:
        raise UsageError("--share-with is of --submit", mend="give both")
    if args.rows:
        if args.submit:
            raise UsageError("rows from a file are not kept", mend="leave out --submit, or --rows")
        _print(_of_rows(args), form, args.validate)
        return 0
    from .kept import reports
    from .kept.who import acting_in
    from .reports.provider import default_provider

    with acting(args) as (db, me):
        org = acting_in(db, me, args.org, "operate" if args.submit else "read")
        drawn = reports.make if args.submit else reports.draft
        made = drawn(db, default_provider(), org, _kind(args), args.name, known(args.as_of))
        if args.submit:
            reports.submit(db, me, org.slug, made, share_with=args.share_with)
    _print(made, form, args.validate)
    return 0


def _kind(args: argparse.Namespace) -> Any:
    from .reports.period import read_kind

    return read_kind(args.kind or ("lifecycle" if args.name == "bod-26-02" else "seven-day"))


def _form(args: argparse.Namespace) -> str:
    return form_of(args) or ("csv" if _kind(args) in ("addresses", "lifecycle") else "text")


def _print(report: Report, form: str, validated: bool) -> None:
    from .reports.forms import written

    data = written(report, form)
    if validated:
        from .reports.as_oscal import validate

        validate(data)
    say(data.decode())


def _of_rows(args: argparse.Namespace) -> Report:
    """The report on the rows of a file."""
    from .attestation import address_report
    from .duties import duties
    from .files import load
    from .lifecycle import lifecycle_report
    from .reports.remediation import Options, remediation_report
    from .reports.rows_file import check_tiers, read_rows

    given = read_rows(read_file(args.rows, _ROWS_BYTES), args.rows)
    as_of: date = args.as_of or today()
    kind = _kind(args)
    whose, name = given.organisation, given.organisation_name
    if kind == "lifecycle":
        rule = duties(args.name)
        return lifecycle_report(
            rule, given.all_assets(), as_of=as_of, organisation=whose, organisation_name=name
        )
    directive = load(args.name)
    if kind == "addresses":
        return address_report(
            directive.id, given.all_assets(), as_of=as_of, organisation=whose, organisation_name=name
        )
    check_tiers(given, directive, args.rows)
    options = Options(organisation=whose, organisation_name=name, policy=given.policy, retier=given.retier)
    return remediation_report(kind, directive, given.rows, as_of=as_of, options=options, assets=given.assets)


def _attest(args: argparse.Namespace) -> int:
    from .attestation import Attested
    from .kept import reports
    from .kept.who import acting_in
    from .reports.provider import default_provider

    said = Attested(by=args.by, role=args.role, on=today())
    with acting(args) as (db, me):
        org = acting_in(db, me, args.org, "operate")
        made = reports.make(
            db, default_provider(), org, "addresses", args.name, known(args.as_of), attested=said
        )
        kept = reports.submit(db, me, org.slug, made, share_with=args.share_with)
    if getattr(args, "json", False):
        say_json(made)
        return 0
    say(f"report {kept.id}: {org.name}, {made.quarter}, attested by {args.by}")  # type: ignore[union-attr]
    _print(made, "csv", False)
    return 0


def _compliance(args: argparse.Namespace) -> int:
    from clearway.records.errors import UsageError

    from .compliance import compliance_csv
    from .kept import reports

    if args.csv and getattr(args, "json", False):
        raise UsageError("--csv and --json at once", mend="give one of them")
    with acting(args) as (db, me):
        view = reports.seen_by_authority(db, me, args.org, args.name, known(args.as_of))
    if getattr(args, "json", False):
        say_json(view)
    elif args.csv:
        say(compliance_csv(view).decode())
    else:
        _say_view(view)
    return 0


def _say_view(view: Any) -> None:
    from clearway.records.text import plain

    from .reports.counts import total

    say(f"{view.directive} {view.version} as of {view.as_of}: {view.addressed} addressed, "
        f"{view.acknowledged} acknowledged, {view.late} late, {view.not_shared} not shared")  # fmt: skip
    if view.begins is not None:
        say(f"version {view.comes} is in effect from {view.begins} on")
    for line in view.organisations:
        noted = f"acknowledged {line.acknowledged}" if line.acknowledged else "not acknowledged"
        sums = total(line.counts)
        figures = (
            f"{sums['overdue']} overdue, {sums['due']} due" if line.counts_as_of else "no figures shared"
        )
        say(f"{plain(line.name, 60)} ({line.standing}): {noted}; {figures}")
        for report in line.reports:
            last = f"last {report.last}" if report.last else "none shared"
            late = f", {report.days_late} days late" if report.days_late else ""
            say(f"    {report.kind:<10} {report.punctuality:<11} {last}{late}")
