#!/bin/sh
# A first installation starts the service, and so does one after a removal; an upgrade restarts it where it was running. deb says "configure"
# and the version before, rpm says 1 for the first and 2 for an upgrade.
set -eu
again=false
if [ -e /etc/otelcol-inference/.enabled ]; then
  rm /etc/otelcol-inference/.enabled # by preremove.sh
  again=true
fi
[ -d /run/systemd/system ] || exit 0
systemctl daemon-reload
case "$1:${2:-}:$again" in
configure::* | 1:* | *:true) systemctl enable --now otelcol-inference ;;
*) systemctl try-restart otelcol-inference ;;
esac
