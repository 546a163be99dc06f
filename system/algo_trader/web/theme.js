// Set the chosen theme before anything is painted; so this is a plain script, not a module.
"use strict";

(() => {
  const KEY = "algo-trader-theme";
  const root = document.documentElement;
  const darkByDefault = matchMedia("(prefers-color-scheme: dark)");

  // Storage can be forbidden in a browser's settings: the page then follows the system.
  function stored() {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null;
    }
  }

  function keep(theme) {
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // It holds until the page is closed.
    }
  }

  function set(theme) {
    root.dataset.theme = theme;
    const name = document.getElementById("theme-name");
    if (name !== null) name.textContent = theme === "dark" ? "Dark" : "Light";
    document.dispatchEvent(new Event("themechange"));
  }

  const ofSystem = () => (darkByDefault.matches ? "dark" : "light");
  const chosen = () => (["dark", "light"].includes(stored()) ? stored() : ofSystem());

  set(chosen());
  darkByDefault.addEventListener("change", () => set(chosen()));
  document.addEventListener("DOMContentLoaded", () => {
    set(chosen());
    document.getElementById("theme").addEventListener("click", () => {
      const next = root.dataset.theme === "dark" ? "light" : "dark";
      keep(next);
      set(next);
    });
  });
})();
