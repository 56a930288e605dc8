"""The datafusion step: one SQL query over the table `input`."""

import re

import datafusion
from datafusion import RuntimeEnvBuilder, SessionConfig, SessionContext, SQLOptions

import batches
from failures import StepFailure, first_line

VERSION = datafusion.__version__
_READ_ONLY = SQLOptions().with_allow_ddl(False).with_allow_dml(False).with_allow_statements(False)


class Step:
    def __init__(self, script, tables, batch_rows, memory_bytes, threads, scratch):
        self._tables = tables
        self._query, self._memory, self._threads, self._scratch = script, memory_bytes, threads, scratch
        self._batch_rows = batch_rows

    def over_file(self, path):
        """Yields Arrow batches of the query over the spooled input; sorts, joins and groups spill to the scratch folder."""
        context = self._context(self._threads)
        context.register_arrow("input", path)
        yield from self._execute(context, batches.columns_of(path))

    def over_batch(self, batch):
        context = self._context(1)  # one partition keeps the rows' order
        context.register_record_batches("input", [[batch]])
        yield from self._execute(context, batch.schema.names)

    def _context(self, partitions):
        config = (
            SessionConfig()
            .with_target_partitions(partitions)
            .with_batch_size(min(self._batch_rows, 8192))
            .set("datafusion.execution.time_zone", "UTC")
        )
        runtime = (
            RuntimeEnvBuilder().with_disk_manager_specified(self._scratch).with_fair_spill_pool(self._memory)
        )
        context = SessionContext(config, runtime)
        for name, path in self._tables.items():
            context.register_arrow(name, path)
        return context

    def _execute(self, context, columns):
        try:
            frame = context.sql_with_options(self._query, _READ_ONLY)
            schema = frame.schema()
        except Exception as e:
            raise self._planning_failure(e, columns) from e
        yielded = False
        try:
            for batch in frame.execute_stream():
                yielded = True
                yield batch.to_pyarrow()
        except Exception as e:
            raise _execution_failure(e) from e
        if not yielded:
            yield batches.empty(schema)

    def _planning_failure(self, error, columns):
        text = _plain(error)
        if found := re.search(r"No field named ([^.\s]+(?:\.\S+?)?)\.(?:\s|$)", text):
            of_tables = [f"{name}.{c}" for name, path in self._tables.items() for c in batches.columns_of(path)]
            return StepFailure("MissingColumn", f"column not found: {found[1]}", columns + of_tables)
        if found := re.search(r"table '([^']+)' not found", text):
            name = found[1].removeprefix("datafusion.public.")
            return StepFailure("MissingTable", f"table not found: {name}; the tables of this step: {', '.join(['input', *self._tables])}", columns)
        return StepFailure("BadScript", text, columns)


def _execution_failure(error):
    text = _plain(error)
    if "Resources exhausted" in text:
        return StepFailure("OutOfMemory", text)
    if text.startswith("Internal error"):  # a fault of the engine, often short of memory; not of the data
        return StepFailure("Internal", text)
    return StepFailure("BadData", text)


def _plain(error):
    text = first_line(error)
    return re.sub(r"^(DataFusion error: |Exception: )+", "", text)
