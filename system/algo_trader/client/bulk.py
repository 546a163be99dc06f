"""Histories by Arrow Flight."""

from __future__ import annotations

import json
from typing import Any, Final

import pyarrow as pa

from infrastructure.errors import NetworkError, UsageError
from system.algo_trader.client.connection import Connection
from system.algo_trader.client.question import Question
from system.algo_trader.client.refusal import Refused
from system.algo_trader.client.result import FACTS_KEY, Result, result_of

LONGEST_S: Final = 600.0
"""Flight's deadline holds for a whole stream, not for the wait for its next part."""


class Bulk:
    """Ask over Flight; may be asked from several threads.

    Args:
        url: Of the service's Flight.
        where: What opens it, and what its certificate is judged by.

    Raises:
        UsageError: If the URL is none of Flight.
    """

    def __init__(self, url: str, where: Connection) -> None:
        # Late: who asks for no history loads no gRPC.
        from pyarrow import flight

        self._flight = flight
        trusted = {}
        if where.certificate is not None:
            trusted["tls_root_certs"] = where.certificate.read_bytes()
        try:
            self._client = flight.FlightClient(url, **trusted)
        except pa.ArrowException as error:
            raise UsageError(
                f"{url!r} is no address of Flight", next_step="Write grpc://HOST:PORT."
            ) from error
        self._options = flight.FlightCallOptions(
            timeout=LONGEST_S, headers=[(b"authorization", f"Bearer {where.key}".encode())]
        )

    @classmethod
    def of(cls, where: Connection) -> Bulk | None:
        """Return what asks over Flight; None where its address is not known."""
        return None if where.flight_url is None else cls(where.flight_url, where)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def ask(self, asked: Question) -> Result:
        """Return the answer of an operation.

        Raises:
            Refused: If the service gives none.
            NetworkError: If it does not answer, or not to the end.
        """
        ticket = self._flight.Ticket(json.dumps(asked.command()).encode())
        batches, told = [], []
        try:
            reader = self._client.do_get(ticket, self._options)
            for chunk in reader:
                batches.append(chunk.data)
                if chunk.app_metadata is not None:
                    told.append(json.loads(chunk.app_metadata.to_pybytes()))
            schema = reader.schema
        except self._flight.FlightError as error:
            raise _failure(error) from error
        except (pa.ArrowException, OSError) as error:
            raise NetworkError(f"Flight gives no answer: {_sentence(error)}") from error
        if not told:
            first = (schema.metadata or {}).get(FACTS_KEY)
            told = [json.loads(first)] if first else []
        return result_of(pa.Table.from_batches(batches, schema.remove_metadata()), told)


def _failure(error: Any) -> Refused | NetworkError:
    try:
        problem = json.loads(error.extra_info)
        return Refused(int(problem["status"]), problem, problem.get("retry_after_s"))
    except (TypeError, ValueError, KeyError):
        # Ours always say what is wrong: these words are the transport's.
        return NetworkError(
            f"the service does not answer over Flight: {_sentence(error)}",
            next_step="Is `algo-trader serve` running?",
        )


def _sentence(error: Exception) -> str:
    return str(error).partition(". Detail:")[0].partition(". gRPC client debug")[0]
