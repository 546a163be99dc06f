"""Histories by Arrow Flight."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa

from infrastructure.errors import NetworkError
from system.algo_trader.client.connection import failure_of
from system.algo_trader.client.question import Question
from system.algo_trader.client.result import FACTS_KEY, Result, result_of


class Bulk:
    """Ask over Flight.

    Args:
        url: Of the service's Flight.
        key: An API key.
    """

    def __init__(self, url: str, key: str) -> None:
        from pyarrow import flight

        self._flight = flight
        self._client = flight.FlightClient(url)
        self._options = flight.FlightCallOptions(
            headers=[(b"authorization", f"Bearer {key}".encode())]
        )

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def ask(self, asked: Question) -> Result:
        """Return the answer of an operation; errors as `Client.ask`."""
        flight = self._flight
        ticket = flight.Ticket(json.dumps(asked.command()).encode())
        try:
            reader = self._client.do_get(ticket, self._options)
            batches, told = [], []
            for chunk in reader:
                batches.append(chunk.data)
                if chunk.app_metadata is not None:
                    told.append(json.loads(chunk.app_metadata.to_pybytes()))
            schema = reader.schema
        except flight.FlightUnauthenticatedError as error:
            raise failure_of(401, _problem(error)) from error
        except flight.FlightUnauthorizedError as error:
            raise failure_of(403, _problem(error)) from error
        except flight.FlightUnavailableError as error:
            if not error.extra_info:
                raise NetworkError(f"the service does not answer: {error}") from error
            raise failure_of(503, _problem(error)) from error
        except flight.FlightError as error:
            problem = _problem(error)
            raise failure_of(int(problem.get("status", 500)), problem) from error
        except pa.ArrowException as error:
            raise NetworkError(f"Flight gives no answer: {error}") from error
        if not told:
            first = (schema.metadata or {}).get(FACTS_KEY)
            told = [json.loads(first)] if first else []
        return result_of(pa.Table.from_batches(batches, schema.remove_metadata()), told)


def _problem(error: Any) -> dict[str, Any]:
    try:
        found = json.loads(error.extra_info)
    except (TypeError, ValueError):
        return {"detail": str(error).partition(". Detail:")[0]}
    return found if isinstance(found, dict) else {"detail": str(error)}
