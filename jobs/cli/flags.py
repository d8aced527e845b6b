"""Every command and every flag as a table: the parser, the help and the README's tables are made of it, or held to it.

Shapes and words only; what a value may be is decided in `settings`. Imports nothing, since `--help` must be quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


class Flag:
    """One flag: its spellings, the name of its value (None for a switch), what it means, and its default in words."""

    __slots__ = ("default", "metavar", "names", "text")

    def __init__(self, spelling: str, metavar: str | None, text: str, default: str = "") -> None:
        self.names = spelling.split("/")
        self.metavar = metavar
        self.text = text
        self.default = default

    @property
    def shown(self) -> str:
        """The flag as the README's table shows it: `--limit N`."""
        spelled = ", ".join(self.names)
        return spelled if self.metavar is None else f"{spelled} {self.metavar}"

    @property
    def help(self) -> str:
        """Meaning and default, as the help shows them."""
        text = f"{self.text} [default: {self.default}]" if self.default else self.text
        return text.replace("%", "%%")

    def declare(self, parser: argparse._ActionsContainer) -> None:
        """Add the flag to a parser or a group of it; nothing is said about its value but that it is one."""
        if self.metavar is None:
            parser.add_argument(*self.names, action="store_true", help=self.help)
        else:
            parser.add_argument(*self.names, metavar=self.metavar, help=self.help)


class Command:
    """One command: the argument that it must have, its groups of flags, and what its help says."""

    __slots__ = ("about", "argument", "example", "groups", "name", "own", "summary")

    def __init__(
        self,
        name: str,
        argument: str | None,
        summary: str,
        about: str,
        example: str,
        *,
        groups: str = "",
        own: tuple[Flag, ...] = (),
    ) -> None:
        self.name = name
        self.argument = argument
        self.summary = summary
        self.about = about
        self.example = example
        self.groups = groups.split()
        self.own = own


STOREFRONT = Flag(
    "--storefront-url",
    "URL",
    "where the store serves its original pictures; without it the largest rendition is taken",
)

GROUPS: dict[str, tuple[str, tuple[Flag, ...]]] = {
    "store": (
        "which store (the token comes from BIGCOMMERCE_ACCESS_TOKEN or BIGCOMMERCE_ACCESS_TOKEN_FILE only)",
        (
            Flag(
                "--store-hash", "HASH", "the store: the part after /stores/ in its API path", "BIGCOMMERCE_STORE_HASH"
            ),
            Flag(
                "--api-url",
                "URL",
                "where its API is; http is taken for this machine only",
                "BIGCOMMERCE_API_URL, else https://api.bigcommerce.com",
            ),
        ),
    ),
    "memory": (
        "what the run remembers",
        (
            Flag(
                "--checkpoint",
                "FILE",
                "where the run is remembered; needed where the manifest is -",
                "MANIFEST.checkpoint.json",
            ),
            Flag("--fresh", None, "set an unfinished run aside (renamed, not deleted) and start again"),
        ),
    ),
    "selection": (
        "a trial before the whole",
        (
            Flag("--only", "ID,...", "only these products of the manifest"),
            Flag("--limit", "N", "only the first N products of the manifest"),
        ),
    ),
    "pace": (
        "pace and patience",
        (
            Flag("--concurrency", "N", "calls in flight at most", "found by itself: from 2 to 64, 8 to begin with"),
            Flag("--rate", "N", "calls a second at most", "as the quota allows"),
            Flag("--quota-share", "PERCENT", "how much of the store's quota may be used", "100"),
            Flag("--settle", "SECONDS", "how long an unanswered create's image may still appear", "20"),
            Flag("--give-up-after", "SECONDS", "stop after so long without a usable answer", "600"),
            Flag("--stall-after", "SECONDS", "say so when nothing was completed for so long", "120"),
        ),
    ),
    "guards": (
        "guards",
        (
            Flag("--max-deletes", "N or N%", "deletes that are allowed, of the images the named products have", "30%"),
            Flag("--allow-shrink", None, "take a manifest that has lost over 30% since the last run"),
            Flag(
                "--allow-missing",
                None,
                "take a store that has lost over 30% of the known images, and forget the products that are gone",
            ),
        ),
    ),
    "pictures": (
        "local pictures",
        (Flag("--files", "FOLDER", "where the manifest's local pictures lie", "the manifest's folder"),),
    ),
    "backup": (
        "pictures kept before they go",
        (
            Flag("--backup", "FOLDER", "keep the picture and the fields of all that is deleted or replaced, for undo"),
            STOREFRONT,
        ),
    ),
    "storefront": ("addresses", (STOREFRONT,)),
    "output": (
        "output",
        (
            Flag("--json", None, "one JSON object as the last line of standard output"),
            Flag("--quiet/-q", None, "silent but for failures"),
            Flag(
                "--verbose/-v", None, "name every failure and every change; a traceback for a fault of imageferry's own"
            ),
        ),
    ),
}
"""Flags that several commands share. One set of flags fits plan, migrate, sync and verify, so that a script needs just one."""

NO_DELETE = Flag("--no-delete", None, "leave surplus images alone, as migrate does")
DRY_RUN = Flag("--dry-run/-n", None, "show the plan, its cost and what a guard would say; write nothing to the store")
OUTPUT_PLAN = Flag("--output/-o", "PLAN", "the plan file", "MANIFEST.plan")
OUTPUT_MANIFEST = Flag(
    "--output/-o", "MANIFEST", "the manifest to write: .jsonl or .csv, also .gz, as its name says", "standard output"
)
YES = Flag("--yes", None, "approve the plan unasked, as where there is no terminal to ask on")
KEPT = Flag("--backup", "FOLDER", "where the run kept its pictures; without it deleted images can't come back")
ALLOW_LOSS = Flag(
    "--allow-loss",
    None,
    "delete what the run made even in a product whose former images can't all come back; without it nothing is deleted there",
)
KEEP = Flag("--keep", None, "leave the store running at the end, to be looked at in a browser, until Ctrl-C")

_RUN = "store memory selection pace guards pictures backup output"

COMMANDS = (
    Command(
        "plan",
        "MANIFEST",
        "show what sync (or migrate) would change, and what that costs",
        "Lists the images of the products that the manifest names, compares, and shows what would change: images, calls,\n"
        "quota windows, time. Writes a plan file for `apply` and nothing to the store.\n"
        "Exit code 3 where a guard would refuse; the plan file is written all the same.",
        "imageferry plan products.jsonl\n  imageferry plan products.jsonl --no-delete -o first.plan",
        groups=_RUN,
        own=(OUTPUT_PLAN, NO_DELETE),
    ),
    Command(
        "apply",
        "PLAN",
        "carry out a plan file that you have read",
        "Carries out a plan that `plan` wrote. Each product is listed again right before its first write; one that somebody\n"
        "else has changed since is left alone and reported. Giving the same command again resumes.",
        "imageferry plan products.jsonl -o products.plan\n  imageferry apply products.plan",
        groups="store memory pace guards pictures backup output",
        own=(DRY_RUN,),
    ),
    Command(
        "migrate",
        "MANIFEST",
        "one-off migration: create and update, never delete",
        "Plans and applies in one go. Creates what is missing, updates what differs, deletes nothing.\n"
        "Giving the same command again resumes, and tries again what failed.",
        "imageferry migrate products.jsonl --limit 10      (a trial)\n  imageferry migrate products.jsonl",
        groups=_RUN,
        own=(DRY_RUN,),
    ),
    Command(
        "sync",
        "MANIFEST",
        "nightly job: make the named products exactly as the manifest says",
        "Plans and applies in one go. Creates, updates, and deletes the surplus images of products that the manifest names;\n"
        "a product that it doesn't name is never touched. Deletes are guarded (--max-deletes).\n"
        "Giving the same command again resumes, and tries again what failed.",
        "imageferry sync products.jsonl --dry-run\n  imageferry sync products.jsonl",
        groups=_RUN,
        own=(DRY_RUN,),
    ),
    Command(
        "verify",
        "MANIFEST",
        "compare only: is the store as the manifest says?",
        "Lists and compares, writes nothing to the store. Each difference is named, surplus images too unless --no-delete.\n"
        "Exit code 0: no difference. Exit code 1: there are some.",
        "imageferry verify products.jsonl",
        groups=_RUN,
        own=(NO_DELETE,),
    ),
    Command(
        "export",
        None,
        "the store's present images as a manifest",
        "Writes every product's images as a manifest: a record of them, or the input for another store.\n"
        "Products without images are left out. Writes nothing to the store.",
        "imageferry export -o store.jsonl",
        groups="store pace storefront output",
        own=(OUTPUT_MANIFEST,),
    ),
    Command(
        "undo",
        "CHECKPOINT",
        "take back what the run of a checkpoint did",
        "Makes a plan that takes the last run of this checkpoint back: images that it made are deleted, fields that it wrote\n"
        "get their former values, images that it deleted are uploaded again from --backup, with new ids. Shows the plan and\n"
        "its price, says what can't come back exactly, and asks; without a terminal nothing is written unless --yes is given\n"
        "(exit code 3). What somebody has changed since is left alone and named. In a product of which former images can't come\n"
        "back nothing is deleted, unless --allow-loss is given. Giving the same command again resumes; until an undo that has\n"
        "begun is finished, sync, migrate and apply of its checkpoint refuse (exit code 3; --fresh gives the undo up).",
        "imageferry undo products.jsonl.checkpoint.json --backup kept --dry-run\n"
        "  imageferry undo products.jsonl.checkpoint.json --backup kept",
        groups="store pace output",
        own=(KEPT, ALLOW_LOSS, YES, DRY_RUN),
    ),
    Command(
        "status",
        "CHECKPOINT",
        "what a run has done, is doing, has left",
        "Reads a checkpoint while its run works, or after it ended or died. Needs no store and disturbs nothing.",
        "imageferry status products.jsonl.checkpoint.json",
        groups="output",
    ),
    Command(
        "sandbox",
        None,
        "a local BigCommerce-compatible store to rehearse against",
        "",
        "",
    ),
    Command(
        "bench",
        None,
        "what this machine, the quota and the store allow, measured",
        "",
        "",
    ),
    Command(
        "demo",
        None,
        "the whole way on a made-up catalogue, with nothing to set up",
        "Makes a small catalogue of generated pictures, serves it, starts a sandbox store, plans, applies with faults on,\n"
        "verifies, and tells what happened. Needs no account and no network, takes some seconds.",
        "imageferry demo",
        own=(KEEP, *GROUPS["output"][1]),
    ),
)
