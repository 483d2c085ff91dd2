//go:build !linux

package nixl

import (
	"errors"
	"os"
)

// NIXL runs on Linux only, and so do its files.

func openRing(string) (*os.File, error) { return nil, errors.ErrUnsupported }

func mapFile(*os.File, int64) (mapping, error) { return mapping{}, errors.ErrUnsupported }

func (m mapping) sync() error { return errors.ErrUnsupported }

func (m mapping) unmap() error { return errors.ErrUnsupported }

func stageStore(string, string, bool) (*os.File, string, error) {
	return nil, "", errors.ErrUnsupported
}

func lockStore(*os.File) error { return errors.ErrUnsupported }

func publishStore(*os.File, string, string) error { return errors.ErrUnsupported }

func monotonic() func() uint64 { return func() uint64 { return 0 } }
