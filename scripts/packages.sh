# Sourced by quickstart and test: says what it does, and installs the Debian packages that are missing.

step() { printf '\n== %s\n' "$*"; }
fail() { printf '%s: %s\n' "$program" "$*" >&2; exit 1; }
has() { command -v "$1" >/dev/null; }

# Prints the package behind each capability in "$@" that this machine lacks.
missing_packages() {
    local capability
    for capability in "$@"; do
        case $capability in
            build)
                has cc || echo gcc
                has make || echo make
                has pkg-config || echo pkg-config
                [ -e /usr/include/postgresql/libpq-fe.h ] || has pg_config || echo libpq-dev
                [ -e /usr/include/openssl/ssl.h ] || echo libssl-dev
                [ -e /usr/include/zlib.h ] || echo zlib1g-dev
                ;;
            node)
                has node || echo nodejs
                has npm || echo npm
                ;;
            servers)
                compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || echo postgresql
                [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || echo rabbitmq-server
                has java || echo default-jre-headless
                has mvn || echo maven
                has kcat || echo kcat
                ;;
            peers)
                has openssl || echo openssl
                has curl || echo curl
                python3 -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv
                perl -MNet::SMPP -e 1 2>/dev/null || echo libnet-smpp-perl
                [ -x /usr/sbin/bearerbox ] || echo kannel
                has chromium || echo chromium
                has promtool || echo prometheus
                has nginx || [ -x /usr/sbin/nginx ] || echo nginx
                ;;
        esac
    done
}

# Installs what is missing of the capabilities in "$@": as root, or with a sudo that asks nothing.
install_packages() {
    local packages as_root=()
    mapfile -t packages < <(missing_packages "$@")
    [ ${#packages[@]} -gt 0 ] || return 0
    step "installing ${packages[*]}"
    has apt-get || fail "no apt-get here; install by hand what these Debian packages hold: ${packages[*]}"
    if [ "$(id -u)" -ne 0 ]; then
        sudo -n true 2>/dev/null || fail "run this as root once: apt-get install ${packages[*]}"
        as_root=(sudo -n)
    fi
    # The programs are wanted, not services that start with the machine and listen on all addresses.
    local policy=/usr/sbin/policy-rc.d mine=
    if [ ! -e "$policy" ]; then
        mine=yes
        printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
        "${as_root[@]}" chmod +x "$policy"
    fi
    "${as_root[@]}" apt-get update -q \
        && "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${packages[@]}" \
        || { [ -z "$mine" ] || "${as_root[@]}" rm -f "$policy"; fail "apt-get failed; its messages are above"; }
    [ -z "$mine" ] || "${as_root[@]}" rm -f "$policy"
}

# Rust cannot come from Debian: its compiler is older than this workspace needs.
need_cargo() {
    has cargo && return 0
    [ -x "$HOME/.cargo/bin/cargo" ] && { PATH=$HOME/.cargo/bin:$PATH; return 0; }
    fail "Rust is missing. Install it with the two lines of https://rustup.rs:
    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y
    . \"\$HOME/.cargo/env\"
then run this again. rust-toolchain.toml names the version; rustup fetches it by itself."
}

# Installs the packages that the lock file of folder $1 names, unless they are there.
npm_packages() {
    [ "$1/node_modules/.package-lock.json" -nt "$1/package-lock.json" ] && return 0
    npm ci --prefix "$1" --no-audit --no-fund --loglevel=error
}

# Installs what the TypeScript client is built with, and builds it with its libsignal example.
build_sdk() {
    npm_packages sdk/typescript
    npm run --silent --prefix sdk/typescript build
}

# The TypeScript client needs Node 22, Debian 12 has 18: then puts a newer one, as the npm registry carries it, on the PATH.
need_node() {
    node -e 'process.exit(parseInt(process.versions.node) >= 22 ? 0 : 1)' && return 0
    local folder=${SEALPOST_CACHE:-$PWD/.cache}/node machine
    case $(uname -m) in
        x86_64) machine=x64 ;;
        aarch64) machine=arm64 ;;
        *) fail "Node $(node --version) is too old for the TypeScript client: install Node 22 or newer" ;;
    esac
    if [ ! -x "$folder/node_modules/node-linux-$machine/bin/node" ]; then
        step "fetching Node 22 (this machine has $(node --version))"
        npm install --prefix "$folder" --no-audit --no-fund --loglevel=error "node-linux-$machine@22"
    fi
    PATH=$folder/node_modules/node-linux-$machine/bin:$PATH
}
