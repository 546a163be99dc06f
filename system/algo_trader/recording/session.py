"""One recording from its start to its end: whom it asks, what it writes first, what it tells."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infrastructure.clock import Clock, SystemClock, rfc3339
from infrastructure.config import Secret
from infrastructure.errors import ProviderUnavailable, UsageError
from infrastructure.recording.frame_file import FrameWriter
from infrastructure.schwab.accounts import UserPreference
from infrastructure.schwab.streamer.commands import StreamerInfo
from infrastructure.schwab.streamer.details import streamer_info
from infrastructure.schwab.streamer.services import Service
from infrastructure.schwab.wire import WireFormError, build_record
from system.algo_trader.conformance.safe_words import personal_words
from system.algo_trader.conformance.suite import Target
from system.algo_trader.conformance.targets import live_target, simulated_target, simulator_to_ask
from system.algo_trader.recording.recorder import Recorder
from system.algo_trader.recording.redaction import FrameRedactor
from system.algo_trader.settings import AppSettings

# Shorter words, such as a nickname's, stand in market data by chance.
_LEAST_PERSONAL = 6


@dataclass(frozen=True, slots=True)
class Recording:
    """Say what a recording holds.

    Attributes:
        path: Its file.
        source: "the simulator" or "Schwab".
        kept: Frames that were written.
        left_out: Frames that say something of a person, and were not.
    """

    path: Path
    source: str
    kept: int
    left_out: int

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "file": str(self.path),
            "source": self.source,
            "is_simulated": self.source != "Schwab",
            "frames": self.kept,
            "left_out": self.left_out,
        }


def record(
    settings: AppSettings,
    path: Path,
    keys: Mapping[Service, tuple[str, ...]],
    seconds: float | None,
    *,
    append: bool,
    live: bool,
    tell: Callable[[str], None],
) -> Recording:
    """Record until the time is over or Ctrl-C.

    Args:
        settings: The application's settings.
        path: The file.
        keys: What to subscribe.
        seconds: How long; until Ctrl-C when None.
        append: Add to a file that is there.
        live: Record the real Schwab, else the embedded simulator.
        tell: Shows a person one line.

    Raises:
        StackError: If the file cannot be written, the sign-in does not work, or the stream ends.
    """
    if path.exists() and not append:
        raise UsageError(
            f"{path} exists", next_step="Name another file, or add to it with --append."
        )
    clock = SystemClock()
    with _target(settings, clock, live=live) as target:
        token = target.access_token(False)
        info, personal = _stream_of(target, token)
        source = "Schwab" if target.source == "schwab" else "the simulator"
        header = {
            "started_at": rfc3339(clock.now_ns()),
            "is_simulated": target.source != "schwab",
            "services": {str(service): list(named) for service, named in keys.items()},
        }
        redact = FrameRedactor(
            [token.reveal(), *personal], account_activity=Service.ACCT_ACTIVITY in keys
        )
        with FrameWriter(path, header, append=append) as writer:
            recorder = Recorder(writer, redact, lambda: info, target.access_token, clock)
            until = "until Ctrl-C" if seconds is None else f"for {seconds:g} s"
            tell(f"Recording {source} into {path} {until}.")
            try:
                asyncio.run(recorder.run(keys, seconds))
            except KeyboardInterrupt:
                tell("Stopped.")
            return Recording(path, source, recorder.counts.kept, recorder.counts.left_out)


@contextmanager
def _target(settings: AppSettings, clock: Clock, *, live: bool) -> Iterator[Target]:
    if live:
        with live_target(settings, clock) as target:
            yield target
    else:
        with simulator_to_ask() as simulator, simulated_target(settings, simulator) as target:
            yield target


def _stream_of(target: Target, token: Secret) -> tuple[StreamerInfo, list[str]]:
    """Return where the stream is, and what must not be in a frame."""
    answer = target.user_preference(token)
    try:
        decoded = answer.json()
        info = streamer_info(build_record(UserPreference, decoded))
    except (ValueError, WireFormError) as error:
        raise ProviderUnavailable(
            f"Schwab answered {answer.status} and named no streamer",
            correlation_id=answer.correlation_id,
        ) from error
    personal = [word for word in personal_words(decoded) if len(word) >= _LEAST_PERSONAL]
    return info, [*personal, info.customer_id, info.correl_id]
