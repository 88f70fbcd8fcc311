#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# usage: tests/fuzz/states.sh [RUNS [TARGET…]]
# Fuzzes the interpreter of state machines with libFuzzer, ASan and UBSan: RUNS inputs (5,000,000) for each TARGET
# (definition, path, intrinsic, jsonata, state), then prints how many lines of its sources were
# reached, and fails below 85 %. The corpus of each is build-fuzz-states/NAME, begun with that of tests/flow/corpus and
# kept between runs; an input that breaks something is left as build-fuzz-states/crash-* and can be given to
# build-fuzz-states/tests/flow/fuzz_NAME_libfuzzer alone. Needs clang.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/fuzz/libfuzzer.sh
folder="${SPYHOP_FUZZ_FOLDER:-build-fuzz-states}" tests=flow prefix=fuzz_ limits=(-max_len=4096 -timeout=60)
runs="${1:-5000000}"
shift || true
[ $# -gt 0 ] || set -- definition path intrinsic jsonata

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

fuzz_all "$runs" "$@"
