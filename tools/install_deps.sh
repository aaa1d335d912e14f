#!/usr/bin/env bash
# Installs what tern is built with and tested with on Debian 12. Does nothing where all of it is there.
#   tools/install_deps.sh                     for quickstart.sh and test.sh
#   tools/install_deps.sh --full              besides, what only test.sh --full needs
#   tools/install_deps.sh --print-libraries   only names the packages that tern is linked with
set -euo pipefail

libraries=(
  libgrpc++-dev protobuf-compiler-grpc libprotobuf-dev protobuf-compiler
  libspdlog-dev libfmt-dev nlohmann-json3-dev libyaml-cpp-dev libpcre2-dev libutf8proc-dev libcli11-dev libssl-dev
  libnghttp2-dev prometheus-cpp-dev libedit-dev
  catch2 libcpp-httplib-dev
)
packages=(g++ cmake ninja-build pkg-config ccache python3 "${libraries[@]}")

case "${1:-}" in
  "") ;;
  --full) packages+=(clang valgrind g++-aarch64-linux-gnu qemu-user-static mmdebstrap chromium dpkg-dev file) ;;
  --print-libraries) printf '%s\n' "${libraries[@]}"; exit 0 ;;
  *) echo "install_deps.sh: unknown option $1" >&2; exit 2 ;;
esac

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

if ! command -v apt-get >/dev/null; then
  echo "tern needs these packages (Debian 12 names), and there is no apt-get here: ${missing[*]}" >&2
  exit 1
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "installing packages needs root, and there is no sudo; as root run:" >&2
    echo "  apt-get install -y --no-install-recommends ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi
echo "installing: ${missing[*]}" >&2
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
  apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
