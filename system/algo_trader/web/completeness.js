// What is there and what is missing: coverage of the stored bars, gaps of the stream.

import { byId, element, keep, setData, setText } from "./element.js";
import { levelOf } from "./levels.js";
import { counted, exchangeDate, exchangeTime, number, percent, some, span } from "./words.js";

// More rows than a person reads would only slow the page; the least complete come first.
const MOST_ROWS = 200;

let symbols = [];

/** Return the symbols that the last status had stored bars of. */
export const storedSymbols = () => symbols;

const coverageRow = () =>
  element(
    "tr",
    {},
    element("th", { scope: "row" }),
    ...["", "", "number", "share"].map((name) => element("td", { class: name })),
  );

function updateCoverage(row, each) {
  const [symbol, timeframe, session, bars, share] = row.children;
  setText(symbol, each.symbol ?? "");
  setText(timeframe, each.timeframe ?? "");
  setText(session, each.session ?? "");
  setText(bars, `${number(each.present)} of ${number(each.expected)}`);
  if (share.firstChild === null) share.append(element("span"), element("i", { "aria-hidden": "true" }));
  setText(share.firstChild, percent(each.share));
  share.lastChild.hidden = each.share === null || each.share === undefined;
  share.lastChild.style.setProperty("--share", String(Math.max(0, Math.min(1, each.share ?? 0))));
  setData(row, "level", each.share === 1 ? "ok" : each.share === null ? "none" : each.share >= 0.95 ? "degraded" : "down");
}

/** Show coverage, the least complete first, and offer its symbols to the charts' choices. */
export function showCoverage(status) {
  const all = [...(status.coverage ?? [])].sort((a, b) => (a.share ?? 2) - (b.share ?? 2));
  const complete = all.filter((each) => each.share === 1).length;
  const more = all.length > MOST_ROWS ? `, the ${MOST_ROWS} least complete shown` : "";
  setText(byId("coverage-count"), all.length ? `${number(complete)} of ${number(all.length)} complete${more}` : "");
  byId("coverage-none").hidden = all.length > 0;
  const key = (each) => `${each.symbol} ${each.timeframe} ${each.session}`;
  keep(byId("coverage"), all.slice(0, MOST_ROWS), key, coverageRow, updateCoverage);
  symbols = [...new Set(all.map((each) => each.symbol))].sort().slice(0, 1000);
  keep(byId("symbols"), symbols, (symbol) => symbol, (symbol) => element("option", { value: symbol }), () => {});
}

const gapRow = () =>
  element(
    "li",
    { class: "gap" },
    element("span", { class: "dot", "aria-hidden": "true" }),
    element("div", {}, element("p", {}, element("strong"), " ", element("span", { class: "state" })), element("p"), element("p", { class: "quiet" })),
  );

function gapWords(gap) {
  const seconds = gap.end ? (Date.parse(gap.end) - Date.parse(gap.start)) / 1000 : null;
  const until = gap.end ? `to ${exchangeTime(gap.end)} ET (${span(seconds)})` : "and still open";
  const missing = gap.missing === null || gap.missing === undefined ? "how many are missing is not known" : `${number(gap.missing)} missing`;
  return `${exchangeDate(gap.start)} ${exchangeTime(gap.start)} ${until}, ${missing}`;
}

/** Show the stream's recent gaps. */
export function showGaps(status) {
  const gaps = status.gaps ?? {};
  const recent = gaps.recent ?? [];
  setText(byId("gaps-count"), `${number(gaps.open ?? 0)} open, ${number(gaps.suspected ?? 0)} suspected`);
  byId("gaps-none").hidden = recent.length > 0;
  const key = (gap) => `${gap.service} ${gap.start} ${gap.symbols}`;
  keep(byId("gaps"), recent, key, gapRow, (row, gap) => {
    const [first, second, third] = row.lastChild.children;
    setData(row, "level", levelOf(gap.state));
    setText(first.firstChild, some(gap.symbols));
    setText(first.lastChild, gap.state ?? "");
    setText(second, gapWords(gap));
    setText(third, [gap.service, gap.reason].filter(Boolean).join(": "));
    row.title = gap.symbols ? counted(gap.symbols.length, "symbol") : "";
  });
}
