"""The polars step: a Python script over the lazy frame `input`, with `pl` in scope."""

import ast
import traceback

import polars as pl

from failures import StepFailure, first_line

VERSION = pl.__version__
_SCRIPT = "<script>"


class Step:
    def __init__(self, script, tables, batch_rows, **_):
        try:
            tree = ast.parse(script, _SCRIPT)
        except SyntaxError as e:
            raise StepFailure("BadScript", f"line {e.lineno} of the script: {e.msg}") from e
        self._value = None
        if tree.body and isinstance(tree.body[-1], ast.Expr):
            self._value = compile(ast.Expression(tree.body.pop().value), _SCRIPT, "eval")
        self._statements = compile(tree, _SCRIPT, "exec")
        self._batch_rows = batch_rows
        self._tables = {name: pl.scan_ipc(path) for name, path in tables.items()}

    def over_file(self, path):
        """Yields Arrow batches of the script over the spooled input; Polars reads it lazily, in streaming mode."""
        yield from self._collect(pl.scan_ipc(path))

    def over_batch(self, batch):
        yield from self._collect(pl.from_arrow(batch).lazy())

    def _collect(self, frame):
        columns = frame.collect_schema().names()
        result = self._run(frame, columns)
        yielded = False
        try:
            schema = _planned(result)
            for part in result.collect_batches(chunk_size=self._batch_rows, maintain_order=True, engine="streaming"):
                for batch in part.rechunk().to_arrow().to_batches():
                    yielded = True
                    yield batch
            if not yielded:
                yield from pl.DataFrame(schema=schema).to_arrow().to_batches() or [_empty(schema)]
        except Exception as e:
            raise _failure(e, columns) from e

    def _run(self, frame, columns):
        scope = {"pl": pl, **self._tables, "input": frame}
        value = None
        try:
            exec(self._statements, scope)
            if self._value is not None:
                value = eval(self._value, scope)
        except StepFailure:
            raise
        except Exception as e:
            raise _failure(e, columns, planning=True) from e
        if value is None:
            value = scope.get("output")
        if isinstance(value, pl.DataFrame):
            value = value.lazy()
        if not isinstance(value, pl.LazyFrame):
            raise StepFailure(
                "BadScript",
                f"the script must end in an expression of type LazyFrame or DataFrame, or set `output`; found {type(value).__name__}",
            )
        return value


class _PlanningError(Exception):
    pass


def _planned(result):
    try:
        return result.collect_schema()
    except Exception as e:
        raise _PlanningError() from e


def _empty(schema):
    import batches

    return batches.empty(pl.DataFrame(schema=schema).to_arrow().schema)


def _failure(error, columns, planning=False):
    if isinstance(error, _PlanningError):
        planning, error = True, error.__cause__
    if isinstance(error, StepFailure):
        return error
    where = _script_line(error)
    if isinstance(error, pl.exceptions.ColumnNotFoundError):
        return StepFailure("MissingColumn", f"{where}column not found: {_column(error)}", columns)
    if isinstance(error, MemoryError):
        return StepFailure("OutOfMemory", first_line(error))
    kind = "BadScript" if planning else "BadData"
    return StepFailure(kind, f"{where}{type(error).__name__}: {first_line(error)}", columns)


def _column(error):
    # Polars appends the resolved plan after the name; the first word is what the user needs.
    return first_line(error).removeprefix("unable to find column ").split(";")[0].strip().strip('"')


def _script_line(error):
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == _SCRIPT]
    return f"line {lines[-1]} of the script: " if lines else ""
