"""The tools: operations of the catalogue, as a model asks them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from system.algo_trader.api.access.api_key import READING, KeyScope
from system.algo_trader.api.http.work import Lane
from system.algo_trader.api.operations import catalogue, sql
from system.algo_trader.api.operations.answer import Answer
from system.algo_trader.api.operations.catalogue import Operation
from system.algo_trader.api.operations.parameters import Kind, Parameter
from system.algo_trader.api.operations.sql_sandbox import SqlSandbox
from system.algo_trader.api.operations.stores import Stores

ROWS: Final = 200
"""The most rows of an answer unless a model asks for more."""
MOST_ROWS: Final = 1000
LIMIT: Final = "limit"
Values = Mapping[str, Any]


class Cut(StrEnum):
    """Name which rows stay where an answer has too many."""

    PAGE = "page"
    """The question is asked again for fewer, so that `next` stays true."""
    LAST = "last"
    FIRST = "first"
    SPOT = "spot"
    """The strikes around the spot."""


@dataclass(frozen=True, slots=True)
class ModelTool:
    """Declare what a model can ask.

    Attributes:
        name: Of the tool.
        title: A few words.
        description: What it returns and when to use it.
        needs: The scopes that a key must have, all of them.
        parameters: What may be said.
        answer: Finds the answer, or a document that has no rows.
        cut: Which rows stay where there are too many.
        more: How to get the rows that are left out.
        given: Values of the operation that a model does not choose.
        lane: Whose threads find the answer.
    """

    name: str
    title: str
    description: str
    needs: frozenset[str]
    parameters: tuple[Parameter, ...]
    answer: Callable[[Values], Answer | Mapping[str, Any]]
    cut: Cut
    more: str
    given: Mapping[str, Any]
    lane: Lane = Lane.ANSWERS

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema of its arguments."""
        return {
            "type": "object",
            "properties": {
                each.name: {**each.schema(), "description": _described(each)}
                for each in self.parameters
            },
            "required": [each.name for each in self.parameters if each.is_required],
            "additionalProperties": False,
        }


_MORE: Final = {
    Cut.PAGE: "ask again with `cursor` set to `next` and all else the same, or for a shorter time "
    "or longer bars",
    Cut.LAST: "ask for a shorter time, longer stretches, or a larger `limit`",
    Cut.FIRST: "ask for fewer rows, summed up or by symbol and time",
    Cut.SPOT: "ask for one expiry, one right or fewer strikes, or for a larger `limit`",
}
_OF_CATALOGUE: Final = (
    (catalogue.CANDLES, "candles", Cut.PAGE),
    (catalogue.QUOTES, "quotes", Cut.FIRST),
    (catalogue.HISTORICAL, "ticks", Cut.PAGE),
    (catalogue.REALTIME, "ticks_live", Cut.LAST),
    (catalogue.CHAIN, "option_chain", Cut.SPOT),
    (catalogue.GEX, "gex", Cut.SPOT),
    (catalogue.GEX_HISTORY, "gex_history", Cut.LAST),
    (catalogue.LEVELS, "levels", Cut.FIRST),
    (catalogue.METRICS, "metrics", Cut.FIRST),
    (catalogue.TAPE_OF, "tape", Cut.LAST),
    (catalogue.QUALITY, "quality", Cut.FIRST),
)


def model_tools(
    stores: Stores, sandbox: SqlSandbox, status: Callable[[], Mapping[str, Any]]
) -> tuple[ModelTool, ...]:
    """Return every tool.

    Args:
        stores: What operations read from.
        sandbox: Answers SQL.
        status: Returns how everything is, in few words.
    """
    tools = [_of(stores, *each) for each in _OF_CATALOGUE]
    limit = replace(sql.LIMIT, name=LIMIT, default=ROWS, most=MOST_ROWS)
    tools.append(
        ModelTool(
            sql.NAME,
            sql.TITLE,
            sql.DESCRIPTION,
            frozenset(map(str, READING)),
            (sql.SQL, limit),
            lambda values: sql.sql_answer(
                sandbox, {"sql": values["sql"], "max_rows": values[LIMIT]}
            ),
            Cut.FIRST,
            _MORE[Cut.FIRST],
            {},
            Lane.SQL,
        )
    )
    tools.append(
        ModelTool(
            "status",
            "How everything is",
            "Whether data are live or simulated, whether the market is open, how fresh the stream "
            "is, what is stored, and what is wrong. Ask this first if an answer surprises.",
            frozenset({str(KeyScope.READ_TICKS)}),
            (),
            lambda _: status(),
            Cut.FIRST,
            "",
            {},
        )
    )
    return tuple(tools)


def _of(stores: Stores, operation: Operation, name: str, cut: Cut) -> ModelTool:
    parameters, given = _parameters(operation.parameters, cut)
    return ModelTool(
        name,
        operation.title,
        operation.description,
        frozenset({str(operation.needs)}),
        parameters,
        lambda values: operation.answer(stores, values),
        cut,
        _MORE[cut],
        given,
    )


def _parameters(
    parameters: Sequence[Parameter], cut: Cut
) -> tuple[tuple[Parameter, ...], dict[str, Any]]:
    """Return an operation's parameters for models, and values that they do not choose."""
    limit = Parameter(LIMIT, Kind.WHOLE, "The most rows.", default=ROWS, least=1, most=MOST_ROWS)
    others = tuple(each for each in parameters if each.name != LIMIT)
    own = next((each for each in parameters if each.name == LIMIT), None)
    if own is None:
        return ((*others, limit) if cut is Cut.SPOT else others), {}
    if cut is Cut.SPOT:
        # All of them are asked for, so that those around the spot can be chosen.
        return (*others, limit), {LIMIT: int(own.most or MOST_ROWS)}
    most = min(MOST_ROWS, int(own.most or MOST_ROWS))
    mine = replace(own, default=min(ROWS, own.default or ROWS), most=most)
    return (*others, mine), {}


def _described(parameter: Parameter) -> str:
    if parameter.kind in (Kind.INSTANT, Kind.DATE, Kind.SYMBOLS):
        return f"{parameter.description} Written as {parameter.allowed()}."
    return parameter.description
