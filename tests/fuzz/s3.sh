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
. tests/fuzz/libfuzzer.sh
folder="${SPYHOP_FUZZ_FOLDER:-build-fuzz-s3}" tests=fuzz prefix=fuzz_edge_ limits=(-max_len=8192 -timeout=10)
runs="${1:-5000000}"
shift || true
[ $# -gt 0 ] || set -- request chunked form xml policy target

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

fuzz_all "$runs" "$@"
