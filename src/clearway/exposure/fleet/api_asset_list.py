"""The list of assets, for the page and for programs."""

from __future__ import annotations

from datetime import date, datetime
from typing import LiteralString

from msgspec import Struct

from clearway.http.filters import choice, flag, text
from clearway.http.listing import Listing
from clearway.store.keyset import Column, Source


class AssetItem(Struct, frozen=True, kw_only=True):
    """One asset in the list. `open`: exposures that are open, also those that could not be judged; `earliest` the first
    date of these, `before_listed` that it had passed before the flaw was known here, `tlp` how the asset is marked."""

    id: int
    organisation: str
    name: str
    owner: str
    environment: str
    kind: str
    exposure: str
    edge: bool
    end_of_support: date | None
    decommissioned: date | None
    components: int
    open: int
    earliest: date | None
    before_listed: bool
    inventoried: datetime | None
    tlp: str


# As `directives.lifecycle.bucket_of` has it: support that ends today has ended.
_BUCKET: LiteralString = """(case when a.end_of_support is null then 'unknown'
    when a.end_of_support <= (now() at time zone 'UTC')::date then 'ended'
    when a.end_of_support <= (now() at time zone 'UTC')::date + interval '12 months' then 'within_12_months'
    else 'later' end)"""

ASSETS: Listing[AssetItem] = Listing(
    "assets",
    AssetItem,
    Source(
        "a.asset as id, coalesce(o.slug, '') as organisation, a.name, a.owner, a.environment, a.kind, a.exposure, "
        "a.edge, a.end_of_support, a.decommissioned, "
        "(select count(*) from clearway.held h where h.asset = a.asset) as components, "
        "(select count(*) from clearway.exposure e where e.asset = a.asset and e.gone is null and e.status = 0) "
        "as open, "
        "(select min(e.due) from clearway.exposure e where e.asset = a.asset and e.gone is null and e.status = 0) "
        "as earliest, "
        "coalesce((select e.due < least((e.first_seen at time zone 'UTC')::date, e.detected) "
        "from clearway.exposure e where e.asset = a.asset and e.gone is null and e.status = 0 and e.due is not null "
        "order by e.due, e.exposure limit 1), false) as before_listed, "
        "(select max(i.received) from clearway.inventory i where i.asset = a.asset) as inventoried",
        "clearway.asset a left join clearway.organisation o on o.org = a.org",
    ),
    sorts={
        "name": Column("a.name"),
        "added": Column("a.asset", "int"),
        "end_of_support": Column("coalesce(a.end_of_support, 'infinity'::date)", "date"),
    },
    tie=Column("a.asset", "int"),
    aud="a.aud",
    labelled=True,
    default="name",
    filters={
        "name": text(
            # Its beginning, or any other name that it is or was known by: as `called` tells them, without their case.
            "exists (select from unnest(%s::text[]) w(said) where a.name ^@ w.said or exists ("
            "select from unnest(a.identifiers || a.names || a.addresses) k(word) "
            "where lower(w.said) in (lower(k.word), lower(substr(k.word, position(':' in k.word) + 1)))) or exists ("
            "select from clearway.asset_said s where s.asset = a.asset and lower(s.name) = lower(w.said)))"
        ),
        "owner": text("a.owner = any(%s)", "a.owner <> all(%s)"),
        "environment": choice(
            "a.environment = any(%s)", ("production", "development", "unknown"), "a.environment <> all(%s)"
        ),
        "exposure": choice(
            "a.exposure = any(%s)", ("public", "internal", "unknown"), "a.exposure <> all(%s)"
        ),
        "kind": text("a.kind = any(%s)", "a.kind <> all(%s)"),
        "edge": flag("a.edge = any(%s)"),
        "support": choice(
            _BUCKET + " = any(%s)",
            ("ended", "within_12_months", "later", "unknown"),
            _BUCKET + " <> all(%s)",
        ),
        "decommissioned": flag("(a.decommissioned is not null) = any(%s)"),
        "organisation": text("o.slug = any(%s)", "o.slug <> all(%s)"),
    },
)
