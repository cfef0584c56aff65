"""Signing in through the real server's routes: by code, by provider, and out again; and what must not work."""

from __future__ import annotations

import contextlib
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from litestar import Request, get, post
from litestar.testing import TestClient
from msgspec.json import decode

import kept_builds  # noqa: F401
from clearway.access import approval, credential, invitation, oidc, person
from clearway.access.providers import Provider, SignIn
from clearway.access.sign_in import local, routes
from clearway.http import csrf, threads
from clearway.http.acting import SIGNED_IN, Doorkeeper, acting, needs
from clearway.http.application import application
from clearway.http.pages import Pages
from clearway.http.ratelimit import Policy, Rates
from clearway.http.threads import OUTSIDE_THREADS, OUTSIDE_WAITING
from clearway.records.errors import AuthenticationError, ForbiddenError, OutsideError
from clearway.store.principal import Pool, key_of
from clearway.store.scalar import scalar
from people import People, Somebody
from upstream import Reply, serving

BASE = "http://127.0.0.1:9000"


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


def client_of(
    people: People, *providers: Provider, rates: Rates | None = None, more: Sequence[Any] = ()
) -> Iterator[TestClient[Any]]:
    settings = SignIn(base_url=BASE, provider=providers)
    door = Doorkeeper(people.pool)

    @get("/me", opt=SIGNED_IN, sync_to_thread=True)
    def me(request: Request[Any, Any, Any]) -> dict[str, Any]:
        with acting(request) as (db, who):
            row = db.execute("select clearway.me()").fetchone()
            assert row is not None
            return {"person": row[0], "name": who.name, "credential": who.credential}

    @post("/act", opt=SIGNED_IN, sync_to_thread=True)
    def act(request: Request[Any, Any, Any]) -> dict[str, str]:
        return {"done": "yes"}

    app = application(
        [routes(settings), me, act, *more],
        guard=door.guard(),
        pages=Pages({"access": "clearway.access"}),
        state={"doorkeeper": door},
        rates=rates,
    )
    with TestClient(app, base_url=BASE) as client:  # type: ignore[arg-type]
        client.follow_redirects = False
        yield client


@pytest.fixture
def client(people: People) -> Iterator[TestClient[Any]]:
    yield from client_of(people)


@pytest.fixture
def with_provider(people: People, issuer: str) -> Iterator[TestClient[Any]]:
    yield from client_of(
        people,
        Provider(id="idp", name="Example", issuer=issuer, client_id="clearway", client_secret="s3cret"),
    )


def code_for(people: People, who: Somebody) -> str:
    with people.owner() as owner:
        return invitation.invite(owner, who.person, who.org, now=datetime.now(UTC))


def sign_in(client: TestClient[Any], people: People, who: Somebody) -> None:
    session = client.cookies.get("clearway")
    token = csrf.token(key_of(session)) if session else ""  # a browser that is signed in has it in the form
    answer = client.post("/sign-in/code", data={"code": code_for(people, who), "next": "/me", "_csrf": token})
    assert (answer.status_code, answer.headers["location"]) == (303, "/me"), answer.text


def test_a_code_signs_in_once_and_the_cookie_is_closed_to_scripts_and_other_sites(
    client: TestClient[Any], people: People
) -> None:
    code = code_for(people, people.admin)
    answer = client.post("/sign-in/code", data={"code": code})
    cookie = next(c for c in answer.headers.get_list("set-cookie") if c.startswith("clearway="))
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert client.get("/me").json()["person"] == people.admin.person
    client.cookies.clear()
    again = client.post("/sign-in/code", data={"code": code}, headers={"accept": "text/html"})
    assert again.status_code == 401
    assert "not valid" in again.text
    assert client.get("/me").status_code == 401


def test_a_neighbour_who_guesses_keeps_nobody_out_and_is_told_how_long_to_wait(people: People) -> None:
    browser = {"accept": "text/html"}
    for client in client_of(people, rates=Rates(sign_in=Policy("sign-in", 3, 600))):
        guess = {"code": "23456-789AB-CDEFG-HJKMN"}
        for typed in (guess["code"], guess["code"].lower(), guess["code"].replace("-", " ")):
            assert client.post("/sign-in/code", data={"code": typed}, headers=browser).status_code == 401
        refused = client.post("/sign-in/code", data=guess, headers=browser)
        assert refused.status_code == 429
        assert refused.headers["content-type"].startswith("text/html")
        assert 190 < int(refused.headers["retry-after"]) <= 200
        assert "more than 3 in 600 s (sign-in)" in refused.text
        assert "come back in 4 min" in refused.text
        assert 'href="/sign-in">Try again</a>' in refused.text
        sign_in(client, people, people.admin)  # from the same address
        assert client.get("/me").json()["person"] == people.admin.person


def test_one_without_a_right_keeps_nobody_out_who_signs_in_at_the_same_address(people: People) -> None:
    @get("/administer", opt=needs("administer"), sync_to_thread=False)
    def closed() -> str:
        return "open"

    for client in client_of(people, rates=Rates(failures=Policy("failures", 3, 600)), more=[closed]):
        sign_in(client, people, people.somebody(people.house, "auditor"))
        refused = {client.get("/administer").status_code for _ in range(9)}
        assert refused == {403}
        client.cookies.clear()
        sign_in(client, people, people.admin)
        assert client.get("/me").status_code == 200


def test_who_lacks_a_right_is_told_the_role_and_who_gives_it(people: People) -> None:
    @get("/administer", opt=needs("administer"), sync_to_thread=False)
    def closed() -> str:
        return "open"

    auditor = people.somebody(people.house, "auditor")
    with people.owner() as owner:
        narrow = credential.make_token(
            owner,
            people.admin.person,
            label="narrow",
            scopes=["read"],
            life=timedelta(days=1),
            now=datetime.now(UTC),
        )
    for client in client_of(people, more=[closed]):
        told = client.get("/administer", headers={"authorization": f"Bearer {auditor.secret}"})
        assert told.status_code == 403
        assert "the role administrator is missing" in told.json()["detail"]
        assert "who administers your organisation gives it" in told.json()["mend"]
        token = {"authorization": f"Bearer {narrow.secret}"}
        assert (
            client.get("/administer", headers=token).json()["detail"]
            == "this token lacks the scope administer"
        )
        page = client.get(
            "/administer", headers={"accept": "text/html", "authorization": f"Bearer {auditor.secret}"}
        )
        assert "What to do: who administers your organisation gives it" in page.text


def test_options_tells_the_methods_to_whom_it_knows(client: TestClient[Any], people: People) -> None:
    known = {"authorization": f"Bearer {people.admin.secret}"}
    told = client.options("/act", headers=known)
    assert told.status_code == 204
    assert {one.strip() for one in told.headers["allow"].split(",")} == {"OPTIONS", "POST"}
    assert "HEAD" in client.options("/me", headers=known).headers["allow"]
    assert client.options("/act").status_code == 401
    assert client.options("/act", headers={"authorization": "Bearer none"}).status_code == 401


def test_what_pages_are_made_of_is_there_when_the_database_is_not() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        pool = Pool(f"postgresql://x@127.0.0.1:{nobody.getsockname()[1]}/x")
        pages = Pages()
        app = application([], guard=Doorkeeper(pool).guard(), pages=pages)
        with TestClient(app, base_url=BASE) as client:  # type: ignore[arg-type]
            client.cookies.set("clearway", "somebody's session")
            assert client.get(pages.statics.url("clearway.css")).status_code == 200
        pool.close()


def test_who_guesses_tokens_is_not_read_and_who_signs_in_at_the_same_address_is(people: People) -> None:
    def asked(client: TestClient[Any], guess: object) -> int:
        return client.get("/me", headers={"authorization": f"Bearer cw_{guess}"}).status_code

    for client in client_of(people, rates=Rates(failures=Policy("failures", 3, 600))):
        assert [asked(client, n) for n in range(5)] == [401] * 3 + [429] * 2
        client.cookies.set("clearway", "an ended session")
        assert client.get("/sign-in", headers={"accept": "text/html"}).status_code == 200
        client.cookies.clear()
        sign_in(client, people, people.admin)
        client.cookies.set("clearway_done", "1")
        assert client.get("/me").status_code == 200
        client.cookies.clear()
        assert asked(client, 9) == 429


def test_a_passkey_is_tried_so_often_and_another_beside_it(people: People) -> None:
    def tried(client: TestClient[Any], name: object) -> int:
        answer = client.post("/sign-in/passkey", json={"credential": {"id": name}})
        return answer.status_code

    for client in client_of(people, rates=Rates(sign_in=Policy("sign-in", 1, 600))):
        first = tried(client, "one")
        assert first in (400, 401)
        assert [tried(client, "one"), tried(client, "two")] == [429, first]
        assert tried(client, {"a": ["x" * 5_000]}) == first


def test_signing_in_ends_the_session_before_it(client: TestClient[Any], people: People) -> None:
    """Whoever planted a session in this browser, or copied it, has nothing any more."""
    sign_in(client, people, people.admin)
    first = client.cookies["clearway"]
    sign_in(client, people, people.admin)
    assert client.cookies["clearway"] != first
    with people.pool.acting(key_of(first)) as db:
        assert db.execute("select clearway.me()").fetchone() == (None,)


def test_signing_out_ends_the_session_at_the_server(client: TestClient[Any], people: People) -> None:
    sign_in(client, people, people.admin)
    secret = client.cookies["clearway"]
    token = csrf.token(key_of(secret))
    assert client.post("/sign-out", data={"_csrf": token}).status_code == 303
    client.cookies.set("clearway", secret)
    assert client.get("/me").status_code == 401


def test_a_post_with_the_cookie_needs_the_sessions_token_and_our_own_origin(
    client: TestClient[Any], people: People
) -> None:
    sign_in(client, people, people.admin)
    token = csrf.token(key_of(client.cookies["clearway"]))
    assert client.post("/act", data={}).status_code == 403
    assert client.post("/act", data={"_csrf": "0" * 64}).status_code == 403
    assert client.post("/act", data={"_csrf": csrf.token("f" * 64)}).status_code == 403
    for headers in (
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
    ):
        assert client.post("/act", data={"_csrf": token}, headers=headers).status_code == 403
    assert client.post("/act", data={"_csrf": token}).status_code == 201
    assert client.post("/act", headers={"x-csrf-token": token}).status_code == 201


def test_a_token_is_no_cookie_and_a_session_no_token(client: TestClient[Any], people: People) -> None:
    who = people.admin
    assert (
        client.get("/me", headers={"authorization": f"Bearer {who.secret}"}).json()["credential"] == "token"
    )
    assert client.get("/me", headers={"authorization": f"Bearer {who.cookie}"}).status_code == 401
    client.cookies.set("clearway", who.secret)
    assert client.get("/me").status_code == 401
    client.cookies.set("clearway", who.cookie)
    assert client.get("/me").json()["credential"] == "session"


def through(client: TestClient[Any], start: str, subject: str) -> httpx.Response:
    """Walks the provider's page as a browser does, and comes back."""
    sent = client.get(start)
    assert sent.status_code == 303, sent.text
    return client.get(_at_provider(sent.headers["location"], subject))


def _at_provider(url: str, subject: str) -> str:
    answer = httpx.post(url, data={"sub": subject}, follow_redirects=False, trust_env=False, verify=False)
    assert answer.status_code in (302, 303), answer.text
    back = answer.headers["location"]
    assert back.startswith(BASE)
    return back[len(BASE) :]


def bind(client: TestClient[Any], people: People, who: Somebody, subject: str) -> None:
    sign_in(client, people, who)
    token = csrf.token(key_of(client.cookies["clearway"]))
    shown = client.post("/settings/account/bind/idp", data={"_csrf": token})
    found = re.search(r'href="(http://localhost[^"]+)"', shown.text)
    assert found, shown.text
    landed = client.get(_at_provider(found[1].replace("&amp;", "&"), subject))
    assert (landed.status_code, landed.headers["location"]) == (303, "/settings/account")
    client.cookies.clear()


def test_an_account_of_a_provider_signs_in_once_it_is_bound(
    with_provider: TestClient[Any], people: People
) -> None:
    client = with_provider
    refused = through(client, "/sign-in/with/idp", "ann@example.org")
    assert refused.status_code == 401
    assert "nobody here has that account" in refused.text
    who = people.somebody(people.org("a"), "operator")
    bind(client, people, who, "ann@example.org")
    landed = through(client, "/sign-in/with/idp?next=/me", "ann@example.org")
    assert (landed.status_code, landed.headers["location"]) == (303, "/me")
    assert client.get("/me").json()["person"] == who.person


def test_an_account_that_is_bound_by_a_code_for_somebody_who_was_there_remembers_who_made_it(
    with_provider: TestClient[Any], people: People
) -> None:
    client, who = with_provider, people.somebody(people.org("a"), "operator")
    bind(client, people, who, "eve@example.org")
    with people.acting(people.admin) as db:
        code = invitation.invite(db, who.person, who.org, now=datetime.now(UTC))
    with people.owner() as owner:
        session = invitation.accept(owner, code, now=datetime.now(UTC))
    client.cookies.set("clearway", session.secret)
    shown = client.post("/settings/account/bind/idp", data={"_csrf": csrf.token(session.key)})
    found = re.search(r'href="(http://localhost[^"]+)"', shown.text)
    assert found, shown.text
    assert client.get(_at_provider(found[1].replace("&amp;", "&"), "eve-too@example.org")).status_code == 303
    for subject, hands in (("eve-too@example.org", [people.admin.person]), ("eve@example.org", [])):
        client.cookies.clear()
        assert through(client, "/sign-in/with/idp", subject).status_code == 303
        with people.owner() as owner:
            bound = scalar(owner, "select identity from clearway.identity where subject = %s", (subject,))
            kept = credential.hands_of(owner, key_of(client.cookies["clearway"]))
            log = owner.execute(
                "select content from clearway.log_entry order by entry desc limit 1"
            ).fetchone()
        assert kept == [*hands, -bound]
        assert log is not None
        assert decode(log[0]).get("hands", []) == hands


def test_whom_one_administrator_let_in_are_two_once_both_come_by_accounts_of_one_provider(
    with_provider: TestClient[Any], people: People
) -> None:
    client, a = with_provider, people.org("a")
    chief = people.somebody(a, "administrator")
    keys: list[str] = []
    for name in ("ann", "ben"):
        with people.acting(chief) as db:
            made = person.add(db, a, name, ["coordinator"]).person
            code = invitation.invite(db, made, a, now=datetime.now(UTC))
        with people.owner() as owner:
            session = invitation.accept(owner, code, now=datetime.now(UTC))
        client.cookies.set("clearway", session.secret)
        shown = client.post("/settings/account/bind/idp", data={"_csrf": csrf.token(session.key)})
        found = re.search(r'href="(http://localhost[^"]+)"', shown.text)
        assert found, shown.text
        back = client.get(_at_provider(found[1].replace("&amp;", "&"), f"{name}@example.org"))
        assert back.status_code == 303
        keys += [session.key, key_of(back.cookies["clearway"])]
        client.cookies.clear()
    ended, by_provider = keys[2:]
    with people.pool.acting(keys[1]) as db:
        which = approval.ask(db, a, "other", "asset/1", {}, "because").approval
    with people.pool.acting(ended) as db:
        assert db.execute("select clearway.me()").fetchone() == (None,)
    with pytest.raises(ForbiddenError, match="second person"), people.acting(chief) as db:
        approval.decide(db, which, "approved")
    with people.pool.acting(by_provider) as db:
        assert approval.decide(db, which, "approved").verdict == "approved"


def test_an_account_is_bound_to_one_person(with_provider: TestClient[Any], people: People) -> None:
    client = with_provider
    a = people.org("a")
    bind(client, people, people.somebody(a, "operator"), "bob@example.org")
    other = people.somebody(a, "operator")
    sign_in(client, people, other)
    token = csrf.token(key_of(client.cookies["clearway"]))
    shown = client.post("/settings/account/bind/idp", data={"_csrf": token})
    found = re.search(r'href="(http://localhost[^"]+)"', shown.text)
    assert found
    refused = client.get(_at_provider(found[1].replace("&amp;", "&"), "bob@example.org"))
    assert refused.status_code == 401
    assert "somebody else" in refused.text


def test_an_answer_of_a_provider_serves_once_and_only_in_the_browser_that_began(
    with_provider: TestClient[Any], people: People
) -> None:
    client = with_provider
    bind(client, people, people.admin, "cyd@example.org")
    sent = client.get("/sign-in/with/idp")
    back = _at_provider(sent.headers["location"], "cyd@example.org")
    attempt = dict(client.cookies)
    client.cookies.clear()  # another browser, sent there by a link
    assert client.get(back).status_code == 401
    for name, value in attempt.items():
        client.cookies.set(name, value)
    assert client.get(back).status_code == 303
    client.cookies.clear()
    for name, value in attempt.items():
        client.cookies.set(name, value)
    assert client.get(back).status_code == 401


def test_a_changed_state_nonce_or_issuer_is_refused(issuer: str) -> None:
    provider = Provider(id="idp", name="x", issuer=issuer, client_id="clearway", client_secret="s3cret")
    back = f"{BASE}/sign-in/back/idp"

    def answer() -> tuple[oidc.Pending, dict[str, str]]:
        url, kept = oidc.begin(provider, back)
        query = parse_qs(urlsplit(_at_provider(url, "dee@example.org")).query)
        return kept, {k: v[0] for k, v in query.items()}

    kept, said = answer()
    assert oidc.finish(provider, kept, said).subject == "dee@example.org"
    from msgspec.structs import replace

    for change in ({"state": "x"}, {"iss": "https://other.example"}, {"code": "x"}, {"code": ""}):
        kept, said = answer()
        with pytest.raises(AuthenticationError):
            oidc.finish(provider, kept, {**said, **change})
    kept, said = answer()
    with pytest.raises(AuthenticationError, match="nonce"):
        oidc.finish(provider, replace(kept, nonce="another"), said)
    kept, said = answer()
    with pytest.raises(AuthenticationError):
        oidc.finish(replace(provider, client_id="another"), kept, said)
    kept, said = answer()
    with pytest.raises(AuthenticationError):
        oidc.finish(replace(provider, id="second"), kept, said)


@pytest.mark.parametrize("alg", ["none", "HS256"])
def test_an_id_token_without_a_public_keys_signature_is_refused(alg: str) -> None:
    from joserfc import jwk, jwt

    key = jwk.OctKey.import_key("clearway-clearway-clearway-clearway")
    claims = {"iss": "https://i", "aud": "c", "sub": "s", "exp": 2**33, "iat": 1, "nonce": "n"}
    token = (
        jwt.encode({"alg": "HS256"}, claims, key)
        if alg == "HS256"
        else "eyJhbGciOiJub25lIn0.eyJpc3MiOiJodHRwczovL2kifQ."
    )
    about = oidc.Metadata(
        issuer="https://i",
        authorization_endpoint="https://i/a",
        token_endpoint="https://i/t",
        jwks_uri="https://i/k",
    )
    provider = Provider(id="p", name="P", issuer="https://i", client_id="c")
    kept = oidc.Pending(provider="p", state="s", nonce="n", verifier="v", back="b")
    with pytest.raises(AuthenticationError):
        oidc._claims(token, {"keys": [key.as_dict(private=True)]}, provider, about, kept)


def test_a_provider_that_lies_about_itself_is_not_used() -> None:
    import http.server
    import json

    said = {
        "issuer": "https://other.example",
        "authorization_endpoint": "x",
        "token_endpoint": "x",
        "jwks_uri": "x",
    }

    class Liar(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(said).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    server = http.server.HTTPServer(("127.0.0.1", 0), Liar)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        provider = Provider(
            id="p",
            name="P",
            issuer=f"http://127.0.0.1:{server.server_port}",
            client_id="c",
            client_secret="s",
        )
        with pytest.raises(OutsideError, match="otherwise"):
            oidc.begin(provider, "b")
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize(
    "path",
    [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "/a\nb",
        "",
        "/" * 2000,
    ],
)
def test_a_link_after_signing_in_leads_nowhere_else(path: str) -> None:
    assert local(path) == "/"


def test_a_link_after_signing_in_leads_to_a_page_of_ours() -> None:
    assert local("/exposure?due=7d&sort=epss") == "/exposure?due=7d&sort=epss"


@pytest.mark.parametrize("at", ["/token", "/keys", "/.well-known/openid-configuration"])
def test_a_provider_that_drips_has_no_longer_than_one_that_is_silent(
    at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each byte comes in time, and the whole for longer than anybody waits."""
    import json

    monkeypatch.setattr(oidc, "DEADLINE_S", 1.0)
    with serving() as server:
        provider = Provider(id="p", name="P", issuer=server.url, client_id="c", client_secret="s")
        about = {
            "issuer": server.url,
            "authorization_endpoint": f"{server.url}/authorize",
            "token_endpoint": f"{server.url}/token",
            "jwks_uri": f"{server.url}/keys",
        }
        server.pages["/.well-known/openid-configuration"] = json.dumps(about).encode()
        server.pages["/token"] = server.pages["/keys"] = b"{}"
        server.pages[at] = Reply(json.dumps(about).encode(), drip_s=0.2)

        def there_and_back() -> None:
            _, kept = oidc.begin(provider, "b")
            oidc.finish(provider, kept, {"state": kept.state, "code": "x"})

        with pytest.raises(OutsideError, match="did not answer within"):
            there_and_back()


@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
def test_a_provider_that_names_what_is_no_address_is_told_so(name: str) -> None:
    import json

    with serving() as server:
        provider = Provider(id="p", name="P", issuer=server.url, client_id="c", client_secret="s")
        about = dict.fromkeys(("authorization_endpoint", "token_endpoint", "jwks_uri"), f"{server.url}/x")
        about |= {"issuer": server.url, name: "http://["}
        server.pages["/.well-known/openid-configuration"] = json.dumps(about).encode()
        with pytest.raises(OutsideError, match="names an address that is none"):
            oidc.begin(provider, "b")


def _until(true: Callable[[], bool]) -> None:
    for _ in range(1_000):
        if true():
            return
        time.sleep(0.02)
    pytest.fail("it did not come to that")


def test_who_waits_for_a_provider_keeps_nobody_else_waiting_and_more_are_told_to_come_back(
    people: People,
) -> None:
    most = OUTSIDE_THREADS + OUTSIDE_WAITING
    go_on = threading.Event()

    def late(_: object) -> Reply:
        go_on.wait(30)
        return Reply(b"", 500)

    with serving() as server, ThreadPoolExecutor(most) as browsers:
        server.pages["/.well-known/openid-configuration"] = late
        provider = Provider(id="idp", name="Example", issuer=server.url, client_id="c", client_secret="s")
        for client in client_of(people, provider):
            waiting = [browsers.submit(client.get, "/sign-in/with/idp") for _ in range(most)]
            try:
                _until(lambda: threads.kinds["signing in"].full)
                refused = client.get("/sign-in/with/idp")
                assert refused.status_code == 503
                assert refused.json()["type"] == "urn:clearway:problem:busy"
                assert int(refused.headers["retry-after"]) >= 5
                who = people.admin
                mine = client.get("/me", headers={"authorization": f"Bearer {who.secret}"})
                assert mine.json()["person"] == who.person
                assert client.get("/sign-in").status_code == 200
                assert not any(one.done() for one in waiting)
            finally:
                go_on.set()
            assert {one.result(30).status_code for one in waiting} == {503}
            assert "identity provider" in client.get("/sign-in/with/idp").text  # there is room again


def test_where_a_provider_does_not_answer_the_page_says_so_and_offers_the_other_ways(people: People) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and no listen
        issuer = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        provider = Provider(id="idp", name="Example", issuer=issuer, client_id="c", client_secret="s")
        for client in client_of(people, provider):
            shown = client.get("/sign-in/with/idp?next=/exposure", headers={"accept": "text/html"})
            assert shown.status_code == 503
            assert shown.headers["retry-after"]
            assert "the identity provider does not answer" in shown.text
            assert issuer in shown.text
            assert "database" not in shown.text
            assert "One-time code" in shown.text
            assert 'name="next" value="/exposure"' in shown.text
            sign_in(client, people, people.admin)
            token = csrf.token(key_of(client.cookies["clearway"]))
            bound = client.post("/settings/account/bind/idp", data={"_csrf": token}).json()
            assert (bound["status"], bound["type"]) == (503, "urn:clearway:problem:outside")
            assert bound["where"].startswith(issuer)
            assert "identity provider" in bound["detail"]
            assert "database" not in str(bound)
