# shellcheck shell=bash
# A Debian sid root that holds Bazel 7.7.1, Python and the Docker CLI. Sourced by scripts/bazel.
#
# Every mount is made in a private mount namespace: nothing is visible outside and all of it ends with the
# last process inside. `pivot_root` rather than chroot, so that Bazel's sandbox and dockerd work inside.
# Uses of the sourcing script: CACHE, WORKSPACE, say, fail, EXIT_*.

ROOT=$CACHE/sid
readonly ROOT
# Raised when what is installed changes: an older root is made anew.
readonly ROOT_RECIPE=1
readonly BASE_PACKAGES=python3,python3-venv,python3-pip,ca-certificates
readonly BAZEL_PACKAGES=(bazel-bootstrap bazel-rules-python docker-cli docker-compose procps)
# What system tests ask: a Docker engine, the two servers that judge our line protocol, what judges units, and a
# browser with its driver and a font to write with.
readonly ENGINE_PACKAGES=(docker.io busybox-static iproute2 influxdb victoria-metrics systemd
  chromium chromium-driver fonts-dejavu-core)
readonly INSIDE_PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

root_is_complete() { [[ -f $ROOT/etc/algo-trader && $(<"$ROOT/etc/algo-trader") == "$ROOT_RECIPE" ]]; }

# --- making it -----------------------------------------------------------------------------------------

ensure_root() {
  local yes=$1
  check_machine
  root_is_complete && return 0
  mkdir -p -- "$CACHE"
  exec 9>"$CACHE/lock"
  if ! flock --nonblock 9; then
    say "another scripts/bazel is making the Debian root; waiting for it"
    flock 9
  fi
  if ! root_is_complete; then
    ask "$yes" "No Bazel here that can fetch what it needs. A Debian sid root with Bazel 7.7.1 will be made in
  $ROOT
  It takes 2.4 GB and about two minutes, once; 'scripts/bazel --remove-root' removes it."
    make_root
  fi
  exec 9>&-
}

check_machine() {
  [[ $(uname -s) == Linux ]] ||
    fail "$EXIT_MISSING" "Bazel is missing or cannot fetch what it needs; install bazelisk (brew install bazelisk) and connect to the internet"
  [[ $(id -u) == 0 ]] ||
    fail "$EXIT_MISSING" "Bazel is missing or cannot fetch what it needs, and the Debian root that would replace it needs root (mount, debootstrap); install bazelisk, run this as root, or use pip (README: without Bazel)"
  [[ $(stat -c %u -- "$HOME") == 0 ]] ||
    fail "$EXIT_USAGE" "HOME ($HOME) belongs to another user than root, who would find root's files in it; use 'sudo -H'"
  local tool
  for tool in unshare pivot_root flock mount; do
    PATH=$PATH:/usr/sbin:/sbin command -v "$tool" >/dev/null ||
      fail "$EXIT_MISSING" "$tool is missing; install the package util-linux"
  done
}

# At a terminal a person decides; elsewhere (CI, a script) the announcement is enough.
ask() {
  local yes=$1 text=$2 answer
  say "$text"
  [[ -z $yes && -z ${CI:-} && -t 0 && -t 2 ]] || return 0
  read -r -p "Go on? [Y/n] " answer </dev/tty
  [[ -z $answer || $answer == [Yy]* ]] || fail "$EXIT_MISSING" "nothing was changed"
}

ensure_debootstrap() {
  PATH=$PATH:/usr/sbin command -v debootstrap >/dev/null && return 0
  command -v apt-get >/dev/null ||
    fail "$EXIT_MISSING" "debootstrap is missing; install it with your system's package manager"
  say "installing debootstrap (apt-get)"
  { quietly apt-get update && quietly apt-get install -y --no-install-recommends debootstrap; } ||
    fail "$EXIT_MISSING" "debootstrap could not be installed; run 'apt-get install debootstrap'"
}

# Keep a command's output for the case that it fails.
quietly() {
  local log=$CACHE/setup.log
  if ! DEBIAN_FRONTEND=noninteractive "$@" >"$log" 2>&1 </dev/null; then
    tail -n 20 -- "$log" >&2
    return 1
  fi
}

make_root() {
  local partial=$ROOT.partial started=$SECONDS
  # apt and debootstrap end in their own way at Ctrl-C and report a failure of their own
  trap 'say "interrupted; start again to go on from here"; exit 130' INT
  ensure_debootstrap
  if [[ -e $ROOT ]]; then delete_tree "$ROOT"; fi
  if [[ ! -f $partial/etc/algo-trader-base ]]; then
    if [[ -e $partial ]]; then delete_tree "$partial"; fi
    say "1/2 debootstrap (about 40 s)"
    # debootstrap mounts /proc in the tree; in a namespace of its own an interruption leaves no mount
    quietly unshare --mount --propagation private -- env PATH="$INSIDE_PATH" \
      debootstrap --variant=minbase --include="$BASE_PACKAGES" sid "$partial" ||
      fail "$EXIT_MISSING" "debootstrap failed; is Debian's mirror reachable? Start again to try again"
    touch -- "$partial/etc/algo-trader-base"
  else
    say "1/2 debootstrap was done before"
  fi
  say "2/2 Bazel, a JDK and the Docker CLI (about 40 s)"
  apt_inside "$partial" "${BAZEL_PACKAGES[@]}" ||
    fail "$EXIT_MISSING" "the packages could not be installed; start again to go on from here"
  tune_root "$partial"
  printf '%s\n' "$ROOT_RECIPE" >"$partial/etc/algo-trader"
  mv -T -- "$partial" "$ROOT"
  trap - INT
  say "the Debian root is ready ($((SECONDS - started)) s)"
}

# Install packages inside; what an interrupted dpkg left half done is finished first.
apt_inside() {
  local tree=$1
  shift
  quietly namespaced "$tree" /bin/sh -c '
    set -e
    mkdir -p /usr/sbin && printf "#!/bin/sh\nexit 101\n" >/usr/sbin/policy-rc.d && chmod +x /usr/sbin/policy-rc.d
    dpkg --configure -a
    # a mirror of sid may be some days old: its signature still holds
    apt-get -o Acquire::Check-Valid-Until=false update
    apt-get install -y --no-install-recommends "$@"
    apt-get clean' sh "$@"
}

# Debian's own bazelrc prints sandbox traces; its client passes a JVM flag that only makes a warning.
tune_root() {
  local tree=$1 java=$1/usr/local/lib/algo-trader-java
  sed -i -e '/host_javabase/d' -e '/sandbox_debug/d' -- "$tree/etc/bazel/bazelrc"
  mkdir -p -- "$java/bin"
  cat >"$java/bin/java" <<'JAVA'
#!/bin/bash
words=()
for word in "$@"; do [[ $word == -Xverify:none ]] || words+=("$word"); done
exec -a "${BAZEL_PROCESS_NAME:-bazel}" /usr/lib/jvm/default-java/bin/java "${words[@]}"
JAVA
  chmod +x -- "$java/bin/java"
}

# What --config=system needs, only when it is asked for; a root with fewer packages gets the others.
engine_is_complete() {
  [[ -f $ROOT/etc/algo-trader-engine && $(<"$ROOT/etc/algo-trader-engine") == "${ENGINE_PACKAGES[*]}" ]]
}

ensure_engine() {
  engine_is_complete && return 0
  exec 9>"$CACHE/lock"
  flock 9
  if ! engine_is_complete; then
    say "system tests want a Docker engine, other servers and a browser: installing them in the Debian root (about 40 s, once)"
    apt_inside "$ROOT" "${ENGINE_PACKAGES[@]}" ||
      fail "$EXIT_MISSING" "${ENGINE_PACKAGES[*]} could not be installed in the Debian root; start again to try again"
    printf '%s\n' "${ENGINE_PACKAGES[*]}" >"$ROOT/etc/algo-trader-engine"
  fi
  exec 9>&-
}

# --- entering it ---------------------------------------------------------------------------------------

# The user's folders that what runs inside must see at the same paths.
shared_folders() {
  printf '%s\n' /dev /proc /sys /tmp "$HOME" "$CACHE" "$WORKSPACE" "$PWD"
  printf '%s\n' "${ALGO_TRADER_HOME:-}" "${TMPDIR:-}" "${XDG_CONFIG_HOME:-}" "${XDG_DATA_HOME:-}" "${XDG_STATE_HOME:-}"
  # Folders with wheels or an index that pip was told of. The pages of an index link to files beside it
  # (../../files/x.whl), so the folder above an index comes along.
  local config
  {
    printf '%s\n' "${PIP_FIND_LINKS:-}" "${PIP_INDEX_URL:-}" "${PIP_EXTRA_INDEX_URL:-}"
    for config in $(pip_configs); do sed -n 's/^[^#;]*=//p' -- "$config"; done
  } | tr ' ,' '\n\n' | sed -n -e 's#^file://\(/.*\)/[^/][^/]*/*$#\1#' -e 's#^file://##' -e '/^\//p'
}

pip_configs() {
  local file
  for file in "${PIP_CONFIG_FILE:-}" /etc/pip.conf "${XDG_CONFIG_HOME:-$HOME/.config}/pip/pip.conf" "$HOME/.pip/pip.conf"; do
    if [[ -f $file ]]; then printf '%s\n' "$file"; fi
  done
}

# Single files that name the machine's network and certificates.
shared_files() {
  printf '%s\n' /etc/resolv.conf /etc/hosts /etc/localtime /etc/pip.conf /run/docker.sock
  if [[ ${DOCKER_HOST:-} == unix://* ]]; then printf '%s\n' "${DOCKER_HOST#unix://}"; fi
  local name
  for name in SSL_CERT_FILE REQUESTS_CA_BUNDLE CURL_CA_BUNDLE PIP_CERT PIP_CONFIG_FILE NODE_EXTRA_CA_CERTS; do
    printf '%s\n' "${!name:-}"
  done
}

# The machine's certificate bundle, wherever its system keeps it.
certificate_bundle() {
  local file
  for file in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/ca-bundle.pem /etc/ssl/cert.pem; do
    if [[ -f $file ]]; then
      printf '%s\n' "$file"
      return 0
    fi
  done
}

# Run a command inside the tree, in a mount namespace of its own, in the folder where the user stands.
namespaced() {
  local tree=$1
  shift
  local folders files
  # parents first, so that a folder inside one that is there already needs no mount
  folders=$(shared_folders | while read -r path; do
    if [[ -d $path ]]; then printf '%s\n%s\n' "$path" "$(readlink -f -- "$path")"; fi
  done | LC_ALL=C sort -u)
  files=$(shared_files | while read -r path; do if [[ -e $path ]]; then printf '%s\n' "$path"; fi; done | LC_ALL=C sort -u)
  AT_TREE=$tree AT_FOLDERS=$folders AT_FILES=$files AT_BUNDLE=$(certificate_bundle) AT_PWD=$PWD AT_PATH=$INSIDE_PATH \
    unshare --mount --propagation private -- /bin/bash -c "$MOUNT_AND_GO" scripts/bazel "$@"
}

# The same in place of this process: signals, terminal, stdin and the exit code are the command's own.
enter_root() {
  unshare() { exec unshare "$@"; }
  namespaced "$ROOT" "$@"
}

read -r -d '' MOUNT_AND_GO <<'INSIDE' || true
set -euo pipefail
PATH=$AT_PATH
mount --bind -- "$AT_TREE" "$AT_TREE"
covered=()
is_covered() {
  local one
  for one in "${covered[@]}"; do [[ $1 == "$one" || $1 == "$one"/* ]] && return 0; done
  return 1
}
# The folder that holds the tree goes first: later mounts are then not copied into it.
ordered=$(while read -r path; do
  if [[ $AT_TREE == "$path"/* ]]; then echo "0 $path"; else echo "1 $path"; fi
done <<<"$AT_FOLDERS" | LC_ALL=C sort -s -k1,1 | cut -d' ' -f2-)
while read -r path; do
  case "$path" in
    / | /bin | /boot | /etc | /lib | /lib64 | /run | /sbin | /usr | /usr/bin | /usr/lib | /usr/local | /var | /var/lib)
      echo "scripts/bazel: $path is a system folder and is not shared with the Debian root" >&2
      continue ;;
  esac
  is_covered "$path" && continue
  mkdir -p -- "$AT_TREE$path"
  mount --rbind -- "$path" "$AT_TREE$path"
  covered+=("$path")
done <<<"$ordered"
mount -t tmpfs -o mode=755 tmpfs "$AT_TREE/run"
share_file() {
  local from=$1 to=$2
  is_covered "$to" && return 0
  if [[ -d $from || ( -L $AT_TREE$to && ! -e $AT_TREE$to ) ]]; then rm -f -- "$AT_TREE$to"; fi
  if [[ -d $from ]]; then return 0; fi
  mkdir -p -- "$(dirname -- "$AT_TREE$to")"
  [[ -e $AT_TREE$to ]] || : >"$AT_TREE$to"
  mount --bind -- "$from" "$AT_TREE$to"
}
while read -r path; do
  if [[ -n $path ]]; then share_file "$path" "$path"; fi
done <<<"$AT_FILES"
if [[ -n $AT_BUNDLE ]]; then share_file "$AT_BUNDLE" /etc/ssl/certs/ca-certificates.crt; fi
cd -- "$AT_TREE"
mkdir -p .outside
pivot_root . .outside
umount --lazy /.outside
cd -- "$AT_PWD"
# what belongs to the outside's Python, Java and loader would mislead those inside
unset JAVA_HOME PYTHONHOME PYTHONPATH VIRTUAL_ENV LD_LIBRARY_PATH LD_PRELOAD BASH_ENV ENV
unset AT_TREE AT_FOLDERS AT_FILES AT_BUNDLE AT_PWD AT_PATH
export PATH
exec "$@"
INSIDE
readonly MOUNT_AND_GO

# --- removing it ---------------------------------------------------------------------------------------

# Processes whose root is the tree: they would lose the ground under their feet.
processes_inside() {
  local tree=$1 identity process
  identity=$(stat -c %d:%i -- "$tree")
  for process in /proc/[0-9]*; do
    if [[ $(stat -L -c %d:%i -- "$process/root" 2>/dev/null) == "$identity" ]]; then printf '%s ' "${process#/proc/}"; fi
  done
}

# Delete a tree that holds no mount and that nothing uses: rm through a bind mount would delete the user's files.
delete_tree() {
  local tree=$1 real users
  real=$(readlink -f -- "$tree")
  if awk -v tree="$real" '$5 == tree || index($5, tree "/") == 1 { found = 1 } END { exit !found }' /proc/self/mountinfo; then
    fail "$EXIT_MISSING" "$tree holds a mount (see 'findmnt -R'); unmount it first: nothing was removed"
  fi
  users=$(processes_inside "$tree")
  [[ -z $users ]] ||
    fail "$EXIT_MISSING" "processes run inside $tree (pid $users); end them first ('algo-trader services stop'): nothing was removed"
  rm -rf --one-file-system -- "$tree"
}

remove_root() {
  local yes=$1 part
  if [[ ! -d $CACHE ]]; then
    say "nothing to remove: there is no $CACHE"
    return 0
  fi
  exec 9>"$CACHE/lock"
  flock --nonblock 9 || fail "$EXIT_MISSING" "another scripts/bazel is making the Debian root; nothing was removed"
  ask "$yes" "The Debian root, Bazel's output and the wheels in $CACHE will be removed."
  for part in sid sid.partial; do
    if [[ -e $CACHE/$part ]]; then delete_tree "$CACHE/$part"; fi
  done
  if [[ -d $CACHE/bazel ]]; then chmod -R u+w -- "$CACHE/bazel"; fi
  rm -rf --one-file-system -- "$CACHE/bazel" "$CACHE/wheels" "$CACHE/java" "$CACHE/installed-bazel" "$CACHE/setup.log" "$CACHE/lock"
  rmdir --ignore-fail-on-non-empty -- "$CACHE"
  say "removed"
}
