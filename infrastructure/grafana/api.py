"""Grafana's HTTP API as far as a provisioning client needs it: upserts by uid, health, queries.

Source: Grafana's HTTP API reference, versions 11 to 13; only uid forms are used, because the
numeric ones are off by default since 13.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import quote

import requests

from infrastructure.clock import Clock, SystemClock
from infrastructure.config import Secret
from infrastructure.errors import (
    FileLimitExceeded,
    ForeignService,
    NetworkError,
    QueryError,
    RequestRejected,
    ServiceUnavailable,
)
from infrastructure.grafana.http import TIMEOUT_S, GrafanaHttp

MANAGED_TAG = "managed-by:algo_trader"
CONTENT_TAG = "content:"
READY_TIMEOUT_S = 90.0
POLL_S = 0.25
NS_PER_MS = 1_000_000


class Outcome(StrEnum):
    """What an upsert did."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class ServerHealth:
    """What /api/health says.

    Attributes:
        version: Grafana's version.
        database: `ok` when its own database answers.
        commit: Build of the server.
    """

    version: str
    database: str
    commit: str


def content_hash(model: dict[str, Any]) -> str:
    """Return 12 hex digits over what a dashboard says, without what the server adds to it."""
    kept = {key: value for key, value in model.items() if key not in ("id", "version", "tags")}
    kept["tags"] = [tag for tag in model.get("tags", []) if not tag.startswith(CONTENT_TAG)]
    text = json.dumps(kept, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


class GrafanaApi:
    """Talk to one Grafana server.

    Args:
        url: Address of the server.
        token: Service account token, None for none.
        user: Name for basic authentication.
        password: Its password, None for none.
        session: Transport, for tests.
        clock: Source of time and sleep.
        timeout_s: Seconds to wait for an answer.
    """

    def __init__(
        self,
        url: str,
        *,
        token: Secret | None = None,
        user: str = "admin",
        password: Secret | None = None,
        session: requests.Session | None = None,
        clock: Clock | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self.http = GrafanaHttp(
            url, token=token, user=user, password=password, session=session, timeout_s=timeout_s
        )
        self.clock: Clock = clock or SystemClock()

    @property
    def url(self) -> str:
        """Return the server's address without a slash at its end."""
        return self.http.url

    def health(self) -> ServerHealth:
        """Ask the server whether it is up; no credentials are needed.

        Raises:
            ServiceUnavailable: It does not answer, or its database is down.
            ForeignService: Something answers that is no Grafana.
        """
        try:
            _, value = self.http.send("GET", "/api/health")
        except RequestRejected as error:
            raise ForeignService(
                f"the server at {self.url} is not Grafana",
                next_step="Free that port, or set GRAFANA_URL to your Grafana.",
            ) from error
        if not isinstance(value, dict) or "database" not in value:
            raise ForeignService(
                f"the server at {self.url} is not Grafana",
                next_step="Free that port, or set GRAFANA_URL to your Grafana.",
            )
        health = ServerHealth(
            str(value.get("version", "")), str(value["database"]), str(value.get("commit", ""))
        )
        if health.database != "ok":
            raise ServiceUnavailable(
                f"Grafana at {self.url} reports its database as {health.database}",
                next_step="Look at `grafana logs`.",
            )
        return health

    def wait_until_ready(
        self, timeout_s: float = READY_TIMEOUT_S, watch: Callable[[], None] | None = None
    ) -> ServerHealth:
        """Wait until the server is up; a first start migrates its database for 5 to 30 s.

        Args:
            timeout_s: Seconds to wait at most.
            watch: Called before each try; it raises when waiting has no more sense.

        Raises:
            ServiceUnavailable: It is not up after that time.
        """
        deadline = self.clock.monotonic_ns() + int(timeout_s * 1e9)
        while True:
            if watch is not None:
                watch()
            try:
                return self.health()
            except (ServiceUnavailable, NetworkError) as error:
                if self.clock.monotonic_ns() >= deadline:
                    raise ServiceUnavailable(
                        f"Grafana at {self.url} was not ready within {timeout_s:g} s"
                        f" ({error.message})",
                        next_step="Look at `grafana logs`.",
                    ) from error
            self.clock.sleep(POLL_S)

    def upsert_folder(self, uid: str, title: str) -> Outcome:
        """Create a folder if there is none of this uid."""
        status, _ = self.http.send("GET", f"/api/folders/{quote(uid)}", passed=(404,))
        if status != 404:
            return Outcome.UNCHANGED
        # 409 and 412: another process made it in between.
        status, _ = self.http.send(
            "POST", "/api/folders", {"uid": uid, "title": title}, passed=(409, 412)
        )
        return Outcome.CREATED if status < 300 else Outcome.UNCHANGED

    def upsert_datasource(self, source: dict[str, Any]) -> Outcome:
        """Create a datasource, or replace the one of the same uid.

        One that a provisioning file made is left as it is: the file is its truth.

        Args:
            source: The body of the API, with `uid`, `name`, `type`, `access`.
        """
        path = f"/api/datasources/uid/{quote(source['uid'])}"
        status, known = self.http.send("GET", path, passed=(404,))
        if status == 404:
            status, _ = self.http.send("POST", "/api/datasources", source, passed=(409,))
            if status < 300:
                return Outcome.CREATED
            status, known = self.http.send("GET", path, passed=(404,))
            if status == 404:
                raise ForeignService(
                    f"Grafana at {self.url} has another datasource named {source['name']!r}",
                    next_step="Rename it in Grafana, then run `grafana provision` again.",
                )
        if known.get("readOnly") or _same_source(known, source):
            return Outcome.UNCHANGED
        self.http.send("PUT", path, source)
        return Outcome.UPDATED

    def get_dashboard(self, uid: str) -> dict[str, Any] | None:
        """Return `{"dashboard": model, "meta": ...}` of a uid, None if there is none."""
        status, value = self.http.send("GET", f"/api/dashboards/uid/{quote(uid)}", passed=(404,))
        return None if status == 404 else dict(value)

    def upsert_dashboard(self, model: dict[str, Any], folder_uid: str = "") -> Outcome:
        """Create a dashboard, replace ours of the same uid, or leave an equal one alone.

        Ours carry the tag `managed-by:algo_trader` and one with a hash of their content.

        Args:
            model: The bare dashboard object with its `uid`.
            folder_uid: Folder to put it in, empty for the top.

        Raises:
            ForeignService: A dashboard of this uid exists that we did not make.
        """
        tags = [*model.get("tags", [])]
        if MANAGED_TAG not in tags:
            tags.append(MANAGED_TAG)
        wanted = {**model, "id": None, "tags": tags}
        wanted["tags"] = [*tags, CONTENT_TAG + content_hash(wanted)]
        known = self.get_dashboard(model["uid"])
        if known is not None:
            if known.get("meta", {}).get("provisioned"):
                return Outcome.UNCHANGED
            self._refuse_foreign(known["dashboard"])
            same_place = known.get("meta", {}).get("folderUid", "") == folder_uid
            if same_place and wanted["tags"][-1] in known["dashboard"].get("tags", []):
                return Outcome.UNCHANGED
        self.http.send(
            "POST",
            "/api/dashboards/db",
            {
                "dashboard": wanted,
                "folderUid": folder_uid,
                "overwrite": known is not None,
                "message": f"algo_trader {wanted['tags'][-1]}",
            },
        )
        return Outcome.CREATED if known is None else Outcome.UPDATED

    def delete_dashboard(self, uid: str) -> bool:
        """Remove a dashboard that we made; return whether there was one.

        Raises:
            ForeignService: It is not ours.
        """
        known = self.get_dashboard(uid)
        if known is None:
            return False
        self._refuse_foreign(known["dashboard"])
        self.http.send("DELETE", f"/api/dashboards/uid/{quote(uid)}")
        return True

    def _refuse_foreign(self, model: dict[str, Any]) -> None:
        if MANAGED_TAG not in model.get("tags", []):
            raise ForeignService(
                f"Grafana at {self.url} has a dashboard {model.get('uid')!r} that algo_trader did"
                " not make",
                next_step=f"Give it another uid, or the tag {MANAGED_TAG} to hand it over.",
            )

    def search_dashboards(self, tag: str = MANAGED_TAG) -> list[dict[str, Any]]:
        """Return the dashboards that carry a tag."""
        params = {"type": "dash-db", "tag": tag, "limit": "5000"}
        return list(self.http.send("GET", "/api/search", params=params)[1])

    def datasource_health(self, uid: str) -> str:
        """Let Grafana check a datasource and return what it says.

        Raises:
            ServiceUnavailable: Grafana cannot reach the database, or the database refuses it.
        """
        path = f"/api/datasources/uid/{quote(uid)}/health"
        status, value = self.http.send("GET", path, passed=(400, 404, 500, 502, 503, 504))
        message = str(value.get("message", "")) if isinstance(value, dict) else ""
        if status >= 300 or value.get("status") != "OK":
            raise ServiceUnavailable(
                f"Grafana at {self.url} cannot use the datasource {uid}: {message or status}",
                next_step="Check that InfluxDB is up (`algo-trader services status`), then run"
                " `grafana start` again.",
            )
        return message

    def query_rows(
        self,
        sql: str,
        datasource_uid: str,
        *,
        from_ns: int = 0,
        to_ns: int | None = None,
        interval_ms: int = 60_000,
        timeout_s: float = 60.0,
    ) -> list[dict[str, Any]]:
        """Run SQL through Grafana and return rows; times are ns UTC.

        Args:
            sql: The query; Grafana expands its macros.
            datasource_uid: The datasource to ask.
            from_ns: Start of the range, ns UTC.
            to_ns: End of the range, ns UTC; None for now.
            interval_ms: Bin width for the macros, milliseconds.
            timeout_s: Seconds to wait.

        Raises:
            FileLimitExceeded: The query spans more files than the database allows.
            QueryError: The database refused the query.
        """
        end = self.clock.now_ns() if to_ns is None else to_ns
        body = {
            "from": str(from_ns // NS_PER_MS),
            "to": str(-(-end // NS_PER_MS)),
            "queries": [
                {
                    "refId": "A", "datasource": {"type": "influxdb", "uid": datasource_uid},
                    "rawSql": sql, "format": "table", "rawQuery": True,
                    "intervalMs": interval_ms, "maxDataPoints": 1_000_000,
                }
            ],
        }  # fmt: skip
        # Answers with `results` carry each query's own error, whatever the status is.
        status, value = self.http.send(
            "POST", "/api/ds/query", body, passed=(207, 400, 500, 502, 503), timeout_s=timeout_s
        )
        result = value.get("results", {}).get("A") if isinstance(value, dict) else None
        if result is None:
            said = value.get("message", "") if isinstance(value, dict) else ""
            raise QueryError(f"Grafana refused the query with {status}: {said}")
        if "error" in result:
            reason = str(result["error"])
            if "file limit" in reason:
                raise FileLimitExceeded(
                    f"the query spans too many files: {reason}",
                    next_step="Choose a shorter range, or raise --query-file-limit.",
                )
            raise QueryError(f"the database refused the query: {reason}")
        return [row for frame in result.get("frames", []) for row in frame_rows(frame)]

    def reload_provisioning(self) -> None:
        """Let Grafana read its provisioning files again; needs the admin's password."""
        for kind in ("datasources", "dashboards"):
            self.http.send("POST", f"/api/admin/provisioning/{kind}/reload")


def frame_rows(frame: dict[str, Any]) -> list[dict[str, Any]]:
    """Turn a data frame into rows; times become ns UTC (milliseconds plus `nanos`)."""
    fields = frame["schema"]["fields"]
    columns = frame["data"]["values"]
    nanos = frame["data"].get("nanos") or [None] * len(fields)
    plain = [
        _times(values, rest) if field["type"] == "time" else values
        for field, values, rest in zip(fields, columns, nanos, strict=True)
    ]
    names = [field["name"] for field in fields]
    return [dict(zip(names, row, strict=True)) for row in zip(*plain, strict=True)]


def _times(values: list[Any], nanos: list[int] | None) -> list[int | None]:
    rest = nanos or [0] * len(values)
    return [
        None if ms is None else int(ms) * NS_PER_MS + extra
        for ms, extra in zip(values, rest, strict=True)
    ]


def _same_source(known: dict[str, Any], wanted: dict[str, Any]) -> bool:
    # Grafana never shows secureJsonData: a datasource with a secret is always written again.
    if wanted.get("secureJsonData"):
        return False
    return all(known.get(key) == value for key, value in wanted.items() if key != "secureJsonData")
