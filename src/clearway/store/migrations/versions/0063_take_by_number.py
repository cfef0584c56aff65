"""An inventory's versions are looked up once, in an index that has the answer, and then held to their digests."""

from clearway.store.ddl import run, standing

revision = "0063"
down_revision = "0062"
branch_labels = None
depends_on = None

# The number stands beside the digest, so that the table itself, of which each lookup read a page, is left alone.
INDEX = """
create unique index package_version_digest on clearway.package_version (digest) include (pv);
alter table clearway.package_version drop constraint package_version_digest_key;
alter table clearway.package_version add constraint package_version_digest_key unique
    using index package_version_digest;
"""
OLD_INDEX = """
alter table clearway.package_version drop constraint package_version_digest_key;
alter table clearway.package_version add constraint package_version_digest_key unique (digest);
"""

OLD = "int, bytea[], text, text, text, text, bytea, bytea, int, text[], boolean, text[], boolean"
NEW = f"{OLD}, int[]"

BY_DIGEST = """
    digests := array(select distinct d from unnest(digests) d);
    select coalesce(array_agg(v.pv order by v.pv), '{}') into pvs
    from unnest(digests) d join package_version v on v.digest = d;
    if cardinality"""
# Who gives the numbers must know the digests as ever: the lookup by number is the cheaper of the two, no other right.
BY_NUMBER = """
    if known is null then
        digests := array(select distinct d from unnest(digests) d);
        select coalesce(array_agg(v.pv order by v.pv), '{}') into pvs
        from unnest(digests) d join package_version v on v.digest = d;
    else
        select coalesce(array_agg(distinct v.pv), '{}') into pvs
        from unnest(known, digests) as w(pv, digest) join package_version v on v.pv = w.pv and v.digest = w.digest;
    end if;
    if cardinality"""
USE = "select pv, $2 from unnest($1) pv on conflict do nothing"
# Most of them are there: to look is cheaper than to begin an insertion that another's stops.
USE_NEW = (
    "select w.pv, $2 from unnest($1) w(pv) where not exists (\n"
    "        select from clearway.version_use u where u.pv = w.pv and u.aud = $2) on conflict do nothing"
)
CHANGES = (
    ("reports boolean, OUT", "reports boolean, known integer[] DEFAULT NULL::integer[], OUT"),
    (BY_DIGEST, BY_NUMBER),
    (USE, USE_NEW),
)


def _made_anew(was: str, becomes: str, *changes: tuple[str, str]) -> None:
    text = standing("fleet_take")
    for before, after in changes:
        assert text.count(before) == 1, before
        text = text.replace(before, after)
    run(
        f"drop function clearway.fleet_take({was})",
        text,
        f"revoke execute on function clearway.fleet_take({becomes}) from public",
        f"grant execute on function clearway.fleet_take({becomes}) to clearway_app",
    )


def upgrade() -> None:
    """Makes the index and the function anew; callers of before name no numbers and are served as ever."""
    run(INDEX)
    _made_anew(OLD, NEW, *CHANGES)


def downgrade() -> None:
    """Puts both back."""
    _made_anew(NEW, OLD, *((after, before) for before, after in CHANGES))
    run(OLD_INDEX)
