//go:build !linux

package nixl // import "github.com/otelcol-inference/otelcol-inference/internal/nixl"

import (
	"errors"
	"os"
)

// NIXL runs on Linux only.

func openFile(string, bool) (*os.File, FileID, int64, error) {
	return nil, FileID{}, 0, errors.ErrUnsupported
}

func fileID(*os.File) (FileID, int64, error) { return FileID{}, 0, errors.ErrUnsupported }

// IDOf tells nothing here.
func IDOf(os.FileInfo) FileID { return FileID{} }

func mapFile(*os.File, int64, bool) ([]byte, error) { return nil, errors.ErrUnsupported }

func unmapFile([]byte) error { return errors.ErrUnsupported }

func lockFile(*os.File) error { return errors.ErrUnsupported }

func lockedByAnother(*os.File) (bool, error) { return false, errors.ErrUnsupported }

// Monotonic is the time on the clock of Snapshot.Updated; there is none here.
func Monotonic() int64 { return 0 }
