"""Whether an undo may go ahead: its plan is shown, then --yes has answered, or a terminal is asked, or nobody is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import imageferry

    from ..output.presenter import Presenter
    from .runner import EngineRunner

QUESTION = "Take this back? Nothing is written unless the answer is y. [y/N] "


class Approval:
    """What `imageferry.undo` asks. `proposal` is the plan that it was shown, None where it never came to one.

    `losses` is what the plan said beforehand that it can't bring back.
    """

    def __init__(self, telling: Presenter, watch: EngineRunner, *, dry_run: bool, yes: bool) -> None:
        self.proposal: imageferry.Proposal | None = None
        self.losses: tuple[str, ...] = ()
        self._telling = telling
        self._watch = watch
        self._dry_run = dry_run
        self._yes = yes

    async def __call__(self, proposal: imageferry.Proposal) -> bool:
        """Show the plan; whether it may be carried out."""
        self.proposal, self.losses = proposal, tuple(proposal.report.notes)
        if self._dry_run:
            return False
        return await self._watch.pause_for(self._decide)

    async def _decide(self) -> bool:
        asks = not self._yes and self._telling.console.can_ask
        self._show(asks=asks)
        return self._yes or (asks and await self._telling.console.ask(QUESTION))

    def _show(self, *, asks: bool) -> None:
        """-q is silent where nobody is asked; --json keeps standard output for the object."""
        telling = self._telling
        if self.proposal is None or (not asks and (telling.quiet or telling.json)):
            return
        page = telling.plan_page(self.proposal, dry_run=False)
        write = telling.console.err if telling.quiet or telling.json else telling.console.out
        write([*page, ""])
