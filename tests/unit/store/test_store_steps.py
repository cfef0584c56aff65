"""The chain of migrations: its numbers rise, for a database is told to be older or newer by the number it stands at."""

from __future__ import annotations

from alembic.script import ScriptDirectory

from clearway.store import migrate


def test_each_step_has_a_greater_number_than_the_one_before_it_and_its_file_is_named_by_it() -> None:
    """Else a database that stands at the last step would count as behind for ever, and one before it as done."""
    steps = list(ScriptDirectory(str(migrate._MIGRATIONS)).walk_revisions())  # the last first
    numbers = [step.revision for step in reversed(steps)]
    assert numbers == sorted(set(numbers)), "renumber the step that was added last: above all others"
    assert migrate.head() == numbers[-1]
    for step in steps:
        assert step.path.rpartition("/")[2].startswith(f"{step.revision}_")
