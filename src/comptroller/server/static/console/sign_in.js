// Signs in with a passkey, or with a password and a code.
import { ask, get, ready, words } from "./passkey.js";

const prefix = document.body.dataset.prefix;
const told = document.getElementById("told");
const form = document.getElementById("password");
const key = document.getElementById("passkey");

const doing = async (work) => {
  told.textContent = "";
  try {
    location.replace((await work()).next);
  } catch (error) {
    told.textContent = words(error);
  }
};

key?.addEventListener("click", () =>
  doing(async () => {
    const begun = await ask(`${prefix}/sign-in/passkey/begin`, {});
    const answer = await get(begun.publicKey);
    return ask(`${prefix}/sign-in/passkey`, { ceremony: begun.ceremony, visitor: begun.visitor, answer });
  }),
);

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const { name, password, code } = form.elements;
  doing(() => ask(`${prefix}/sign-in/password`, { name: name.value, password: password.value, code: code.value }));
});

ready();
