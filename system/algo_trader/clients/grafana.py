"""The command line of Grafana: `grafana [start|stop|restart|status|logs|provision]`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import urlsplit

from infrastructure.errors import StackError, UsageError

if TYPE_CHECKING:
    from system.algo_trader.clients.grafana_client import AlgoTraderGrafanaClient, Store
    from system.algo_trader.settings import AppSettings

VERBS = {
    "start": "start Grafana over the store, and the store where it is not up (the default)",
    "stop": "stop Grafana; its data and the store stay",
    "restart": "restart Grafana's container",
    "status": "show whether it runs and whether it reaches the store; 3 if not",
    "logs": "show its log",
    "provision": "bring datasources and dashboards up to date in a running Grafana",
}
NOT_RUNNING = 3
INTERRUPTED = 130


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(message, next_step=f"One of: {', '.join(VERBS)}.")


def parser() -> argparse.ArgumentParser:
    """Return the parser of the arguments."""
    made = _Parser(
        prog="grafana",
        description="Run Grafana over what Algo Trader stored.",
        epilog="\n".join(f"{verb:<10} {text}" for verb, text in VERBS.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("verb", nargs="?", choices=tuple(VERBS), default="start", metavar="VERB")
    made.add_argument("--follow", "-f", action="store_true", help="with logs: until Ctrl-C")
    made.add_argument("--tail", type=int, default=200, help="with logs: this many lines")
    made.add_argument("--home", help="the folder for everything that is stored")
    made.add_argument("--json", action="store_true", help="print JSON for machines")
    return made


def main(argv: Sequence[str] | None = None, environment: Mapping[str, str] | None = None) -> int:
    """Run one verb and return its exit code.

    Args:
        argv: The arguments, those of the process when None.
        environment: The environment, that of the process when None.
    """
    arguments = sys.argv[1:] if argv is None else list(argv)
    try:
        return _run(
            parser().parse_args(arguments), os.environ if environment is None else environment
        )
    except StackError as error:
        from system.algo_trader.terminal import print_error

        print_error(error, as_json="--json" in arguments)
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED


def _run(options: argparse.Namespace, environment: Mapping[str, str]) -> int:
    from infrastructure.logging import configure
    from system.algo_trader import settings as known
    from system.algo_trader.clients.grafana_store import keep_store

    settings = known.load({"home": options.home}, environment=environment)
    configure(level=settings.log_level, json_lines=settings.log_json)
    client = make_client(settings, environment)
    match options.verb:
        case "start":
            _show(_start(client, settings, lambda: keep_store(settings)), options.json)
        case "stop":
            stopped = client.stop_via_compose()
            _show({"grafana": "stopped" if stopped else "was not running"}, options.json)
        case "restart":
            health = client.restart()
            _show({"grafana": f"{client.url} is ready again ({health.version})"}, options.json)
        case "status":
            return _status(client, options.json)
        case "logs":
            sys.stdout.write(client.logs(options.tail, options.follow))
        case "provision":
            _show(
                _provision(client, settings, environment, lambda: keep_store(settings)),
                options.json,
            )
    return 0


def make_client(settings: AppSettings, environment: Mapping[str, str]) -> AlgoTraderGrafanaClient:
    """Return the client for the settings: of a named Grafana, or of the compose project's.

    A Grafana is named by GRAFANA_URL when that is another machine's, or has a GRAFANA_TOKEN.
    """
    from infrastructure.config import Secret
    from infrastructure.grafana.compose import ComposeProject, find_project_root
    from system.algo_trader.clients.grafana_client import AlgoTraderGrafanaClient

    url = settings.grafana_url
    if is_named(settings):
        return AlgoTraderGrafanaClient(url, token=settings.grafana_token)
    if settings.settled.origins["grafana_url"].kind == "default":
        url = f"http://localhost:{environment.get('GRAFANA_PORT') or 3000}"
    root = find_project_root(settings.workspace, environment)
    password = environment.get("GRAFANA_ADMIN_PASSWORD")
    return AlgoTraderGrafanaClient(
        url,
        password=Secret(password) if password else None,
        compose=ComposeProject(root, environment),
    )


def is_named(settings: AppSettings) -> bool:
    """Return whether GRAFANA_URL names a server that this project does not run."""
    from system.algo_trader.clients.grafana_client import LOOPBACK

    host = urlsplit(settings.grafana_url).hostname
    return settings.grafana_token is not None or host not in LOOPBACK


def _start(
    client: AlgoTraderGrafanaClient, settings: AppSettings, find_store: Callable[[], Store]
) -> dict[str, str]:
    if is_named(settings):
        client.store = find_store()
        client.health()
        client.provision_all()
        shown = f"{client.url} (named by GRAFANA_URL, not run by this project)"
    else:
        placement = client.start(find_store, named=settings.influxdb3_host_url is not None)
        shown = f"{client.url} (service {placement.service} of docker-compose.yml)"
    said = client.check_datasources()
    return {**client.access_info(), "grafana": shown, **_checked(said)}


def _provision(
    client: AlgoTraderGrafanaClient,
    settings: AppSettings,
    environment: Mapping[str, str],
    find_store: Callable[[], Store],
) -> dict[str, str]:
    if is_named(settings):
        client.store = find_store()
        return {uid: str(outcome) for uid, outcome in client.provision_all().items()}
    client.http.password = client.admin_password(environment)
    client.reload_provisioning()
    known = client.search_dashboards(tag="algo")
    return {found["uid"]: "read from its file again" for found in known}


def _status(client: AlgoTraderGrafanaClient, as_json: bool) -> int:
    status = client.status()
    lines = {"grafana": client.url}
    if status.container is not None:
        state = status.container
        health = f", {state.health}" if state.health else ""
        lines["container"] = f"{state.name}: {state.status}{health} ({state.image})"
    if status.health is None:
        lines["state"] = f"not running: {status.problem}"
        _show(lines, as_json)
        return NOT_RUNNING
    lines["state"] = f"running, version {status.health.version}"
    said = client.check_datasources()
    _show({**lines, **_checked(said)}, as_json)
    return 0 if "OK" in said.values() else NOT_RUNNING


def _checked(said: Mapping[str, str]) -> dict[str, str]:
    return {f"datasource {uid}": message for uid, message in said.items()}


def _show(lines: Mapping[str, str], as_json: bool) -> None:
    from system.algo_trader.terminal import pairs, print_json

    if as_json:
        print_json(dict(lines))
    else:
        sys.stdout.write(pairs(lines) + "\n")


if __name__ == "__main__":
    sys.exit(main())
