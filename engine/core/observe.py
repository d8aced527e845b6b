"""What the store does to siblings on PUT and on POST, recognised from one product's round of writes and the listing after it.

How a store renumbers is unknown until it is seen (store-api.md 1.6). A round is its creates, then its PUTs; each of the six
readings (three of PUT, two of POST) is tried on it as a whole, since what a POST moved may look like what a PUT moved. Believed
is only what all readings that explain the listing have in common. A store that numbers the gallery anew after each write does
not keep the numbers of any; it puts an image in before those at its number, which is what the reading ALWAYS says. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .order import Reading, Renumbering, put

if TYPE_CHECKING:
    from collections.abc import Sequence

READINGS = tuple(Reading(renumbering, post) for renumbering in Renumbering for post in (False, True))


def play(
    before: dict[int, int], creates: Sequence[tuple[int, int]], puts: Sequence[tuple[int, int]], reading: Reading
) -> dict[int, int]:
    """What a round makes of a gallery's sort orders under a reading; creates and PUTs are image id and sort order sent."""
    orders = dict(before)
    for image_id, value in creates:
        # A POST that moves siblings moves them as a PUT does that always moves them.
        put(orders, image_id, value, Renumbering.ALWAYS if reading.post else Renumbering.NONE)
    for image_id, value in puts:
        if image_id in orders:
            put(orders, image_id, value, reading.put)
    return orders


def learn(
    known: Reading,
    before: dict[int, int],
    creates: Sequence[tuple[int, int]],
    puts: Sequence[tuple[int, int]],
    after: dict[int, int],
) -> Reading:
    """`known`, with what this round tells of PUT, of POST, or of both; images that are gone by now tell nothing.

    Where somebody else's image has appeared, nothing is learned: what moved may have made room for that one.
    """
    fitting = []
    for reading in READINGS:
        expected = play(before, creates, puts, reading)
        if {**expected, **after} == expected:
            fitting.append(reading)
    if not fitting and _is_numbered_anew(before, creates, puts, after):
        return Reading(Renumbering.ALWAYS if puts else known.put, post=True if creates else known.post)
    posts = {reading.post for reading in fitting}
    post = posts.pop() if len(posts) == 1 else known.post
    renumberings = {reading.put for reading in fitting if post is None or reading.post is post}
    return Reading(renumberings.pop() if len(renumberings) == 1 else known.put, post)


def _is_numbered_anew(
    before: dict[int, int], creates: Sequence[tuple[int, int]], puts: Sequence[tuple[int, int]], after: dict[int, int]
) -> bool:
    """Whether a round left a gallery without gaps or equals, each image put in before those at its number."""
    first = min(after.values(), default=0)
    orders = dict(before)
    for image_id, value in (*creates, *puts):
        put(orders, image_id, value, Renumbering.ALWAYS)
        orders = _numbered(orders, first)
    return _numbered({image_id: order for image_id, order in orders.items() if image_id in after}, first) == after


def _numbered(orders: dict[int, int], first: int) -> dict[int, int]:
    """The gallery with the numbers `first`, and on without gaps or equals."""
    return {each: first + place for place, each in enumerate(sorted(orders, key=lambda each: (orders[each], each)))}
