"""The datafusion step: one SQL query over the table `input`."""

import re

import datafusion
import pyarrow as pa
from datafusion import RuntimeEnvBuilder, SessionConfig, SessionContext, SQLOptions

from failures import StepFailure, first_line

VERSION = datafusion.__version__
_READ_ONLY = SQLOptions().with_allow_ddl(False).with_allow_dml(False).with_allow_statements(False)


class Step:
    def __init__(self, script, batch_rows, memory_bytes, threads, scratch):
        self._query, self._memory, self._threads, self._scratch = script, memory_bytes, threads, scratch
        self._batch_rows = batch_rows

    def over_file(self, path):
        """Yields Arrow batches of the query over the spooled input; sorts, joins and groups spill to the scratch folder."""
        context = self._context(self._threads)
        context.register_arrow("input", path)
        with pa.memory_map(path) as source, pa.ipc.open_file(source) as file:
            columns = file.schema.names
        yield from self._execute(context, columns)

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
        return SessionContext(config, runtime)

    def _execute(self, context, columns):
        try:
            frame = context.sql_with_options(self._query, _READ_ONLY)
            schema = frame.schema()
        except Exception as e:
            raise _planning_failure(e, columns) from e
        yielded = False
        try:
            for batch in frame.execute_stream():
                yielded = True
                yield batch.to_pyarrow()
        except Exception as e:
            raise _execution_failure(e) from e
        if not yielded:
            import batches

            yield batches.empty(schema)


def _planning_failure(error, columns):
    text = _plain(error)
    if found := re.search(r"No field named ([^.\s]+(?:\.\S+?)?)\.(?:\s|$)", text):
        return StepFailure("MissingColumn", f"column not found: {found[1]}", columns)
    if found := re.search(r"table '([^']+)' not found", text):
        name = found[1].removeprefix("datafusion.public.")
        return StepFailure("MissingTable", f"table not found: {name}; the only table of a step is `input`", columns)
    return StepFailure("BadScript", text, columns)


def _execution_failure(error):
    text = _plain(error)
    if "Resources exhausted" in text:
        return StepFailure("OutOfMemory", text)
    return StepFailure("BadData", text)


def _plain(error):
    text = first_line(error)
    return re.sub(r"^(DataFusion error: |Exception: )+", "", text)
