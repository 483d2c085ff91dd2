package llmenginereceiver // import "github.com/otelcol-inference/otelcol-inference/receiver/llmenginereceiver"

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/otelcol-inference/otelcol-inference/internal/dialect"
)

// launch is how an engine is started, as the rules of config.yaml know it: a test holds both to each other.
type launch struct {
	engine  string
	command *regexp.Regexp
	with    string // what else must be on the command line for there to be a page
	flag    string // that names the port of the page
	port    int    // without the flag; 0 where there is no page without
}

// launches are the engines, and what serves beside them, that have a page of metrics.
func launches() []launch {
	made := func(engine, command, with, flag string, port int) launch {
		return launch{engine, regexp.MustCompile(command), with, flag, port}
	}
	return []launch{
		made(dialect.EngineVLLM, `(^|[/ ])vllm[ ]+serve|vllm[.]entrypoints`, "", "--port", 8000),
		made(dialect.EngineSGLang, `sglang[.]launch_server|(^|[/ ])sglang[ ]+serve`, "--enable-metrics", "--port", 30000),
		made(dialect.EngineTensorRT, `(^|[/ ])trtllm-serve`, "", "--port", 8000),
		made("dynamo.frontend", `dynamo[.]frontend`, "", "--http-port", 8000),
		made("dynamo", `dynamo[.](vllm|sglang|trtllm)`, "", "", 8081),
		made("tgi", `(^|[/ ])text-generation-router`, "", "--port", 3000),
		made("llama_cpp", `(^|[/ ])llama-server.*--metrics( |$)`, "", "--port", 8080),
		made("lmdeploy", `lmdeploy[ ]+serve[ ]+api_server`, "", "--server-port", 23333),
		made("triton", `(^|[/ ])tritonserver`, "", "--metrics-port", 8002),
		made("vllm_router", `vllm_router[.]app|(^|[/ ])vllm-router`, "", "--port", 8001),
		made("sglang_router", `sglang_router[.]launch_router|(^|[/ ])(smg|sglang-router)( |$)`, "", "--prometheus-port", 29000),
		made("mooncake", `(^|[/ ])mooncake_master`, "", "--metrics_port", 9003),
	}
}

// page returns the port of the page that a command serves, if it is of this engine and has one.
func (l *launch) page(command string) (port int, ok bool) {
	if !l.command.MatchString(command) || !strings.Contains(command, l.with) {
		return 0, false
	}
	if l.flag == "" || !strings.Contains(command, l.flag) {
		return l.port, true
	}
	_, rest, _ := strings.Cut(command, l.flag)
	digits, _, _ := strings.Cut(strings.TrimLeft(rest, "= "), " ")
	n, err := strconv.ParseUint(digits, 10, 16)
	return int(n), err == nil && n > 0
}
