// The registered errors, and the two things a person does with one: acknowledge and resolve.

import { post } from "./calls.js";
import { ask, attempt } from "./dialogs.js";
import { byId, element, keep, setData, setText } from "./element.js";
import { levelOf } from "./levels.js";
import { counted, localMoment, number } from "./words.js";

const ACTIONS = {
  acknowledge: ["Acknowledge", "It stays listed as known and no longer counts as open."],
  resolve: ["Resolve", "It leaves the list; should it happen again, it opens anew."],
};
const SIGNS = { down: "✖", degraded: "▲", none: "●", ok: "✔" };

async function act(error, action, button) {
  const [word, text] = ACTIONS[action];
  const answer = await ask({ title: `${word} this error?`, text: `${error.message} ${text}`, action: word, wantsNote: true });
  if (answer === null) return;
  await attempt(button, () => post(`/api/v1/errors/${encodeURIComponent(error.id)}/${action}`, { note: answer.note }));
}

function make() {
  return element(
    "li",
    { class: "error" },
    element("span", { class: "sign", "aria-hidden": "true" }),
    element("div", {}, element("p", { class: "what" }), element("p", { class: "next" }), element("p", { class: "quiet" })),
    element("div", { class: "buttons" }),
  );
}

function update(row, error) {
  const [sign, words, buttons] = row.children;
  const known = error.state === "acknowledged";
  const level = known ? "none" : levelOf(error.severity ?? "error");
  setData(row, "level", level);
  setText(sign, SIGNS[level]);
  setText(words.children[0], error.message ?? "");
  setText(words.children[1], error.next_step ?? "");
  words.children[1].hidden = !error.next_step;
  const times = error.count > 1 ? `${counted(error.count, "time")}, last ${localMoment(error.last_seen)}` : localMoment(error.last_seen);
  setText(words.children[2], [error.severity, error.state, error.process, error.kind, times].filter(Boolean).join(" · "));
  words.children[2].title = `First ${error.first_seen}, last ${error.last_seen}`;
  const offered = error.state === "resolved" ? [] : known ? ["resolve"] : ["acknowledge", "resolve"];
  const button = (action) => {
    const made = element("button", { type: "button", "data-action": action, "aria-label": `${ACTIONS[action][0]}: ${error.message}` }, ACTIONS[action][0]);
    made.addEventListener("click", () => act(error, action, made));
    return made;
  };
  keep(buttons, offered, (action) => action, button, () => {});
}

/** Show the errors, the open ones first as the service sorts them. */
export function showErrors(status) {
  const errors = status.errors ?? {};
  const recent = errors.recent ?? [];
  setText(byId("errors-count"), `${number(errors.open ?? 0)} open, ${number(errors.acknowledged ?? 0)} acknowledged`);
  byId("errors-none").hidden = recent.length > 0;
  keep(byId("errors"), recent, (error) => error.id, make, update);
}
