#!/usr/bin/env bash
# Real systems that tests talk to: where nobody lives they are installed, elsewhere only named.
set -euo pipefail
cd "$(dirname "$0")/../.."

if [[ ${CI:-} == true ]]; then
  infra/setup/bootstrap.sh tryton mailman tryton-data ||
    echo "[setup] No Tryton or GNU Mailman: the live tests will skip." >&2
fi

if PATH=$PATH:/usr/sbin command -v sshd >/dev/null; then
  exit 0
fi
# A package that opens ports is not ours to put on a person's machine.
if [[ ${CI:-} == true && $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
  echo "[setup] openssh-server, for the SFTP tests ..." >&2
  export DEBIAN_FRONTEND=noninteractive
  # A package start-up script must not open this machine's own SSH port.
  if [[ ! -e /usr/sbin/policy-rc.d ]]; then
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod +x /usr/sbin/policy-rc.d
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
  fi
  if apt-get update -qq >/dev/null && apt-get install -y -qq openssh-server >/dev/null; then
    exit 0
  fi
fi
echo "[setup] No sshd on this machine: the SFTP tests will skip. (Debian: apt-get install openssh-server)" >&2
