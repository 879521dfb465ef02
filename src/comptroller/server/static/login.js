// Exchanges the one-time secret in the address fragment for a cookie, and takes it out of the history first.
"use strict";
(async () => {
  const told = document.getElementById("told");
  const token = location.hash.slice(1);
  history.replaceState(null, "", location.pathname);
  if (!token) {
    told.textContent = "This address lacks its one-time secret. Make a new link: comptroller approvals open";
    return;
  }
  try {
    const answer = await fetch(location.pathname, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token }),
      credentials: "same-origin",
    });
    const body = await answer.json();
    if (answer.ok) {
      location.replace(body.next);
      return;
    }
    told.textContent = body.title + (body.hint ? ". Make a new one: " + body.hint : "");
  } catch {
    told.textContent = "Comptroller does not answer. Is `comptroller serve` running?";
  }
})();
