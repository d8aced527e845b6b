"""The others: a person who edits the same galleries, and a merchant who changes the quota. They act on the shop itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imageferry.jobs.sandbox.shop.rules import Draft, Picture

if TYPE_CHECKING:
    import asyncio
    import random

    from imageferry.jobs.sandbox.config import Config

    from .draw import Night
    from .history import WatchedShop
    from .process import SimLoop
    from .troubles import Deed


class Crowd:
    """Lets a night's deeds happen at their times."""

    def __init__(self, shop: WatchedShop, loop: SimLoop, chance: random.Random) -> None:
        self.shop = shop
        self.loop = loop
        self.chance = chance
        self._timers: list[asyncio.TimerHandle] = []

    def ravage(self, night: Night) -> None:
        """Changes by others while no process ran."""
        for deed in night.vandals:
            self._do(deed)

    def let_in(self, night: Night, config: Config) -> None:
        """The night has begun."""
        self._timers = [self.loop.call_later(deed.at, self._do, deed) for deed in night.deeds]
        for at, quota in night.quotas:
            self._timers.append(self.loop.call_later(at, setattr, config, "quota", quota))

    def send_home(self) -> None:
        """The night is over; what was not done is not done any more."""
        for timer in self._timers:
            timer.cancel()

    def _do(self, deed: Deed) -> None:
        gallery, now = self.shop.gallery(deed.product), self.loop.wall()
        if deed.kind == "add":
            order = int(deed.pick * 4) if deed.pick < 0.7 else None
            draft = Draft(deed.label, Picture("made:x", "jpg"), description="theirs", sort_order=order)
            self.shop.create(deed.product, draft, now)
            return
        if not gallery:
            return
        image_id = gallery[int(deed.pick * len(gallery))].image_id
        if deed.kind == "delete":
            self.shop.delete(deed.product, [image_id], now)
        else:
            draft = {
                "reorder": Draft(sort_order=self.chance.randrange(6)),
                "thumbnail": Draft(is_thumbnail=True),
                "retitle": Draft(description="retitled by another"),
            }[deed.kind]
            self.shop.update(deed.product, image_id, draft, now)
