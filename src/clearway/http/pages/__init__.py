"""Pages: from a template of a room to an answer, with what all pages share.

`page(request, "room/name.html", **values)` is the whole of it for most routes. `app` makes the one `Pages` of an
application, with the rooms' templates and the navigation. What a page is made of: `Table`, `Column`, `Facet`, `Choice`,
`Form`, `Tlp`, and the plots of `plot`; where it leads: `Address`. A form that did its work answers `done(…)`.
"""

from . import plot
from .address import Address
from .form import Form
from .rendering import Pages, csrf_field, done, page, viewer_of
from .table import Choice, Column, Facet, Table
from .tlp import Tlp
from .viewer import Nav, Organisation, Viewer

__all__ = [
    "Address",
    "Choice",
    "Column",
    "Facet",
    "Form",
    "Nav",
    "Organisation",
    "Pages",
    "Table",
    "Tlp",
    "Viewer",
    "csrf_field",
    "done",
    "page",
    "plot",
    "viewer_of",
]
