"""A scanner's word that names nothing but the flaw is a witness of what names more, and no exposure of its own."""

from clearway.store.ddl import changed, run

revision = "0106"
down_revision = "0105"
branch_labels = None
depends_on = None

BARE = r"""
-- Whether it is a scanner's word that names neither a package nor a plugin: its name is the flaw as it was reported,
-- which `component` (MessagePack) holds behind the key `repo`.
create function clearway.fleet_says_no_more(word int) returns boolean language sql stable
    set search_path = clearway, pg_temp as $$
    select case when v.ecosystem <> 'reported' or octet_length(v.name) > 255 then false else position(
        '\xa47265706f'::bytea || case when octet_length(v.name) < 32
            then set_byte('\x00'::bytea, 0, 160 + octet_length(v.name))
            else '\xd9'::bytea || set_byte('\x00'::bytea, 0, octet_length(v.name)) end
        || convert_to(v.name, 'UTF8') in v.component) > 0 end
    from package_version v where v.pv = $1 $$;
revoke execute on function clearway.fleet_says_no_more(int) from public;
"""
EXPLAINED = (
    (
        "v.ecosystem = ''reported'' as word\n",
        "v.ecosystem = ''reported'' as word,\n"
        "                v.ecosystem = ''reported'' and clearway.fleet_says_no_more(v.pv) as bare\n",
        1,
    ),
    (
        "o.flaw = w.flaw and not o.word\n",
        "o.flaw = w.flaw and (not o.word or (w.bare and not o.bare))\n",
        1,
    ),
)
MISSING = (
    (
        "                            and clearway.fleet_hangs(an.pv, s.pv)))",
        "                            and clearway.fleet_hangs(an.pv, s.pv))\n"
        "                        or (s.ecosystem = ''reported'' and v.ecosystem = ''reported''\n"
        "                            and (clearway.fleet_says_no_more(s.pv) or clearway.fleet_says_no_more(an.pv))))",
        2,
    ),
)
# What stands of both: the one that names more has the earlier day from now on, and its date is counted anew. The other
# ends with the asset's next inventory, as whatever is explained does.
DATED = """
with words as (
    select e.exposure, e.asset, e.flaw, e.org, e.detected, e.how, clearway.fleet_says_no_more(e.pv) as bare
    from clearway.exposure e join clearway.package_version v on v.pv = e.pv
    where v.ecosystem = 'reported' and e.via = 0 and e.gone is null),
earlier as (
    select distinct on (o.exposure) o.exposure, o.org, w.detected, w.how
    from words o join words w on w.asset = o.asset and w.flaw = o.flaw and w.bare
    where not o.bare and (w.how = 2, o.detected) > (o.how = 2, w.detected)
    order by o.exposure, (w.how = 2) desc, w.detected),
moved as (
    update clearway.exposure e set detected = x.detected, how = x.how, version = e.version + 1
    from earlier x where e.exposure = x.exposure returning e.org)
insert into clearway.fleet_ruling (org) select distinct org from moved
"""


def upgrade() -> None:
    run(BARE, changed("fleet_explained", *EXPLAINED), changed("fleet_missing", *MISSING), DATED)


def downgrade() -> None:
    run(
        changed("fleet_missing", *((was, becomes, n) for becomes, was, n in MISSING)),
        changed("fleet_explained", *((was, becomes, n) for becomes, was, n in EXPLAINED)),
        "drop function clearway.fleet_says_no_more(int)",
    )
