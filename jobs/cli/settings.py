"""Environment and flags -> the engine's typed, frozen values. The sole reader of os.environ; strings die here.

What is checked here ends a run before anything else is looked at (contract, Settings): exit code 2, in one sentence.
"""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import imageferry
from imageferry.core.errors import SettingsError

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Mapping

DEFAULT_API = "https://api.bigcommerce.com"
_HASH = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TOKEN = re.compile(r"[\x21-\x7e]{1,4096}")
_LOOPBACK = re.compile(r"localhost|127(\.\d{1,3}){3}|::1")
_MOST_AT_ONCE = 1000


@dataclass(slots=True, frozen=True)
class Settings:
    """Which store, and how to go about it."""

    access: imageferry.Access
    options: imageferry.Options


def read(arguments: Namespace, environment: Mapping[str, str] | None = None) -> Settings:
    """Settings of one run: the environment's, and the flags', which win.

    Raises SettingsError with a sentence that names the flag or the variable.
    """
    environment = os.environ if environment is None else environment
    given = {name: value for name, value in vars(arguments).items() if value is not None}
    for flag in ("argument", "output"):
        _no_nul(str(given.get(flag, "")))
    return Settings(_access(given, environment), options_of(given))


def path_of(text: str) -> Path:
    """A file that the command line names.

    Raises SettingsError where no file can have that name.
    """
    _no_nul(text)
    return Path(text).absolute()


def _no_nul(text: str) -> None:
    if "\0" in text:
        raise SettingsError(f"{text[:80]!r} is no name of a file")


def _access(given: Mapping[str, object], environment: Mapping[str, str]) -> imageferry.Access:
    store_hash = str(given.get("store_hash", "")) or environment.get("BIGCOMMERCE_STORE_HASH", "")
    if not store_hash:
        raise SettingsError("no store is named: set BIGCOMMERCE_STORE_HASH, or give --store-hash")
    if not _HASH.fullmatch(store_hash):
        raise SettingsError(
            f"the store hash {store_hash[:40]!r} is none: letters and digits, as after /stores/ in the API path"
        )
    api_url = str(given.get("api_url", "")) or environment.get("BIGCOMMERCE_API_URL", "") or DEFAULT_API
    token = _token(environment)
    check_api_url(api_url)
    return imageferry.Access(store_hash, token, api_url.rstrip("/"))


def _token(environment: Mapping[str, str]) -> str:
    token, name = environment.get("BIGCOMMERCE_ACCESS_TOKEN", "").strip(), "BIGCOMMERCE_ACCESS_TOKEN"
    if not token:
        file = environment.get("BIGCOMMERCE_ACCESS_TOKEN_FILE", "")
        if not file:
            raise SettingsError(
                "no access token: set BIGCOMMERCE_ACCESS_TOKEN, or BIGCOMMERCE_ACCESS_TOKEN_FILE to a file with it"
            )
        token, name = _first_line(file), f"BIGCOMMERCE_ACCESS_TOKEN_FILE ({file})"
    if not _TOKEN.fullmatch(token):
        raise SettingsError(f"{name}: that is no access token: one word of plain characters is expected")
    return token


def _first_line(file: str) -> str:
    try:
        with Path(file).open("rb") as opened:
            return opened.read(8192).decode("utf-8-sig", "replace").strip()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise SettingsError(f"BIGCOMMERCE_ACCESS_TOKEN_FILE: {file} can't be read: {reason}") from None


def check_api_url(api_url: str) -> None:
    """Take https to a host, or http to this very machine; whether the name exists shows when it is connected to, or behind a proxy.

    Raises SettingsError.
    """
    name = "--api-url (BIGCOMMERCE_API_URL)"
    parts = _split(name, api_url)
    host = parts.hostname
    if parts.scheme == "http" and not _LOOPBACK.fullmatch(host):
        raise SettingsError(
            f"{name}: {host} is another machine, and http would show the token to all in between: use https"
        )
    try:
        host.encode("idna")
    except UnicodeError:
        raise SettingsError(f"{name}: {host[:80]!r} is no host name") from None


def _split(name: str, url: str) -> _Parts:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise SettingsError(f"{name}: {url[:80]!r} is no URL") from None
    if parts.username is not None or parts.password is not None:
        raise SettingsError(f"{name}: the URL must not hold a user or a password")
    if (
        parts.scheme not in {"http", "https"}
        or not parts.hostname
        or parts.query
        or parts.fragment
        or url != url.strip()
    ):
        raise SettingsError(f"{name}: {url[:80]!r} is no address such as {DEFAULT_API}")
    return _Parts(parts.scheme, parts.hostname, port)


@dataclass(slots=True, frozen=True)
class _Parts:
    scheme: str
    hostname: str
    port: int | None


def options_of(given: Mapping[str, object]) -> imageferry.Options:
    """The engine's options out of the flags that were given; what was not given keeps the engine's default.

    Raises SettingsError.
    """
    made: dict[str, object] = {name: given[name] for name in _SWITCHES if name in given}
    for name, make in _READERS.items():
        if name in given:
            made[name] = make("--" + name.replace("_", "-"), str(given[name]))
    return imageferry.Options(**made)  # type: ignore[arg-type]  # each reader makes what its field takes; a test gives every flag


def _whole(flag: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 12 and int(text) > 0):
        raise SettingsError(f"{flag}: {text[:40]!r} is not a whole number above 0")
    return int(text)


def _concurrency(flag: str, text: str) -> int:
    number = _whole(flag, text)
    if number > _MOST_AT_ONCE:
        raise SettingsError(f"{flag}: {number} calls at once are more than {_MOST_AT_ONCE}, which no store takes")
    return number


def _number(flag: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or number < 0:
        raise SettingsError(f"{flag}: {text[:40]!r} is not a number of 0 or more")
    return number


def _positive(flag: str, text: str) -> float:
    number = _number(flag, text)
    if number == 0:
        raise SettingsError(f"{flag}: must be above 0")
    return number


def _share(flag: str, text: str) -> float:
    number = _number(flag, text.removesuffix("%"))
    if not 0 < number <= 100:
        raise SettingsError(f"{flag}: {text[:40]!r} is not a share of the quota: above 0 and at most 100 percent")
    return number / 100


def _ids(flag: str, text: str) -> frozenset[int]:
    ids = [part.strip() for part in text.split(",")]
    wrong = next((part for part in ids if not (part.isascii() and part.isdigit() and 0 < int(part[:20]) < 2**63)), None)
    if wrong is not None:
        raise SettingsError(f"{flag}: {wrong[:40]!r} is not a product id; give them as {flag} 32,77")
    return frozenset(map(int, ids))


def _file(flag: str, text: str) -> Path:
    if not text or "\0" in text:
        raise SettingsError(f"{flag}: the name of a file is missing")
    return Path(text).absolute()


def _folder(flag: str, text: str) -> Path:
    path = _file(flag, text)
    if not path.is_dir():
        raise SettingsError(f"{flag}: {text[:200]!r} is not a folder")
    return path


def _address(flag: str, text: str) -> str:
    _split(flag, text)
    return text.rstrip("/")


def _max_deletes(flag: str, text: str) -> imageferry.MaxDeletes:
    if len(text) > 20:
        raise SettingsError(f"{flag}: {text[:40]!r}... is neither a count such as 200 nor a share such as 30%")
    return imageferry.MaxDeletes.parse(text)


_SWITCHES = ("fresh", "allow_shrink", "allow_missing", "allow_loss")
_READERS: dict[str, Callable[[str, str], object]] = {
    "checkpoint": _file,
    "only": _ids,
    "limit": _whole,
    "concurrency": _concurrency,
    "rate": _positive,
    "quota_share": _share,
    "max_deletes": _max_deletes,
    "settle": _number,
    "give_up_after": _positive,
    "stall_after": _positive,
    "files": _folder,
    "backup": _file,
    "storefront_url": _address,
}
