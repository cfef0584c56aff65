"""What was asked of a list, as a digest that only the installation's owner can hold against a question."""

import secrets

from alembic import op

from clearway.store.ddl import run

revision = "0067"
down_revision = "0066"
branch_labels = None
depends_on = None

_BLOCK = 64  # bytes: of SHA-256, RFC 2104 §2

QUESTION = """
-- The key of digests of what was asked of lists, as the two paddings of HMAC-SHA-256. Owner only, and made once: what
-- entries of the log say of a question is compared with for as long as the log is kept.
create table clearway.question_key (
    only_one boolean primary key default true check (only_one),
    ipad bytea not null check (octet_length(ipad) = 64),
    opad bytea not null check (octet_length(opad) = 64)
);

-- The digest of a question by a person, in hexadecimal. By person, so that nobody finds another's question by asking
-- what it may have been and comparing.
create function clearway.question_of(who int, asked text) returns text language sql stable
    security definer set search_path = clearway, pg_temp as $$
    select substr(encode(sha256(k.opad || sha256(k.ipad || convert_to(who || E'\\n' || asked, 'UTF8'))), 'hex'), 1, 32)
    from question_key k $$;

-- That of the caller's own.
create function clearway.question(asked text) returns text language sql stable
    security definer set search_path = clearway, pg_temp as $$ select question_of(actor(), asked) $$;
revoke execute on function clearway.question_of(int, text), clearway.question(text) from public;
grant execute on function clearway.question(text) to clearway_app;
"""


def upgrade() -> None:
    run(QUESTION)
    key = secrets.token_bytes(32).ljust(_BLOCK, b"\0")
    op.get_bind().exec_driver_sql(
        "insert into clearway.question_key (ipad, opad) values (%s, %s)",
        (bytes(b ^ 0x36 for b in key), bytes(b ^ 0x5C for b in key)),
    )


def downgrade() -> None:
    run(
        "drop function clearway.question(text), clearway.question_of(int, text); drop table clearway.question_key"
    )
