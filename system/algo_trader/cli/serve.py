"""`serve`: the data of this machine for people and models, over HTTP, WebSocket, MCP and Flight."""

from __future__ import annotations

import contextlib
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from system.algo_trader.cli.invocation import current

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator

    from system.algo_trader.api.http.server import Listening
    from system.algo_trader.api.service import Service
    from system.algo_trader.client.local_door import LocalDoor
    from system.algo_trader.processes.health import Health
    from system.algo_trader.realm import Realm
    from system.algo_trader.runtime import Runtime

PORT = 8877
FLIGHT_PORT = 8878
LOOPBACK = ("127.0.0.1", "localhost", "::1")
PIPELINE = ("stream", "options-refresh", "candles-sync")
SIMULATED_PIPELINE = PIPELINE[:-1]
"""A simulated market stands still after its close: there is nothing to keep up with."""
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def serve(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="The address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="For HTTP.")] = PORT,
    flight_port: Annotated[
        int, typer.Option(min=0, max=65535, help="For Arrow Flight; 0 for none.")
    ] = FLIGHT_PORT,
    opened: Annotated[
        bool, typer.Option("--open", help="Open the status page in your browser.")
    ] = False,
    with_pipeline: Annotated[
        bool, typer.Option("--with-pipeline", help="Keep the pipeline's processes running too.")
    ] = False,
    name: Annotated[
        list[str] | None, typer.Option("--name", help="A further host name of this service.")
    ] = None,
    certificate: Annotated[Path | None, typer.Option(help="For TLS: a PEM file.")] = None,
    certificate_key: Annotated[Path | None, typer.Option(help="Its key: a PEM file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Say where it listens as JSON.")] = False,
) -> None:
    """Serve until Ctrl-C. If a service runs here already, --open opens its page."""
    import asyncio

    from system.algo_trader.api.access.key_store import KeyStore
    from system.algo_trader.api.http.server import Listening
    from system.algo_trader.client.local_door import LocalDoor
    from system.algo_trader.runtime import choose_realm

    invocation = current(context)
    invocation.as_json |= as_json
    settings = invocation.settings()
    realm = choose_realm(settings, sim=invocation.sim, live=invocation.live)
    listening = Listening(host, port, certificate, certificate_key)
    if opened and _opens_running(realm):
        return
    _check_reach(listening, KeyStore.of(realm))
    listening.check()
    with _signals_given_back(), invocation.runtime() as runtime:
        door = LocalDoor.new(listening.url, listening.flight_url(flight_port))
        door.leave(realm)
        try:
            begun = _begin_pipeline(runtime) if with_pipeline else []
            try:
                asyncio.run(
                    _run(context, runtime, listening, door, tuple(name or ()), flight_port, opened)
                )
            finally:
                _end_pipeline(runtime, begun)
        finally:
            door.remove(realm)


async def _run(
    context: typer.Context,
    runtime: Runtime,
    listening: Listening,
    door: LocalDoor,
    names: tuple[str, ...],
    flight_port: int,
    opened: bool,
) -> None:
    import asyncio

    from system.algo_trader.api.http.server import serve as serve_http
    from system.algo_trader.api.service import Service

    invocation = current(context)
    service = Service(
        runtime,
        host=listening.host,
        port=listening.port,
        names=names,
        tls=listening.files,
        owner_secret=door.secret,
        flight_port=flight_port,
    )
    loop = asyncio.get_running_loop()

    def ready() -> None:
        if invocation.as_json:
            _tell_machine(runtime, door)
        else:
            _tell(runtime, listening, service, door, names)
        if opened:
            _open_page(f"{listening.url}/open?token={service.admission.sessions.link_token()}")

    # A server that dies under the service comes back: questions wait for it meanwhile.
    with runtime.services.watched():
        async with service:
            with invocation.face(runtime, "serve", _alive(loop)):
                try:
                    await serve_http(service.app, listening, ready=ready)
                finally:
                    _end_undisturbed()


def _tell(
    runtime: Runtime,
    listening: Listening,
    service: Service,
    door: LocalDoor,
    names: tuple[str, ...],
) -> None:
    realm = "SIMULATED DATA" if runtime.realm.is_simulated else "live data"
    lines = [f"{listening.url}  REST, WebSocket, MCP and the status page ({realm})"]
    if door.flight_url is not None:
        lines.append(f"{door.flight_url}  Arrow Flight")
    if listening.host not in LOOPBACK and not names:
        lines.append("other machines get answers under the names that --name gives, if any")
    if not service.doorkeeper.keys.has_valid():
        lines.append("no key yet: `algo-trader keys create --name NAME --scope read:ticks`")
    lines.append("the page opens with `algo-trader serve --open`; Ctrl-C ends the service")
    print("\n".join(lines), file=sys.stderr, flush=True)


def _tell_machine(runtime: Runtime, door: LocalDoor) -> None:
    from system.algo_trader import terminal

    facts = {"url": door.url, "flight_url": door.flight_url, "realm": runtime.realm.name}
    terminal.print_json({**facts, "is_simulated": runtime.realm.is_simulated})
    sys.stdout.flush()


def _check_reach(listening: Listening, keys: object) -> None:
    """Refuse to listen beyond this machine as long as nobody has a key; warn without TLS.

    Raises:
        ConfigError: If no valid key is there.
    """
    from infrastructure.errors import ConfigError
    from infrastructure.logging import get_logger
    from system.algo_trader.api.access.key_store import KeyStore

    if listening.host in LOOPBACK:
        return
    assert isinstance(keys, KeyStore)
    if not keys.has_valid():
        raise ConfigError(
            f"listening at {listening.host} lets other machines in, and there is no key",
            next_step="Make one: `algo-trader keys create --name NAME --scope read:ticks`.",
        )
    if listening.certificate is None:
        get_logger("serve").warning(
            "other machines reach %s without TLS: keys and data can be read on the way "
            "(--certificate, --certificate-key)",
            listening.url,
        )


def _opens_running(realm: Realm) -> bool:
    """Open the page of a service that runs already; say whether there is one."""
    import requests

    from system.algo_trader.client.local_door import LocalDoor

    door = LocalDoor.of(realm)
    if door is None:
        return False
    try:
        with requests.Session() as session:
            session.trust_env = False
            # The owner's own service on this machine; its certificate may name another host.
            answer = session.post(
                f"{door.url}/open/link",
                headers={"X-API-Key": door.secret},
                timeout=5.0,
                verify=not door.url.startswith("https://127."),
            )
            answer.raise_for_status()
            path = str(answer.json()["path"])
    except (requests.RequestException, ValueError, KeyError):
        return False
    _open_page(f"{door.url}{path}")
    return True


def _open_page(url: str) -> None:
    import webbrowser

    print(f"{url}\nopens the status page once, within two minutes", file=sys.stderr, flush=True)
    try:
        webbrowser.open(url)
    except webbrowser.Error as error:
        print(f"no browser could be started: {error}", file=sys.stderr)


def _alive(loop: asyncio.AbstractEventLoop) -> Callable[[], Health]:
    import asyncio

    from system.algo_trader.processes.health import Health

    def alive() -> Health:
        try:
            asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result(2.0)
        except TimeoutError:
            return Health.of(down=("the service has not answered for 2 s",))
        return Health.of()

    return alive


def _begin_pipeline(runtime: Runtime) -> list[str]:
    """Start what is not running; return what was started.

    Raises:
        StackError: What a process says why it cannot run.
    """
    from system.algo_trader.processes.control import Processes

    processes, begun = Processes(runtime.settings), []
    try:
        for each in SIMULATED_PIPELINE if runtime.realm.is_simulated else PIPELINE:
            if processes.status(each).state != "running":
                processes.start(each, None, is_simulated=runtime.realm.is_simulated)
                begun.append(each)
    except BaseException:
        _end_pipeline(runtime, begun)
        raise
    return begun


def _end_pipeline(runtime: Runtime, begun: list[str]) -> None:
    from system.algo_trader.processes.control import Processes

    _end_undisturbed()
    for each in reversed(begun):
        Processes(runtime.settings).stop(each)


@contextlib.contextmanager
def _signals_given_back() -> Iterator[None]:
    """Put back after a block what signals did before it."""
    kept = {number: signal.getsignal(number) for number in _ENDING}
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)


def _end_undisturbed() -> None:
    """Let no further signal break off the ending: what was started ends, the door is removed.

    They are handled rather than ignored, since programs that are started inherit the latter.
    """
    for number in _ENDING:
        signal.signal(number, lambda *_: None)
