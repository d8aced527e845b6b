"""Table of the commands: the argument, flags and help of each.

Imports nothing but the table of flags, so that `--help` stays fast.
"""

from __future__ import annotations

from .flags import ALLOW_LOSS, DRY_RUN, GROUPS, KEEP, NO_DELETE, OUTPUT_MANIFEST, OUTPUT_PLAN, UNDO_BACKUP, YES, Flag


class Command:
    """A command of the command line.

    `argument` is the metavar of its required argument, None without one. `groups` names keys of GROUPS, separated by spaces; `own` holds
    the flags of this command alone.
    """

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


_RUN = "store checkpoint selection limits guards files backup output"

COMMANDS = (
    Command(
        "plan",
        "MANIFEST",
        "show what sync (or migrate) would change and what it costs",
        "Lists the images of the products in the manifest, compares, and shows what would change, with the number of calls,\n"
        "the quota windows and the time. Writes a plan file for `apply`. Writes nothing to the store.\n"
        "Exits with code 3 if a guard would refuse the plan; the plan file is written even then.",
        "imageferry plan products.jsonl\n  imageferry plan products.jsonl --no-delete -o first.plan",
        groups=_RUN,
        own=(OUTPUT_PLAN, NO_DELETE),
    ),
    Command(
        "apply",
        "PLAN",
        "apply a plan file",
        "Applies a plan that `plan` wrote. Lists each product again right before its first write. A product that somebody\n"
        "else has changed since the plan is left alone and reported as failed. To resume, run the same command again.",
        "imageferry plan products.jsonl -o products.plan\n  imageferry apply products.plan",
        groups="store checkpoint limits guards files backup output",
        own=(DRY_RUN,),
    ),
    Command(
        "migrate",
        "MANIFEST",
        "one-off migration: create and update, never delete",
        "Plans and applies in one step. Creates missing images, updates those that differ, deletes nothing.\n"
        "To resume, or to retry failed images, run the same command again.",
        "imageferry migrate products.jsonl --limit 10      (a trial)\n  imageferry migrate products.jsonl",
        groups=_RUN,
        own=(DRY_RUN,),
    ),
    Command(
        "sync",
        "MANIFEST",
        "nightly job: make the named products match the manifest",
        "Plans and applies in one step. Creates, updates and deletes images until the products in the manifest match it.\n"
        "Never touches a product that the manifest does not name. --max-deletes limits the deletes.\n"
        "To resume, or to retry failed images, run the same command again.",
        "imageferry sync products.jsonl --dry-run\n  imageferry sync products.jsonl",
        groups=_RUN,
        own=(DRY_RUN,),
    ),
    Command(
        "verify",
        "MANIFEST",
        "compare the store with the manifest",
        "Lists and compares; writes nothing to the store. Names each difference, including surplus images unless --no-delete\n"
        "is given. Exits with code 0 if there is no difference, with 1 if there is one.",
        "imageferry verify products.jsonl",
        groups=_RUN,
        own=(NO_DELETE,),
    ),
    Command(
        "export",
        None,
        "write the store's current images as a manifest",
        "Writes the images of every product as a manifest: a backup, or the input for another store.\n"
        "Leaves out products without images. Writes nothing to the store.",
        "imageferry export -o store.jsonl",
        groups="store limits storefront output",
        own=(OUTPUT_MANIFEST,),
    ),
    Command(
        "undo",
        "CHECKPOINT",
        "revert what the last run of a checkpoint did",
        "Makes a plan that reverts the last run of this checkpoint: deletes the images that the run created, restores the\n"
        "fields that it changed, and uploads deleted images again from --backup, with new ids. Shows the plan and its cost,\n"
        "names what cannot be restored exactly, and asks for confirmation. Without a terminal it needs --yes, else it writes\n"
        "nothing and exits with code 3. Leaves alone and names what somebody has changed since. Deletes nothing in a product\n"
        "whose previous images cannot all be restored, unless --allow-loss is given. To resume, run the same command again.\n"
        "Until an undo has finished, sync, migrate and apply with its checkpoint exit with code 3; --fresh abandons the undo.",
        "imageferry undo products.jsonl.checkpoint.json --backup kept --dry-run\n"
        "  imageferry undo products.jsonl.checkpoint.json --backup kept",
        groups="store limits output",
        own=(UNDO_BACKUP, ALLOW_LOSS, YES, DRY_RUN),
    ),
    Command(
        "status",
        "CHECKPOINT",
        "show what a run has done, is doing and has left",
        "Reads a checkpoint during its run, or after the run ended or crashed. Takes no lock and never calls the store.",
        "imageferry status products.jsonl.checkpoint.json",
        groups="output",
    ),
    Command(
        "sandbox",
        None,
        "start a local BigCommerce-compatible store for rehearsals",
        "",
        "",
    ),
    Command(
        "bench",
        None,
        "measure what this machine, the quota and the store allow",
        "",
        "",
    ),
    Command(
        "demo",
        None,
        "run the complete workflow on a made-up catalog; needs no setup",
        "Generates a small catalog of images, serves it, starts a sandbox store, plans, applies while faults are injected,\n"
        "verifies, and prints what happened. Needs no account and no network. Takes a few seconds.",
        "imageferry demo",
        own=(KEEP, *GROUPS["output"][1]),
    ),
)
