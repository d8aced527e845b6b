"""Every switch of the sandbox, each with its meaning beside it; the command line, the settings call and the help are made of this table.

What store-api.md marks as unknown is a switch here, and its default is the one suggested there in section 7.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from pathlib import Path  # noqa: TC003 - get_type_hints looks for it
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from .faults import Fault  # noqa: TC001 - get_type_hints looks for it

_T = TypeVar("_T")


def _switch(default: _T, text: str) -> _T:
    """Declare a dataclass field with its help; typed as its default so that mypy sees plain values."""
    value: _T = field(default=default, metadata={"help": text})
    return value


@dataclass(slots=True)
class Config:
    """How one sandbox store behaves. Changing a value while the store runs takes effect with the next call."""

    # Where it is and what it holds
    port: int = _switch(0, "port on 127.0.0.1; 0 takes a free one")
    store_hash: str = _switch("", "store hash; made up if absent")
    access_token: str = _switch("", "access token that callers must send; made up if absent")
    import_folder: Path | None = _switch(None, "folder of the files that a write may name; a temporary one if absent")  # noqa: RUF009 - it is a field()
    state: Path | None = _switch(None, "keep the state in this file over restarts; what is kept wins over the filling")  # noqa: RUF009 - it is a field()
    products: int = _switch(0, "fill the store with products 1 to N")
    images: int = _switch(0, "images that each of those products has at the start")
    seed: int = _switch(0, "of everything that is made up or happens by chance")
    manifest: Path | None = _switch(None, "create the products that this JSON Lines manifest names, without images")  # noqa: RUF009 - it is a field()
    with_images: bool = _switch(False, "with --manifest: create its images too (URLs are fetched)")

    # What the documentation leaves open
    renumber: Literal["none", "raised", "always"] = _switch(
        "raised",
        "siblings at or above an image's new sort_order move up by one: never, when a PUT raises it (as documented), "
        "or at every PUT that carries one",
    )
    renumber_on_create: bool = _switch(False, "a POST that carries a sort_order moves siblings up as well")
    unsorted: Literal["zero", "last"] = _switch(
        "zero", "sort_order of an image created without one: 0, or after all others"
    )
    orders: Literal["kept", "not-negative", "compacted", "fixed"] = _switch(
        "kept",
        "what becomes of a sort_order that is sent: kept, negative ones raised to 0, all of the product's made 0, 1, 2 ... "
        "after each POST and PUT that carries one, or not changed by a PUT",
    )
    descriptions: Literal["kept", "trimmed", "escaped"] = _switch(
        "kept",
        "what becomes of a description: kept, without the white space around it, or with HTML's characters escaped",
    )
    description_length: int = _switch(0, "characters after which a description is cut off; 0 for no such limit")
    promote_after_delete: bool = _switch(
        False, "when the thumbnail goes, the image of the lowest sort_order becomes it"
    )
    names: Literal["kept", "prefixed", "lost"] = _switch(
        "kept", "stored names: of the source, with 40 hex digits before those of uploads, or made up altogether"
    )
    underscores: Literal["characters", "bytes"] = _switch(
        "characters", "what one underscore stands for in a stored name: an unsafe character, or a byte of it in UTF-8"
    )
    completed: Literal["replaced", "appended", "underscored", "kept", "queried"] = _switch(
        "replaced",
        "a name without an image's extension (media?id=7, photo.jfif): the one that the bytes call for replaces its own, is "
        "appended to all of it, or to all of it with its dots as underscores, or the name is kept; or its query belongs to it",
    )
    longest_name: int = _switch(190, "letters that a stored name keeps of its source's, without the extension")
    delete_many: Literal["page", "all"] = _switch("page", "what DELETE .../images removes: a page of images, or all")
    delete_many_refused: int = _switch(
        0, "status with which DELETE .../images is refused (403, 404, 405, 501); 0 takes it"
    )
    empty: Literal["204", "list", "null"] = _switch("204", "answer to an empty list: 204, 200 with [], 200 with null")
    over_limit: Literal["413", "clamp"] = _switch("413", "answer to a limit above 250: 413, or as if it were 250")
    page_cap: int = _switch(0, "serve at most N a page whatever the limit says; 0 for no such cap")
    list_lag: float = _switch(0.0, "seconds until a write shows in listings of images")
    url_sources: bool = _switch(True, "image_file may be a URL in JSON")
    import_sources: bool = _switch(True, "image_file may be a name in the import folder")
    upload_sources: bool = _switch(True, "image_file may be a file in multipart/form-data")
    put_picture: Literal["replaces", "ignored"] = _switch("replaces", "what a PUT with image_file does to the picture")
    cut_pictures: Literal["taken", "refused"] = _switch(
        "taken", "a picture of a sound header whose file ends before the picture does: taken as it is, or refused"
    )
    put_needs_image_file: bool = _switch(False, "a PUT without image_file is refused")
    parallel_writes: Literal["allowed", "conflict"] = _switch(
        "allowed", "a write to a product that another write is busy with: done, or 409"
    )

    # Quota, shared by all callers
    quota: int | None = _switch(150, "calls a window, shared by all callers; 'none' for no quota and no headers")
    window_ms: int = _switch(30_000, "length of the window in milliseconds")
    windows: Literal["aligned", "first-call"] = _switch("aligned", "windows follow the clock, or begin with a call")
    whole_seconds: bool = _switch(False, "X-Rate-Limit-Time-Reset-Ms is rounded up to whole seconds")
    rate_headers: bool = _switch(True, "send the four X-Rate-Limit headers")
    retry_after: bool = _switch(True, "send X-Retry-After with a 429 of the quota")
    retry_after_form: Literal["own", "seconds", "date"] = _switch(
        "own",
        "how a time to wait is named: X-Retry-After, the standard Retry-After in seconds, or as an HTTP date. "
        "A fault's `wait` has the standard forms only",
    )
    other_rate: float = _switch(0.0, "calls a second that another app takes from the quota, at random")
    other_burst: int = _switch(0, "calls that another app takes at once, every --other-every seconds")
    other_every: float = _switch(60.0, "seconds between such bursts")

    # Time, network, log
    latency: float = _switch(0.0, "seconds that each call takes, half before and half after it is done")
    jitter: float = _switch(0.0, "seconds at most that are added to that by chance")
    write_latency: float = _switch(0.0, "seconds that POST, PUT and DELETE take on top, before they are done")
    fetch: bool = _switch(True, "fetch pictures; without it any URL is taken and a picture is made up from it")
    fetch_timeout: float = _switch(10.0, "seconds until fetching a picture is given up")
    log: bool = _switch(True, "keep a log of calls")
    log_size: int = _switch(100_000, "calls that the log holds; the oldest go first")
    faults: tuple[Fault, ...] = field(default=(), metadata={"help": ""})

    def copy(self) -> Config:
        """Return an independent copy."""
        return replace(self)


FIXED = frozenset({"port", "store_hash", "access_token", "import_folder", "state", "products", "images", "seed"}) | {
    "manifest",
    "with_images",
    "log_size",
    "faults",
    "other_rate",
    "other_burst",
    "other_every",
}


@dataclass(slots=True, frozen=True)
class Switch:
    """One line of the table: its name, what values it takes, and what it means."""

    name: str
    kind: type
    default: Any
    text: str
    choices: tuple[str, ...] = ()
    optional: bool = False


def switches() -> list[Switch]:
    """Return the whole table in order, without the faults, which have a form of their own."""
    hints = get_type_hints(Config)
    return [
        _read(each.name, hints[each.name], each.default, each.metadata["help"])
        for each in fields(Config)
        if each.name != "faults"
    ]


def _read(name: str, hint: Any, default: Any, text: str) -> Switch:
    if get_origin(hint) is Literal:
        return Switch(name, str, default, text, choices=get_args(hint))
    inner = [each for each in get_args(hint) if each is not type(None)]
    return Switch(name, inner[0] if inner else hint, default, text, optional=bool(inner))


def change(config: Config, changes: dict[str, Any]) -> None:
    """Set the named switches of a running store, all or none.

    Raises ValueError, naming the switch, for one that doesn't exist, can't be changed while running, or can't have this value.
    """
    table = {each.name: each for each in switches() if each.name not in FIXED}
    for name, value in changes.items():
        if name not in table:
            raise ValueError(f"{name}: no such setting, or it can't be changed while the store runs")
        _check(table[name], value)
    for name, value in changes.items():
        setattr(config, name, float(value) if table[name].kind is float else value)


def _check(switch: Switch, value: Any) -> None:
    if value is None and switch.optional:
        return
    kinds = (int, float) if switch.kind is float else (switch.kind,)
    if not isinstance(value, kinds) or (isinstance(value, bool) and switch.kind is not bool):
        raise ValueError(f"{switch.name}: must be of type {switch.kind.__name__}")
    if switch.choices and value not in switch.choices:
        raise ValueError(f"{switch.name}: must be one of {', '.join(switch.choices)}")
    if isinstance(value, (int, float)) and value < 0:
        raise ValueError(f"{switch.name}: must not be negative")
