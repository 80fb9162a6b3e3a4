"""The nodes' API: calls, TLS, HTTP."""
