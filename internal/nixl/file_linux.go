package nixl // import "github.com/otelcol-inference/otelcol-inference/internal/nixl"

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// openFile opens a regular file, and nothing else: no link is followed and no pipe waited for.
func openFile(path string, writable bool) (*os.File, FileID, int64, error) {
	flags := unix.O_RDONLY
	if writable {
		flags = unix.O_RDWR
	}
	f, err := os.OpenFile(path, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, FileID{}, 0, err
	}
	id, size, err := fileID(f)
	if err != nil {
		_ = f.Close()
		return nil, FileID{}, 0, fmt.Errorf("%s: %w", path, err)
	}
	return f, id, size, nil
}

func fileID(f *os.File) (FileID, int64, error) {
	info, err := f.Stat()
	if err != nil {
		return FileID{}, 0, err
	}
	if !info.Mode().IsRegular() {
		return FileID{}, 0, fmt.Errorf("%w: want a regular file, got %s", ErrInvalid, info.Mode().Type())
	}
	return IDOf(info), info.Size(), nil
}

// IDOf tells the identity of a file from what Stat or Lstat says of it.
func IDOf(info os.FileInfo) FileID {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return FileID{}
	}
	return FileID{Device: stat.Dev, Inode: stat.Ino}
}

func mapFile(f *os.File, size int64, writable bool) ([]byte, error) {
	protection := unix.PROT_READ
	if writable {
		protection |= unix.PROT_WRITE
	}
	b, err := unix.Mmap(int(f.Fd()), 0, int(size), protection, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("mmap of %d bytes: %w", size, err)
	}
	return b, nil
}

func unmapFile(b []byte) error { return unix.Munmap(b) }

// lockFile takes the advisory lock, without waiting.
func lockFile(f *os.File) error {
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return fmt.Errorf("flock: %w", err)
	}
	return nil
}

// lockedByAnother says whether someone holds the advisory lock of a file. A shared lock is tried, and released at once when had.
func lockedByAnother(f *os.File) (bool, error) {
	err := unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("flock: %w", err)
	}
	return false, unix.Flock(int(f.Fd()), unix.LOCK_UN)
}

// Monotonic is the time on the clock of Snapshot.Updated, CLOCK_MONOTONIC in nanoseconds.
func Monotonic() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		return 0
	}
	return t.Nano()
}
