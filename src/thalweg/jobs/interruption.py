"""How work is left when the engine closes under it."""

from __future__ import annotations


class Interrupted(BaseException):
    """The engine is closing: nothing is recorded, and the work stays to be taken up again.

    Not an `Exception`, so that neither a task's retry nor DBOS takes it for an outcome.
    """
