"""Scopes, blinding and the rules, over whatever there is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network, IPv6Network

from hypothesis import given
from hypothesis import strategies as st

from clearway.findings.lease import names, rule
from clearway.findings.lease.blind import BlindKey
from clearway.findings.lease.rule import ACTIVITIES, Held, decide
from clearway.findings.lease.scope import Target, covers, meets, parse
from clearway.records.errors import InputError

KEY = BlindKey(bytes(range(32)))
NOW = datetime(2026, 11, 26, tzinfo=UTC)

four = st.builds(
    lambda value, length: IPv4Network((value >> (32 - length) << (32 - length), length)),
    st.sampled_from([0xC0000200, 0xC0000280, 0xC0000300, 0x0A000000]).flatmap(
        lambda b: st.integers(b, b + 255)
    ),
    st.integers(8, 32),
)
six = st.builds(
    lambda value, length: IPv6Network(
        ((0x20010DB8 << 96 | value) >> (128 - length) << (128 - length), length)
    ),
    st.integers(0, 3),
    st.integers(16, 128),
)
segments = st.lists(st.sampled_from(["src", "net", "a.c", "*", "**", "lib"]), max_size=4).map("/".join)
repositories = st.builds(
    lambda name, path: f"git+https://git.example.org/t/{name}#{path}", st.sampled_from(["x", "xy"]), segments
)
hosts = st.builds(
    lambda below, labels: ("*." if below else "") + ".".join([*labels, "example", "org"]),
    st.booleans(),
    st.lists(st.sampled_from(["a", "b"]), max_size=3),
)
texts = st.one_of(
    four.map(str), six.map(str), repositories, hosts, st.sampled_from(["pkg:pypi/x@1", "pkg:pypi/x#src"])
)
targets = texts.map(parse)
live_targets = st.one_of(four.map(str), hosts).map(parse)
activities = st.sampled_from(ACTIVITIES)


@given(targets, targets)
def test_two_scopes_meet_in_either_order(a: Target, b: Target) -> None:
    assert meets(a, b) == meets(b, a)


@given(targets)
def test_a_scope_meets_itself_and_reads_back_as_itself(target: Target) -> None:
    assert covers(target, target)
    again = parse(target.text)
    assert (again.text, again.steps, again.net) == (target.text, target.steps, target.net)


@given(targets, targets, targets)
def test_what_lies_in_what_lies_in_a_scope_lies_in_it(a: Target, b: Target, c: Target) -> None:
    if covers(a, b) and covers(b, c):
        assert covers(a, c)


@given(targets, targets)
def test_hidden_scopes_meet_just_when_the_scopes_do(a: Target, b: Target) -> None:
    one, other = KEY.target(a), KEY.target(b)
    if one.net is not None and other.net is not None:
        met = one.net.version == other.net.version and one.net.overlaps(other.net)
    elif one.path is not None and other.path is not None:
        met = one.path.startswith(other.path) or other.path.startswith(one.path)
    else:
        met = False
    assert met == meets(a, b)


@given(targets, targets)
def test_scopes_that_meet_share_a_root_whose_lock_both_take(a: Target, b: Target) -> None:
    if meets(a, b):
        assert KEY.target(a).root == KEY.target(b).root


@given(st.one_of(four, six), st.integers(0, 20))
def test_a_hidden_network_keeps_its_length_and_lies_where_its_wider_one_is_hidden(
    net: IPv4Network | IPv6Network, wider: int
) -> None:
    hidden = KEY.network(net)
    assert (hidden.prefixlen, hidden.version) == (net.prefixlen, net.version)
    above = net.supernet(new_prefix=max(0, net.prefixlen - wider))
    assert hidden.subnet_of(KEY.network(above))  # type: ignore[arg-type]


@given(st.text(max_size=60))
def test_any_text_is_a_scope_or_refused(text: str) -> None:
    try:
        found = parse(text)
    except InputError:
        return
    KEY.target(found)


names_of = st.text(
    st.characters(codec="utf-8", exclude_categories=["C", "Z"], exclude_characters="/@#?%"),
    min_size=1,
    max_size=8,
)
spelled = st.tuples(
    st.sampled_from(["", "www."]),
    st.sampled_from(["", "."]),
    st.sampled_from(["", ":443", ":0443"]),
    st.sampled_from(["/", "//", "/./", "/z/../"]),
    st.sampled_from(["", "/", ".git", ".git/", "/tree/main/src", "/-/blob/main/a.c"]),
)


@given(st.sampled_from(["github.com", "gitlab.com", "git.example.org"]), names_of, names_of, spelled)
def test_a_repository_is_one_scope_however_its_address_is_written(
    host: str, owner: str, name: str, spelled: tuple[str, str, str, str, str]
) -> None:
    www, dot, port, slash, behind = spelled
    try:
        plain = parse(f"git+https://{host}/{owner}/{name}")
    except InputError:
        return
    found = parse(f"https://{www}{host}{dot}{port}{slash}{owner}{slash}{name}{behind}")
    assert found.steps == plain.steps
    assert parse(found.text) == found


@given(st.text(max_size=40))
def test_a_path_in_words_reads_back_as_itself(path: str) -> None:
    assert names.read(names.written(path)) == path


@given(st.sampled_from(["github.com/o/n", "gitlab.com/o/n", "example.org/m"]), st.integers(2, 99), segments)
def test_the_major_version_of_a_go_module_tells_none_apart(module: str, major: int, inside: str) -> None:
    path = "/".join(part for part in inside.split("/") if part and "*" not in part)
    one, other = (
        parse(f"pkg:golang/{module}/{path}".rstrip("/")),
        parse(f"pkg:golang/{module}/v{major}/{path}".rstrip("/")),
    )
    assert one.steps == other.steps


@given(four)
def test_an_ipv4_network_meets_what_stands_for_it_in_ipv6(net: IPv4Network) -> None:
    value = int(net.network_address)
    for prefix, behind in (("::ffff:0:0", 0), ("64:ff9b::", 0), ("2002::", 80)):
        base = int(IPv6Network(prefix).network_address)
        length = (16 if behind else 96) + net.prefixlen
        assert names.unmapped(IPv6Network((base | value << behind, length)), "") == net


@given(activities, activities, st.booleans())
def test_the_rules_are_symmetric(a: rule.Activity, b: rule.Activity, live: bool) -> None:
    assert rule.outcome(a, b, live=live) == rule.outcome(b, a, live=live)


@given(activities, activities)
def test_what_excludes_another_excludes_itself(a: rule.Activity, b: rule.Activity) -> None:
    """So that one flag a lease says whether it is alone, and one constraint of the database holds them apart."""
    if rule.outcome(a, b, live=True) == "exclude":
        assert rule.outcome(a, a, live=True) == rule.outcome(b, b, live=True) == "exclude"


asks = st.tuples(
    activities, st.lists(live_targets, min_size=1, max_size=2), st.integers(0, 20), st.integers(1, 9)
)


@given(st.lists(asks, max_size=14))
def test_whoever_asks_in_whatever_order_two_that_exclude_each_other_never_hold_one_host(
    asked: list[tuple[rule.Activity, list[Target], int, int]],
) -> None:
    held: list[Held] = []
    everything = [
        rule.Control(org="x", target=parse(text)) for text in ("*.example.org", "192.0.0.0/8", "10.0.0.0/8")
    ]
    for activity, wanted, start, length in asked:
        starts, until = NOW + timedelta(hours=start), NOW + timedelta(hours=start + length)
        found = decide(activity, wanted, starts, until, held, everything, org="x", now=NOW)
        if found.answer in ("go", "share"):
            held.append(
                Held(activity=activity, targets=tuple(wanted), starts=starts, until=until, ends=until)
            )
        else:
            assert found.answer in ("wait", "refused")
    for n, one in enumerate(held):
        for other in held[:n]:
            together = one.starts < other.until and other.starts < one.until
            alone = rule.outcome(one.activity, other.activity, live=True) == "exclude"
            assert not (together and alone and any(meets(a, b) for a in one.targets for b in other.targets))


capped = st.tuples(
    st.lists(st.integers(0, 30), min_size=1, max_size=2),
    st.integers(0, 9),
    st.integers(1, 9),
    st.integers(1, 60),
)


@given(st.lists(capped, max_size=20))
def test_whoever_asks_in_whatever_order_a_cap_is_never_passed(
    asked: list[tuple[list[int], int, int, int]],
) -> None:
    cap = rule.Control(org="x", target=parse("192.0.2.0/27"), stance="cap", max_rate=5.0)
    controls = [rule.Control(org="x", target=parse("192.0.2.0/24")), cap]
    held: list[Held] = []
    for hosts, start, length, tenths in asked:
        wanted = tuple(parse(f"192.0.2.{n}") for n in hosts)
        starts, until, rate = NOW + timedelta(hours=start), NOW + timedelta(hours=start + length), tenths / 10
        found = decide("port", wanted, starts, until, held, controls, org="x", rate=rate, now=NOW)
        if found.answer == "go":
            held.append(
                Held(activity="port", targets=wanted, starts=starts, until=until, ends=until, rate=rate)
            )
        assert found.answer != "refused" or rate > 5.0
        assert found.why != "rate-taken" or found.until is not None
    for moment in range(19):
        at = NOW + timedelta(hours=moment)
        assert round(sum(x.rate or 0 for x in held if x.starts <= at < x.until), 6) <= 5.0


@given(activities, targets, st.booleans(), st.sampled_from([None, 1.0, 9.0]))
def test_what_an_owner_refuses_is_had_by_nobody_else_and_by_whom_it_names(
    activity: rule.Activity, target: Target, reaches: bool, rate: float | None
) -> None:
    if not rule.fits(activity, target):
        return
    until = NOW + timedelta(hours=1)

    def why(org: str) -> str:
        said = [rule.Control(org="x", target=target, stance="refuse", authorised=frozenset({"friend"}))]
        return decide(
            activity, [target], NOW, until, [], said, org=org, rate=rate, reaches=reaches, now=NOW
        ).why

    comes = target.live and reaches
    assert (why("stranger") == "opt-out") == (activity != "passive" or comes)
    assert why("x") == why("friend") == ""


@given(activities, st.lists(live_targets, min_size=1, max_size=2), st.booleans())
def test_no_load_on_hosts_without_proof_of_control(
    activity: rule.Activity, wanted: list[Target], proven: bool
) -> None:
    controls = [rule.Control(org="x" if proven else "y", target=target) for target in wanted]
    found = decide(activity, wanted, NOW, NOW + timedelta(hours=1), [], controls, org="x", now=NOW)
    assert (found.answer == "refused") == (activity != "passive" and not proven)
