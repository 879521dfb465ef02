// Answering with one key, and hearing at once that somebody else did.
import { onKey, say, stream } from "./shell.js";

const cards = () => [...document.querySelectorAll(".card[data-key], .card[data-whole]")];
const chosen = () => document.querySelector(".card[data-chosen]") ?? cards().find((card) => card.contains(document.activeElement));

const choose = (card) => {
  for (const one of cards()) one.removeAttribute("data-chosen");
  if (!card) return;
  card.setAttribute("data-chosen", "");
  card.focus({ preventScroll: true });
  card.scrollIntoView({ block: "nearest" });
};
const step = (by) => {
  const all = cards();
  const at = all.indexOf(chosen());
  choose(all[Math.min(all.length - 1, Math.max(0, at + by))]);
};
const act = (verb) => {
  const all = cards();
  const card = chosen() ?? (all.length === 1 ? all[0] : null);
  if (!card) return choose(all[0]);
  choose(card);
  const button = card.querySelector(`button[data-do="${verb}"]`);
  if (!button) return say("You cannot answer this one.", "wait");
  const comment = card.querySelector("input[name=comment]");
  const ceiling = card.querySelector("input[name=ceiling]");
  if (verb === "reject" && comment && !comment.value) return comment.focus();
  if (verb === "approve" && ceiling && !ceiling.value) return ceiling.focus();
  button.click();
};
onKey("j", "the next question", () => step(1));
onKey("k", "the one before", () => step(-1));
onKey("a", "approve, once", () => act("approve"));
onKey("n", "narrower: say yes to less", () => {
  const all = cards();
  const card = chosen() ?? (all.length === 1 ? all[0] : null);
  const less = card?.querySelector("details.narrower");
  if (!less) return say("Nothing of this can be lowered.", "wait");
  less.open = true;
  less.querySelector("input:not([type=hidden])").focus();
});
onKey("r", "reject, with a comment", () => act("reject"));

const me = document.body.dataset.person;
const shown = new Set(cards().map((card) => card.dataset.key));
document.addEventListener("fresh", () => cards().forEach((card) => shown.add(card.dataset.key)));
stream.onbatch.push(({ lines }) => {
  for (const line of lines) {
    const about = [...shown].find((key) => key && line.x.includes(key));
    if (about && !line.x.includes(` by ${me}`)) say(`${line.w}: ${line.x}`, line.c === "dim" ? "wait" : line.c);
  }
});
stream.want({ kind: "approval" });

/** A link to `approvals#ID` leads to that question, also where it is answered already or on another page. */
const arrive = () => {
  const id = location.hash.slice(1);
  if (!/^[A-Za-z0-9_-]{8,64}$/.test(id)) return;
  const place = document.getElementById(id);
  if (place) choose(place.closest(".card") ?? undefined);
  else if (document.getElementById("pending")) location.replace(`${document.body.dataset.base}/approvals/${id}`);
  if (place?.matches("tr")) place.scrollIntoView({ block: "center" });
};
addEventListener("hashchange", arrive);
arrive();
document.addEventListener("sent", (event) => {
  if (event.detail.ok && event.target.closest("[data-whole]")) setTimeout(() => location.reload(), 900);
});
