#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# usage: run-sr.sh SRC_BUCKET SRC_KEY ETAG DST_BUCKET PREFIX      (each as in a URL: %HH for what is no letter or digit)
# Run on a node by Run Command: fetches s3://SRC_BUCKET/SRC_KEY, if it still is the upload with that ETag ('' takes any),
# upscales it by two and stores the result as s3://DST_BUCKET/PREFIX/upscaled.mp4. Nothing is stored unless every frame
# was upscaled. No key, whatever its letters, is ever read by a shell. Credentials and region come from the environment
# or the instance's role; AWS_ENDPOINT_URL, where it is set, names the server to talk to.
# Exit codes: 0 stored, 1 failed, 2 wrong usage, 3 another upload took the source's place, or it was removed.
set -euo pipefail

fail() { printf 'run-sr.sh: %s\n' "$1" >&2; exit "${2:-1}"; }

[ $# -eq 5 ] || fail "usage: run-sr.sh SRC_BUCKET SRC_KEY ETAG DST_BUCKET PREFIX (each as in a URL)" 2

# Decodes $1 into the variable named $2.
decode() {
    local rest=${1//%[0-9A-Fa-f][0-9A-Fa-f]/}
    case $rest in *[!A-Za-z0-9_.~\!*\(\)-]*) fail "\"$1\" is not written as in a URL" 2 ;; esac
    case $1 in *%00*) fail "\"$1\" has a byte 0" 2 ;; esac
    printf -v "$2" %b "${1//%/\\x}"
}
src_bucket='' src_key='' etag='' dst_bucket='' prefix=''
decode "$1" src_bucket
decode "$2" src_key
decode "$3" etag
decode "$4" dst_bucket
decode "$5" prefix

case $src_key in
"" | */) fail "the key \"$src_key\" names a folder, not a file" ;;
esac

# S3 allows keys of 1,024 bytes; the longest name that stands under the prefix is that of a segment.
longest=$(LC_ALL=C; echo $((${#prefix} + 24)))
if [ "$longest" -gt 1024 ]; then
    fail "the key is too long: results are stored under it and need keys of $longest bytes (KeyTooLong); S3 allows 1024. \
Give the source a key of at most 980 bytes"
fi

# A server that is away for a minute is no reason to fail.
export AWS_RETRY_MODE=${AWS_RETRY_MODE:-standard} AWS_MAX_ATTEMPTS=${AWS_MAX_ATTEMPTS:-10}
aws=(aws)
[ -z "${AWS_ENDPOINT_URL:-}" ] || aws+=(--endpoint-url "$AWS_ENDPOINT_URL")

work=$(mktemp -d "${TMPDIR:-/tmp}/run-sr.XXXXXX")
trap 'rm -rf -- "$work"' EXIT

echo "source: s3://$src_bucket/$src_key"
echo "result: s3://$dst_bucket/$prefix/upscaled.mp4"

fetch=(s3api get-object --bucket "$src_bucket" --key "$src_key")
[ -z "$etag" ] || fetch+=(--if-match "\"$etag\"")
if ! "${aws[@]}" "${fetch[@]}" "$work/source" >/dev/null 2>"$work/why"; then
    cat "$work/why" >&2
    case $(<"$work/why") in
    *PreconditionFailed* | *"(412)"* | *NoSuchKey*) fail "s3://$src_bucket/$src_key is no longer what was uploaded" 3 ;;
    esac
    fail "s3://$src_bucket/$src_key could not be fetched"
fi
spyhop upscale "$work/source" "$work/upscaled.mp4"
"${aws[@]}" s3 cp --only-show-errors --content-type video/mp4 "$work/upscaled.mp4" "s3://$dst_bucket/$prefix/upscaled.mp4"
