# Shared by demo.sh and run.sh: start programs, watch them, and end just those.
#
# shellcheck shell=bash
# shellcheck disable=SC2034 # variables are for who sources this

page_url="http://localhost:8899"
started=()

# stop_started ends what this script started, newest first, and waits for it.
stop_started() {
  local i pid
  for ((i = ${#started[@]} - 1; i >= 0; i--)); do
    pid=${started[i]}
    kill -INT "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  started=()
}

# verdict_line prints the verdict as one line, or nothing while there is no answer.
verdict_line() {
  curl --silent --fail --max-time 2 --header 'Accept: text/plain' "$1/api/v1/verdict" || true
}

# wait_for_page waits until the page answers or the collector (pid $2) ends.
wait_for_page() {
  local i
  for ((i = 0; i < 300; i++)); do
    curl --silent --fail --max-time 1 --output /dev/null "$1/healthz" && return 0
    kill -0 "$2" 2>/dev/null || return 1
    sleep 0.1
  done
  return 1
}

# need stops with a plain word when a program is missing.
need() {
  command -v "$1" >/dev/null || {
    echo "error: $1 is needed and not installed" >&2
    exit 1
  }
}
