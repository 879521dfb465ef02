// Passkeys: options of the server for the browser, and the browser's answer as JSON. And yeses that are signed.
"use strict";

const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
const text = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
const ids = (list) => (list ?? []).map((item) => ({ ...item, id: bytes(item.id) }));

/** A new passkey for creation options. */
export const create = async (options) => {
  const user = { ...options.user, id: bytes(options.user.id) };
  const publicKey = { ...options, challenge: bytes(options.challenge), user, excludeCredentials: ids(options.excludeCredentials) };
  const made = await navigator.credentials.create({ publicKey });
  const response = {
    clientDataJSON: text(made.response.clientDataJSON),
    attestationObject: text(made.response.attestationObject),
  };
  return { id: made.id, rawId: text(made.rawId), type: made.type, response };
};

/** A signature for request options. */
export const get = async (options) => {
  const publicKey = { ...options, challenge: bytes(options.challenge), allowCredentials: ids(options.allowCredentials) };
  const got = await navigator.credentials.get({ publicKey });
  const response = {
    clientDataJSON: text(got.response.clientDataJSON),
    authenticatorData: text(got.response.authenticatorData),
    signature: text(got.response.signature),
  };
  return { id: got.id, rawId: text(got.rawId), type: got.type, response };
};

const answered = async (answer) => {
  const body = await answer.json();
  if (answer.ok) return body;
  throw new Error((body.title ?? body.text ?? "refused") + (body.hint ? ". " + body.hint : ""));
};

/** Post JSON from outside; the parsed answer, or an Error with the server's words. */
export const ask = async (path, body) =>
  answered(
    await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
      credentials: "same-origin",
    }),
  );

/** Post a form of a session, with its token. */
export const post = async (path, fields, csrf) => {
  const body = new URLSearchParams(fields instanceof FormData ? fields : Object.entries(fields));
  body.set("csrf", csrf);
  const headers = { "x-comptroller-live": "1" };
  return answered(await fetch(path, { method: "POST", headers, body, credentials: "same-origin" }));
};

/** Buttons that do nothing without their script work from now on. */
export const ready = () => {
  for (const button of document.querySelectorAll("[data-ready]")) button.disabled = false;
};

/** An SVG of the server in the place of what is in `node`. */
export const draw = (node, svg) =>
  node.replaceChildren(document.importNode(new DOMParser().parseFromString(svg, "image/svg+xml").documentElement, true));

/** What went wrong, in words: the browser's own say little. */
export const words = (error) =>
  error.name === "NotAllowedError" ? "The passkey was not used: it was cancelled, or took too long." : error.message;
