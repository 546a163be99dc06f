import inspect

import pytest

from infrastructure import errors
from infrastructure.errors import tree

EXIT_CODES = {
    "RetryableError": 3,
    "SignInRequired": 2,
    "InputError": 2,
    "NoDataError": 4,
    "OperatorError": 3,
    "BugError": 1,
}


def _classes() -> list[type[errors.StackError]]:
    return [
        item
        for _, item in inspect.getmembers(tree, inspect.isclass)
        if issubclass(item, errors.StackError)
    ]


def test_every_error_is_drawn_in_the_module_docstring_and_exported() -> None:
    drawn = tree.__doc__ or ""
    for item in _classes():
        assert item.__name__ in drawn
        assert item.__name__ in errors.__all__


def test_drawn_indentation_is_the_real_inheritance() -> None:
    lines = [line for line in (tree.__doc__ or "").splitlines() if "──" in line]
    parents: list[str] = []
    for line in lines:
        depth = line.index("──") // 4
        name = line.split("── ")[1].split()[0]
        parents[depth - 1 :] = [name]
        expected = parents[depth - 2] if depth > 1 else "StackError"
        assert getattr(tree, name).__mro__[1].__name__ == expected, name


@pytest.mark.parametrize(("branch", "code"), sorted(EXIT_CODES.items()))
def test_leaves_keep_the_exit_code_of_their_branch(branch: str, code: int) -> None:
    parent = getattr(tree, branch)
    leaves = [item for item in _classes() if issubclass(item, parent)]
    assert leaves
    assert {item.exit_code for item in leaves} == {code}


def test_sentence_holds_message_next_step_and_correlation_id() -> None:
    error = errors.ProviderUnavailable(
        "Schwab answered 503", next_step="Wait a minute.", correlation_id="abc"
    )
    assert str(error) == "Schwab answered 503. Wait a minute. (correlation id abc)"
    assert error.as_dict()["exit_code"] == 3


def test_input_errors_are_value_errors() -> None:
    with pytest.raises(ValueError, match="AAPLX"):
        raise errors.UnknownSymbol("AAPLX is not known", symbol="AAPLX")
