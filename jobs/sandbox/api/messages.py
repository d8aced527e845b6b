"""Calls and replies as values, and the words in which the store refuses (store-api.md 1.7). Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

JSON = "application/json"
_STATUS_PAGE = "https://developer.bigcommerce.com/api-docs/getting-started/api-status-codes"
_TITLES = {
    401: "Unauthorized",
    403: "Authentication Required",
    404: "Not found",
    413: "Payload too large",
    429: "Too many requests",
    500: "Internal server error",
    502: "Bad gateway",
    503: "Service unavailable",
    504: "",  # as seen in the wild
    507: "Insufficient storage",
    509: "Bandwidth limit exceeded",
}


@dataclass(slots=True)
class UploadedFile:
    """A file that came in a form."""

    name: str
    data: bytes


@dataclass(slots=True)
class Call:
    """One call as it came in. `target` is the path from the root with its query, still encoded; `app` says who called."""

    method: str
    target: str
    token: str = ""
    content_type: str = ""
    accept: str = ""
    body: bytes = b""
    form: dict[str, str] | None = None
    upload: UploadedFile | None = None
    app: str = ""


@dataclass(slots=True)
class Reply:
    """What the store answers; `committed` says whether it changed anything, `image_ids` which images it was about."""

    status: int
    body: bytes = b""
    content_type: str = JSON
    headers: list[tuple[str, str]] = field(default_factory=list)
    committed: bool = False
    image_ids: list[int] = field(default_factory=list)


class Refusal(Exception):  # noqa: N818 - it is an answer, not an error of the program
    """The call ends here with this reply."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        super().__init__(reply.status)


def of_json(status: int, value: Any, *, committed: bool = False, image_ids: list[int] | None = None) -> Reply:
    """Return a reply with a JSON body."""
    return Reply(status, orjson.dumps(value), committed=committed, image_ids=image_ids or [])


def refused(status: int, *errors: dict[str, Any]) -> Reply:
    """Return the store's own refusal: an array of errors."""
    return of_json(status, [{"status": status, **each} for each in errors])


def of_gateway(status: int) -> Reply:
    """Return a refusal of what stands before the store: an object, as V3 has it."""
    return of_json(
        status, {"status": status, "title": _TITLES.get(status, "Error"), "type": _STATUS_PAGE, "errors": {}}
    )


def not_found() -> Reply:
    """Return the refusal of a product or an image that doesn't exist."""
    return refused(404, {"message": "The requested resource was not found."})


def conflict(reason: str) -> Reply:
    """Return the refusal of a write that another one stands in the way of."""
    message = "A resource conflict prevented the request from being fulfilled."
    return refused(409, {"message": message, "details": {"conflict_reason": reason}})


def locked() -> Reply:
    """Return the refusal of a resource that is locked for now."""
    return refused(423, {"message": "The requested resource is locked. Please try again later."})


def invalid(name: str, reason: str = "") -> dict[str, Any]:
    """Return the error for a field whose value won't do."""
    error: dict[str, Any] = {"message": f"The field '{name}' is invalid."}
    return {**error, "details": {"invalid_reason": reason}} if reason else error


def read_only(name: str) -> dict[str, Any]:
    """Return the error for a field that the store alone writes."""
    return {
        "message": f"The field '{name}' cannot be written to. Please remove it from your request before trying again."
    }


def unsupported(name: str) -> dict[str, Any]:
    """Return the error for a field that doesn't exist."""
    return {"message": f"The field '{name}' is not supported by this resource."}


def missing(name: str) -> dict[str, Any]:
    """Return the error for a required field that isn't there."""
    return {"message": f"The required field '{name}' was not supplied."}


def unreachable(url: str) -> dict[str, Any]:
    """Return the error for a URL behind which no usable picture was found."""
    return invalid("image_file", f"The resource at '{url}' could not be downloaded and may be invalid.")


def unusable(path: str) -> dict[str, Any]:
    """Return the error for a file that isn't in the import folder or is no picture."""
    return invalid("image_file", f"The file '{path}' is missing or is not usable by this resource.")
