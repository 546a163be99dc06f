// Gamma exposure by strike, with the spot, the flip and the walls marked.

import { get } from "./calls.js";
import { SETTINGS, baseLayout, library, palette, showCaption, showMessage } from "./charting.js";
import { byId, setText, showPairs } from "./element.js";
import { dollars, number } from "./words.js";

// Strikes that hold this share of all gamma are shown at first; the far ones are a drag away.
const SHOWN_SHARE = 0.98;
let shown = null;
let asked = 0;

const MARKS = [
  ["spot", "spot", "text"],
  ["flip", "flip", "warn"],
  ["call_wall", "call wall", "up"],
  ["put_wall", "put wall", "down"],
];

/** Return the first view: the strikes of nearly all gamma, and every mark. */
function range(columns, summary) {
  const weights = columns.strike.map((strike, index) => [strike, Math.abs(columns.gex_call[index] ?? 0) + Math.abs(columns.gex_put[index] ?? 0)]);
  const total = weights.reduce((sum, [, weight]) => sum + weight, 0);
  if (total === 0) return undefined;
  let below = 0;
  const inside = weights.filter(([, weight]) => {
    const before = below / total;
    below += weight;
    return below / total >= (1 - SHOWN_SHARE) / 2 && before <= 1 - (1 - SHOWN_SHARE) / 2;
  });
  const marks = MARKS.map(([key]) => summary[key]).filter((price) => price !== null && price !== undefined);
  const prices = [...inside.map(([strike]) => strike), ...marks];
  const margin = (Math.max(...prices) - Math.min(...prices)) * 0.03 || 1;
  return [Math.min(...prices) - margin, Math.max(...prices) + margin];
}

async function draw() {
  const { answer, symbol } = shown;
  const { columns, summary } = answer;
  const plotly = await library();
  const colors = palette();
  const layout = baseLayout(colors);
  const marks = MARKS.filter(([key]) => summary[key] !== null && summary[key] !== undefined);
  const room = 0.07 * marks.length;
  Object.assign(layout.xaxis, { range: range(columns, summary), tickformat: ",~f", showgrid: false, spikecolor: colors.quiet, spikethickness: 1 });
  Object.assign(layout.yaxis, { domain: [0, 1 - room], tickformat: "$~s" });
  layout.barmode = "relative";
  layout.hovermode = "x unified";
  layout.bargap = 0.15;
  layout.uirevision = symbol;
  layout.shapes = marks.map(([key, , color], index) => ({ type: "line", x0: summary[key], x1: summary[key], yref: "paper", y0: 0, y1: 1 - 0.07 * index, line: { color: colors[color], width: 1.5, dash: key === "spot" ? "solid" : "dash" } }));
  // A step down for each: names of near prices do not cover each other.
  layout.annotations = marks.map(([key, name, color], index) => ({ x: summary[key], yref: "paper", y: 1 - 0.07 * index, yanchor: "top", xanchor: summary[key] < (summary.spot ?? 0) ? "right" : "left", bgcolor: colors.panel, text: `${name} ${number(summary[key], 2)}`, showarrow: false, font: { color: colors[color], size: 12 } }));
  const bars = (y, name, color) => ({ type: "bar", name, x: columns.strike, y, marker: { color }, hovertemplate: "%{y:$.3s}" });
  const traces = [
    bars(columns.gex_call, "calls", colors.up),
    bars(columns.gex_put, "puts", colors.down),
    { type: "scatter", mode: "lines", name: "net", x: columns.strike, y: columns.gex_net, line: { color: colors.text, width: 1 }, hovertemplate: "%{y:$.3s}" },
  ];
  await plotly.react("gex", traces, layout, SETTINGS);
}

function showSummary(summary) {
  const net = summary.net_gex;
  showPairs(byId("gex-summary"), [
    { name: "Spot", value: number(summary.spot, 2) },
    { name: "Net, per 1 % move", value: dollars(net), level: net > 0 ? "ok" : net < 0 ? "down" : null },
    { name: "Flip", value: number(summary.flip, 2) },
    { name: "Call wall", value: number(summary.call_wall, 2) },
    { name: "Put wall", value: number(summary.put_wall, 2) },
  ]);
}

/** Fetch and draw what is chosen; an answer that another choice overtook is dropped. */
export async function showGex() {
  const symbol = byId("gex-symbol").value.trim().toUpperCase();
  if (symbol === "") return;
  const mine = ++asked;
  try {
    const answer = await get(`/api/v1/gex/${encodeURIComponent(symbol)}`);
    if (mine !== asked) return;
    shown = { answer: { ...answer, summary: answer.summary ?? {} }, symbol };
    setText(byId("gex-title"), `Gamma exposure of ${symbol} by strike`);
    showSummary(shown.answer.summary);
    showCaption("gex-caption", answer);
    showMessage("gex", null);
    byId("gex").setAttribute("aria-label", `Gamma exposure of ${symbol} by strike, net ${dollars(answer.summary?.net_gex)}, flip ${number(answer.summary?.flip, 2)}`);
    await draw();
  } catch (error) {
    if (mine === asked) fail(error, symbol);
  }
}

function fail(error, symbol) {
  // While the service is away the last picture stays; its age says how old it is.
  if (error.status === 0 && shown !== null) return;
  shown = null;
  setText(byId("gex-title"), `Gamma exposure of ${symbol} by strike`);
  showPairs(byId("gex-summary"), []);
  setText(byId("gex-caption"), "");
  showMessage("gex", error.sentence ?? error.message);
}

/** Wire the choice and the theme; the first drawing is the caller's. */
export function startGex() {
  byId("gex-choice").addEventListener("submit", (event) => {
    event.preventDefault();
    showGex();
  });
  document.addEventListener("themechange", () => {
    if (shown !== null) draw();
  });
}
