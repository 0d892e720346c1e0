"""The dashboard: pages whose scripts read the public HTTP API and `/ws`. No access to the store."""
