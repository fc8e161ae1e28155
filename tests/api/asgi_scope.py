"""Requests as a server hands them to an application."""


def scope_of(path, query=b"", headers=()):
    """Of a GET from one client."""
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query,
        "root_path": "",
        "headers": list(headers),
        "client": ("203.0.113.7", 1),
        "server": ("city.example", 80),
    }
