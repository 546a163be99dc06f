// The candlestick chart of one symbol and timeframe, with volume and the recorded gaps.

import { get } from "./calls.js";
import { SETTINGS, baseLayout, library, palette, showCaption, showMessage } from "./charting.js";
import { byId, setText, showPairs } from "./element.js";
import { counted, exchangeDate, exchangeMinute, exchangeShortDay, number } from "./words.js";

const LIMIT = 390;
let shown = null;
let asked = 0;

const isIntraday = (timeframe) => /^\d+[smh]$/.test(timeframe);

/** Name each bar by its time at the exchange; the days apart only where there are several. */
function labels(times, timeframe) {
  if (!isIntraday(timeframe)) return times.map(exchangeDate);
  const days = new Set(times.map(exchangeDate));
  return times.map((time) => (days.size > 1 ? `${exchangeShortDay(time)} ${exchangeMinute(time)}` : exchangeMinute(time)));
}

/** Shade what is recorded as missing, between the bars around it. */
function gapShapes(gaps, times, color) {
  const place = (instant) => {
    const at = Date.parse(instant);
    const index = times.findIndex((time) => Date.parse(time) >= at);
    return index < 0 ? times.length : index;
  };
  return gaps.map((gap) => {
    const from = place(gap.start) - 0.5;
    const to = Math.max(gap.end ? place(gap.end) - 0.5 : times.length - 0.5, from + 0.4);
    return { type: "rect", x0: from, x1: to, yref: "paper", y0: 0, y1: 1, line: { width: 0 }, fillcolor: color, layer: "below" };
  });
}

function lastLine(close, color) {
  if (close === null || close === undefined) return [];
  return [{ type: "line", xref: "paper", x0: 0, x1: 1, y0: close, y1: close, line: { color, width: 1, dash: "dot" } }];
}

async function draw() {
  const { answer, symbol, timeframe } = shown;
  const { time, open, high, low, close, volume } = answer.columns;
  const plotly = await library();
  const colors = palette();
  const x = labels(time, timeframe);
  const layout = baseLayout(colors);
  const narrow = byId("candles").clientWidth < 500;
  Object.assign(layout.xaxis, { type: "category", nticks: narrow ? 5 : 10, tickangle: 0, anchor: "y2", rangeslider: { visible: false }, showgrid: false });
  Object.assign(layout.yaxis, { domain: [0.2, 1], tickformat: ",.2f" });
  layout.yaxis2 = { ...layout.yaxis, domain: [0, 0.16], tickformat: "~s", nticks: 3, showgrid: false, fixedrange: true };
  layout.shapes = [...gapShapes(answer.gaps ?? [], time, colors.shade), ...lastLine(close.at(-1), colors.accent)];
  // Another symbol starts unzoomed; the same one keeps the reader's zoom.
  layout.uirevision = `${symbol} ${timeframe}`;
  const rises = close.map((value, index) => value >= open[index]);
  const side = (color, fillcolor) => ({ line: { color, width: 1 }, fillcolor });
  const traces = [
    // A rising candle is hollow: the colour alone would not tell everyone.
    { type: "candlestick", x, open, high, low, close, name: "", increasing: side(colors.up, "rgba(0,0,0,0)"), decreasing: side(colors.down, colors.down) },
    { type: "bar", x, y: volume, yaxis: "y2", name: "volume", marker: { color: rises.map((up) => (up ? colors.up : colors.down)), opacity: 0.55 }, hovertemplate: "volume %{y:,}<extra></extra>" },
  ];
  await plotly.react("candles", traces, layout, SETTINGS);
}

function showLast(answer) {
  const { time, open, high, low, close, volume } = answer.columns;
  const last = close.length - 1;
  const move = last < 0 ? null : close[last] - close[0];
  const sign = move === null || move === 0 ? "" : move > 0 ? "▲ " : "▼ ";
  showPairs(byId("candles-last"), [
    { name: "Close", value: number(close[last], 2) },
    { name: "Change shown", value: move === null ? number(null) : `${sign}${number(Math.abs(move), 2)} (${number((100 * move) / close[0], 2)} %)`, level: move > 0 ? "ok" : move < 0 ? "down" : null },
    { name: "High", value: number(last < 0 ? null : Math.max(...high.filter((value) => value !== null)), 2) },
    { name: "Low", value: number(last < 0 ? null : Math.min(...low.filter((value) => value !== null)), 2) },
    { name: "Volume", value: number(last < 0 ? null : volume.reduce((sum, value) => sum + (value ?? 0), 0)) },
    { name: "Gaps", value: number((answer.gaps ?? []).length), level: answer.gaps?.length ? "degraded" : null, note: `${counted(time.length, "bar")} from an open of ${number(open[0], 2)}` },
  ]);
}

/** Fetch and draw what is chosen; an answer that another choice overtook is dropped. */
export async function showCandles() {
  const symbol = byId("candles-symbol").value.trim().toUpperCase();
  const timeframe = byId("candles-timeframe").value;
  if (symbol === "") return;
  const mine = ++asked;
  try {
    const query = new URLSearchParams({ symbol, timeframe, limit: LIMIT });
    const answer = await get(`/api/v1/candles?${query}`);
    if (mine !== asked) return;
    shown = { answer, symbol, timeframe };
    setText(byId("candles-title"), `Candles ${symbol} ${timeframe}`);
    showLast(answer);
    showCaption("candles-caption", answer);
    if (answer.columns.time.length === 0) return showMessage("candles", `No ${timeframe} bars of ${symbol} are stored.`);
    showMessage("candles", null);
    byId("candles").setAttribute("aria-label", `Candlestick chart of ${symbol}, ${counted(answer.columns.time.length, "bar")} of ${timeframe}, last close ${number(answer.columns.close.at(-1), 2)}`);
    await draw();
  } catch (error) {
    if (mine === asked) fail(error, symbol, timeframe);
  }
}

function fail(error, symbol, timeframe) {
  // While the service is away the last picture stays; its age says how old it is.
  if (error.status === 0 && shown !== null) return;
  shown = null;
  setText(byId("candles-title"), `Candles ${symbol} ${timeframe}`);
  showPairs(byId("candles-last"), []);
  setText(byId("candles-caption"), "");
  showMessage("candles", error.sentence ?? error.message);
}

/** Wire the choice and the theme; the first drawing is the caller's. */
export function startCandles() {
  byId("candles-choice").addEventListener("submit", (event) => {
    event.preventDefault();
    showCandles();
  });
  byId("candles-timeframe").addEventListener("change", showCandles);
  document.addEventListener("themechange", () => {
    if (shown !== null) draw();
  });
}
