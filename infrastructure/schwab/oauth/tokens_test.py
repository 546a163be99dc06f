import threading

import pytest

from infrastructure.config import Secret
from infrastructure.logging import redact
from infrastructure.schwab.oauth import MemoryTokenStore, TokenSet

S = 10**9


def token_set(expires_at_ns: int = 1800 * S) -> TokenSet:
    return TokenSet(
        access_token=Secret("I0.access-token-value@"),
        refresh_token=Secret("refresh-token-value@"),
        expires_at_ns=expires_at_ns,
        signed_in_at_ns=0,
        scope="api",
        id_token=Secret("header.payload.signature"),
    )


def test_a_token_is_fresh_until_the_leeway_before_its_end() -> None:
    tokens = token_set()
    assert tokens.is_fresh(1680 * S, leeway_s=120)
    assert not tokens.is_fresh(1680 * S + 1, leeway_s=120)


def test_the_refresh_token_ends_seven_days_after_the_sign_in() -> None:
    assert token_set().refresh_expires_at_ns == 604_800 * S
    assert token_set().refresh_age_s(86_400 * S) == 86_400.0


def test_revealed_values_make_the_same_token_set() -> None:
    tokens = token_set()
    assert TokenSet.from_revealed({**tokens.reveal(), "unknown": 1}) == tokens


@pytest.mark.parametrize(
    "change",
    [{"access_token": 5}, {"expires_at_ns": "soon"}, {"signed_in_at_ns": True}],
)
def test_values_of_another_type_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(TypeError):
        TokenSet.from_revealed({**token_set().reveal(), **change})


def test_missing_values_are_refused() -> None:
    with pytest.raises(KeyError):
        TokenSet.from_revealed({"access_token": "a"})


def test_repr_shows_no_token() -> None:
    shown = repr(token_set())
    assert "value" not in shown
    assert "payload" not in shown


def test_a_made_token_set_is_known_to_the_redaction() -> None:
    token_set()
    text = redact(
        "got I0.access-token-value@ and refresh-token-value%40 and header.payload.signature"
    )
    assert "value" not in text
    assert "payload" not in text


def test_the_memory_store_keeps_and_forgets() -> None:
    store = MemoryTokenStore()
    assert store.load() is None
    tokens = token_set()
    with store.lock(), store.lock():
        store.save(tokens)
    assert store.load() == tokens
    store.delete()
    assert store.load() is None


def test_the_memory_stores_lock_keeps_another_thread_away() -> None:
    store = MemoryTokenStore(token_set())
    thread = threading.Thread(target=store.delete)
    with store.lock():
        thread.start()
        thread.join(timeout=0.05)
        assert store.load() is not None
    thread.join(timeout=5)
    assert store.load() is None
