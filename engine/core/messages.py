"""Request and response of one call to the store, as values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from .errors import StoreError


# The reason of a response that names none.
NO_REASON = "no reason given"


class Resend(Enum):
    """The rule for a call whose outcome is unknown."""

    SAFE = "freely"  # a second request changes nothing: GET, DELETE by id, a PUT that moves no sibling
    CHECK_FIRST = "look"  # it may have been executed and must not be twice: list first


@dataclass(slots=True)
class Upload:
    """A local image file in a multipart/form-data request, beside the form fields."""

    path: Path
    name: str


@dataclass(slots=True)
class Request:
    """One call. `path` follows `/stores/{hash}` and includes the encoded query.

    `body` is JSON.
    """

    method: str
    path: str
    body: bytes | None = None
    upload: Upload | None = None
    form: dict[str, str] | None = None


@dataclass(slots=True)
class Response:
    """A complete response. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def describe_call(request: Request, failure: StoreError) -> str:
    """Return the failure with the call that it belongs to, as the sentence that ends a run must name it."""
    call = f"{request.method} {request.path}"
    if failure.reason.startswith(call):
        return failure.reason
    return f"{call}: {failure.status} {failure.reason}" if failure.status else f"{call}: {failure.reason}"
