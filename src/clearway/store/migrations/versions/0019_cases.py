"""Cases: parties and how each stands, what is negotiated and said, drafts, publications, letters and their links."""

from alembic import op

from clearway.store.ddl import run

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

# Who did it and when is never said by the caller: those columns have defaults and no right to be written.
TABLES = """
-- The three machines, as `findings/case/states.py` has them: the database refuses what is not in here.
create table clearway.case_transition (
    machine text not null,
    state text not null,
    act text not null,
    next text not null,
    by_whom text[] not null,
    primary key (machine, state, act)
);
-- One flaw. `aud` are the parties and the coordinators; `open_aud` is everybody once the embargo has ended.
create table clearway.desk_case (
    case_id bigint generated always as identity primary key,
    handling text not null unique check (handling ~ '^CWC-[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}$'),
    org int not null references clearway.organisation,
    aud clearway.audience_id not null,
    open_aud clearway.audience_id not null,
    embargo int not null references clearway.embargo,
    title text not null check (length(title) between 1 and 300),
    ecosystem text not null default '' check (length(ecosystem) <= 100),
    package text not null default '' check (length(package) <= 300),
    purl text not null default '' check (length(purl) <= 2000),
    em text not null default 'none',  -- the embargo's machine
    pxa text not null default 'pxa',  -- the flaw's
    until timestamptz,  -- when the embargo is agreed to end
    zone text not null default 'UTC' check (length(zone) <= 60),  -- in which that was said
    orphan text not null default '' check (length(orphan) <= 2000),  -- why nobody maintains it
    cve text not null default '' check (cve ~ '^(CVE-[0-9]{4}-[0-9]{4,19})?$'),
    cve_state text not null default '' check (cve_state in ('', 'requested', 'reserved', 'published', 'rejected')),
    released timestamptz,  -- the act that lets it out; what it publishes follows at once
    published timestamptz,
    closed timestamptz,
    opened timestamptz not null default clock_timestamp(),
    opened_by int not null default clearway.actor(),
    changed timestamptz not null default clock_timestamp(),
    version int not null default 1,
    unique (case_id, org, aud)
);
create index desk_case_package on clearway.desk_case (ecosystem, package);
create index desk_case_embargo on clearway.desk_case (embargo);
-- Who takes part: an organisation of this installation, or somebody who is reached by mail alone.
create table clearway.case_party (
    party bigint generated always as identity primary key,
    case_id bigint not null,
    org int not null,
    aud clearway.audience_id not null,
    role text not null check (role in ('vendor', 'maintainer', 'reporter', 'coordinator', 'patcher')),
    member int references clearway.organisation,
    name text not null check (length(name) between 1 and 200),
    product text not null default '' check (length(product) <= 2000),
    rm text not null default 'start',
    vfd text not null default 'vfd',
    answer text not null default 'not-asked' check (answer in
        ('not-asked', 'no-answer', 'investigating', 'affected', 'not-affected', 'fixed', 'disputed')),
    answer_why text not null default '' check (length(answer_why) <= 4000),
    waits text not null default '' check (length(waits) <= 300),  -- why it is not asked yet: the receiver's own limit
    asked timestamptz,
    answered timestamptz,
    step text not null default '' check (step in ('', 'remind', 'another-contact', 'escalate', 'unreachable')),
    stopped timestamptz,  -- wants no more mail
    left_at timestamptz,
    added timestamptz not null default clock_timestamp(),
    version int not null default 1,
    unique (party, case_id, org, aud),
    foreign key (case_id, org, aud) references clearway.desk_case (case_id, org, aud) on update cascade
);
create unique index case_party_one on clearway.case_party (case_id, role, member)
    where member is not null and left_at is null;
create index case_party_case on clearway.case_party (case_id);
create index case_party_member on clearway.case_party (member) where left_at is null;
-- How a party is reached: for the coordinators alone.
create table clearway.case_contact (
    contact bigint generated always as identity primary key,
    party bigint not null references clearway.case_party on delete cascade,
    org int not null,
    aud clearway.audience_id not null,
    email text not null check (length(email) between 3 and 320 and email ~ '^[^@[:space:]]+@[^@[:space:]]+$'),
    source text not null default '' check (length(source) <= 200),
    added timestamptz not null default clock_timestamp(),
    unique (party, email)
);
-- What was done, in order; the log has the same.
create table clearway.case_act (
    step bigint generated always as identity primary key,
    case_id bigint not null,
    org int not null,
    aud clearway.audience_id not null,
    party bigint,
    machine text not null,
    act text not null,
    was text not null,
    now text not null,
    why text not null default '' check (length(why) <= 4000),
    at timestamptz not null default clock_timestamp(),
    by_person int not null default clearway.actor(),
    foreign key (case_id, org, aud) references clearway.desk_case (case_id, org, aud) on update cascade
);
create index case_act_case on clearway.case_act (case_id, step);
-- When the embargo is to end, as somebody proposes it, and what each party says to that.
create table clearway.case_proposal (
    proposal bigint generated always as identity primary key,
    case_id bigint not null,
    org int not null,
    aud clearway.audience_id not null,
    party bigint references clearway.case_party,
    until timestamptz not null,
    zone text not null check (length(zone) between 1 and 60),
    why text not null default '' check (length(why) <= 2000),
    state text not null default 'open' check (state in ('open', 'accepted', 'refused', 'replaced')),
    at timestamptz not null default clock_timestamp(),
    by_person int not null default clearway.actor(),
    foreign key (case_id, org, aud) references clearway.desk_case (case_id, org, aud) on update cascade
);
create unique index case_proposal_open on clearway.case_proposal (case_id) where state = 'open';
create table clearway.case_consent (
    proposal bigint not null references clearway.case_proposal,
    party bigint not null references clearway.case_party,
    org int not null,
    aud clearway.audience_id not null,
    said text not null check (said in ('agrees', 'disagrees')),
    why text not null default '' check (length(why) <= 2000),
    at timestamptz not null default clock_timestamp(),
    primary key (proposal, party)
);
-- Talk: of all parties, or of one and the coordinators. Sealed by the vault under the case's own key.
create table clearway.case_thread (
    thread bigint generated always as identity primary key,
    case_id bigint not null references clearway.desk_case,
    org int not null,
    aud clearway.audience_id not null,
    party bigint references clearway.case_party,  -- null: of all
    product text not null default '' check (length(product) <= 2000),
    topic text not null check (length(topic) between 1 and 200),
    made timestamptz not null default clock_timestamp(),
    unique (thread, org, aud)
);
create index case_thread_case on clearway.case_thread (case_id);
create table clearway.case_message (
    message bigint generated always as identity primary key,
    thread bigint not null,
    org int not null,
    aud clearway.audience_id not null,
    party bigint references clearway.case_party,  -- who speaks; null: the coordinators
    sealed bytea not null check (octet_length(sealed) <= 200000),
    sha256 bytea not null check (octet_length(sha256) = 32),  -- of what is sealed, in clear
    bytes int not null check (bytes between 1 and 100000),
    at timestamptz not null default clock_timestamp(),
    by_person int not null default clearway.actor(),
    foreign key (thread, org, aud) references clearway.case_thread (thread, org, aud) on update cascade
);
create index case_message_thread on clearway.case_message (thread, message);
-- What is to be published, version by version; sealed until it is.
create table clearway.case_draft (
    case_id bigint not null,
    number int not null check (number > 0),
    org int not null,
    aud clearway.audience_id not null,
    summary text not null check (length(summary) between 1 and 300),
    sealed bytea not null check (octet_length(sealed) <= 2000000),
    sha256 bytea not null check (octet_length(sha256) = 32),
    at timestamptz not null default clock_timestamp(),
    by_person int not null default clearway.actor(),
    released timestamptz,
    primary key (case_id, number),
    foreign key (case_id, org, aud) references clearway.desk_case (case_id, org, aud) on update cascade
);
-- What was published, byte for byte. Its audience is everybody's once the embargo has ended.
create table clearway.case_document (
    case_id bigint not null references clearway.desk_case,
    number int not null,
    kind text not null check (kind in ('csaf', 'osv', 'cve')),
    org int not null,
    aud clearway.audience_id not null,
    handling text not null,
    body bytea not null check (octet_length(body) <= 4000000),
    sha256 bytea not null,
    at timestamptz not null default clock_timestamp(),
    primary key (case_id, number, kind)
);
create index case_document_handling on clearway.case_document (handling, kind, number desc);
-- Letters that wait or went out, and the one-time links in them. What a letter says is made when it is sent.
create table clearway.case_letter (
    letter bigint generated always as identity primary key,
    party bigint not null references clearway.case_party,
    org int not null,
    aud clearway.audience_id not null,
    kind text not null check (kind in ('asked', 'reminded', 'said', 'proposed', 'released', 'link')),
    made timestamptz not null default clock_timestamp(),
    sent timestamptz,
    failed text not null default '' check (length(failed) <= 500),
    tries int not null default 0
);
create index case_letter_waits on clearway.case_letter (letter) where sent is null and failed = '';
create table clearway.case_link (
    link uuid primary key,
    party bigint not null references clearway.case_party,
    org int not null,
    aud clearway.audience_id not null,
    expires timestamptz not null,
    made timestamptz not null default clock_timestamp(),
    used timestamptz
);
create index case_link_party on clearway.case_link (party, made);
-- The directory: whom to ask about which packages.
create table clearway.vendor_route (
    route int generated always as identity primary key,
    org int not null references clearway.organisation,
    aud clearway.audience_id not null,
    ecosystem text not null default '' check (length(ecosystem) <= 100),  -- "": any
    pattern text not null check (length(pattern) between 1 and 300),  -- a name, or a beginning that ends in *
    member int references clearway.organisation,
    name text not null check (length(name) between 1 and 200),
    email text not null default ''
        check (email = '' or (length(email) <= 320 and email ~ '^[^@[:space:]]+@[^@[:space:]]+$')),
    source text not null default '' check (length(source) <= 200),
    set_at timestamptz not null default clock_timestamp(),
    set_by int not null default clearway.actor(),
    ended timestamptz,
    check (member is not null or email <> '')
);
create unique index vendor_route_one on clearway.vendor_route (ecosystem, pattern, coalesce(member, 0), email)
    where ended is null;

insert into clearway.case_transition (machine, state, act, next, by_whom) values
    ('report', 'start', 'notify', 'received', '{desk}'),
    ('report', 'received', 'validate', 'valid', '{desk,vendor}'),
    ('report', 'invalid', 'validate', 'valid', '{desk,vendor}'),
    ('report', 'received', 'invalidate', 'invalid', '{desk,vendor}'),
    ('report', 'valid', 'invalidate', 'invalid', '{desk,vendor}'),
    ('report', 'received', 'dispute', 'invalid', '{desk,vendor}'),
    ('report', 'valid', 'dispute', 'invalid', '{desk,vendor}'),
    ('report', 'deferred', 'dispute', 'invalid', '{desk,vendor}'),
    ('report', 'accepted', 'dispute', 'invalid', '{desk,vendor}'),
    ('report', 'valid', 'accept', 'accepted', '{desk,vendor}'),
    ('report', 'deferred', 'accept', 'accepted', '{desk,vendor}'),
    ('report', 'valid', 'defer', 'deferred', '{desk,vendor}'),
    ('report', 'accepted', 'defer', 'deferred', '{desk,vendor}'),
    ('report', 'invalid', 'close', 'closed', '{desk,vendor}'),
    ('report', 'deferred', 'close', 'closed', '{desk,vendor}'),
    ('report', 'accepted', 'close', 'closed', '{desk,vendor}'),
    ('embargo', 'none', 'propose', 'proposed', '{desk,vendor,reporter}'),
    ('embargo', 'proposed', 'refuse', 'none', '{desk}'),
    ('embargo', 'proposed', 'accept', 'active', '{desk}'),
    ('embargo', 'active', 'revise', 'revised', '{desk,vendor,reporter}'),
    ('embargo', 'revised', 'keep', 'active', '{desk}'),
    ('embargo', 'revised', 'accept', 'active', '{desk}'),
    ('embargo', 'none', 'terminate', 'exited', '{desk}'),
    ('embargo', 'proposed', 'terminate', 'exited', '{desk}'),
    ('embargo', 'active', 'terminate', 'exited', '{desk}'),
    ('embargo', 'revised', 'terminate', 'exited', '{desk}'),
    ('vendor', 'vfd', 'vendor-aware', 'Vfd', '{desk,vendor}'),
    ('vendor', 'Vfd', 'fix-ready', 'VFd', '{desk,vendor}'),
    ('vendor', 'VFd', 'fix-deployed', 'VFD', '{desk,vendor}'),
    ('public', 'pxa', 'made-public', 'Pxa', '{desk}'),
    ('public', 'pxa', 'exploit-published', 'PXa', '{desk}'),
    ('public', 'pxa', 'attacks-observed', 'pxA', '{desk}'),
    ('public', 'pxA', 'made-public', 'PxA', '{desk}'),
    ('public', 'pxA', 'exploit-published', 'PXA', '{desk}'),
    ('public', 'Pxa', 'exploit-published', 'PXa', '{desk}'),
    ('public', 'Pxa', 'attacks-observed', 'PxA', '{desk}'),
    ('public', 'PxA', 'exploit-published', 'PXA', '{desk}'),
    ('public', 'PXa', 'attacks-observed', 'PXA', '{desk}');
"""

FUNCTIONS = """
-- An embargo for a case: as `add_embargo`, without its bound on what a person keeps by hand.
create function clearway.add_case_embargo(keeper int, name text) returns int language plpgsql
    security definer set search_path = clearway, pg_temp as $$
declare parties int; made int; opened int;
begin
    if not may('coordinate', keeper) or not is_desk() then
        raise 'the right to coordinate is missing' using errcode = 'CW403';
    end if;
    insert into recipient_list (org, name) values (keeper, add_case_embargo.name) returning list into parties;
    perform group_of('list', parties);
    made := nextval(pg_get_serial_sequence('clearway.embargo', 'embargo'));
    opened := make_clause(array[group_of('embargo', made), group_of('desk', 0)], true);
    insert into embargo (embargo, name, org, list, clause) overriding system value
    values (made, add_case_embargo.name, keeper, parties, opened);
    return made;
end $$;
-- The audiences of a case: its parties and the coordinators; and everybody once the embargo has ended. They are on no
-- organisation's account: a clearinghouse has as many cases as it has.
create function clearway.case_audiences(of_embargo int) returns int[] language plpgsql
    security definer set search_path = clearway, pg_temp as $$
declare e embargo;
begin
    select * into e from embargo where embargo = of_embargo;
    if e.embargo is null or not is_desk() or not may('coordinate', e.org) then
        raise 'the right to coordinate is missing' using errcode = 'CW403';
    end if;
    return array[make_audience(array[make_clause(array[group_of('list', e.list), group_of('desk', 0)], false)]),
        make_audience(array[e.clause])];
end $$;
-- A case that the caller may see, locked. One error for what is not there and what may not be seen.
create function clearway.locked_case(which bigint) returns clearway.desk_case language plpgsql
    security definer set search_path = clearway, pg_temp as $$
declare c desk_case;
begin
    select * into c from desk_case where case_id = which for update;
    if c.case_id is null
            or (case when actor() = 0 then false else get_bit(my_bits(), c.aud) is distinct from 1 end) then
        raise 'no such case' using errcode = 'CW404';
    end if;
    return c;
end $$;
-- The audience of a thread with one party: who may see the case, and belongs to that party or coordinates.
create function clearway.thread_audience(which bigint, of_party bigint) returns int language plpgsql
    security definer set search_path = clearway, pg_temp as $$
declare c desk_case := locked_case(which); whose int;
begin
    select coalesce(p.member, c.org) into whose from case_party p where p.party = of_party and p.case_id = which;
    if whose is null then raise 'no such party' using errcode = 'CW404'; end if;
    if not is_desk() then raise 'a coordinator opens threads' using errcode = 'CW403'; end if;
    return make_audience((select clauses from audience where aud = c.aud)
        || make_clause(array[group_of('staff', whose), group_of('desk', 0)], false));
end $$;
-- As what the caller takes part in a case: "desk", "vendor" or "reporter" of that party; '' as nothing.
create function clearway.case_part(p clearway.case_party) returns text language sql stable
    security definer set search_path = clearway, pg_temp as $$
    select case
        when actor() = 0 or is_desk() then 'desk'
        when p.left_at is not null or p.member is null then ''
        when p.role in ('vendor', 'maintainer', 'patcher')
            and (p.member = any(my_orgs('maintain')) or p.member = any(my_orgs('coordinate'))) then 'vendor'
        when p.role in ('reporter', 'coordinator') and p.member = any(my_orgs('submit')) then 'reporter'
        else '' end $$;
-- The one way in which a machine of a case moves; the new state.
create function clearway.move_case(which bigint, of_party bigint, of_machine text, wanted text, because text)
    returns text language plpgsql security definer set search_path = clearway, pg_temp as $$
declare
    c desk_case := locked_case(which);
    p case_party;
    t case_transition;
    part text;
    was text;
begin
    if c.closed is not null then raise 'the case is closed' using errcode = 'CW409'; end if;
    if of_party is not null then
        select * into p from case_party where party = of_party and case_id = which for update;
        if p.party is null or p.left_at is not null then raise 'no such party' using errcode = 'CW404'; end if;
        part := case_part(p);
    else
        select coalesce(max(s.part) filter (where s.part = 'desk'), max(s.part), '') into part
        from (select case when actor() = 0 or is_desk() then 'desk' else '' end as part
            union all select case_part(q) from case_party q where q.case_id = which) s;
    end if;
    was := case of_machine when 'report' then p.rm when 'vendor' then p.vfd when 'embargo' then c.em
        when 'public' then c.pxa end;
    if was is null then raise 'a party is to be named for that' using errcode = 'CW400'; end if;
    select * into t from case_transition where machine = of_machine and state = was and act = wanted;
    if t.act is null then
        raise '% is not done from %', wanted, was using errcode = 'CW409';
    end if;
    if not part = any(t.by_whom) then
        raise 'that is not yours to do in this case' using errcode = 'CW403';
    end if;
    if of_machine = 'embargo' and wanted in ('propose', 'accept', 'revise', 'keep') then
        if c.pxa ~ '[PA]' then
            raise 'the flaw is public or attacked: an embargo can only end' using errcode = 'CW409';
        end if;
    end if;
    if of_machine in ('report', 'vendor') then
        update case_party set rm = case when of_machine = 'report' then t.next else rm end,
            vfd = case when of_machine = 'vendor' then t.next else vfd end, version = version + 1
        where party = of_party;
    end if;
    update desk_case set em = case when of_machine = 'embargo' then t.next else em end,
        pxa = case when of_machine = 'public' then t.next else pxa end,
        changed = clock_timestamp(), version = version + 1 where case_id = which;
    insert into case_act (case_id, org, aud, party, machine, act, was, now, why)
    values (which, c.org, c.aud, of_party, of_machine, wanted, was, t.next, left(because, 4000));
    return t.next;
end $$;
-- What a party says of its product. `no-answer` and `not-asked` are the desk's to say.
create function clearway.answer_case(of_party bigint, said text, because text) returns void language plpgsql
    security definer set search_path = clearway, pg_temp as $$
declare p case_party; c desk_case; part text;
begin
    select * into p from case_party where party = of_party;
    if p.party is null then raise 'no such party' using errcode = 'CW404'; end if;
    c := locked_case(p.case_id);
    part := case_part(p);
    if part = '' or part = 'reporter' or (part = 'vendor' and said in ('not-asked', 'no-answer')) then
        raise 'that is not yours to say' using errcode = 'CW403';
    end if;
    if said = 'disputed' and btrim(because) = '' then
        raise 'a dispute gives its reasons' using errcode = 'CW400';
    end if;
    update case_party set answer = said, answer_why = left(because, 4000), version = version + 1,
        answered = case when said in ('not-asked', 'no-answer') then null else clock_timestamp() end,
        asked = case when said = 'no-answer' then coalesce(asked, clock_timestamp()) else asked end
    where party = of_party;
    update desk_case set changed = clock_timestamp(), version = version + 1 where case_id = c.case_id;
end $$;
-- A party says whether it agrees to what is proposed.
create function clearway.consent_case(which bigint, of_party bigint, says text, because text) returns void
    language plpgsql security definer set search_path = clearway, pg_temp as $$
declare r case_proposal; p case_party; c desk_case;
begin
    select * into r from case_proposal where proposal = which;
    select * into p from case_party where party = of_party and case_id = r.case_id;
    if r.proposal is null or p.party is null then raise 'no such proposal' using errcode = 'CW404'; end if;
    c := locked_case(r.case_id);
    if r.state <> 'open' then raise 'the proposal is decided' using errcode = 'CW409'; end if;
    if case_part(p) = '' then raise 'that is not yours to say' using errcode = 'CW403'; end if;
    insert into case_consent (proposal, party, org, aud, said, why)
    values (which, of_party, c.org, c.aud, says, left(because, 2000))
    on conflict (proposal, party) do update set said = excluded.said, why = excluded.why, at = clock_timestamp();
end $$;
-- Puts a finding into a case, or takes it out of it (null).
create function clearway.case_finding(which bigint, into_case bigint) returns void language plpgsql
    security definer set search_path = clearway, pg_temp as $$
declare f finding := locked_finding(which);
begin
    if not is_desk() then raise 'a coordinator opens cases' using errcode = 'CW403'; end if;
    if into_case is not null then
        perform locked_case(into_case);
        if f.case_id is not null and f.case_id <> into_case then
            raise 'the finding is in another case' using errcode = 'CW409';
        end if;
        if not f.live then raise 'a trial opens no case' using errcode = 'CW409'; end if;
        if f.state = 'withdrawn' then raise 'the finding is withdrawn' using errcode = 'CW409'; end if;
    end if;
    update finding set case_id = into_case, version = version + 1 where finding = which;
end $$;
-- How many cases a receiver was asked about in the last seven days, for its own limit.
create function clearway.asked_lately(of_member int) returns bigint language sql stable
    security definer set search_path = clearway, pg_temp as $$
    select count(*) from case_party p where p.member = of_member and p.role in ('vendor', 'maintainer')
        and p.asked > clock_timestamp() - interval '7 days' and (actor() = 0 or is_desk()) $$;
-- Letters to those parties that are reached by mail alone; one of a kind waits at most. How many were queued.
create function clearway.queue_letters(which bigint, what text, only_party bigint, but_party bigint)
    returns int language plpgsql security definer set search_path = clearway, pg_temp as $$
declare c desk_case := locked_case(which); made int; desk_aud int;
begin
    if actor() <> 0 and not is_desk() and not exists (
            select from case_party q where q.case_id = which and case_part(q) <> '') then
        raise 'you are no party to this case' using errcode = 'CW403';
    end if;
    select min(k.aud) into desk_aud from case_contact k join case_party p using (party) where p.case_id = which;
    insert into case_letter (party, org, aud, kind)
    select p.party, p.org, desk_aud, what from case_party p
    where p.case_id = which and p.member is null and p.left_at is null and p.stopped is null
        and (what = 'asked' or p.rm <> 'start') and (only_party is null or p.party = only_party)
        and p.party is distinct from but_party
        and exists (select from case_contact k where k.party = p.party)
        and not exists (select from case_letter l
            where l.party = p.party and l.kind = what and l.sent is null and l.failed = '');
    get diagnostics made = row_count;
    return made;
end $$;
revoke execute on function clearway.case_audiences(int), clearway.thread_audience(bigint, bigint),
    clearway.queue_letters(bigint, text, bigint, bigint),
    clearway.add_case_embargo(int, text), clearway.locked_case(bigint),
    clearway.case_part(clearway.case_party), clearway.move_case(bigint, bigint, text, text, text),
    clearway.answer_case(bigint, text, text), clearway.consent_case(bigint, bigint, text, text),
    clearway.case_finding(bigint, bigint), clearway.asked_lately(int) from public;
grant execute on function clearway.add_case_embargo(int, text), clearway.move_case(bigint, bigint, text, text, text),
    clearway.answer_case(bigint, text, text), clearway.consent_case(bigint, bigint, text, text),
    clearway.case_finding(bigint, bigint), clearway.asked_lately(int), clearway.case_part(clearway.case_party),
    clearway.queue_letters(bigint, text, bigint, bigint), clearway.case_audiences(int),
    clearway.thread_audience(bigint, bigint) to clearway_app;
"""

_TABLES = (
    "case_letter",
    "case_link",
    "vendor_route",
    "case_document",
    "case_draft",
    "case_message",
    "case_thread",
    "case_consent",
    "case_proposal",
    "case_act",
    "case_contact",
    "case_party",
    "desk_case",
)

POLICIES = """
do $$ declare t text; begin
    foreach t in array array['desk_case', 'case_party', 'case_contact', 'case_act', 'case_proposal', 'case_consent',
            'case_thread', 'case_message', 'case_draft', 'case_document', 'case_letter', 'case_link',
            'vendor_route'] loop
        perform clearway.govern(format('clearway.%I', t)::regclass);
        -- The desk writes; what a party does goes through functions, or one of the policies below.
        execute format('create policy desk_adds on clearway.%I for insert to clearway_app
            with check ((select clearway.is_desk()) and get_bit((select clearway.my_bits()), aud) = 1)', t);
        execute format('create policy desk_changes on clearway.%I for update to clearway_app
            using ((select clearway.is_desk()) and get_bit((select clearway.my_bits()), aud) = 1)
            with check ((select clearway.is_desk()) and get_bit((select clearway.my_bits()), aud) = 1)', t);
    end loop;
end $$;
grant insert (handling, org, aud, open_aud, embargo, title, ecosystem, package, purl),
    update (title, ecosystem, package, purl, until, zone, orphan, cve, cve_state, released, closed, changed, version)
    on clearway.desk_case to clearway_app;
grant insert (case_id, org, aud, role, member, name, product, waits),
    update (waits, step, left_at, asked, version) on clearway.case_party to clearway_app;
grant insert (party, org, aud, email, source) on clearway.case_contact to clearway_app;
grant insert (case_id, org, aud, party, until, zone, why), update (state) on clearway.case_proposal to clearway_app;
grant insert (case_id, org, aud, party, product, topic) on clearway.case_thread to clearway_app;
grant insert (thread, org, aud, party, sealed, sha256, bytes) on clearway.case_message to clearway_app;
grant insert (case_id, number, org, aud, summary, sealed, sha256), update (released) on clearway.case_draft
    to clearway_app;
grant insert (org, aud, ecosystem, pattern, member, name, email, source), update (ended) on clearway.vendor_route
    to clearway_app;
-- A party proposes a date, in its own name.
create policy party_adds on clearway.case_proposal for insert to clearway_app
    with check (get_bit((select clearway.my_bits()), aud) = 1 and exists (
        select from clearway.case_party p where p.party = case_proposal.party and p.case_id = case_proposal.case_id
            and clearway.case_part(p) <> ''));
-- A party speaks in a thread that it sees, in its own name.
create policy party_says on clearway.case_message for insert to clearway_app
    with check (get_bit((select clearway.my_bits()), aud) = 1 and exists (
        select from clearway.case_thread t join clearway.case_party p on p.case_id = t.case_id
        where t.thread = case_message.thread and p.party = case_message.party
            and (t.party is null or t.party = p.party) and clearway.case_part(p) <> ''));
-- The machines are no secret.
alter table clearway.case_transition enable row level security;
alter table clearway.case_transition force row level security;
do $$ begin
    execute format('create policy own on clearway.case_transition to %I using (true) with check (true)', current_user);
end $$;
create policy see on clearway.case_transition for select to clearway_app using (true);
grant select on clearway.case_transition to clearway_app;
-- What a case holds for its parties stays theirs; it can't be marked by hand.
update clearway.governed set "right" = '' where regexp_replace(name, '^clearway[.]', '') in
    ('desk_case', 'case_party', 'case_contact', 'case_act', 'case_proposal', 'case_consent', 'case_thread',
     'case_message', 'case_draft', 'case_document', 'case_letter', 'case_link', 'vendor_route');
insert into clearway.job_allowed (task, own) values ('findings.case_release', false), ('findings.case_cve', false),
    ('app.case_letters', false);
insert into clearway.log_act (act, app) values ('case.*', true), ('party.*', true), ('route.*', true)
    on conflict do nothing;
"""


def upgrade() -> None:
    """Creates the tables, the machines and their rules."""
    run(TABLES, FUNCTIONS, POLICIES)


def downgrade() -> None:
    """Drops them; findings go back into the queue, and embargoes stay with their parties."""
    op.execute(
        "delete from clearway.job_allowed where task in "
        "('findings.case_release', 'findings.case_cve', 'app.case_letters')"
    )
    op.execute("delete from clearway.log_act where act = 'route.*'")
    op.execute("update clearway.finding set case_id = null")
    op.execute(
        "drop policy party_adds on clearway.case_proposal; drop policy party_says on clearway.case_message;"
        "drop function clearway.thread_audience(bigint, bigint), clearway.case_audiences(int), "
        "clearway.queue_letters(bigint, text, bigint, bigint), clearway.asked_lately(int), "
        "clearway.case_finding(bigint, bigint), "
        "clearway.consent_case(bigint, bigint, text, text), clearway.answer_case(bigint, text, text), "
        "clearway.move_case(bigint, bigint, text, text, text), clearway.case_part(clearway.case_party), "
        "clearway.locked_case(bigint), clearway.add_case_embargo(int, text)"
    )
    op.execute(f"drop table {', '.join(f'clearway.{table}' for table in _TABLES)}, clearway.case_transition")
    names = ", ".join(f"'{table}'" for table in _TABLES)
    op.execute(f"delete from clearway.governed where regexp_replace(name, '^clearway[.]', '') in ({names})")  # noqa: S608
