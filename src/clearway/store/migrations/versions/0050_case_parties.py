"""Who is told of a case, and when: a vendor reads it from its asking on, a letter that is not sent tells nobody."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from alembic import op

from clearway.store.ddl import before, run

revision = "0050"
down_revision = "0047"
branch_labels = None
depends_on = None

# A case's recipients are its parties: nobody is put there beside the status matrix, a vendor not before it is asked.
DOOR = """
create function clearway.case_door(of_case bigint, whose int) returns boolean language plpgsql
    security definer set search_path = clearway, pg_temp as $$
declare c desk_case := locked_case(of_case); door int; opens boolean; stood boolean;
begin
    if not keeps_case(c.org) then
        raise 'a coordinator of its clearinghouse says who takes part' using errcode = 'CW403';
    end if;
    select list into door from embargo where embargo = c.embargo;
    opens := exists (select from case_party p where p.case_id = of_case and p.member = whose and p.left_at is null
        and (p.role not in ('vendor', 'maintainer', 'patcher') or p.rm <> 'start'));
    stood := exists (select from list_member m where m.list = door and m.org = whose);
    if opens = stood then return null; end if;
    if opens then
        insert into list_member (list, person, org) values (door, null, whose) on conflict do nothing;
    else
        delete from list_member m where m.list = door and m.org = whose;
    end if;
    perform rebadge(s.person) from membership s where s.org = whose;
    return opens;
end $$;
revoke execute on function clearway.case_door(bigint, int) from public;
grant execute on function clearway.case_door(bigint, int) to clearway_app;
do $$ declare gone record; begin
    for gone in select m.list, m.org from clearway.list_member m
            join clearway.embargo e on e.list = m.list join clearway.desk_case c on c.embargo = e.embargo
            where m.org is not null and exists (select from clearway.case_party p
                where p.case_id = c.case_id and p.member = m.org and p.left_at is null)
                and not exists (select from clearway.case_party p
                where p.case_id = c.case_id and p.member = m.org and p.left_at is null
                    and (p.role not in ('vendor', 'maintainer', 'patcher') or p.rm <> 'start')) loop
        delete from clearway.list_member m where m.list = gone.list and m.org = gone.org;
        perform clearway.rebadge(s.person) from clearway.membership s where s.org = gone.org;
    end loop;
end $$;
"""
_KEEPER = "    select org into keeper from recipient_list where list = which;\n"
_OF_A_CASE = (
    "    if is_member and exists (select from embargo e join desk_case c on c.embargo = e.embargo\n"
    "            where e.list = which) and may('read', keeper) then\n"
    "        raise 'who sees a case are its parties: add one there' using errcode = 'CW409';\n"
    "    end if;\n"
)

# Whatever a vendor does with its report, it has answered: that is no silence any more.
_MOVED = """vfd = case when of_machine = 'vendor' then t.next else vfd end, version = version + 1
"""
_SPOKEN = """vfd = case when of_machine = 'vendor' then t.next else vfd end, version = version + 1,
            answer = case when part = 'vendor' and answer in ('not-asked', 'no-answer')
                then case wanted when 'invalidate' then 'not-affected' else 'investigating' end else answer end,
            answered = case when part = 'vendor' and answer in ('not-asked', 'no-answer')
                then clock_timestamp() else answered end
"""

LETTERS = """
alter table clearway.case_letter drop constraint case_letter_kind_check;
alter table clearway.case_letter add constraint case_letter_kind_check
    check (kind in ('asked', 'joined', 'reminded', 'said', 'proposed', 'released', 'link'));
-- One that could not be sent waits by itself. `contact`: where it goes, null for the newest address; and to which
-- address a link was sent, for a new one goes to no other.
alter table clearway.case_letter add column next_try timestamptz,
    add column contact bigint references clearway.case_contact on delete cascade;
alter table clearway.case_link add column contact bigint references clearway.case_contact on delete cascade;
create index case_letter_party on clearway.case_letter (party, letter);
create index case_message_party on clearway.case_message (party, at) where party is not null;
"""
LETTERS_BEFORE = """
drop index clearway.case_message_party, clearway.case_letter_party;
alter table clearway.case_link drop column contact;
alter table clearway.case_letter drop column contact, drop column next_try;
delete from clearway.case_letter where kind = 'joined';
alter table clearway.case_letter drop constraint case_letter_kind_check;
alter table clearway.case_letter add constraint case_letter_kind_check
    check (kind in ('asked', 'reminded', 'said', 'proposed', 'released', 'link'));
"""
_ASKER = "    select min(k.aud) into desk_aud from"
_BOUND = """    -- What a letter says is true, whoever has it sent: parties tell of what is said and
    -- proposed, and nothing else.
    if actor() <> 0 and not is_desk() and what not in ('said', 'proposed') then
        raise 'that letter is not yours to send' using errcode = 'CW403';
    end if;
    if what = 'released' and c.released is null then
        raise 'the embargo has not ended' using errcode = 'CW409';
    end if;
"""
_TOLD = "(what = 'asked' or p.rm <> 'start')"
_TAKES_PART = """(case when p.role in ('vendor', 'maintainer', 'patcher')
            then what <> 'joined' and (what = 'asked' or p.rm <> 'start') else what not in ('asked', 'reminded') end)"""

# A proposal stands behind the embargo's own move, so that none is in the way of another.
PROPOSALS = """
drop policy party_adds on clearway.case_proposal;
create policy party_adds on clearway.case_proposal for insert to clearway_app
    with check (get_bit((select clearway.my_bits()), aud) = 1 and exists (
        select from clearway.case_party p where p.party = case_proposal.party and p.case_id = case_proposal.case_id
            and clearway.case_part(p) <> '') and exists (
        select from clearway.desk_case c where c.case_id = case_proposal.case_id and c.closed is null
            and c.em in ('proposed', 'revised')));
"""
PROPOSALS_BEFORE = """
drop policy party_adds on clearway.case_proposal;
create policy party_adds on clearway.case_proposal for insert to clearway_app
    with check (get_bit((select clearway.my_bits()), aud) = 1 and exists (
        select from clearway.case_party p where p.party = case_proposal.party and p.case_id = case_proposal.case_id
            and clearway.case_part(p) <> ''));
"""

# A line of the directory with a mail address is the coordinators' alone, as a party's addresses are.
ROUTES = """
update clearway.vendor_route r set aud = clearway.make_audience(array[clearway.make_clause(
    array[clearway.group_of('staff', r.org), clearway.group_of('desk', 0)], false)]) where r.email <> '';
"""


def upgrade() -> None:
    run(
        DOOR,
        _changed("0002_access", "set_recipient", _KEEPER, _KEEPER + _OF_A_CASE),
        _moves().replace(_MOVED, _SPOKEN),
        LETTERS,
        _changed("0019_cases", "queue_letters", _ASKER, _BOUND + _ASKER).replace(_TOLD, _TAKES_PART),
        PROPOSALS,
        ROUTES,
    )


def downgrade() -> None:
    run(
        PROPOSALS_BEFORE,
        before("0019_cases", "queue_letters"),
        LETTERS_BEFORE,
        _moves(),
        before("0002_access", "set_recipient"),
    )
    op.execute("drop function clearway.case_door(bigint, int)")


def _moves() -> str:
    """The machines' one way, as the step before has it."""
    place = Path(__file__).with_name("0040_desk_ends.py")
    spec = spec_from_file_location("before_case_parties", place)
    assert spec is not None
    assert spec.loader is not None
    ends = module_from_spec(spec)
    spec.loader.exec_module(ends)
    text: str = ends._changed(before("0019_cases", "move_case"), ends.MOVE)
    assert text.count(_MOVED) == 1
    return text


def _changed(step: str, name: str, old: str, new: str) -> str:
    text = before(step, name)
    assert text.count(old) == 1
    return text.replace(old, new)
