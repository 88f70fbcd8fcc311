#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# usage: test_install.sh BUILD SOURCE CC
# Installs into an empty folder, and builds the example from there alone, as anybody would: with what pkg-config says,
# against the shared library and against the archive. Both must make the same of a picture.
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
    printf 'P5\n33 17\n255\n'
    head -c $((33 * 17)) "$source/COPYING"
} >"$root/in.pgm"
LD_LIBRARY_PATH=$library "$root/shared" "$model" <"$root/in.pgm" >"$root/shared.pgm"
"$root/static" "$model" <"$root/in.pgm" >"$root/static.pgm"
cmp "$root/shared.pgm" "$root/static.pgm"
[ "$(head -c 13 "$root/shared.pgm")" = "$(printf 'P5\n66 34\n255')" ] || fail "the head of the result"
wanted=$((13 + 66 * 34))
[ "$(stat -c %s "$root/shared.pgm")" = $wanted ] || fail "$(stat -c %s "$root/shared.pgm") bytes, not $wanted"
! head -c 200 "$root/in.pgm" | "$root/static" "$model" >/dev/null 2>&1 || fail "a picture cut short is taken"
! "$root/static" "$root/none.onnx" <"$root/in.pgm" >/dev/null 2>"$root/words" || fail "a missing model is taken"
grep -q none.onnx "$root/words" || fail "a missing model is not named"
[ -n "$(find "$root" -path '*/man3/spyhop.3*')" ] || fail "spyhop(3) is not installed"
echo "installed, built and run: shared and static"
