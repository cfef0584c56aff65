"""A few large documents are read at once, one of an organisation; who finds no room is told so at once."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from clearway.findings.intake.readers import AT_ONCE, SMALL, Readers
from clearway.records.errors import TooManyRequestsError


def test_one_organisation_reads_one_large_document_at_once() -> None:
    readers = Readers()
    with readers.room(1, SMALL + 1):
        with pytest.raises(TooManyRequestsError), readers.room(1, SMALL + 1):
            pass
        with readers.room(2, SMALL + 1):
            pass
    with readers.room(1, SMALL + 1):
        pass


def test_there_is_room_for_so_many_and_small_ones_need_none() -> None:
    readers = Readers()
    with ExitStack() as stack:
        for org in range(AT_ONCE):
            stack.enter_context(readers.room(org, SMALL + 1))
        with pytest.raises(TooManyRequestsError, match="no room now"), readers.room(99, SMALL + 1):
            pass
        for _ in range(100):
            stack.enter_context(readers.room(99, SMALL))


def test_room_is_given_back_when_reading_fails() -> None:
    readers = Readers(1)
    for _ in range(3):
        with pytest.raises(ValueError, match="broken"), readers.room(1, SMALL + 1):
            raise ValueError("broken")
