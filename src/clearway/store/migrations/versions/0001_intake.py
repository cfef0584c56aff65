"""What sources say, kept as they said it, and what is drawn from it."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = """
-- One record of one source in one version, byte for byte. `derived` is drawn from `raw` by the
-- program version `derived_by` and can be drawn again.
create table clearway.record (
    rec bigint generated always as identity primary key,
    source text not null,
    id text not null,
    format text not null,
    kind text not null,
    version text not null default '',
    sha256 bytea not null check (octet_length(sha256) = 32),
    raw bytea not null,
    derived bytea,
    derived_by integer,
    received timestamptz not null,
    origin text not null,
    tlp text not null default 'CLEAR'
        check (tlp in ('CLEAR', 'GREEN', 'AMBER', 'AMBER+STRICT', 'RED')),
    current boolean not null,
    unique (source, id, sha256)
);
create unique index record_current on clearway.record (source, id) where current;
create index record_sha256 on clearway.record (sha256);

-- What a record says about how two ids hang together: same, related, upstream, duplicate, bundles.
create table clearway.edge (
    rec bigint not null references clearway.record on delete cascade,
    source text not null,
    subject text not null,
    kind text not null,
    target text not null
);
create index edge_rec on clearway.edge (rec);
create index edge_subject on clearway.edge (subject);
create index edge_target on clearway.edge (target);

-- What a standing record says about one package. `clear` repeats that its record is TLP:CLEAR, so that
-- compiling hundreds of thousands of claims needs no join.
create table clearway.claim (
    rec bigint not null references clearway.record on delete cascade,
    ecosystem text not null,
    name text not null,
    clear boolean not null,
    body bytea not null
);
create index claim_rec on clearway.claim (rec);
create index claim_package on clearway.claim (ecosystem, name);

-- What the compiled table may carry: the record that stands, where anybody may see it.
create view clearway.standing with (security_invoker = true) as
    select rec, source, id, format, version, sha256, derived, received
    from clearway.record where current and tlp = 'CLEAR';

-- Catalogues (KEV, EPSS) as they came, whole.
create table clearway.catalogue (
    sha256 bytea primary key check (octet_length(sha256) = 32),
    source text not null,
    kind text not null,
    version text not null default '',
    entries integer not null,
    raw bytea not null,
    received timestamptz not null,
    origin text not null
);

-- The newest score of each CVE; the files that carried it stay in `catalogue`.
create table clearway.epss (
    cve text primary key,
    model text not null default '',
    dated text not null default '',
    probability double precision not null,
    percentile double precision,
    catalogue bytea not null references clearway.catalogue on delete cascade
);

-- What could not be used, and why.
create table clearway.set_aside (
    id bigint generated always as identity primary key,
    sha256 bytea not null check (octet_length(sha256) = 32),
    origin text not null,
    place text not null,
    reason text not null,
    received timestamptz not null,
    unique (sha256, place)
);

create table clearway.intake_run (
    id bigint generated always as identity primary key,
    started timestamptz not null,
    ended timestamptz,
    counts jsonb not null default '{}'
);

-- One row: a number that every committed batch raises, so that what is compiled can tell its age,
-- and a name for this database, so that it can tell whose it is.
create table clearway.generation (
    one boolean primary key default true check (one),
    n bigint not null,
    home uuid not null default gen_random_uuid()
);
insert into clearway.generation (n) values (0);
"""


def upgrade() -> None:
    """Creates the tables of intake."""
    op.get_bind().exec_driver_sql(TABLES)


def downgrade() -> None:
    """Drops them, and with them everything that was taken in."""
    op.execute("drop view clearway.standing")
    op.execute(
        "drop table clearway.generation, clearway.intake_run, clearway.set_aside, clearway.epss, "
        "clearway.catalogue, clearway.claim, clearway.edge, clearway.record"
    )
