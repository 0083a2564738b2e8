#!/usr/bin/env bash
# Builds Chromium and Node on lavapipe in a folder; the README beside it says what and why. Nothing is done where
# they are there already. What went wrong is the last line on stderr.
#
#   build.sh [FOLDER]      node_modules/.cache/tokenroof-adapters where absent
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
folder=$(realpath -m "${1:-$here/../../node_modules/.cache/tokenroof-adapters}")
cd "$here"
# The first Debian whose Mesa has subgroup matrices in lavapipe.
suite=forky
chromium=/usr/lib/chromium
libraries=mesa/usr/lib/x86_64-linux-gnu

refuse() {
  echo "$*" >&2
  exit 3
}

[[ $(uname -sm) == "Linux x86_64" ]] || refuse "needs Linux on x86-64, and this is $(uname -sm)"
. /etc/os-release
[[ $ID == debian ]] || refuse "needs Debian, and this is $PRETTY_NAME"
type apt-get dpkg >/dev/null 2>&1 || refuse "needs apt-get and dpkg"

# Two checkouts may share a node_modules.
mkdir -p "$(dirname "$folder")"
exec {lock}>"$folder.lock"
flock $lock
stamp() { echo "chromium $(dpkg-query --showformat '${Version}' --show chromium), $(cat build.sh *.c | sha256sum)"; }
if [[ -x $chromium/chromium && -e $folder/stamp && $(<"$folder/stamp") == "$(stamp)" ]]; then exit 0; fi

missing=()
[[ -x $chromium/chromium ]] || missing+=(chromium)
type gcc >/dev/null 2>&1 || missing+=(gcc)
[[ -e /usr/include/dlfcn.h ]] || missing+=(libc6-dev)
if ((${#missing[@]} > 0)); then
  wanted="apt-get install ${missing[*]}"
  ((EUID == 0)) || refuse "run as root: $wanted"
  { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y install "${missing[@]}"; } ||
    refuse "failed: $wanted"
fi

echo "building Chromium and Node on lavapipe in $folder"
new=$folder.new
trap 'rm -rf "$new"' EXIT
rm -rf "$folder" "$new"
mkdir -p "$new"/{apt/lists/partial,apt/archives/partial,chromium,mesa}

# The mirror is the machine's own; its package lists and its system stay as they are.
mirror=$(apt-get update --print-uris | sed -n "s#^'\(.*\)/dists/$VERSION_CODENAME/InRelease'.*#\1#p" | sed 1q)
[[ -n $mirror ]] || refuse "apt has no source for $VERSION_CODENAME"
: >"$new/apt/status"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" >"$new/apt/sources.list"
# Packages are signed; that a mirror is some weeks behind does not matter.
own_apt() {
  apt-get -qq -o APT::Sandbox::User= -o Acquire::Languages=none -o Acquire::Check-Valid-Until=false \
    -o Dir::Etc::SourceList="$new/apt/sources.list" -o Dir::Etc::SourceParts=- -o Dir::Cache="$new/apt" \
    -o Dir::State::Lists="$new/apt/lists" -o Dir::State::Status="$new/apt/status" "$@"
}
# With an empty status everything counts as missing, so Mesa comes with its C library, which is newer than this one's.
own_apt update && own_apt -y --no-install-recommends --download-only install mesa-vulkan-drivers libvulkan1 ||
  refuse "cannot download Mesa of Debian $suite"
for package in "$new"/apt/archives/*.deb; do dpkg -x "$package" "$new/mesa"; done
find "$new/$libraries" -name 'libvulkan_*' ! -name libvulkan_lvp.so -delete
rm -r "$new/apt"

# Chromium looks for its files beside the program that was started, and with a loader of its own that is the loader.
# Its own graphics stay on SwiftShader, which is named by its full path.
ln -s "$chromium"/* "$new/chromium"
rm "$new"/chromium/{libvk_swiftshader.so,vk_swiftshader_icd.json}
sed "s#\./libvk_swiftshader#$chromium/libvk_swiftshader#" "$chromium/vk_swiftshader_icd.json" >"$new/chromium/vk_swiftshader_icd.json"
cp "$new/$libraries/ld-linux-x86-64.so.2" "$new/chromium/loader"
gcc -O2 -Wall -Werror -shared -fPIC -fvisibility=hidden -o "$new/chromium/libvk_swiftshader.so" swiftshader_stand_in.c -ldl ||
  refuse "gcc cannot compile swiftshader_stand_in.c"

# Chromium's child processes come through the same script. The zygote, from which they are forked, cannot.
cat >"$new/chromium-lavapipe" <<S
#!/bin/bash
here=\$(dirname "\$(realpath "\${BASH_SOURCE[0]}")")
[[ " \$* " == *" --type="* ]] ||
  set -- --browser-subprocess-path="\$here/chromium-lavapipe" --no-sandbox --no-zygote --use-webgpu-adapter=swiftshader "\$@"
exec "\$here/chromium/loader" --library-path "\$here/$libraries" --argv0 chromium $chromium/chromium "\$@"
S
cat >"$new/node-lavapipe" <<S
#!/bin/bash
here=\$(dirname "\$(realpath "\${BASH_SOURCE[0]}")")
export VK_DRIVER_FILES=\$here/mesa/usr/share/vulkan/icd.d/lvp_icd.json
exec "\$here/$libraries/ld-linux-x86-64.so.2" --library-path "\$here/$libraries" "\$(node -p process.execPath)" "\$@"
S
chmod +x "$new"/*-lavapipe
"$new/chromium-lavapipe" --version >/dev/null || refuse "Chromium does not start with the C library of Debian $suite"

stamp >"$new/stamp"
mv "$new" "$folder"
