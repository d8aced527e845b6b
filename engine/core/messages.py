"""One call to the store as values: what is asked, what was answered. The seam to the network speaks these and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


# What is said of an answer that says nothing about itself.
NO_REASON = "no reason given"


class Resend(Enum):
    """What may be done when a call's outcome is unknown."""

    SAFE = "freely"  # sending it again changes nothing more: GET, DELETE by id, a PUT that moves no sibling
    CHECK_FIRST = "look"  # it may have happened and must not happen twice: the caller looks first


@dataclass(slots=True)
class Upload:
    """A local picture that travels in the request as multipart/form-data, beside the request's form fields."""

    path: Path
    name: str


@dataclass(slots=True)
class Request:
    """One call. `path` begins after `/stores/{hash}` and holds its query, already encoded; `body` is JSON."""

    method: str
    path: str
    body: bytes | None = None
    upload: Upload | None = None
    form: dict[str, str] | None = None


@dataclass(slots=True)
class Response:
    """What came back, whole. Header names are looked up in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
