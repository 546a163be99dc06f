"""Several commands in one round trip."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from infrastructure.errors import UsageError
from infrastructure.redis.session import RedisSession

COMMANDS = frozenset(
    (
        *("get", "set", "incrby", "exists", "delete", "pexpire", "pttl"),
        *("hget", "hset", "hgetall", "hdel"),
        *("sadd", "smembers", "srem", "sismember", "scard"),
        *("lpush", "rpush", "lpop", "rpop", "llen", "lrange"),
        *("xadd", "xlen", "xack"),
        *("zadd", "zrem", "zrange"),
    )
)
"""Commands whose first argument is their only key, by redis-py's names."""


class Pipeline:
    """Commands that are collected and then sent together.

    Args:
        session: Whose namespace and connection they use.
        transaction: Carry them out as one step; on a Cluster all keys then need one {tag}.
    """

    def __init__(self, session: RedisSession, *, transaction: bool) -> None:
        self._session = session
        self._transaction = transaction
        self._commands: list[tuple[str, str, tuple[Any, ...], dict[str, Any]]] = []

    def __len__(self) -> int:
        return len(self._commands)

    def add(self, command: str, key: str, *arguments: Any, **options: Any) -> Pipeline:
        """Append a command.

        Args:
            command: One of `COMMANDS`.
            key: The key's name in the namespace.
            *arguments: As redis-py takes them after the key.
            **options: As redis-py takes them.

        Raises:
            UsageError: If the command is not one of them.
        """
        name = command.lower()
        if name not in COMMANDS:
            raise UsageError(
                f"a pipeline cannot {command!r}, expected one of {', '.join(sorted(COMMANDS))}"
            )
        self._commands.append((name, self._session.key(key), arguments, options))
        return self

    def execute(self) -> list[Any]:
        """Send the commands and return redis-py's answers in their order.

        Raises:
            StackError: The first error of any of them.
        """
        commands, self._commands = self._commands, []
        if not commands:
            return []
        with (
            self._session.asking(f"pipeline of {len(commands)}") as server,
            server.pipeline(transaction=self._transaction) as pipeline,
        ):
            for name, key, arguments, options in commands:
                getattr(pipeline, name)(key, *arguments, **options)
            answers: list[Any] = pipeline.execute()
            return answers


class Pipelines(RedisSession):
    """Send commands together."""

    def pipeline(self, *, transaction: bool = True) -> Pipeline:
        """Begin a pipeline; see `Pipeline`."""
        return Pipeline(self, transaction=transaction)

    def pipeline_execute(
        self, operations: Iterable[tuple[Any, ...]], *, transaction: bool = True
    ) -> list[Any]:
        """Send operations together and return their answers.

        Args:
            operations: Tuples of command, key and arguments, such as ("set", "a", "1").
            transaction: Carry them out as one step.
        """
        pipeline = self.pipeline(transaction=transaction)
        for command, key, *arguments in operations:
            pipeline.add(command, key, *arguments)
        return pipeline.execute()
