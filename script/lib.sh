# Sourced by the other scripts: where things are, making sure of what a job needs, and ending what it started.
# shellcheck shell=bash
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
cd "$root"
# Rust's and Go's installers put programs here, and a shell that started before them does not look there.
PATH=$PATH:$HOME/.cargo/bin:/usr/local/go/bin

say() { printf '%s\n' "$*" >&2; }
step() { printf '\n── %s\n' "$*" >&2; }
die() {
  say "$*"
  exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

# What each need is called, how to see that it is there, and its package on Debian and Ubuntu.
present() {
  case $1 in
    rust) have cargo && cargo --version >/dev/null 2>&1 ;;
    cc) have cc && have make ;;
    cmake | curl | openssl | sipp | baresip) have "$1" ;;
    python) have python3 && python3 -c 'import venv, ensurepip, sysconfig, os; os.stat(sysconfig.get_path("include") + "/Python.h")' 2>/dev/null ;;
    node) have npm && have_node ;;
    chromium) have chromium || have chromium-browser || have google-chrome ;;
    livekit) have_livekit ;;
    speech) [ -d /usr/share/asterisk/sounds/en_US_f_Allison ] && [ -d /usr/share/codec2/raw ] && [ -d /usr/share/pocketsphinx/test/data ] ;;
    impairment) have iptables && have ip && have unshare ;;
    *) die "unknown need: $1" ;;
  esac
}
package() {
  case $1 in
    cc) echo build-essential ;;
    cmake | curl | openssl) echo "$1" ;;
    sipp) echo sip-tester ;;
    baresip) echo baresip-core ;;
    python) echo python3 python3-venv python3-dev ;;
    node) echo nodejs npm ;;
    chromium) echo chromium ;;
    speech) echo asterisk-core-sounds-en-wav codec2-examples pocketsphinx-testdata ;;
    impairment) echo iptables iproute2 util-linux ;;
    *) ;;
  esac
}
advice() {
  case $1 in
    rust) echo "Rust $(sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml): https://rustup.rs" ;;
    cc) echo "a C compiler and make (Debian, Ubuntu: build-essential)" ;;
    python) echo "Python 3.10 or newer with venv and its headers (Debian, Ubuntu: python3 python3-venv python3-dev)" ;;
    speech) echo "speech to judge (Debian, Ubuntu: $(package speech))" ;;
    impairment) echo "iptables, ip and unshare (Debian, Ubuntu: $(package impairment))" ;;
    node) echo "Node.js 20 or newer with npm (https://nodejs.org; Debian 13, Ubuntu 25.04 and newer: nodejs npm)" ;;
    livekit) echo "a LiveKit server: livekit-server on PATH (https://github.com/livekit/livekit/releases), or Go 1.21 or newer to build it (https://go.dev/dl), or docker" ;;
    *) echo "$1 (Debian, Ubuntu: $(package "$1"))" ;;
  esac
}
have_livekit() { [ -n "${LIVEKIT_SERVER:-}" ] || have livekit-server || have_go || have docker; }
have_node() { have node && [ "$(node --version | sed 's/^v\([0-9]*\).*/\1/')" -ge 20 ]; }
# From 1.21 on Go fetches the very version that go.mod names by itself.
have_go() { have go && go version | grep -Eq 'go1\.(2[1-9]|[3-9][0-9])'; }

# need NAME...: installs what is missing where that is allowed, and names all the rest in one message.
need() {
  local want missing=() packages=() lines=()
  for want in "$@"; do present "$want" || missing+=("$want"); done
  [ ${#missing[@]} -gt 0 ] || return 0
  if may_install; then
    for want in "${missing[@]}"; do
      [ "$want" != rust ] || have curl || packages+=(curl)
      # shellcheck disable=SC2207
      packages+=($(package "$want"))
    done
    if [ ${#packages[@]} -gt 0 ]; then
      step "installing ${packages[*]}"
      { as_root apt-get update -q && as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${packages[@]}"; } </dev/null >&2 ||
        say "apt could not install them"
    fi
  fi
  for want in "${missing[@]}"; do
    [ "$want" != rust ] || present rust || install_rust
    present "$want" || lines+=("  - $(advice "$want")")
  done
  [ ${#lines[@]} -eq 0 ] || die "$(printf '%s\n' "This needs the following, which are not here and could not be installed:" "${lines[@]}")"
}
may_install() { [ -z "${TRUNKLINE_NO_INSTALL:-}" ] && have apt-get && { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }
install_rust() {
  [ -z "${TRUNKLINE_NO_INSTALL:-}" ] && ! have cargo && have curl || return 0
  step "installing rustup into $HOME/.cargo"
  curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --no-modify-path --profile minimal --default-toolchain none >&2 || true
}

# Everything started by `start` is ended by its process id when the script ends, however it ends.
started=()
start() { # LOG COMMAND...
  local log=$1
  shift
  "$@" >"$log" 2>&1 </dev/null &
  started+=($!)
}
end_started() {
  local pid i
  for ((i = ${#started[@]} - 1; i >= 0; i--)); do kill "${started[i]}" 2>/dev/null || true; done
  for pid in "${started[@]}"; do
    for _ in $(seq 50); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
    kill -9 "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  started=()
}

# free_port PREFERRED: the first port from there on that nothing uses on UDP or TCP.
free_port() {
  local port=$1
  while grep -qi ":$(printf '%04X' "$port") " /proc/net/tcp /proc/net/tcp6 /proc/net/udp /proc/net/udp6 2>/dev/null; do port=$((port + 1)); done
  echo "$port"
}
# until_listening PORT PID SECONDS
until_listening() {
  local i
  for ((i = 0; i < $3 * 20; i++)); do
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return 0
    kill -0 "$2" 2>/dev/null || return 1
    sleep 0.05
  done
  return 1
}
