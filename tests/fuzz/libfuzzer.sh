# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2154
# What s3.sh and states.sh share, sourced from the root of the project: a build for libFuzzer, and a run of targets in
# it. They set `folder` (of the build), `tests` (of the targets), `prefix` (of the programs' names), `limits` (for
# libFuzzer) and sources_of (the sources whose lines a target has to reach).

fuzz_set_up() {
    [ ! -f "$folder/build.ninja" ] || return 0
    CC=clang LLVM_PROFILE_FILE=/dev/null meson setup "$folder" -Db_sanitize=address,undefined -Db_lundef=false -Doptimization=1 \
        -Dc_args='-fsanitize=fuzzer-no-link -fprofile-instr-generate -fcoverage-mapping' \
        -Dc_link_args=-fprofile-instr-generate >"$folder.log" 2>&1 || { cat "$folder.log" >&2; exit 1; }
    rm -f "$folder.log"
}

# Makes the target and its corpus, which grows from run to run.
fuzz_make() {
    local target="$1" program="$2" corpus="tests/$tests/corpus/$1.txt"
    [ -f "tests/$tests/fuzz_$target.c" ] || { echo "$target: no such target" >&2; exit 2; }
    ninja -C "$folder" "${program%_libfuzzer}" "$program" >"$folder/ninja.log" 2>&1 ||
        { cat "$folder/ninja.log"; exit 1; }
    mkdir -p "$folder/$target"
    LLVM_PROFILE_FILE=/dev/null "$folder/${program%_libfuzzer}" "$corpus" --write "$folder/$target"
}

# Percent of the lines of the target's sources that its run reached.
fuzz_share() {
    local target="$1" program="$2"
    llvm-profdata merge -sparse "$folder/$target.profraw" -o "$folder/$target.profdata"
    llvm-cov report "$folder/$program" -instr-profile="$folder/$target.profdata" |
        awk -v wanted="$(sources_of "$target")" '
            BEGIN { count = split(wanted, names, " "); for (i = 1; i <= count; i++) sub("^src/", "", names[i]) }
            { for (i = 1; i <= count; i++) if (index($1, names[i])) { lines += $8; missed += $9 } }
            END { printf "%.1f", lines ? 100 * (lines - missed) / lines : 0 }'
}

# fuzz_all RUNS TARGET…: fails when a target breaks, or reaches less than 85 % of its sources.
fuzz_all() {
    local runs="$1" failed=0 target program share
    shift
    fuzz_set_up
    for target in "$@"; do
        program="tests/$tests/$prefix${target}_libfuzzer"
        fuzz_make "$target" "$program"
        (
            cd "$folder" || exit
            export ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
            LLVM_PROFILE_FILE="$target.profraw" "$program" -runs="$runs" "${limits[@]}" -rss_limit_mb=2000 \
                -verbosity=0 "$target" >"$target.log" 2>&1 || { tail -50 "$target.log"; exit 1; }
        )
        share="$(fuzz_share "$target" "$program")"
        echo "$target: $runs runs, $share % of the lines of its sources"
        awk -v share="$share" 'BEGIN { exit share < 85 }' || failed=1
    done
    return $failed
}
