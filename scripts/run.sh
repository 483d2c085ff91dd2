#!/usr/bin/env bash
# Observe the engines on this host, without configuration. Ctrl-C stops.
#
#   RUN_SECONDS=n                 stop by itself after n seconds
#   OTEL_EXPORTER_OTLP_ENDPOINT   send everything there as well; with the other variables of packaging/start.sh
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/lib.sh
need curl
trap 'stop_started' EXIT
trap 'exit 0' INT TERM

OTELCOL_BINARY=bin/otelcol-inference OTELCOL_CONFIG_DIR=distributions/otelcol-inference \
  setsid distributions/otelcol-inference/packaging/start.sh &
started+=($!)
wait_for_page "$page_url" "${started[0]}" || exit 1
echo
echo "  The page:  $page_url"
echo

end=$((SECONDS + ${RUN_SECONDS:-1000000000}))
last=""
while ((SECONDS < end)); do
  sleep "$((end - SECONDS < 10 ? end - SECONDS : 10))" &
  wait $!
  kill -0 "${started[0]}" 2>/dev/null || exit 1
  line=$(verdict_line "$page_url")
  [ "$line" = "$last" ] || printf '%(%H:%M:%S)T  %s\n' -1 "$line"
  last=$line
done
