"""A local Schwab streamer: a WebSocket that logs in, subscribes, streams and fails on demand.

`socket_server` owns the sockets, `streamer` the sessions and the state of every key, `sources` the
market. Behaviours carry the tags of the simulator: S, O, C, D and ?.
"""
