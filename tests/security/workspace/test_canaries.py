"""Secrets that pass through a whole installation: afterwards none is in any output, log, address, job, or export."""

from __future__ import annotations

import re
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from clearway.access.person import ROLES
from clearway.store.connect import connect
from clearway.store.server import lease
from database import home, made_home  # noqa: F401
from intake_world import command, environment
from people import People, Somebody
from served import Served, eventually, serving

CANARY = "canary-5d1e77a0"


def _canary(name: str) -> str:
    return f"{CANARY}-{name}"


class Told:
    """Everything that left the installation, by where it was seen; and the real secrets that passed through."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.secrets: dict[str, str] = {}
        self.shown_once: set[str] = set()  # where a secret is meant to be

    def answer(self, where: str, answer: httpx.Response) -> httpx.Response:
        heads = "\n".join(f"{k}: {v}" for k, v in answer.headers.items() if k != "set-cookie")
        self.texts[where] = f"{heads}\n{answer.text}"
        return answer

    def hits(self, *left_out: str) -> list[str]:
        marks = {"a canary": CANARY, **{n: s for n, s in self.secrets.items() if n not in left_out}}
        return [
            f"{name} in {where}: {text[max(0, text.index(secret) - 200) :][:300]}"
            for where, text in self.texts.items()
            for name, secret in marks.items()
            if secret in text and where not in self.shown_once
        ]


def _ask(served: Served, told: Told, who: str, method: str, path: str, **more: Any) -> httpx.Response:
    headers = {"authorization": f"Bearer {who}"} | more.pop("headers", {}) if who else more.pop("headers", {})
    answer = httpx.request(method, served.url + path, headers=headers, timeout=30, verify=False, **more)
    return told.answer(f"{method} {path.replace(CANARY, '…')} {len(told.texts)}", answer)


def _use(served: Served, told: Told, me: Somebody) -> None:
    """A day at work: right and wrong credentials everywhere where one can put them."""
    made = _ask(served, told, me.secret, "POST", "/api/v1/tokens", json={"label": "t"},
                headers={"idempotency-key": _canary("key")})  # fmt: skip
    assert made.status_code == 201, made.text
    told.shown_once.add(f"POST /api/v1/tokens {len(told.texts) - 1}")
    told.secrets["a made token"] = made.json()["secret"]
    again = _ask(served, told, me.secret, "POST", "/api/v1/tokens", json={"label": "t"},
                 headers={"idempotency-key": _canary("key")})  # fmt: skip
    assert again.json()["secret"] is None
    hook = _ask(served, told, me.secret, "POST", "/api/v1/webhooks",
                json={"org": me.org, "url": "https://127.0.0.1:9/hook", "label": "h"})  # fmt: skip
    if hook.status_code != 201:  # an address of this machine is refused; one that never answers will do
        hook = _ask(served, told, me.secret, "POST", "/api/v1/webhooks",
                    json={"org": me.org, "url": "https://hook.invalid/x", "label": "h"})  # fmt: skip
    assert hook.status_code == 201, hook.text
    told.shown_once.add(f"POST /api/v1/webhooks {len(told.texts) - 1}")
    told.secrets["a webhook's secret"] = hook.json()["secret"]
    number = hook.json()["webhook"]["webhook"]
    _ask(served, told, me.secret, "POST", f"/api/v1/webhooks/{number}/test", json={})
    asset = _ask(
        served, told, told.secrets["a made token"], "POST", "/api/v1/assets", json={"name": "m"}
    ).json()
    path = f"/api/v1/assets/{asset['id']}"
    _ask(served, told, me.secret, "POST", f"{path}/inventories", content=b'["pkg:pypi/django@4.1"]')
    # What is wrong
    wrong = _canary("wrong")
    for secret in (wrong, f"cw_{wrong}.{wrong}", f"{me.secret}x", me.cookie):
        assert _ask(served, told, secret, "GET", "/api/v1/me").status_code == 401
    cookie = {"cookie": f"clearway={wrong}; __Host-clearway={wrong}"}
    assert _ask(served, told, "", "GET", "/settings/account", headers=cookie).status_code in (303, 401)
    _ask(served, told, "", "GET", "/", headers={"cookie": f"clearway={me.cookie}", "accept": "text/html"})
    session = {"cookie": f"clearway={me.cookie}", "accept": "text/html"}
    shown = _ask(served, told, "", "GET", "/settings/account", headers=session)
    assert shown.status_code == 200
    form = re.search(r'name="csrf-token" content="([^"]+)"', shown.text)
    assert form
    _ask(served, told, "", "POST", "/settings/account", headers={**session, "origin": served.url},
         data={"name": "x", "_csrf": wrong})  # fmt: skip
    _ask(served, told, "", "POST", "/sign-in/code", data={"code": wrong}, headers={"origin": served.url})
    _ask(served, told, "", "GET", "/sign-in", headers={"accept": "text/html"})
    _ask(served, told, "", "GET", "/sign-in/with/main", headers={"accept": "text/html"})
    _ask(served, told, "", "GET", f"/sign-in/back/main?code={wrong}&state={wrong}")
    _ask(served, told, "", "POST", "/sign-in/passkey", json={"attempt": wrong, "credential": {"id": wrong}})
    _ask(served, told, me.secret, "GET", f"/api/v1/assets?cursor={wrong}")
    _ask(served, told, me.secret, "GET", f"/api/v1/events?after={wrong}")
    _ask(
        served,
        told,
        me.secret,
        "PUT",
        path,
        json={"name": "m", "details": {}},
        headers={"if-match": f'"{wrong}"'},
    )
    _ask(served, told, me.secret, "POST", "/api/v1/tokens", content=f'{{"label": "{wrong}'.encode())
    _ask(served, told, me.secret, "POST", "/api/v1/tokens", json={"label": 5, wrong: wrong})
    _ask(served, told, me.secret, "POST", "/api/v1/webhooks",
         json={"org": me.org, "url": f"https://user:{wrong}@example.org/"})  # fmt: skip


def _fail(served: Served, told: Told, me: Somebody) -> None:
    """An exception of ours, with secrets all around it: a function of the database is gone for a moment."""
    with connect(served.database, autocommit=True) as db:
        db.execute("alter function clearway.audience_words(int) rename to gone")
        headers = {"idempotency-key": _canary("failing"), "cookie": f"clearway={_canary('cookie')}"}
        failed = _ask(served, told, me.secret, "POST", "/api/v1/assets", json={"name": "f"}, headers=headers)
        db.execute("alter function clearway.gone(int) rename to audience_words")
    assert failed.status_code >= 500


def _at_the_terminal(served: Served, told: Told, folder: Path) -> None:
    bundle, backup = folder / "log.zip", folder / "all.backup"
    for words in (
        ["doctor", "--json"], ["jobs", "list"], ["ledger", "status"], ["ledger", "verify"],
        ["ledger", "export", str(bundle)], ["ledger", "verify", str(bundle)], ["backup", str(backup)],
    ):  # fmt: skip
        done = subprocess.run(
            command("--home", served.home, *words), capture_output=True, text=True, check=False, timeout=120,
            env=environment(),
        )  # fmt: skip
        told.texts[f"clearway {words[0]} {words[1]}"] = done.stdout + done.stderr
    told.texts["the exported log"] = _unpacked(bundle)
    told.texts["the backup"] = _unpacked(backup)
    for url in (
        f"postgresql://u:{_canary('url')}@127.0.0.1:1/none",
        f"postgresql://u@127.0.0.1:1/none?password={_canary('url')}",
        f"postgres:/{_canary('url')}@",
    ):
        done = subprocess.run(
            command("--home", served.home, "jobs", "list"), capture_output=True, text=True, check=False, timeout=120,
            env=environment(CLEARWAY_DATABASE_URL=url),
        )  # fmt: skip
        assert done.returncode != 0
        told.texts[f"a database that is not there {url[:20]}"] = done.stdout + done.stderr


def _unpacked(path: Path) -> str:
    assert path.exists(), path
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return "\n".join(archive.read(n).decode("latin-1") for n in archive.namelist())
    return path.read_bytes().decode("latin-1")


def _kept(served: Served) -> Iterator[tuple[str, str]]:
    """Every row of every table, as text and its binary columns as they are."""
    with connect(served.database, autocommit=True) as db:
        tables = db.execute(
            "select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace "
            "where n.nspname in ('clearway', 'clearway_jobs') and c.relkind = 'r'"
        ).fetchall()
        for schema, table in tables:
            rows = db.execute(f"select t::text from {schema}.{table} t".encode()).fetchall()
            yield f"{schema}.{table}", "\n".join(r[0] for r in rows)


@pytest.fixture(scope="module")
def told(made_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Told:  # noqa: F811
    folder = tmp_path_factory.mktemp("canaries")
    place = folder / "home"
    subprocess.run(["cp", "-a", str(made_home), str(place)], check=True)
    found = Told()
    with lease(place) as url, serving(place, folder, url) as served:
        served.ingest()
        people = People(url)
        me = people.somebody(people.org("works"), *ROLES, name="Everything")
        people.close()
        found.secrets |= {"a token": me.secret, "a session": me.cookie}
        (place / "sign-in.toml").write_text(
            f'base_url = "{served.url.replace("127.0.0.1", "localhost")}"\n[[provider]]\nid = "main"\nname = "Main"\n'
            f'issuer = "http://127.0.0.1:1"\nclient_id = "clearway"\nclient_secret = "{_canary("client")}"\n'
        )
        served.start("api")
        served.start("worker")
        served.ready()
        _use(served, found, me)
        _fail(served, found, me)
        eventually(
            lambda: "doing" not in dict(_kept(served))["clearway_jobs.procrastinate_jobs"], "jobs hang"
        )
        _at_the_terminal(served, found, folder)
        rows = dict(_kept(served))
        served.stop()
        found.texts["what server and worker wrote"] = served.said()
        logs = list((place / "postgres").glob("log/*"))
        assert logs
        found.texts["the database's log"] = "\n".join(p.read_text("utf-8", "replace") for p in logs)
        found.texts |= {f"table {name}": text for name, text in rows.items()}
    return found


def test_no_secret_is_in_any_output_log_address_or_job(told: Told) -> None:
    assert len(told.texts) > 60
    assert "Traceback" in told.texts["what server and worker wrote"], (
        "the failure was not logged: nothing is proven"
    )
    # A webhook's secret is kept, because each message is signed with it: where, the next test says.
    assert told.hits("a webhook's secret") == []


def test_a_webhooks_secret_is_in_its_own_table_and_nowhere_else(told: Told) -> None:
    secret = told.secrets["a webhook's secret"]
    assert [w for w, t in told.texts.items() if secret in t and w not in told.shown_once] in (
        [], ["table clearway.webhook_secret"], ["the backup", "table clearway.webhook_secret"],
    )  # fmt: skip


def test_the_search_itself_finds_a_secret_where_there_is_one(told: Told) -> None:
    assert told.shown_once
    for where in told.shown_once:
        assert any(secret in told.texts[where] for secret in told.secrets.values())
