// What the charts share: the library, fetched after the first view, and colours of the theme.
//
// Plotly writes two style sheets into the page, which the content policy forbids. It leaves out the
// first where an element of its id has the class no-inline-styles, the second (for maps, which we
// do not draw) where an element of its id exists. Styles of single elements it sets by the CSSOM,
// which the policy allows, except for markup in texts: so no text of ours has any.

import { byId, element, setText } from "./element.js";
import { showAge } from "./ages.js";
import { span } from "./words.js";

const MAP_STYLES_ID = "9f215cf04c5486422605d13261cb87401f4e7763b6296af81e98efbc0130da53";
let loading = null;

/** Return Plotly, fetched once. */
export function library() {
  loading ??= new Promise((resolve, reject) => {
    document.head.append(
      element("link", { id: "plotly.js-style-global", class: "no-inline-styles", rel: "stylesheet", href: "/assets/charts.css" }),
      element("meta", { id: MAP_STYLES_ID }),
    );
    const script = element("script", { src: "/assets/plotly.min.js" });
    script.addEventListener("load", () => resolve(globalThis.Plotly));
    script.addEventListener("error", () => {
      loading = null;
      script.remove();
      reject(new Error("The chart library could not be fetched."));
    });
    document.head.append(script);
  });
  return loading;
}

/** Return the theme's colours as the browser resolves them. */
export function palette() {
  const probe = element("span", { hidden: "" });
  document.body.append(probe);
  const read = (name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const names = ["text", "quiet", "panel", "line", "up", "down", "accent", "warn", "volume", "shade"];
  const colors = Object.fromEntries(names.map((name) => [name, read(name)]));
  probe.remove();
  return colors;
}

/** Return the layout that both charts start from. */
export function baseLayout(colors) {
  const axis = { gridcolor: colors.line, linecolor: colors.line, zerolinecolor: colors.quiet, tickcolor: colors.line, automargin: true, fixedrange: false };
  return {
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: colors.quiet, size: 12, family: "system-ui, sans-serif" },
    hoverlabel: { bgcolor: colors.panel, bordercolor: colors.quiet, font: { color: colors.text, size: 12 } },
    hovermode: "x",
    dragmode: matchMedia("(pointer: coarse)").matches ? false : "pan",
    margin: { t: 10, r: 8, b: 28, l: 8 },
    showlegend: false,
    xaxis: { ...axis },
    yaxis: { ...axis, side: "right" },
    uirevision: "kept",
  };
}

export const SETTINGS = { responsive: true, displayModeBar: false, displaylogo: false, scrollZoom: false, doubleClick: "reset", plotlyServerURL: "" };

/** Say whose data a chart shows and how old they are. */
export function showCaption(id, answer) {
  const caption = byId(id);
  if (caption.firstChild === null) caption.append(element("span", { class: "tag" }), element("span"), element("span"));
  const [tag, words, age] = caption.children;
  setText(tag, "simulated");
  tag.hidden = !answer.is_synthetic;
  setText(words, [answer.source, answer.licence].filter(Boolean).join(" · "));
  showAge(age, answer.age_s ?? null, (seconds) => (seconds === null ? "" : `${span(seconds)} old`));
}

/** Show a sentence in a chart's place; null shows the chart. */
export function showMessage(name, text) {
  setText(byId(`${name}-message`), text ?? "");
  byId(`${name}-message`).hidden = text === null;
  byId(name).hidden = text !== null;
}
