// What every page does: stays fresh, sends forms in place, asks before what cannot be undone, listens to keys.
import { Stream } from "./stream.js";

const FRESH_MS = 250;
const TOAST_MS = 7000;
const SURE_MS = 4000;
const root = document.body;
const base = root.dataset.base;

export const stream = new Stream(base, Number(root.dataset.at));

// ---------------------------------------------------------------- notices

/** Say something where it is seen and heard; text only. */
export const say = (text, tone = "good") => {
  const toasts = document.getElementById("toasts");
  const note = document.createElement("p");
  note.className = `notice ${tone}`;
  note.textContent = text;
  toasts.append(note);
  setTimeout(() => note.remove(), tone === "bad" ? TOAST_MS * 2 : TOAST_MS);
};

// ---------------------------------------------------------------- fragments

const inUse = (node) =>
  (node.contains(document.activeElement) && document.activeElement.matches("input, textarea, select, [data-keep]")) ||
  [...node.querySelectorAll("[data-keep]")].some((field) => field.value !== field.defaultValue) ||
  node.querySelector("button.sure, dialog[open], [data-busy]") !== null;

/** Put `fresh` children into `old`: those with the same key and version stay, those in use stay. */
const merge = (old, fresh) => {
  const known = new Map([...old.children].filter((node) => node.dataset.key).map((node) => [node.dataset.key, node]));
  const next = [...fresh.children].map((node) => {
    const before = known.get(node.dataset.key);
    if (!before) return node;
    if (before.dataset.version === node.dataset.version || inUse(before)) return before;
    for (const [place, open] of [...before.querySelectorAll("details")].map((one) => one.open).entries()) {
      const same = node.querySelectorAll("details")[place];
      if (same && open) same.open = true;
    }
    if (before.hasAttribute("data-chosen")) node.setAttribute("data-chosen", "");
    return node;
  });
  const wanted = new Set(next);
  const focused = document.activeElement;
  const place = focused && old.contains(focused) ? focused.id : "";
  for (const node of [...old.children]) if (!wanted.has(node)) node.remove();
  next.forEach((node, index) => {
    if (old.children[index] !== node) old.insertBefore(node, old.children[index] ?? null);
  });
  if (place && !old.contains(document.activeElement)) document.getElementById(place)?.focus();
};

const waiting = new Map();

/** Fetch a fragment again, soon, and not while somebody is typing in it. */
export const refresh = (node, delay = FRESH_MS) => {
  if (waiting.has(node)) return;
  waiting.set(node, setTimeout(() => renew(node), delay));
};

const renew = async (node) => {
  try {
    const address = new URL(node.dataset.fragment, location.href);
    address.searchParams.set("refresh", "1");
    const answer = await fetch(address);
    if (answer.status === 401) location.reload();
    if (!answer.ok) return;
    const text = await answer.text();
    if (text === node.fetched) return;
    const fresh = new DOMParser().parseFromString(text, "text/html").body;
    if (node.hasAttribute("data-list")) merge(node, fresh);
    else if (!inUse(node)) {
      const open = [...node.querySelectorAll("details[id][open]")].map((one) => one.id);
      const focused = node.contains(document.activeElement) ? document.activeElement.id : "";
      node.replaceChildren(...fresh.childNodes);
      for (const id of open) document.getElementById(id)?.setAttribute("open", "");
      if (focused) document.getElementById(focused)?.focus();
    } else {
      return;
    }
    node.fetched = text;
    tick();
    node.dispatchEvent(new CustomEvent("fresh", { bubbles: true }));
  } catch {
    // The stream tells that the server is away.
  } finally {
    waiting.delete(node);
  }
};

stream.onbatch.push(({ topics }) => {
  for (const node of document.querySelectorAll("[data-fragment][data-wake]")) {
    const wake = node.dataset.wake.split(" ");
    if (topics.some((topic) => wake.includes(topic))) refresh(node);
  }
  if (topics.includes("approval")) countSoon();
});

// ---------------------------------------------------------------- how many wait

let counting = 0;
const countSoon = () => {
  if (!counting) counting = setTimeout(() => ((counting = 0), stream.count()), FRESH_MS);
};
const title = document.title.replace(/^\(\d+\) /, "");
stream.oncount.push((pending) => {
  for (const node of document.querySelectorAll("[data-count=pending]")) {
    node.textContent = String(pending);
    node.classList.toggle("some", pending > 0);
    node.hidden = pending === 0;
  }
  document.title = (pending ? `(${pending}) ` : "") + title;
});

const live = document.getElementById("live");
stream.onstate.push((state) => {
  const told = state === "live" ? "live" : "no connection";
  live.classList.toggle("lost", state !== "live");
  if (live.textContent !== told) live.textContent = told;
});

// ---------------------------------------------------------------- forms

/** Send a form as our own script; resolves to {tone, text, kind, ok}. */
export const send = async (form, button) => {
  const body = new URLSearchParams(new FormData(form));
  if (button?.name) body.set(button.name, button.value);
  const address = button?.hasAttribute("formaction") ? button.formAction : form.action;
  const answer = await fetch(address, { method: "POST", body, headers: { "x-comptroller-live": "1" } });
  if (answer.status === 401) location.reload();
  const told = await answer.json();
  const text = told.text ?? [told.title, told.hint].filter(Boolean).join(". ");
  return { tone: told.tone ?? (answer.ok ? "good" : "bad"), text, kind: told.kind ?? "", ok: answer.ok };
};

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method !== "post") return;
  const button = event.submitter;
  if (!form.hasAttribute("data-live")) {
    for (const one of form.querySelectorAll("button")) setTimeout(() => (one.disabled = true), 0);
    return;
  }
  event.preventDefault();
  form.setAttribute("data-busy", "");
  for (const one of form.querySelectorAll("button")) one.disabled = true;
  try {
    const told = await send(form, button);
    say(told.text, told.tone);
    if (told.ok) form.reset();
    form.dispatchEvent(new CustomEvent("sent", { bubbles: true, detail: told }));
  } catch {
    say("Comptroller does not answer. Nothing is known to have happened; look before you repeat it.", "bad");
  } finally {
    form.removeAttribute("data-busy");
    for (const one of form.querySelectorAll("button")) one.disabled = false;
    const around = form.closest("[data-fragment]");
    if (around) refresh(around, 0);
  }
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-confirm]");
  if (!button || button.classList.contains("sure")) return;
  event.preventDefault();
  const before = [...button.childNodes];
  button.classList.add("sure");
  button.replaceChildren(button.dataset.confirm);
  setTimeout(() => {
    button.classList.remove("sure");
    button.replaceChildren(...before);
  }, SURE_MS);
});

document.addEventListener("change", (event) => {
  const form = event.target.closest("form[data-auto]");
  if (form) form.requestSubmit();
});

document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open], .dock details[open]"))
    if (!menu.contains(event.target)) menu.open = false;
});

// ---------------------------------------------------------------- time that is left

export const leftText = (seconds) => {
  const left = Math.max(0, Math.floor(seconds));
  const two = (more, unit, less, smaller) => (less ? `${more} ${unit} ${less} ${smaller}` : `${more} ${unit}`);
  if (left >= 86400) return two(Math.floor(left / 86400), "d", Math.floor((left % 86400) / 3600), "h");
  if (left >= 3600) return two(Math.floor(left / 3600), "h", Math.floor((left % 3600) / 60), "min");
  return left >= 120 ? `${Math.floor(left / 60)} min` : `${left} s`;
};
const started = new WeakMap();
const tick = () => {
  const now = performance.now() / 1000;
  for (const node of document.querySelectorAll("[data-left]")) {
    if (!started.has(node)) started.set(node, now);
    const text = leftText(Number(node.dataset.left) - (now - started.get(node)));
    if (node.textContent !== text) node.textContent = text;
  }
};
setInterval(tick, 1000);
tick();

// ---------------------------------------------------------------- light and dark

for (const button of document.querySelectorAll("[data-theme-choice]")) {
  const mark = () => {
    const chosen = document.documentElement.dataset.theme ?? "system";
    for (const one of document.querySelectorAll("[data-theme-choice]"))
      one.setAttribute("aria-pressed", String(one.dataset.themeChoice === chosen));
  };
  mark();
  button.addEventListener("click", () => {
    const choice = button.dataset.themeChoice;
    if (choice === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = choice;
    try {
      localStorage.setItem("comptroller.theme", choice);
    } catch {
      // Kept for this page only.
    }
    mark();
  });
}

// ---------------------------------------------------------------- keys

const keys = new Map();

/** Listen to a single key, unless somebody types; shown in the list that `?` opens. */
export const onKey = (key, told, call) => {
  keys.set(key, call);
  const list = document.getElementById("page-keys");
  if (!list || !told) return;
  const term = document.createElement("dt");
  const drawn = document.createElement("kbd");
  drawn.textContent = key;
  term.append(drawn);
  const text = document.createElement("dd");
  text.textContent = told;
  list.append(term, text);
};

let going = -Infinity;
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.target.closest("input, textarea, select, [contenteditable]")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (document.querySelector("dialog[open]")) return;
  if (performance.now() - going < 1500) {
    going = -Infinity;
    const link = document.querySelector(`.rail a[data-key="${CSS.escape(event.key)}"]`);
    if (link) {
      event.preventDefault();
      link.click();
    }
    return;
  }
  if (event.key === "g") going = performance.now();
  else if (event.key === "?") document.getElementById("keys").showModal();
  else if (event.key === "/" && document.querySelector("[data-search]")) {
    event.preventDefault();
    document.querySelector("[data-search]").focus();
  } else if (keys.has(event.key)) {
    event.preventDefault();
    keys.get(event.key)(event);
  }
});
document.documentElement.dataset.keys = "";
document.getElementById("show-keys")?.addEventListener("click", () => document.getElementById("keys").showModal());

try {
  localStorage.setItem("comptroller.base", base);
} catch {
  // Links in messages will ask to sign in.
}
stream.turn();
