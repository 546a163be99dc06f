"""One operation as a route: the cache first, a thread where the stores have to be asked."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import parse_qsl

from system.algo_trader.api.access.caller import require
from system.algo_trader.api.http.answer_cache import CHECK_S, AnswerCache, Kept, Key
from system.algo_trader.api.http.sending import (
    Receive,
    Scope,
    Send,
    header,
    send_bytes,
    send_problem,
)
from system.algo_trader.api.http.work import Work
from system.algo_trader.api.operations.answer import Answer
from system.algo_trader.api.operations.catalogue import PAGE_ROWS, Operation
from system.algo_trader.api.operations.parameters import parse_query
from system.algo_trader.api.operations.problem import Problem
from system.algo_trader.api.operations.rendering import (
    Form,
    Rendered,
    arrow_pages,
    form_of,
    ndjson_pages,
    render,
)
from system.algo_trader.api.operations.stores import Stores
from system.algo_trader.api.operations.streaming import is_long, pages_of

ROUTE: Final = "algo_trader.route"
"""The key of an ASGI scope under which a route notes the template of its path."""
ROWS: Final = "algo_trader.rows"
"""The key of an ASGI scope under which a route notes how many rows it gave out."""
_LONGEST_QUERY: Final = 8192
_MEDIA: Final = {form: str(form).encode() for form in Form}


GONE: Final = 499
"""The status of an answer whose caller did not wait for its end."""


class BrokenOff(Exception):
    """Say why an answer ends in its middle; another status may have been sent already.

    Args:
        said: Why.
        status: What the audit has of it.
    """

    def __init__(self, said: str, status: int) -> None:
        super().__init__(said)
        self.status = status


@dataclass(frozen=True, slots=True)
class Desk:
    """Hold what all routes share.

    Attributes:
        stores: What is read from.
        work: Threads.
        cache: Answers.
    """

    stores: Stores
    work: Work = field(default_factory=Work)
    cache: AnswerCache = field(default_factory=AnswerCache)


class OperationRoute:
    """Answer one operation over HTTP.

    Args:
        operation: What is asked.
        desk: What all routes share.
    """

    def __init__(self, operation: Operation, desk: Desk) -> None:
        self._operation = operation
        self._desk = desk
        self._in_path = [each for each in operation.parameters if each.in_path]
        live = operation.lives_s < CHECK_S
        self._check_s = operation.lives_s if live else CHECK_S

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        try:
            scope[ROUTE] = self._operation.path
            require(scope, self._operation.needs)
            form = form_of(header(scope, b"accept"))
            query: bytes = scope["query_string"]
            key: Key = (scope["path"], query, form)
            now_s = asyncio.get_running_loop().time()
            kept = self._desk.cache.fresh(key, now_s, self._check_s)
            if kept is None:
                values = self._values(scope, query)
                if is_long(values):
                    await self._stream(scope, receive, send, values, form)
                    return
                kept = await self._desk.cache.find(key, lambda: self._find(key, values, form))
            await self._send(scope, send, kept)
        except Problem as problem:
            await send_problem(send, problem)

    async def answer(self, path: str, values: dict[str, Any], form: Form = Form.JSON) -> Kept:
        """Return the answer that a request for a path without a query gets: the same bytes.

        Args:
            path: As in the request.
            values: What it asks for.
            form: Of the answer.

        Raises:
            Problem: If there is none.
        """
        key: Key = (path, b"", form)
        now_s = asyncio.get_running_loop().time()
        kept = self._desk.cache.fresh(key, now_s, self._check_s)
        if kept is None:
            kept = await self._desk.cache.find(key, lambda: self._find(key, values, form))
        return kept

    def _values(self, scope: Scope, query: bytes) -> dict[str, Any]:
        if len(query) > _LONGEST_QUERY:
            raise Problem(414, f"a query has at most {_LONGEST_QUERY} bytes")
        try:
            pairs = parse_qsl(
                query.decode("ascii"), keep_blank_values=True, strict_parsing=bool(query)
            )
        except (ValueError, UnicodeError):
            raise Problem(400, "the query is malformed", allowed="name=value&name=value") from None
        in_path = {each.name for each in self._in_path}
        for name, _ in pairs:
            if name in in_path:
                raise Problem(400, f"{name} stands in the path", name)
        pairs += [(name, scope["path_params"][name]) for name in in_path]
        return parse_query(self._operation.parameters, pairs)

    async def _find(self, key: Key, values: dict[str, Any], form: Form) -> Kept:
        operation, stores, loop = self._operation, self._desk.stores, asyncio.get_running_loop()
        old, began_s = self._desk.cache.known(key), loop.time()
        young = old is not None and began_s - old.made_s < operation.lives_s

        def find() -> tuple[Rendered, bytes] | None:
            version = "" if operation.version is None else operation.version(stores, values)
            if old is not None and young and version and version == old.rendered.version:
                return None
            rendered = render(operation.answer(stores, values), form)
            # The version from before the reading: what came meanwhile is looked for again.
            return replace(rendered, version=version), _etag(rendered)

        found = await self._desk.work.do(find)
        if found is None:
            assert old is not None
            return Kept(old.rendered, old.etag, old.made_s, began_s)
        return Kept(*found, began_s, began_s)

    async def _send(self, scope: Scope, send: Send, kept: Kept) -> None:
        rendered, now_ns = kept.rendered, self._desk.stores.clock.now_ns()
        scope[ROWS] = rendered.rows
        headers = [
            (b"etag", kept.etag),
            (b"cache-control", b"private, no-cache"),
            (b"vary", b"Accept"),
        ]
        if rendered.aged_from_ns is not None:
            age_s = max(0.0, (now_ns - rendered.aged_from_ns) / 1e9)
            headers.append((b"x-data-age-s", b"%.3f" % age_s))
        if rendered.is_stale:
            headers.append((b"x-data-stale", b"true"))
        if _matches(header(scope, b"if-none-match"), kept.etag):
            await send({"type": "http.response.start", "status": 304, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
            return
        content = rendered.content(now_ns)
        await send_bytes(send, 200, content, _MEDIA[rendered.form], headers)

    async def _stream(
        self, scope: Scope, receive: Receive, send: Send, values: dict[str, Any], form: Form
    ) -> None:
        if self._operation.pages is None or form is Form.JSON:
            raise Problem(
                400,
                f"more than {PAGE_ROWS} rows are streamed only",
                "limit",
                f"at most {PAGE_ROWS}, or Accept: {Form.NDJSON} or {Form.ARROW}",
            )
        stores = self._desk.stores
        pages = _Counted(pages_of(self._operation, stores, values))
        rendered = arrow_pages if form is Form.ARROW else ndjson_pages
        chunks = rendered(pages, stores.clock.now_ns())
        leaving = asyncio.ensure_future(_until_gone(receive))
        try:
            chunk = await self._chunk(chunks, leaving)
            head = [(b"content-type", _MEDIA[form]), (b"cache-control", b"no-store")]
            await send({"type": "http.response.start", "status": 200, "headers": head})
            while chunk:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
                scope[ROWS] = pages.rows
                try:
                    chunk = await self._chunk(chunks, leaving)
                except Problem as problem:
                    # Half an answer must not look like a whole one: the connection breaks off.
                    raise BrokenOff(problem.detail, problem.status) from problem
            await send({"type": "http.response.body", "body": b""})
        finally:
            leaving.cancel()

    async def _chunk(self, chunks: Iterator[bytes], leaving: asyncio.Future[None]) -> bytes:
        """Return the next part of a stream, b"" at its end.

        Raises:
            Problem: If there is none.
            BrokenOff: If nobody waits for it.
        """
        # The server's `send` does not fail for want of a caller.
        if not leaving.done():
            chunk = await self._desk.work.do(lambda: next(chunks, b""))
            if not leaving.done():
                return chunk
        leaving.result()
        raise BrokenOff("the caller has gone", GONE)


class _Counted:
    """Count the rows of pages that are taken.

    Args:
        pages: Where from.
    """

    def __init__(self, pages: Iterator[Answer]) -> None:
        self._pages = pages
        self.rows = 0

    def __iter__(self) -> Iterator[Answer]:
        return self

    def __next__(self) -> Answer:
        page = next(self._pages)
        self.rows += page.table.num_rows
        return page


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _etag(rendered: Rendered) -> bytes:
    """Name an answer by what it says: a store's version does not know of every cache above it."""
    return b'W/"%s"' % hashlib.blake2b(rendered.body, digest_size=12).hexdigest().encode()


def _matches(asked: str | None, etag: bytes) -> bool:
    if not asked:
        return False
    return asked.strip() == "*" or etag.decode() in [each.strip() for each in asked.split(",")]
