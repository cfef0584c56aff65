"""A version of a directive governs from its own day on, which is never before it was issued."""

import json
from datetime import date

from alembic import op

from clearway.store.ddl import run, standing

revision = "0086"
down_revision = "0085"
branch_labels = None
depends_on = None

# Whoever writes a row, no version governs before it is issued. `begun`: when its day, which had been to come, was told.
COLUMNS = """
alter table clearway.directive_version add column begins date, add column begun timestamptz;
create function clearway.directive_begins() returns trigger language plpgsql
    security definer set search_path = clearway, pg_temp as $$
begin
    new.begins := greatest(new.begins, new.issued);
    return new;
end $$;
create trigger begins before insert or update of begins, issued on clearway.directive_version
    for each row execute function clearway.directive_begins();
revoke execute on function clearway.directive_begins() from public;
update clearway.directive_version set begins = issued;
"""
RULES = """
alter table clearway.directive_version alter column begins set not null, add check (begins >= issued);
create index directive_version_begun on clearway.directive_version (begins) where begun is null and begins > issued;
grant insert (begins) on clearway.directive_version to clearway_app;
insert into clearway.log_act (act, app) values ('directive.begun', false);
-- Who was dated by a version before its day is dated again.
insert into clearway.fleet_ruling (org)
    select a.recipient from clearway.directive_address a join clearway.directive_version v using (org, directive)
    where not v.imported and v.begins > v.issued
    union select v.org from clearway.directive_version v where v.imported and v.begins > v.issued;
"""
# A version that is to come is overtaken by one that is issued after it and begins no later: it is held against nothing.
_OVERTAKEN = """
                    and not (w.begins > w.issued and exists (
                        select from directive_version l
                        where l.org = w.org and l.directive = w.directive and not l.imported
                            and (l.issued, l.version_id) > (w.issued, w.version_id) and l.begins <= w.begins
                            and (known is null or l.issued_at < known) and not coalesce(l.revoked <= day
                                and (known is null or l.revoked_at is null or l.revoked_at < known), false)))"""


def upgrade() -> None:
    """Adds the day, works it out for what was issued before, and makes the function anew that tells what stands."""
    run(COLUMNS)
    db = op.get_bind()
    for (number,) in db.exec_driver_sql("select version_id from clearway.directive_version").fetchall():
        row = db.exec_driver_sql(
            "select document, issued from clearway.directive_version where version_id = %s", (number,)
        ).one()
        day = _first_day(bytes(row[0]))
        if day is not None and day > row[1]:
            db.exec_driver_sql(
                "update clearway.directive_version set begins = %s where version_id = %s", (day, number)
            )
    run(RULES, _made_anew(back=False))


def downgrade() -> None:
    """As it was: each version governs as soon as it is issued."""
    run(_made_anew(back=True))
    run(
        """drop trigger begins on clearway.directive_version;
        drop function clearway.directive_begins();
        alter table clearway.directive_version drop column begins, drop column begun;
        delete from clearway.log_act where act = 'directive.begun';"""
    )


def _made_anew(back: bool) -> str:
    """The function as it stands, told by the day on which a version begins; with `back`, as it was before."""
    text = standing("directives_of")
    for was, now in (
        ("not w.imported and w.issued <= day", f"not w.imported and w.begins <= day{_OVERTAKEN}"),
        ("w.imported and w.issued <= day", "w.imported and w.begins <= day"),
        ("'adopted', w.issued, true", "'adopted', w.begins, true"),
    ):
        old, new = (now, was) if back else (was, now)
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def _first_day(document: bytes) -> date | None:
    """The first day of a document's phases, else its publication; None for what can't be read: it dates nothing."""
    try:
        read = json.loads(document)
        days = [phase["from"] for phase in read["effective"]] or [read["published"]]
        return min(date.fromisoformat(day) for day in days)
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
