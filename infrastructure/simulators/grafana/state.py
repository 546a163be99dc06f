"""What the stand-in Grafana keeps: folders, datasources, dashboards, accounts, annotations."""

from __future__ import annotations

import hashlib
import re
import threading
from dataclasses import dataclass, field
from itertools import count
from typing import Any

UID = re.compile(r"[a-zA-Z0-9_-]{1,40}")


class ApiError(Exception):
    """Report a request that the API answers with an error.

    Args:
        status: HTTP status.
        message: The `message` of the JSON body.
        reason: The `status` of the body, as in `version-mismatch`.
    """

    def __init__(self, status: int, message: str, reason: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"message": message, **({"status": reason} if reason else {})}


@dataclass(slots=True)
class Dashboard:
    """A stored dashboard and where it lies."""

    model: dict[str, Any]
    folder_uid: str
    version: int
    provisioned: bool = False
    messages: list[str] = field(default_factory=list)


class GrafanaState:
    """Keep everything that the API can change, with the API's own refusals."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.folders: dict[str, dict[str, Any]] = {}
        self.datasources: dict[str, dict[str, Any]] = {}
        self.dashboards: dict[str, Dashboard] = {}
        self.accounts: dict[int, dict[str, Any]] = {}
        self.tokens: dict[str, str] = {}
        self.annotations: list[dict[str, Any]] = []
        self._ids = count(1)

    def next_id(self) -> int:
        """Return a number that nothing else here has."""
        return next(self._ids)

    def save_folder(self, body: dict[str, Any]) -> dict[str, Any]:
        """Create a folder.

        Raises:
            ApiError: The title is missing or the uid is taken.
        """
        title, uid = body.get("title"), body.get("uid") or _uid_of(str(body.get("title")))
        if not title:
            raise ApiError(400, "folder title cannot be empty")
        if uid in self.folders:
            raise ApiError(409, "a folder with the same uid already exists")
        self.folders[uid] = {
            "id": self.next_id(), "uid": uid, "title": title, "url": f"/dashboards/f/{uid}/",
            "parentUid": body.get("parentUid", ""), "version": 1,
        }  # fmt: skip
        return self.folders[uid]

    def save_datasource(self, body: dict[str, Any], uid: str | None = None) -> dict[str, Any]:
        """Create a datasource, or replace the one of a uid.

        Raises:
            ApiError: Required keys are missing, the name is taken, or the datasource is missing
                or came from a file.
        """
        if not body.get("name") or not body.get("type") or not body.get("access"):
            raise ApiError(400, "bad request data")
        known = self.datasources.get(uid or "")
        if uid is not None and known is None:
            raise ApiError(404, "Data source not found")
        if known is not None and known["readOnly"]:
            raise ApiError(403, "Cannot update read-only data source")
        own = uid or body.get("uid") or _uid_of(str(body["name"]))
        taken = any(
            d["name"] == body["name"] and d["uid"] != own for d in self.datasources.values()
        )
        if taken or (uid is None and own in self.datasources):
            raise ApiError(409, "data source with the same name already exists")
        self.datasources[own] = {
            "id": known["id"] if known else self.next_id(),
            "orgId": 1,
            **body,
            "uid": own,
            "readOnly": bool(body.get("readOnly", False)),
            "version": known["version"] + 1 if known else 1,
        }
        return self.datasources[own]

    def save_dashboard(self, body: dict[str, Any], *, provisioned: bool = False) -> dict[str, Any]:
        """Create or replace a dashboard.

        Raises:
            ApiError: No title, a bad uid, an unknown folder, an existing one without
                `overwrite`, or one that came from a file.
        """
        model = body.get("dashboard")
        if not isinstance(model, dict) or not model.get("title"):
            raise ApiError(400, "Dashboard title cannot be empty")
        uid = model.get("uid") or _uid_of(model["title"])
        if not UID.fullmatch(uid):
            raise ApiError(400, "uid contains illegal characters or is too long")
        folder = body.get("folderUid") or ""
        if folder and folder not in self.folders:
            raise ApiError(400, "folder not found")
        known = self.dashboards.get(uid)
        if known is not None and known.provisioned and not provisioned:
            raise ApiError(400, "Cannot save provisioned dashboard")
        if known is not None and not body.get("overwrite"):
            raise ApiError(
                412,
                "The dashboard has been changed by someone else",
                "version-mismatch",
            )
        same_title = any(
            other.model["title"] == model["title"] and other.folder_uid == folder
            for other_uid, other in self.dashboards.items()
            if other_uid != uid
        )
        if same_title and not body.get("overwrite"):
            raise ApiError(
                412,
                "A dashboard with the same name in the folder already exists",
                "name-exists",
            )
        version = known.version + 1 if known else 1
        identity = known.model["id"] if known else self.next_id()
        stored = {**model, "id": identity, "uid": uid, "version": version}
        self.dashboards[uid] = Dashboard(stored, folder, version, provisioned)
        self.dashboards[uid].messages.append(str(body.get("message", "")))
        return {
            "id": identity, "uid": uid, "url": f"/d/{uid}/{_uid_of(model['title'])}",
            "status": "success", "version": version, "slug": _uid_of(model["title"]),
            "folderUid": folder,
        }  # fmt: skip

    def dashboard(self, uid: str) -> dict[str, Any]:
        """Return a dashboard with its place, as GET by uid answers.

        Raises:
            ApiError: There is none of this uid.
        """
        known = self.dashboards.get(uid)
        if known is None:
            raise ApiError(404, "Dashboard not found")
        return {
            "dashboard": known.model,
            "meta": {
                "slug": _uid_of(known.model["title"]),
                "url": f"/d/{uid}/{_uid_of(known.model['title'])}",
                "version": known.version,
                "provisioned": known.provisioned,
                "folderUid": known.folder_uid,
                "folderTitle": self.folders.get(known.folder_uid, {}).get("title", "General"),
            },
        }

    def delete_dashboard(self, uid: str) -> dict[str, Any]:
        """Remove a dashboard.

        Raises:
            ApiError: There is none of this uid, or it came from a file.
        """
        title = self.dashboard(uid)["dashboard"]["title"]
        if self.dashboards[uid].provisioned:
            raise ApiError(400, "provisioned dashboard cannot be deleted")
        del self.dashboards[uid]
        return {"title": title, "message": f"Dashboard {title} deleted", "id": 0}

    def search(self, query: dict[str, list[str]]) -> list[dict[str, Any]]:
        """Return the dashboards that match type, tags, folders and text."""
        kinds = query.get("type", ["dash-db"])
        tags = set(query.get("tag", []))
        folders = set(",".join(query.get("folderUIDs", [])).split(",")) - {""}
        text = (query.get("query") or [""])[0].lower()
        limit = int((query.get("limit") or ["1000"])[0])
        if "dash-db" not in kinds:
            return []
        hits = [
            {
                "uid": uid, "title": known.model["title"], "type": "dash-db", "url": f"/d/{uid}/",
                "tags": known.model.get("tags", []), "folderUid": known.folder_uid,
            }
            for uid, known in self.dashboards.items()
            if tags <= set(known.model.get("tags", []))
            and (not folders or known.folder_uid in folders)
            and text in known.model["title"].lower()
        ]  # fmt: skip
        page = int((query.get("page") or ["1"])[0])
        return hits[(page - 1) * limit : page * limit]


def _uid_of(title: str) -> str:
    slug = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
    return slug[:40] or hashlib.sha256(title.encode()).hexdigest()[:12]
