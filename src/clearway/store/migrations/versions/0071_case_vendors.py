"""What a receiver was asked about one product, acts of vendors by vendors, and the silence that ends."""

from clearway.store.ddl import before, run, standing

revision = "0071"
down_revision = "0070"
branch_labels = None
depends_on = None

# A limit for "Debian" counts what concerns each of its releases.
COUNTS = """
drop function clearway.asked_lately(int);
-- How often an organisation was asked about a product in the last seven days.
create function clearway.asked_lately(of_member int, of_ecosystem text, of_package text) returns bigint
    language sql stable security definer set search_path = clearway, pg_temp as $$
    select count(*) from case_party p join desk_case c using (case_id)
    where p.member = of_member and p.role in ('vendor', 'maintainer', 'patcher')
        and of_ecosystem in (c.ecosystem, split_part(c.ecosystem, ':', 1)) and c.package = of_package
        and p.asked > clock_timestamp() - interval '7 days' and (actor() = 0 or is_desk()) $$;
revoke execute on function clearway.asked_lately(int, text, text) from public;
grant execute on function clearway.asked_lately(int, text, text) to clearway_app;
"""
COUNTS_BEFORE = """
drop function clearway.asked_lately(int, text, text);
"""
COUNTS_GRANTS_BEFORE = """
revoke execute on function clearway.asked_lately(int) from public;
grant execute on function clearway.asked_lately(int) to clearway_app;
"""
_SENT = ("f.ecosystem = of_ecosystem", "of_ecosystem in (f.ecosystem, split_part(f.ecosystem, ':', 1))")

# The machines of reports and fixes are those of who has a product in the case.
_VENDOR = """    if of_machine in ('report', 'vendor') and p.role not in ('vendor', 'maintainer', 'patcher') then
        raise 'a party in the role of % does not answer for a product', p.role using errcode = 'CW400';
    end if;
"""
_MOVE = "    select * into t from case_transition where"
_ANSWERS = _VENDOR.replace("of_machine in ('report', 'vendor') and ", "")
_SAY = "    if said = 'disputed' and btrim(because) = '' then"

# Who answers is unreachable no longer, and its product no orphan. `reminded`: when the first step was taken.
SILENCE = """
alter table clearway.case_party add column reminded timestamptz;
create function clearway.case_silence() returns trigger language plpgsql set search_path = clearway, pg_temp as $$
begin
    if old.answer = 'no-answer' and new.answer <> 'no-answer' then new.step := ''; end if;
    if new.step = '' then
        new.reminded := null;
    elsif old.step = '' then
        new.reminded := clock_timestamp();
    end if;
    if new.role in ('vendor', 'maintainer') and old.answer in ('not-asked', 'no-answer')
            and new.answer not in ('not-asked', 'no-answer') then
        update desk_case set orphan = '' where case_id = new.case_id and orphan <> '';
    end if;
    return new;
end $$;
revoke execute on function clearway.case_silence() from public;
update clearway.case_party set step = '' where step <> '' and answer <> 'no-answer';
update clearway.desk_case c set orphan = '' where c.orphan <> '' and exists (select from clearway.case_party p
    where p.case_id = c.case_id and p.left_at is null and p.role in ('vendor', 'maintainer')
        and p.answer not in ('not-asked', 'no-answer'));
create trigger case_silence before update of answer, step on clearway.case_party for each row
    when (old.answer <> new.answer or old.step <> new.step) execute function clearway.case_silence();
"""
SILENCE_BEFORE = """
drop trigger case_silence on clearway.case_party;
drop function clearway.case_silence();
alter table clearway.case_party drop column reminded;
"""


def upgrade() -> None:
    run(
        COUNTS,
        _changed("sent_lately", *_SENT),
        _changed("move_case", _MOVE, _VENDOR + _MOVE),
        _changed("answer_case", _SAY, _ANSWERS + _SAY),
        SILENCE,
    )


def downgrade() -> None:
    run(
        SILENCE_BEFORE,
        _changed("answer_case", _ANSWERS, ""),
        _changed("move_case", _VENDOR, ""),
        _changed("sent_lately", *reversed(_SENT)),
        COUNTS_BEFORE,
        before("0019_cases", "asked_lately"),
        COUNTS_GRANTS_BEFORE,
    )


def _changed(name: str, old: str, new: str) -> str:
    text = standing(name)
    assert text.count(old) == 1, (name, old)
    return text.replace(old, new)
