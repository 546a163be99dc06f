"""Read query parameters as leniently as Schwab does, and refuse in its words."""

from __future__ import annotations

from math import isfinite

from infrastructure.simulators.schwab.error_bodies import market_error
from infrastructure.simulators.schwab.messages import Request, Response


class Refused(Exception):
    """A parameter is not good; carries the answer."""

    def __init__(self, response: Response) -> None:
        super().__init__(f"status {response.status}")
        self.response = response


def refused(parameter: str, detail: str) -> Refused:
    """Return the refusal of one parameter; the texts of most are not known. [?]"""
    return Refused(market_error(400, detail, parameter=parameter))


def required(request: Request, name: str) -> str:
    """Return a parameter's text.

    Raises:
        Refused: If it is absent or blank.
    """
    value = request.query.get(name, "").strip()
    if not value:
        raise refused(name, f"{name} is required")
    return value


def boolean(request: Request, name: str, default: bool) -> bool:
    """Return a truth value; `true` and `True` are both sent by clients. [C]

    Raises:
        Refused: If it is anything else.
    """
    text = request.query.get(name, "").strip().lower()
    if not text:
        return default
    if text not in ("true", "false"):
        raise refused(name, f"{name} must be true or false")
    return text == "true"


def whole_number(request: Request, name: str) -> int | None:
    """Return a whole number, None when absent.

    Raises:
        Refused: If it is no whole number.
    """
    text = request.query.get(name, "").strip()
    if not text:
        return None
    try:
        return int(text)
    except ValueError as error:
        raise refused(name, f"{name} must be a whole number") from error


def number(request: Request, name: str) -> float | None:
    """Return a number, None when absent.

    Raises:
        Refused: If it is no finite number.
    """
    text = request.query.get(name, "").strip()
    if not text:
        return None
    try:
        value = float(text)
    except ValueError as error:
        raise refused(name, f"{name} must be a number") from error
    if not isfinite(value):
        raise refused(name, f"{name} must be a number")
    return value


def comma_list(text: str) -> list[str]:
    """Return the parts of a comma-separated text, without blanks and repetitions, in order."""
    return list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
