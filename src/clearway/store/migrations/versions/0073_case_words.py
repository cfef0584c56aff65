"""Topics and reasons of cases are sealed like messages: what is kept of them is longer than what was said."""

from clearway.store.ddl import run, standing

revision = "0073"
down_revision = "0072"
branch_labels = None
depends_on = None

# Characters as they are kept: of 4,000, 2,000 and 200 characters of at most four bytes, sealed and in base64.
_LONG, _MIDDLE, _SHORT = 22_000, 11_000, 1_200
_COLUMNS = (
    ("case_party", "answer_why", f"length(answer_why) <= {_LONG}", "length(answer_why) <= 4000"),
    ("case_act", "why", f"length(why) <= {_LONG}", "length(why) <= 4000"),
    ("case_proposal", "why", f"length(why) <= {_MIDDLE}", "length(why) <= 2000"),
    ("case_consent", "why", f"length(why) <= {_MIDDLE}", "length(why) <= 2000"),
    ("case_thread", "topic", f"length(topic) between 1 and {_SHORT}", "length(topic) between 1 and 200"),
)
# Cut sealed words can't be opened: what is longer is refused by the columns.
_FUNCTIONS = (("move_case", 4000), ("answer_case", 4000), ("consent_case", 2000))


def upgrade() -> None:
    for table, column, wide, _ in _COLUMNS:
        run(
            f"alter table clearway.{table} drop constraint {table}_{column}_check, "
            f"add constraint {table}_{column}_check check ({wide})"
        )
    for name, most in _FUNCTIONS:
        run(_changed(name, f"left(because, {most})", "because"))


def downgrade() -> None:
    for name, most in _FUNCTIONS:
        # What opens them is not in the database; a step back keeps that something was said, and not what.
        text = standing(name)
        head, body = text.split("begin", 1)
        run(head + "begin" + _cut(name, body, most))
    for table, column, _, narrow in _COLUMNS:
        run(
            f"update clearway.{table} set {column} = '(sealed)' where starts_with({column}, 'sealed:')",  # noqa: S608
            f"alter table clearway.{table} drop constraint {table}_{column}_check, "
            f"add constraint {table}_{column}_check check ({narrow})",
        )


def _cut(name: str, body: str, most: int) -> str:
    at = {
        "move_case": "t.next, because)",
        "answer_case": "answer_why = because",
        "consent_case": "says, because)",
    }
    old = at[name]
    assert body.count(old) == 1, name
    return body.replace(old, old.replace("because", f"left(because, {most})"))


def _changed(name: str, old: str, new: str) -> str:
    text = standing(name)
    assert text.count(old) == 1, (name, old)
    return text.replace(old, new)
