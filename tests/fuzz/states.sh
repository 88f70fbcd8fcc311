#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# usage: tests/fuzz/states.sh [RUNS [TARGET…]]
# Fuzzes the interpreter of state machines with libFuzzer, ASan and UBSan: RUNS inputs (5,000,000) for each TARGET
# (definition, path, intrinsic, jsonata, state: those that there are), then prints how many lines of its sources were
# reached, and fails below 85 %. The corpus of each is build-fuzz-states/NAME, begun with that of tests/flow/corpus and
# kept between runs; an input that breaks something is left as build-fuzz-states/crash-* and can be given to
# build-fuzz-states/tests/flow/fuzz_NAME_libfuzzer alone. Needs clang.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=build-fuzz-states
runs="${1:-5000000}"
shift || true
[ $# -gt 0 ] || set -- definition path intrinsic jsonata
if [ ! -f "$folder/build.ninja" ]; then
    CC=clang meson setup "$folder" -Db_sanitize=address,undefined -Db_lundef=false -Doptimization=1 \
        -Dc_args='-fsanitize=fuzzer-no-link -fprofile-instr-generate -fcoverage-mapping' \
        -Dc_link_args=-fprofile-instr-generate >"$folder.log" 2>&1 || { cat "$folder.log" >&2; exit 1; }
    rm -f "$folder.log"
fi

# The sources whose lines a target has to reach.
sources_of() {
    case "$1" in
    definition) echo src/cloud/flow/{flow,reader,locate,machine,fields,choice,resource,template,states,engine}.c ;;
    path) echo src/cloud/flow/path*.c ;;
    intrinsic) echo src/cloud/flow/{expr,intrinsic_array,intrinsic_math,intrinsic_text}.c ;;
    jsonata) echo src/cloud/flow/jsonata_*.c ;;
    state) echo src/cloud/flow/frame.c ;;
    esac
}

failed=0
for target in "$@"; do
    [ -f "tests/flow/fuzz_$target.c" ] || { echo "$target: no such target"; continue; }
    program="tests/flow/fuzz_${target}_libfuzzer"
    ninja -C "$folder" "tests/flow/fuzz_$target" "$program" >"$folder/ninja.log" 2>&1 ||
        { cat "$folder/ninja.log"; exit 1; }
    mkdir -p "$folder/$target"
    if [ -f "tests/flow/corpus/$target.txt" ]; then
        LLVM_PROFILE_FILE=/dev/null "$folder/tests/flow/fuzz_$target" "tests/flow/corpus/$target.txt" \
            --write "$folder/$target"
    fi
    (
        cd "$folder"
        export ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
        LLVM_PROFILE_FILE="$target.profraw" "$program" -runs="$runs" -max_len=4096 -timeout=60 -rss_limit_mb=2000 \
            -verbosity=0 "$target" >"$target.log" 2>&1 || { tail -50 "$target.log"; exit 1; }
    )
    llvm-profdata merge -sparse "$folder/$target.profraw" -o "$folder/$target.profdata"
    share="$(llvm-cov report "$folder/$program" -instr-profile="$folder/$target.profdata" |
        awk -v wanted="$(sources_of "$target")" '
            BEGIN { count = split(wanted, names, " ") }
            { for (i = 1; i <= count; i++) if (index($1, names[i])) { lines += $8; missed += $9 } }
            END { printf "%.1f", lines ? 100 * (lines - missed) / lines : 0 }')"
    echo "$target: $runs runs, $share % of the lines of its sources"
    awk -v share="$share" 'BEGIN { exit share < 85 }' || failed=1
done
exit $failed
