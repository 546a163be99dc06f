"""Write what the server sends: response, notify and data frames."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from infrastructure.simulators.schwab.streamer.codes import Code
from infrastructure.simulators.schwab.streamer.commands import Command

_encoder: Final = msgspec.json.Encoder()


def response_frame(
    command: Command, correlation_id: str, now_ms: int, code: Code, text: str
) -> str:
    """Answer one command. [S]"""
    return _text(
        {
            "response": [
                {
                    "service": command.service,
                    "command": command.name,
                    "requestid": command.request_id,
                    "SchwabClientCorrelId": correlation_id,
                    "timestamp": now_ms,
                    "content": {"code": int(code), "msg": text},
                }
            ]
        }
    )


def notify_frame(service: str, now_ms: int, code: Code, text: str) -> str:
    """Tell of something unasked. [S]"""
    content = {"code": int(code), "msg": text}
    return _text({"notify": [{"service": service, "timestamp": now_ms, "content": content}]})


def heartbeat_frame(now_ms: int) -> str:
    """Show that the connection lives; milliseconds as text. [S]"""
    return _text({"notify": [{"heartbeat": str(now_ms)}]})


def data_frame(service: str, now_ms: int, content: list[dict[str, Any]]) -> str:
    """Carry items of one service; the command is SUBS after an ADD too. [S]"""
    part = {"service": service, "timestamp": now_ms, "command": "SUBS", "content": content}
    return _text({"data": [part]})


def corrupted(frame: str) -> str:
    """Return a frame as the rare invalid ones are: cut in its middle with a bare quote. [O]"""
    return frame[: len(frame) // 2] + '"\x01'


def _text(content: Any) -> str:
    return _encoder.encode(content).decode()
