#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# usage: run-sr.sh SRC_BUCKET SRC_KEY DST_BUCKET      (each in Base64)
# Run on a node by Run Command: fetches s3://SRC_BUCKET/SRC_KEY, upscales it by two and stores the result as
# s3://DST_BUCKET/SRC_KEY/upscaled.mp4. Nothing is stored unless every frame was upscaled. Names come in Base64, so that
# no key, whatever its letters, is ever read by a shell. Credentials and region come from the environment or the
# instance's role; AWS_ENDPOINT_URL, where it is set, names the server to talk to.
set -euo pipefail

if [ $# -ne 3 ]; then
    echo "usage: run-sr.sh SRC_BUCKET SRC_KEY DST_BUCKET (each in Base64)" >&2
    exit 2
fi

# Decodes $1 into the variable named $2. The letter after the value keeps newlines at its end from being cut off.
decode() {
    local text
    text=$(base64 -d <<<"$1" && printf x) || { echo "run-sr.sh: \"$1\" is not Base64" >&2; exit 2; }
    printf -v "$2" %s "${text%x}"
}
src_bucket='' src_key='' dst_bucket=''
decode "$1" src_bucket
decode "$2" src_key
decode "$3" dst_bucket

case $src_key in
"" | */) echo "run-sr.sh: the key \"$src_key\" names a folder, not a file" >&2; exit 1 ;;
esac

# S3 allows keys of 1,024 bytes; the longest name that stands under SRC_KEY is that of a segment.
longest=$(LC_ALL=C; echo $((${#src_key} + 24)))
if [ "$longest" -gt 1024 ]; then
    echo "run-sr.sh: the key is too long: results are stored under it and need keys of $longest bytes (KeyTooLong);" \
        "S3 allows 1024. Give the source a key of at most 1000 bytes" >&2
    exit 1
fi

aws=(aws)
[ -z "${AWS_ENDPOINT_URL:-}" ] || aws+=(--endpoint-url "$AWS_ENDPOINT_URL")

work=$(mktemp -d "${TMPDIR:-/tmp}/run-sr.XXXXXX")
trap 'rm -rf -- "$work"' EXIT

echo "source: s3://$src_bucket/$src_key"
echo "result: s3://$dst_bucket/$src_key/upscaled.mp4"

"${aws[@]}" s3 cp --only-show-errors "s3://$src_bucket/$src_key" "$work/source"
spyhop upscale "$work/source" "$work/upscaled.mp4"
"${aws[@]}" s3 cp --only-show-errors --content-type video/mp4 "$work/upscaled.mp4" "s3://$dst_bucket/$src_key/upscaled.mp4"
