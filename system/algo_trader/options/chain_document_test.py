"""Judge a chain's documents: dates of New York, null for what is missing."""

import json

import numpy as np
import pytest

from infrastructure.clock import parse_rfc3339
from system.algo_trader.options.chain import Chain
from system.algo_trader.options.chain_document import chain_of_documents, expiry_documents


def test_settlements_of_one_date_share_a_document_and_missing_is_null() -> None:
    opening = parse_rfc3339("2022-06-17T13:30:00Z")
    closing = parse_rfc3339("2022-06-17T20:00:00Z")
    later = parse_rfc3339("2022-06-21T20:00:00Z")
    chain = Chain.of(
        "SPX",
        4000.0,
        parse_rfc3339("2022-06-13T20:00:00Z"),
        [later, closing, opening],
        [4000.0, 4100.0, 3900.0],
        [True, False, True],
        bid=[1.0, -999.0, 3.0],
    )
    documents = expiry_documents(chain)
    assert list(documents) == ["2022-06-17", "2022-06-21"]
    first = documents["2022-06-17"]
    assert first["settles"] == ["2022-06-17T13:30:00Z", "2022-06-17T20:00:00Z"]
    assert (first["strike"], first["right"]) == ([3900.0, 4100.0], ["C", "P"])
    assert first["bid"] == [3.0, None]
    assert documents["2022-06-21"]["bid"] == [1.0]
    assert first["listed"] == ["2022-06-17", "2022-06-21"]
    json.dumps(documents, allow_nan=False)
    back = chain_of_documents(list(reversed(documents.values())))
    assert back.settles_ns.tolist() == [opening, closing, later]
    assert np.array_equal(back.bid, [3.0, np.nan, 1.0], equal_nan=True)
    assert (back.spot, back.as_of_ns, back.multiplier) == (4000.0, chain.as_of_ns, 100.0)


def test_no_document_is_no_chain() -> None:
    with pytest.raises(ValueError, match="no document"):
        chain_of_documents([])
