// The account page: passkeys, second factors, tokens. Secrets that are shown once stay until the person goes on.
import { create, draw, get, post, ready, words } from "./passkey.js";
import { say } from "./shell.js";

const base = `${document.body.dataset.base}/account`;
const csrf = document.getElementById("account").dataset.csrf;

const doing = (work) => async (event) => {
  event.preventDefault();
  try {
    const done = await work(event.currentTarget);
    if (done?.next) location.assign(done.next);
  } catch (error) {
    say(words(error), "bad");
  }
};

const on = (id, kind, work) => document.getElementById(id)?.addEventListener(kind, doing(work));

const once = (id, lines, next) => {
  const box = document.getElementById(id);
  const list = box.querySelector("ul");
  list.replaceChildren(...lines.map((line) => Object.assign(document.createElement("li"), { textContent: line })));
  box.querySelector("a").href = next;
  box.hidden = false;
  box.scrollIntoView();
};

on("prove-passkey", "click", async () => {
  const begun = await post(`${base}/prove/begin`, {}, csrf);
  const answer = JSON.stringify(await get(begun.publicKey));
  return post(`${base}/prove/passkey`, { ceremony: begun.ceremony, answer }, csrf);
});

on("prove-password", "submit", (form) => post(`${base}/prove/password`, new FormData(form), csrf));

on("add-passkey", "submit", async (form) => {
  const begun = await post(`${base}/passkeys/begin`, {}, csrf);
  const answer = JSON.stringify(await create(begun.publicKey));
  return post(`${base}/passkeys/add`, { ceremony: begun.ceremony, name: form.elements.name.value, answer }, csrf);
});

on("begin-password", "click", async () => {
  const begun = await post(`${base}/password/begin`, {}, csrf);
  draw(document.getElementById("picture"), begun.picture);
  document.getElementById("factor").textContent = begun.factor;
  const form = document.getElementById("set-password");
  form.elements.factor.value = begun.factor;
  form.hidden = false;
});

on("set-password", "submit", async (form) => {
  const done = await post(`${base}/password/set`, new FormData(form), csrf);
  form.hidden = true;
  once("codes", done.codes, done.next);
});

on("make-codes", "click", async () => {
  const done = await post(`${base}/codes`, {}, csrf);
  once("codes", done.codes, done.next);
});

on("make-token", "submit", async (form) => {
  const done = await post(`${base}/tokens/make`, new FormData(form), csrf);
  once("token", [done.text], done.next);
});

ready();
