// The editor: a textarea with its words painted behind it, checked by the server while somebody types.
import "./shell.js";

const CHECK_MS = 350;
const PAINTED_MAX = 60000;
const WORDS = new Set(
  "permit forbid when unless principal action resource context if then else in has like is true false".split(" ")
);
const TOKENS = /(\/\/[^\n]*)|("(?:[^"\\\n]|\\.)*"?)|(@\w+)|(\w+)|(\s+|[^\s\w])/g;

const editor = document.getElementById("editor");
const text = document.getElementById("text");
const paint = document.getElementById("paint");
const gutter = document.getElementById("gutter");
const told = document.getElementById("told");
const form = text.form;
let problems = [];

const piece = (kind, content) => {
  if (!kind) return document.createTextNode(content);
  const node = document.createElement("span");
  node.className = kind;
  node.textContent = content;
  return node;
};

/** [kind, text] of every token of a text. */
const tokens = (source) =>
  [...source.matchAll(TOKENS)].map(([whole, note, string, mark, word]) => [
    note ? "note" : string ? "string" : mark ? "mark" : word && WORDS.has(word) ? "word" : "",
    whole,
  ]);

/** Where each problem of this file begins and ends in the text. */
const ranges = (source) => {
  const starts = [0];
  for (let at = source.indexOf("\n"); at >= 0; at = source.indexOf("\n", at + 1)) starts.push(at + 1);
  return problems
    .filter((one) => (one.file || form.elements.file.value) === form.elements.file.value && starts[one.line - 1] !== undefined)
    .map((one) => {
      const start = starts[one.line - 1];
      const end = starts[one.line] === undefined ? source.length : starts[one.line] - 1;
      if (!one.column) return [start, Math.max(end, start + 1)];
      const before = [...source.slice(start, end)].slice(0, one.column - 1).join("").length;
      return [start + before, Math.min(end, start + before + Math.max(1, one.length))];
    });
};

const draw = () => {
  const source = text.value;
  const count = source.split("\n").length;
  const wrong = new Set(problems.filter((one) => !one.file || one.file === form.elements.file.value).map((one) => one.line));
  const numbers = document.createDocumentFragment();
  for (let line = 1; line <= count; line += 1) numbers.append(piece(wrong.has(line) ? "at" : "", `${line}`), "\n");
  gutter.replaceChildren(numbers);
  editor.classList.toggle("painted", source.length <= PAINTED_MAX);
  if (source.length > PAINTED_MAX) return paint.replaceChildren();
  const marked = ranges(source);
  const drawn = document.createDocumentFragment();
  let at = 0;
  for (const [kind, content] of tokens(source)) {
    let rest = content;
    while (rest) {
      const inside = marked.find(([start, end]) => start <= at && at < end);
      const next = Math.min(at + rest.length, ...marked.flat().filter((place) => place > at));
      const part = rest.slice(0, next - at);
      drawn.append(piece([kind, inside ? "wrong" : ""].filter(Boolean).join(" "), part));
      rest = rest.slice(part.length);
      at += part.length;
    }
  }
  drawn.append("\n");
  paint.replaceChildren(drawn);
  follow();
};

const follow = () => {
  paint.scrollTop = text.scrollTop;
  paint.scrollLeft = text.scrollLeft;
  gutter.scrollTop = text.scrollTop;
};

const line = (name, content, kind) => {
  const node = document.createElement(name);
  if (kind) node.className = kind;
  node.append(...[content].flat());
  return node;
};

const show = (answer) => {
  problems = answer.problems;
  const parts = [];
  if (answer.ok) parts.push(line("p", [line("b", "Good:"), ` ${answer.rules} rules.`], "good"));
  else parts.push(line("p", line("b", "These rules cannot be used:"), "bad"));
  if (problems.length) {
    const list = document.createElement("ol");
    list.className = "problems";
    for (const one of problems) {
      const place = line("a", `line ${one.line}${one.column ? `, column ${one.column}` : ""}`);
      place.href = `#L${one.line}`;
      place.dataset.line = one.line;
      place.dataset.column = one.column;
      const elsewhere = one.file && one.file !== form.elements.file.value ? `${one.file}, ` : "";
      const item = line("li", [elsewhere, place, `: ${one.message}`]);
      if (one.write) item.append(" ", line("span", `Write ${one.write}`, "write"));
      list.append(item);
    }
    parts.push(list);
  }
  for (const one of answer.warnings ?? [])
    parts.push(line("p", `${one.file}:${one.line}: ${one.message}${one.write ? `; write ${one.write}` : ""}`, "wait"));
  if (answer.changes.length) {
    const list = line("ul", [], "changes");
    for (const one of answer.changes) {
      const tag = line("span", one.may_widen ? "may widen" : "no wider", `tag ${one.may_widen ? "bad" : "good"}`);
      list.append(line("li", [tag, " ", line("code", one.rule), ` ${one.change}: ${one.why}`]));
    }
    parts.push(list);
  } else if (answer.ok) parts.push(line("p", "The same rules as now.", "soft"));
  told.replaceChildren(...parts);
  draw();
};

let timer = 0;
let asked = 0;
const check = async () => {
  const number = (asked += 1);
  try {
    const body = new URLSearchParams(new FormData(form));
    const answer = await fetch(form.dataset.check, { method: "POST", body, headers: { accept: "application/json" } });
    if (answer.status === 401) location.reload();
    const found = await answer.json();
    if (number !== asked) return;
    if (answer.ok) show(found);
    else told.replaceChildren(line("p", [found.title, found.hint].filter(Boolean).join(". "), "bad"));
  } catch {
    if (number === asked) told.replaceChildren(line("p", "Comptroller does not answer: nothing is checked.", "bad"));
  }
};

const go = (row, column) => {
  const lines = text.value.split("\n");
  const start = lines.slice(0, row - 1).join("\n").length + (row > 1 ? 1 : 0) + Math.max(0, column - 1);
  text.focus();
  text.setSelectionRange(start, start);
  const high = parseFloat(getComputedStyle(text).lineHeight);
  text.scrollTop = Math.max(0, (row - 4) * high);
  follow();
};

text.addEventListener("input", () => {
  problems = [];
  draw();
  clearTimeout(timer);
  timer = setTimeout(check, CHECK_MS);
});
text.addEventListener("scroll", follow);
document.getElementById("check-button").addEventListener("click", (event) => {
  event.preventDefault();
  check();
});
told.addEventListener("click", (event) => {
  const place = event.target.closest("a[data-line]");
  if (!place) return;
  event.preventDefault();
  go(Number(place.dataset.line), Number(place.dataset.column));
});
window.addEventListener("beforeunload", (event) => {
  if (text.value !== text.defaultValue && !form.hasAttribute("data-leaving")) event.preventDefault();
});
form.addEventListener("submit", () => form.setAttribute("data-leaving", ""));

draw();
check();
const place = /^#L(\d+)$/.exec(location.hash);
if (place) go(Number(place[1]), 1);
