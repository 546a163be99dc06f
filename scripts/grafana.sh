#!/bin/sh
# Start Grafana over what Algo Trader stored: the same as
#   scripts/bazel run //system/algo_trader/clients:grafana [start|stop|restart|status|logs|provision]
# With an installed `algo-trader` (pip install .) Bazel is not needed.
set -eu
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
for python in "${VIRTUAL_ENV:-/nonexistent}/bin/python" python3; do
    if "$python" -c 'import docker, influxdb_client_3, pyarrow' >/dev/null 2>&1; then
        cd "$root"
        exec "$python" -m system.algo_trader.clients.grafana "$@"
    fi
done
exec "$root/scripts/bazel" run //system/algo_trader/clients:grafana -- "$@"
