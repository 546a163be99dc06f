"""Judge SQL over the archive: what it answers, and everything that it must not do."""

import json
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from infrastructure.clock import SystemClock
from infrastructure.errors import CorruptStore, NoDataError, StackError, UsageError
from system.algo_trader.api.operations.sql_child import Question, answered, connection
from system.algo_trader.api.operations.sql_sandbox import SqlSandbox
from system.algo_trader.jobs.option_archive import archive_chain
from system.algo_trader.market.bars import BAR_SCHEMA, Bars
from system.algo_trader.options.synthetic import synthetic_chain
from system.algo_trader.storage.archive import Archive
from system.algo_trader.storage.winners import pick_winners

DAY_NS = 86_400_000_000_000
SECRET = "hush-hush-4711"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    found = Archive(tmp_path_factory.mktemp("place") / "archive")
    chain = synthetic_chain(expiries=3, strikes=20)
    archive_chain(found, chain, source="replay", is_synthetic=True, request_id="chain")
    for request, source, shift in (("a", "schwab-sim", 0.0), ("b", "file", 1.0)):
        with found.transaction(request) as transaction:
            transaction.append(bars(source, shift), together=source == "file")
    return found


@pytest.fixture(scope="module")
def sandbox(archive: Archive) -> SqlSandbox:
    return SqlSandbox(archive, SystemClock())


@pytest.fixture
def sealed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Yield a file with a secret, which stands in a variable too."""
    path = tmp_path / "secret.csv"
    path.write_text(f"word\n{SECRET}\n")
    monkeypatch.setenv("ARROW_HUSH", SECRET)
    return path


def question(archive: Archive, sql: str) -> Question:
    return Question(str(archive.root), sql, 1000, 1_000_000, 5.0)


def bars(source: str, shift: float) -> Bars:
    count = 50
    rows = {
        "symbol": ["AAPL", "MSFT"] * (count // 2),
        "timeframe": ["1d"] * count,
        "start": [DAY_NS * (19_000 + row // 2) for row in range(count)],
        "session": ["rth"] * count,
        "adjustment": ["split"] * count,
        "source": [source] * count,
        "revision": [0] * count,
        "fetched_at": [DAY_NS * 20_000] * count,
        **{name: [100.0 + shift + row for row in range(count)] for name in ("open", "close")},
        "high": [101.0 + shift + row for row in range(count)],
        "low": [99.0 + shift + row for row in range(count)],
        "volume": [1000 + row for row in range(count)],
        "is_synthetic": [source == "schwab-sim"] * count,
    }
    return Bars(pa.table(rows, schema=BAR_SCHEMA))


def test_sums_agree_with_the_chain_that_was_stored(sandbox: SqlSandbox) -> None:
    chain = synthetic_chain(expiries=3, strikes=20)
    found = sandbox.query(
        'SELECT "right", count(*) AS n, sum(open_interest) AS oi FROM option_quotes '
        "GROUP BY 1 ORDER BY 1"
    )
    calls = chain.open_interest[chain.is_call].sum()
    puts = chain.open_interest[~chain.is_call].sum()
    assert found.table.column("oi").to_pylist() == [calls, puts]
    assert found.table.column("n").to_pylist() == [int(chain.is_call.sum())] * 2
    assert (found.sources, found.is_synthetic, found.truncated) == (("replay",), True, False)
    assert found.as_of_ns == chain.as_of_ns


def test_bars_are_the_ones_to_believe_and_revisions_stand_beside_them(
    sandbox: SqlSandbox,
) -> None:
    found = sandbox.query("SELECT symbol, start, source, close FROM bars_1d ORDER BY symbol, start")
    believed = pick_winners(Bars.concat([bars("schwab-sim", 0.0), bars("file", 1.0)]))
    assert set(found.table.column("source").to_pylist()) == {"file"}
    assert found.table.column("close").to_pylist() == believed.table.column("close").to_pylist()
    both = sandbox.query("SELECT count(*) AS n FROM bars_1d_revisions").table
    assert both.column("n").to_pylist() == [100]


def test_rows_beyond_the_most_are_left_out_and_said(sandbox: SqlSandbox) -> None:
    found = sandbox.query("SELECT * FROM range(1000000000000)", max_rows=7)
    assert (found.table.num_rows, found.truncated) == (7, True)
    exact = sandbox.query("SELECT * FROM range(7)", max_rows=7)
    assert (exact.table.num_rows, exact.truncated) == (7, False)


def test_bytes_beyond_the_most_are_left_out_and_said(sandbox: SqlSandbox) -> None:
    found = sandbox.query("SELECT repeat('x', 10000) FROM range(900)", max_bytes=1_000_000)
    assert found.truncated
    assert 80 < found.table.num_rows <= 100


def test_columns_of_one_name_each_get_their_own(sandbox: SqlSandbox) -> None:
    found = sandbox.query("SELECT 1 AS a, 2 AS a, 3 AS a_1, sum(range) AS s FROM range(4)")
    assert found.table.to_pylist() == [{"a": 1, "a_1": 2, "a_1_1": 3, "s": 6}]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_text('{file}')",
        "SELECT * FROM read_blob('{file}')",
        "SELECT * FROM read_csv('{file}')",
        "SELECT * FROM read_csv_auto('{file}')",
        "SELECT * FROM read_json('{file}')",
        "SELECT * FROM read_parquet('{part}')",
        "SELECT * FROM parquet_scan('{part}')",
        "SELECT * FROM parquet_metadata('{part}')",
        "SELECT * FROM sniff_csv('{file}')",
        "SELECT * FROM glob('{root}/*')",
        "SELECT * FROM '{file}'",
        'SELECT * FROM "{part}"',
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM 'https://example.com/a.parquet'",
        "SELECT 1 UNION ALL SELECT * FROM '/etc/passwd'",
        "SELECT (SELECT content FROM read_text('{file}'))",
        "WITH x AS (SELECT * FROM read_text('{file}')) SELECT * FROM x",
        "SELECT getenv('ARROW_HUSH')",
        "SELECT current_setting('allowed_paths')",
        "SELECT current_setting('home_directory')",
        "SELECT getvariable('x')",
        "SELECT * FROM query('SELECT 1')",
        "SELECT * FROM query_table('bars_1d')",
        "SELECT * FROM duckdb_settings()",
        "SELECT * FROM duckdb_secrets()",
        "SELECT * FROM duckdb_databases()",
        "SELECT * FROM duckdb_databases",
        "SELECT * FROM duckdb_views",
        "SELECT * FROM pragma_database_list",
        "SELECT * FROM pragma_database_list()",
        "SELECT * FROM pragma_table_info('bars_1d')",
        "SELECT * FROM information_schema.tables",
        "SELECT * FROM pg_catalog.pg_class",
        "SELECT * FROM sqlite_master",
        "SELECT * FROM duckdb_databases, (WITH duckdb_databases AS (SELECT 1) SELECT 2)",
        "WITH bars_1d AS (SELECT 1) SELECT * FROM bars_1d",
        "WITH x AS (SELECT 1) SELECT * FROM main.x",
        "SELECT * FROM memory.main.bars_1d",
        "SELECT * FROM arrow_scan(1, 2, 3)",
        "SELECT * FROM pandas_scan(1)",
        "SELECT * FROM files",
        "COPY (SELECT 1) TO '{file}'",
        "COPY bars_1d FROM '{file}'",
        "EXPORT DATABASE '{root}/out'",
        "ATTACH '{root}/x.db' AS x",
        "INSTALL httpfs",
        "LOAD httpfs",
        "LOAD '{file}'",
        "PRAGMA database_list",
        "PRAGMA enable_profiling",
        "SET enable_external_access = true",
        "SET memory_limit = '100GB'",
        "RESET memory_limit",
        "CALL duckdb_settings()",
        "CREATE TABLE x AS SELECT 1",
        "CREATE SECRET (TYPE s3)",
        "DROP VIEW bars_1d",
        "INSERT INTO bars_1d SELECT * FROM bars_1d",
        "EXPLAIN ANALYZE SELECT 1",
        "DESCRIBE bars_1d",
        "SHOW TABLES",
        "USE memory",
        "SELECT 1; SELECT 2",
        "SELECT 1; COPY (SELECT 1) TO '{file}'",
        "PREPARE x AS SELECT 1",
        "EXECUTE x",
        "BEGIN",
        "",
        ";",
        "-- nothing",
        "selec",
        "SELECT nope FROM bars_1d",
        "SELECT \x00",
    ],
)
def test_nothing_but_a_select_of_our_tables_is_answered(
    archive: Archive, sealed: Path, sql: str
) -> None:
    part = archive.root / archive.files("bars_1d")[0].path
    asked = sql.replace("{file}", str(sealed)).replace("{part}", str(part))
    with pytest.raises(UsageError) as raised:
        # What the process does, without the process.
        answered(question(archive, asked.replace("{root}", str(archive.root))))
    said = json.dumps(raised.value.as_dict())
    assert SECRET not in said
    assert "\n" not in raised.value.message
    assert sealed.read_text() == f"word\n{SECRET}\n"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_text('{file}')",
        "SELECT * FROM '{file}'",
        "COPY (SELECT 1) TO '{file}'",
        "ATTACH '{file}.db' AS x",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "SET memory_limit = '100GB'",
        "SELECT * FROM files",
    ],
)
def test_what_would_pass_the_reading_of_its_text_is_refused_by_duckdb_too(
    sealed: Path, sql: str
) -> None:
    files = [sealed]
    with connection() as asked:
        asked.execute("SET lock_configuration = true")
        with pytest.raises(duckdb.Error):
            asked.execute(sql.replace("{file}", str(files[0]))).fetchall()
    assert sealed.read_text() == f"word\n{SECRET}\n"


@pytest.mark.parametrize(
    "sql",
    [
        "WITH RECURSIVE x AS (SELECT 1 i UNION ALL SELECT i + 1 FROM x) SELECT count(*) FROM x",
        "SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE a.range + b.range < 0",
        "SELECT max(a.strike + b.strike + c.strike + d.strike + e.strike) FROM option_quotes a, "
        "option_quotes b, option_quotes c, option_quotes d, option_quotes e",
    ],
)
def test_a_question_without_end_is_ended(sandbox: SqlSandbox, sql: str) -> None:
    with pytest.raises(UsageError, match=r"takes longer than 0\.5 s"):
        sandbox.query(sql, timeout_s=0.5)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT list(range) FROM range(1000000000)",
        "SELECT range(1000000000)",
        "SELECT repeat('x', 1000000000)",
        "SELECT repeat('x', 100000000) FROM range(2048)",
        "SELECT lpad('x', 1000000000, 'y') FROM range(100)",
        "WITH RECURSIVE t AS (SELECT 'xxxxxxxxxx' s UNION ALL SELECT s || s FROM t) "
        "SELECT max(length(s)) FROM t",
        "SELECT string_agg(repeat('x', 1000000), '') FROM range(100000)",
        "SELECT repeat('x', 20000000)",
    ],
)
def test_a_question_that_would_fill_the_memory_fails_alone(sandbox: SqlSandbox, sql: str) -> None:
    with pytest.raises(UsageError, match=r"memory|larger|longer"):
        sandbox.query(sql, timeout_s=3.0)
    assert sandbox.query("SELECT 1 AS a").table.to_pylist() == [{"a": 1}]


def test_long_texts_are_refused_before_they_are_read(sandbox: SqlSandbox) -> None:
    with pytest.raises(UsageError, match="letters"):
        sandbox.query("SELECT " + "+".join(["1"] * 20_000))
    with pytest.raises(UsageError):
        sandbox.query("SELECT " + "(" * 9000 + "1" + ")" * 9000)


def test_an_unknown_table_names_those_that_there_are(sandbox: SqlSandbox) -> None:
    with pytest.raises(UsageError) as raised:
        sandbox.query("SELECT * FROM candles")
    assert raised.value.message == "there is no table 'candles' here"
    assert raised.value.next_step == "There are: bars_1d, bars_1d_revisions, option_quotes."


def test_no_archive_is_no_data(tmp_path: Path) -> None:
    with pytest.raises(NoDataError) as raised:
        SqlSandbox(Archive(tmp_path / "none"), SystemClock()).query("SELECT 1")
    assert str(tmp_path) not in str(raised.value)


def test_a_damaged_part_is_said_without_its_place(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "archive")
    with archive.transaction("a") as transaction:
        transaction.append(bars("file", 0.0))
    for part in archive.files("bars_1d"):
        (archive.root / part.path).write_bytes(b"no parquet")
    with pytest.raises(CorruptStore) as raised:
        SqlSandbox(archive, SystemClock()).query("SELECT * FROM bars_1d")
    assert str(tmp_path) not in str(raised.value)
    assert isinstance(raised.value, StackError)
