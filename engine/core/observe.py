"""What the store does to siblings on PUT and on POST, recognised from one product's round of writes and the listing after it.

How a store renumbers is unknown until it is seen (store-api.md 1.6). A round is its creates, then its PUTs; each of the six
readings (three of PUT, two of POST) is tried on it as a whole, since what a POST moved may look like what a PUT moved. Believed
is only what all readings that explain the listing have in common. Pure.
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
    posts = {reading.post for reading in fitting}
    post = posts.pop() if len(posts) == 1 else known.post
    renumberings = {reading.put for reading in fitting if post is None or reading.post is post}
    return Reading(renumberings.pop() if len(renumberings) == 1 else known.put, post)
