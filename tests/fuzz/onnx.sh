#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# usage: tests/fuzz/onnx.sh [SECONDS]
# Fuzzes the reader of ONNX files and the engine behind it with libFuzzer, ASan and UBSan, for SECONDS (60). The corpus
# is build-fuzz/corpus, begun with the shipped networks and kept between runs; a file that breaks something is left as
# build-fuzz/crash-* and can be given to build-fuzz/tests/engine/fuzz_onnx_libfuzzer alone. Needs clang.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=build-fuzz
if [ ! -f "$folder/build.ninja" ]; then
    CC=clang meson setup "$folder" -Db_sanitize=address,undefined -Db_lundef=false \
        -Dc_args=-fsanitize=fuzzer-no-link >"$folder.log" 2>&1 || { cat "$folder.log" >&2; exit 1; }
    rm -f "$folder.log"
fi
ninja -C "$folder" tests/engine/fuzz_onnx_libfuzzer
mkdir -p "$folder/corpus"
cp -n models/*.onnx "$folder/corpus"
cd "$folder"
export SPYHOP_ORT= ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
exec tests/engine/fuzz_onnx_libfuzzer -max_total_time="${1:-60}" -max_len=200000 -timeout=10 -rss_limit_mb=3000 corpus
