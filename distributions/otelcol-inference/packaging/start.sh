#!/bin/sh
# Starts the collector. `make run`, the systemd unit and the image all start it here, so that they do the same.
#
# Without a configuration among the arguments, the shipped one is used; and when OTEL_EXPORTER_OTLP_ENDPOINT is set, config.otlp.yaml
# beside it, which sends everything there too. A command (validate, components, ...) or a --config of one's own goes through untouched.
#
#   OTEL_EXPORTER_OTLP_ENDPOINT   where to send to, as http://host:port or https://host:port
#   OTEL_EXPORTER_OTLP_PROTOCOL   grpc, or http/protobuf (the default, as OpenTelemetry's specification has it)
#   OTEL_EXPORTER_OTLP_HEADERS    key=value,key=value; values percent-encoded
#   OTEL_EXPORTER_OTLP_CERTIFICATE   the authority to trust, a PEM file (default: the system's)
#   OTELCOL_CONFIG_DIR            where the shipped configurations are (default /etc/otelcol-inference)
#   STATE_DIRECTORY               what must outlive a restart; systemd sets it (default: the user's state directory)
#   OTELCOL_RESERVE_KIB           what is kept free for a start on a full disk (default 131072)
#   OTELCOL_BINARY                the collector (default /usr/bin/otelcol-inference)
set -eu

binary=${OTELCOL_BINARY:-/usr/bin/otelcol-inference}
configs=${OTELCOL_CONFIG_DIR:-/etc/otelcol-inference}

# A queue whose file lost its head, as by a power cut, would stop every start ("invalid database"). It is put aside with what is in it. A
# good file has two pages or more, and on one of the first two bbolt's mark, 0xED0CDAED, 16 bytes in.
mark_at() { od -An -tx4 -j "$1" -N4 "$2" | tr -d ' '; }
put_damaged_aside() {
  page=$(getconf PAGESIZE)
  for file in "$STATE_DIRECTORY"/*/exporter_*; do
    case $file in *.damaged-* | *.backup) continue ;; esac
    if [ ! -s "$file" ] || [ ! -r "$file" ]; then continue; fi # an empty one is new
    if [ "$(wc -c <"$file")" -ge $((2 * page)) ]; then
      case $(mark_at 16 "$file")-$(mark_at $((page + 16)) "$file") in *ed0cdaed*) continue ;; esac
    fi
    aside=$file.damaged-$(date -u +%Y%m%dT%H%M%SZ)
    mv "$file" "$aside" || continue
    echo "queue $file is damaged: it is put aside as $aside, and what waited in it is not sent" >&2
  done
}

# A start puts what was being sent back into the queue, which drops what it finds no room for. So a file holds some room, and a start on a
# full disk gives it to the queue: ten batches of config.otlp.yaml are 130 MB at most. Random, for file systems that compress.
keep_reserve() {
  reserve=$STATE_DIRECTORY/reserve size=${OTELCOL_RESERVE_KIB:-131072}
  [ -w "$STATE_DIRECTORY" ] || return 0
  blocks=$(stat -f -c '%a %S' "$STATE_DIRECTORY") || return 0 # how many are free, and their size
  free=$((${blocks% *} * ${blocks#* } / 1024))
  if [ ! -e "$reserve" ]; then
    if [ "$free" -ge $((4 * size)) ]; then head -c "${size}k" /dev/urandom >"$reserve" || rm -f "$reserve"; fi
  elif [ "$free" -lt "$size" ]; then
    rm -f "$reserve"
    echo "$STATE_DIRECTORY has $free KiB free: the reserve of $size KiB is given to the queue" >&2
  fi
}

case ${1:-} in
'' | -*) ;;
*) exec "$binary" "$@" ;; # a command
esac
for argument; do
  case $argument in
  -h | --help | -v | --version) exec "$binary" "$@" ;;
  --config | --config=*)
    if [ -n "${STATE_DIRECTORY:-}" ]; then
      put_damaged_aside
      keep_reserve
    fi
    exec "$binary" "$@"
    ;;
  esac
done

STATE_DIRECTORY=${STATE_DIRECTORY:-${XDG_STATE_HOME:-${HOME:-/tmp}/.local/state}/otelcol-inference}
export STATE_DIRECTORY
put_damaged_aside
[ -n "${OTEL_EXPORTER_OTLP_ENDPOINT:-}" ] || exec "$binary" --config "$configs/config.yaml" "$@"

case ${OTEL_EXPORTER_OTLP_PROTOCOL:-http/protobuf} in
grpc) OTELCOL_OTLP_EXPORTER=otlp_grpc ;;
http/protobuf) OTELCOL_OTLP_EXPORTER=otlp_http ;;
*)
  echo "OTEL_EXPORTER_OTLP_PROTOCOL must be grpc or http/protobuf (got \"$OTEL_EXPORTER_OTLP_PROTOCOL\")" >&2
  exit 2
  ;;
esac
# As the specification has it, an endpoint without TLS says so by its scheme.
case $OTEL_EXPORTER_OTLP_ENDPOINT in
http://*) OTELCOL_OTLP_INSECURE=true ;;
*) OTELCOL_OTLP_INSECURE=${OTEL_EXPORTER_OTLP_INSECURE:-false} ;;
esac
keep_reserve
# key=value,key=value as a YAML map in single quotes, in which only the quote itself is special; a $ would start a variable. Bytes are what
# is counted and decoded, so that UTF-8 passes.
OTELCOL_OTLP_HEADERS=$(LC_ALL=C awk '
  function decoded(text,  out) {
    while (match(text, /%[0-9A-Fa-f][0-9A-Fa-f]/)) {
      out = out substr(text, 1, RSTART - 1) sprintf("%c", 16 * digit(substr(text, RSTART + 1, 1)) + digit(substr(text, RSTART + 2, 1)))
      text = substr(text, RSTART + 3)
    }
    return out text
  }
  function digit(hex) { return index("0123456789abcdef", tolower(hex)) - 1 }
  function quoted(text) {
    gsub(/^[ \t]+|[ \t]+$/, "", text)
    text = decoded(text)
    gsub(/\047/, "\047\047", text)
    gsub(/\$/, "$$", text)
    return "\047" text "\047"
  }
  BEGIN {
    printf "{"
    n = split(ENVIRON["OTEL_EXPORTER_OTLP_HEADERS"], headers, ",")
    for (i = 1; i <= n; i++) {
      if (headers[i] ~ /^[ \t]*$/) continue
      at = index(headers[i], "=")
      if (!at) { print "OTEL_EXPORTER_OTLP_HEADERS: no \"=\" in header " i " of " n >"/dev/stderr"; exit 2 }
      printf "%s%s: %s", separator, quoted(substr(headers[i], 1, at - 1)), quoted(substr(headers[i], at + 1))
      separator = ", "
    }
    printf "}"
  }')
export OTELCOL_OTLP_EXPORTER OTELCOL_OTLP_INSECURE OTELCOL_OTLP_HEADERS
exec "$binary" --config "$configs/config.yaml" --config "$configs/config.otlp.yaml" "$@"
