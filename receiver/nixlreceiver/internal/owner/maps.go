package owner // import "github.com/otelcol-inference/otelcol-inference/receiver/nixlreceiver/internal/owner"

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/otelcol-inference/otelcol-inference/internal/nixl"
)

// maxMapsBytes bounds what is read of one maps file; an engine's has some thousand lines of about 100 bytes.
const maxMapsBytes = 32 << 20

// mapped is what a process has in its memory.
type mapped struct {
	files   map[nixl.FileID]struct{} // of the wanted ones, shared and writable
	library bool                     // libnixl
}

func (f *Finder) maps(pid int, wanted map[uint64][]File) (mapped, error) {
	m := mapped{files: make(map[nixl.FileID]struct{})}
	file, err := f.proc.Open(strconv.Itoa(pid) + "/maps")
	if err != nil {
		return m, err
	}
	defer file.Close()
	lines := bufio.NewReaderSize(io.LimitReader(file, maxMapsBytes), 64<<10)
	for {
		line, err := lines.ReadSlice('\n')
		if err == nil || errors.Is(err, io.EOF) {
			m.line(bytes.TrimSuffix(line, []byte{'\n'}), wanted)
		}
		switch {
		case errors.Is(err, io.EOF):
			return m, nil
		case errors.Is(err, bufio.ErrBufferFull):
			continue // the rest of an endless name
		case err != nil:
			return m, fmt.Errorf("maps of process %d: %w", pid, err)
		}
	}
}

// line reads one line of proc_pid_maps(5): range, permissions, offset, device, inode, name.
func (m *mapped) line(line []byte, wanted map[uint64][]File) {
	var fields [5][]byte
	rest := line
	for i := range fields {
		var ok bool
		if fields[i], rest, ok = bytes.Cut(rest, []byte{' '}); !ok && i < len(fields)-1 {
			return
		}
	}
	if bytes.Equal(fields[4], []byte{'0'}) {
		return // no file
	}
	base := rest[bytes.LastIndexByte(rest, '/')+1:]
	if bytes.HasPrefix(base, []byte("libnixl")) {
		m.library = true
		return
	}
	if !bytes.Equal(fields[1], []byte("rw-s")) {
		return
	}
	inode, err := strconv.ParseUint(string(fields[4]), 10, 64)
	if err != nil {
		return
	}
	for _, file := range wanted[inode] {
		// Some file systems tell another device here than to stat; then the name decides, which may belong to another directory.
		if device(fields[3]) == file.ID.Device || string(bytes.TrimSuffix(base, []byte(" (deleted)"))) == file.Base {
			m.files[file.ID] = struct{}{}
		}
	}
}

// device reads major:minor in hexadecimal.
func device(field []byte) uint64 {
	major, minor, _ := bytes.Cut(field, []byte{':'})
	high, err := strconv.ParseUint(string(major), 16, 32)
	if err != nil {
		return 0
	}
	low, err := strconv.ParseUint(string(minor), 16, 32)
	if err != nil {
		return 0
	}
	return unix.Mkdev(uint32(high), uint32(low))
}
