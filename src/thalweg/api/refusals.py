"""How often a client may try keys that are none."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict

from thalweg.errors import TooManyRefusals

MOST, SECONDS = 10, 60.0
_CLIENTS = 10_000


class Refusals:
    """Counts the refused keys of each client: `MOST` within `SECONDS`, then none is looked at."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counted: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def check(self, client: str) -> None:
        """Raises `TooManyRefusals`."""
        with self._lock:
            began, count = self._counted.get(client, (0.0, 0))
            if count >= MOST and time.monotonic() - began < SECONDS:
                raise TooManyRefusals(
                    f"{count} keys were refused within a minute", hint="wait a minute"
                )

    def count(self, client: str) -> None:
        """A key of the client was refused."""
        now = time.monotonic()
        with self._lock:
            began, count = self._counted.pop(client, (now, 0))
            fresh = now - began < SECONDS
            self._counted[client] = (began, count + 1) if fresh else (now, 1)
            if len(self._counted) > _CLIENTS:
                self._counted.popitem(last=False)
