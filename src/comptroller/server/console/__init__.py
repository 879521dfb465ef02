"""The console: pages made on the server, small modules of our own in the browser, one stream of what happens.

A page is a module here with two names, listed in `pages.PAGES`:

    PAGE = Page(name="spend", path="spend", title="Spend", right=Right.READ, order=30, key="s")

    def routes(console: Console) -> list[Route]:
        return [console.get(PAGE, "", show), console.post(PAGE, "stop/{id}", stop, right=Right.STOP)]

    async def show(visit: Visit) -> Response:
        return await visit.show("spend", {"rows": ...})            # templates/console/spend.html, in the shell

    async def stop(visit: Visit) -> Response:
        form = await visit.form()                                  # its token is checked
        async def act() -> str:                                    # errors become the notice
            await visit.console.operations.stop_holding(visit.caller, visit.part("id"), reason=form.text("reason"))
            return "Asked its provider to stop it."
        return await visit.done(act(), back="holdings")

Routes lie under the console's base and the page's `path`; without a session they answer 401, without the right 403.
`templates/console/NAME.html` begins with `{% extends "console/shell.html" %}`, and fills the block `content`
(and `head` for a script of its own). In it: `url("spend?by=day")`, `asset("console/spend.js")`, `may("stop")`, `csrf`,
`amount(unit, n)`, the filters `n` (text of an agent), `name` (names, hosts), `short` (ids). Forms carry
`<input type="hidden" name="csrf" value="{{ csrf }}">`. With `data-live` on the form our script sends it and shows the
answer as a notice; without JavaScript the same form works with a redirect. `data-confirm="Kill it?"` on a button asks
once more.

What changes by itself: `<div id="rows" data-fragment="{{ url("spend/rows") }}" data-wake="action budget">…</div>` is
fetched again (`visit.fragment("spend_rows", …)`, template `console/_spend_rows.html`: what is inside the div) when an
entry came whose kind begins with one of those words, at most four times a second, and never under somebody's fingers.
Fetches that happen by themselves carry `?refresh=1` and do not keep a session awake.

No inline script or style: the content security policy refuses both, `style=` too. Widths in plots are SVG attributes.
"""

from __future__ import annotations

from comptroller.server.console.address import Address, address_of
from comptroller.server.console.app import Console, Visit, demand
from comptroller.server.console.page import Page

__all__ = ["Address", "Console", "Page", "Visit", "address_of", "demand"]
