"""The peer of `bench api`: plain FastAPI on uvicorn, as its tutorial has it, with the same answers.

The key is a header that a dependency checks; documents are encoded a request by JSONResponse,
columns are given out as the bytes that they are; stored bars come from one Parquet file by DuckDB.
"""

from __future__ import annotations

import hmac
import json
import socket
import sys
from pathlib import Path
from typing import Any, Final

JSON_FILE: Final = "answer.json"
ARROW_FILE: Final = "answer.arrow"
BARS_FILE: Final = "bars.parquet"
ARROW: Final = "application/vnd.apache.arrow.stream"
_BATCH_ROWS: Final = 20_000


def application(folder: Path, key: str) -> Any:
    """Return the application.

    Args:
        folder: Holds the answers.
        key: Whoever shows it may ask.
    """
    import duckdb
    import pyarrow as pa
    from fastapi import Depends, FastAPI, Header, HTTPException
    from fastapi.responses import JSONResponse, Response

    document = json.loads((folder / JSON_FILE).read_bytes())
    ready, columns = (folder / JSON_FILE).read_bytes(), (folder / ARROW_FILE).read_bytes()
    every = f"SELECT * FROM read_parquet('{folder / BARS_FILE}')"
    database = duckdb.connect()

    async def checked(x_api_key: str = Header()) -> None:
        if not hmac.compare_digest(x_api_key.encode(), key.encode()):
            raise HTTPException(401)

    app = FastAPI(dependencies=[Depends(checked)])

    @app.get("/json")
    async def as_json() -> Any:
        return JSONResponse(document)

    @app.get("/cached")
    async def cached() -> Any:
        return Response(ready, media_type="application/json")

    @app.get("/arrow")
    async def arrow() -> Any:
        return Response(columns, media_type=ARROW)

    @app.get("/bars")
    def some(start: int, limit: int) -> Any:
        query = f"{every} WHERE start >= {start} ORDER BY start LIMIT {limit}"
        rows = database.cursor().sql(query).to_arrow_table()
        return JSONResponse({name: rows[name].to_pylist() for name in rows.column_names})

    @app.get("/year")
    def year() -> Any:
        rows = database.cursor().sql(f"{every} ORDER BY start").to_arrow_table()
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, rows.schema) as writer:
            writer.write_table(rows, _BATCH_ROWS)
        return Response(sink.getvalue().to_pybytes(), media_type=ARROW)

    return app


def main(folder: Path, key: str) -> None:
    """Serve until killed; the port is printed once connections are taken.

    Args:
        folder: As in `application`.
        key: As in `application`.
    """
    import uvicorn

    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listening:
        config = uvicorn.Config(application(folder, key), log_level="error", access_log=False)
        print(json.dumps({"port": listening.getsockname()[1]}), flush=True)
        uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.stdin.readline().strip())
