#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# usage: test_install.sh BUILD SOURCE CC
# Installs into an empty folder, and builds the example from there alone, as anybody would: with what pkg-config says,
# against the shared library and against the archive. Both must make the same of a stream.
set -euo pipefail
build=$1 source=$2 cc=$3
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
fail() {
    echo "test_install.sh: $*" >&2
    exit 1
}

DESTDIR=$root meson install -C "$build" --no-rebuild --quiet
library=$(dirname "$(find "$root" -name libspyhop.a)")
export PKG_CONFIG_PATH=$library/pkgconfig PKG_CONFIG_SYSROOT_DIR=$root
flags=$(pkg-config --cflags spyhop)
[ "$(pkg-config --modversion spyhop)" = "$("$build/spyhop" --version | awk '{ print $NF; exit }')" ] || fail "version"

# the headers alone, in both languages
for header in spyhop picture; do
    echo "#include <spyhop/$header.h>" >"$root/header.c"
    # shellcheck disable=SC2086
    $cc -std=c99 -pedantic -Wall -Wextra -Werror $flags -fsyntax-only "$root/header.c"
    # shellcheck disable=SC2086
    ! command -v g++ >/dev/null || g++ -std=c++11 -Wall -Wextra -Werror $flags -fsyntax-only -x c++ "$root/header.c"
done

# shellcheck disable=SC2046
$cc -Wall -Wextra -Werror "$source/examples/enlarge.c" $(pkg-config --cflags --libs spyhop) -o "$root/shared"
static=$(pkg-config --static --cflags --libs spyhop)
# shellcheck disable=SC2086
$cc -Wall -Wextra -Werror "$source/examples/enlarge.c" ${static/-lspyhop/-l:libspyhop.a} -o "$root/static"
! ldd "$root/static" | grep -q libspyhop || fail "the example is not linked with the archive"
ldd "$root/shared" | grep -q 'libspyhop.so.0' || fail "the example is not linked with libspyhop.so.0"

model=$(find "$root" -path '*/share/spyhop/models/fast.onnx')
{
    printf 'YUV4MPEG2 W33 H17 F25:1 Ip C420mpeg2\n'
    for _ in 1 2; do
        printf 'FRAME\n'
        head -c $((33 * 17 + 2 * 17 * 9)) "$source/COPYING"
    done
} >"$root/in.y4m"
LD_LIBRARY_PATH=$library "$root/shared" "$model" <"$root/in.y4m" >"$root/shared.y4m"
"$root/static" "$model" <"$root/in.y4m" >"$root/static.y4m"
cmp "$root/shared.y4m" "$root/static.y4m"
[ "$(head -1 "$root/shared.y4m")" = 'YUV4MPEG2 W66 H34 F25:1 Ip C420mpeg2' ] || fail "the head of the result"
wanted=$((37 + 2 * (6 + 66 * 34 * 3 / 2)))
[ "$(stat -c %s "$root/shared.y4m")" = $wanted ] || fail "$(stat -c %s "$root/shared.y4m") bytes, not $wanted"
! head -c 200 "$root/in.y4m" | "$root/static" "$model" >/dev/null 2>&1 || fail "a stream cut short is taken"
! "$root/static" "$root/none.onnx" <"$root/in.y4m" >/dev/null 2>"$root/words" || fail "a missing model is taken"
grep -q none.onnx "$root/words" || fail "a missing model is not named"
[ -n "$(find "$root" -path '*/man3/spyhop.3*')" ] || fail "spyhop(3) is not installed"
echo "installed, built and run: shared and static"
