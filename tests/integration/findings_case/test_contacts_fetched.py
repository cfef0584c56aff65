"""Contacts fetched from a real server that lies, leads elsewhere, drips, is too large, and speaks TLS as it should."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.x509.oid import NameOID

from clearway.findings.case import contacts, route
from clearway.findings.case.contacts import Contact
from clearway.http.outbound import Client, Networks, Pace
from findings_case_world import Cases
from upstream import Asked, Reply, Upstream, serving

NOW = datetime(2026, 11, 26, tzinfo=UTC)
HOST = "vendor.example.org"
RAW = "raw.githubusercontent.com"
TXT = b"Contact: mailto:security@vendor.example.org\nExpires: 2027-06-01T00:00:00Z\n"
WELL_KNOWN, OLD = "/.well-known/security.txt", "/security.txt"
POLICY = "/acme/tool/HEAD/SECURITY.md"
REPOSITORY = "https://github.com/acme/tool"


def _certificate(folder: Path) -> Path:
    key = generate_private_key(SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    today = datetime.now(UTC)
    names = [x509.DNSName(n) for n in (HOST, RAW, "elsewhere.example.net")]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=2))
        .add_extension(
            x509.SubjectAlternativeName([*names, x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    pem = serialization.Encoding.PEM
    path.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(pem)
    )
    return path


class Web:
    """The server, and how it is looked at: as every host that its certificate names, on its own port."""

    def __init__(self, upstream: Upstream, certificate: Path) -> None:
        self.upstream, self.certificate = upstream, certificate
        self.pages = upstream.pages

    def look(
        self,
        domain: str = HOST,
        repository: str = "",
        *,
        allow: str = "127.0.0.0/8",
        pace: Pace | None = None,
    ) -> tuple[list[Contact], list[str]]:
        trusts = ssl.create_default_context(cafile=str(self.certificate))
        names = {"private.example.net": ["10.1.2.3"], "metadata.example.net": ["169.254.169.254"]}
        with Client(
            Networks.parse(allow),
            resolver=lambda host, port: names.get(host, ["127.0.0.1"]),
            tls=trusts,
            pace=pace,
        ) as client:
            return contacts.look(client, domain, repository, now=NOW, port=self.upstream.port)

    def at(self, path: str, host: str = HOST) -> str:
        return f"https://{host}:{self.upstream.port}{path}"


@pytest.fixture(scope="module")
def one_web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    certificate = _certificate(tmp_path_factory.mktemp("tls"))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)
    with serving(tls=server) as upstream:
        yield Web(upstream, certificate)


@pytest.fixture
def web(one_web: Web) -> Web:
    one_web.pages.clear()
    one_web.upstream.asked.clear()
    return one_web


def test_the_file_at_the_well_known_place_is_enough(web: Web) -> None:
    web.pages[WELL_KNOWN] = TXT
    found, notes = web.look()
    assert found == [Contact(email="security@vendor.example.org", source=web.at(WELL_KNOWN))]
    assert notes == []
    assert web.upstream.paths() == [WELL_KNOWN], "the old place is not asked for once one has answered"


def test_the_old_place_and_a_repositorys_policy_are_looked_at_too(web: Web) -> None:
    web.pages[OLD] = TXT
    web.pages[POLICY] = b"Write to <maintainers@tool.example.org>, or to security@tool.example.org."
    found, notes = web.look(repository=REPOSITORY)
    assert [c.email for c in found] == [
        "security@vendor.example.org", "maintainers@tool.example.org", "security@tool.example.org",
    ]  # fmt: skip
    assert found[1].source == web.at(POLICY, RAW)
    assert [n.partition(": ")[2] for n in notes] == ["answered 404"]


def test_a_file_that_says_it_stands_elsewhere_is_not_believed(web: Web) -> None:
    web.pages[WELL_KNOWN] = TXT + b"Canonical: https://other.example.net/.well-known/security.txt\n"
    found, notes = web.look()
    assert found == []
    assert any("stands elsewhere" in n for n in notes)
    web.pages[WELL_KNOWN] = TXT + f"Canonical: {web.at(WELL_KNOWN)}\n".encode()
    assert [c.email for c in web.look()[0]] == ["security@vendor.example.org"]


def test_a_redirect_is_followed_and_told(web: Web) -> None:
    onward = web.at("/security", "elsewhere.example.net")
    web.pages[WELL_KNOWN] = Reply(status=302, headers={"Location": onward}, validators=False)
    web.pages["/security"] = TXT.replace(b"vendor", b"elsewhere")
    ((contact,), _) = web.look()
    assert contact.email == "security@elsewhere.example.org"
    assert contact.source == f"{web.at(WELL_KNOWN)}, redirected to {onward}"


@pytest.mark.parametrize(
    "target",
    [
        "https://10.1.2.3/security.txt",
        "https://[::ffff:10.0.0.1]/x",
        "https://private.example.net/security.txt",
        "https://metadata.example.net/latest/meta-data/",
        "https://192.168.0.1/",
        "http://vendor.example.org/security.txt",
        "file:///etc/passwd",
        "gopher://vendor.example.org/",
        "//user:password@vendor.example.org/x",
    ],
)
def test_a_redirect_into_a_private_network_or_out_of_https_leads_nowhere(web: Web, target: str) -> None:
    for place in (WELL_KNOWN, OLD):
        web.pages[place] = Reply(status=302, headers={"Location": target}, validators=False)
    found, notes = web.look()
    assert found == []
    assert len(notes) == 2
    assert "passwd" not in " ".join(notes)
    assert web.upstream.paths() == [WELL_KNOWN, OLD], "nothing else was asked for"


def test_a_redirect_in_a_circle_ends(web: Web) -> None:
    web.pages[WELL_KNOWN] = Reply(status=302, headers={"Location": WELL_KNOWN}, validators=False)
    found, notes = web.look()
    assert found == []
    assert "redirects" in notes[0]
    assert web.upstream.paths().count(WELL_KNOWN) <= 6


def test_inside_this_network_nothing_is_asked_unless_the_operator_opens_it(web: Web) -> None:
    web.pages[WELL_KNOWN] = TXT
    found, notes = web.look(allow="")
    assert (found, web.upstream.paths()) == ([], [])
    assert len(notes) == 2


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (Reply(TXT + b"# \n" * 40_000), "larger"),
        (Reply(TXT + b"# \n" * 400_000, packed=True), "larger"),
        (Reply(TXT, headers={"Content-Length": str(1 << 40)}, cut=10), ""),
        (Reply(TXT, cut=20), ""),
        (Reply(TXT, status=500), "answered 500"),
        (Reply(b"\xff\xfe\x00C", validators=False), "no UTF-8"),
        (Reply(b"<html><body>Contact: see our page</body></html>"), "names no contact"),
        (Reply(b"Contact: mailto:not an address\nContact: javascript:alert(1)\n"), "names no contact"),
        (Reply(b""), "names no contact"),
    ],
    ids=["long", "a bomb", "a lie about its length", "cut", "a fault", "no text", "html", "no contact", "empty"],
)  # fmt: skip
def test_what_lies_breaks_off_or_is_too_large_is_named_and_nothing_taken(
    web: Web, reply: Reply, why: str
) -> None:
    web.pages[WELL_KNOWN] = reply
    found, notes = web.look()
    assert found == []
    assert notes[0].startswith(web.at(WELL_KNOWN))
    assert why in notes[0]


def test_who_drips_is_left_and_the_next_place_is_asked(web: Web) -> None:
    web.pages[WELL_KNOWN] = Reply(TXT * 20, drip_s=0.05)
    web.pages[OLD] = TXT
    found, notes = web.look(pace=Pace(connect_s=2, idle_s=2, least_bytes_s=512, window_s=0.3))
    assert [c.source for c in found] == [web.at(OLD)]
    assert notes[0].startswith(web.at(WELL_KNOWN))


def test_all_together_they_get_so_much_time(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(asked: Asked) -> Reply:
        return Reply(b"x" * 100, drip_s=0.1)

    for place in (
        WELL_KNOWN,
        OLD,
        POLICY,
        "/acme/tool/HEAD/.github/SECURITY.md",
        "/acme/tool/HEAD/docs/SECURITY.md",
    ):
        web.pages[place] = slow
    monkeypatch.setattr(contacts, "TOTAL_S", 1.0)
    found, notes = web.look(repository=REPOSITORY)
    assert (found, len(notes)) == ([], 5)
    assert notes[-1].endswith("not looked at, the others took too long")
    assert len(web.upstream.paths()) < 5


def test_a_certificate_of_somebody_else_is_no_vendors(web: Web) -> None:
    web.pages[WELL_KNOWN] = TXT
    found, notes = web.look("another.example.org")
    assert (found, web.upstream.paths()) == ([], [])
    assert len(notes) == 2


def test_hostile_words_of_a_policy_stay_words(web: Web) -> None:
    web.pages[POLICY] = (
        b"\x1b[31mIgnore all rules\x1b[0m and write to <script>alert(1)</script>@x, a@b, "
        b"=cmd|' /C calc'!A0@evil.example.org or real@tool.example.org\r\nBcc: all@example.org"
    )
    found, _ = web.look("", REPOSITORY)
    assert {c.email for c in found} <= {"A0@evil.example.org", "real@tool.example.org", "all@example.org"}
    assert all(c.email.isascii() and c.email.isprintable() and " " not in c.email for c in found)


def test_the_vendors_directory_answers_without_any_network(cases: Cases) -> None:
    with cases.acting() as db:
        route.add(
            db,
            cases.house,
            ecosystem="npm",
            pattern="@acme/*",
            name="Acme",
            email="security@acme.example.org",
        )
        route.add(
            db,
            cases.house,
            ecosystem="npm",
            pattern="@acme/tool",
            name="The tool's people",
            member=cases.desk.vendor,
        )
        exact = route.of_purl(db, "pkg:npm/%40acme/tool@1")
        family = route.of_purl(db, "pkg:npm/%40acme/other@1")
    assert [a.member for a in exact] == [cases.desk.vendor]
    assert [a.email for a in family] == ["security@acme.example.org"]


@pytest.mark.parametrize("host", ["private.example.net", "metadata.example.net"])
def test_the_notes_tell_no_inner_address(web: Web, host: str) -> None:
    found, notes = web.look(host)
    assert (found, bool(notes)) == ([], True)
    assert all(note.endswith(": its address is not a public one") for note in notes), notes
