"""What is held back to the end of an intake: all of a source or none, and never more than may be taken in."""

from hypothesis import given
from hypothesis import strategies as st

from clearway.advisories.prepare import Row
from clearway.advisories.taken_back import HeldBack, most


@given(records=st.integers(0, 5_000), silenced=st.integers(0, 400))
def test_either_all_or_none_of_a_source_is_taken_in_and_no_more_is_held(records: int, silenced: int) -> None:
    held = HeldBack(lambda source: records)
    for n in range(silenced):
        held.add(a_row(n), b"x")
    few, much = held.few(), held.much()
    assert len(few) + sum(len(asides) for _, asides in much) == silenced
    assert (len(few) == silenced) == (silenced <= most(records))


def a_row(n: int) -> Row:
    return Row(n, f"f:{n}", "pypa", f"PYSEC-{n}", "osv", "", bytes([n % 256]), b"", b"", "CLEAR", (), ())
