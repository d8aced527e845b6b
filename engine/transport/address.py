"""The API address, store hash and token: what is accepted before anything is sent."""

from __future__ import annotations

import ipaddress
import re

from yarl import URL

from ..core.errors import SettingsError

_HASH = re.compile(r"[A-Za-z0-9_-]{1,64}")


_TOKEN = re.compile(r"[\x21-\x7e]+")


def check_address(api_url: str) -> URL:
    """Make the base address of it: https, or http to this very machine.

    Raises:
        SettingsError: not an address, http to elsewhere, or one with user, password, query or fragment.

    """
    try:
        url = URL(api_url)
        _ = url.host  # decoded when it is first asked for, which fails for what only looks like IDNA
    except ValueError:
        raise SettingsError("the API address (--api-url, BIGCOMMERCE_API_URL) isn't a URL") from None
    if url.user is not None or url.password is not None:
        raise SettingsError(
            "the API address must not carry a user or a password; give the token in BIGCOMMERCE_ACCESS_TOKEN"
        )
    if url.scheme not in {"http", "https"} or not url.host:
        raise SettingsError(
            "the API address must begin with https:// and name a host, as https://api.bigcommerce.com does"
        )
    if url.raw_query_string or url.raw_fragment or "?" in api_url or "#" in api_url:
        raise SettingsError("the API address must not have a query or a fragment")
    if url.scheme == "http" and not _is_loopback(url.host):
        raise SettingsError(
            f"http sends the token in clear: use https://{url.host} (http is for this machine itself only)"
        )
    return url


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
