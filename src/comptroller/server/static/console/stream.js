// Follows the log: one stream a page, only while somebody looks, resumed at the last index that was seen.
const HIDDEN_COUNT_MS = 20_000;

export class Stream {
  constructor(base, after) {
    this.base = base;
    this.after = after;
    this.filter = null;
    this.source = null;
    this.onbatch = [];
    this.ongap = [];
    this.onstate = [];
    this.oncount = [];
    document.addEventListener("visibilitychange", () => this.turn());
    addEventListener("pagehide", () => this.close());
    addEventListener("pageshow", () => this.turn());
    setInterval(() => document.hidden && this.count(), HIDDEN_COUNT_MS);
  }

  /** Ask for lines that fit `filter` (an object of query parameters); without one only what to read again is told. */
  want(filter) {
    this.filter = filter;
    this.close();
    this.turn();
  }

  turn() {
    if (document.hidden) this.close();
    else if (!this.source) this.open();
  }

  close() {
    if (this.source) this.source.close();
    this.source = null;
  }

  open() {
    const query = new URLSearchParams({ refresh: "1", after: String(this.after) });
    if (!this.filter) query.set("lines", "no");
    for (const [name, value] of Object.entries(this.filter ?? {})) if (value) query.set(name, value);
    const source = new EventSource(`${this.base}/stream?${query}`);
    this.source = source;
    source.onopen = () => this.tell("live");
    source.onerror = () => {
      if (this.source !== source) return;
      this.tell("lost");
      if (source.readyState === EventSource.CLOSED) {
        this.source = null;
        setTimeout(() => this.again(), 3000);
      }
    };
    source.addEventListener("batch", (event) => {
      this.after = Number(event.lastEventId);
      const batch = JSON.parse(event.data);
      for (const call of this.onbatch) call(batch);
    });
    source.addEventListener("gap", (event) => {
      this.after = Number(event.lastEventId);
      for (const call of this.ongap) call(JSON.parse(event.data).missed);
    });
  }

  /** The server refused: either the session is over, or it is away for a while. */
  async again() {
    if (document.hidden || this.source) return;
    if ((await this.count()) === 401) location.reload();
    else this.turn();
  }

  async count() {
    try {
      const answer = await fetch(`${this.base}/stream/count?refresh=1`);
      if (answer.ok) {
        const { pending } = await answer.json();
        for (const call of this.oncount) call(pending);
      }
      return answer.status;
    } catch {
      return 0;
    }
  }

  tell(state) {
    for (const call of this.onstate) call(state);
  }
}
