"""The service: stored and live data for people and models, over REST, WebSocket, MCP and Flight."""
