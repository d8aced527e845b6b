"""Carries product images in bulk into a BigCommerce store. What is named in `__all__` is the whole public face.

    access = imageferry.Access(store_hash, access_token)
    report = await imageferry.migrate(access, "products.jsonl")

Everything is loaded when it is first asked for (PEP 562), so `imageferry.core` can be used without any network library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .core.errors import FerryError, ManifestError, UnsafePlanError
    from .core.plan.guards import MaxDeletes
    from .core.plan.proposal import Proposal
    from .core.results import Failure, Report
    from .options import Access, Options
    from .progress import Progress, Stop
    from .verbs.apply import apply, migrate, sync
    from .verbs.export import export
    from .verbs.plan import plan, review
    from .verbs.status import status
    from .verbs.undo import undo
    from .verbs.verify import verify

_HOMES = {
    "Access": "options",
    "Failure": "core.results",
    "FerryError": "core.errors",
    "ManifestError": "core.errors",
    "MaxDeletes": "core.plan.guards",
    "Options": "options",
    "Progress": "progress",
    "Proposal": "core.plan.proposal",
    "Report": "core.results",
    "Stop": "progress",
    "UnsafePlanError": "core.errors",
    "apply": "verbs.apply",
    "export": "verbs.export",
    "migrate": "verbs.apply",
    "plan": "verbs.plan",
    "review": "verbs.plan",
    "status": "verbs.status",
    "sync": "verbs.apply",
    "undo": "verbs.undo",
    "verify": "verbs.verify",
}

__version__ = "0.1.0"
"""The one place where the version is written; pyproject.toml reads it here."""

__all__ = [
    "Access",
    "Failure",
    "FerryError",
    "ManifestError",
    "MaxDeletes",
    "Options",
    "Progress",
    "Proposal",
    "Report",
    "Stop",
    "UnsafePlanError",
    "__version__",
    "apply",
    "export",
    "migrate",
    "plan",
    "review",
    "status",
    "sync",
    "undo",
    "verify",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{home}", __name__), name)

    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names, loaded or not."""
    return sorted(__all__)
