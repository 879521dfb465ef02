// Sets up how a person signs in. The one-time secret is taken out of the address first.
import { ask, create, draw, words } from "./passkey.js";

const prefix = document.body.dataset.prefix;
const told = document.getElementById("told");
const token = location.hash.slice(1);
history.replaceState(null, "", location.pathname);

const doing = async (work) => {
  told.textContent = "";
  try {
    return await work();
  } catch (error) {
    told.textContent = words(error);
    return null;
  }
};

const begin = () => ask(`${prefix}/enrol/begin`, { token });

const shown = (codes, next) => {
  document.getElementById("ways").hidden = true;
  const list = document.getElementById("codes");
  for (const code of codes) list.append(Object.assign(document.createElement("li"), { textContent: code }));
  document.getElementById("go").href = next;
  document.getElementById("kept").hidden = false;
};

if (!token) {
  told.textContent = "This address lacks its one-time secret. Ask for a new link: comptroller people invite NAME";
} else {
  const begun = await doing(begin);
  if (begun) {
    document.getElementById("who").textContent = begun.person;
    document.getElementById("ways").hidden = false;
    draw(document.getElementById("picture"), begun.picture);
    document.getElementById("factor").textContent = begun.factor;
    document.getElementById("passkey")?.addEventListener("click", () =>
      doing(async () => {
        const fresh = await begin();
        const answer = await create(fresh.passkey.publicKey);
        const name = document.getElementById("passkey-name").value;
        location.replace((await ask(`${prefix}/enrol/passkey`, { token, ceremony: fresh.passkey.ceremony, name, answer })).next);
      }),
    );
    const form = document.getElementById("password");
    form.elements.name.value = begun.person;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      doing(async () => {
        const { password, code } = form.elements;
        const body = { token, password: password.value, factor: begun.factor, code: code.value };
        const done = await ask(`${prefix}/enrol/password`, body);
        shown(done.codes, done.next);
      });
    });
  }
}
