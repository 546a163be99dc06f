"""The OpenAPI document: the operations of the catalogue beside what FastAPI knows of the rest."""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from system.algo_trader.api.operations.catalogue import OPERATIONS, PAGE_ROWS, Operation
from system.algo_trader.api.operations.parameters import Parameter
from system.algo_trader.api.operations.problem import MEDIA_TYPE
from system.algo_trader.api.operations.rendering import Form
from system.algo_trader.health.version import VERSION

PREFIX: Final = "/api/v1"
_NULLABLE_TEXT: Final = {"type": ["string", "null"]}
_PROBLEM: Final = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "parameter": {"type": "string"},
        "allowed": {"type": ["string", "array"], "items": {"type": "string"}},
        "next_step": {"type": "string"},
        "retry_after_s": {"type": "integer"},
    },
    "additionalProperties": False,
}
_GAP: Final = {
    "type": "object",
    "required": ["start", "end", "what", "missing", "reason"],
    "properties": {
        "start": {"type": "string", "format": "date-time"},
        "end": {"type": "string", "format": "date-time"},
        "what": {"type": "string", "enum": ["bars", "updates"]},
        "missing": {"type": ["integer", "null"]},
        "reason": {"type": "string"},
    },
    "additionalProperties": False,
}
_ANSWER: Final = {
    "type": "object",
    "required": [
        *(
            "age_s",
            "source",
            "licence",
            "is_simulated",
            "is_synthetic",
            "is_sampled",
            "as_of",
            "stale_because",
        ),
        *("gaps", "gaps_in_all", "rows", "next", "columns"),
    ],
    "properties": {
        "age_s": {"type": ["number", "null"], "description": "Age of the newest row, seconds."},
        "source": _NULLABLE_TEXT,
        "licence": _NULLABLE_TEXT,
        "is_simulated": {"type": "boolean"},
        "is_synthetic": {"type": ["boolean", "null"]},
        "is_sampled": {"type": "boolean"},
        "as_of": _NULLABLE_TEXT,
        "stale_because": _NULLABLE_TEXT,
        "gaps": {"type": "array", "items": {"$ref": "#/components/schemas/Gap"}},
        "gaps_in_all": {"type": "integer", "minimum": 0},
        "rows": {"type": "integer", "minimum": 0},
        "next": _NULLABLE_TEXT,
        "summary": {"type": "object"},
        "columns": {"type": "object", "additionalProperties": {"type": "array"}},
    },
    "additionalProperties": False,
}
_OPEN: Final = ("health", "live", "ready")
"""What strangers may ask."""
_PROBLEMS: Final = {
    "400": "A parameter is wrong; the problem names it and what is allowed.",
    "401": "A key is needed.",
    "403": "The key may not do that.",
    "404": "Nobody has it.",
    "406": "No form of the answer is acceptable.",
    "408": "The body did not come in time.",
    "413": "The body is too large.",
    "414": "The query is too long.",
    "421": "The service does not answer under that name.",
    "429": "Too many requests; Retry-After says when to go on.",
    "500": "A fault of the service.",
    "503": "A store gives no answer; Retry-After says when to ask again.",
}


def document_of(app: FastAPI) -> dict[str, Any]:
    """Return the document of an application with the catalogue's operations."""
    found = get_openapi(
        title="Algo Trader",
        version=VERSION,
        description=(
            "Stored and live market data of this machine. Every answer says where its rows come "
            "from, how old they are and what is known to be missing. Data of Schwab and of the "
            "exchanges may not be passed on."
        ),
        routes=app.routes,
    )
    components = found.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas |= {"Problem": _PROBLEM, "Gap": _GAP, "Answer": _ANSWER}
    components["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    }
    found["security"] = [{"bearer": []}, {"key": []}]
    for operation in OPERATIONS:
        found["paths"][f"{PREFIX}{operation.path}"] = {"get": _operation(operation)}
    for path in found["paths"].values():
        for each in path.values():
            each["responses"] = _with_problems(each["responses"])
            if each["operationId"] in _OPEN:
                each["security"] = []
    return found


def _with_problems(responses: dict[str, Any]) -> dict[str, Any]:
    """Return responses with the problems that any request can meet."""
    reference = {"schema": {"$ref": "#/components/schemas/Problem"}}
    problems = {
        status: {"description": text, "content": {MEDIA_TYPE: reference}}
        for status, text in _PROBLEMS.items()
    }
    kept = {status: each for status, each in responses.items() if status != "422"}
    return {**problems, **kept}


def _operation(operation: Operation) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Answer"}
    return {
        "operationId": operation.name,
        "summary": operation.title,
        "description": f"{operation.description}\n\nNeeds the scope `{operation.needs}`.",
        "tags": ["data"],
        "parameters": [
            *(_parameter(each, is_long=operation.pages is not None)
              for each in operation.parameters),
        ],
        "responses": {
            "200": {
                "description": "The rows by columns, by lines, or as Arrow's stream.",
                "content": {
                    str(Form.JSON): {"schema": schema},
                    str(Form.NDJSON): {"schema": {"type": "string"}},
                    str(Form.ARROW): {"schema": {"type": "string", "format": "binary"}},
                },
            },
            "304": {"description": "It is as `If-None-Match` has it."},
        },
    }  # fmt: skip


def _parameter(parameter: Parameter, *, is_long: bool) -> dict[str, Any]:
    description = parameter.description
    if parameter.name == "limit" and is_long:
        description += f" More than {PAGE_ROWS} are streamed, as NDJSON or Arrow."
    return {
        "name": parameter.name,
        "in": "path" if parameter.in_path else "query",
        "required": parameter.is_required or parameter.in_path,
        "description": description,
        "schema": parameter.schema(),
    }
