"""`orpheus mcp`: a server of the Model Context Protocol, with which an assistant looks and mends.

It is a client of the HTTP API: `api.py` calls it, `looks.py` has the tools that only read,
`changes.py` those that change something, and `server.py` offers them on standard input and output.
"""
