#!/usr/bin/env bash
# The demo: a simulated fleet, the collector that observes it, and the verdict every few seconds.
#
#   DEMO_SECONDS=n   stop by itself after n seconds (default: run until Ctrl-C)
#   DEMO_EVERY=n     seconds between two verdict lines (default 5)
#   SCENARIO=name    what the fleet does: a name of `bin/fleetsim scenarios`, or a file (default aggregated-mixed)
set -euo pipefail
# A file is named from where the caller stands.
[ ! -f "${SCENARIO:-}" ] || SCENARIO=$(realpath "$SCENARIO")
cd "$(dirname "$0")/.."
source scripts/lib.sh
need curl
logs=$(mktemp -d)
trap 'stop_started; rm -rf "$logs"' EXIT
trap 'exit 0' INT TERM

# Programs get their own process group by setsid, so that Ctrl-C reaches this script only and they are ended in order.
setsid bin/fleetsim run "${SCENARIO:-aggregated-mixed}" --endpoints "$logs/endpoints" >"$logs/fleetsim" 2>&1 &
started+=($!)
for ((i = 0; i < 100; i++)); do
  [ -s "$logs/endpoints" ] && break
  kill -0 "${started[0]}" 2>/dev/null || break
  sleep 0.1
done
if ! kill -0 "${started[0]}" 2>/dev/null; then
  cat "$logs/fleetsim" >&2
  exit 1
fi

export DEMO_ENDPOINTS
DEMO_ENDPOINTS=$(<"$logs/endpoints")
setsid bin/otelcol-inference --config distributions/otelcol-inference/demo.yaml >"$logs/collector" 2>&1 &
started+=($!)
if ! wait_for_page "$page_url" "${started[1]}"; then
  cat "$logs/collector" >&2
  exit 1
fi

echo
echo "  The page:  $page_url"
echo "  The scenario $(grep -o '"scenario":"[^"]*"' "$logs/fleetsim" | cut -d'"' -f4) is observed. Its truth: http://127.0.0.1:17999/truth. Ctrl-C stops everything."
echo
end=$((SECONDS + ${DEMO_SECONDS:-1000000000}))
while ((SECONDS < end)); do
  sleep "$((end - SECONDS < ${DEMO_EVERY:-5} ? end - SECONDS : ${DEMO_EVERY:-5}))" &
  wait $! # so that Ctrl-C is heard while waiting
  if ! kill -0 "${started[1]}" 2>/dev/null; then
    echo "the collector ended:" >&2
    cat "$logs/collector" >&2
    exit 1
  fi
  printf '%(%H:%M:%S)T  %s\n' -1 "$(verdict_line "$page_url")"
done
