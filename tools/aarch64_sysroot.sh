#!/usr/bin/env bash
# Makes build/aarch64-sysroot: what tern links with, for 64-bit ARM, from the Debian archives that apt is
# set up with here. No foreign architecture is added to this machine. Does nothing where it is there already.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

sysroot=$PWD/build/aarch64-sysroot
packages=$(tools/install_deps.sh --print-libraries | paste -sd,),libstdc++-12-dev
[ "$(cat "$sysroot/.packages" 2>/dev/null)" = "$packages" ] && exit 0

# shellcheck disable=SC2016  # the names in $() are apt's
sources=$(apt-get indextargets --format 'deb $(SITE) $(RELEASE) $(COMPONENT)' \
  'Identifier: Packages' 'Origin: Debian' | sort -u)
if [ -z "$sources" ]; then
  echo "aarch64_sysroot.sh: apt knows no Debian archive here; is apt-get update due?" >&2
  exit 1
fi
echo "making $sysroot" >&2
rm -rf "$sysroot"
mkdir -p build
mmdebstrap --quiet --variant=extract --architectures=arm64 --include="$packages" "" "$sysroot" - <<<"$sources"

# Absolute links would lead out of the sysroot.
find "$sysroot" -type l -lname '/*' | while read -r link; do
  ln -sfnr "$sysroot$(readlink "$link")" "$link"
done
echo "$packages" >"$sysroot/.packages"  # only when whole
