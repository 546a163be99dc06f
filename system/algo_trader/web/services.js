// Services: how each is, what it counts, and the buttons that start, stop and restart it.

import { showAge } from "./ages.js";
import { post } from "./calls.js";
import { ask, attempt } from "./dialogs.js";
import { byId, element, keep, setData, setText, showPairs, webAddress } from "./element.js";
import { levelOf } from "./levels.js";
import { DASH, counted, number, span } from "./words.js";

const ACTIONS = { start: "Start", stop: "Stop", restart: "Restart" };
const WARNINGS = {
  stop: "What needs it stands still until it is started again; ticks that arrive meanwhile become a recorded gap.",
  restart: "It is away for a moment; ticks that arrive meanwhile become a recorded gap.",
};

async function act(service, action, button) {
  if (action in WARNINGS) {
    const title = `${ACTIONS[action]} ${service.name}?`;
    if ((await ask({ title, text: WARNINGS[action], action: ACTIONS[action], interrupts: true })) === null) return;
  }
  await attempt(button, () => post(`/api/v1/services/${encodeURIComponent(service.name)}/${action}`));
}

function make() {
  return element(
    "li",
    { class: "service" },
    element("span", { class: "dot", "aria-hidden": "true" }),
    element("div", { class: "who" }, element("strong"), element("span", { class: "quiet" })),
    element("div", { class: "how" }, element("span", { class: "state" }), element("span", { class: "quiet" })),
    element("dl", { class: "counters" }),
    element("div", { class: "buttons" }),
    element("p", { class: "reasons" }),
  );
}

function stateWords(service) {
  const { state, health } = service;
  return health && health !== "ok" ? `${state}, ${health}` : state;
}

function level(service) {
  if (service.state !== "running") return levelOf(service.state);
  return service.health === null || service.health === undefined ? "ok" : levelOf(service.health);
}

function update(row, service) {
  const [, who, how, counters, buttons, reasons] = row.children;
  setData(row, "level", level(service));
  setData(row, "name", service.name);
  setText(who.firstChild, service.name);
  showKind(who.lastChild, service);
  setText(how.firstChild, stateWords(service));
  showAge(how.lastChild, service.age_s ?? null, (age) => {
    const restarts = service.restarts ? `, ${counted(service.restarts, "restart")}` : "";
    return (age === null ? DASH : `for ${span(age)}`) + restarts;
  });
  const pairs = Object.entries(service.counters ?? {});
  showPairs(counters, pairs.map(([name, value]) => ({ name, value: typeof value === "number" ? number(value) : String(value ?? DASH) })));
  const text = (service.reasons ?? []).join("; ");
  setText(reasons, text);
  reasons.hidden = text === "";
  showButtons(buttons, service);
}

function showKind(node, service) {
  const address = webAddress(service.url);
  const words = [service.kind, service.origin, service.pid === null ? null : `pid ${service.pid}`];
  const text = words.filter((word) => word !== null && word !== undefined).join(" · ");
  if (node.shown === text + address) return;
  node.shown = text + address;
  node.replaceChildren(text);
  if (address !== null) node.append(" · ", element("a", { href: address, rel: "noreferrer", target: "_blank" }, "open"));
  else if (service.url) node.append(` · ${service.url}`);
}

function showButtons(box, service) {
  const offered = Object.keys(ACTIONS).filter((action) => service.can?.includes(action));
  const button = (action) => {
    const made = element("button", { type: "button", "aria-label": `${ACTIONS[action]} ${service.name}`, "data-action": action }, ACTIONS[action]);
    made.addEventListener("click", () => act(service, action, made));
    return made;
  };
  keep(box, offered, (action) => action, button, () => {});
}

/** Show every service. */
export function showServices(status) {
  const services = status.services ?? [];
  const well = services.filter((service) => level(service) === "ok").length;
  setText(byId("services-count"), services.length ? `${well} of ${services.length} well` : "");
  byId("services-none").hidden = services.length > 0;
  keep(byId("services"), services, (service) => service.name, make, update);
}
