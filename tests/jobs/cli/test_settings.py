"""What settings are taken, and the one sentence that refuses the others."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

import pytest

import imageferry
from imageferry.core.errors import SettingsError
from imageferry.jobs.cli.settings import check_api_url, options_of, read

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = "s3cret-t0ken"
GOOD = {
    "BIGCOMMERCE_STORE_HASH": "abc123",
    "BIGCOMMERCE_ACCESS_TOKEN": TOKEN,
    "BIGCOMMERCE_API_URL": "http://127.0.0.1:1234/",
}


def test_flags_win_over_the_environment() -> None:
    """The store of the environment is only what no flag names."""
    assert read(Namespace(), GOOD).access == imageferry.Access("abc123", TOKEN, "http://127.0.0.1:1234")
    made = read(Namespace(store_hash="other", api_url="http://localhost:1"), GOOD)
    assert (made.access.store_hash, made.access.api_url) == ("other", "http://localhost:1")


def test_the_token_may_come_from_a_file(tmp_path: Path) -> None:
    """The file's first words are the token, with or without a newline; the variable itself wins."""
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    variables = {**GOOD, "BIGCOMMERCE_ACCESS_TOKEN": "", "BIGCOMMERCE_ACCESS_TOKEN_FILE": str(file)}
    assert read(Namespace(), variables).access.access_token == TOKEN
    file.write_text("another")
    assert read(Namespace(), {**variables, "BIGCOMMERCE_ACCESS_TOKEN": TOKEN}).access.access_token == TOKEN


def test_no_message_and_no_repr_holds_the_token() -> None:
    """A token that can't be one is refused without being shown."""
    with pytest.raises(SettingsError) as caught:
        read(Namespace(), {**GOOD, "BIGCOMMERCE_ACCESS_TOKEN": f"{TOKEN} {TOKEN}"})
    assert TOKEN not in str(caught.value)
    assert TOKEN not in repr(read(Namespace(), GOOD))


@pytest.mark.parametrize("name", ["BIGCOMMERCE_STORE_HASH", "BIGCOMMERCE_ACCESS_TOKEN"])
@pytest.mark.parametrize("value", [None, ""], ids=["unset", "empty"])
def test_what_is_missing_is_named(name: str, value: str | None) -> None:
    """The message names the variable to set."""
    variables = {key: text for key, text in GOOD.items() if key != name}
    with pytest.raises(SettingsError, match=name):
        read(Namespace(), variables if value is None else {**variables, name: value})


def test_a_token_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """As is the reason."""
    variables = {**GOOD, "BIGCOMMERCE_ACCESS_TOKEN": "", "BIGCOMMERCE_ACCESS_TOKEN_FILE": str(tmp_path / "no")}
    with pytest.raises(SettingsError, match=r"BIGCOMMERCE_ACCESS_TOKEN_FILE.*No such file"):
        read(Namespace(), variables)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com",
        "http://127.0.0.1.example.com",
        "http://10.0.0.1",
        "ftp://127.0.0.1",
        "127.0.0.1:80",
        "https://",
        "https://u:p@127.0.0.1",
        "https://127.0.0.1/?a=b",
        "https://127.0.0.1:99999",
        "https://[::1",
        " https://127.0.0.1",
        "https://a..b",
        "https://" + "x" * 300,
    ],
)
def test_an_api_address_that_cannot_be_is_refused(url: str) -> None:
    """http to elsewhere, no host, an unknown host, or more than an address."""
    with pytest.raises(SettingsError, match="--api-url"):
        check_api_url(url)


def test_a_host_name_is_not_looked_up() -> None:
    """A proxy may know names that this machine does not; whether one exists shows when it is connected to."""
    check_api_url("https://store.invalid")


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://localhost:1/", "http://[::1]:1", "https://127.0.0.1/x"])
def test_loopback_and_https_are_taken(url: str) -> None:
    """http to this machine, https to any host that has an address."""
    check_api_url(url)


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("limit", ["0", "-1", "1.5", "x", "", "1e3", "99999999999999"]),
        ("only", ["x", "", "1,", "0", "-3", "1;2", "9" * 30]),
        ("concurrency", ["0", "-1", "2.5", "1001"]),
        ("rate", ["0", "-1", "nan", "inf", "x"]),
        ("quota_share", ["0", "101", "-5", "nan", "x"]),
        ("max_deletes", ["-1", "x", "101%", "5%%", "nan"]),
        ("settle", ["-1", "nan", "inf", "x"]),
        ("give_up_after", ["0", "-1", "nan"]),
        ("stall_after", ["0", "-1", "nan"]),
        ("files", ["/no/such/folder", "", "\0"]),
        ("checkpoint", ["", "\0"]),
        ("storefront_url", ["shop", "ftp://x", "https://"]),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_in_one_sentence(name: str, texts: list[str]) -> None:
    """The sentence names the flag."""
    for text in texts:
        with pytest.raises(SettingsError, match="--" + name.replace("_", "-")) as caught:
            options_of({name: text})
        assert "\n" not in str(caught.value)


def test_every_flag_reaches_its_option(tmp_path: Path) -> None:
    """What is given arrives as the engine's typed value; what is not keeps the engine's default."""
    given: dict[str, Any] = {
        "checkpoint": str(tmp_path / "c"),
        "fresh": True,
        "only": "32, 77",
        "limit": "5",
        "concurrency": "7",
        "rate": "2.5",
        "quota_share": "40",
        "max_deletes": "12%",
        "allow_shrink": True,
        "allow_missing": True,
        "settle": "0",
        "give_up_after": "9",
        "stall_after": "8",
        "files": str(tmp_path),
        "storefront_url": "https://shop.example.com/",
    }
    assert options_of(given) == imageferry.Options(
        checkpoint=tmp_path / "c",
        fresh=True,
        only=frozenset({32, 77}),
        limit=5,
        concurrency=7,
        rate=2.5,
        quota_share=0.4,
        max_deletes=imageferry.MaxDeletes(share=0.12),
        allow_shrink=True,
        allow_missing=True,
        settle=0.0,
        give_up_after=9.0,
        stall_after=8.0,
        files=tmp_path,
        storefront_url="https://shop.example.com",
    )
    assert options_of({}) == imageferry.Options()
