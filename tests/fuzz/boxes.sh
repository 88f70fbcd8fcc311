#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# usage: tests/fuzz/boxes.sh [SECONDS]
# Fuzzes the readers of boxes, configuration records and samples with libFuzzer, ASan and UBSan, for SECONDS (60). The
# corpus is build-fuzz/boxes, begun with the seeds of tests/stream/fuzz_boxes.c and kept between runs; an input that
# breaks something is left as build-fuzz/crash-* and can be given to build-fuzz/tests/stream/fuzz_boxes_libfuzzer
# alone. Needs clang.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=build-fuzz
if [ ! -f "$folder/build.ninja" ]; then
    CC=clang meson setup "$folder" -Db_sanitize=address,undefined -Db_lundef=false \
        -Dc_args=-fsanitize=fuzzer-no-link >"$folder.log" 2>&1 || { cat "$folder.log" >&2; exit 1; }
    rm -f "$folder.log"
fi
ninja -C "$folder" tests/stream/fuzz_boxes tests/stream/fuzz_boxes_libfuzzer
mkdir -p "$folder/boxes"
"$folder/tests/stream/fuzz_boxes" --corpus "$folder/boxes"
cd "$folder"
export ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
exec tests/stream/fuzz_boxes_libfuzzer -max_total_time="${1:-60}" -max_len=4096 -timeout=10 -rss_limit_mb=2000 boxes
