"""The wire: listing and creating without a quota, one peer after the other, store and peer on a processor each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imageferry.jobs.bench.measure.processes import stage

from .spread import folded, ratios
from .work import FLOOR, US, WIRE_PEERS, installed, perform

if TYPE_CHECKING:
    from collections.abc import Callable

    from .sizes import Sizes

_IMAGES = 4


def run(sizes: Sizes, rounds: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Both kinds of work by all peers, interleaved; the order turns by one each round."""
    peers = installed(WIRE_PEERS)
    taken: dict[str, list[dict[str, dict[str, Any]]]] = {"list": [], "create": []}
    for number in range(rounds):
        say(f"wire: round {number + 1} of {rounds}")
        order = peers[number % len(peers) :] + peers[: number % len(peers)]
        taken["list"].append(_lists(order, sizes))
        taken["create"].append({peer: _create(peer, sizes) for peer in order})
    return {kind: _told(entries, peers) for kind, entries in taken.items()}


def _lists(peers: tuple[str, ...], sizes: Sizes) -> dict[str, dict[str, Any]]:
    """Listing changes nothing, so that one store serves all peers of a round."""
    images = sizes.listed * _IMAGES
    with stage("--products", str(sizes.listed), "--images", str(_IMAGES), pinned=True) as store:
        return {
            peer: perform(store, peer, products=sizes.listed, images=0, listed=images, pinned=True) for peer in peers
        }


def _create(peer: str, sizes: Sizes) -> dict[str, Any]:
    with stage("--products", str(sizes.created_products), pinned=True) as store:
        return perform(store, peer, products=sizes.created_products, images=sizes.created_images, pinned=True)


def _told(entries: list[dict[str, dict[str, Any]]], peers: tuple[str, ...]) -> dict[str, Any]:
    """Figures by peer, and the ratio that has a budget: our processor time a call over the bare loop's."""
    told: dict[str, Any] = {peer: folded([each[peer] for each in entries]) for peer in peers}
    for peer in peers:
        told[peer]["cpu_ratio"] = ratios(entries, peer, "cpu_us", FLOOR)
    return {"peers": told, "ratio": told[US]["cpu_ratio"]}
