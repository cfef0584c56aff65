"""A webhook's receiver can't send a message, or what answers it, to an address inside."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest

from clearway.http import webhook_delivery
from clearway.http.webhook_store import Due
from upstream import Reply, Upstream, serving


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Upstream]:
    """One address of loopback is opened for messages; everything else inside stays closed."""
    monkeypatch.setenv(webhook_delivery.ALLOW_VARIABLE, "127.0.0.1/32")
    with serving() as made:
        yield made


def due(url: str) -> Due:
    return Due(
        delivery=1, uid=uuid4(), webhook=1, person=1, event=None, url=url, attempts=0, keys=(b"k" * 32,)
    )


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("inside", ["same", "other", "metadata"])
def test_a_redirect_of_a_receiver_is_a_failure_and_is_followed_nowhere(
    receiver: Upstream, status: int, inside: str
) -> None:
    target = {
        "same": "/secret",
        "other": f"http://127.0.0.2:{receiver.port}/secret",
        "metadata": "http://169.254.169.254/latest/meta-data/",
    }[inside]
    receiver.pages["/hook"] = Reply(status=status, headers={"Location": target}, validators=False)
    receiver.pages["/secret"] = b"secret"
    said, words, lasting, _ = webhook_delivery._post(due(f"{receiver.url}/hook"), b"{}")
    assert (said, lasting) == (status, False)
    assert words == f"answered {status}"
    assert receiver.paths() == ["/hook"]
    assert receiver.connections == 1


@pytest.mark.parametrize(
    "host", ["127.0.0.2", "[::ffff:127.0.0.2]", "169.254.169.254", "0.0.0.0", "10.0.0.1"]
)
def test_an_address_inside_is_given_up_and_never_connected_to(receiver: Upstream, host: str) -> None:
    said, words, lasting, _ = webhook_delivery._post(due(f"http://{host}:{receiver.port}/hook"), b"{}")
    assert (said, words, lasting) == (None, "its address is not a public one", True)
    assert receiver.connections == 0


def test_who_chose_a_name_is_not_told_what_it_leads_to_inside(
    receiver: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a webhook would be a look-up of the names of the inner network."""
    monkeypatch.delenv(webhook_delivery.ALLOW_VARIABLE)
    told = webhook_delivery._post(due(f"http://localhost:{receiver.port}/hook"), b"{}")
    assert told == (None, "its address is not a public one", True, None)
    assert receiver.connections == 0


def test_a_network_is_closed_again_at_the_next_message(
    receiver: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.pages["/hook"] = Reply(status=204, validators=False)
    assert webhook_delivery._post(due(f"{receiver.url}/hook"), b"{}")[0] == 204
    monkeypatch.delenv(webhook_delivery.ALLOW_VARIABLE)
    said, _, lasting, _ = webhook_delivery._post(due(f"{receiver.url}/hook"), b"{}")
    assert (said, lasting) == (None, True)
    assert receiver.connections == 1
