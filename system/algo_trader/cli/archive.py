"""`archive verify|compact|query`: the Parquet files that are the truth."""

from __future__ import annotations

from typing import Annotated

import typer

from system.algo_trader.cli.invocation import current
from system.algo_trader.cli.store import JSON, stored_realm

app = typer.Typer(help="Verify, compact and query the archive.", no_args_is_help=True)


@app.command()
def verify(
    context: typer.Context,
    place: Annotated[str | None, typer.Argument(help="A folder or URL of a copy.")] = None,
    as_json: JSON = False,
) -> None:
    """Read every part and compare it with its sha256; one flipped bit is found."""
    from infrastructure.errors import CorruptStore
    from system.algo_trader import terminal
    from system.algo_trader.storage.archive_files import ArchiveFiles

    files = ArchiveFiles.open(place or stored_realm(context).archive)
    damages = files.damages()
    if damages:
        raise CorruptStore(
            f"{len(damages)} of {len(files.parts)} parts of {files.place} are damaged: "
            + "; ".join(damages),
            next_step="Restore them from a backup.",
        )
    strays = files.strays()
    if as_json or current(context).as_json:
        facts = {"place": files.place, "parts": len(files.parts), "damages": damages}
        terminal.print_json({**facts, "strays": strays})
        return
    out = terminal.console()
    out.print(f"{len(files.parts)} parts of {files.place} are whole")
    if strays:
        out.print(
            f"{len(strays)} more are counted by no commit, such as {strays[0]}; "
            "`archive compact --remove-strays` removes them"
        )


@app.command()
def compact(
    context: typer.Context,
    remove_strays: Annotated[
        bool, typer.Option("--remove-strays", help="Remove parts that no commit counts, first.")
    ] = False,
    as_json: JSON = False,
) -> None:
    """Merge small parts; no row is lost."""
    from dataclasses import asdict

    from system.algo_trader import terminal
    from system.algo_trader.storage.archive import Archive
    from system.algo_trader.storage.upkeep import compact as run

    archive = Archive(stored_realm(context).archive)
    strays = archive.tidy() if remove_strays else 0
    done = run(archive)
    if as_json or current(context).as_json:
        terminal.print_json({**asdict(done), "strays_removed": strays})
        return
    out = terminal.console()
    if remove_strays:
        out.print(f"{strays} files that no commit counted were removed")
    if done.parted:
        out.print(f"{done.parted} files that symbols shared were parted by symbol")
    out.print(f"{done.before} parts became {done.after}, {done.rows:,} rows")


@app.command()
def query(
    context: typer.Context,
    sql: Annotated[str, typer.Argument(help="SQL; datasets are views, as bars_1m or trades.")],
    place: Annotated[str | None, typer.Option(help="A folder or URL of a copy.")] = None,
) -> None:
    """Ask DuckDB; rows are printed as JSON."""
    from system.algo_trader import terminal
    from system.algo_trader.storage.archive_files import ArchiveFiles

    files = ArchiveFiles.open(place or stored_realm(context).archive)
    terminal.print_json(files.sql(sql).to_pylist())
