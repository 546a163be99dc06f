"""Judge `gex` as a person and a machine call it, on a small quote table and on broken ones."""

import json
from pathlib import Path

import pytest

from infrastructure.exchange.symbology import parse_option
from system.algo_trader.cli.gex import dollars
from system.algo_trader.feeds.cboe import HEADINGS
from system.algo_trader.jobs.report_terms import curve_of
from system.algo_trader.main import main
from system.algo_trader.options.black import greeks


def quote_table(*, held: int = 100, strikes: tuple[int, ...] = tuple(range(3700, 4301, 25))) -> str:
    """A table of 20 % volatility around 4000 for one PM-settled expiry in six days."""
    lines = [
        "",
        "Standard & Poors 500 Index,Last: 4000,Change: 0",
        '"Date: June 13, 2022, 4:00 PM EDT",Bid: 3999,Ask: 4001,Size: 1*1,Volume: 0',
        ",".join(HEADINGS),
    ]
    for strike in strikes:
        cells = ["Fri Jun 17 2022"]
        for right in "CP":
            price = float(greeks(4000, strike, 4 / 365, 0.2, right == "C").price)
            open_interest = held if (right == "C") == (strike > 4000) else held // 4
            cells += [f"SPXW220617{right}{strike * 1000:08d}", "0", "0"]
            cells += [f"{price:.4f}", f"{price + 1e-4:.4f}", "10", "0.2", "0", "0"]
            cells += [str(open_interest), f"{strike:.2f}"] if right == "C" else [str(open_interest)]
        lines.append(",".join(cells))
    return "\n".join(lines)


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ALGO_TRADER_HOME", str(tmp_path / "home"))
    path = tmp_path / "quotes.csv"
    path.write_text(quote_table(), encoding="utf-8")
    return path


def test_a_machine_gets_the_whole_report(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gex", "SPX", "--cboe", str(table), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["symbol"] == "SPX"
    assert report["stale"] is True
    assert report["confidence"] == "ok"
    assert report["expiries"][0]["settles"] == "2022-06-17T20:00:00Z"
    assert report["expiries"][0]["atm_volatility"] == pytest.approx(0.2, abs=1e-3)
    assert report["call_wall"]["price"] >= 4000 >= report["put_wall"]["price"]
    assert 3700 < report["flip"]["price"] < 4300


def test_a_person_gets_tables(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gex", "spx", "--cboe", str(table)]) == 0
    out = capsys.readouterr().out
    for text in ("Standard & Poors 500 Index (SPX)", "STALE", "call wall", "Largest strikes"):
        assert text in out
    assert "2022-06-17" in out


def test_the_page_needs_nothing_from_the_network(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "gex.html"
    assert main(["gex", "SPX", "--cboe", str(table), "--json", "--plot", str(page)]) == 0
    text = page.read_text(encoding="utf-8")
    assert "<script src" not in text
    assert "<link" not in text
    assert "Plotly.newPlot" in text
    data = text.split('type="application/json">')[1].split("</script>")[0]
    assert json.loads(data) == json.loads(capsys.readouterr().out)


def test_signs_weights_and_rates_are_settings(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = ["--signs", "dealer-short-both", "--weight", "volume", "--rates", "0.25:0.01,1:0.02"]
    assert main(["gex", "SPX", "--cboe", str(table), "--json", "--greeks", "vendor", *wanted]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["total"]["gex"]["call"] < 0
    assert report["flip"]["price"] is None
    assert "stays below zero" in report["flip"]["reason"]
    # The table's zero gammas have bids: they are missing, whatever was preferred.
    assert report["greeks_source"]["vendor"] == 0


def test_without_open_interest_the_answer_is_null_with_reasons(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table.write_text(quote_table(held=0), encoding="utf-8")
    assert main(["gex", "SPX", "--cboe", str(table)]) == 0
    assert "no call at or above the spot has any gamma" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["SPY", "--cboe", "{table}"], 2, "options on SPX, not on SPY"),
        (["SPX", "--cboe", "{table}", "--watch"], 2, "--watch does not go with --cboe"),
        (["SPX", "--cboe", "{table}", "--archive"], 2, "--archive goes with neither"),
        (["SPX", "--cboe", "{table}", "--at", "2026-01-16T20:00:00Z"], 2, "--at needs --archive"),
        (["SPX", "--archive", "--at", "noon"], 2, "'noon' is no moment"),
        (["SPX", "--archive", "--plot", "{table}/x.html"], 4, "the archive holds no chain of SPX"),
        (["SPX", "--cboe", "{table}.gone"], 2, "there is no file"),
        (["SPX", "--cboe", "{table}", "--signs", "x"], 2, "is no sign convention"),
        (["SPX", "--cboe", "{table}", "--weight", "x"], 2, "Expected open_interest or volume"),
        (["SPX", "--cboe", "{table}", "--greeks", "x"], 2, "Expected computed or vendor"),
        (["SPX", "--cboe", "{table}", "--rates", "1:0.1,0:2"], 2, "is no rate and no curve"),
        (["SPX", "--cboe", "{table}", "--plot", "{table}/x.html"], 2, "cannot write the page"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_exit_code_2(
    table: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    sentence: str,
) -> None:
    filled = [text.replace("{table}", str(table)) for text in arguments]
    assert main(["gex", *filled]) == code
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1


def test_an_empty_table_is_exit_code_4(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table.write_text(quote_table(strikes=()), encoding="utf-8")
    assert main(["gex", "SPX", "--cboe", str(table)]) == 4
    assert "holds no option" in capsys.readouterr().err


def test_a_curve_is_read_by_terms() -> None:
    assert curve_of("0.05").at(3) == pytest.approx(0.05)
    assert curve_of("0.5:0.04,1:0.05").at(0.75) == pytest.approx(0.045)


def test_dollars_have_few_digits_and_a_sign() -> None:
    assert dollars(-42_309_344_723) == "-$42.31B"
    assert dollars(1_500_000) == "$1.50M"
    assert dollars(999) == "$999.00"
    assert dollars(-1234) == "-$1.23K"


def test_the_tables_own_symbols_are_options() -> None:
    assert parse_option("SPXW220617C04000000").underlying.to_schwab() == "$SPX"


def test_the_report_has_bands_and_where_the_volatility_stands(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["gex", "SPX", "--cboe", str(table), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    band = report["expiries"][0]["iv_band"]
    assert band["bid"]["value"] < 0.2001 < band["ask"]["value"] + 2e-4
    assert report["early_exercise"] == {"american": 0, "matters": 0, "threshold": 0.01}
    assert report["provenance"]["source"] == "cboe"
    assert report["provenance"]["is_synthetic"] is False
    standing = report["iv_standing"]
    assert (standing["rank"], standing["percentile"], standing["window"]) == (None, None, 252)
    assert standing["reason"] == "no two expiries with a volatility lie around 30 days"
    ratio, mood = report["put_call_volume"]["value"], report["sentiment"]
    limits = ("calls" if ratio < 0.8 else "puts" if ratio > 1 else "balanced") if ratio else None
    assert (mood["regime"], mood["sessions"], mood["shifted"]) == (limits, 0, None)
    assert mood["put_call_mean"] == ratio
    assert all(row["volume"] >= 2 * row["open_interest"] for row in report["flow"])


def test_a_person_sees_bands_the_standing_and_the_exercise_style(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["gex", "SPX", "--cboe", str(table)]) == 0
    out = capsys.readouterr().out
    expected = ("bid-ask iv", "iv 30 days", "rank –", "these options are European")
    for text in (*expected, "sentiment", "unusual"):
        assert text in out


def test_a_one_sided_table_gives_nulls_with_reasons(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # The puts keep their lines, as in every table, but nobody quotes or holds them.
    lines = table.read_text(encoding="utf-8").splitlines()
    table.write_text(
        "\n".join(
            ",".join([*line.split(",")[:12], line.split(",")[12], *["0"] * 9])
            if line.startswith("Fri")
            else line
            for line in lines
        ),
        encoding="utf-8",
    )
    assert main(["gex", "SPX", "--cboe", str(table), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["put_wall"]["price"] is None
    assert "no put at or below the spot" in report["put_wall"]["reason"]
    assert report["flip"]["price"] is None
    assert report["flip"]["reason"]
    assert report["iv_bands"]["reasons"]["mid"]["no_bid"] == len(report["strikes"])


def test_expired_strikes_are_counted_left_out_and_explained(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = table.read_text(encoding="utf-8").replace("June 13, 2022", "June 21, 2022")
    table.write_text(text, encoding="utf-8")
    assert main(["gex", "SPX", "--cboe", str(table), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["contracts"], report["contracts_expired"]) == (0, 50)
    assert report["expiries"] == []
    assert report["iv_bands"]["smile"] is None
    for name in ("flip", "call_wall", "put_wall", "max_gamma"):
        assert report[name]["price"] is None
        assert report[name]["reason"]


def test_a_table_with_nan_for_quotes_spoils_no_number(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = table.read_text(encoding="utf-8")
    cell = next(line for line in text.splitlines() if line.startswith("Fri")).split(",")
    table.write_text(text.replace(f",{cell[4]},", ",nan,", 1), encoding="utf-8")
    assert main(["gex", "SPX", "--cboe", str(table), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["total"]["gex"]["net"] == report["total"]["gex"]["net"]
    assert report["contracts"] == 50
