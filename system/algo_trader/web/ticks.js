// A live sample of ticks: the latest of each chosen symbol.

import { byId, element, keep, setData, setText } from "./element.js";
import { Feed } from "./feed.js";
import { DASH, counted, exchangeTime, number } from "./words.js";

const CONFLATE_MS = 500;
const MOST_SYMBOLS = 20;
const COLUMNS = ["last", "last_size", "bid", "bid_size", "ask", "ask_size", "spread", "volume", "ts_event"];
const FLASH_MS = 400;

const latest = new Map();
let chosen = [];
let received = 0;
let missed = 0;
let feed = null;

function symbolsOf(text) {
  const names = text.toUpperCase().split(/[\s,;]+/).filter(Boolean);
  return [...new Set(names)].slice(0, MOST_SYMBOLS);
}

function cells(tick) {
  const spread = tick.bid === null || tick.ask === null ? null : tick.ask - tick.bid;
  // Below a dollar, prices are quoted in hundredths of a cent.
  const isPenny = (tick.last ?? tick.bid ?? 1) < 1;
  const price = (value) => number(value, isPenny ? 4 : 2);
  return {
    last: price(tick.last),
    last_size: number(tick.last_size),
    bid: price(tick.bid),
    bid_size: number(tick.bid_size),
    ask: price(tick.ask),
    ask_size: number(tick.ask_size),
    spread: price(spread),
    volume: number(tick.volume),
    ts_event: exchangeTime(tick.ts_event),
  };
}

const make = () =>
  element("tr", {}, element("th", { scope: "row" }), ...COLUMNS.map((name) => element("td", { class: "number", "data-column": name })));

function update(row, symbol) {
  setText(row.firstChild, symbol);
  const tick = latest.get(symbol);
  if (tick === undefined) {
    for (const cell of [...row.children].slice(1)) setText(cell, DASH);
    return;
  }
  const shown = cells(tick);
  for (const cell of [...row.children].slice(1)) setText(cell, shown[cell.dataset.column]);
  showMove(row, tick);
}

function showMove(row, tick) {
  const before = row.last ?? tick.last;
  row.last = tick.last;
  if (tick.last === null || tick.last === undefined || tick.last === before) return;
  setData(row, "move", tick.last > before ? "up" : "down");
  const cell = row.children[1];
  cell.classList.add("flash");
  clearTimeout(row.flash);
  row.flash = setTimeout(() => cell.classList.remove("flash"), FLASH_MS);
}

function draw() {
  keep(byId("ticks"), chosen, (symbol) => symbol, make, update);
}

function showState(text) {
  setText(byId("ticks-state"), text);
}

function showMessage(text) {
  setText(byId("ticks-message"), text ?? "");
  byId("ticks-message").hidden = !text;
}

function take(value) {
  if (value.type === "error") showMessage([value.title, value.detail].filter(Boolean).join(": "));
  if (value.type === "subscribed") showMessage(null);
  if (value.type !== "ticks") return;
  for (const row of value.rows ?? []) {
    if (!chosen.includes(row.symbol)) continue;
    // A tick says what changed: what it leaves null stands as it was.
    const known = Object.entries(row).filter(([, field]) => field !== null && field !== undefined);
    latest.set(row.symbol, { ...(latest.get(row.symbol) ?? EMPTY), ...Object.fromEntries(known) });
    received += 1;
  }
  missed += value.missed ?? 0;
  const synthetic = value.is_synthetic ? "simulated, " : "";
  const left = missed ? `, ${number(missed)} missed` : "";
  showState(`${synthetic}${counted(received, "tick")}${left}`);
  draw();
}

const EMPTY = { last: null, last_size: null, bid: null, bid_size: null, ask: null, ask_size: null, volume: null, ts_event: null };

/** Watch other symbols from now on. */
function watch(symbols) {
  chosen = symbols;
  latest.clear();
  received = 0;
  missed = 0;
  showMessage(null);
  draw();
  feed?.reopen();
}

/** Open the feed on some symbols, and wire its controls. */
export function startTicks(symbols) {
  chosen = symbols.length ? symbols : symbolsOf(byId("ticks-symbols").value);
  byId("ticks-symbols").value = chosen.join(", ");
  draw();
  feed = new Feed("/ws/ticks", {
    opened: () => {
      showState("waiting for the first tick");
      feed.send({ action: "subscribe", symbols: chosen, conflate_ms: CONFLATE_MS });
    },
    document: take,
    lost: () => showState("no connection"),
  });
  byId("ticks-choice").addEventListener("submit", (event) => {
    event.preventDefault();
    const symbols = symbolsOf(byId("ticks-symbols").value);
    byId("ticks-symbols").value = symbols.join(", ");
    if (symbols.length) watch(symbols);
    setPaused(false);
  });
  byId("ticks-pause").addEventListener("click", (event) => setPaused(event.currentTarget.ariaPressed !== "true"));
  feed.open();
  return feed;
}

let paused = false;

function setPaused(wanted) {
  if (wanted === paused) return;
  paused = wanted;
  const button = byId("ticks-pause");
  button.setAttribute("aria-pressed", String(paused));
  setText(button, paused ? "Go on" : "Pause");
  if (paused) {
    feed.pause();
    showState("paused");
  } else feed.reopen();
}
