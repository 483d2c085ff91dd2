#!/bin/sh
# Configuration and state stay when a deb is removed and go when it is purged. rpm knows only removal (0): the state goes, and edited
# configurations stay as .rpmsave.
set -eu
case $1 in
purge | 0)
  rm -rf /var/lib/otelcol-inference /etc/otelcol-inference/.enabled /etc/systemd/system/otelcol-inference.service.d
  rmdir --ignore-fail-on-non-empty /etc/otelcol-inference 2>/dev/null || true
  ! getent passwd otelcol-inference >/dev/null || userdel otelcol-inference
  ! getent group otelcol-inference >/dev/null || groupdel otelcol-inference
  ;;
esac
[ ! -d /run/systemd/system ] || systemctl daemon-reload
