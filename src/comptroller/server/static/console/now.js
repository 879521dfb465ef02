// The feed: a bounded window over what happens, drawn once a frame however much comes in; and one entry in place.
import { onKey, refresh, say, stream } from "./shell.js";

const SHOWN_MAX = 200;
const base = document.body.dataset.base;
const feed = document.getElementById("feed");
const pause = document.getElementById("pause");
const gap = document.getElementById("gap");
const form = document.getElementById("filters");
let paused = false;
let buffered = [];
let unseen = 0;
let drawing = 0;

const row = (line) => {
  const item = document.createElement("li");
  item.className = line.c;
  item.dataset.index = line.i;
  const part = (name, kind, text) => {
    const node = document.createElement(name);
    if (kind) node.className = kind;
    node.textContent = text;
    item.append(node);
    return node;
  };
  part("time", "", line.t.slice(11));
  part("span", "word", line.w);
  part("span", "agent", line.a);
  part("a", "text", line.x || `entry ${line.i}`).href = `${base}/now/entry/${line.i}`;
  return item;
};

const draw = () => {
  drawing = 0;
  if (paused || feed.querySelector("li.open")) {
    buffered = buffered.slice(-SHOWN_MAX);
    if (!paused) drawing = requestAnimationFrame(() => setTimeout(draw, 200));
    return;
  }
  const fresh = buffered.slice(-SHOWN_MAX);
  buffered = [];
  unseen = 0;
  if (!fresh.length) return;
  document.getElementById("feed-empty")?.remove();
  const block = document.createDocumentFragment();
  for (const line of fresh.reverse()) block.append(row(line));
  feed.prepend(block);
  while (feed.children.length > SHOWN_MAX) feed.lastElementChild.remove();
};

stream.onbatch.push(({ lines }) => {
  if (!lines.length) return;
  for (const line of lines) buffered.push(line);
  unseen += lines.length;
  if (buffered.length > 2 * SHOWN_MAX) buffered = buffered.slice(-SHOWN_MAX);
  if (paused) pause.firstChild.textContent = `Go on (${unseen.toLocaleString()} new) `;
  else if (!drawing) drawing = requestAnimationFrame(draw);
});
stream.ongap.push((missed) => {
  gap.textContent = `${missed.toLocaleString()} entries passed while nobody looked; the log has them all.`;
  gap.classList.remove("hidden");
});

const turn = () => {
  paused = !paused;
  pause.setAttribute("aria-pressed", String(paused));
  pause.firstChild.textContent = paused ? "Go on " : "Pause ";
  if (!paused && !drawing) drawing = requestAnimationFrame(draw);
};
pause.hidden = false;
pause.addEventListener("click", turn);
onKey("p", "pause the feed, or go on", turn);

feed.addEventListener("click", async (event) => {
  const link = event.target.closest("a.text");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const item = link.closest("li");
  if (item.classList.contains("open")) {
    item.classList.remove("open");
    item.querySelector(".entry")?.remove();
    link.setAttribute("aria-expanded", "false");
    return;
  }
  const answer = await fetch(link.href);
  if (!answer.ok) return say("This entry cannot be shown now.", "bad");
  const told = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector(".entry");
  item.classList.add("open");
  link.setAttribute("aria-expanded", "true");
  item.append(told);
});

const wanted = () => Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, String(value).trim()]));
form.addEventListener("change", () => form.requestSubmit());
stream.want(wanted());
setInterval(() => document.hidden || refresh(document.getElementById("figures")), 15000);
