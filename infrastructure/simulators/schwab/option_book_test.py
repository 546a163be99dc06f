from infrastructure.exchange.symbols import Option
from infrastructure.simulators.schwab.market import ReplayMarket
from infrastructure.simulators.schwab.option_book import OptionBook


def test_one_contract_is_quoted_as_in_its_chain_and_only_if_it_is_in_it(
    bokeh_market: ReplayMarket,
) -> None:
    book = OptionBook(bokeh_market)
    chain = book.contracts("AAPL")
    assert len(chain) > 100
    for contract in chain[::17]:
        assert book.contract(contract.option) == contract
        option = contract.option
        beside = Option.of("AAPL", option.expiry, option.right, option.strike + 1)
        assert book.contract(beside) is None
