"""Frames on the socket: one type byte, a 4-byte big-endian length, the payload.

H  header or answer (JSON)      D  a piece of an Arrow IPC stream
Z  end of the data              E  failure (JSON)           R  result (JSON), the last frame of an answer

A request is a header, then one stream (D... Z) for each name in its `tables`, in that order, then the stream of the input.
"""

import io
import json
import struct

HEADER, DATA, END, FAILURE, RESULT = b"H", b"D", b"Z", b"E", b"R"
MAX_JSON = 1 << 20
MAX_DATA = 64 << 20
_PIECE = 4 << 20


class ProtocolError(Exception):
    """The peer sent something else than the protocol allows, or went away in the middle."""


def _read_exactly(sock, n):
    buffer = bytearray(n)
    view = memoryview(buffer)
    while view:
        got = sock.recv_into(view)
        if got == 0:
            raise ProtocolError("the connection closed in the middle of a frame")
        view = view[got:]
    return buffer


def read_frame(sock):
    """Returns (kind, payload), or None when the peer closed between two frames."""
    first = sock.recv(1)
    if not first:
        return None
    (size,) = struct.unpack(">I", _read_exactly(sock, 4))
    if size > (MAX_DATA if first == DATA else MAX_JSON):
        raise ProtocolError(f"a frame of {size} bytes is over the limit")
    return first, _read_exactly(sock, size)


def write_frame(sock, kind, payload=b""):
    sock.sendall(struct.pack(">cI", kind, len(payload)))
    if len(payload):
        sock.sendall(payload)


def write_json(sock, kind, value):
    write_frame(sock, kind, json.dumps(value).encode())


class DataReader(io.RawIOBase):
    """The D frames of a request as one readable stream, so that pyarrow can read Arrow IPC from it."""

    def __init__(self, sock):
        self._sock = sock
        self._rest = memoryview(b"")
        self._ended = False
        self.bytes = 0

    def readable(self):
        return True

    def readinto(self, target):
        """Fills the whole target while there is data: Arrow takes a short read for the end of the stream."""
        filled = 0
        while filled < len(target) and (self._rest or self._next()):
            n = min(len(target) - filled, len(self._rest))
            target[filled : filled + n] = self._rest[:n]
            self._rest = self._rest[n:]
            filled += n
        return filled

    def drain(self):
        """Takes what follows the end of the Arrow stream, up to the Z frame."""
        while self._next():
            pass

    def _next(self):
        while not self._ended:
            frame = read_frame(self._sock)
            if frame is None:
                raise ProtocolError("the connection closed before the end of the data")
            kind, payload = frame
            if kind == END:
                self._ended = True
            elif kind != DATA:
                raise ProtocolError(f"expected data, found a frame of type {kind!r}")
            elif payload:
                self.bytes += len(payload)
                self._rest = memoryview(payload)
                return True
        return False


class DataWriter(io.RawIOBase):
    """What pyarrow writes, as D frames; small writes are gathered."""

    def __init__(self, sock):
        self._sock = sock
        self._held = bytearray()
        self.bytes = 0

    def writable(self):
        return True

    def write(self, data):
        data = memoryview(data).cast("B")
        self.bytes += len(data)
        if len(self._held) + len(data) > _PIECE:
            self.send()
        for start in range(0, len(data), _PIECE):
            piece = data[start : start + _PIECE]
            if len(piece) == _PIECE:
                write_frame(self._sock, DATA, piece)
            else:
                self._held += piece
        return len(data)

    def send(self):
        if self._held:
            write_frame(self._sock, DATA, self._held)
            self._held = bytearray()
