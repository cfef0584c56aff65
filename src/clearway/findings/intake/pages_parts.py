"""What the pages of the intake have in common: forms with files, and words for states."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from litestar.datastructures import UploadFile
from litestar.enums import RequestEncodingType
from litestar.params import Body

from clearway.http.pages import Form

from . import form as forms

if TYPE_CHECKING:
    from collections.abc import Iterable

    from clearway.formats.reported_parts import FileKind
    from clearway.records.errors import ClearwayError

PAGE: dict[str, Any] = {"sync_to_thread": True, "include_in_schema": False}
FORM: Any = Body(media_type=RequestEncodingType.URL_ENCODED)
FILES: Any = Body(media_type=RequestEncodingType.MULTI_PART)
STATE_WORDS = {
    "received": "Waits",
    "incomplete": "Something is missing",
    "queued": "Waits for validation",
    "validating": "Being validated",
    "judged": "Validated",
    "closed": "Closed",
    "withdrawn": "Withdrawn",
}
# Fields of a form that take files, and as what these are kept.
_FILE_FIELDS: tuple[tuple[str, FileKind], ...] = (
    ("proof", "input"),
    ("patch", "patch"),
    ("files", "attachment"),
)


def texts(data: dict[str, Any], names: Iterable[str]) -> dict[str, str]:
    """What was typed into these fields."""
    return {name: value if isinstance(value := data.get(name, ""), str) else "" for name in names}


def uploads(data: dict[str, Any]) -> list[forms.Upload]:
    """The files that were chosen, each with its kind by its field."""
    return [(kind, name, body) for field, kind in _FILE_FIELDS for name, body in chosen(data, field)]


def chosen(data: dict[str, Any], field: str) -> list[tuple[str, bytes]]:
    """(name, bytes) of the files chosen in one field; an empty choice is none."""
    given = data.get(field)
    found = []
    for file in given if isinstance(given, list) else [given]:
        if isinstance(file, UploadFile) and (body := file.file.read()):
            found.append(((file.filename or "file")[-200:], body))
    return found


def wrong(values: dict[str, str], error: ClearwayError) -> Form:
    """What was typed, and what is wrong: beside its field where the form has one."""
    told = f"{error.what}: {error.mend}" if error.mend else error.what
    field = error.where if error.where in values else forms.field_of(error.where)
    return Form(values, {field: told})
