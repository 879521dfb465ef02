"""The screens of `top`. It asks the control socket like every command, and shows text, never markup."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import ContentSwitcher, DataTable, Input, RichLog, Static

from comptroller.cli.client import Client
from comptroller.cli.top_lines import (
    Row,
    approval_detail,
    approval_rows,
    budget_rows,
    feed_line,
    head_line,
    holding_rows,
    run_rows,
)
from comptroller.core.errors import ComptrollerError
from comptroller.server.neutral import neutral

FEED_LINES_MAX = 2_000
FEED_LINES_FIRST = 200
PAGE_ENTRIES = 500
WAIT_SECONDS = 1
REFRESH_SECONDS = 2.0
AWAY_SECONDS = 2.0
JOIN_SECONDS_MAX = 5.0
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "approvals": ("left", "agent", "cost", "what"),
    "budgets": ("scope", "taken", "", "of"),
    "holdings": ("per hour", "state", "agent", "what", "so far"),
    "runs": ("run", "agent", "state", "brake", "purpose"),
}
VIEWS = ("feed", *COLUMNS)
KEYS = "1 feed  2 approvals  3 budgets  4 holdings  5 runs · a approve  r reject  f freeze  k kill · q quit"


class Asking(ModalScreen[tuple[str, ...] | None]):
    """Asks for some lines of text, or only for a yes; escape takes it back. `needed` says which may not be empty."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "back")]

    def __init__(self, question: Text, fields: Sequence[tuple[str, bool]]) -> None:
        super().__init__()
        self._question = question
        self._fields = tuple(fields)

    def compose(self) -> ComposeResult:
        """The question, then a line for each field."""
        with Vertical(id="asking"):
            yield VerticalScroll(Static(self._question, markup=False))
            for number, (label, _) in enumerate(self._fields):
                yield Static(Text(label), markup=False)
                yield Input(id=f"field-{number}", max_length=500)
            yield Static(Text("enter: do it · escape: back", "dim"), markup=False)

    def on_mount(self) -> None:
        """Begin at the first field."""
        self.query_one("#field-0", Input).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Go on to the next field, or be done."""
        given = tuple(self.query_one(f"#field-{number}", Input).value.strip() for number in range(len(self._fields)))
        for number, (_, needed) in enumerate(self._fields):
            if needed and not given[number]:
                self.query_one(f"#field-{number}", Input).focus()
                return
        self.dismiss(given)


class Top(App[None]):
    """`client` asks and acts, `feed` waits for entries: each is used by one thread at a time."""

    ENABLE_COMMAND_PALETTE = False
    CSS = """
    #head, #said, #keys { height: 1; }
    Screen { overflow: hidden; }
    #views { height: 1fr; }
    #views > * { height: 1fr; }
    DataTable { height: 1fr; scrollbar-size: 1 1; }
    #detail { height: 60%; scrollbar-size: 1 1; border-top: solid $accent; }
    Asking { align: center middle; }
    #asking { width: 90%; max-width: 100; height: auto; max-height: 90%; border: solid $accent; padding: 0 1; }
    #asking VerticalScroll { height: auto; max-height: 12; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(str(number), f"view('{name}')", name) for number, name in enumerate(VIEWS, 1)),
        Binding("a", "approve", "approve"),
        Binding("r", "reject", "reject"),
        Binding("f", "brake('freeze')", "freeze"),
        Binding("k", "brake('kill')", "kill"),
        Binding("p", "pause", "pause"),
        Binding("q", "quit", "quit"),
    ]

    def __init__(self, client: Client, feed: Client) -> None:
        super().__init__()
        self._client = client
        self._feed = feed
        self._using = threading.Lock()
        self._ended = threading.Event()
        self._threads: list[threading.Thread] = []
        self._paused = False
        self._kept: list[Text] = []
        self._rows: dict[str, dict[str, Mapping[str, Any]]] = {name: {} for name in COLUMNS}
        self._keys: dict[str, list[str]] = {name: [] for name in COLUMNS}

    def compose(self) -> ComposeResult:
        """One line above, one view, two lines below."""
        yield Static(id="head", markup=False)
        with ContentSwitcher(initial="feed", id="views"):
            yield RichLog(id="feed", markup=False, highlight=False, wrap=False, max_lines=FEED_LINES_MAX)
            with Vertical(id="approvals"):
                yield DataTable(id="table-approvals", cursor_type="row")
                yield VerticalScroll(Static(id="question", markup=False), id="detail")
            for name in ("budgets", "holdings", "runs"):
                with Vertical(id=name):
                    yield DataTable(id=f"table-{name}", cursor_type="row")
        yield Static(id="said", markup=False)
        yield Static(Text(KEYS, "dim", no_wrap=True, overflow="ellipsis"), id="keys", markup=False)

    def on_mount(self) -> None:
        """Begin to look."""
        for name, columns in COLUMNS.items():
            self._table(name).add_columns(*columns)
        for work in (self._follow, self._look):
            self._start(work)

    def on_unmount(self) -> None:
        """Nothing is looked at any more."""
        self._ended.set()

    # ------------------------------------------------------------ looking

    def _follow(self) -> None:
        """Entries, as they come."""
        after: int | None = None
        while not self._ended.is_set():
            try:
                if after is None:
                    after = max(-1, int(self._feed.get("/v1/status")["entries"]) - 1 - FEED_LINES_FIRST)
                page = self._feed.get("/v1/entries", after=after, limit=PAGE_ENTRIES, wait=WAIT_SECONDS)
                after = int(page["next"])
                lines = [feed_line(entry) for entry in page["entries"]]
                if lines:
                    self._show(self._add_lines, lines)
            except ComptrollerError as error:
                self._show(self.say, error.message, "bold red")
                self._ended.wait(AWAY_SECONDS)

    def _look(self) -> None:
        """Everything else, every few seconds."""
        while not self._ended.is_set():
            self._refresh()
            self._ended.wait(REFRESH_SECONDS)

    def _refresh(self) -> None:
        try:
            with self._using:
                status, holdings = self._client.get("/v1/status"), self._client.get("/v1/holdings")
                pending = self._client.get("/v1/approvals", state="pending")["approvals"]
                budgets, runs = self._client.get("/v1/budgets")["budgets"], self._client.get("/v1/runs")["runs"]
        except ComptrollerError as error:
            self._show(self.say, error.message, "bold red")
            return
        self._show(self._fill_all, status, holdings, pending, budgets, runs)

    def _show(self, change: Callable[..., None], *arguments: Any) -> None:
        """Change the screen from another thread; what comes after the end is dropped."""
        with suppress(RuntimeError):
            if not self._ended.is_set():
                self.call_from_thread(change, *arguments)

    def _add_lines(self, lines: Sequence[Text]) -> None:
        if self._paused:
            self._kept = [*self._kept, *lines][-FEED_LINES_MAX:]
            return
        feed = self.query_one("#feed", RichLog)
        for line in lines:
            feed.write(line, expand=True)

    def _fill_all(
        self,
        status: Mapping[str, Any],
        holdings: Mapping[str, Any],
        pending: Sequence[Mapping[str, Any]],
        budgets: Sequence[Mapping[str, Any]],
        runs: Sequence[Mapping[str, Any]],
    ) -> None:
        self.query_one("#head", Static).update(head_line(status, holdings))
        self._fill("approvals", approval_rows(pending), {str(row["id"]): row for row in pending})
        self._fill("budgets", budget_rows(budgets), {})
        living = holdings["holdings"]
        self._fill("holdings", holding_rows(living), {str(row["id"]): row for row in living})
        self._fill("runs", run_rows(runs), {str(row["id"]): row for row in runs})
        self._detail()

    def _fill(self, name: str, rows: Sequence[Row], known: Mapping[str, Mapping[str, Any]]) -> None:
        """Put rows in the place of those there were; the cursor stays on what it was on."""
        table, chosen = self._table(name), self._chosen(name)
        self._rows[name], self._keys[name] = dict(known), [key for key, _ in rows]
        table.clear()
        for key, cells in rows:
            table.add_row(*cells, key=key)
        if chosen in self._keys[name]:
            table.move_cursor(row=self._keys[name].index(chosen))

    def _table(self, name: str) -> DataTable[Text]:
        return self.query_one(f"#table-{name}", DataTable)

    def _chosen(self, name: str) -> str:
        row, keys = self._table(name).cursor_row, self._keys[name]
        return keys[row] if 0 <= row < len(keys) else ""

    def on_data_table_row_highlighted(self) -> None:
        """Another question is looked at."""
        self._detail()

    def _detail(self) -> None:
        row = self._rows["approvals"].get(self._chosen("approvals"))
        shown = approval_detail(row) if row is not None else Text("nothing waits for an answer", "dim")
        self.query_one("#question", Static).update(shown)

    def say(self, text: str, style: str = "") -> None:
        """One line to the person."""
        line = Text(neutral(text, chars_max=300), style, no_wrap=True, overflow="ellipsis")
        self.query_one("#said", Static).update(line)

    # ------------------------------------------------------------ acting

    def action_view(self, name: str) -> None:
        """Show another view."""
        self.query_one("#views", ContentSwitcher).current = name
        target = self.query_one("#feed", RichLog) if name == "feed" else self._table(name)
        target.focus()

    def action_pause(self) -> None:
        """Hold the feed, or let it go on with what came meanwhile."""
        self._paused = not self._paused
        kept, self._kept = self._kept, []
        if not self._paused:
            self._add_lines(kept)
        self.say("the feed is held: p lets it go on" if self._paused else "")

    def action_approve(self) -> None:
        """Say yes to the question that is looked at; what it is bound to is what is shown now."""
        row = self._question()
        if row is None:
            return
        fields = [("comment (may be empty)", False)]
        if row["price_unknown"]:
            fields.insert(0, ("the most it may cost, in dollars", True))

        def answered(given: tuple[str, ...] | None) -> None:
            if given is None:
                return
            ceiling = given[0] if row["price_unknown"] else None
            self._act(f"/v1/approvals/{row['id']}/approve", ceiling_usd=ceiling, comment=given[-1])

        self.push_screen(Asking(_question_text("Approve exactly this, once?", row), fields), answered)

    def action_reject(self) -> None:
        """Say no to the question that is looked at, with the reason."""
        row = self._question()
        if row is None:
            return

        def answered(given: tuple[str, ...] | None) -> None:
            if given is not None:
                self._act(f"/v1/approvals/{row['id']}/reject", comment=given[0])

        fields = [("why? the agent is told", True)]
        self.push_screen(Asking(_question_text("Reject this?", row), fields), answered)

    def action_brake(self, verb: str) -> None:
        """Freeze or kill the run that is looked at."""
        view = str(self.query_one("#views", ContentSwitcher).current)
        row = self._rows.get(view, {}).get(self._chosen(view)) if view in COLUMNS else None
        run = "" if row is None else str(row["id"] if view == "runs" else row.get("run") or "")
        if not run:
            self.say(f"choose what to {verb} first: 5 shows the runs")
            return
        question = Text(f"{verb} run {neutral(run)}?", "bold")
        fields = [("reason", False), (f"type {verb} to do it", True)]

        def answered(given: tuple[str, ...] | None) -> None:
            if given is None:
                return
            if given[1] != verb:
                self.say(f"nothing was done: `{verb}` was not typed")
                return
            self._act(f"/v1/{verb}", scope=run, reason=given[0])

        self.push_screen(Asking(question, fields), answered)

    def _question(self) -> Mapping[str, Any] | None:
        if self.query_one("#views", ContentSwitcher).current != "approvals":
            self.say("2 shows the questions")
            return None
        row = self._rows["approvals"].get(self._chosen("approvals"))
        if row is None:
            self.say("nothing waits for an answer")
        return row

    def _act(self, path: str, **body: str | None) -> None:
        """Ask the server, in a thread, and say what became of it."""

        def work() -> None:
            try:
                with self._using:
                    done = self._client.post(path, **body)
                said, style = str(done.get("state") or f"{done.get('did')}: {done.get('scope')}"), "green"
            except ComptrollerError as error:
                said, style = f"{error.message} {error.hint}", "bold red"
            self._refresh()
            self._show(self.say, said, style)

        self._start(work)

    def _start(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, daemon=True)
        self._threads = [*(known for known in self._threads if known.is_alive()), thread]
        thread.start()

    def join(self) -> None:
        """Wait until nothing is asked any more: then the clients can be closed."""
        self._ended.set()
        for thread in self._threads:
            thread.join(JOIN_SECONDS_MAX)


def _question_text(head: str, row: Mapping[str, Any]) -> Text:
    return Text(f"{head}\n", "bold").append(Text(neutral(row["sentence"]), "not bold"))
