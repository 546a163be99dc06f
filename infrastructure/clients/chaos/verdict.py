"""What must hold after the hour: the client laid beside the simulator's board and ledger.

The ledger has, for each key, runs of items that were sent and of items that a fault held back, with
the connection that each belongs to. The client's record has, for each connection and key, how many
items it was told, and where in between a gap was reported. TCP keeps the order, so on each
connection what was told is the beginning of what was sent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from infrastructure.clients.chaos.record import Record, Reported
from infrastructure.schwab.streamer.continuity import GapReason
from infrastructure.schwab.streamer.services import SPECS, Delivery, Service
from infrastructure.schwab.streamer.streamer import SchwabStreamer
from infrastructure.simulators.schwab.streamer.ledger import SENT, Run
from infrastructure.simulators.schwab.streamer.session import INTERVAL, Session
from infrastructure.simulators.schwab.streamer.stream_faults import CORRUPT_FRAME, DROPPED_FRAME
from infrastructure.simulators.schwab.streamer.streamer import Streamer

IN_CONNECTION = (DROPPED_FRAME, CORRUPT_FRAME, INTERVAL)


def complaints(server: Streamer, client: SchwabStreamer, record: Record) -> list[str]:
    """Return what does not hold, one sentence each."""
    sessions = [each for each in server.sessions if each.login is not None and each.cut is None]
    if not client.is_connected or len(sessions) != 1:
        return [f"connected: {client.is_connected}, {len(sessions)} open connections"]
    runs = server.ledger.runs()
    return [
        *_subscriptions(sessions[0], client),
        *_state(server, client),
        *_queue(client),
        *_nothing_twice(server, client, record, runs),
        *_reported(client, record, runs),
        *_sequences(record, runs),
    ]


def _subscriptions(session: Session, client: SchwabStreamer) -> list[str]:
    asked = {
        str(one.service): {
            key: tuple(str(number) for number in one.fields if number) for key in one.keys
        }
        for one in client.subscriptions
    }
    live = {
        service: {key: subscription.fields for key, subscription in keys.items()}
        for service, keys in session.subscriptions.items()
    }
    return [
        f"{service} is subscribed as {live.get(service)}, asked was {asked.get(service)}"
        for service in sorted({*asked, *live})
        if asked.get(service) != live.get(service)
    ]


def _state(server: Streamer, client: SchwabStreamer) -> list[str]:
    """Compare merged state with the board; account activity has no state but its items."""
    found = []
    for one in client.subscriptions:
        if one.service is Service.ACCT_ACTIVITY:
            continue
        board: dict[str, dict[str, Any]] = server.state(one.service).get(one.service, {})
        fields = {str(number) for number in one.fields if number}
        records = client.state(one.service).records()
        found += [f"{one.service} still has {key}" for key in records if key not in one.keys]
        for key in one.keys:
            has = {word: v for word, v in records.get(key, {}).items() if word.isdecimal()}
            has.pop("0", None)
            wants = {word: v for word, v in board.get(key, {}).items() if word in fields}
            if has != wants:
                differing = sorted(
                    word for word in {*has, *wants} if has.get(word) != wants.get(word)
                )
                found.append(f"{one.service} {key} differs in the fields {differing}")
    return found


def _queue(client: SchwabStreamer) -> list[str]:
    lost = client.events.conflated + client.events.dropped
    return [f"{lost} updates were left out for a slow reader"] if lost else []


def _nothing_twice(
    server: Streamer, client: SchwabStreamer, record: Record, runs: Iterable[Run]
) -> list[str]:
    found = [
        f"{service} on connection {session} told a sequence number twice or out of order"
        for (session, service), seqs in record.seqs.items()
        if any(after <= before for before, after in pairwise(seqs))
    ]
    sent = _items(run for run in runs if run.fate == SENT)
    for where, count in record.by_session.items():
        if count > sent[where]:
            found.append(f"{where} was told {count} times and sent {sent[where]} times")
    refused = sum(client.continuity(service).duplicates for service in Service)
    copies = server.ledger.copies()
    arrived = sum(
        copy.seq < max(record.seqs.get((copy.session, copy.service), [-1]))
        for copy in copies
        if copy.seq is not None
    )
    if not arrived <= refused <= len(copies):
        found.append(f"{refused} second copies were left out, {arrived} to {len(copies)} came")
    return found


def _reported(client: SchwabStreamer, record: Record, runs: list[Run]) -> list[str]:
    """Find each held-back run at its place among the told items, with a gap reported there."""
    found = []
    last = record.sessions[-1]
    wanted = {str(one.service): one.keys for one in client.subscriptions}
    passed: Counter[tuple[int, str, str]] = Counter()
    sent = _items(run for run in runs if run.fate == SENT)
    for run in sorted(runs, key=lambda run: run.session):
        where = (run.session, run.service, run.key)
        told = record.by_session[where]
        if run.fate == SENT:
            if not passed[where]:
                short = sent[where] - told
                if short and (run.session == last or run.session not in record.sessions):
                    found.append(f"{where}: {short} sent items are missing")
            passed[where] += run.items
            continue
        if run.key not in wanted.get(run.service, ()) or _comes_later(run):
            continue
        place = sum(
            record.by_session[session, run.service, run.key]
            for session in record.sessions
            if session < run.session
        ) + min(passed[where], told)
        gaps = record.gaps.get(run.service, [])
        if not any(gap.told.get(run.key, 0) == place for gap in gaps):
            found.append(f"no gap was reported at item {place} of {where}: {run}")
    for service, gaps in record.gaps.items():
        found += [f"{service}: {gap.gap} has no cause" for gap in gaps if _is_idle(gap, client)]
    return found


def _comes_later(run: Run) -> bool:
    """Whether what was held back comes with the next frame of its key, unseen by the client."""
    return run.fate == INTERVAL and SPECS[Service(run.service)].delivery is not Delivery.SEQUENCE


def _is_idle(gap: Reported, client: SchwabStreamer) -> bool:
    """Whether a lost connection or an unreadable frame was reported, and there was none."""
    if gap.gap.reason is GapReason.DISCONNECTED:
        return gap.before == gap.session
    return gap.gap.reason is GapReason.UNREADABLE and client.counts.bad_frames == 0


def _sequences(record: Record, runs: list[Run]) -> list[str]:
    """Compare the holes that were reported with the items that the ledger says were withheld.

    Numbers begin at 0 on each connection. What is missing before the first told one and after the
    last belongs to the gap between two connections; what is missing in between is a hole.
    """
    found = []
    held = Counter[tuple[int, str]]()
    for run in runs:
        if run.fate != SENT:
            held[run.session, run.service] += run.items
    every = Counter[tuple[int, str]]()
    for run in runs:
        every[run.session, run.service] += run.items
    for (session, service), seqs in record.seqs.items():
        reported = sum(
            each.gap.missing or 0
            for each in record.gaps.get(service, [])
            if each.session == session and each.gap.reason is GapReason.SEQUENCE
        )
        unseen = every[session, service] - held[session, service] - len(seqs)
        outside = seqs[0] + (every[session, service] - 1 - seqs[-1]) - unseen
        withheld = held[session, service] - outside
        if reported != withheld:
            found.append(
                f"{service} on connection {session}: holes of {reported} items were reported, "
                f"{withheld} were withheld ({held[session, service]} in all)"
            )
    return found


def _items(runs: Iterable[Run]) -> Counter[tuple[int, str, str]]:
    counted: Counter[tuple[int, str, str]] = Counter()
    for run in runs:
        counted[run.session, run.service, run.key] += run.items
    return counted
