"""The whole application over a test's database, asked as different people: pages and API, as a browser or a program."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from litestar.testing import TestClient

import kept_builds  # noqa: F401
from clearway.advisories.stored_records import StoredRecords
from clearway.advisories.table import TABLE_FILE
from clearway.app.server import build
from clearway.app.workspace import Workspace

_TAGS = re.compile(r"<(script|style)\b.*?</\1>|<[^>]+>", re.DOTALL)


class Site:
    """Requests by a secret: a session's cookie (pages and forms) or a token's (the API)."""

    def __init__(self, http: TestClient[Any], workspace: Workspace) -> None:
        self.http = http
        self.workspace = workspace

    def page(self, cookie: str, path: str, status: int = 200, **headers: str) -> str:
        """A page as the holder of that session sees it; "" for a stranger."""
        sent = {"accept": "text/html", **({"cookie": f"clearway={cookie}"} if cookie else {}), **headers}
        answer = self.http.get(path, headers=sent, follow_redirects=False)
        assert answer.status_code == status, f"{path}: {answer.status_code}\n{words(answer.text)[:1500]}"
        return answer.headers.get("location", "") if 300 <= status < 400 else answer.text

    def post(self, cookie: str, path: str, status: int = 303, **fields: str) -> Any:
        """Sends a form with its token from a page of the same session; where it led to."""
        sent = {"accept": "text/html", "cookie": f"clearway={cookie}", "origin": "http://clearway.local"}
        shown = self.http.get("/sign-in", headers=sent, follow_redirects=False).text
        token = re.search(r'name="csrf-token" content="([^"]+)"', shown)
        fields["_csrf"] = token.group(1) if token else ""
        answer = self.http.post(path, data=fields, headers=sent, follow_redirects=False)
        assert answer.status_code == status, f"{path}: {answer.status_code}\n{words(answer.text)[:1500]}"
        return answer

    def api(
        self, secret: str, method: str, path: str, status: int = 200, body: Any = None, **headers: str
    ) -> Any:
        sent = {"accept": "application/json", **headers}
        if secret:
            sent["authorization"] = f"Bearer {secret}"
        answer = self.http.request(method, path, json=body, headers=sent)
        assert answer.status_code == status, answer.text[:1500]
        return answer


def words(html: str) -> str:
    """The text of a page without its markup, on one line."""
    import html as entities

    return " ".join(entities.unescape(_TAGS.sub(" ", html)).split())


@contextmanager
def site(home: Path, url: str) -> Iterator[Site]:
    """The application over `home` and the database at `url`."""
    workspace = Workspace(home, url)
    app = build(home / TABLE_FILE, StoredRecords(url), workspace=workspace)
    with TestClient(app, base_url="http://clearway.local") as http:  # type: ignore[arg-type]
        yield Site(http, workspace)
