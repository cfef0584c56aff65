"""Names tell nothing of hidden assets, and what is done by right is logged by those alone who have it."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from clearway.store.ddl import before, run

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None

NAMES = """
-- A name is one asset's alone among those that somebody sees, which the application holds to (`asset.add`): a rule over
-- all rows would tell that a hidden one has it.
alter table clearway.asset drop constraint asset_org_name_key;
create index asset_org_name on clearway.asset (org, name);
drop function clearway.fleet_taken(int, text[]);
"""
NAMES_BEFORE = """
update clearway.asset a set name = left(a.name, 280) || ' (' || a.asset || ')'
where exists (select from clearway.asset b where b.org = a.org and b.name = a.name and b.asset < a.asset);
drop index clearway.asset_org_name;
alter table clearway.asset add constraint asset_org_name_key unique (org, name);
"""

ACTS = """
-- Which rights, any of them in any organisation, who logs an act must have: SQL that slips in with the credential of
-- somebody who never could do such a thing can't say that they did it.
alter table clearway.log_act add column needs text[];
insert into clearway.log_act (act, app, needs) values
    ('role.granted', true, '{administer}'),
    ('person.added', true, '{administer}'), ('person.barred', true, '{administer}'),
    ('person.allowed', true, '{administer}'), ('person.invited', true, '{administer}'),
    ('service.added', true, '{administer}'),
    ('organisation.added', true, '{administer}'), ('organisation.changed', true, '{administer}'),
    ('approval.approved', true, '{coordinate,administer}'), ('approval.refused', true, '{coordinate,administer}'),
    ('directive.issued', true, '{direct}'), ('directive.revoked', true, '{direct}'),
    ('directive.addressed', true, '{direct}'), ('directive.withdrawn', true, '{direct}'),
    ('directive.key_added', true, '{administer}'), ('directive.key_retired', true, '{administer}'),
    ('directive.imported', true, '{administer}');
update clearway.log_act set needs = '{coordinate,administer}' where act in ('embargo.*', 'list.*', 'client.*');
update clearway.log_act set needs = '{administer}' where act in ('feed.pull_asked', 'feeds.pull_asked');
update clearway.log_act set needs = '{audit}' where act = 'ledger.verification_asked';
"""
ACTS_BEFORE = """
delete from clearway.log_act where needs is not null and app and act not in (
    'embargo.*', 'list.*', 'client.*', 'feed.pull_asked', 'feeds.pull_asked', 'ledger.verification_asked');
alter table clearway.log_act drop column needs;
"""
# As in 0023. An embargo's acts are besides of one that the author coordinates, or administers where it is kept.
_KNOWN = """        if not coalesce((select app from log_act where act = wanted_act),
                (select app from log_act where act = split_part(wanted_act, '.', 1) || '.*'), false) then
            raise 'the application logs no such act' using errcode = 'CW403';
        end if;
"""
_RIGHTFUL = """        select a.app, a.needs into listed, rights from log_act a
            where a.act in (wanted_act, split_part(wanted_act, '.', 1) || '.*') order by a.act <> wanted_act limit 1;
        if listed is not true then
            raise 'the application logs no such act' using errcode = 'CW403';
        end if;
        if rights is not null and not exists (select from unnest(rights) r where my_orgs(r) <> '{}') then
            raise 'who logs that has not the right to do it' using errcode = 'CW403';
        end if;
        if wanted_act ^@ 'embargo.' and not exists (select from embargo e where wanted_subject = 'embargo/' || e.uid
                and (may('coordinate', e.org) or may('administer', e.org))) then
            raise 'who logs that has not the right to do it' using errcode = 'CW403';
        end if;
"""


def _log_append_before() -> str:
    file = Path(__file__).with_name("0023_markings_more.py")
    spec = spec_from_file_location("clearway_0023", file)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    made: str = module._log_append()
    return made


def _log_append() -> str:
    text = _log_append_before()
    assert _KNOWN in text
    return text.replace(_KNOWN, _RIGHTFUL).replace(
        "    sees boolean;\n", "    sees boolean;\n    listed boolean;\n    rights text[];\n", 1
    )


def upgrade() -> None:
    run(NAMES, ACTS, _log_append())


def downgrade() -> None:
    run(
        _log_append_before(),
        ACTS_BEFORE,
        NAMES_BEFORE,
        before("0026_mends_1", "fleet_taken"),
        "revoke execute on function clearway.fleet_taken(int, text[]) from public; "
        "grant execute on function clearway.fleet_taken(int, text[]) to clearway_app",
    )
