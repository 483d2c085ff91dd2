package nixlreceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/nixlreceiver"

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/otelcol-inference/otelcol-inference/internal/nixl"
)

// maxFiles bounds what is looked at in one directory.
const maxFiles = 8192

// fileStamp is what tells whether a file has been made anew: NIXL sizes it when an agent starts, and writes by mapping after that.
type fileStamp struct {
	id       nixl.FileID
	size     int64
	modified time.Time
}

// candidate is a file in one of the directories that may be telemetry.
type candidate struct {
	path  string
	store bool
	owned bool // a process has it mapped; only known when there are too many files
	fileStamp
}

// listing is what the directories hold.
type listing struct {
	all []candidate // the newest first
	cut int         // files beyond maxFiles, which were not looked at
}

// list returns the regular files of the directories. A directory that is not there has none; one that has too many is an error.
func list(cfg *SourcesConfig) (l listing, err error) {
	for _, dir := range cfg.Buffer.Directories {
		err = errors.Join(err, l.add(dir, false))
	}
	for _, dir := range cfg.Multiproc.Directories {
		err = errors.Join(err, l.add(dir, true))
	}
	slices.SortStableFunc(l.all, func(a, b candidate) int { return b.modified.Compare(a.modified) })
	return l, err
}

func (l *listing) add(dir string, stores bool) error {
	d, err := os.Open(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer d.Close()
	entries, err := d.ReadDir(maxFiles)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	for _, e := range entries {
		_, store := nixl.ParseStoreName(e.Name())
		if store != stores || !e.Type().IsRegular() || !stores && isForeign(e.Name()) {
			continue
		}
		info, err := e.Info()
		if err != nil {
			continue // it is gone already
		}
		l.all = append(l.all, candidate{
			path: filepath.Join(dir, e.Name()), store: store,
			fileStamp: fileStamp{id: nixl.IDOf(info), size: info.Size(), modified: info.ModTime()},
		})
	}
	return l.rest(d)
}

// maxChunks bounds how far files are counted that are not looked at.
const maxChunks = 64

// rest counts the files of a directory that were not looked at.
func (l *listing) rest(d *os.File) error {
	n := 0
	for range maxChunks {
		names, err := d.Readdirnames(maxFiles)
		n += len(names)
		if err != nil {
			break // the end, or as far as it can be read
		}
	}
	l.cut += n
	if n == 0 {
		return nil
	}
	return fmt.Errorf("%s: must have at most %d files (got more, which are not looked at)", d.Name(), maxFiles)
}

// isForeign says whether a name belongs to the other exporter.
func isForeign(name string) bool {
	return strings.HasSuffix(name, ".staging") || strings.HasSuffix(name, ".lock")
}

// open makes an agent of a candidate.
func (c candidate) open(cfg *BufferConfig, now time.Time) (*agent, error) {
	if !c.store {
		r, err := nixl.Open(c.path, cfg.AllowUnknownVersion)
		if err != nil {
			return nil, err
		}
		return newRingAgent(r, c.fileStamp, now), nil
	}
	s, err := nixl.OpenStore(c.path)
	if err != nil {
		return nil, err
	}
	snapshot, err := s.Read()
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return newStoreAgent(s, snapshot, c.fileStamp, now), nil
}

// reason classifies why a file cannot be read, as metadata.yaml has it.
func reason(err error) string {
	switch {
	case errors.Is(err, nixl.ErrInitialising):
		return "initialising"
	case errors.Is(err, nixl.ErrUnsupported):
		return "unsupported"
	case errors.Is(err, nixl.ErrInvalid):
		return "invalid"
	case errors.Is(err, errLimit):
		return "limit"
	case errors.Is(err, os.ErrPermission):
		return "permission"
	}
	return "unreadable"
}

var errLimit = errors.New("there are as many agents as max_agents allows")

// refusal is a file that is not read.
type refusal struct {
	fileStamp
	since time.Time
	told  bool
	why   string
}

// patience is how long a file may be half made before that is told.
const patience = time.Minute

// refusals keeps what is known of files that are not read, by path.
type refusals map[string]*refusal

// add takes note of a failure, and says whether it is to be told: once for each file, and only after a while when it may yet be made.
func (r refusals) add(c candidate, err error, now time.Time) bool {
	old := r[c.path]
	if old == nil || old.fileStamp != c.fileStamp || old.why != reason(err) {
		old = &refusal{fileStamp: c.fileStamp, since: now, why: reason(err)}
		r[c.path] = old
	}
	tell := !old.told && (!errors.Is(err, nixl.ErrInitialising) || now.Sub(old.since) >= patience)
	old.told = old.told || tell
	return tell
}

// settled says whether nothing has changed since a file was refused for good.
func (r refusals) settled(c candidate) bool {
	old := r[c.path]
	return old != nil && old.told && old.fileStamp == c.fileStamp && (old.why == "unsupported" || old.why == "invalid")
}

// keep forgets the files that are no more.
func (r refusals) keep(listed map[string]fileStamp) {
	for path := range r {
		if _, ok := listed[path]; !ok {
			delete(r, path)
		}
	}
}

func wrapList(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("the directories cannot all be read: %w", err)
}
