#!/bin/sh
# Starts Tokenroof with the Node and the Dawn beside it. It uses the shell's own words and glibc's linker only: no
# PATH, no network and nothing installed are needed.

fail() {
  echo "tokenroof: $1" >&2
  exit 3
}

self=$0
while [ -L "$self" ]; do
  target=$(readlink "$self" 2>/dev/null) || fail "cannot follow the link $self: start what it points to"
  case $target in
    /*) self=$target ;;
    *) self=${self%/*}/$target ;;
  esac
done
case $self in */*) ;; *) self=./$self ;; esac
here=$(CDPATH='' cd "${self%/*}" && pwd) || fail "cannot find its own folder from $0"

linker=/lib64/ld-linux-x86-64.so.2
node=$here/bin/node
dawn=$here/app/node_modules/webgpu/dist/linux-x64/dawn.node
[ -x "$linker" ] ||
  fail "this bundle is for x86-64 Linux with glibc @GLIBC@ or newer, whose linker $linker is not on this machine"

add() {
  LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$1
  export LD_LIBRARY_PATH
}

# Whether this machine has a library: the linker tells what it cannot preload, and --list runs nothing.
has() {
  case $(LD_PRELOAD=$1 "$linker" --list "$node" 2>&1) in
    *"cannot be preloaded"*) return 1 ;;
  esac
}

# Each folder of lib/ holds one library, which is used where the machine has none: its own fits its drivers.
for folder in "$here"/lib/*; do
  has "${folder##*/}" || add "$folder"
done
case $("$linker" --list "$dawn" 2>&1) in
  *"libstdc++.so.6: version"*"not found"*) LD_LIBRARY_PATH=$here/lib/libstdc++.so.6${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} ;;
esac
export LD_LIBRARY_PATH

# Where container runtimes, WSL and NixOS keep NVIDIA's libraries without telling the linker.
for folder in /usr/local/nvidia/lib64 /usr/local/nvidia/lib /usr/lib/wsl/lib /run/opengl-driver/lib; do
  if [ -d "$folder" ]; then add "$folder"; fi
done

for file in "$node" "$dawn"; do
  missing=$("$linker" --list "$file" 2>&1 | while read -r line; do
    case $line in *"not found"* | *"cannot open"*) echo "$line" && break ;; esac
  done)
  [ -z "$missing" ] || fail "this bundle needs glibc @GLIBC@ and a libstdc++ with GLIBCXX_@GLIBCXX@, or glibc @OWN_GLIBC@: $missing"
done

exec "$node" "$here/app/main.mjs" "$@"
