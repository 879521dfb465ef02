// Follows the log by long polling and renews what changed; never touches a field somebody is typing in.
"use strict";
(() => {
  const state = document.getElementById("state");
  const live = document.getElementById("live");
  const base = state.dataset.base;
  let beats = Number(state.dataset.beats);

  const leftText = (seconds) => {
    const left = Math.max(0, Math.floor(seconds));
    const two = (more, unit, less, smaller) => (less ? `${more} ${unit} ${less} ${smaller}` : `${more} ${unit}`);
    if (left >= 86400) return two(Math.floor(left / 86400), "d", Math.floor((left % 86400) / 3600), "h");
    if (left >= 3600) return two(Math.floor(left / 3600), "h", Math.floor((left % 3600) / 60), "min");
    return left >= 120 ? `${Math.floor(left / 60)} min` : `${left} s`;
  };

  const started = new WeakMap();
  const tick = () => {
    const now = performance.now() / 1000;
    for (const node of document.querySelectorAll("[data-left]")) {
      if (!started.has(node)) started.set(node, now);
      node.textContent = leftText(Number(node.dataset.left) - (now - started.get(node)));
    }
  };

  const inUse = (node) =>
    node.contains(document.activeElement) && document.activeElement.tagName === "INPUT" ||
    [...node.querySelectorAll("[data-keep]")].some((field) => field.value !== "");

  const mergeList = (old, fresh) => {
    const known = new Map([...old.children].map((node) => [node.dataset.key, node]));
    const next = [...fresh.children].map((node) => {
      const before = known.get(node.dataset.key);
      return before && (before.dataset.version === node.dataset.version || inUse(before)) ? before : node;
    });
    const wanted = new Set(next);
    for (const node of [...old.children]) if (!wanted.has(node)) node.remove();
    next.forEach((node, place) => {
      if (old.children[place] !== node) old.insertBefore(node, old.children[place] || null);
    });
  };

  const renew = async () => {
    const answer = await fetch(`${base}/?refresh=1`, { credentials: "same-origin" });
    if (answer.status === 401) {
      location.reload();
      return;
    }
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    document.title = fresh.title;
    for (const section of document.querySelectorAll("[data-swap]")) {
      const other = fresh.getElementById(section.id);
      if (other && !inUse(section)) section.replaceChildren(...other.childNodes);
    }
    for (const list of document.querySelectorAll("[data-list]")) {
      const other = fresh.querySelector(`[data-list="${list.dataset.list}"]`);
      if (other) mergeList(list, other);
    }
    const count = document.querySelector("[data-live=count]");
    const freshCount = fresh.querySelector("[data-live=count]");
    count.textContent = freshCount.textContent;
    count.className = freshCount.className;
    beats = Number(fresh.getElementById("state").dataset.beats);
    tick();
  };

  const follow = async () => {
    for (;;) {
      try {
        const answer = await fetch(`${base}/changes?beats=${beats}`, { credentials: "same-origin" });
        if (answer.status === 401) {
          location.reload();
          return;
        }
        if (!answer.ok) throw new Error("not ok");
        live.classList.remove("lost");
        live.textContent = "live";
        if ((await answer.json()).beats !== beats) await renew();
        await new Promise((done) => setTimeout(done, 400));
      } catch {
        live.classList.add("lost");
        live.textContent = "no connection";
        await new Promise((done) => setTimeout(done, 3000));
      }
    }
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-sure]");
    if (!button || button.classList.contains("sure")) return;
    event.preventDefault();
    const text = button.textContent;
    button.classList.add("sure");
    button.textContent = button.dataset.sure;
    setTimeout(() => {
      button.classList.remove("sure");
      button.textContent = text;
    }, 4000);
  });

  document.addEventListener("submit", (event) => {
    for (const button of event.target.querySelectorAll("button")) setTimeout(() => (button.disabled = true), 0);
  });

  setInterval(tick, 1000);
  tick();
  follow();
})();
