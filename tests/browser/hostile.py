"""Text that people with bad intent type into fields, for tests that store it everywhere and look at every page.

Each payload calls `__ran(…)`, which `harness.Screen` reports as a fault; a browser that runs one fails the test, and so
does one that would have run it but for the content security policy.

    for name, payload in CORPUS.items(): store(payload)
    look(screen, "/exposure", "/search?q=…")
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness import Screen

CORPUS: Mapping[str, str] = {
    "script": "<script>__ran(1)</script>",
    "script broken out of an attribute": "\"'><script>__ran(2)</script>",
    "image": "<img src=x onerror=__ran(3)>",
    "image out of single quotes": "' autofocus onfocus='__ran(4)",
    "image out of double quotes": '" autofocus onfocus="__ran(5)',
    "svg": "<svg onload=__ran(6)>",
    "svg animation": "<svg><animate onbegin=__ran(7) attributeName=x dur=1s>",
    "details": "<details open ontoggle=__ran(8)>x</details>",
    "out of textarea": "</textarea><script>__ran(9)</script>",
    "out of title": "</title><script>__ran(10)</script>",
    "out of style": "</style><script>__ran(11)</script>",
    "out of a comment": "--><script>__ran(12)</script>",
    "out of noscript": "</noscript><img src=x onerror=__ran(13)>",
    "out of a select": "</option></select><img src=x onerror=__ran(14)>",
    "script address": "javascript:__ran(15)",
    "script address in disguise": "java\tscript:__ran(16)",
    "data address": "data:text/html,<script>parent.__ran(17)</script>",
    "frame": "<iframe srcdoc='<script>parent.__ran(18)</script>'></iframe>",
    "base": "<base href=//evil.invalid/>",
    "refresh": "<meta http-equiv=refresh content='0;url=javascript:__ran(20)'>",
    "form action": "<form action=javascript:__ran(21)><button autofocus>x</button></form>",
    "template of ours": "{{ cycler.__init__.__globals__ }}{% for x in () %}{% endfor %}",
    "htmx trigger": '<div hx-get="/x" hx-trigger="load[__ran(23)]">x</div>',
    "htmx handler": "<div hx-on:click=__ran(24) data-hx-on:load=__ran(24)>x</div>",
    "htmx values": '<div hx-get="/" hx-trigger="load" hx-vals="js:{x: __ran(25)}">x</div>',
    "htmx action": '<div hx-action="js:__ran(26)" hx-trigger="load">x</div>',
    "htmx partial": '<hx-partial hx-target="body"><img src=x onerror=__ran(27)></hx-partial>',
    "htmx out of band": '<div id="main" hx-swap-oob="true"><img src=x onerror=__ran(28)></div>',
    "mutation": "<noscript><p title='</noscript><img src=x onerror=__ran(29)>'>",
    "math": "<math><mtext><table><mglyph><style><img src=x onerror=__ran(30)>",
    "polyglot": "jaVasCript:/*-/*`/*\\`/*'/*\"/**/(/* */oNcliCk=__ran(31) )//</stYle/</titLe/</teXtarEa/</scRipt/--!>"
    "\\x3csVg/<sVg/oNloAd=__ran(31)//>",
    "import of style": "<link rel=stylesheet href=//evil.invalid/x.css><style>@import '//evil.invalid'</style>",
    "beacon": "<img src=//evil.invalid/x.png>",
    "right to left": "invoice \u202egnp.exe",
    "hidden": "a\u2066b\u2069\u200b\u00adc",
    "nul and controls": "a\x00b\x1b[31mc\x07".replace("\x00", "\ufffd"),
    "formula": '=HYPERLINK("http://evil.invalid","x")',
    "long": "A" * 2_000,
}


_CODE_LINKS = """[...document.querySelectorAll("a[href], form[action], [hx-get], [hx-post]")]
  .filter((e) => e instanceof HTMLAnchorElement && !["http:", "https:", "mailto:"].includes(e.protocol))
  .map((e) => e.outerHTML.slice(0, 200))"""
_STRANGERS = "script:not([src]), iframe, base, style, [onerror], [onload], [onfocus], [ontoggle], [onbegin]"


def look(screen: Screen, *paths: str) -> None:
    """Opens each path, and fails where anything ran, where foreign markup stands, or where a link is code."""
    for path in paths:
        screen.open(path)
        page = screen.settled()
        links = page.evaluate(_CODE_LINKS)
        assert not links, f"{path} has links that are code: {links}"
        strangers = page.locator(_STRANGERS).count()
        assert not strangers, f"{path} has markup that came from outside"
        screen.check()


def together() -> str:
    """The whole corpus as one text, but for what is only long."""
    return "\n".join(payload for name, payload in CORPUS.items() if name != "long")
