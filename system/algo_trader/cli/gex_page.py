"""A page that draws one gamma report and needs nothing from the network."""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import Any, Final

_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>
body {{ font: 15px system-ui, sans-serif; margin: 1.5rem; color: #1f2430; background: #fff; }}
h1 {{ font-size: 1.25rem; margin: 0; }} p {{ margin: .3rem 0 1rem; color: #555; }}
.chart {{ height: 46vh; min-height: 320px; }}
</style></head><body>
<h1>{title}</h1><p>{subtitle}</p>
<div id="strikes" class="chart"></div><div id="profile" class="chart"></div>
<div id="smile" class="chart"></div>
<script>{library}</script>
<script id="report" type="application/json">{data}</script>
<script>
const report = JSON.parse(document.getElementById("report").textContent);
const marks = [["spot", report.spot, "#1f2430"], ["flip", report.flip.price, "#b8860b"],
  ["call wall", report.call_wall.price, "#2e8b57"], ["put wall", report.put_wall.price, "#c0392b"]]
  .filter((mark) => mark[1] !== null);
const lines = marks.map(([, x, color]) => ({{type: "line", x0: x, x1: x,
  yref: "paper", y0: 0, y1: 1, line: {{color, width: 1.5, dash: "dot"}}}}));
const names = marks.map(([name, x, color], i) => ({{x, yref: "paper", y: 1 - 0.07 * i,
  text: name + " " + x.toFixed(2), showarrow: false, xanchor: "left",
  bgcolor: "rgba(255,255,255,0.85)", font: {{color, size: 12}}}}));
const levels = report.profile.level;
const inside = report.strikes.filter((row) =>
  row.strike >= levels[0] && row.strike <= levels[levels.length - 1]);
const x = inside.map((row) => row.strike);
const bars = (side, name, color) => ({{type: "bar", name, x, marker: {{color}},
  y: inside.map((row) => row.gex[side])}});
const layout = (title, extra) => Object.assign({{title: {{text: title}}, shapes: lines,
  annotations: names, xaxis: {{title: {{text: "price of " + report.symbol}}}},
  yaxis: {{title: {{text: "dollars per 1 % move"}}, zeroline: true}},
  hovermode: "x unified", margin: {{t: 50, r: 20}}}}, extra);
const settings = {{responsive: true, displaylogo: false}};
Plotly.newPlot("strikes", [bars("call", "calls", "#2e8b57"), bars("put", "puts", "#c0392b"),
  {{type: "scatter", mode: "lines", name: "net", x, y: inside.map((row) => row.gex.net),
    line: {{color: "#1f2430", width: 1}}}}],
  layout("Gamma by strike", {{barmode: "relative"}}), settings);
Plotly.newPlot("profile", [{{type: "scatter", mode: "lines", name: "net gamma", x: levels,
  y: report.profile.gex, fill: "tozeroy", line: {{color: "#34568b"}}}}],
  layout("Net gamma if the price moves", {{}}), settings);
const smile = report.iv_bands.smile;
if (smile !== null) {{
  const side = (name, title, color, fill) => ({{type: "scatter", mode: "lines", name: title,
    x: smile.strike, y: smile[name].map((each) => each.value), fill, connectgaps: false,
    text: smile[name].map((each) => each.reason === null ? "" : each.reason),
    line: {{color, width: name === "mid" ? 2 : 1}}}});
  Plotly.newPlot("smile", [side("bid", "bid", "#9aa7bd", "none"),
    side("ask", "ask", "#9aa7bd", "tonexty"), side("mid", "middle", "#34568b", "none")],
    layout("Implied volatility of the next expiry: bid, middle and ask, " + smile.settles,
      {{yaxis: {{title: {{text: "volatility a year"}}, tickformat: ".0%"}}}}), settings);
}}
</script></body></html>
"""


def gex_page(document: dict[str, Any]) -> str:
    """Return an HTML page with bars by strike, the profile, the spot, the flip and the walls.

    Args:
        document: A report as `options.gex.GexReport.as_dict` gives it, with the underlying's name.
    """
    import plotly

    library = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
    data = json.dumps(document, allow_nan=False).replace("<", "\\u003c")
    return _PAGE.format(
        title=html.escape(f"Gamma exposure of {document['name']} ({document['symbol']})"),
        subtitle=html.escape(
            f"Quotes of {document['as_of']}, {document['convention']}, weighted by "
            f"{document['weighting'].replace('_', ' ')}, "
            f"{document['contracts_used']:,} contracts at {document['strikes_used']:,} strikes"
        ),
        library=library.read_text(encoding="utf-8").replace("</script", "<\\/script"),
        data=data,
    )
