// The numbers that a glance must catch: the stream, its delay, gaps, errors, sign-in, requests.

import { showAge } from "./ages.js";
import { byId, showPairs } from "./element.js";
import { levelOf } from "./levels.js";
import { DASH, counted, measured, number, span } from "./words.js";

// Older than this in an open market, the last tick wants attention.
const STALE_S = 10;

/** Show the key figures. */
export function showFigures(status) {
  const stream = status.stream ?? {};
  const gaps = status.gaps ?? {};
  const errors = status.errors ?? {};
  const requests = status.requests ?? {};
  const signIn = status.sign_in ?? {};
  const isStale = status.market?.is_open && stream.age_s > STALE_S;
  showPairs(byId("figures"), [
    {
      name: "Ticks",
      value: measured(stream.rate_per_s, "/s"),
    },
    { name: "Symbols", value: number(stream.symbols) },
    {
      name: "Last tick",
      show: (node) => showAge(node, stream.age_s ?? null, (age) => (age === null ? DASH : `${span(age)} ago`)),
      level: isStale ? "degraded" : null,
    },
    {
      name: "Delay p50 / p99",
      value: `${measured(stream.lag_p50_ms, "ms")} / ${measured(stream.lag_p99_ms, "ms")}`,
      note: "From the event at the exchange to our store",
    },
    {
      name: "Gaps open",
      value: number(gaps.open) + (gaps.suspected ? ` + ${number(gaps.suspected)} suspected` : ""),
      level: gaps.open || gaps.suspected ? "degraded" : null,
    },
    {
      name: "Errors open",
      value: number(errors.open) + (errors.acknowledged ? ` + ${number(errors.acknowledged)} known` : ""),
      level: errors.open ? "down" : null,
    },
    {
      name: "Sign-in ends",
      show: (node) => showAge(node, signIn.deadline_in_s ?? null, (left) => (left === null ? DASH : left > 0 ? `in ${span(left)}` : "now"), -1),
      level: levelOf(signIn.state) === "ok" ? null : levelOf(signIn.state),
    },
    { name: "API p95", value: measured(requests.p95_ms, "ms"), note: `${counted(requests.clients ?? 0, "client")}, ${number(requests.total)} requests` },
  ]);
}
