// The status page: one document about once a second, shown section by section.

import { countAges } from "./ages.js";
import { get } from "./calls.js";
import { showCandles, startCandles } from "./candles.js";
import { showCoverage, showGaps, storedSymbols } from "./completeness.js";
import { byId } from "./element.js";
import { showErrors } from "./errors.js";
import { Feed } from "./feed.js";
import { showFigures } from "./figures.js";
import { showGex, startGex } from "./gex.js";
import { showConnection, showHeader } from "./header.js";
import { showServices } from "./services.js";
import { showHealth, showSignIn } from "./standing.js";
import { startTicks } from "./ticks.js";

const STATUS = "/api/v1/status";
const SILENCE_MS = 6_000;
const CANDLES_EVERY_MS = 10_000;
const GEX_EVERY_MS = 30_000;
const FIRST_TICKS = 5;
const SECTIONS = [showHeader, showFigures, showErrors, showServices, showSignIn, showHealth, showCoverage, showGaps];

let lastAt = null;
let lostAt = null;
const timers = [];
const feeds = [];

function show(status) {
  lastAt = Date.now();
  for (const section of SECTIONS) {
    // One section that cannot read its part must not take the others along.
    try {
      section(status);
    } catch (error) {
      console.error(`${section.name}: ${error}`);
    }
  }
  if (lostAt !== null) back();
}

function back() {
  lostAt = null;
  showConnection(null);
  showCandles();
  showGex();
}

function lost() {
  if (lostAt === null) {
    lostAt = lastAt ?? Date.now();
    showConnection(lostAt);
  }
  // A browser hides why a WebSocket was refused; a plain call tells whether the session is over.
  get(STATUS).catch(() => {});
}

function sessionOver() {
  byId("session-over").hidden = false;
  byId("connection").hidden = true;
  document.body.classList.add("away");
  feeds.forEach((feed) => feed.end());
  timers.forEach(clearInterval);
}

function every(milliseconds, work) {
  timers.push(setInterval(() => document.visibilityState === "visible" && lostAt === null && work(), milliseconds));
}

/** The charts' library is large: it is fetched when the first view stands. */
function startCharts() {
  startCandles();
  startGex();
  const begin = () => {
    showCandles();
    showGex();
    every(CANDLES_EVERY_MS, showCandles);
    every(GEX_EVERY_MS, showGex);
  };
  if ("requestIdleCallback" in window) requestIdleCallback(begin, { timeout: 1_000 });
  else setTimeout(begin, 200);
}

/** Begin with symbols of which something is stored. */
function choose(id, stored) {
  const input = byId(id);
  if (stored.length > 0 && !stored.includes(input.value)) input.value = stored[0];
}

async function start() {
  document.addEventListener("sessionover", sessionOver, { once: true });
  setInterval(countAges, 1_000);
  const feed = new Feed("/ws/status", { document: show, lost }, SILENCE_MS);
  feeds.push(feed);
  feed.open();
  const chains = await get(STATUS).then((status) => {
    show(status);
    return status.chains ?? [];
  }, () => []);
  if (!byId("session-over").hidden) return;
  feeds.push(startTicks(storedSymbols().slice(0, FIRST_TICKS)));
  choose("candles-symbol", storedSymbols());
  choose("gex-symbol", chains);
  startCharts();
}

start();
