"""What an asset's first inventory writes has one plan, kept for the session, in place of one made each time."""

from clearway.store.ddl import changed, run

revision = "0105"
down_revision = "0104"
branch_labels = None
depends_on = None

TAKE = (
    (
        """    -- The asset's row is locked: nobody else adds to what it holds.
    execute 'with put as (
            insert into clearway.held (asset, pv, aud, seen) select $1, w.pv, $4, $3 from unnest($2) w(pv)
            where w.pv not in (select h.pv from clearway.held h where h.asset = $1) returning pv)
        select coalesce(array_agg(pv), ''{}'') from put' into added using which, pvs, kept, a.aud;
    execute 'with first as materialized (
            select w.pv from unnest($1) w(pv) where not exists (
                select from clearway.held h where h.aud = $2 and h.pv = w.pv and h.asset <> $3))
        insert into clearway.version_use select w.pv, $2 from first w where not exists (
            select from clearway.version_use u where u.pv = w.pv and u.aud = $2) on conflict do nothing'
        using added, a.aud, which;
""",
        """    -- The asset's row is locked: nobody else adds to what it holds.
    if holds then
        execute 'with put as (
                insert into clearway.held (asset, pv, aud, seen) select $1, w.pv, $4, $3 from unnest($2) w(pv)
                where w.pv not in (select h.pv from clearway.held h where h.asset = $1) returning pv)
            select coalesce(array_agg(pv), ''{}'') from put' into added using which, pvs, kept, a.aud;
    else
        insert into held (asset, pv, aud, seen) select which, w.pv, a.aud, kept from unnest(pvs) w(pv);
        added := pvs;
    end if;
    -- `offset 0`: a look into the index for each, whatever the plan thinks of an audience that holds most of all.
    with first as materialized (
        select w.pv from unnest(added) w(pv) where not exists (
            select from held h where h.aud = a.aud and h.pv = w.pv and h.asset <> which offset 0))
    insert into version_use select w.pv, a.aud from first w where not exists (
        select from version_use u where u.pv = w.pv and u.aud = a.aud offset 0) on conflict do nothing;
""",
    ),
)
EXPOSE = (
    (
        """    execute 'with put as (
        insert into clearway.exposure as e
""",
        """    if not stood then
        with put as (
            insert into exposure (first_seen, asset, pv, flaw, via, org, aud, detected, due, clock, verdict, how)
            select (select fleet_now()), which, g.pv, g.flaw, 0, a.org, a.aud, g.detected, g.due, g.clock, g.verdict,
                g.how
            from unnest(pvs, flaws, verdicts, fleet_expose.detected, hows, dues, clocks)
                as g(pv, flaw, verdict, detected, how, due, clock)
            returning exposure)
        select coalesce(array_agg(exposure), '{}') from put into appeared;
    else
    execute 'with put as (
        insert into clearway.exposure as e
""",
    ),
    (
        """
        ' || case when stood then 'on conflict (asset, pv, flaw, via) do update set gone = null,
            verdict = excluded.verdict, detected = excluded.detected, due = excluded.due, clock = excluded.clock,
            how = excluded.how, status = 0, decision = null, until = null, version = e.version + 1
            where e.gone is not null' else '' end || '
        returning e.exposure)""",
        """
        on conflict (asset, pv, flaw, via) do update set gone = null,
            verdict = excluded.verdict, detected = excluded.detected, due = excluded.due, clock = excluded.clock,
            how = excluded.how, status = 0, decision = null, until = null, version = e.version + 1
            where e.gone is not null
        returning e.exposure)""",
    ),
    (
        "        into appeared using which, pvs, flaws, verdicts, detected, hows, dues, clocks, a.org, a.aud;\n",
        "        into appeared using which, pvs, flaws, verdicts, detected, hows, dues, clocks, a.org, a.aud;\n"
        "    end if;\n",
    ),
)
CHANGES = (("fleet_take", TAKE), ("fleet_expose", EXPOSE))


def upgrade() -> None:
    run(*(changed(name, *((was, is_, 1) for was, is_ in of)) for name, of in CHANGES))


def downgrade() -> None:
    run(*(changed(name, *((was, is_, 1) for is_, was in of[::-1])) for name, of in CHANGES))
