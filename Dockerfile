# The image of `algo-trader serve`: REST, WebSocket and MCP on 8877, Arrow Flight on 8878.
#
#   docker build -t algo-trader:0.1.0 .
#   docker compose --profile app up -d app       with Redis and InfluxDB: docs/operations.md, "Deployment"
#
# It runs as uid 10001 without any capability, on a root that may be read-only: what is stored and
# the compiled kernels go to the volume /data, the rest to /tmp. Any builder takes this file; what a
# build behind a proxy needs comes from docker's own proxy arguments.

FROM python:3.11-slim AS builder
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
# Without pip of its own: what runs installs nothing.
RUN python -m venv --without-pip /opt/algo-trader
COPY requirements_runtime_lock.txt /build/
RUN python -m pip --python /opt/algo-trader/bin/python install --require-hashes --only-binary :all: \
    --requirement /build/requirements_runtime_lock.txt
# The sources as they are, compiled once, since nobody may write beside them later.
COPY infrastructure /opt/algo-trader/src/infrastructure
COPY system /opt/algo-trader/src/system
RUN /opt/algo-trader/bin/python -m compileall -q /opt/algo-trader/src \
    && printf '%s\n' '#!/opt/algo-trader/bin/python' 'from system.algo_trader.main import run' 'run()' \
       >/opt/algo-trader/bin/algo-trader \
    && chmod 0755 /opt/algo-trader/bin/algo-trader

FROM python:3.11-slim
RUN groupadd --gid 10001 algo-trader \
    && useradd --uid 10001 --gid 10001 --home-dir /data --no-create-home --no-log-init --shell /bin/false algo-trader \
    && install --directory --owner=10001 --group=10001 --mode=0700 /data
COPY --from=builder /opt/algo-trader /opt/algo-trader
# HOME too: numba's compiled kernels go to ~/.cache, for processes that this one starts as well.
ENV PATH=/opt/algo-trader/bin:$PATH \
    PYTHONPATH=/opt/algo-trader/src \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/data \
    ALGO_TRADER_HOME=/data
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8877 8878
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 CMD ["algo-trader", "health", "--json"]
ENTRYPOINT ["algo-trader"]
# Beyond loopback `serve` wants API keys; without any it ends and says how to make one.
CMD ["serve", "--host", "0.0.0.0"]
