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

case ${1:-} in
'' | -*) ;;
*) exec "$binary" "$@" ;; # a command
esac
for argument; do
  case $argument in
  -h | --help | -v | --version) exec "$binary" "$@" ;;
  --config | --config=*)
    [ -z "${STATE_DIRECTORY:-}" ] || put_damaged_aside
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
# key=value,key=value as a YAML map in single quotes, in which only the quote itself is special; a $ would start a variable.
OTELCOL_OTLP_HEADERS="{$(printf '%s' "${OTEL_EXPORTER_OTLP_HEADERS:-}" |
  sed -e "s/'/''/g" -e 's/\$/$$/g' -e "s/ *, */', '/g" -e "s/\([^=, ']*\)=\([^']*\)/\1': '\2/g" -e "s/^..*/'&'/" \
    -e 's/%20/ /g' -e 's/%2[Cc]/,/g' -e 's/%3[Dd]/=/g' -e 's/%3[Bb]/;/g' -e 's/%2[Ff]/\//g' -e 's/%2[Bb]/+/g' -e 's/%25/%/g')}"
export OTELCOL_OTLP_EXPORTER OTELCOL_OTLP_INSECURE OTELCOL_OTLP_HEADERS
exec "$binary" --config "$configs/config.yaml" --config "$configs/config.otlp.yaml" "$@"
