#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# usage: tests/fuzz/s3.sh [RUNS [TARGET…]]
# Fuzzes what strangers can send to the server with libFuzzer, ASan and UBSan: RUNS inputs (5,000,000) for each TARGET
# (request, chunked, form, xml, policy, target), then prints how many lines of its sources were reached, and fails below
# 85 %. The corpus of each is build-fuzz-s3/NAME, begun with that of tests/fuzz/corpus and kept between runs; an input
# that breaks something is left as build-fuzz-s3/crash-* and can be given to
# build-fuzz-s3/tests/fuzz/fuzz_edge_NAME_libfuzzer alone. Needs clang.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder="${SPYHOP_FUZZ_FOLDER:-build-fuzz-s3}"
runs="${1:-5000000}"
shift || true
[ $# -gt 0 ] || set -- request chunked form xml policy target
if [ ! -f "$folder/build.ninja" ]; then
    CC=clang meson setup "$folder" -Db_sanitize=address,undefined -Db_lundef=false -Doptimization=1 \
        -Dc_args='-fsanitize=fuzzer-no-link -fprofile-instr-generate -fcoverage-mapping' \
        -Dc_link_args=-fprofile-instr-generate >"$folder.log" 2>&1 || { cat "$folder.log" >&2; exit 1; }
    rm -f "$folder.log"
fi

# The sources whose lines a target has to reach.
sources_of() {
    case "$1" in
    request) echo src/cloud/http/{head,sigv4,sigv2,condition}.c ;;
    chunked) echo src/cloud/http/chunked.c ;;
    form) echo src/cloud/http/form.c src/cloud/api/s3_form_policy.c ;;
    xml) echo src/cloud/http/xml.c ;;
    policy) echo src/cloud/policy/{parse,condition,match,decide}.c ;;
    target) echo src/cloud/api/{s3_target,query}.c ;;
    esac
}

failed=0
for target in "$@"; do
    [ -f "tests/fuzz/fuzz_$target.c" ] || { echo "$target: no such target" >&2; exit 2; }
    program="tests/fuzz/fuzz_edge_${target}_libfuzzer"
    ninja -C "$folder" "tests/fuzz/fuzz_edge_$target" "$program" >"$folder/ninja.log" 2>&1 ||
        { cat "$folder/ninja.log"; exit 1; }
    mkdir -p "$folder/$target"
    LLVM_PROFILE_FILE=/dev/null "$folder/tests/fuzz/fuzz_edge_$target" "tests/fuzz/corpus/$target.txt" \
        --write "$folder/$target"
    (
        cd "$folder"
        export ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
        LLVM_PROFILE_FILE="$target.profraw" "$program" -runs="$runs" -max_len=8192 -timeout=10 -rss_limit_mb=2000 \
            -verbosity=0 "$target" >"$target.log" 2>&1 || { tail -50 "$target.log"; exit 1; }
    )
    llvm-profdata merge -sparse "$folder/$target.profraw" -o "$folder/$target.profdata"
    share="$(llvm-cov report "$folder/$program" -instr-profile="$folder/$target.profdata" |
        awk -v wanted="$(sources_of "$target")" '
            BEGIN { count = split(wanted, names, " ") }
            { for (i = 1; i <= count; i++) { short = names[i]; sub("^src/", "", short); if (index($1, short)) { lines += $8; missed += $9 } } }
            END { printf "%.1f", lines ? 100 * (lines - missed) / lines : 0 }')"
    echo "$target: $runs runs, $share % of the lines of its sources"
    awk -v share="$share" 'BEGIN { exit share < 85 }' || failed=1
done
exit $failed
