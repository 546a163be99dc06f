// The top of the page: whose data this is, how the whole is, what the market does.

import { byId, setData, setText } from "./element.js";
import { showAge } from "./ages.js";
import { levelOf } from "./levels.js";
import { exchangeDate, exchangeDay, exchangeMinute, exchangeTime, localTime, measured, number, span } from "./words.js";

const SESSIONS = { pre: "pre-market", rth: "regular session", post: "after hours", closed: "closed" };

function marketWords(market, now) {
  const session = SESSIONS[market.session] ?? market.session ?? "";
  const day = exchangeDate(market.until) === exchangeDate(now) ? "" : ` ${exchangeDay(market.until)}`;
  const until = market.until ? ` until ${exchangeMinute(market.until)} ET${day}` : "";
  if (!market.is_open && ["closed", undefined, null].includes(market.session)) return `Market closed${until}`;
  return `Market ${market.is_open ? "open" : "closed"}, ${session}${until}`;
}

/** Show realm, overall state, market and clock. */
export function showHeader(status) {
  const overall = status.health?.state ?? null;
  const badge = byId("overall");
  setText(badge, overall ?? "state unknown");
  setData(badge, "level", levelOf(overall));
  setText(byId("market"), marketWords(status.market ?? {}, status.market_now));
  setText(byId("clock-time"), `${exchangeTime(status.market_now)} ET`);
  setText(byId("clock-date"), exchangeDay(status.market_now));
  byId("clock-time").dateTime = status.market_now ?? "";
  const realm = byId("realm");
  realm.hidden = !status.is_synthetic;
  if (status.is_synthetic) setText(realm, `SIMULATED DATA - replay of ${exchangeDate(status.market_now)}`);
  document.title = `${overall ?? "?"} · Algo Trader${status.is_synthetic ? " (simulated)" : ""}`;
  showFooter(status);
}

function showFooter(status) {
  const realm = status.is_synthetic ? "simulated market" : "live market";
  setText(byId("version"), `Version ${status.version ?? "–"}, ${realm}`);
  showAge(byId("uptime"), status.uptime_s ?? null, (age) => `up for ${span(age)}`);
  const requests = status.requests ?? {};
  const per_s = measured(requests.per_s, "requests/s");
  setText(byId("requests"), `${number(requests.total)} requests, ${per_s}, ${number(requests.clients)} clients`);
}

/** Say since when there is no connection, or that there is one again. */
export function showConnection(lostAt) {
  const strip = byId("connection");
  document.body.classList.toggle("away", lostAt !== null);
  strip.hidden = lostAt === null;
  if (lostAt !== null) setText(strip, `no connection since ${localTime(lostAt)}`);
}
