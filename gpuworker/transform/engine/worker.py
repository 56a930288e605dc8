"""One connection of the engine server: requests one after the other, until the worker closes it."""

import importlib
import json
import os
import select
import signal
import socket
import sys
import threading
import time

import pyarrow as pa

import batches
import frames
from failures import StepFailure, first_line

_ENGINES = {"polars": "polars_engine", "datafusion": "datafusion_engine"}


def main():
    handover, scratch, memory_bytes, threads = socket.socket(fileno=int(sys.argv[1])), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    for module in _ENGINES.values():
        importlib.import_module(module)
    _, fds, _, _ = socket.recv_fds(handover, 1, 1)
    if not fds:
        return  # the server ended
    handover.close()
    with socket.socket(fileno=fds[0]) as connection:
        server = Server(connection, scratch, memory_bytes, threads)
        while server.one_request():
            pass


class Server:
    def __init__(self, connection, scratch, memory_bytes, threads):
        self._connection, self._scratch = connection, scratch
        self._memory_bytes, self._threads = memory_bytes, threads

    def one_request(self):
        """Serves one request; False when the peer is gone or the protocol was broken."""
        frame = frames.read_frame(self._connection)
        if frame is None:
            return False
        kind, payload = frame
        try:
            if kind != frames.HEADER:
                raise StepFailure("Protocol", f"expected a header, found a frame of type {kind!r}")
            request = json.loads(payload)
            match request.get("op"):
                case "health":
                    frames.write_json(self._connection, frames.RESULT, _health())
                    return True
                case "run":
                    self._run(request)
                    return True
                case other:
                    raise StepFailure("Protocol", f"unknown operation {other!r}; known: health, run")
        except (frames.ProtocolError, BrokenPipeError, ConnectionResetError):
            return False
        except StepFailure as e:
            return self._fail(e)
        except MemoryError as e:
            return self._fail(StepFailure("OutOfMemory", first_line(e)))
        except pa.ArrowInvalid as e:
            return self._fail(StepFailure("BadData", first_line(e)))
        except Exception as e:
            return self._fail(StepFailure("Internal", f"{type(e).__name__}: {first_line(e)}"))

    def _fail(self, failure):
        try:
            frames.write_json(self._connection, frames.FAILURE, failure.as_json())
        except OSError:
            pass
        return False

    def _run(self, request):
        name = request.get("engine")
        if name not in _ENGINES:
            raise StepFailure("BadScript", f"unknown engine {name!r}; known: {', '.join(_ENGINES)}")
        with TimeLimit(self._connection, request.get("timeoutSeconds", 3600)):
            module = importlib.import_module(_ENGINES[name])
            step = module.Step(
                script=request["script"],
                tables={table: self._spool_table(table) for table in request.get("tables", [])},
                batch_rows=request.get("batchRows", 65536),
                memory_bytes=request.get("memoryBytes") or self._memory_bytes,
                threads=self._threads,
                scratch=self._scratch,
            )
            source, reader = self._open_stream()
            counter = Counter()
            output = self._row_wise(step, reader, source, counter) if request.get("rowWise") else self._whole(step, reader, source, counter)
            self._answer(name, module.VERSION, output, counter)

    def _open_stream(self):
        source = frames.DataReader(self._connection)
        return source, pa.ipc.open_stream(pa.BufferedInputStream(pa.PythonFile(source, "r"), 1 << 20))

    def _spool_table(self, name):
        """A further input of the step: it comes before the input itself, as a stream of its own."""
        if not name.isidentifier():
            raise StepFailure("Protocol", f"{name!r} is no name for a table")
        source, reader = self._open_stream()
        path = os.path.join(self._scratch, f"table-{name}.arrow")
        batches.spool(reader, path)
        source.drain()
        return path

    def _whole(self, step, reader, source, counter):
        path = os.path.join(self._scratch, "input.arrow")
        counter.rows_in = batches.spool(reader, path)
        source.drain()
        try:
            yield from step.over_file(path)
        finally:
            os.unlink(path)

    def _row_wise(self, step, reader, source, counter):
        for batch in reader:
            counter.rows_in += batch.num_rows
            yield from step.over_batch(batch)
        source.drain()
        if counter.rows_in == 0:
            yield from step.over_batch(batches.empty(reader.schema))

    def _answer(self, name, version, output, counter):
        sink, writer, schema = frames.DataWriter(self._connection), None, None
        for batch in output:
            if writer is None:
                schema = batches.plain_schema(batch.schema)
                frames.write_json(self._connection, frames.HEADER, {"engine": name, "version": version})
                writer = pa.ipc.new_stream(pa.PythonFile(sink, "w"), schema)
            counter.rows_out += batch.num_rows
            try:
                writer.write_batch(batches.conform(batch, schema))
            except ValueError as e:
                raise StepFailure("BadData", str(e)) from e
            sink.send()
        writer.close()
        sink.send()
        frames.write_frame(self._connection, frames.END)
        frames.write_json(
            self._connection,
            frames.RESULT,
            {"engine": name, "version": version, "rowsIn": counter.rows_in, "rowsOut": counter.rows_out, "bytesOut": sink.bytes},
        )


class Counter:
    rows_in = 0
    rows_out = 0


class TimeLimit:
    """Ends the process when time is up or the worker has gone away: native code cannot be interrupted otherwise."""

    def __init__(self, connection, seconds):
        self._connection, self._seconds, self._done = connection, seconds, threading.Event()

    def __enter__(self):
        # The kernel's alarm also ends a script that never lets the watching thread run.
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(int(self._seconds) + 10)
        threading.Thread(target=self._watch, daemon=True).start()

    def __exit__(self, *_):
        self._done.set()
        signal.alarm(0)

    def _watch(self):
        end = time.monotonic() + self._seconds
        poller = select.poll()
        poller.register(self._connection, select.POLLHUP | select.POLLERR)
        while not self._done.wait(0.2):
            if poller.poll(0):
                os._exit(1)
            if time.monotonic() > end:
                failure = StepFailure("Timeout", f"the step ran longer than {self._seconds} s")
                try:
                    frames.write_json(self._connection, frames.FAILURE, failure.as_json())
                finally:
                    os._exit(1)


def _health():
    versions = {name: importlib.import_module(module).VERSION for name, module in _ENGINES.items()}
    return {"engines": versions, "pyarrow": pa.__version__, "python": sys.version.split()[0]}


if __name__ == "__main__":
    main()
