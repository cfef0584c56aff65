"""What identifies an asset, spelled one way: host names, addresses, MACs, serial numbers, digests, cloud ids."""

from __future__ import annotations

import re
from ipaddress import IPv6Address, ip_address

_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_HEX = re.compile(r"[0-9a-f]{12}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_CLOUD = re.compile(
    r"i-[0-9a-f]{8}(?:[0-9a-f]{9})?|arn:aws[\w-]*:[^\s]+|/subscriptions/[^\s]+|(?://compute\.googleapis\.com/)?projects/[^\s]+"
)
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
# What firmware makers leave in where a serial number belongs (DMTF SMBIOS, types 1 to 3).
_PLACEHOLDERS = frozenset(
    (
        "none", "n/a", "na", "null", "unknown", "default", "default string", "not specified", "not applicable",
        "not available", "not settable", "system serial number", "chassis serial number", "base board serial number",
        "to be filled by o.e.m.", "to be filled by o.e.m", "o.e.m.", "oem", "serial", "invalid", "0123456789",
        "123456789", "1234567890", "-", "empty", "tbd",
    )
)  # fmt: skip
_NO_UUIDS = frozenset(("03000200-0400-0500-0006-000700080009", "12345678-1234-5678-90ab-cddeefaabbcc"))
MAX_NAME_CHARS = 253  # RFC 1035, a full domain name
_MAX_ID_CHARS = 512


def address(text: str) -> str:
    """The canonical text of an IP address; "" for what is none, and for the unspecified address.

    A zone ("%eth0") is left out, and an IPv4-mapped address is its IPv4 address.
    """
    text = text.strip().strip("[]").partition("%")[0]
    if not text or len(text) > 64:
        return ""
    try:
        found = ip_address(text)
    except ValueError:
        return ""
    if isinstance(found, IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    return "" if found.is_unspecified or found.is_multicast else str(found)


def addresses(text: str) -> tuple[str, ...]:
    """All addresses in a cell with several, separated by white space, comma or semicolon."""
    return tuple(dict.fromkeys(ip for word in re.split(r"[\s,;|]+", text[:10_000]) if (ip := address(word))))


def mac(text: str) -> str:
    """ "00:0d:3a:45:64:7f" from any common spelling; "" for what is none, for zeros and for the broadcast address."""
    digits = "".join(c for c in text.strip().lower()[:40] if c not in ":-. ")
    if not _HEX.fullmatch(digits) or digits in ("0" * 12, "f" * 12):
        return ""
    return ":".join(digits[i : i + 2] for i in range(0, 12, 2))


def macs(text: str) -> tuple[str, ...]:
    """All MAC addresses in a cell with several."""
    return tuple(dict.fromkeys(m for word in re.split(r"[\s,;|]+", text[:10_000]) if (m := mac(word))))


def host(text: str) -> tuple[str, str]:
    """(host name, FQDN) that `text` is, one of them ""; ("", "") for what is no name of a host.

    `DOMAIN\\HOST` is HOST, a URL is its host; a trailing dot is left out.
    """
    text = text.strip().lower()
    if "://" in text:
        text = text.partition("://")[2].partition("/")[0].rpartition("@")[2].partition(":")[0]
    text = text.rpartition("\\")[2].rstrip(".")
    if not text or len(text) > MAX_NAME_CHARS or address(text):
        return "", ""
    labels = text.split(".")
    if not all(_LABEL.fullmatch(label) for label in labels):
        return "", ""
    if len(labels) == 1:
        return text, ""
    # "1.2.3" or "10.0.0.300" is no name: the last label of a name is not a number (RFC 3696, section 2).
    return ("", text) if not labels[-1].isdigit() else ("", "")


def undotted(text: str) -> str:
    """A name without the dot that ends a full domain name (RFC 1034, section 3.1); what is no host's name as it is."""
    text = text.strip()
    return text.rstrip(".") if text.endswith(".") and any(host(text)) else text


def serial(text: str) -> str:
    """A serial number as written; "" for a maker's placeholder."""
    text = text.strip()
    plain = text.lower()
    if (
        len(text) > _MAX_ID_CHARS
        or len(text) < 4
        or plain in _PLACEHOLDERS
        or len(set(plain) - set("-_. ")) <= 1
    ):
        return ""
    return text


def hardware_uuid(text: str) -> str:
    """A lower-case UUID; "" for what is none, and for those that firmware makers leave in."""
    text = text.strip().lower().strip("{}")
    if not _UUID.fullmatch(text) or text in _NO_UUIDS or len(set(text) - {"-"}) <= 1:
        return ""
    return text


def cloud_id(text: str) -> str:
    """A cloud provider's id of an instance or resource, as written; "" for what does not look like one."""
    text = text.strip()
    return text if len(text) <= _MAX_ID_CHARS and _CLOUD.fullmatch(text) else ""


def digests(text: str) -> tuple[str, ...]:
    """Every "sha256:…" in `text`: "repo/image@sha256:…", or a list of them."""
    return tuple(dict.fromkeys(_DIGEST.findall(text[:100_000].lower())))
