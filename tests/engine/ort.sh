#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# usage: ort.sh PROGRAM ARGUMENT...
# Runs the program with ONNX Runtime: what SPYHOP_ORT names, else npm's onnxruntime-node in the build folder (script/ort
# puts it there), else whatever the system has. The program itself ends with 77 (skipped) where there is none.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
case $(uname -m) in
x86_64) cpu=x64 ;;
*) cpu=arm64 ;;
esac
if [ -z "${SPYHOP_ORT+set}" ]; then
    for file in "$root"/build/*/node_modules/onnxruntime-node/bin/napi-v*/linux/"$cpu"/libonnxruntime.so.1; do
        [ -f "$file" ] && export SPYHOP_ORT="$file"
    done
fi
exec "$@"
