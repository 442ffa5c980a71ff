"""A service's HTTP side as a tape sees it: canned answers, one after the other."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any


@contextmanager
def answering(answers: dict[str, list[Any]]) -> Iterator[str]:
    """A server whose every path gives its answers one after the other, the last one for ever; a number is a status."""
    asked: Counter[str] = Counter()

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            said = answers.get(path, [404])
            answer = said[min(asked[path], len(said) - 1)]
            asked[path] += 1
            status, body = (answer, "{}") if isinstance(answer, int) else (200, json.dumps(answer))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is given
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
