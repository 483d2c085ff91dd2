#!/usr/bin/env bash
# The page in a real browser: a simulated fleet, the real collector, headless Chromium.
#
#   run.sh                  run the tests
#   run.sh --shots DIR      also write screenshots (light, dark, phone) to DIR
#   ONLY=page|scenarios     the page's tests, or those of what is said of every scenario (six minutes), alone
set -euo pipefail
cd "$(dirname "$0")/../.."
source scripts/lib.sh
page_url="http://localhost:8897"
logs=$(mktemp -d)
trap 'stop_started; rm -rf "$logs"' EXIT
trap 'exit 130' INT TERM

(cd tests/browser && npm ci --silent --no-audit --no-fund)

if [ "${ONLY:-}" = scenarios ]; then
  (cd tests/browser && npm run --silent scenarios)
  exit
fi

setsid bin/fleetsim run aggregated-mixed --listen 127.0.0.1:18100 --control 127.0.0.1:18099 >"$logs/fleetsim" 2>&1 &
started+=($!)
endpoints='[http://127.0.0.1:18100, http://127.0.0.1:18101, http://127.0.0.1:18102, http://127.0.0.1:18103]'
DEMO_PAGE=localhost:8897 DEMO_ENDPOINTS="$endpoints" setsid bin/otelcol-inference --config distributions/otelcol-inference/demo.yaml >"$logs/collector" 2>&1 &
started+=($!)
wait_for_page "$page_url" "${started[1]}" || { cat "$logs"/* >&2; exit 1; }

# The charts need a few points before there is something to draw.
for ((i = 0; i < 120; i++)); do
  case "$(verdict_line "$page_url")" in "" | "No engine"*) sleep 0.5 ;; *) break ;; esac
done
sleep "${SETTLE_SECONDS:-15}"

(cd tests/browser && DASHBOARD_URL="$page_url/" WORKERS=4 npm test --silent) || { tail -n 40 "$logs"/* >&2; exit 1; }

if [ "${1:-}" = --shots ]; then
  mkdir -p "$2"
  shots=$(cd "$2" && pwd)
  node tests/browser/screenshot.mjs "$page_url/" "$shots/page.png"
  node tests/browser/screenshot.mjs "$page_url/" "$shots/page-dark.png" --dark
  node tests/browser/screenshot.mjs "$page_url/" "$shots/page-phone.png" --width=360
fi

if [ "${ONLY:-}" != page ]; then
  stop_started
  (cd tests/browser && npm run --silent scenarios)
fi
