// Package nixl_test runs the nixl receiver, with its own loops and clocks, beside processes that write NIXL telemetry.
package nixl_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	sim "github.com/otelcol-inference/otelcol-inference/internal/fleetsim/nixl"
	"github.com/otelcol-inference/otelcol-inference/internal/nixl"
)

// writerEnvironment makes the test binary a process with agents.
const writerEnvironment = "NIXL_TEST_WRITER"

func TestMain(m *testing.M) {
	if order := os.Getenv(writerEnvironment); order != "" {
		if err := write(order); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// order is what a process shall do.
type order struct {
	Dir    string
	Agents int
	Store  bool
	// Transfers of each agent, of 4096 bytes and 250 us, at so many a second.
	Transfers, Rate int
	// Patient agents wait for room in their ring before they go on, so that a machine that is busy with other things delays them
	// and loses nothing.
	Patient bool
}

// full says whether a ring has no room for what is transferred between two flushes.
type full func() bool

// write makes the agents, says so, and lets them transfer once there is a line to read. Then it says what became of the events, and
// lives until its input ends.
func write(text string) error {
	var o order
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return err
	}
	agents, rings := make([]sim.Telemetry, o.Agents), make([]full, o.Agents)
	for i := range agents {
		a, err := o.create(i)
		if err != nil {
			return err
		}
		agents[i], rings[i] = a, func() bool { return false }
		if o.Patient {
			if rings[i], err = watch(a.Path()); err != nil {
				return err
			}
		}
	}
	fmt.Println("ready")
	in := bufio.NewReader(os.Stdin)
	if _, err := in.ReadString('\n'); err != nil {
		return err
	}
	o.transfer(agents, rings)
	var all sim.Counts
	for _, a := range agents {
		c := a.Counts()
		all.Offered, all.StagingDropped = all.Offered+c.Offered, all.StagingDropped+c.StagingDropped
		all.Written, all.Lost = all.Written+c.Written, all.Lost+c.Lost
	}
	if err := json.NewEncoder(os.Stdout).Encode(all); err != nil {
		return err
	}
	_, err := in.ReadString('\n')
	return err
}

func (o order) create(i int) (sim.Telemetry, error) {
	if o.Store {
		return sim.CreateStore(sim.StoreOptions{
			Dir: o.Dir, Agent: fmt.Sprint("agent-", i), PID: int64(os.Getpid()), RunMarker: uint64(time.Now().UnixNano()), Instance: uint64(i),
		})
	}
	options := sim.Options{Dir: o.Dir, Agent: fmt.Sprint("agent-", i), Pad: sim.Garbage(uint64(i))}
	if o.Patient {
		options.Interval = time.Millisecond
	}
	return sim.Create(options)
}

// burst is the most that a patient agent transfers between two flushes: an eighth of its ring.
const burst = 4096 / 4 / 8

// watch looks at a ring without reading its events.
func watch(path string) (full, error) {
	r, err := nixl.Open(path, false)
	if err != nil {
		return nil, err
	}
	scratch := new(nixl.Scratch)
	return func() bool {
		p, err := r.Poll(scratch, ignore{})
		return err == nil && p.Waiting > 4096-2*4*burst
	}, nil
}

type ignore struct{}

func (ignore) Take([]nixl.Event) {}

func (ignore) Cut() {}

// transfer keeps to the rate as far as there is room, and exports every 100 ms as NIXL does, or more often when it is patient.
func (o order) transfer(agents []sim.Telemetry, rings []full) {
	began := time.Now()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	done := make([]int, len(agents))
	for left := len(agents); left > 0; <-tick.C {
		due := min(o.Transfers, int(time.Since(began).Seconds()*float64(o.Rate)))
		left = 0
		for i, a := range agents {
			now := due
			if o.Patient {
				if now = min(due, done[i]+burst); rings[i]() {
					now = done[i]
				}
			}
			for ; done[i] < now; done[i]++ {
				a.Transfer(sim.Transfer{Write: true, Bytes: 4096, Duration: 250 * time.Microsecond, Post: 12 * time.Microsecond})
			}
			if done[i] < o.Transfers {
				left++
			}
			a.Flush(time.Now())
		}
	}
	for _, a := range agents {
		a.Flush(time.Now().Add(time.Hour))
	}
}

// process is such a process.
type process struct {
	t   testing.TB
	cmd *exec.Cmd
	in  *os.File
	out *bufio.Reader
}

func start(t testing.TB, o order) *process {
	t.Helper()
	text, err := json.Marshal(o)
	require.NoError(t, err)
	p := &process{t: t, cmd: exec.Command(os.Args[0])}
	p.cmd.Env = append(os.Environ(), writerEnvironment+"="+string(text))
	p.cmd.Stderr = os.Stderr
	read, write, err := os.Pipe()
	require.NoError(t, err)
	p.cmd.Stdin, p.in = read, write
	out, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	require.NoError(t, read.Close())
	t.Cleanup(p.kill)
	p.out = bufio.NewReader(out)
	_, err = p.out.ReadString('\n')
	require.NoError(t, err)
	return p
}

// begin lets the agents transfer.
func (p *process) begin() {
	_, err := p.in.WriteString("go\n")
	require.NoError(p.t, err)
}

// done waits for their end, and returns what became of the events.
func (p *process) done() (c sim.Counts) {
	line, err := p.out.ReadBytes('\n')
	require.NoError(p.t, err)
	require.NoError(p.t, json.Unmarshal(line, &c))
	return c
}

// kill ends the process with SIGKILL.
func (p *process) kill() {
	if p.in == nil {
		return
	}
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
	_ = p.in.Close()
	p.in = nil
}
