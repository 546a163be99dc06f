// Ages that keep counting between two documents, and while there is no connection.

import { setText } from "./element.js";
import { span } from "./words.js";

const ages = new Map();

/**
 * Show an age that grows from now on.
 *
 * The browser's wall clock counts, not its monotonic one: that stands still while a laptop sleeps.
 */
export function showAge(node, seconds, words = (age) => span(age), perSecond = 1) {
  if (seconds === null || seconds === undefined) ages.delete(node);
  else ages.set(node, { seconds, since: Date.now(), words, perSecond });
  setText(node, words(seconds ?? null));
  node.classList.add("age");
}

/** Write every age anew; what left the page is forgotten. */
export function countAges(now = Date.now()) {
  for (const [node, age] of ages) {
    if (!node.isConnected) {
      ages.delete(node);
      continue;
    }
    const passed = Math.max(0, now - age.since) / 1000;
    setText(node, age.words(age.seconds + age.perSecond * passed));
  }
}
