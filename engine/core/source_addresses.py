"""Comparison of source addresses.

One spelling for all, and addresses without their signatures.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote_to_bytes

from .image_files import GONE, base_name, folded_name, source_kind

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable

    from .identities import IdentityMap
    from .model import Wanted

_PLAIN = re.compile(
    r"https?://[a-z0-9.-]+/(?:[!\"$&-~]|%(?:[0189A-F][0-9A-F]|2[0-9A-CF]|3[A-F]|40|5[B-E]|60|7[B-DF]))*"
)
"""An address already in the spelling of `address`: no fragment, port, capital letter in the host or needless encoding.
`/.` is checked separately."""
_PARTS = re.compile(r"(https?:)//([^/?#]*)([^?#]*)(\?[^#]*)?", re.IGNORECASE)
_PERCENT = re.compile(r"%[0-9A-Fa-f]{2}")
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_PORTS = {"http:": ":80", "https:": ":443"}
_SIGNATURES = re.compile(
    r"(?:(?:x-(?:amz|goog|oss|cos)-[a-z-]+|expires?|exp|signature|sig|policy|key-pair-id|s[eptvr]|spr|ske|sks|skv|skoid|sktid"
    r"|skt|token|access_?token|hdnt[sl]|hdnea|hmac|nonce|timestamp|ts|auth|auth_key|awsaccesskeyid|googleaccessid"
    r"|ossaccesskeyid|security-token|__gda__|validfrom|validto)(?:=.*)?|(?:s|h|hash|sign|md5)=[0-9a-f]{16,})",
    re.IGNORECASE,
)
"""Query parameters for signature and expiry; they change with every export, the image does not."""


def address(image_file: str) -> str:
    """Return the normalized spelling of a source (RFC 3986, sections 6.2.2 and 6.2.3)."""
    if "/." not in image_file and _PLAIN.fullmatch(image_file):
        return image_file
    parts = _PARTS.match(image_file)
    if parts is None:
        return _path_spelled_once(image_file)
    scheme, host, path, query = parts[1].lower(), parts[2].lower(), parts[3], parts[4] or ""
    path = _without_dots(_percent_once(path)) or "/"
    return f"{scheme}//{host.removesuffix(_PORTS[scheme]).removesuffix(':')}{path}{_percent_once(query)}"


def _percent_once(text: str) -> str:
    """Percent-encode each character that needs it, and decode all others."""

    def once(found: re.Match[str]) -> str:
        byte = unquote_to_bytes(found[0])
        return byte.decode() if byte[0] in _UNRESERVED else found[0].upper()

    return quote(_PERCENT.sub(once, text), safe="!\"#$%&'()*+,/:;<=>?@[\\]^`{|}~")


def _without_dots(path: str) -> str:
    """Remove `.` and `..` from the path (RFC 3986, section 5.2.4)."""
    if "/." not in path:
        return path
    kept: list[str] = []
    segments = path.split("/")
    for segment in segments:
        if segment == "..":
            del kept[max(1, len(kept) - 1) :]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in {".", ".."}:
        kept.append("")
    return "/".join(kept)


def _path_spelled_once(path: str) -> str:
    prefix = "import:" if source_kind(path) == "import" else ""
    segments = [part for part in path[len(prefix) :].split("/") if part not in {"", "."}]
    return path if path.startswith(GONE) else prefix + "/".join(segments)


def unsigned(image_file: str) -> str:
    """Return the address without the parameters that sign it for a limited time."""
    spelled = address(image_file)
    base, mark, query = spelled.partition("?")
    if not mark:
        return spelled
    kept = [part for part in query.split("&") if part and not _SIGNATURES.fullmatch(part)]
    return f"{base}?{'&'.join(kept)}" if kept else base


def identity(image_file: str) -> str:
    """Return the key that stays the same if an image moves to another host or folder.

    It is its name and its query.
    """
    return f"{folded_name(base_name(image_file))}?{unsigned(image_file).partition('?')[2]}"


def respelled(images: list[Wanted], identities: IdentityMap, there: Container[int]) -> IdentityMap:
    """Return the known images under the manifest's spelling of their sources.

    Sources that differ in spelling or signature only are the same. An ambiguous source is left out. `there` has the ids of
    the images in the store.
    """
    sources = {image.image_file for image in images}
    orphans = [
        source
        for source, known in identities.items()
        if source not in sources and known[0] in there and not source.startswith(GONE)
    ]
    unknown = [source for source in sources if source not in identities] if orphans else []
    if not unknown:
        return identities
    names: dict[str, str] = {}
    for spelling in (address, unsigned):
        # One image may be known under two spellings, if a resumed run has learned the second.
        known_spellings = _once(
            spelling, (source for source in orphans if source not in names), lambda source: identities[source][0]
        )
        taken = set(names.values())
        for key, source in _once(spelling, (source for source in unknown if source not in taken)).items():
            if key in known_spellings:
                names[known_spellings[key]] = source
    return {names.get(source, source): known for source, known in identities.items()} if names else identities


def _once(
    spelling: Callable[[str], str], sources: Iterable[str], meant: Callable[[str], object] = str
) -> dict[str, str]:
    """Return the sources by spelling, without spellings that several different sources share."""
    found: dict[str, str] = {}
    shared = set()
    for source in sources:
        key = spelling(source)
        if meant(found.setdefault(key, source)) != meant(source):
            shared.add(key)
    return {key: source for key, source in found.items() if key not in shared}
