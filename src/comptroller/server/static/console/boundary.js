// A trial tells nobody when it is done: its page asks, until it is.
import { refresh } from "./shell.js";

const AGAIN_MS = 700;
const found = document.getElementById("found");

const again = () => {
  if (found?.querySelector("[data-state=running]")) setTimeout(() => refresh(found, 0), AGAIN_MS);
};
found?.addEventListener("fresh", again);
if (found?.querySelector("[data-state=running]")) {
  setInterval(() => {
    if (found.querySelector("[data-state=running]")) refresh(found, 0);
  }, AGAIN_MS * 3);
  again();
}
if (location.hash.startsWith("#rule-")) {
  const rule = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (rule instanceof HTMLDetailsElement) rule.open = true;
}
