"""uvicorn and its connections, with limits and a graceful end. No route and no store."""
