"""What a page knows of the person who looks at it, and of the way about the house."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from clearway.records.principal import Membership, Principal

if TYPE_CHECKING:
    from collections.abc import Iterable


class Organisation(Struct, frozen=True):
    """One that the viewer may look at pages as."""

    slug: str
    name: str


def _daily(one: Membership) -> list[str]:
    coordinates = one.kind == "clearinghouse" and "coordinate" in one.rights
    finds = one.kind != "authority" and "submit" in one.rights
    return ["desk"] * coordinates + ["finds"] * finds


class Viewer(Struct, frozen=True, kw_only=True):
    """Who looks. `session_key` is what CSRF tokens are bound to; "" where the credential is no cookie.

    Beside rights there is among `rights` what is somebody's daily work: "desk" for who coordinates for a clearinghouse,
    "finds" for who reports; an authority's coordinators may, and have no need of its ways on every page.
    """

    name: str
    organisations: tuple[Organisation, ...] = ()
    current: str = ""  # slug
    rights: frozenset[str] = frozenset()
    time_zone: str = "UTC"
    session_key: str = ""
    person: int = 0

    @classmethod
    def of(cls, principal: Principal, *, current: str = "", session_key: str = "") -> Viewer:
        """The viewer behind a principal; `current` is the first organisation unless it names another."""
        slugs = [m.slug for m in principal.memberships]
        return cls(
            name=principal.name,
            organisations=tuple(Organisation(m.slug, m.name) for m in principal.memberships),
            current=current if current in slugs else next(iter(slugs), ""),
            rights=frozenset(right for m in principal.memberships for right in (*m.rights, *_daily(m))),
            time_zone=principal.time_zone,
            session_key=session_key,
            person=principal.person,
        )

    @property
    def organisation(self) -> str:
        """The name of the current organisation, or ""."""
        return next((o.name for o in self.organisations if o.slug == self.current), "")

    def may(self, right: str) -> bool:
        """Whether it has `right` in some organisation; "" is everybody's."""
        return not right or right in self.rights


class Nav(Struct, frozen=True):
    """A way to a page, shown to viewers with `right` ("" for everybody, "signed-in" for those with a name).

    `post` makes it a button that acts (sign out). Who has the right `unless` does not get it: their page has another
    name for it. `parts` are the ways within an area, as a second row: on the area's pages, and on every page for
    viewers with one of the rights `always`.
    """

    label: str
    path: str
    right: str = ""
    post: bool = False
    unless: str = ""
    parts: tuple[Nav, ...] = ()
    always: tuple[str, ...] = ()

    def shown_to(self, viewer: Viewer | None) -> bool:
        if viewer is not None and self.unless and viewer.may(self.unless):
            return False
        if not self.right:
            return True
        return viewer is not None and (self.right == "signed-in" or viewer.may(self.right))

    def leads_to(self, path: str) -> bool:
        """Whether `path` is the page or below it, or in the area of which it is the way in."""
        return self.reach(path) > 0 or any(part.leads_to(path) for part in self.parts)

    def reach(self, path: str) -> int:
        """How much of `path` the way's own covers: of several in a row the current one is that with the most."""
        below = self.path != "/" and path.startswith(self.path.rstrip("/") + "/")
        return len(self.path) if path == self.path or below else 0


class Row(Struct, frozen=True):
    """A row of ways: who it is named after, the ways that the viewer has, and the one that is current."""

    label: str
    ways: tuple[Nav, ...]
    current: Nav | None = None


def parts_of(navigation: Iterable[Nav], viewer: Viewer | None, path: str) -> Row | None:
    """The second row for a viewer at `path`; None where there is none.

    The area that is looked at comes before one that the viewer has at hand on every page.
    """
    areas = [n for n in navigation if n.parts and viewer is not None and n.shown_to(viewer)]
    within = [n for n in areas if n.leads_to(path)]
    at_hand = [n for n in areas if viewer is not None and any(viewer.may(right) for right in n.always)]
    area = next(iter((*within, *at_hand)), None)
    if area is None:
        return None
    ways = tuple(part for part in area.parts if part.shown_to(viewer))
    nearest = max(ways, key=lambda way: way.reach(path), default=None)
    return Row(area.label, ways, nearest if nearest is not None and nearest.reach(path) else None)
