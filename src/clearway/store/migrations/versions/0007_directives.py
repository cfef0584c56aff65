"""Directives issued, acknowledged and reported on."""

from alembic import op

from clearway.store.ddl import run

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# Who did it and when is never said by the caller: those columns have defaults and no right to be written.
ISSUED = """
-- The public keys with which an authority signs. The private ones are never here.
create table clearway.directive_key (
    key int generated always as identity primary key,
    org int not null references clearway.organisation,
    aud clearway.audience_id not null,
    key_id text not null check (key_id ~ '^[0-9a-f]{16}$'),
    public bytea not null check (octet_length(public) = 32),  -- Ed25519, RFC 8032
    label text not null default '' check (length(label) <= 200),
    added timestamptz not null default clock_timestamp(),
    added_by int not null default clearway.actor(),
    retired timestamptz,
    unique (org, key_id)
);
-- One version of a directive as it was signed, byte for byte. It stays for ever; `revoked` is from which day it no
-- longer stands. `imported`: taken over from an authority that is no organisation of this installation.
create table clearway.directive_version (
    version_id bigint generated always as identity primary key,
    org int not null references clearway.organisation,
    aud clearway.audience_id not null,
    directive text not null check (directive ~ '^[a-z0-9][a-z0-9.-]{0,62}$'),
    version text not null check (length(version) between 1 and 60),
    document bytea not null check (octet_length(document) <= 1048576),
    sha256 bytea not null check (sha256 = sha256(document)),
    signature bytea not null check (octet_length(signature) = 64),
    key_id text not null,
    public bytea not null check (octet_length(public) = 32),
    imported boolean not null default false,
    issued date not null,
    issued_at timestamptz not null default clock_timestamp(),
    issued_by int not null default clearway.actor(),
    revoked date,
    revoked_reason text not null default '' check (length(revoked_reason) <= 4000),
    unique (org, directive, version, imported)
);
-- To whom it is addressed, and what it is to them. `aud` is the authority and that organisation.
create table clearway.directive_address (
    address bigint generated always as identity primary key,
    org int not null references clearway.organisation,
    aud clearway.audience_id not null,
    directive text not null,
    recipient int not null references clearway.organisation,
    standing text not null check (standing in ('binding', 'adopted', 'advisory')),
    since date not null,
    until date check (until > since),
    made timestamptz not null default clock_timestamp(),
    made_by int not null default clearway.actor(),
    unique (org, directive, recipient, since)
);
create index directive_address_recipient on clearway.directive_address (recipient);
-- `org` has taken note of a version. `aud` is that organisation and the authority.
create table clearway.directive_acknowledgement (
    acknowledgement bigint generated always as identity primary key,
    org int not null references clearway.organisation,
    aud clearway.audience_id not null,
    version_id bigint not null references clearway.directive_version,
    note text not null default '' check (length(note) <= 4000),
    by_name text not null check (length(by_name) between 1 and 200),
    at timestamptz not null default clock_timestamp(),
    by_person int not null default clearway.actor(),
    unique (org, version_id)
);
create index directive_acknowledgement_version on clearway.directive_acknowledgement (version_id);
"""

REPORTED = """
-- A report as it was made: its JSON byte for byte. `authority`: whom it was shared with, by `aud` too.
create table clearway.directive_report (
    report bigint generated always as identity primary key,
    org int not null references clearway.organisation,
    aud clearway.audience_id not null,
    authority int references clearway.organisation,
    directive text not null,
    directive_version text not null,
    kind text not null check (kind in ('seven_day', 'two_week', 'overdue', 'addresses', 'lifecycle')),
    as_of date not null,
    sha256 bytea not null check (sha256 = sha256(body)),
    body bytea not null check (octet_length(body) <= 268435456),
    counts jsonb not null default '{}',
    by_name text not null check (length(by_name) between 1 and 200),
    submitted timestamptz not null default clock_timestamp(),
    submitted_by int not null default clearway.actor(),
    unique (org, directive, kind, as_of, sha256, aud)
);
create index directive_report_org on clearway.directive_report (org, directive, kind, as_of desc);
create index directive_report_authority on clearway.directive_report (authority, directive, as_of desc)
    where authority is not null;
"""

TRIAGED = """
-- A forensic triage: what it is about, and its events, appended and never changed.
create table clearway.triage (
    triage bigint generated always as identity primary key,
    org int not null references clearway.organisation,
    aud clearway.audience_id not null,
    directive text not null,
    asset text not null check (length(asset) between 1 and 300),
    asset_name text not null check (length(asset_name) <= 300),
    flaw text not null check (length(flaw) between 1 and 300),
    component text not null check (length(component) <= 2000),
    kev_added timestamptz not null,
    opened timestamptz not null default clock_timestamp(),
    opened_by int not null default clearway.actor(),
    unique (triage, org, aud)
);
create index triage_org on clearway.triage (org, triage desc);
-- An event is seen by whom its triage is seen: `aud` follows it.
create table clearway.triage_event (
    triage bigint not null,
    seq int not null check (seq between 1 and 10000),
    org int not null,
    aud clearway.audience_id not null,
    body jsonb not null,
    recorded timestamptz not null default clock_timestamp(),
    recorded_by int not null default clearway.actor(),
    primary key (triage, seq),
    foreign key (triage, org, aud) references clearway.triage (triage, org, aud) on update cascade
);
"""

POLICIES = """
select clearway.govern('clearway.directive_key', 'administer');
select clearway.govern('clearway.directive_version', 'direct');
select clearway.govern('clearway.directive_address', 'direct');
select clearway.govern('clearway.directive_acknowledgement', 'operate');
select clearway.govern('clearway.directive_report', 'operate');
select clearway.govern('clearway.triage', 'operate');
select clearway.govern('clearway.triage_event', 'operate');

-- Only an authority has keys, issues and addresses; what is imported binds nobody but who imported it.
create policy authority on clearway.directive_key as restrictive for insert to clearway_app with check (
    exists (select from clearway.organisation o where o.org = directive_key.org and o.kind = 'authority'));
create policy authority on clearway.directive_version as restrictive for insert to clearway_app with check (
    imported or exists (
        select from clearway.directive_key k join clearway.organisation o on o.org = k.org and o.kind = 'authority'
        where k.org = directive_version.org and k.key_id = directive_version.key_id
            and k.public = directive_version.public and k.retired is null));
create policy authority on clearway.directive_address as restrictive for insert to clearway_app with check (
    exists (select from clearway.organisation o where o.org = directive_address.org and o.kind = 'authority'));
-- Taking over what another authority has signed is a matter of running an organisation.
create policy import on clearway.directive_version for insert to clearway_app with check (
    imported and get_bit((select clearway.my_bits()), aud) = 1
    and org = any((select clearway.my_orgs('administer'))::int[]));
-- A report goes to an authority that has addressed its organisation, or to nobody.
create policy addressed on clearway.directive_report as restrictive for insert to clearway_app with check (
    authority is null or exists (
        select from clearway.directive_address a where a.org = authority
            and a.recipient = directive_report.org and a.directive = directive_report.directive));

-- What was said stays said.
revoke insert, update, delete on clearway.directive_key, clearway.directive_version, clearway.directive_address,
    clearway.directive_acknowledgement, clearway.directive_report, clearway.triage, clearway.triage_event
    from clearway_app;
grant insert (org, aud, key_id, public, label), update (retired) on clearway.directive_key to clearway_app;
grant insert (org, aud, directive, version, document, sha256, signature, key_id, public, imported, issued),
    update (revoked, revoked_reason) on clearway.directive_version to clearway_app;
grant insert (org, aud, directive, recipient, standing, since), update (until) on clearway.directive_address
    to clearway_app;
grant insert (org, aud, version_id, note, by_name) on clearway.directive_acknowledgement to clearway_app;
grant insert (org, aud, authority, directive, directive_version, kind, as_of, sha256, body, counts, by_name)
    on clearway.directive_report to clearway_app;
grant insert (org, aud, directive, asset, asset_name, flaw, component, kev_added) on clearway.triage to clearway_app;
grant insert (triage, seq, org, aud, body) on clearway.triage_event to clearway_app;
"""


def upgrade() -> None:
    """Creates the tables and their rules."""
    run(ISSUED, REPORTED, TRIAGED, POLICIES)


def downgrade() -> None:
    """Drops them, and with them every report and triage."""
    tables = (
        "triage_event",
        "triage",
        "directive_report",
        "directive_acknowledgement",
        "directive_address",
        "directive_version",
        "directive_key",
    )
    op.execute(f"drop table {', '.join(f'clearway.{table}' for table in tables)}")
    names = ", ".join(f"'clearway.{table}', '{table}'" for table in tables)
    op.execute(f"delete from clearway.governed where name in ({names})")  # noqa: S608  constants
