"""Failures as the worker sees them: a class that decides the exit code, a message for a person, columns that exist."""


class StepFailure(Exception):
    """kind is one of BadScript, MissingColumn, MissingTable, BadData, OutOfMemory, Timeout, Protocol, Internal."""

    def __init__(self, kind, message, available=()):
        super().__init__(message)
        self.kind = kind
        self.available = list(available)

    def as_json(self):
        return {"kind": self.kind, "message": str(self)[:4000], "available": self.available[:1000]}


def first_line(error):
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:1000]
