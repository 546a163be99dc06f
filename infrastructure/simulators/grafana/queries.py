"""Answer /api/ds/query and datasource health of the stand-in, against the real database."""

from __future__ import annotations

import re
import time
from typing import Any

from infrastructure.simulators.grafana.flight import DatasourceError, frame_of, query_flight
from infrastructure.simulators.grafana.macros import MacroError, QueryWindow, expand_macros
from infrastructure.simulators.grafana.state import ApiError

UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "M": 2_629_800, "y": 31_557_600}
RELATIVE = re.compile(r"now(?:-(\d+)([smhdwMy]))?")
NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000


def instant_ns(text: str, now_ns: int) -> int:
    """Return the instant of `now`, `now-6h` or milliseconds, in ns UTC.

    Raises:
        ApiError: The text is none of these.
    """
    match = RELATIVE.fullmatch(text)
    if match:
        return now_ns - int(match[1] or 0) * UNITS_S[match[2] or "s"] * NS_PER_S
    if text.lstrip("-").isdigit():
        return int(text) * NS_PER_MS
    raise ApiError(400, f"invalid time range: {text}")


def run_sql(datasource: dict[str, Any], sql: str, ref_id: str, form: str) -> dict[str, Any]:
    """Run one query on a datasource and return its entry of `results`."""
    options = datasource.get("jsonData") or {}
    try:
        if datasource["type"] != "influxdb" or options.get("version") != "SQL":
            raise DatasourceError("unknown influx version")
        if str(datasource["url"]).startswith("http://") and not options.get("insecureGrpc"):
            raise DatasourceError("flightsql: tls: first record does not look like a TLS handshake")
        table = query_flight(
            str(datasource["url"]),
            str(options.get("dbName", "")),
            str((datasource.get("secureJsonData") or {}).get("token", "")),
            sql,
            float(options.get("timeout", 30)),
        )
        frame = frame_of(table, ref_id, sql, form)
    except DatasourceError as error:
        return {"error": str(error), "errorSource": "downstream", "status": error.status}
    return {"status": 200, "frames": [frame] if frame else []}


def answer_query(
    datasources: dict[str, dict[str, Any]], body: dict[str, Any]
) -> tuple[int, dict[str, Any]]:
    """Answer a POST to /api/ds/query.

    Raises:
        ApiError: No query, no time range, or an unknown datasource.
    """
    queries = body.get("queries") or []
    if not queries:
        raise ApiError(400, "no queries found")
    now = time.time_ns()
    start, end = (instant_ns(str(body.get(key, "")), now) for key in ("from", "to"))
    results: dict[str, Any] = {}
    for query in queries:
        ref_id = str(query.get("refId", "A"))
        source = datasources.get(str((query.get("datasource") or {}).get("uid")))
        if source is None:
            raise ApiError(404, "Data source not found")
        window = QueryWindow(start, end, int(query.get("intervalMs", 1000)))
        try:
            sql = expand_macros(str(query.get("rawSql", "")), window)
        except MacroError as error:
            results[ref_id] = {"error": str(error), "status": 400}
            continue
        form = str(query.get("format") or "time_series")
        results[ref_id] = run_sql(source, sql, ref_id, form)
        if "error" in results[ref_id]:
            break
    failed = any("error" in result for result in results.values())
    return (400 if failed else 200), {"results": results}


def answer_health(datasource: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Answer the health check of a datasource: `select 1`."""
    result = run_sql(datasource, "select 1", "healthcheck", "table")
    if "error" in result:
        return 400, {"message": f"ERROR: {result['error']}", "status": "ERROR", "details": None}
    return 200, {"message": "OK", "status": "OK", "details": None}
