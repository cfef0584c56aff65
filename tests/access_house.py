"""Kinds of people of two organisations, each with a client of an application's real routes."""

from __future__ import annotations

from typing import Any, NamedTuple

from litestar.testing import TestClient

import kept_builds  # noqa: F401
from clearway.http.application import Application
from clearway.http.csrf import token
from clearway.http.session_cookie import SESSION_COOKIE_PLAIN
from people import People, Somebody

BASE = "http://127.0.0.1:9000"


class Reader:
    """Somebody at the API (`api`, by token) and at the pages (`look`, `submit`, by session)."""

    def __init__(self, app: Application, who: Somebody | None) -> None:
        self.who = who
        self.client: TestClient[Any] = TestClient(app, base_url=BASE)  # type: ignore[arg-type]
        self.client.follow_redirects = False

    def api(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """The answer of `/api/v1` to this person's token."""
        self.client.cookies.clear()
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.who is not None:
            given["authorization"] = f"Bearer {self.who.secret}"
        return self.client.request(method, f"/api/v1{path}", json=body, headers=given)

    def look(self, path: str) -> Any:
        """The page at `path`."""
        self._in()
        return self.client.get(path, headers={"accept": "text/html"})

    def submit(self, path: str, **fields: Any) -> Any:
        """What a form that is sent there answers."""
        self._in()
        sent = {**fields, "_csrf": token(self.who.key)} if self.who else fields
        return self.client.post(path, data=sent, headers={"accept": "text/html"})

    def made(self, path: str, **fields: Any) -> Any:
        """The page that a form which is sent there leads to."""
        answer = self.submit(path, **fields)
        assert answer.status_code == 303, answer.text
        return self.look(answer.headers["location"])

    def ask_in_person(self, path: str, **headers: str) -> Any:
        """What the API answers to a POST of somebody who is signed in, by their session."""
        self._in()
        sent = {"x-csrf-token": token(self.who.key)} if self.who else {}
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post(path, headers={**sent, **fields, "accept": "application/json"})

    def _in(self) -> None:
        if self.who is not None and not self.client.cookies.get(SESSION_COOKIE_PLAIN):
            self.client.cookies.set(SESSION_COOKIE_PLAIN, self.who.cookie)


class Household(NamedTuple):
    """Two organisations and who of them a `House` has, as they stand in a database."""

    water: int
    hospital: int
    chief: Somebody
    desk: Somebody
    member: Somebody
    auditor: Somebody
    stranger: Somebody


def household(people: People) -> Household:
    """Makes them in a database where none of them is."""
    water, hospital = people.org("water"), people.org("hospital")
    return Household(
        water,
        hospital,
        chief=people.somebody(water, "administrator", name="Chief of Water"),
        desk=people.somebody(water, "coordinator", name="Coordinator of Water"),
        member=people.somebody(water, "operator", name="Member of Water"),
        auditor=people.somebody(water, "auditor", name="Auditor of Water"),
        stranger=people.somebody(hospital, "administrator", name="Chief of Hospital"),
    )


class House:
    """`admin` runs the installation, `chief` administers Water, `member` operates there; `stranger` is of Hospital."""

    def __init__(self, people: People, app: Application, lives: Household | None = None) -> None:
        self.people = people
        self.app = app
        lives = lives or household(people)
        self.water, self.hospital = lives.water, lives.hospital
        self.admin = Reader(app, people.admin)
        self.chief = Reader(app, lives.chief)
        self.desk = Reader(app, lives.desk)
        self.member = Reader(app, lives.member)
        self.auditor = Reader(app, lives.auditor)
        self.stranger = Reader(app, lives.stranger)
        self.public = Reader(app, None)

    def acts(self) -> list[str]:
        """What the log has been told, in order."""
        with self.people.owner() as owner:
            return [a for (a,) in owner.execute("select act from clearway.log_entry order by entry")]
