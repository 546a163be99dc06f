// What the page asks and says: one dialog before something is changed, and the outcome after it.

import { byId, element, setText } from "./element.js";

const SAID_MS = 8_000;

/**
 * Ask once. Resolves to null, or to {note} when the person agreed.
 *
 * Cancel has the focus, so that Enter by mistake changes nothing.
 */
export function ask({ title, text, action, wantsNote = false, interrupts = false }) {
  const dialog = byId("ask");
  const note = byId("ask-note");
  setText(byId("ask-title"), title);
  setText(byId("ask-text"), text);
  setText(byId("ask-yes"), action);
  byId("ask-yes").classList.toggle("interrupts", interrupts);
  byId("ask-note-label").hidden = !wantsNote;
  note.value = "";
  return new Promise((resolve) => {
    let answer = null;
    const yes = () => {
      answer = { note: note.value.trim() };
      dialog.close();
    };
    const no = () => dialog.close();
    byId("ask-yes").addEventListener("click", yes);
    byId("ask-no").addEventListener("click", no);
    dialog.addEventListener(
      "close",
      () => {
        byId("ask-yes").removeEventListener("click", yes);
        byId("ask-no").removeEventListener("click", no);
        resolve(answer);
      },
      { once: true },
    );
    dialog.showModal();
    (wantsNote ? note : byId("ask-no")).focus();
  });
}

/** Say how something went; a failure stays until it is closed. */
export function say(text, failed = false) {
  const close = element("button", { type: "button", class: "plain", "aria-label": "Close this message" }, "×");
  const message = element("div", { class: "message" }, element("span", {}, text), close);
  if (failed) {
    message.dataset.level = "down";
    message.setAttribute("role", "alert");
  }
  close.addEventListener("click", () => message.remove());
  byId("said").append(message);
  if (!failed) setTimeout(() => message.remove(), SAID_MS);
}

/** Do something on a button's behalf: the button waits, and the outcome is said. */
export async function attempt(button, work) {
  button.disabled = true;
  button.setAttribute("aria-busy", "true");
  try {
    const outcome = await work();
    say(outcome.detail || "Done.");
  } catch (error) {
    say(error.sentence ?? String(error), true);
  } finally {
    button.disabled = false;
    button.removeAttribute("aria-busy");
  }
}
