package wal

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
)

// A segment is a header and frames, integers little-endian.
//
//	header: magic[8] first[8] logID[16] crc[4]
//	frame:  magic[4] length[4] index[8] batch[8] crc[4] payload
//
// batch is the index of the first entry of the batch that the frame was written with; crc is over the
// frame without the crc field.
const (
	headerSize = 36
	frameSize  = 28
)

var (
	headerMagic = [8]byte{'D', 'S', 'W', 'A', 'L', 0xFF, 0, 1}
	// 0xFF never occurs in UTF-8, so a JSON payload cannot contain what looks like a frame.
	frameMagic = [4]byte{0xFF, 'D', 'S', 'E'}
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

func encodeHeader(first uint64, id [16]byte) []byte {
	b := make([]byte, 0, headerSize)
	b = append(b, headerMagic[:]...)
	b = binary.LittleEndian.AppendUint64(b, first)
	b = append(b, id[:]...)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

func decodeHeader(data []byte) (first uint64, id [16]byte, err error) {
	if len(data) < headerSize {
		return 0, id, fmt.Errorf("expected a header of %d bytes, found %d bytes", headerSize, len(data))
	}
	if !bytes.Equal(data[:8], headerMagic[:]) {
		return 0, id, fmt.Errorf("expected the magic % x, found % x", headerMagic, data[:8])
	}
	if got, want := binary.LittleEndian.Uint32(data[32:]), crc32.Checksum(data[:32], castagnoli); got != want {
		return 0, id, fmt.Errorf("header CRC is %08x, its bytes give %08x", got, want)
	}
	return binary.LittleEndian.Uint64(data[8:]), [16]byte(data[16:32]), nil
}

// encodeBatch returns the frames of a batch and where each begins.
func encodeBatch(first uint64, payloads [][]byte) (buf []byte, starts []uint32) {
	total := 0
	for _, p := range payloads {
		total += frameSize + len(p)
	}
	buf = make([]byte, 0, total)
	starts = make([]uint32, 0, len(payloads))
	for i, p := range payloads {
		starts = append(starts, uint32(len(buf))) //nolint:gosec // a batch is below maxSegmentFile
		buf = appendFrame(buf, first+uint64(i), first, p)
	}
	return buf, starts
}

func appendFrame(buf []byte, index, batch uint64, payload []byte) []byte {
	start := len(buf)
	buf = append(buf, frameMagic[:]...)
	buf = binary.LittleEndian.AppendUint32(buf, uint32(len(payload))) //nolint:gosec // a batch is below maxSegmentFile
	buf = binary.LittleEndian.AppendUint64(buf, index)
	buf = binary.LittleEndian.AppendUint64(buf, batch)
	crc := crc32.Update(crc32.Checksum(buf[start:], castagnoli), castagnoli, payload)
	buf = binary.LittleEndian.AppendUint32(buf, crc)
	return append(buf, payload...)
}

// frame is one decoded entry.
type frame struct {
	index, batch uint64
	payload      []byte
	size         int
}

// decodeFrame reads the frame at the start of data.
func decodeFrame(data []byte) (frame, error) {
	if len(data) < frameSize {
		return frame{}, fmt.Errorf("expected a frame header of %d bytes, found %d bytes", frameSize, len(data))
	}
	if !bytes.Equal(data[:4], frameMagic[:]) {
		return frame{}, fmt.Errorf("expected the magic % x, found % x", frameMagic, data[:4])
	}
	length := binary.LittleEndian.Uint32(data[4:])
	if length > MaxPayload || int(length) > len(data)-frameSize {
		return frame{}, fmt.Errorf("frame says %d payload bytes, %d follow", length, len(data)-frameSize)
	}
	f := frame{
		index:   binary.LittleEndian.Uint64(data[8:]),
		batch:   binary.LittleEndian.Uint64(data[16:]),
		size:    frameSize + int(length),
		payload: data[frameSize : frameSize+int(length)],
	}
	got := binary.LittleEndian.Uint32(data[24:])
	want := crc32.Update(crc32.Checksum(data[:24], castagnoli), castagnoli, f.payload)
	if got != want {
		return frame{}, fmt.Errorf("frame CRC is %08x, its bytes give %08x", got, want)
	}
	return f, nil
}

// readFrame reads the frame at an offset of a file, and checks that it is the entry that was asked for.
func readFrame(r io.ReaderAt, offset int64, index uint64) ([]byte, error) {
	var head [frameSize]byte
	if _, err := r.ReadAt(head[:], offset); err != nil {
		return nil, fmt.Errorf("read frame header: %w", err)
	}
	length := binary.LittleEndian.Uint32(head[4:])
	if length > MaxPayload {
		return nil, fmt.Errorf("frame says %d payload bytes, at most %d are allowed", length, MaxPayload)
	}
	data := make([]byte, frameSize+int(length))
	copy(data, head[:])
	if _, err := r.ReadAt(data[frameSize:], offset+frameSize); err != nil {
		return nil, fmt.Errorf("read payload: %w", err)
	}
	f, err := decodeFrame(data)
	if err != nil {
		return nil, err
	}
	if f.index != index {
		return nil, fmt.Errorf("expected entry %d, found entry %d", index, f.index)
	}
	return f.payload, nil
}

// laterBatch looks in data for an intact frame of a batch that began after entry index: its presence
// proves that entry index was durable once.
func laterBatch(data []byte, index uint64) bool {
	for {
		at := bytes.Index(data, frameMagic[:])
		if at < 0 {
			return false
		}
		data = data[at:]
		if f, err := decodeFrame(data); err == nil && f.batch > index && f.batch <= f.index {
			return true
		}
		data = data[1:]
	}
}
