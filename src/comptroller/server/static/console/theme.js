// Before the first paint: the light that this person chose here, or else the system's.
"use strict";
try {
  const chosen = localStorage.getItem("comptroller.theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch {
  // A browser that keeps nothing follows the system.
}
