package main

import (
	"cmp"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// subject is a program with a configuration that is measured.
type subject struct {
	name    string
	points  string   // counter on its own page of what it has handed on; empty where it has no page
	silent  bool     // its output is not kept, for programs that print what they read
	other   bool     // not the collector: the collector idle is not what it grows from
	limits  []string // what the environment says of Go's runtime, KEY=value each; nil for the limits that all have in common
	command func(site) (*exec.Cmd, error)
	check   func(site) (*exec.Cmd, error) // says by its exit status whether the configuration is right; nil where there is none
}

// idle is the subject that does nothing.
const idle = "idle"

// accepted is what a collector's receivers have handed on.
const accepted = "otelcol_receiver_accepted_metric_points"

// collectorIdle is what every other collector grows from.
func collectorIdle(binary string) subject {
	return collector(idle, binary, func(site) pipeline {
		return pipeline{receiver: `  otlp: {protocols: {http: {endpoint: "127.0.0.1:0"}}}`}
	})
}

// pipeline is what differs between two collectors.
type pipeline struct {
	receiver   string   // with its configuration, indented by two
	receivers  []string // their names where there are several in it
	processors string   // likewise; empty for none
	order      []string
	exporter   string // like the receiver; empty for nop
}

// collector is a subject that runs the collector with the pipeline in front of an exporter that does nothing.
func collector(name, binary string, of func(site) pipeline) subject {
	with := func(arguments ...string) func(site) (*exec.Cmd, error) {
		return func(at site) (*exec.Cmd, error) {
			p := of(at)
			file := filepath.Join(at.dir, "collector.yaml")
			if err := os.WriteFile(file, []byte(p.configuration(at)), 0o600); err != nil {
				return nil, err
			}
			return exec.Command(binary, append(arguments, "--config", file)...), nil
		}
	}
	return subject{name: name, points: accepted, command: with(), check: with("validate")}
}

// configuration is the YAML of a collector.
func (p pipeline) configuration(at site) string {
	host, port, _ := net.SplitHostPort(at.own)
	name := func(component string) string {
		name, _, _ := strings.Cut(strings.TrimSpace(component), ":")
		return name
	}
	receivers := strings.Join(p.receivers, ", ")
	if receivers == "" {
		receivers = name(p.receiver)
	}
	exporter := cmp.Or(p.exporter, "  nop:")
	processors := ""
	if p.processors != "" {
		processors = "processors:\n" + p.processors + "\n"
	}
	return fmt.Sprintf(`receivers:
%s
%sexporters:
%s
extensions:
  pprof: {endpoint: %q}
service:
  extensions: [pprof]
  pipelines:
    metrics: {receivers: [%s], processors: [%s], exporters: [%s]}
  telemetry:
    metrics:
      level: basic
      readers:
        - pull: {exporter: {prometheus: {host: %q, port: %s}}}
`, p.receiver, processors, exporter, at.pprof, receivers, strings.Join(p.order, ", "), name(exporter), host, port)
}

// scrapers are the subjects that scrape engines; those beyond the third only with peers.
func scrapers(o options, binary string, p *page) ([]subject, error) {
	peer := prometheus(o.interval)
	all := []subject{collectorIdle(binary), collector("llm_engine", binary, engines(o.interval)), collector("prometheus", binary, peer)}
	if !o.peers {
		return all, nil
	}
	processors, err := ottl(p)
	if err != nil {
		return nil, err
	}
	all = append(all, collector("prometheus, filter, transform", binary, renamed(peer, processors)), floorSubject(o.interval))
	if o.prometheus != "" {
		all = append(all, prometheusServer(o.prometheus, o.interval, func(at site) (site, string) { return at, "" }))
	}
	return all, nil
}

// engines is our receiver.
func engines(interval time.Duration) func(site) pipeline {
	return func(at site) pipeline {
		return pipeline{receiver: fmt.Sprintf("  llm_engine: {collection_interval: %s, endpoints: %s}", interval, list(at.targets))}
	}
}

// prometheus is the community's receiver.
func prometheus(interval time.Duration) func(site) pipeline {
	return func(at site) pipeline { return pipeline{receiver: prometheusReceiver(interval, at)} }
}

// renamed is a pipeline with the processors that ottl makes.
func renamed(scrape func(site) pipeline, processors string) func(site) pipeline {
	return func(at site) pipeline {
		p := scrape(at)
		p.processors, p.order = processors, []string{"filter", "transform"}
		return p
	}
}

func prometheusReceiver(interval time.Duration, at site) string {
	return fmt.Sprintf("  prometheus:\n    config:\n      scrape_configs:\n        - %s", scrapeConfig(interval, at.targets))
}

// scrapeConfig is a job in the language of Prometheus.
func scrapeConfig(interval time.Duration, targets []string) string {
	return fmt.Sprintf("{job_name: engines, scrape_interval: %s, scrape_timeout: %[1]s, static_configs: [{targets: %s}]}", interval, list(targets))
}

// prometheusServer is a Prometheus with its database; of tells the engines among its targets, and what else its configuration says.
func prometheusServer(binary string, interval time.Duration, of func(site) (fleet site, more string)) subject {
	write := func(at site) (string, error) {
		file := filepath.Join(at.dir, "prometheus.yaml")
		fleet, more := of(at)
		return file, os.WriteFile(file, []byte("scrape_configs:\n  - "+scrapeConfig(interval, fleet.targets)+"\n"+more), 0o600)
	}
	return subject{
		name: "Prometheus server", points: "prometheus_tsdb_head_samples_appended_total", other: true,
		command: func(at site) (*exec.Cmd, error) {
			file, err := write(at)
			return exec.Command(binary, "--config.file="+file, "--storage.tsdb.path="+filepath.Join(at.dir, "data"),
				"--web.listen-address="+at.own, "--log.level=warn"), err
		},
		check: func(at site) (*exec.Cmd, error) {
			file, err := write(at)
			return exec.Command(filepath.Join(filepath.Dir(binary), "promtool"), "check", "config", file), err
		},
	}
}

// list writes addresses in YAML.
func list(addresses []string) string { return `["` + strings.Join(addresses, `", "`) + `"]` }
