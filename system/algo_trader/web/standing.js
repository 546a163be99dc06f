// Sign-in and health checks: what stands between the data and us.

import { showAge } from "./ages.js";
import { byId, element, keep, setData, setText, showPairs } from "./element.js";
import { levelOf } from "./levels.js";
import { DASH, localMoment, measured, span } from "./words.js";

/** Show the sign-in with its deadline in words. */
export function showSignIn(status) {
  const signIn = status.sign_in ?? {};
  const state = byId("sign-in-state");
  setText(state, signIn.state ?? "unknown");
  setData(state, "level", levelOf(signIn.state));
  const deadline = byId("sign-in-deadline");
  const moment = signIn.deadline ? localMoment(signIn.deadline) : null;
  showAge(deadline, signIn.deadline_in_s ?? null, (left) => deadlineWords(moment, left), -1);
  const ago = (seconds) => (node) => showAge(node, seconds ?? null, (age) => (age === null ? DASH : `${span(age)} old`));
  showPairs(byId("sign-in-ages"), [
    { name: "Access token", show: ago(signIn.access_age_s) },
    { name: "Refresh token", show: ago(signIn.refresh_age_s) },
  ]);
}

function deadlineWords(moment, left) {
  if (moment === null) return "No deadline is known.";
  if (left === null) return `Sign in again by ${moment}.`;
  return left > 0 ? `Sign in again by ${moment}: ${span(left)} left.` : `The sign-in ended ${moment}. Run algo-trader auth login.`;
}

const check = () =>
  element(
    "li",
    { class: "check" },
    element("span", { class: "dot", "aria-hidden": "true" }),
    element("strong"),
    element("span", { class: "state" }),
    element("span", { class: "quiet number" }),
    element("p", { class: "quiet" }),
  );

/** Show each health check. */
export function showHealth(status) {
  const checks = status.health?.checks ?? [];
  byId("checks-none").hidden = checks.length > 0;
  const at = status.health?.at ? (Date.parse(status.now) - Date.parse(status.health.at)) / 1000 : null;
  showAge(byId("health-age"), Number.isNaN(at) ? null : at, (age) => (age === null ? "" : `${span(age)} ago`));
  keep(byId("checks"), checks, (each) => each.name, check, (row, each) => {
    const [, name, state, took, detail] = row.children;
    setData(row, "level", levelOf(each.state));
    setText(name, each.name);
    setText(state, each.state);
    setText(took, measured(each.took_ms, "ms"));
    setText(detail, each.detail ?? "");
  });
}
