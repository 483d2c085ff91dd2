package nixl

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	sim "github.com/otelcol-inference/otelcol-inference/internal/fleetsim/nixl"
)

// writerEnvironment makes the test binary the writer of a ring instead of a test.
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

// order is what the writer process shall do.
type order struct {
	Dir      string
	Capacity uint64
	Events   int
	Patient  bool // waits for room before each burst
}

// write exports events that carry their number, tells what became of them, and waits for the end of its input.
func write(text string) error {
	var o order
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return err
	}
	now := time.Unix(1_800_000_000, 0)
	a, err := sim.Create(sim.Options{Dir: o.Dir, Agent: "a", Capacity: o.Capacity, Clock: func() time.Time { return now }})
	if err != nil {
		return err
	}
	fmt.Println("ready")
	in := bufio.NewReader(os.Stdin)
	if _, err := in.ReadString('\n'); err != nil {
		return err
	}
	watch, err := Open(a.Path(), false)
	if err != nil {
		return err
	}
	burst := int(o.Capacity / 4)
	for sent := 0; sent < o.Events; {
		for o.Patient && watch.waiting()+uint64(burst) >= o.Capacity-1 {
			time.Sleep(time.Microsecond) // the reader is in another process, on a core that may be this one
		}
		for range burst {
			sent++
			a.Register(uint64(sent))
		}
		now = now.Add(time.Second)
		a.Flush(now)
	}
	if err := json.NewEncoder(os.Stdout).Encode(a.Counts()); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, in)
	return err
}

// waiting is how many events no consumer has taken.
func (r *Ring) waiting() uint64 {
	return (*r.word(writePosAt) - *r.word(r.form.readPos)) & (r.geo.Capacity - 1)
}

// ascending checks that events carry rising numbers, without keeping them.
type ascending struct {
	t          *testing.T
	n, last    uint64
	wrong, gap int
}

func (a *ascending) Take(events []Event) {
	for _, e := range events {
		if e.Type != MemoryRegistered || e.Value <= a.last {
			a.wrong++
		}
		if e.Value != a.last+1 {
			a.gap++
		}
		a.n, a.last = a.n+1, e.Value
	}
}

func (a *ascending) Cut() {}

// TestALiveProcessIsReadWithoutLoss reads more than a million events of another process. Polled in time, none is missing; polled
// late, exactly those are missing that the agent had no room for.
func TestALiveProcessIsReadWithoutLoss(t *testing.T) {
	for name, c := range map[string]struct {
		order order
		pause time.Duration
	}{
		"in time": {order: order{Capacity: 4096, Events: 1_200_000, Patient: true}},
		"late":    {order: order{Capacity: 256, Events: 200_000}, pause: 200 * time.Microsecond},
	} {
		t.Run(name, func(t *testing.T) {
			c.order.Dir = t.TempDir()
			counts, got, fulls := follow(t, c.order, c.pause)
			assert.Zero(t, got.wrong, "torn, repeated or in the wrong order")
			assert.Equal(t, counts.Written, got.n)
			assert.Equal(t, counts.Offered, counts.Written+counts.Lost+counts.StagingDropped)
			if c.order.Patient {
				assert.Zero(t, counts.Lost)
				assert.Zero(t, got.gap)
				assert.Zero(t, fulls)
				assert.GreaterOrEqual(t, got.n, uint64(c.order.Events))
				return
			}
			assert.NotZero(t, counts.Lost)
			assert.NotZero(t, fulls, "it is told")
		})
	}
}

func follow(t *testing.T, o order, pause time.Duration) (sim.Counts, *ascending, int) {
	text, err := json.Marshal(o)
	require.NoError(t, err)
	writer := exec.CommandContext(t.Context(), os.Args[0])
	writer.Env = append(os.Environ(), writerEnvironment+"="+string(text))
	writer.Stderr = os.Stderr
	in, err := writer.StdinPipe()
	require.NoError(t, err)
	out, err := writer.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, writer.Start())
	lines := bufio.NewReader(out)
	_, err = lines.ReadString('\n')
	require.NoError(t, err)
	r := consume(t, filepath.Join(o.Dir, "a"))
	_, err = io.WriteString(in, "go\n")
	require.NoError(t, err)

	told := make(chan sim.Counts, 1)
	go func() {
		var c sim.Counts
		assert.NoError(t, json.NewDecoder(lines).Decode(&c))
		told <- c
	}()
	got, scratch, fulls := &ascending{t: t}, new(Scratch), 0
	for {
		var counts sim.Counts
		ended := false
		select {
		case counts = <-told:
			ended = true
		default:
		}
		p, err := r.Poll(scratch, got)
		require.NoError(t, err)
		require.False(t, p.Moved || p.Restarted)
		if p.Full {
			fulls++
		}
		if ended {
			require.NoError(t, in.Close())
			require.NoError(t, writer.Wait())
			return counts, got, fulls
		}
		time.Sleep(pause) // of zero: only lets others run
	}
}
