// Proves an entry of the log in the browser: RFC 6962 hashes and proofs, and C2SP signed notes with Ed25519.
// It trusts no word of the server: the leaf's bytes, the proof and the note are all it is given, and the key that
// the visitor brings. Sizes are below 2^53; every failure is an Error with what failed.

const HASH_BYTES = 32;
const PROOF_HASHES_MAX = 66;
const ED25519 = 1;

export const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

export function fromHex(text) {
  if (typeof text !== "string" || text.length % 2 || /[^0-9a-f]/.test(text)) throw new Error("a hash is not hexadecimal");
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

export function fromBase64(text) {
  let bytes;
  try {
    bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    throw new Error("a line is not base64");
  }
  if (btoa(String.fromCharCode(...bytes)) !== text) throw new Error("a line is not plain base64");
  return bytes;
}

const equal = (one, other) => one.length === other.length && one.every((byte, place) => byte === other[place]);

function joined(...parts) {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

const sha256 = async (bytes) => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));

// SHA-256(0x00 || leaf).
export const leafHash = (leaf) => sha256(joined(Uint8Array.of(0), leaf));

// SHA-256(0x01 || left || right).
const nodeHash = (left, right) => sha256(joined(Uint8Array.of(1), left, right));

function check(size, ...hashes) {
  if (!Number.isSafeInteger(size) || size < 0) throw new Error("a size is not a whole number");
  if (hashes.length > PROOF_HASHES_MAX) throw new Error("a proof is too long");
  if (hashes.some((hash) => !(hash instanceof Uint8Array) || hash.length !== HASH_BYTES)) {
    throw new Error(`a hash is not ${HASH_BYTES} bytes`);
  }
}

const odd = (number) => number % 2 === 1;
const half = (number) => Math.floor(number / 2);

// RFC 9162 2.1.3.2: `hash` is leaf `index` of the tree of `size` leaves with `root`.
export async function verifyInclusion({ hash, index, size, proof, root }) {
  check(size, hash, root, ...proof);
  if (!Number.isSafeInteger(index) || index < 0 || index >= size) throw new Error(`there is no leaf ${index} in ${size}`);
  let [first, last, current] = [index, size - 1, hash];
  for (const sibling of proof) {
    if (last === 0) throw new Error("the inclusion proof is too long");
    if (odd(first) || first === last) {
      current = await nodeHash(sibling, current);
      while (first !== 0 && !odd(first)) [first, last] = [half(first), half(last)];
    } else {
      current = await nodeHash(current, sibling);
    }
    [first, last] = [half(first), half(last)];
  }
  if (last !== 0 || !equal(current, root)) throw new Error("the inclusion proof does not lead to the checkpoint's root");
}

// RFC 9162 2.1.4.2: the tree of `size` leaves extends the one of `oldSize`.
export async function verifyConsistency({ oldSize, oldRoot, size, root, proof }) {
  check(size, oldRoot, root, ...proof);
  check(oldSize);
  if (oldSize > size) throw new Error(`the log has ${size} entries, fewer than ${oldSize}: its tail was cut`);
  if (oldSize === 0 || oldSize === size) {
    const expected = oldSize === 0 ? await sha256(new Uint8Array()) : root;
    if (proof.length || !equal(oldRoot, expected)) throw new Error("the two checkpoints are not of one history");
    return;
  }
  let [first, last] = [oldSize - 1, size - 1];
  let path = proof;
  while (odd(first)) [first, last] = [half(first), half(last)];
  if (first === 0) path = [oldRoot, ...proof];
  if (!path.length) throw new Error("the consistency proof is empty");
  let before = path[0];
  let after = path[0];
  for (const sibling of path.slice(1)) {
    if (last === 0) throw new Error("the consistency proof is too long");
    if (odd(first) || first === last) {
      before = await nodeHash(sibling, before);
      after = await nodeHash(sibling, after);
      while (first !== 0 && !odd(first)) [first, last] = [half(first), half(last)];
    } else {
      after = await nodeHash(after, sibling);
    }
    [first, last] = [half(first), half(last)];
  }
  if (last !== 0 || !equal(before, oldRoot) || !equal(after, root)) {
    throw new Error("the two checkpoints are not of one history: it was rewritten");
  }
}

// A C2SP checkpoint in a signed note: {text, origin, size, root, signatures: [{name, blob}]}.
export function parseNote(note) {
  if (note.length > 65536) throw new Error("a checkpoint is at most 64 KiB");
  const at = note.lastIndexOf("\n\n");
  if (at < 0 || !note.endsWith("\n")) throw new Error("this is not a signed note");
  const text = note.slice(0, at + 1);
  const [origin, digits, encoded] = text.split("\n");
  if (!origin || !/^(0|[1-9][0-9]{0,15})$/.test(digits ?? "")) throw new Error("the checkpoint lacks origin or size");
  const root = fromBase64(encoded ?? "");
  check(Number(digits), root);
  const signatures = note
    .slice(at + 2, -1)
    .split("\n")
    .map((line) => {
      const found = /^\u2014 (\S+) (\S+)$/.exec(line);
      if (!found) throw new Error("the checkpoint has a malformed signature line");
      return { name: found[1], blob: fromBase64(found[2]) };
    });
  return { text, origin, size: Number(digits), root, signatures };
}

// A C2SP verifier key, `ORIGIN+HASH+BASE64`; its hash must fit.
export async function parseKey(vkey) {
  const found = /^([^\s+]+)\+([0-9a-f]{8})\+(\S+)$/.exec(vkey.trim());
  if (!found) throw new Error("a public key reads NAME+HASH+BASE64, as in the installation's log.pub");
  const typed = fromBase64(found[3]);
  if (typed[0] !== ED25519 || typed.length !== 1 + HASH_BYTES) throw new Error("this is not an Ed25519 key");
  const id = await idOf(found[1], typed.slice(1));
  if (hex(id) !== found[2]) throw new Error("the public key's hash does not fit it");
  return { origin: found[1], raw: typed.slice(1) };
}

const installation = (origin) => origin.replace(/\/epoch-[1-9][0-9]{0,8}$/, "");

// Another epoch of one installation's log is signed by the same key under that epoch's name.
const idOf = async (origin, raw) =>
  (await sha256(joined(new TextEncoder().encode(`${origin}\n`), Uint8Array.of(ED25519), raw))).slice(0, 4);

// True: signed by the key. False: this browser has no Ed25519, so that nobody looked. Else an Error.
export async function verifyNote(note, key) {
  const found = parseNote(note);
  if (installation(found.origin) !== installation(key.origin)) throw new Error("the checkpoint is of another log");
  const id = await idOf(found.origin, key.raw);
  const wanted = found.signatures.filter(({ name, blob }) => name === found.origin && equal(blob.slice(0, 4), id));
  if (!wanted.length) throw new Error("the checkpoint is not signed by this key");
  let imported;
  try {
    imported = await crypto.subtle.importKey("raw", key.raw, { name: "Ed25519" }, false, ["verify"]);
  } catch {
    return false;
  }
  const text = new TextEncoder().encode(found.text);
  for (const { blob } of wanted) {
    if (!(await crypto.subtle.verify({ name: "Ed25519" }, imported, blob.slice(4), text))) {
      throw new Error("the checkpoint's signature is not valid");
    }
  }
  return true;
}

// Whether this page may compute at all: browsers hand out WebCrypto over TLS and on loopback only.
export const able = () => globalThis.isSecureContext === true && globalThis.crypto?.subtle !== undefined;

// What lies beside a leaf fits it: the leaf holds `sha256:` and SHA-256(salt || RFC 8785 of the value).
export async function verifyBeside(committed, salt, encoded) {
  const bytes = joined(fromHex(salt), new TextEncoder().encode(encoded));
  if (committed !== `sha256:${hex(await sha256(bytes))}`) throw new Error("what lies beside the entry is not what it was");
}
