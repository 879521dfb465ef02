// A yes that a rule wants signed: the passkey signs the question that the server names, and the page says what came.
import { get, post, words } from "./passkey.js";
import { say } from "./shell.js";

document.addEventListener(
  "submit",
  async (event) => {
    const form = event.target;
    const button = event.submitter;
    if (!form.matches("[data-strong]") || !button?.matches(".yes")) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const csrf = form.elements.csrf.value;
    const ceiling = form.elements.ceiling?.value ?? "";
    const comment = form.elements.comment?.value ?? "";
    button.disabled = true;
    try {
      const begun = await post(`${form.dataset.strong}/begin`, { ceiling }, csrf);
      const answer = JSON.stringify(await get(begun.publicKey));
      const done = await post(`${form.dataset.strong}/finish`, { ceremony: begun.ceremony, answer, comment }, csrf);
      say(done.text, done.tone);
    } catch (error) {
      say(words(error), "bad");
      button.disabled = false;
    }
  },
  true,
);
