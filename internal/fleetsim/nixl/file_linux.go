package nixl

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// openRing opens or creates the file of a ring as it is: neither truncated nor required to be new.
func openRing(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
}

// mapFile makes the file exactly size bytes long and maps it shared.
func mapFile(f *os.File, size int64) (mapping, error) {
	if err := f.Truncate(size); err != nil {
		return mapping{}, err
	}
	b, err := unix.Mmap(int(f.Fd()), 0, int(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return mapping{}, fmt.Errorf("mmap of %d bytes: %w", size, err)
	}
	return mapping{bytes: b}, nil
}

func (m mapping) sync() error { return unix.Msync(m.bytes, unix.MS_SYNC) }

func (m mapping) unmap() error { return unix.Munmap(m.bytes) }

// stageStore opens a store that has no name yet or, where the file system has no nameless files, one under a name that no reader
// looks at. The second result is that name.
func stageStore(dir, path string, named bool) (*os.File, string, error) {
	if !named {
		fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
		if err == nil {
			return os.NewFile(uintptr(fd), path), "", nil
		}
	}
	staged := path + stagingSuffix
	f, err := os.OpenFile(staged, os.O_CREATE|os.O_EXCL|os.O_RDWR|unix.O_NOFOLLOW, 0o600)
	return f, staged, err
}

// lockStore takes the lock that tells readers the writer lives. It is held until the file is closed. The library goes on without
// where there are no locks; a store that nobody can tell from an abandoned one is of no use here.
func lockStore(f *os.File) error {
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return fmt.Errorf("flock: %w", err)
	}
	return nil
}

// publishStore gives the store its name.
func publishStore(f *os.File, staged, path string) error {
	if staged != "" {
		return os.Rename(staged, path)
	}
	// The link in /proc is the way that needs no capability.
	return unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", f.Fd()), unix.AT_FDCWD, path, unix.AT_SYMLINK_FOLLOW)
}

// monotonic tells CLOCK_MONOTONIC in nanoseconds. Go's own clock runs with it, and reading that takes no system call.
func monotonic() func() uint64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		return func() uint64 { return 0 }
	}
	start := time.Now()
	return func() uint64 { return uint64(t.Nano()) + uint64(time.Since(start)) }
}
