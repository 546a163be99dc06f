"""Reports and chains in Redis for a short while: `gex:{symbol}` and `options:{symbol}:{expiry}`.

What is read back is checked: it may be another version's, or damaged. None always means that
there is nothing fresh.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from infrastructure.clock import parse_rfc3339, rfc3339
from infrastructure.errors import CorruptStore
from system.algo_trader.clients.redis_client import AlgoTraderRedisClient
from system.algo_trader.jobs.report_terms import ReportTerms
from system.algo_trader.options.chain import Chain
from system.algo_trader.options.chain_document import chain_of_documents, expiry_documents
from system.algo_trader.options.gex import STALE_S
from system.algo_trader.storage.hot_keys import OPTIONS

_NS_PER_S = 1e9
_NEEDED = ("symbol", "as_of", "spot", "total", "flip", "expiries", "strikes", "source")


class CachedReport(NamedTuple):
    """A report that somebody computed a moment ago.

    Attributes:
        document: The report, its age and staleness told anew.
        age_s: Seconds since it was computed.
    """

    document: dict[str, Any]
    age_s: float


def keep_report(
    redis: AlgoTraderRedisClient,
    chain: Chain,
    document: dict[str, Any],
    terms: ReportTerms,
    now_ns: int,
) -> None:
    """Keep a report for 30 seconds and the quotes of each expiry for 60.

    Args:
        redis: In the namespace of its realm.
        chain: The quotes.
        document: The report, as printed.
        terms: How it was computed.
        now_ns: When, nanoseconds UTC.

    Raises:
        StackError: As Redis's client.
    """
    kept = {**document, "terms": terms.as_dict(), "computed_at": rfc3339(now_ns)}
    redis.save_gex(chain.underlying, kept)
    for expiry, quotes in expiry_documents(chain).items():
        redis.save_options(chain.underlying, expiry, quotes)


def cached_report(
    redis: AlgoTraderRedisClient, symbol: str, terms: ReportTerms, now_ns: int
) -> CachedReport | None:
    """Return the report of a symbol, None when there is no fresh one on these terms.

    Args:
        redis: In the namespace of its realm.
        symbol: The underlying.
        terms: How it must have been computed.
        now_ns: The moment of asking, nanoseconds UTC.

    Raises:
        CorruptStore: If what is kept is no report; says what is wrong.
        StackError: As Redis's client.
    """
    document = redis.load_gex(symbol)
    if document is None:
        return None
    missing = [name for name in (*_NEEDED, "terms", "computed_at") if name not in document]
    if missing:
        raise CorruptStore(f"what Redis keeps as gex:{symbol} is no report: no {missing[0]!r}")
    try:
        computed_ns = parse_rfc3339(document["computed_at"])
        as_of_ns = parse_rfc3339(document["as_of"])
    except (TypeError, ValueError) as error:
        raise CorruptStore(f"what Redis keeps as gex:{symbol} is no report: {error}") from error
    if document.pop("terms") != terms.as_dict():
        return None
    age_s = max(0.0, (now_ns - computed_ns) / _NS_PER_S)
    quotes_age_s = max(0.0, (now_ns - as_of_ns) / _NS_PER_S)
    told = {"age_s": quotes_age_s, "stale": quotes_age_s > STALE_S, "cached_for_s": age_s}
    return CachedReport({**document, **told}, age_s)


def cached_expiries(redis: AlgoTraderRedisClient, symbol: str) -> tuple[str, ...]:
    """Return the expiry dates of a symbol whose quotes are fresh, sorted.

    Raises:
        StackError: As Redis's client.
    """
    prefix = OPTIONS.of(symbol=symbol.strip().upper(), expiry="?")[:-1]
    return tuple(name.removeprefix(prefix) for name in redis.keys(f"{_literal(prefix)}*"))


def cached_chain(redis: AlgoTraderRedisClient, symbol: str) -> Chain | None:
    """Return the whole chain of a symbol; None unless every expiry of one snapshot is fresh.

    Raises:
        CorruptStore: If what is kept is no chain; says what is wrong.
        StackError: As Redis's client.
    """
    kept = [redis.load_options(symbol, expiry) for expiry in cached_expiries(redis, symbol)]
    documents = [each for each in kept if each is not None]
    if not documents:
        return None
    try:
        listed = set(documents[0]["listed"])
        moments = {each["as_of"] for each in documents}
        if listed != {each["expiry"] for each in documents} or len(moments) != 1:
            return None
        return chain_of_documents(documents)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CorruptStore(
            f"what Redis keeps as options:{symbol} is no chain: {type(error).__name__} {error}"
        ) from error


def _literal(text: str) -> str:
    return "".join(f"\\{letter}" if letter in "\\*?[]^-" else letter for letter in text)
