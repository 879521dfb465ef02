// Audit: proves an entry, or that today's log goes on from a checkpoint that the visitor kept, in this browser.
import {
  able, fromHex, leafHash, parseKey, parseNote, verifyBeside, verifyConsistency, verifyInclusion, verifyNote,
} from "./verify.js";

const bytes = (text) => new TextEncoder().encode(text);

async function fetched(address) {
  const answer = await fetch(address, { headers: { accept: "application/json" } });
  const found = await answer.json();
  if (!answer.ok) throw new Error(found.detail || found.title || `the server said ${answer.status}`);
  return found;
}

// One line a step; the first that fails ends it, and says so.
function steps(form) {
  const list = document.createElement("ol");
  form.querySelector("output").replaceChildren(list);
  return (tone, text) => {
    const line = document.createElement("li");
    line.className = tone;
    line.textContent = text;
    list.append(line);
  };
}

async function signature(note, key, brought, say) {
  const whose = brought ? "the key that you brought" : "the key that this server names: compare it with one you know";
  if (await verifyNote(note, key)) say("good", `the checkpoint is signed by ${whose}`);
  else say("wait", "this browser has no Ed25519: nobody checked the signature (comptroller audit verify does)");
}

async function prove(form, work) {
  const say = steps(form);
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    if (!able()) throw new Error("this browser computes hashes on https and localhost only: comptroller audit verify");
    await work(say);
  } catch (error) {
    say("bad", `NOT proven: ${error.message}`);
  } finally {
    button.disabled = false;
  }
}

const entry = document.getElementById("proof");
entry?.addEventListener("submit", (event) => {
  event.preventDefault();
  prove(entry, async (say) => {
    const found = await fetched(entry.dataset.from);
    const brought = entry.elements.key.value.trim();
    const key = await parseKey(brought || found.key);
    const note = parseNote(found.note);
    const document = JSON.parse(found.leaf);
    if (document.index !== found.index) throw new Error("the leaf is of another entry");
    const hash = await leafHash(bytes(found.leaf));
    say("good", `the leaf of ${bytes(found.leaf).length} bytes says that it is entry ${found.index}`);
    await verifyInclusion({
      hash, index: found.index, size: note.size, proof: found.proof.map(fromHex), root: note.root,
    });
    say("good", `${found.proof.length} hashes lead from it to the root of ${note.size} entries`);
    await signature(found.note, key, brought, say);
    for (const each of found.private) await verifyBeside(document.private[each.name], each.salt, each.encoded);
    if (found.private.length) say("good", `${found.private.length} values beside it are what it was written with`);
  });
});

const kept = document.getElementById("consistency");
kept?.elements.file.addEventListener("change", async () => {
  const [file] = kept.elements.file.files;
  if (file && file.size <= 65536) kept.elements.note.value = await file.text();
});
kept?.addEventListener("submit", (event) => {
  event.preventDefault();
  prove(kept, async (say) => {
    const text = `${kept.elements.note.value.replaceAll("\r\n", "\n").trimEnd()}\n`;
    const old = parseNote(text);
    const found = await fetched(`${kept.dataset.from}?size=${old.size}`);
    const brought = kept.elements.key.value.trim();
    const key = await parseKey(brought || found.key);
    await signature(text, key, brought, (tone, said) => say(tone, said.replace("the checkpoint", "yours")));
    await signature(found.note, key, brought, (tone, said) => say(tone, said.replace("the checkpoint", "today's")));
    const today = parseNote(found.note);
    await verifyConsistency({
      oldSize: old.size, oldRoot: old.root, size: today.size, root: today.root, proof: found.proof.map(fromHex),
    });
    say("good", `today's log of ${today.size} entries goes on from yours of ${old.size}: nothing before it was changed`);
  });
});
