import pickle

import pytest

from infrastructure.config import Secret


def test_no_usual_way_of_printing_shows_the_value() -> None:
    secret = Secret("hunter2")
    shown = [repr(secret), str(secret), f"{secret}", f"{secret:>20}", f"{[secret]}", "%s" % secret]  # noqa: UP031
    assert all("hunter2" not in text for text in shown)
    assert secret.reveal() == "hunter2"


def test_secrets_compare_by_value_and_only_with_secrets() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a")}) == 1
    assert not Secret("")


def test_secrets_are_not_pickled() -> None:
    with pytest.raises(TypeError):
        pickle.dumps(Secret("a"))
