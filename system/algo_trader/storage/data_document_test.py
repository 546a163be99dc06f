from pathlib import Path

from system.algo_trader.storage.data_document import data_document, write_document
from system.algo_trader.storage.records import ARCHIVED, SCHEMAS
from system.algo_trader.storage.tables import PRIVATE_TABLES, TABLES

STORED = Path(__file__).parents[3] / "docs" / "data.md"
NAME = "docs/data.md"


def test_the_document_in_the_repository_is_what_the_declarations_say() -> None:
    assert STORED.read_text(encoding="utf-8") == data_document(), f"write {NAME} again"


def test_every_column_of_every_table_is_in_the_document() -> None:
    text = data_document()
    for table in (*TABLES, *PRIVATE_TABLES):
        section = text.partition(f"### `{table.name}`")[2].partition("\n### ")[0]
        for column in table.columns:
            assert f"| {column.name} | {column.kind} | {column.unit} |" in section


def test_every_dataset_of_the_archive_is_described() -> None:
    described = {dataset.name for dataset in ARCHIVED}
    assert described == {"bars_{timeframe}", *SCHEMAS}
    for dataset in ARCHIVED:
        assert dataset.schema.field(dataset.time).type == "int64"


def test_the_command_writes_the_file(tmp_path: Path) -> None:
    write_document(tmp_path / "data.md")
    assert (tmp_path / "data.md").read_text(encoding="utf-8") == data_document()
