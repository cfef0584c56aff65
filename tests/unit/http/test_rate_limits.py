"""Rate limits: who is told to wait, how long, and who is not."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from clearway.http.ratelimit import (
    Buckets,
    Policy,
    RateLimits,
    Rates,
    address,
    credential,
    networks,
    spend,
    spend_sign_in,
    trusted_proxies,
)
from clearway.records.errors import ConfigError, TooManyRequestsError

SMALL = Rates(
    address=Policy("address", 5, 10),
    principal=Policy("principal", 2, 10),
    sign_in=Policy("sign-in", 2, 60),
    sign_in_account=Policy("sign-in-account", 3, 60),
    sign_in_address=Policy("sign-in-address", 4, 60),
    failures=Policy("failures", 2, 60),
)
SIGNING = replace(SMALL, address=Policy("address", 100, 10))


class Server:
    """An application behind limits, on a clock that is moved by hand. It answers `status`, or as principal `person`."""

    def __init__(self, rates: Rates = SMALL) -> None:
        self.time = 0.0
        self.status = 200
        self.person: int | None = None
        self.reached = 0
        self.tried = ""
        self.good: bool | None = None  # what the guard says of the credential
        self.sets = ""
        self.headers: dict[bytes, bytes] = {}

        async def app(scope: Any, receive: Any, send: Any) -> None:
            self.reached += 1
            self.headers = dict(scope["headers"])
            if self.good is not None:
                credential(scope, good=self.good)
            if self.person is not None:
                spend(scope, self.person)
            if self.tried:
                spend_sign_in(scope, self.tried)
            sets = [(b"set-cookie", self.sets.encode())] if self.sets else []
            await send({"type": "http.response.start", "status": self.status, "headers": sets})
            await send({"type": "http.response.body", "body": b""})

        self.limits = RateLimits(app, rates, now=lambda: self.time)

    def ask(
        self, path: str = "/", *, method: str = "GET", client: str = "192.0.2.1", **headers: str
    ) -> tuple[int, dict[str, str]]:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        fields = [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()]
        scope = {"type": "http", "method": method, "path": path, "headers": fields, "client": (client, 1)}
        asyncio.run(self.limits(scope, None, send))  # type: ignore[arg-type]
        return sent[0]["status"], {k.decode(): v.decode() for k, v in sent[0]["headers"]}


def test_a_bucket_gives_its_quota_at_once_and_refills_evenly() -> None:
    now = [0.0]
    bucket = Buckets(Policy("p", 4, 8), lambda: now[0])
    assert [bucket.take("a").refused for _ in range(5)] == [False] * 4 + [True]
    assert bucket.take("b").refused is False
    now[0] = 1.9
    assert bucket.take("a").refused
    now[0] = 2.0
    assert not bucket.take("a").refused
    now[0] = 1_000.0
    assert [bucket.take("a").refused for _ in range(5)] == [False] * 4 + [True]


def test_the_answer_says_where_its_caller_stands() -> None:
    server = Server()
    status, headers = server.ask()
    assert status == 200
    assert headers["ratelimit-policy"] == '"address";q=5;w=10'
    assert headers["ratelimit"] == '"address";r=4;t=0'


def test_one_request_too_many_is_429_with_the_time_to_wait_and_reaches_nothing() -> None:
    server = Server()
    for _ in range(5):
        assert server.ask()[0] == 200
    status, headers = server.ask()
    assert (status, headers["retry-after"], server.reached) == (429, "2", 5)
    assert headers["content-type"] == "application/problem+json"
    assert server.ask(client="192.0.2.2")[0] == 200
    server.time = 2.0
    assert server.ask()[0] == 200


def test_a_principal_has_one_share_whatever_its_address() -> None:
    server = Server()
    server.person = 7
    for n in range(2):
        assert server.ask(client=f"192.0.2.{n}")[0] == 200
    with pytest.raises(TooManyRequestsError) as refused:
        server.ask(client="192.0.2.9")
    assert refused.value.retry_after_s == 5


def test_signing_in_is_limited_more_and_reading_the_page_is_not() -> None:
    server = Server(SIGNING)
    assert [server.ask("/sign-in", method="POST")[0] for _ in range(5)] == [200] * 4 + [429]
    assert server.ask("/sign-in")[0] == 200


def tries(server: Server, what: str, client: str) -> bool:
    """Whether a try to sign in with a code or passkey is let through."""
    server.tried = what
    try:
        return server.ask("/sign-in/code", method="POST", client=client)[0] == 200
    except TooManyRequestsError:
        return False


def test_a_neighbour_who_guesses_spends_nothing_of_who_signs_in_from_the_same_address() -> None:
    server = Server(SIGNING)
    assert [tries(server, "code A", "192.0.2.1") for _ in range(3)] == [True, True, False]
    assert tries(server, "code B", "192.0.2.1")  # behind the same address, with a code of one's own


def test_tries_with_one_code_are_bounded_from_wherever_they_come() -> None:
    server = Server(SIGNING)
    assert [tries(server, "code A", f"192.0.2.{n}") for n in range(5)] == [True] * 3 + [False] * 2
    server.time = 20.0  # a third of its minute
    assert tries(server, "code A", "192.0.2.9")
    assert not tries(server, "code A", "192.0.2.10")


def test_who_tries_ever_new_codes_is_bounded_by_the_address() -> None:
    server = Server(SIGNING)
    assert [tries(server, f"code {n}", "192.0.2.1") for n in range(6)] == [True] * 4 + [False] * 2
    assert tries(server, "code 7", "192.0.2.2")


def test_the_refusal_of_a_code_says_how_long_to_wait() -> None:
    server = Server(SIGNING)
    server.tried = "code A"
    for _ in range(2):
        server.ask("/sign-in/code", method="POST")
    with pytest.raises(TooManyRequestsError, match="more than 2 in 60 s") as refused:
        server.ask("/sign-in/code", method="POST")
    assert refused.value.retry_after_s == 30
    assert "30 s" in refused.value.mend


def test_a_guesser_is_not_even_read_and_an_office_goes_on_beside_it() -> None:
    server = Server(Rates(failures=Policy("failures", 2, 60)))
    server.good = True
    assert server.ask(authorization="Bearer good")[0] == 200
    server.status, server.good = 401, False
    for n in range(2):
        assert server.ask(authorization=f"Bearer guess {n}")[0] == 401
    server.status, server.good = 200, True
    reached = server.reached
    assert server.ask(authorization="Bearer guess 3")[0] == 429
    assert server.reached == reached
    assert server.ask(authorization="Bearer good")[0] == 200
    assert server.ask()[0] == 200
    assert server.ask(client="192.0.2.2", authorization="Bearer guess 3")[0] == 200


def guesses(server: Server, number: int = 2, client: str = "192.0.2.1") -> None:
    """As many different tokens that nobody holds."""
    was = server.status, server.good
    server.status, server.good = 401, False
    for n in range(number):
        assert server.ask(client=client, authorization=f"Bearer guess {n}")[0] == 401
    server.status, server.good = was


FEW_FAILURES = Rates(failures=Policy("failures", 2, 60))


def test_who_lacks_a_right_has_a_good_credential_and_spends_nothing_of_the_address() -> None:
    server = Server(FEW_FAILURES)
    server.status, server.good = 403, True
    for _ in range(9):
        assert server.ask(authorization="Bearer of a finder")[0] == 403
    server.status = 200
    assert server.ask(authorization="Bearer of somebody new")[0] == 200


def test_a_good_credential_is_not_held_up_however_long_ago_and_with_whatever_other_cookies() -> None:
    server = Server(FEW_FAILURES)
    server.good = True
    assert server.ask(cookie="clearway=mine; clearway_words=plain")[0] == 200
    server.time = 40 * 86_400.0
    guesses(server)
    assert server.ask(cookie="clearway_done=3; clearway=mine")[0] == 200
    assert server.ask(client="192.0.2.9", cookie="clearway=mine")[0] == 200


def test_one_that_was_good_and_is_no_more_is_as_any_other() -> None:
    server = Server(FEW_FAILURES)
    server.good = True
    server.ask(authorization="Bearer ended")
    guesses(server)
    server.status, server.good = 401, False
    assert server.ask(authorization="Bearer ended")[0] == 401
    assert server.ask(authorization="Bearer ended")[0] == 429


def test_a_guess_at_what_is_public_counts_and_makes_nothing_known() -> None:
    server = Server(FEW_FAILURES)
    server.good = False
    for n in range(2):
        assert server.ask(authorization=f"Bearer guess {n}")[0] == 200
    assert server.ask(authorization="Bearer guess 0")[0] == 429


def test_the_same_ended_session_again_is_no_further_guess() -> None:
    server = Server(FEW_FAILURES)
    server.status, server.good = 401, False
    for _ in range(9):
        assert server.ask(cookie="clearway=ended")[0] == 401
    assert server.ask(authorization="Bearer guess")[0] == 401
    assert server.ask(authorization="Bearer another")[0] == 429


def test_a_wrong_code_counts_and_so_does_a_bad_assertion() -> None:
    server = Server(replace(FEW_FAILURES, sign_in_address=Policy("sign-in-address", 100, 60)))
    server.status = 401
    assert server.ask("/sign-in/code", method="POST")[0] == 401
    assert server.ask("/sign-in/back/house")[0] == 401
    assert server.ask(authorization="Bearer new")[0] == 429


def test_where_somebody_guesses_a_new_session_is_known_at_once_and_an_old_one_can_begin_it() -> None:
    server = Server(FEW_FAILURES)
    guesses(server)
    server.good = None
    for path, method in (("/sign-in", "GET"), ("/static/clearway.css", "GET"), ("/sign-in/code", "POST")):
        assert server.ask(path, method=method, cookie="a=1; clearway=old", authorization="x")[0] == 200
        assert server.headers == {b"cookie": b"a=1"}, "the credential is not read"
    assert server.ask("/", cookie="clearway=old")[0] == 429
    server.sets = "clearway=fresh; Path=/; HttpOnly"
    assert server.ask("/sign-in/code", method="POST")[0] == 200
    server.sets = ""
    assert server.ask("/", cookie="clearway=fresh")[0] == 200


def scope(client: str, forwarded: str = "") -> Any:
    headers = [(b"x-forwarded-for", forwarded.encode())] if forwarded else []
    return {"type": "http", "client": (client, 1) if client else None, "headers": headers}


@pytest.mark.parametrize(
    ("client", "forwarded", "found"),
    [
        ("192.0.2.1", "198.51.100.7", "192.0.2.1"),  # nobody believes a stranger
        ("10.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "6.6.6.6, 198.51.100.7, 10.0.0.2", "198.51.100.7"),
        ("10.0.0.1", "not an address", "10.0.0.1"),
        ("10.0.0.1", "x" * 1_980 + ",192.0.2.77" + ", 198.51.100.7", "198.51.100.7"),  # what the client pads
        ("10.0.0.1", "192.0.2.77," * 400 + "198.51.100.7:4711", "198.51.100.7"),
        ("10.0.0.1", "6.6.6.6, [2001:db8:1:2::9]:443", "2001:db8:1:2::/64"),
        ("10.0.0.1", "2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.1", "", "192.0.2.1"),
        ("", "", ""),
    ],
)
def test_an_address_is_the_clients_and_not_what_it_says(client: str, forwarded: str, found: str) -> None:
    assert address(scope(client, forwarded), networks(["10.0.0.0/8"])) == found


def test_what_is_no_network_is_a_configuration_error() -> None:
    with pytest.raises(ConfigError):
        networks(["10.0.0.0/33"])


def test_the_number_of_callers_remembered_is_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clearway.http.ratelimit.MOST_KEYS", 10)
    bucket = Buckets(Policy("p", 1, 1))
    for n in range(100):
        bucket.take(n)
    assert len(bucket._kept) == 10


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("", ()),
        (" , ", ()),
        ("10.0.0.7", ("10.0.0.7",)),
        ("10.1.0.0/24, fd00::/8,", ("10.1.0.0/24", "fd00::/8")),
    ],
)
def test_the_operator_names_the_proxies(
    monkeypatch: pytest.MonkeyPatch, said: str, found: tuple[str, ...]
) -> None:
    monkeypatch.setenv("CLEARWAY_PROXIES", said)
    assert trusted_proxies() == found


@pytest.mark.parametrize(
    "said", ["proxy.example.org", "10.0.0.1/8", "0.0.0.0/0", "10.0.0.7, ::/0", "0.0.0.0/1,128.0.0.0/1"]
)
def test_a_proxy_that_is_no_network_or_everybody_is_refused(
    monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    monkeypatch.setenv("CLEARWAY_PROXIES", said)
    with pytest.raises(ConfigError, match="CLEARWAY_PROXIES"):
        trusted_proxies()
