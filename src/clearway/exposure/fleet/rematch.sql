-- What the plain claims say of every plain version: one text for DuckDB and Spark, over the same Parquet files.
-- Keys are binary and compare byte by byte, unsigned, in both. Placeholders: {ordered(VALUE, ORDER)} is the engine's own
-- way of joining texts in an order; version, lookup, piece, special, spoken, record_flaw and stored are the files.
with
-- Where a version is looked up. An rpm's source counts only where no record speaks of what is installed.
place as (
    select l.pv, l.nth, l.package, l.key
    from lookup l join version v on v.pv = l.pv and v.plain
    left join spoken s on s.package = l.unless
    where l.unless is null or s.package is null
),
-- Versions of packages about which a record says more than intervals: judged one by one.
judged as (
    select distinct p.pv from place p join special s on s.package = p.package
),
hit as (
    select p.pv, i.record, i.fixed, i.basis, i.verdict, p.nth * 1000000 + i.claim as nth
    from place p join piece i on i.package = p.package and p.key >= i.lo and p.key < i.hi
    left join judged j on j.pv = p.pv
    where j.pv is null
),
heard as (
    select h.pv, f.flaw, h.record, h.fixed, h.basis, h.verdict, h.nth
    from hit h join record_flaw f on f.record = h.record
),
-- One source that affirms is enough; who can't tell leads only where none does. Most flaws of a version are said once
-- (`times`), and then that is all: nothing is to be put together, or in order.
verdict as (
    select pv, flaw, min(verdict) as verdict, count(*) as times, any_value(record) as record,
        any_value(fixed) as fixed, any_value(basis) as basis
    from heard group by pv, flaw
),
said as (
    select h.pv, h.flaw, h.record, h.fixed, h.basis, h.nth
    from heard h join verdict v on v.pv = h.pv and v.flaw = h.flaw and v.verdict = h.verdict and v.times > 1
),
-- Each record, and each version that ends it, once, in the order in which they are said.
records as (
    select pv, flaw, {ordered(record, nth)} as records from (
        select pv, flaw, record, min(nth) as nth from said group by pv, flaw, record) r
    group by pv, flaw
),
fixes as (
    select pv, flaw, {ordered(fixed, nth)} as fixed from (
        select pv, flaw, fixed, min(nth) as nth from said where fixed <> '' group by pv, flaw, fixed) f
    group by pv, flaw
),
bases as (
    select pv, flaw, min_by(basis, nth) as basis from said group by pv, flaw
),
now as (
    select r.pv, r.flaw, v.verdict, b.basis, coalesce(x.fixed, '') as fixed, r.records
    from records r
    join verdict v on v.pv = r.pv and v.flaw = r.flaw
    join bases b on b.pv = r.pv and b.flaw = r.flaw
    left join fixes x on x.pv = r.pv and x.flaw = r.flaw
    union all
    select pv, flaw, verdict, basis, coalesce(fixed, '') as fixed, record as records from verdict where times = 1
),
was as (
    select s.pv, s.flaw, s.verdict, s.basis, s.fixed, s.records
    from stored s join version v on v.pv = s.pv and v.plain
    left join judged j on j.pv = s.pv
    where j.pv is null
),
-- Versions of which something else is said now.
changed as (
    select distinct coalesce(n.pv, w.pv) as pv
    from now n full outer join was w on n.pv = w.pv and n.flaw = w.flaw
    where n.pv is null or w.pv is null or n.verdict <> w.verdict or n.basis <> w.basis or n.fixed <> w.fixed
        or n.records <> w.records
)
select c.pv, n.flaw, n.verdict, n.basis, n.fixed, n.records, false as judge
from changed c left join now n on n.pv = c.pv
union all
select pv, null, null, null, null, null, true from judged
union all
select pv, null, null, null, null, null, true from version where not plain
