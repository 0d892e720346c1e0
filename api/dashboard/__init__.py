"""The dashboard: server-rendered pages whose ES modules read the public HTTP API and `/ws`."""
