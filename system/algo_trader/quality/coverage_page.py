"""Coverage as a page that needs nothing from the network: a row a symbol, a cell a day."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final

from system.algo_trader.market.stream_gap import StreamGap
from system.algo_trader.quality.coverage import Coverage, DayCoverage
from system.algo_trader.quality.known_gaps import words_of

_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 14px system-ui, sans-serif; margin: 1.5rem; }}
h1 {{ font-size: 1.2rem; margin: 0 0 .25rem; }} h2 {{ font-size: 1rem; }}
p {{ margin: .25rem 0 1rem; }}
.wide {{ overflow-x: auto; }} table {{ border-collapse: separate; border-spacing: 1px; }}
th {{ text-align: left; font-weight: 600; padding-right: .75rem; white-space: nowrap; }}
td {{ min-width: 14px; height: 18px; padding: 0; }}
td.gap {{ outline: 2px solid currentColor; outline-offset: -2px; }}
td.n {{ padding: 0 .75rem; text-align: right; }}
</style></head><body><h1>{title}</h1><p>{subtitle}</p>
<div class="wide"><table>{rows}</table></div>
<p>A cell is a trading day: green complete, red empty, grey nothing expected. Hold the pointer on
one for its numbers. A framed one was touched by a gap of a stream that is recorded.</p>
{gaps}</body></html>
"""


Known = Mapping[str, Mapping[date, Sequence[StreamGap]]]


def coverage_page(
    title: str, subtitle: str, rows: Sequence[Coverage], known: Known | None = None
) -> str:
    """Return a page of coverages.

    Args:
        title: Its title.
        subtitle: One sentence on source and time.
        rows: One a symbol.
        known: Recorded gaps of streams by symbol and day.
    """
    known = known or {}
    return _PAGE.format(
        title=html.escape(title),
        subtitle=html.escape(subtitle),
        rows="".join(_row(each, known.get(each.symbol, {})) for each in rows),
        gaps=_list(known),
    )


def _list(known: Known) -> str:
    every = {gap.identity: gap for days in known.values() for gaps in days.values() for gap in gaps}
    if not every:
        return ""
    lines = sorted(words_of(gap) for gap in every.values())
    items = "".join(f"<li>{html.escape(line)}</li>" for line in lines)
    return f"<h2>Gaps of streams</h2><ul>{items}</ul>"


def _row(each: Coverage, known: Mapping[date, Sequence[StreamGap]]) -> str:
    share = "none" if each.share is None else f"{100 * each.share:.2f} %"
    name = html.escape(f"{each.symbol} {each.timeframe}")
    cells = "".join(_cell(day, known.get(day.date, ())) for day in each.days)
    return f'<tr><th>{name}</th><td class="n">{share}</td>{cells}</tr>\n'


def _cell(day: DayCoverage, gaps: Sequence[StreamGap]) -> str:
    note = f"{day.date}: {day.present} of {day.expected}"
    if day.longest_gap:
        note += f", longest gap {day.longest_gap}"
    if day.is_early_close:
        note += ", half day"
    note = html.escape("\n".join([note, *map(words_of, gaps)]))
    mark = ' class="gap"' if gaps else ""
    return f'<td{mark} style="background:{_colour(day.share)}" title="{note}"></td>'


def _colour(share: float | None) -> str:
    if share is None:
        return "#9994"
    # Red at nothing over yellow to green, which only a complete day gets.
    return "#2e8b57" if share == 1 else f"hsl({55 * share:.0f} 75% 52%)"
