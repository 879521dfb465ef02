// A link of a message leads here: on to the page that it names, where this browser is signed in.
"use strict";
(() => {
  const prefix = document.body.dataset.prefix;
  const path = location.pathname.slice(`${prefix}/go`.length);
  let base = "";
  try {
    base = localStorage.getItem("comptroller.base") ?? "";
  } catch {
    base = "";
  }
  const fits = base.startsWith(prefix) && /^(\/[A-Za-z0-9._~-]+)*$/.test(base) && !base.startsWith("//");
  if (fits && /^(\/[A-Za-z0-9._~-]+)+$/.test(path)) location.replace(base + path);
})();
