package rig

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// realtime is the function: rdi is the clock, rsi where the time goes.
//
//	mov eax, 228; syscall; test edi, edi; jne end; test eax, eax; jne end; mov rcx, [rip+8]; add [rsi], rcx; end: ret; nop...; seconds
var realtime = [...]byte{
	0xb8, 0xe4, 0, 0, 0, 0x0f, 0x05, // clock_gettime(2)
	0x85, 0xff, 0x75, 14, // of another clock than CLOCK_REALTIME: as it is
	0x85, 0xc0, 0x75, 10, // an error
	0x48, 0x8b, 0x0d, 10, 0, 0, 0, // the seconds at 32
	0x48, 0x01, 0x0e,
	0xc3,
	0x90, 0x90, 0x90, 0x90, 0x90, 0x90,
	0, 0, 0, 0, 0, 0, 0, 0,
}

const secondsAt = len(realtime) - 8

// start starts a command whose clock can be set.
func (s *Skew) start(tb testing.TB, cmd *exec.Cmd) {
	tb.Helper()
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	// A traced process stops at its first instruction, for the thread that started it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	require.NoError(tb, cmd.Start())
	var status syscall.WaitStatus
	_, err := syscall.Wait4(cmd.Process.Pid, &status, 0, nil)
	require.NoError(tb, err)
	require.True(tb, status.Stopped(), "%v", status)
	require.NoError(tb, s.install(cmd.Process.Pid))
	require.NoError(tb, syscall.PtraceDetach(cmd.Process.Pid))
}

// install replaces the function in a process that does not run.
func (s *Skew) install(pid int) error {
	from, size, err := vdso(pid)
	if err != nil {
		return err
	}
	s.memory = fmt.Sprintf("/proc/%d/mem", pid)
	image, err := s.read(from, size)
	if err != nil {
		return err
	}
	library, err := elf.NewFile(bytes.NewReader(image))
	if err != nil {
		return err
	}
	symbols, err := library.DynamicSymbols()
	if err != nil {
		return err
	}
	for _, symbol := range symbols {
		if symbol.Name == "__vdso_clock_gettime" {
			if symbol.Size < uint64(len(realtime)) {
				return fmt.Errorf("%s has room for %d bytes, not for %d", symbol.Name, symbol.Size, len(realtime))
			}
			at := from + int64(symbol.Value)
			s.at = at + int64(secondsAt)
			return s.write(realtime[:], at)
		}
	}
	return fmt.Errorf("process %d: the vDSO has no __vdso_clock_gettime", pid)
}

func (s *Skew) read(from, size int64) ([]byte, error) {
	memory, err := os.Open(s.memory)
	if err != nil {
		return nil, err
	}
	defer memory.Close()
	image := make([]byte, size)
	_, err = memory.ReadAt(image, from)
	return image, err
}

// write writes where the process itself may not, which some kernels refuse to everybody.
func (s *Skew) write(text []byte, at int64) error {
	memory, err := os.OpenFile(s.memory, os.O_WRONLY, 0)
	if err == nil {
		_, err = memory.WriteAt(text, at)
		err = errors.Join(err, memory.Close())
	}
	if err != nil {
		return fmt.Errorf("the clock of one program is set in its memory, which cannot be written here: run as root or with CAP_SYS_PTRACE, "+
			"and since Linux 6.12 with proc_mem.force_override=always if the kernel was built to refuse (%s at %#x): %w", s.memory, at, err)
	}
	return nil
}

// vdso is where the kernel's page lies in a process.
func vdso(pid int) (from, size int64, err error) {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(maps)) {
		if strings.HasSuffix(strings.TrimSpace(line), "[vdso]") {
			var to int64
			_, err := fmt.Sscanf(line, "%x-%x", &from, &to)
			return from, to - from, err
		}
	}
	return 0, 0, fmt.Errorf("process %d has no vDSO", pid)
}

// Set makes the clock differ by whole seconds from the machine's.
func (s *Skew) Set(tb testing.TB, by time.Duration) {
	tb.Helper()
	require.NoError(tb, s.write(binary.LittleEndian.AppendUint64(nil, uint64(int64(by/time.Second))), s.at))
	s.by = by
}
