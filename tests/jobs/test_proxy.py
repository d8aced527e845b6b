"""Through a company's proxy, and what happens where certificate, name or proxy are wrong; real processes, real sockets."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from .tunnel import HOST, Tunnel, tunnel_to

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .rehearsal import Rehearsal


@pytest.fixture
def tunnel(store: Rehearsal, tmp_path: Path) -> Iterator[tuple[Tunnel, Path]]:
    """A proxy and an https door before the store of this test."""
    with tunnel_to(urlsplit(store.sandbox.api_url).port or 0, tmp_path) as made:
        yield made


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy"])
def test_a_migration_converges_through_a_connect_proxy(
    store: Rehearsal, tunnel: tuple[Tunnel, Path], name: str
) -> None:
    """The store's host name is left to the proxy to resolve, a private CA is trusted by SSL_CERT_FILE, the token stays in the tunnel."""
    proxy, ca = tunnel
    manifest = store.write(dict.fromkeys(range(1, 21), 2))
    environment = {name: proxy.proxy, "SSL_CERT_FILE": str(ca), "BIGCOMMERCE_API_URL": f"https://{HOST}"}
    result = store.spawn("migrate", manifest, "--json", **environment)
    assert (result.code, result.record["created"]) == (0, 40), result.err
    assert store.spawn("verify", manifest, **environment).code == 0
    assert proxy.asked
    assert all(head.startswith(f"CONNECT {HOST}:443 ".encode()) for head in proxy.asked)
    token = store.sandbox.access_token.encode()
    assert token not in b"".join(proxy.asked) + bytes(proxy.seen)
    assert b"X-Auth-Token" not in b"".join(proxy.asked)


@pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
def test_a_host_in_no_proxy_is_reached_without_the_proxy(
    store: Rehearsal, tunnel: tuple[Tunnel, Path], name: str
) -> None:
    """NO_PROXY excepts a host, in either letter case."""
    proxy, ca = tunnel
    manifest = store.write({1: 1})
    url = f"https://127.0.0.1:{proxy.door_port}"
    environment = {"HTTPS_PROXY": "http://127.0.0.1:9", name: "127.0.0.1", "SSL_CERT_FILE": str(ca)}
    result = store.spawn("migrate", manifest, BIGCOMMERCE_API_URL=url, **environment)
    assert result.code == 0, result.err
    assert proxy.asked == []


def test_http_to_this_machine_takes_no_proxy(store: Rehearsal, tunnel: tuple[Tunnel, Path]) -> None:
    """A proxy in the environment is none of a rehearsal's business."""
    proxy, _ = tunnel
    proxies = {"HTTPS_PROXY": proxy.proxy, "HTTP_PROXY": proxy.proxy, "http_proxy": proxy.proxy}
    assert store.spawn("migrate", store.write({1: 1}), **proxies).code == 0
    assert proxy.asked == []


def test_an_untrusted_certificate_ends_the_run_at_once(store: Rehearsal, tunnel: tuple[Tunnel, Path]) -> None:
    """Exit 5 although 600 s of silence would be waited for, and a sentence that says what to set; no traceback."""
    proxy, _ = tunnel
    url = f"https://127.0.0.1:{proxy.door_port}"
    result = store.spawn("migrate", store.write({1: 1}), "--json", BIGCOMMERCE_API_URL=url)
    assert (result.code, result.record["outcome"]) == (5, "unreachable")
    assert "certificate cannot be trusted" in result.err
    assert "SSL_CERT_FILE" in result.err
    assert "Traceback" not in result.err


def test_a_host_name_that_does_not_exist_ends_the_run_at_once(store: Rehearsal) -> None:
    """Exit 5, and the setting to correct is named."""
    url = "https://store.invalid"
    result = store.spawn("migrate", store.write({1: 1}), BIGCOMMERCE_API_URL=url)
    if "Temporary failure" in result.err:
        pytest.skip("no name server answers here")
    assert result.code == 5
    assert "host name does not exist" in result.err
    assert "--api-url" in result.err


def test_a_proxy_that_wants_a_login_ends_the_run_at_once(store: Rehearsal, tunnel: tuple[Tunnel, Path]) -> None:
    """407 is no outage: exit 5, and where user and password go."""
    proxy, ca = tunnel
    proxy.status = b"407 Proxy Authentication Required"
    environment = {"HTTPS_PROXY": proxy.proxy, "SSL_CERT_FILE": str(ca)}
    result = store.spawn("migrate", store.write({1: 1}), BIGCOMMERCE_API_URL=f"https://{HOST}", **environment)
    assert result.code == 5
    assert "407" in result.err
    assert "HTTPS_PROXY" in result.err


@pytest.mark.parametrize("proxy", ["ftp://127.0.0.1:1", "http://", "http://[x"])
def test_a_proxy_that_is_no_address_is_a_wrong_setting(store: Rehearsal, proxy: str) -> None:
    """Exit 2, and the right form is shown."""
    environment = {"HTTPS_PROXY": proxy, "BIGCOMMERCE_API_URL": f"https://{HOST}"}
    result = store.spawn("migrate", store.write({1: 1}), **environment)
    assert result.code == 2
    assert "http://HOST:PORT" in result.err
