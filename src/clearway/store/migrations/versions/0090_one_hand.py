"""Every code leaves its maker's hands in what comes of it, a first one too; whom a provider tells apart are two.

What an account can do alone is judged by its way in, and no more by who made it: a code that is made on the machine of
the home, or by somebody else, opens the account to whom it is given to.
"""

from alembic import op

from clearway.store.ddl import before, run, standing

revision = "0090"
down_revision = "0089"
branch_labels = None
depends_on = None

RULE = """
-- `hands` (of a credential, a bound way in, a code, and of what is kept of an act that takes two) has everybody who
-- could be at work there beside its person, because they made the code from which it comes, or could have been in the
-- account that made it. A number -n is no person: it came in by the bound account n of an identity provider.
--
-- Whose hands are in what the caller makes for an account, be it a code, a token, or what is bound: for their own those
-- of their own way in; for another's they are too, without the proof who they are. The machine of the home has none.
create function clearway.hands_for(who int) returns int[] language plpgsql stable security definer
    set search_path = clearway, pg_temp as $$
declare mine int[] := my_hands();
begin
    if actor() <= 0 then return '{}'; end if;
    if who = actor() then return mine; end if;
    mine := array(select h from unnest(mine) h where h > 0);
    if exists (select from credential c where c.credential = my_credential() and c.machine) then return mine; end if;
    return sorted(mine || actor());
end $$;
-- Whether two came in by different accounts of one identity provider, which are bound still: it says that they are two.
create function clearway.told_apart(one_hands int[], other_hands int[]) returns boolean language sql stable
    security definer set search_path = clearway, pg_temp as $$
    select exists (select from identity a join identity b on b.issuer = a.issuer and b.identity <> a.identity
        where a.kind = 'oidc' and b.kind = 'oidc' and -a.identity = any(one_hands) and -b.identity = any(other_hands))
    $$;
-- Whether two accounts, each in these hands beside its own, may sign as two persons: a provider tells them apart, or
-- nobody could have been at work on both sides.
create or replace function clearway.are_two(one int, one_hands int[], other int, other_hands int[]) returns boolean
    language sql stable security definer set search_path = clearway, pg_temp as $$
    select one <> other
        and (told_apart(one_hands, other_hands) or not (one || one_hands) && (other || other_hands)) $$;
-- Why they are not, with the cure; null where they are. It is said to `other`.
create or replace function clearway.not_two(one int, one_hands int[], other int, other_hands int[]) returns text
    language sql stable security definer set search_path = clearway, pg_temp as $$
    select case
        when are_two(one, one_hands, other, other_hands) then null
        when one = other
            then 'you asked for it yourself: somebody else who coordinates or administers there decides'
        else case
            when one = any(other_hands) or other = any(one_hands)
                then 'one of you came in by a one-time code in which the other had a hand'
            else 'both of you came in by one-time codes in which one person had a hand' end
            || ': somebody decides for whom that is not so, or one of you comes in anew by a code made on the machine '
            'of the home, or by somebody who had no hand in the other''s, or both by accounts of one identity provider'
        end $$;
-- Nobody is on both sides: who is a party to something has no part in judging it either.
create or replace function clearway.is_apart(one int, one_hands int[]) returns boolean language sql stable
    security definer set search_path = clearway, pg_temp as $$
    select actor() = 0 or one <= 0 or are_two(one, one_hands, actor(), my_hands()) $$;
revoke execute on function clearway.hands_for(int), clearway.told_apart(int[], int[]) from public;
"""

# Ways in that were there remember who made their account, and who made those, as all were held to before.
KEPT = """
create function clearway.behind(who int, hands int[]) returns int[] language sql stable
    set search_path = clearway, pg_temp as $$
    select coalesce(sorted(array_agg(distinct m)), '{}') from unnest(who || hands) h, unnest(makers(h)) m where m <> who
    $$;
update clearway.credential c set hands = clearway.behind(c.person, c.hands) from clearway.person p
where p.person = c.person and p.kind = 'person' and not c.machine and c.revoked is null;
update clearway.credential c set hands = clearway.behind(c.person, c.hands || c.by_person) from clearway.person p
where p.person = c.person and p.kind = 'service' and c.by_person is not null and c.revoked is null;
update clearway.identity set hands = clearway.behind(person, hands);
update clearway.invitation set hands = clearway.behind(person, hands || coalesce(made_by, person)) where used is null;
update clearway.approval set asked_hands = clearway.behind(asked_by, asked_hands) where verdict is null;
update clearway.finding_mark m set hands = clearway.behind(m.by_person, m.hands)
where exists (select from clearway.mark_appeal a where a.finding_mark = m.finding_mark and a.outcome is null);
update clearway.mark_appeal set hands = clearway.behind(by_person, hands) where outcome is null;
update clearway.intake_limit set hands = clearway.behind(set_by, hands) where ended is null;
update clearway.lease_control set hands = clearway.behind(person, hands) where ended is null;
drop function clearway.behind(int, int[]);
drop function clearway.makers(int);
"""

_PLACES = (
    (
        "invite",
        "sorted(my_hands() || case when again and maker > 0 then array[maker] else '{}' end)",
        "hands_for(who)",
    ),
    ("add_credential", "my_hands()", "hands_for(who)"),
    # A first code of one's own is seen by all and known to the log; what else lets them in is not.
    (
        "grant_role",
        """who = any(my_hands())
                or exists (select from credential c where c.person = who and actor() = any(c.hands))
                or exists (select from identity i where i.person = who and actor() = any(i.hands))
                or exists (select from invitation i where i.person = who and actor() = any(i.hands)) then""",
        """who = any(my_hands())
                or exists (select from invitation i where i.person = who and actor() = any(i.hands)
                    and (i.recovers or i.made_by is distinct from actor())) then""",
    ),
    (
        "no_judge",
        "who appealed and you have been in one account, or one of you made the other''s: somebody decides for '\n"
        "                'whom that is not so",
        "who appealed and you may have been in one account, for one person had a hand in both: somebody decides for '\n"
        "                'whom that is not so",
    ),
)


def _with(name: str, old: str, new: str) -> str:
    text = standing(name)
    assert text.count(old) == 1, name
    return text.replace(old, new)


def upgrade() -> None:
    run(RULE, *(_with(*place) for place in _PLACES), KEPT)


def downgrade() -> None:
    """What ways in remember of first codes stays: it says no less than the steps below it ask."""
    run(
        before("0077_hands", "makers"),
        *(before("0077_hands", name) for name in ("are_two", "not_two")),
        before("0082_second", "is_apart"),
        *(_with(name, new, old) for name, old, new in _PLACES),
        "revoke execute on function clearway.makers(int) from public;",
    )
    op.execute("drop function clearway.hands_for(int), clearway.told_apart(int[], int[])")
