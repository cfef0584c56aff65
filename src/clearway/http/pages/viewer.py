"""What a page knows of the person who looks at it, and of the way about the house."""

from __future__ import annotations

from msgspec import Struct

from clearway.records.principal import Principal


class Organisation(Struct, frozen=True):
    """One that the viewer may look at pages as."""

    slug: str
    name: str


class Viewer(Struct, frozen=True, kw_only=True):
    """Who looks. `session_key` is what CSRF tokens are bound to; "" where the credential is no cookie."""

    name: str
    organisations: tuple[Organisation, ...] = ()
    current: str = ""  # slug
    rights: frozenset[str] = frozenset()
    time_zone: str = "UTC"
    session_key: str = ""

    @classmethod
    def of(cls, principal: Principal, *, current: str = "", session_key: str = "") -> Viewer:
        """The viewer behind a principal; `current` is the first organisation unless it names another."""
        slugs = [m.slug for m in principal.memberships]
        return cls(
            name=principal.name,
            organisations=tuple(Organisation(m.slug, m.name) for m in principal.memberships),
            current=current if current in slugs else next(iter(slugs), ""),
            rights=frozenset(right for m in principal.memberships for right in m.rights),
            time_zone=principal.time_zone,
            session_key=session_key,
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

    `post` makes it a button that acts (sign out).
    """

    label: str
    path: str
    right: str = ""
    post: bool = False

    def shown_to(self, viewer: Viewer | None) -> bool:
        if not self.right:
            return True
        return viewer is not None and (self.right == "signed-in" or viewer.may(self.right))

    def leads_to(self, path: str) -> bool:
        """Whether `path` is the page or below it."""
        return path == self.path or (self.path != "/" and path.startswith(self.path.rstrip("/") + "/"))
