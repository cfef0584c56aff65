"""What was begun by somebody who is signed in is not finished for them once they have signed out."""

from __future__ import annotations

import contextlib
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from litestar.testing import TestClient

from access_house import BASE
from clearway.access import credential
from clearway.access.providers import Provider, SignIn
from clearway.access.sign_in import routes
from clearway.http import csrf
from clearway.http.acting import Doorkeeper
from clearway.http.application import application
from clearway.http.pages import Pages
from clearway.http.session_cookie import SESSION_COOKIE_PLAIN
from clearway.store.scalar import scalar
from people import People, Somebody


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    """A real OpenID provider on loopback, in a process of its own."""
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port = trial.getsockname()[1]
    command = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://localhost:{port}"
    try:
        for _ in range(200):
            with contextlib.suppress(httpx.HTTPError):
                if (
                    httpx.get(
                        f"{url}/.well-known/openid-configuration", trust_env=False, verify=False
                    ).status_code
                    == 200
                ):
                    break
            time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="module")
def client(people: People, issuer: str) -> Iterator[TestClient[Any]]:
    provider = Provider(id="idp", name="Example", issuer=issuer, client_id="clearway", client_secret="s3cret")
    door = Doorkeeper(people.pool)
    app = application(
        [routes(SignIn(base_url=BASE, provider=(provider,)))],
        guard=door.guard(),
        pages=Pages({"access": "clearway.access"}),
        state={"doorkeeper": door},
    )
    with TestClient(app, base_url=BASE) as made:  # type: ignore[arg-type]
        made.follow_redirects = False
        yield made


def begun(client: TestClient[Any], who: Somebody, subject: str) -> str:
    """The path by which the provider sends `who`'s browser back, to bind the account `subject`."""
    client.cookies.clear()
    client.cookies.set(SESSION_COOKIE_PLAIN, who.cookie)
    shown = client.post("/settings/account/bind/idp", data={"_csrf": csrf.token(who.key)})
    found = re.search(r'href="(http://localhost[^"]+)"', shown.text)
    assert found, shown.text
    answer = httpx.post(
        found[1].replace("&amp;", "&"),
        data={"sub": subject},
        follow_redirects=False,
        trust_env=False,
        verify=False,
    )
    assert answer.headers["location"].startswith(BASE)
    return answer.headers["location"][len(BASE) :]


def accounts(people: People, who: Somebody) -> int:
    with people.owner() as owner:
        return scalar(owner, "select count(*) from clearway.identity where person = %s", (who.person,))


@pytest.mark.parametrize(
    "gone", ["signed out", "revoked elsewhere", "no cookie", "a token instead", "somebody else"]
)
def test_an_account_is_not_bound_for_whoever_is_not_there_any_more(
    people: People, client: TestClient[Any], a: int, gone: str
) -> None:
    """Else whoever has the browser next, or sent its owner there by a link, signs in as that person from then on."""
    who, other = people.somebody(a, "operator"), people.somebody(a, "operator")
    back = begun(client, who, f"{gone.replace(' ', '-')}@example.org")
    headers = {"accept": "text/html"}
    if gone == "signed out":
        assert client.post("/sign-out", data={"_csrf": csrf.token(who.key)}).status_code == 303
    elif gone == "revoked elsewhere":
        with people.acting(who) as db:
            credential.sign_out(db)
    elif gone == "somebody else":
        client.cookies.set(SESSION_COOKIE_PLAIN, other.cookie)
    else:
        client.cookies.delete(SESSION_COOKIE_PLAIN)
        if gone == "a token instead":
            headers["authorization"] = f"Bearer {who.secret}"
    answer = client.get(back, headers=headers)
    assert answer.status_code == 401
    assert accounts(people, who) == accounts(people, other) == 0
    # Nor does it do so later: what was begun is used up.
    client.cookies.set(SESSION_COOKIE_PLAIN, other.cookie)
    assert client.get(back, headers={"accept": "text/html"}).status_code == 401
    assert accounts(people, who) == accounts(people, other) == 0


def test_the_same_person_in_the_same_browser_binds_it(
    people: People, client: TestClient[Any], a: int
) -> None:
    who = people.somebody(a, "operator")
    back = begun(client, who, "still-here@example.org")
    assert client.get(back).status_code == 303
    assert accounts(people, who) == 1
