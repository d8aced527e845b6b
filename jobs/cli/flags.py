"""Table of the flags: the source of the parser and the help; a test compares the README with it.

`settings` checks the values. Nothing is imported at run time, so that `--help` stays fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


class Flag:
    """A flag of the command line.

    `spelling` lists its names, separated by `/`. `metavar` names its value; None makes it a switch. `default` is shown in the help only.
    """

    __slots__ = ("default", "metavar", "names", "text")

    def __init__(self, spelling: str, metavar: str | None, text: str, default: str = "") -> None:
        self.names = spelling.split("/")
        self.metavar = metavar
        self.text = text
        self.default = default

    @property
    def shown(self) -> str:
        """Return the flag as the README's table shows it: `--limit N`."""
        spelled = ", ".join(self.names)
        return spelled if self.metavar is None else f"{spelled} {self.metavar}"

    @property
    def help(self) -> str:
        """Return the meaning and the default, escaped for argparse."""
        text = f"{self.text} [default: {self.default}]" if self.default else self.text
        return text.replace("%", "%%")

    def declare(self, parser: argparse._ActionsContainer) -> None:
        """Add the flag to a parser or argument group. Values stay strings."""
        if self.metavar is None:
            parser.add_argument(*self.names, action="store_true", help=self.help)
        else:
            parser.add_argument(*self.names, metavar=self.metavar, help=self.help)


STOREFRONT = Flag(
    "--storefront-url",
    "URL",
    "where the store serves its original image files; without it, the largest rendition is used",
)

GROUPS: dict[str, tuple[str, tuple[Flag, ...]]] = {
    "store": (
        "Store (the token is read from BIGCOMMERCE_ACCESS_TOKEN or BIGCOMMERCE_ACCESS_TOKEN_FILE)",
        (
            Flag(
                "--store-hash", "HASH", "store hash: the part after /stores/ in the API path", "BIGCOMMERCE_STORE_HASH"
            ),
            Flag(
                "--api-url",
                "URL",
                "API URL; http is allowed to loopback only",
                "BIGCOMMERCE_API_URL, then https://api.bigcommerce.com",
            ),
        ),
    ),
    "checkpoint": (
        "Checkpoint",
        (
            Flag(
                "--checkpoint",
                "FILE",
                "checkpoint file; required if the manifest is -",
                "MANIFEST.checkpoint.json",
            ),
            Flag("--fresh", None, "set an unfinished checkpoint aside (renamed, not deleted) and start again"),
        ),
    ),
    "selection": (
        "Selection",
        (
            Flag("--only", "ID,...", "only these products of the manifest"),
            Flag("--limit", "N", "only the first N products of the manifest"),
        ),
    ),
    "limits": (
        "Rate limits and timeouts",
        (
            Flag("--concurrency", "N", "maximum calls in flight", "auto (2 to 64, starts at 8)"),
            Flag("--rate", "N", "maximum calls per second", "no limit but the quota"),
            Flag("--quota-share", "PERCENT", "share of the store's quota to use", "100"),
            Flag("--settle", "SECONDS", "how long after a create without a response its image may still appear", "20"),
            Flag(
                "--give-up-after",
                "SECONDS",
                "stop after this long with no response other than 5xx or a bare 429",
                "600",
            ),
            Flag("--stall-after", "SECONDS", "report a stall after this long without a completed call", "120"),
        ),
    ),
    "guards": (
        "Guards",
        (
            Flag(
                "--max-deletes",
                "N or N%",
                "limit on deletes, as a count or a share of the images that the named products have",
                "30%",
            ),
            Flag("--allow-shrink", None, "accept a manifest that lost over 30% since the previous run"),
            Flag(
                "--allow-missing",
                None,
                "accept a store that lost over 30% of the known images, and forget the missing products",
            ),
        ),
    ),
    "files": (
        "Local images",
        (Flag("--files", "FOLDER", "where local image files are", "the manifest's folder"),),
    ),
    "backup": (
        "Backup",
        (
            Flag(
                "--backup",
                "FOLDER",
                "save the file and the fields of every image that is deleted or replaced, for undo",
            ),
            STOREFRONT,
        ),
    ),
    "storefront": ("Image URLs", (STOREFRONT,)),
    "output": (
        "Output",
        (
            Flag("--json", None, "print one JSON object as the last line of standard output"),
            Flag("--quiet/-q", None, "print errors only"),
            Flag(
                "--verbose/-v",
                None,
                "name every failure and every planned change; show a traceback if imageferry crashes",
            ),
        ),
    ),
}
"""Flags that several commands share. plan, migrate, sync and verify take the same ones, so that a script needs one set."""

NO_DELETE = Flag("--no-delete", None, "ignore surplus images, as migrate does")
DRY_RUN = Flag(
    "--dry-run/-n", None, "show the plan, its cost and whether a guard refuses it; write nothing to the store"
)
OUTPUT_PLAN = Flag("--output/-o", "PLAN", "plan file to write", "MANIFEST.plan")
OUTPUT_MANIFEST = Flag(
    "--output/-o",
    "MANIFEST",
    "manifest to write; its name selects the format: .jsonl, .csv, .jsonl.gz or .csv.gz",
    "standard output",
)
YES = Flag("--yes", None, "skip the confirmation prompt; required without a terminal")
UNDO_BACKUP = Flag("--backup", "FOLDER", "backup folder of the run; without it, deleted images cannot be restored")
ALLOW_LOSS = Flag(
    "--allow-loss",
    None,
    "delete created images even in products whose previous images cannot all be restored",
)
KEEP = Flag("--keep", None, "keep the store running until Ctrl-C, to look at it in a browser")
