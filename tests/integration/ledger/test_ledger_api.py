"""`/api/v1/ledger`: the public tree, a witness over HTTP, and the entries that the caller may see."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from litestar.testing import TestClient

import kept_builds  # noqa: F401
from clearway.access import audience
from clearway.access.marking import own
from clearway.http.acting import Doorkeeper
from clearway.http.application import application
from clearway.http.cursor import Seals
from clearway.ledger import append, log_keys, witnessing
from clearway.ledger.api import routes
from clearway.ledger.checkpoint import read
from clearway.ledger.leaf import STRIDE, leaf_hashes
from clearway.ledger.merkle import leaf_hash, root_of, verify_consistency, verify_inclusion
from clearway.ledger.note import parse_key, verified
from clearway.ledger.proofs import checked
from clearway.ledger.sequencer import integrate_all, signer_of
from clearway.ledger.tree_store import witnesses
from clearway.ledger.witness import Witness
from clearway.records.errors import IntegrityError
from clearway.store import cursor_keys
from clearway.store.connect import connect
from people import People, Somebody

ROOT = "/api/v1/ledger"


class Desk:
    """The API over one database, with two organisations."""

    def __init__(self, people: People, http: TestClient[Any], home: Path) -> None:
        self.people = people
        self.http = http
        self.home = home
        self.acme, self.other = people.org("acme"), people.org("other")
        self.ann, self.bob = people.somebody(self.acme, "auditor"), people.somebody(self.other, "auditor")
        with people.owner() as owner:
            self.private = append(
                owner, "asset.added", "asset/secret", {"n": 1}, aud=audience.of(owner, own(self.acme))
            )
            self.public = append(owner, "directive.issued", "directive/1", {"n": [1, {"a": None}]}, aud=0)
        self.integrate(300)

    def integrate(self, more: int = 0) -> int:
        with connect(self.people.url, autocommit=True) as db:
            with db.transaction():
                for n in range(more):
                    append(db, "asset.added", f"asset/{n}", aud=1)
            return integrate_all(db, signer_of(db, self.home)).size

    def get(self, path: str, who: Somebody | None = None, status: int = 200) -> httpx.Response:
        headers = {"authorization": f"Bearer {who.secret}"} if who else {}
        answer = self.http.get(ROOT + path, headers=headers)
        assert answer.status_code == status, answer.text
        return answer


@pytest.fixture(scope="module")
def desk(shared_people: People, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    door = Doorkeeper(shared_people.pool)
    with shared_people.pool.owner() as owner:
        keys = cursor_keys.keys(owner)
    app = application(
        [routes()], guard=door.guard(), state={"doorkeeper": door, "seals": Seals(lambda: keys)}
    )
    with TestClient(app, base_url="http://clearway.local") as http:  # type: ignore[arg-type]
        yield Desk(shared_people, http, tmp_path_factory.mktemp("log-home"))


def test_anybody_follows_the_tree_from_checkpoint_keys_and_tiles(desk: Desk) -> None:
    answer = desk.get("/checkpoint")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    checkpoint, note = read(answer.content)
    key = parse_key(desk.get("/keys").json()["keys"][0]["vkey"])
    assert verified(note, key) == 0
    hashes = b""
    for index in range(-(-checkpoint.size // 256)):
        wide = min(256, checkpoint.size - index * 256)
        place = f"{index:03d}" + ("" if wide == 256 else f".p/{wide}")
        tile = desk.get(f"/tile/0/{place}")
        bundle = desk.get(f"/tile/entries/{place}")
        assert tile.headers["content-type"] == "application/octet-stream"
        assert "immutable" in tile.headers["cache-control"]
        assert len(bundle.content) == wide * STRIDE
        assert leaf_hashes(bundle.content) == tile.content
        hashes += tile.content
    assert root_of(hashes) == checkpoint.root


def test_proofs_are_served_to_anybody_and_hold(desk: Desk) -> None:
    size = desk.integrate(5)
    checkpoint, _ = read(desk.get("/checkpoint").content)
    assert checkpoint.size == size
    told = desk.get(f"/proof/inclusion?index=7&size={size}").json()
    proof = [base64.b64decode(part) for part in told["proof"]]
    verify_inclusion(leaf_hash(bytes.fromhex(told["leaf"])), 7, size, proof, checkpoint.root)
    old, _ = checkpoint, None
    larger = desk.integrate(40)
    new, _ = read(desk.get("/checkpoint").content)
    told = desk.get(f"/proof/consistency?old={old.size}&size={larger}").json()
    verify_consistency(old.size, old.root, new.size, new.root, [base64.b64decode(p) for p in told["proof"]])


@pytest.mark.parametrize(
    ("path", "status"),
    [("/tile/0/999", 404), ("/tile/0/000.p/0", 400), ("/tile/64/000", 400), 
     ("/tile/entries/x001", 400), ("/tile/0/001.p/255", 404), ("/tile/7/000", 404),
     ("/proof/inclusion?index=5&size=99999", 404), ("/proof/inclusion?index=9&size=5", 404),
     ("/proof/inclusion?index=-1&size=5", 400), ("/proof/inclusion?index=x&size=5", 400), ("/proof/inclusion", 400),
     ("/proof/consistency?old=9&size=5", 404), ("/proof/consistency?old=1&size=99999999999999999999", 400),
     ("/checkpoint?witnessed=true", 404),
     ("/entries", 401), ("/entries/1", 401), ("/entries/1/proof", 401), ("/status", 401)],
)  # fmt: skip
def test_what_is_not_there_or_not_theirs_is_a_problem(desk: Desk, path: str, status: int) -> None:
    answer = desk.http.get(ROOT + path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


def test_each_sees_its_own_entries_in_list_item_and_proof(desk: Desk) -> None:
    mine = desk.get("/entries?subject=asset/secret", desk.ann).json()["items"]
    assert [item["entry"] for item in mine] == [desk.private]
    assert desk.get("/entries?subject=asset/secret", desk.bob).json() == {"items": [], "next": None}
    for path in (f"/entries/{desk.private}", f"/entries/{desk.private}/proof"):
        assert desk.get(path, desk.ann).json()["entry"] == desk.private
        hidden = desk.get(path, desk.bob, 404).json()
        absent = desk.get(path.replace(str(desk.private), "999999"), desk.bob, 404).json()
        assert hidden.keys() == absent.keys()
        assert hidden["type"] == absent["type"]
    shown = desk.get(f"/entries/{desk.public}", desk.bob).json()
    assert (shown["act"], shown["state"], shown["content"]) == (
        "directive.issued",
        "integrated",
        {"n": [1, {"a": None}]},
    )


def test_the_list_goes_back_page_by_page_under_filters(desk: Desk) -> None:
    seen: list[int] = []
    path = "/entries?act=asset.added&limit=70"
    while path:
        page = desk.get(path, desk.ann).json()
        seen += [item["entry"] for item in page["items"]]
        path = (page["next"] or "").removeprefix(ROOT)
    assert seen == sorted(set(seen), reverse=True)
    assert len(seen) >= 300
    assert {item["actor"] for item in desk.get("/entries?actor=0", desk.ann).json()["items"]} == {0}
    assert desk.get("/entries?since=2999-01-01", desk.ann).json()["items"] == []
    assert len(desk.get("/entries?until=2999-01-01&sort=entry&limit=3", desk.ann).json()["items"]) == 3
    days = [item["at"][:10] for item in desk.get("/entries?limit=1", desk.ann).json()["items"]]
    last = datetime.fromisoformat(days[0]).date()
    assert desk.get(f"/entries?since={last}&until={last}", desk.ann).json()["items"], (
        "a day with all its hours"
    )
    eve = last - timedelta(days=1)
    assert all(
        item["at"][:10] <= str(eve) for item in desk.get(f"/entries?until={eve}", desk.ann).json()["items"]
    )
    assert desk.get("/entries?until=9999-12-31&limit=1", desk.ann).json()["items"]
    assert desk.get("/entries.csv?act=directive.issued", desk.ann).text.startswith(
        "entry,state,leaf,act,subject"
    )
    for wrong in ("actor=x", "since=today", "offset=5", "limit=0", "cursor=AAAA"):
        assert desk.http.get(f"{ROOT}/entries?{wrong}", headers={"authorization": f"Bearer {desk.ann.secret}"}
                             ).status_code in (400, 404)  # fmt: skip


def test_a_proof_that_was_fetched_is_checked_by_anybody_with_the_key(desk: Desk) -> None:
    data = desk.get(f"/entries/{desk.private}/proof", desk.ann).content
    key = parse_key(desk.get("/keys").json()["keys"][0]["vkey"])
    proof, _ = checked(data, key)
    assert json.loads(proof.header or "")["subject"] == "asset/secret"
    with pytest.raises(IntegrityError):
        checked(data.replace(b"asset/secret", b"asset/public"), key)


def test_an_entry_that_waits_has_no_proof_yet(desk: Desk) -> None:
    with desk.people.owner() as owner:
        entry = append(owner, "asset.added", "asset/new", aud=1)
    assert desk.get(f"/entries/{entry}", desk.ann).json()["state"] == "acknowledged"
    assert "not integrated" in desk.get(f"/entries/{entry}/proof", desk.ann, 404).json()["detail"]
    assert desk.get("/status", desk.ann).json()["pending"] >= 1
    desk.integrate()
    assert desk.get(f"/entries/{entry}", desk.ann).json()["state"] == "integrated"


def test_a_witness_elsewhere_sees_the_log_over_http_and_hands_its_line_back(
    desk: Desk, tmp_path: Path
) -> None:
    witness = Witness(tmp_path, "witness.example")
    log = witnessing._Server(desk.http, ROOT)
    key = desk.get("/keys").json()["keys"][0]["vkey"]
    desk.integrate(1)
    seen = witnessing._observe(log, witness, key, 0)
    assert not seen.kept
    with connect(desk.people.url, autocommit=True) as db:
        log_keys.accept_witness(db, witness.key.public)
        assert [w.name for w in witnesses(db)] == ["witness.example"]
    desk.integrate()
    seen = witnessing._observe(log, witness, key, 0)
    assert seen.kept
    _, note = read(desk.get("/checkpoint?witnessed=true").content)
    assert verified(note, witness.key.public)
    size = read(note.render())[0].size
    forged = seen.line[:-9] + "AAAAAAAA="
    wrong: list[tuple[dict[str, Any], int]] = [
        ({"size": size, "line": forged}, 400),
        ({"size": 1, "line": seen.line}, 404),
        ({"size": size, "line": "x"}, 400),
        ({"size": size}, 400),
        ({"size": size, "line": "x" * 9000}, 400),
    ]
    for body, status in wrong:
        assert desk.http.post(f"{ROOT}/cosignature", json=body).status_code == status, body
