package llmenginereceiver

import (
	"bytes"
	"context"
	"maps"
	"net/netip"
	"os"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/otelcol-inference/otelcol-inference/internal/hostproc"
	"github.com/otelcol-inference/otelcol-inference/internal/signal"
)

// served reports whether a page is known at a port by the command that listens there.
func served(command string, port int) bool {
	for _, l := range launches() {
		if at, ok := l.page(command); ok && at == port {
			return true
		}
	}
	return false
}

// TestEnginesOutOfSight: those that listen at their port, whose holder is not in sight, and that nobody scrapes.
func TestEnginesOutOfSight(t *testing.T) {
	without := func(sys fstest.MapFS, names ...string) fstest.MapFS {
		for _, name := range names {
			delete(sys, name)
		}
		return sys
	}
	for name, c := range map[string]struct {
		sys     fstest.MapFS
		scraped int
		found   []string
		hidden  bool
	}{
		"of another user":            {proc(nil, "20 1 vllm serve m"), 0, []string{"vllm on port 8000, process 20"}, false},
		"at the port of its command": {proc(nil, "20 1 llama-server --metrics --port 8000"), 0, []string{"llama_cpp on port 8000, process 20"}, false},
		"once, with its wrapper":     {proc(nil, "20 1 sh -c vllm serve m", "21 20 vllm serve m"), 0, []string{"vllm on port 8000, process 20"}, false},
		"scraped all the same":       {proc(nil, "20 1 vllm serve m"), 8000, nil, false},
		"in sight":                   {proc([]int{20}, "20 1 vllm serve m"), 0, nil, false},
		"does not listen there":      {proc(nil, "20 1 vllm serve m --port 9000"), 0, nil, false},
		"without a page":             {proc(nil, "20 1 llama-server --port 8000"), 0, nil, false},
		"a stranger":                 {proc(nil, "20 1 nginx --port 8000"), 0, nil, false},
		"nobody is listed":           {without(proc(nil), "1/stat"), 0, nil, true},
		"nobody else listens":        {without(proc(nil), "1/stat", "self/net/tcp"), 0, nil, false},
		"what listens is scraped":    {without(proc(nil), "1/stat"), 8000, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			for _, elsewhere := range []bool{false, true} {
				u := &unseen{host: &host{reader: hostproc.New(c.sys)}, ports: newScrapedPorts(), launches: launches()}
				if elsewhere {
					u.elsewhere = []int{c.scraped}
				} else {
					u.ports.add(ofHost(c.scraped), 1)
				}
				table, err := u.host.reader.Table()
				require.NoError(t, err)
				found := u.find(table)
				assert.Equal(t, c.found, found.undiscovered)
				assert.Empty(t, found.proxied)
				assert.Equal(t, c.hidden, u.hidden(table))
			}
		})
	}
}

// proxied adds docker-proxy, of process 30, which serves a port of a container at one of the host, and puts process 20 into a network of its
// own, where it listens at port 8000.
func proxied(sys fstest.MapFS, hostPort, container, containerPort string) fstest.MapFS {
	maps.Copy(sys, proc(nil, "30 1 /usr/bin/docker-proxy -proto tcp -host-ip 0.0.0.0 -host-port "+hostPort+" -container-ip "+container+
		" -container-port "+containerPort+" -use-listen-fd"))
	sys["30/stat"].Data = bytes.Replace(sys["30/stat"].Data, []byte("(x)"), []byte("(docker-proxy)"), 1)
	sys["20/net/tcp"] = &fstest.MapFile{Data: []byte("   0: 00000000:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 99 1\n")}
	sys["20/net/fib_trie"] = &fstest.MapFile{Data: []byte("Main:\n  +-- 172.17.0.0/16 2 0 2\n     |-- 172.17.0.0\n        /16 link UNICAST\n" +
		"     |-- 172.17.0.2\n        /32 host LOCAL\n     |-- 172.17.255.255\n        /32 link BROADCAST\n")}
	return sys
}

// TestEnginesBehindDockerProxy: who listens is docker-proxy, and its arguments tell for which container.
func TestEnginesBehindDockerProxy(t *testing.T) {
	const engine = "20 1 vllm serve m"
	for name, c := range map[string]struct {
		sys           fstest.MapFS
		scraped       netip.AddrPort
		found, others []string
	}{
		"at another port":          {proxied(proc(nil, engine), "9000", "172.17.0.2", "8000"), netip.AddrPort{}, []string{"vllm on port 9000, process 20"}, nil},
		"in sight all the same":    {proxied(proc([]int{20}, engine), "9000", "172.17.0.2", "8000"), netip.AddrPort{}, []string{"vllm on port 9000, process 20"}, nil},
		"scraped at the host":      {proxied(proc(nil, engine), "9000", "172.17.0.2", "8000"), ofHost(9000), nil, nil},
		"scraped in its network":   {proxied(proc(nil, engine), "9000", "172.17.0.2", "8000"), netip.MustParseAddrPort("172.17.0.2:8000"), nil, nil},
		"the port inside is not":   {proxied(proc(nil, engine), "9000", "172.17.0.2", "8000"), ofHost(8000), []string{"vllm on port 9000, process 20"}, nil},
		"once, with its wrapper":   {proxied(proc(nil, engine, "21 20 sh -c vllm serve m"), "8000", "172.17.0.2", "8000"), ofHost(8000), nil, nil},
		"of another container":     {proxied(proc(nil, engine), "8000", "172.17.0.3", "8000"), netip.AddrPort{}, nil, nil},
		"of another port":          {proxied(proc(nil, engine), "9000", "172.17.0.2", "8001"), netip.AddrPort{}, nil, nil},
		"a network, not the proxy": {proxied(proc(nil, engine), "9000", "172.17.0.0", "8000"), netip.AddrPort{}, nil, nil},
		"beside one of the host": {proxied(proc(nil, engine, "22 1 llama-server --metrics --port 8000"), "9000", "172.17.0.2", "8000"), ofHost(9000),
			nil, []string{"llama_cpp on port 8000, process 22"}},
	} {
		t.Run(name, func(t *testing.T) {
			u := &unseen{host: &host{reader: hostproc.New(c.sys)}, ports: newScrapedPorts(), launches: launches()}
			u.ports.add(c.scraped, 1)
			table, err := u.host.reader.Table()
			require.NoError(t, err)
			assert.Equal(t, unfound{undiscovered: c.others, proxied: c.found}, u.find(table))
		})
	}
}

// TestUnseenEnginesAreReported once in the log and at each interval as a metric, until somebody scrapes them.
func TestUnseenEnginesAreReported(t *testing.T) {
	const line = "Engines of this host cannot be found"
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, proc(nil, "20 1 vllm serve m")))
	common := newShared()
	r := startRigWith(t, common, nil, func(c *Config) { c.Scrape.ProcPath, c.Scrape.ReportUnseen = dir, true })
	hints := func() (all []string, batches int) {
		for _, md := range r.sink.AllMetrics() {
			batches++
			assert.Equal(t, 1, md.DataPointCount())
		}
		m, ok := r.find(signal.SourceMissing)
		if !ok {
			return nil, batches
		}
		for _, p := range m.Gauge().DataPoints().All() {
			source, _ := p.Attributes().Get(signal.AttrSource)
			hint, _ := p.Attributes().Get(signal.AttrSourceHint)
			assert.Equal(t, signal.SourceDiscovery, source.Str())
			if p.Flags().NoRecordedValue() {
				all = append(all, "end")
				continue
			}
			all = append(all, hint.Str())
		}
		return all, batches
	}
	r.until(func() bool { _, n := hints(); return n >= 20 }, "more than a minute")
	all, _ := hints()
	assert.Equal(t, []string{hintUndiscovered}, all)
	said := r.logs.FilterMessage(line)
	require.Equal(t, 1, said.Len(), "once, though it is looked every minute")
	assert.Equal(t, zap.Strings("engines", []string{"vllm on port 8000, process 20"}), said.All()[0].Context[0])

	scraping := createDefaultConfig().(*Config)
	scraping.ClientConfig.Endpoint, scraping.Scrape.ProcPath = "127.0.0.1:8000", ""
	other, err := newReceiver(r.set, scraping, r.sink, newHandClock(), common)
	require.NoError(t, err)
	_, err = other.newTarget(scraping.all()[0], nil, nil)
	require.NoError(t, err)
	tick := func() (batches int) { // that was taken, so that all before it are done with
		r.clock.tick(kinEvery)
		require.Eventually(t, func() bool { r.clock.mu.Lock(); defer r.clock.mu.Unlock(); return len(r.clock.ticks[0]) == 0 }, patience, time.Millisecond)
		_, batches = hints()
		return batches
	}
	tick()
	quiet := func() bool { before := tick(); tick(); return tick() == before }
	require.Eventually(t, quiet, patience, time.Millisecond, "nobody misses what is scraped")
	all, _ = hints()
	assert.Equal(t, []string{"end"}, all, "the last that is told")
	require.NoError(t, other.Shutdown(context.Background()))
	assert.Empty(t, common.ports.n)
	_, before := hints()
	r.until(func() bool { _, n := hints(); return n > before }, "it is missing again")
	require.Eventually(t, func() bool { return r.logs.FilterMessage(line).Len() == 2 }, patience, time.Millisecond)
	require.NoError(t, r.receiver.Shutdown(context.Background()))
	all, _ = hints()
	assert.Equal(t, []string{"end"}, all)
}

func TestReportUnseenWantsProc(t *testing.T) {
	cfg := createDefaultConfig().(*Config)
	cfg.Scrape.ReportUnseen = true
	require.NoError(t, cfg.Validate())
	cfg.Scrape.ProcPath = ""
	assert.EqualError(t, cfg.Validate(), `proc_path must name a /proc where report_unseen is true (got "")`)
}

func TestScrapedElsewhere(t *testing.T) {
	cfg := createDefaultConfig().(*Config)
	cfg.Scrape.ReportUnseen, cfg.Scrape.ScrapedElsewhere = true, []int{8000}
	require.NoError(t, cfg.Validate())
	cfg.Scrape.ScrapedElsewhere = []int{8000, 65536}
	assert.EqualError(t, cfg.Validate(), "scraped_elsewhere[1] must be a port from 1 to 65535 (got 65536)")
	cfg.Scrape.ReportUnseen, cfg.Scrape.ScrapedElsewhere, cfg.ClientConfig.Endpoint = false, []int{8000}, "localhost:8000"
	assert.EqualError(t, cfg.Validate(), "report_unseen must be true where scraped_elsewhere names ports (got [8000])")
}
