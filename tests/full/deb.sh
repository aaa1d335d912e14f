#!/usr/bin/env bash
# Makes the Debian package of build/release, installs it in a bare Debian 12 of mmdebstrap and serves the bundled
# model there; then takes it away again. Needs root; where mmdebstrap is missing the stage is skipped.
#   tests/full/deb.sh
# The root needs Debian's mirror for the libraries that the package depends on.
set -euo pipefail
# shellcheck source=tests/full/stage.sh
source "$(dirname "${BASH_SOURCE[0]}")/stage.sh"

if ! command -v mmdebstrap >/dev/null || [ "$(id -u)" -ne 0 ]; then
  echo "deb: skipped, it needs mmdebstrap (apt-get install mmdebstrap) and root"
  exit 0
fi
build release tern ternd tern_generated
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

stage "deb: pack"
(cd "$work" && cpack -G DEB --config "$OLDPWD/build/release/CPackConfig.cmake" -B "$work/packed" >/dev/null)
deb=$(echo "$work"/packed/*.deb)
dpkg-deb --info "$deb"
dpkg-deb --contents "$deb" >"$work/contents"
for file in ./usr/bin/tern ./usr/bin/ternd ./etc/tern/ternd.yaml ./usr/lib/systemd/system/ternd.service \
            ./usr/share/man/man1/tern.1 ./usr/share/man/man8/ternd.8 ./usr/share/doc/tern/copyright \
            ./usr/share/tern/proto/tern/v1/inference.proto ./usr/share/tern/deploy/grafana/tern.json \
            ./usr/share/bash-completion/completions/tern ./usr/share/tern/models/tern-stories/model.safetensors; do
  grep -q " $file\$" "$work/contents" || { echo "deb: no $file in it" >&2; exit 1; }
done

stage "deb: install in a bare Debian 12"
root=$work/root
mmdebstrap --quiet --variant=minbase bookworm "$root"
cp "$deb" "$root/tmp/tern.deb"
cat >"$root/tmp/check" <<'SCRIPT'
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends /tmp/tern.deb >/tmp/apt.log 2>&1 || { cat /tmp/apt.log; exit 1; }
cd /  # nothing of a source tree is near
ternd --version
tern --version
ternd --config /etc/tern/ternd.yaml --check
grep -q '^ExecStart=/usr/bin/ternd ' /usr/lib/systemd/system/ternd.service
# As the unit would run it: not as root, and /run/tern for the admin socket.
useradd --system --no-create-home tern
install -d -o tern -m 0750 /run/tern
RUNTIME_DIRECTORY=/run/tern setpriv --reuid tern --regid tern --clear-groups \
  ternd --config /etc/tern/ternd.yaml 2>/tmp/ternd.log &
for _ in $(seq 600); do
  grep -q 'ternd ready' /tmp/ternd.log && break
  kill -0 $! 2>/dev/null || { cat /tmp/ternd.log; exit 1; }
  sleep 0.1
done
tern generate 'How many legs does a spider have?' --temperature 0 | tee /tmp/answer
grep -q 'eight legs' /tmp/answer
tern ps
kill -TERM $!
wait $!
echo '# mine' >>/etc/tern/ternd.yaml
dpkg --remove tern >/dev/null
grep -q '# mine' /etc/tern/ternd.yaml  # a conffile
[ ! -e /usr/bin/ternd ]
dpkg --purge tern >/dev/null
[ ! -e /etc/tern ]
echo 'deb: ok'
SCRIPT
# A network of its own would have no mirror for apt: the ports are those of the package's configuration.
unshare --mount --pid --fork sh -c "mount -t proc proc '$root/proc' && mount -t tmpfs tmpfs '$root/run' && \
  cp -L /etc/resolv.conf '$root/etc/resolv.conf' 2>/dev/null; chroot '$root' /bin/sh /tmp/check"
