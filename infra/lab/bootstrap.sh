#!/bin/sh
# From a bare Debian 12 machine to a ready .venv/bin/shiftproof and a built lab. Run again, it does nothing, quickly.
# Plain sh, because Python may be the first thing to install. Ends with 0, or with 3 and one line that says what to do.
set -eu

cd "$(dirname "$0")/../.."
: "${HOME:=/root}"
export HOME
cache=${SHIFTPROOF_CACHE:-$HOME/.cache/shiftproof}
packages=infra/lab/packages.txt
pins=infra/lab/uv-requirements.txt
log=$cache/log/setup.log
policy=/usr/sbin/policy-rc.d
policy_mark='# made by shiftproof set-up: no daemon starts while it installs packages'

fail() {
    printf 'shiftproof: %s\n' "$*" >&2
    exit 3
}

# step TITLE COMMAND…: run it with its output in the log; a terminal sees the time so far, others a line at start and end.
step() {
    title=$1
    shift
    began=$(date +%s)
    ticker=
    if [ -t 2 ]; then
        # Ends by itself when we are killed, and does not hold on to our lock.
        (while kill -0 $$ 2>/dev/null; do
            printf '\r..  %s  (%s s) ' "$title" $(($(date +%s) - began)) >&2
            sleep 1
        done) 9>&- &
        ticker=$!
    else
        printf '..  %s\n' "$title" >&2
    fi
    code=0
    "$@" >"$log" 2>&1 </dev/null 9>&- || code=$?
    stop_ticker
    if [ "$code" -ne 0 ]; then
        cause=$(grep -aiE '^(E:|err)|error|no space left' "$log" | tail -n 1 || true)
        [ -n "$cause" ] || cause=$(tail -n 1 "$log")
        fail "$title failed: $cause  ->  see $log, then repeat make setup"
    fi
    printf 'ok  %s  (%s s)\n' "$title" $(($(date +%s) - began)) >&2
}

stop_ticker() {
    [ -z "${ticker:-}" ] || { kill "$ticker" 2>/dev/null || true; ticker=; printf '\r\033[K' >&2; }
}

drop_policy() {
    if [ -f "$policy" ] && grep -qF "$policy_mark" "$policy"; then rm -f "$policy"; fi
}

missing_packages() {
    for name in $(sed 's/#.*//' "$packages"); do
        [ "$(dpkg-query --show --showformat '${db:Status-Abbrev}' "$name" 2>/dev/null)" = 'ii ' ] || printf '%s ' "$name"
    done
}

install_packages() {
    # Words of a list, split on purpose.
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends -o DPkg::Lock::Timeout=300 $1
}

install_or_update() {
    dpkg --configure --pending || return
    # The lists on the machine are often good enough; fetch new ones only when they are not. One bad source of somebody
    # else's must not stop us, so update's own result does not count: the second install does.
    install_packages "$1" || { apt-get update || true; install_packages "$1"; }
}

# The lab starts its own daemons inside its own namespaces; the machine must not get running ones out of this.
keep_daemons_off() {
    for unit in containerd haproxy pgbouncer postgresql; do
        case " $1 " in
            *" $unit "* | *" $unit-15 "*)
                # Two helpers of Debian's own, which also work where systemd is not running, or not there at all.
                DPKG_MAINTSCRIPT_PACKAGE=$unit deb-systemd-helper disable "$unit.service" || true
                update-rc.d "$unit" disable || true
                [ ! -d /run/systemd/system ] || systemctl disable --now "$unit" ;;
        esac
    done
}

setup_packages() {
    lacking=$(missing_packages)
    [ -n "$lacking" ] || return 0
    [ "$(id -u)" -eq 0 ] || fail "these Debian packages are missing and only root can install them: $lacking ->  run it as root"
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\n%s\nexit 101\n' "$policy_mark" >"$policy"
        chmod 755 "$policy"
    fi
    step "debian-packages: $lacking" install_or_update "$lacking"
    drop_policy
    step 'daemons of those packages stay off' keep_daemons_off "$lacking"
    lacking=$(missing_packages)
    [ -z "$lacking" ] || fail "still not installed: $lacking ->  see $log"
}

install_uv() {
    rm -rf "$cache"/.partial-uv-*
    new=$cache/.partial-uv-$$
    /usr/bin/python3 -m venv "$new" || return
    "$new/bin/python" -m pip install --disable-pip-version-check --require-hashes --only-binary :all: -r "$pins" || return
    "$new/bin/uv" --version || return
    sync
    rm -rf "$uv_home"
    mv "$new" "$uv_home"
}

grep -qs '^VERSION_CODENAME=bookworm' /etc/os-release || fail 'the lab needs Debian 12 (bookworm)  ->  use such a machine'
mkdir -p "$cache/lock" "$cache/log" 2>/dev/null || fail "cannot write to the cache $cache  ->  set SHIFTPROOF_CACHE to a folder of yours"
exec 9>"$cache/lock/setup"
flock --nonblock 9 || { printf '..  waiting for another set-up to end\n' >&2; flock 9; }
trap 'stop_ticker; drop_policy' EXIT
trap 'exit 3' INT TERM HUP
drop_policy # left by a set-up that was killed

setup_packages

uv_home=$cache/uv-$(sed -n 's/^uv==\([0-9.]*\).*/\1/p' "$pins")
[ -x "$uv_home/bin/uv" ] || step 'uv' install_uv

# Whatever environment the caller has active, ours is .venv; Debian's own Python 3.11 is enough, so none is fetched.
unset VIRTUAL_ENV CONDA_PREFIX
export UV_PROJECT_ENVIRONMENT="$PWD/.venv" UV_PYTHON_DOWNLOADS=never
"$uv_home/bin/uv" sync --locked --check --quiet >/dev/null 2>&1 || step 'python environment' "$uv_home/bin/uv" sync --locked --compile-bytecode
# A gate starts ten processes; where PYTHONDONTWRITEBYTECODE is set each would compile all that it imports, 2 s of CPU.
.venv/bin/python -m compileall -q src suites >/dev/null

# The lock is not handed on: the next step has locks of its own, and must not keep this one when it outlives us.
.venv/bin/shiftproof lab build 9>&-
