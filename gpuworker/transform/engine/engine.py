"""The engine server: runs Polars scripts and DataFusion queries for the worker, over a unix socket.

It holds no credentials and needs no network. Every connection is served by a process of its own: a script that runs
wild, crashes or hits its time limit ends with its process and touches nothing else. One process is kept ready, so that
a step does not wait for imports.
"""

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--socket", required=True, help="path of the unix socket to listen on")
    parser.add_argument("--scratch", required=True, help="folder for spooled inputs and spills")
    parser.add_argument("--memory-bytes", type=int, default=1 << 30, help="memory that one step may use before it spills")
    parser.add_argument("--threads", type=int, default=0, help="threads of one step; 0: one per CPU")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))

    os.makedirs(options.scratch, exist_ok=True)
    root = tempfile.mkdtemp(prefix="engine-", dir=options.scratch)
    try:
        with _listen(options.socket) as listener:
            while True:
                ready = _start(options, root)
                connection, _ = listener.accept()
                with connection:
                    ready.serve(connection)
    finally:
        Child.end_all()
        shutil.rmtree(root, ignore_errors=True)


def _start(options, root):
    """A Child; SIGTERM waits until it is known, so that the end of the server is its end too."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        return Child(options, root)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


def _listen(path):
    if os.path.exists(path):
        os.unlink(path)  # left by a server that was killed
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    os.chmod(path, 0o660)
    listener.listen(64)
    return listener


class Child:
    """A process that waits for one connection, serves it and ends."""

    _running = set()

    def __init__(self, options, root):
        self._scratch = tempfile.mkdtemp(dir=root)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        threads = options.threads or len(os.sched_getaffinity(0))
        with theirs:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    os.path.join(os.path.dirname(os.path.abspath(__file__)), "worker.py"),
                    str(theirs.fileno()),
                    self._scratch,
                    str(options.memory_bytes),
                    str(threads),
                ],
                pass_fds=[theirs.fileno()],
                env={**os.environ, "POLARS_MAX_THREADS": str(threads), "POLARS_TEMP_DIR": self._scratch,
                     "TMPDIR": self._scratch, "PYTHONUNBUFFERED": "1"},
            )
        self._handover = ours
        Child._running.add(self)
        threading.Thread(target=self._wait, daemon=True).start()

    def serve(self, connection):
        try:
            socket.send_fds(self._handover, [b"c"], [connection.fileno()])
        except OSError as e:
            print(f"engine: handing a connection over failed: {e}", file=sys.stderr, flush=True)

    def _wait(self):
        self._process.wait()
        self._handover.close()
        shutil.rmtree(self._scratch, ignore_errors=True)
        Child._running.discard(self)

    @staticmethod
    def end_all():
        for child in list(Child._running):
            child._process.kill()
        for child in list(Child._running):
            child._process.wait()


if __name__ == "__main__":
    main()
