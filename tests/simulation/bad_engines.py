"""Engines that are known to be bad, each made by swapping one small piece of the shipped one: the net must catch them all."""

from __future__ import annotations

import math
from contextlib import ExitStack, contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from PIL import Image

from imageferry.core.dialects import v2
from imageferry.core.diff import renumbering
from imageferry.core.diff.compare import compare as shipped_diff
from imageferry.core.diff.renumbering import Renumbering, RenumberingModel
from imageferry.core.errors import LockedError, LostError
from imageferry.core.image_files import base_name, folded_name
from imageferry.core.image_format.header import DetectedImage
from imageferry.core.image_format.truncated import TruncatedFiles
from imageferry.core.quota.controller import QuotaController
from imageferry.core.quota.headers import read_retry_after
from imageferry.core.quota.permissions import ForbiddenScope, TokenPermissions
from imageferry.core.reconcile import remaining
from imageferry.core.reconcile.rejections import Rejections
from imageferry.core.reconcile.traits import WriteRound
from imageferry.core.undo import revert as core_undo
from imageferry.disk.checkpoint.file import Checkpoint
from imageferry.runs import opening
from imageferry.runs.executor import Executor
from imageferry.runs.planner import Planner
from imageferry.runs.product.io import ProductIO
from imageferry.runs.product.reconciler import ProductReconciler
from imageferry.runs.product.relisting import Relisting
from imageferry.runs.product.writer import ProductWriter
from imageferry.transport.client import ApiClient
from imageferry.transport.store import Store
from imageferry.verbs import apply

from .network import SimWire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from imageferry.core.diff.changes import Changes, Difference
    from imageferry.core.messages import Request, Response
    from imageferry.core.model import StoredImage
    from imageferry.core.quota.controller import Permit
    from imageferry.core.quota.headers import RateLimitHeaders as Headers


def creates_resent_blindly() -> AbstractContextManager[object]:
    """A create whose answer was lost is sent again like any other call."""

    async def create(self: Store, product_id: int, image_file: str, fields: dict[str, Any], picture: Any) -> Any:
        return await self._client.send(v2.create_image(product_id, image_file, fields, picture), v2.read_created)

    return patch.object(Store, "create", create)


def no_second_look() -> AbstractContextManager[object]:
    """An image missing in the first listing is sent again at once, without waiting."""
    return patch.object(ProductReconciler, "lost_at", property(lambda _self: -math.inf))


def intent_not_journalled() -> AbstractContextManager[object]:
    """The call goes out without waiting for its intent to be on the disk."""

    async def intend(self: ProductIO, event: dict[str, Any]) -> None:
        self.ledger.apply(event)
        self.journal.append(event)

    return patch.object(ProductIO, "write_ahead", intend)


def deletes_first() -> AbstractContextManager[object]:
    """Room is made before the new images come."""
    perform = ProductReconciler._perform

    async def hasty(self: ProductReconciler, changes: Changes) -> bool:
        for image_id in changes.deletes:
            await self.writer.delete(image_id)
        changes.deletes = []
        return await perform(self, changes)

    return patch.object(ProductReconciler, "_perform", hasty)


@contextmanager
def ledger_trusted() -> Iterator[None]:
    """Known images are assumed to exist, whatever the listing shows."""

    def trusting(diff: Callable[..., Difference]) -> Callable[..., Difference]:
        def remembered(product: Any, present: Any, memory: Any, **more: Any) -> Difference:
            found = diff(product, present, memory, **more)
            creates = found.changes.creates
            known = [c for c in creates if c.replaces is None and product.images[c.row].image_file in memory]
            found.changes.creates = [create for create in creates if create not in known]
            return found

        return remembered

    with (
        patch("imageferry.runs.planner.compare", trusting(shipped_diff)),
        patch.object(remaining, "compare", trusting(shipped_diff)),
    ):
        yield


def http_library_resends() -> AbstractContextManager[object]:
    """Updates and deletes whose connection breaks are sent once more below the engine, which never hears of it."""
    call = SimWire.__call__

    async def stubborn(self: SimWire, request: Request) -> Response:
        try:
            return await call(self, request)
        except LostError:
            if request.method == "POST":
                raise
            return await call(self, request)

    return patch.object(SimWire, "__call__", stubborn)


@contextmanager
def renumbering_ignored() -> Iterator[None]:
    """Every image is taken to move alone: no reckoning with siblings, and no look afterwards."""

    def alone(diff: Callable[..., Difference]) -> Callable[..., Difference]:
        def unmoved(*args: Any, **more: Any) -> Difference:
            found = diff(*args, **{**more, "model": RenumberingModel(Renumbering.NONE, on_create=False)})
            found.changes.recheck = False
            return found

        return unmoved

    def put(orders: dict[int, int], image_id: int, value: int, _reading: Renumbering) -> None:
        orders[image_id] = value

    with ExitStack() as swapped:
        swapped.enter_context(patch.object(renumbering, "put", put))
        swapped.enter_context(patch.object(WriteRound, "infer", lambda *_: None))
        swapped.enter_context(patch("imageferry.runs.planner.compare", alone(shipped_diff)))
        swapped.enter_context(patch.object(remaining, "compare", alone(shipped_diff)))
        yield


def late_answers_believed() -> AbstractContextManager[object]:
    """An answer of the former window, come late, is taken for the newest word: its reset is over, so a new window must have begun."""
    learn = QuotaController._learn

    def believing(
        self: QuotaController, permit: Permit, now: float, headers: Headers, *, probed: bool, alone: bool
    ) -> None:
        if permit.number >= self._first or probed:
            learn(self, permit, now, headers, probed=probed, alone=alone)
            return
        self._start_window(permit, now, headers, permit.sent + headers.reset)
        self._first = self._last + 1

    return patch.object(QuotaController, "_learn", believing)


def no_last_look() -> AbstractContextManager[object]:
    """At the end nobody looks whether a twin has come."""

    async def never(_self: Executor, *_: Any) -> bool:
        return True

    return patch.object(Executor, "_final_check", never)


def decoder_asked() -> AbstractContextManager[object]:
    """A local picture is what a decoder can open: sound ones of rare kinds stop the whole run."""

    def opened(read: Callable[[int, int], bytes], size: int) -> DetectedImage | None:
        try:
            with Image.open(BytesIO(read(0, size))) as picture:
                return DetectedImage(picture.format or "", truncated=False)
        except Exception:  # noqa: BLE001  # whatever a decoder stumbles over
            return None

    return patch("imageferry.disk.local_images.identify", opened)


@contextmanager
def names_compared_as_written() -> Iterator[None]:
    """A stored name is the source's only where its extension is, too: none is completed or cut."""

    def likeness(source: str, stored: str) -> int | None:
        return (
            0
            if base_name(source) == base_name(stored)
            else 1
            if folded_name(base_name(source)) == folded_name(base_name(stored))
            else None
        )

    with ExitStack() as swapped:
        swapped.enter_context(patch("imageferry.core.reconcile.doubts.likeness", likeness))
        swapped.enter_context(patch("imageferry.core.reconcile.doubts.is_uncertain", lambda _: False))
        for where in ("imageferry.core.reconcile.duplicates.same_name", "imageferry.runs.product.writer.same_name"):
            swapped.enter_context(patch(where, lambda source, stored: likeness(source, stored) is not None))
        swapped.enter_context(patch("imageferry.core.diff.match.completions", lambda _: []))
        swapped.enter_context(patch("imageferry.core.diff.match.cut_key", lambda _: ""))
        yield


def signatures_taken_for_names() -> AbstractContextManager[object]:
    """An address with a new signature is another picture."""
    return patch("imageferry.core.diff.compare.respelled", lambda _images, memory, _there: memory)


def cut_files_unsaid() -> AbstractContextManager[object]:
    """Local pictures that are cut off are uploaded without a word."""
    return patch.object(TruncatedFiles, "warnings", lambda _self: [])


@contextmanager
def updates_without_end() -> Iterator[None]:
    """A listing is believed before the answers, and a round is counted only once a look has told what it did."""

    async def rounds(self: ProductReconciler, changes: Changes) -> None:
        while self._passes_done <= remaining.MAX_PASSES:
            doubt = await self._perform(changes)
            if not doubt and not self.writer.log.relist:
                return
            changes = await self.recheck()
            if not changes:
                return
            self._passes_done += not doubt

    async def as_listed(_self: Relisting, listed: list[StoredImage], _suspects: set[int]) -> list[StoredImage]:
        return listed

    with ExitStack() as swapped:
        swapped.enter_context(patch.object(ProductReconciler, "passes", rounds))
        swapped.enter_context(patch.object(Rejections, "drop_repeated", lambda *_: None))
        swapped.enter_context(patch.object(ProductWriter, "wait_before_repeating", lambda *_: None))
        swapped.enter_context(patch.object(Relisting, "_one_by_one", as_listed))
        yield


def own_values_forgotten() -> AbstractContextManager[object]:
    """Own values of the store are not remembered."""
    return patch("imageferry.core.reconcile.remaining.merge_own_values", lambda *_: {})


@contextmanager
def own_values_unsaid() -> Iterator[None]:
    """Own values of the store are not reported."""
    with (
        patch("imageferry.runs.product.reconciler.own_failures", lambda *_: []),
        patch("imageferry.core.plan.batch.own_failures", lambda *_: []),
    ):
        yield


def looking_takes_the_lock() -> AbstractContextManager[object]:
    """A command that only reads a checkpoint locks it."""

    def check_place(disk: Any, path: Path) -> None:
        with disk.lock(path.with_name(path.name + ".lock")) as got:
            if not got:
                raise LockedError("another run holds it")

    return patch.object(opening, "check_place", check_place)


def looking_tidies_up() -> AbstractContextManager[object]:
    """A command that only reads a checkpoint cleans up after a crash, without the lock."""
    shipped = Checkpoint.copy_unfinished

    def copy_unfinished(self: Checkpoint) -> None:
        shipped(self)
        self._disk.remove(self.paths.sibling(".journal"))

    return patch.object(Checkpoint, "copy_unfinished", copy_unfinished)


def undo_takes_what_it_cannot_give() -> AbstractContextManager[object]:
    """Undo deletes created images even if the replaced ones cannot be restored."""
    return patch.object(core_undo, "_spared", lambda _done, removable, *_, **__: removable)


def undo_forgotten() -> AbstractContextManager[object]:
    """The next run doesn't ask whether an undo is open."""
    return patch.object(apply, "open_undo", lambda *_: None)


def product_refused_for_all() -> AbstractContextManager[object]:
    """A 403 on one product's write is taken for the credentials'."""
    return patch.object(TokenPermissions, "refused", lambda *_, **__: ForbiddenScope.CREDENTIALS)


@contextmanager
def named_waits_ignored() -> Iterator[None]:
    """Only the store's own X-Retry-After is read."""

    def own_alone(headers: Mapping[str, str], _wall: float | None = None) -> float | None:
        return read_retry_after({"x-retry-after": headers.get("x-retry-after", "none")})

    with (
        patch("imageferry.transport.client.read_retry_after", own_alone),
        patch("imageferry.core.quota.retry.read_retry_after", own_alone),
    ):
        yield


def standstill_taken_for_silence() -> AbstractContextManager[object]:
    """Time in which the process did not run counts against the store and its calls."""
    return patch.object(ApiClient, "_mind_gap", lambda *_: None)


def no_single_deletes() -> AbstractContextManager[object]:
    """A store that has no call to delete all images of a product keeps them."""
    return patch("imageferry.runs.product.delete_all.REFUSED_FOR_GOOD", frozenset[int]())


def old_listings_believed() -> AbstractContextManager[object]:
    """A run that follows at once on another takes the listings for as new as ever."""
    return patch.object(Planner, "_early", lambda _: 0.0)


ENGINES: dict[str, Callable[[], AbstractContextManager[object]]] = {
    swap.__name__: swap
    for swap in (
        creates_resent_blindly,
        no_second_look,
        intent_not_journalled,
        deletes_first,
        ledger_trusted,
        http_library_resends,
        renumbering_ignored,
        late_answers_believed,
        no_last_look,
        undo_takes_what_it_cannot_give,
        undo_forgotten,
        product_refused_for_all,
        named_waits_ignored,
        standstill_taken_for_silence,
        no_single_deletes,
        old_listings_believed,
        decoder_asked,
        cut_files_unsaid,
        updates_without_end,
        own_values_forgotten,
        own_values_unsaid,
        names_compared_as_written,
        signatures_taken_for_names,
        looking_takes_the_lock,
        looking_tidies_up,
    )
}

CAUGHT_BY = {
    "creates_resent_blindly": "doubles",
    "no_second_look": "doubles",
    "intent_not_journalled": "intents",
    "deletes_first": "order_of_work",
    "ledger_trusted": "converged",
    "http_library_resends": "requests",
    "renumbering_ignored": "truth",
    "late_answers_believed": "quota",
    "no_last_look": "twins",
    "undo_takes_what_it_cannot_give": "emptier",
    "undo_forgotten": "overrun",
    "product_refused_for_all": "own_refusals",
    "named_waits_ignored": "waits",
    "standstill_taken_for_silence": "standstills",
    "no_single_deletes": "endings",
    "old_listings_believed": "doubles",
    "decoder_asked": "endings",
    "cut_files_unsaid": "warnings",
    "looking_takes_the_lock": "onlookers",
    "looking_tidies_up": "onlookers",
    "updates_without_end": "repeats",
    "own_values_forgotten": "quiet_nights",
    "own_values_unsaid": "naming",
    "names_compared_as_written": "doubles",
    "signatures_taken_for_names": "quiet",
}
"""The law by which each is to be caught."""


@contextmanager
def swapped_in(name: str | None) -> Iterator[None]:
    """The engine of this name in place of the shipped one; None leaves it as it is."""
    if name is None:
        yield
        return
    with ENGINES[name]():
        yield
