#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# usage: install.sh --source BUCKET --result BUCKET --instance-id ID --account ACCOUNT
#                   [--endpoint-url URL] [--name NAME]
# Sets the pipeline up with the AWS CLI: both buckets, the state machine of vod-sr.asl.json, the EventBridge rule that
# starts it for every object made in the source bucket, and the roles NAME-states, NAME-events and NAME-mediaconvert
# under which they act, allowed what iam/*.json says and no more. May be run again: what is there is kept or brought up
# to date. The instance needs a role of its own that may read the source and write the result.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

name=spyhop-vod-sr source='' result='' instance='' account='' aws=(aws)
while [ $# -gt 1 ]; do
    case $1 in
    --source) source=$2 ;;
    --result) result=$2 ;;
    --instance-id) instance=$2 ;;
    --account) account=$2 ;;
    --endpoint-url) aws+=(--endpoint-url "$2") ;;
    --name) name=$2 ;;
    *) break ;;
    esac
    shift 2
done
if [ $# -ne 0 ] || [ -z "$source" ] || [ -z "$result" ] || [ -z "$instance" ] || [ -z "$account" ]; then
    sed -n 's/^# //; 3,4p' "$0" >&2
    exit 2
fi
if [ "$source" = "$result" ]; then
    echo "install.sh: the results need a bucket of their own, or each of them would start the pipeline again" >&2
    exit 2
fi
role=arn:aws:iam::$account:role

make_bucket() {
    "${aws[@]}" s3api head-bucket --bucket "$1" 2>/dev/null || "${aws[@]}" s3 mb "s3://$1" >/dev/null
}
# make_role KIND: NAME-KIND, which KIND.amazonaws.com may take on
make_role() {
    local trust made
    trust='{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "'$1'.amazonaws.com"},
        "Action": "sts:AssumeRole"}]}'
    if ! made=$("${aws[@]}" iam create-role --role-name "$name-$1" --assume-role-policy-document "$trust" 2>&1); then
        case $made in *EntityAlreadyExists*) ;; *) printf '%s\n' "$made" >&2; return 1 ;; esac
    fi
    "${aws[@]}" iam put-role-policy --role-name "$name-$1" --policy-name pipeline --policy-document \
        "$(sed "s/ACCOUNT/$account/; s/INSTANCE/$instance/; s/RESULT/$result/; s/NAME/$name/" "$here/iam/$1.json")"
}
pids=()
for kind in states events mediaconvert; do
    make_role "$kind" &
    pids+=($!)
done
make_bucket "$source"
make_bucket "$result"
for pid in "${pids[@]}"; do
    wait "$pid"
done
"${aws[@]}" s3api put-bucket-notification-configuration --bucket "$source" \
    --notification-configuration '{"EventBridgeConfiguration": {}}'

machine=$("${aws[@]}" stepfunctions list-state-machines --output text \
    --query "stateMachines[?name=='$name'].stateMachineArn | [0]")
if [ "$machine" = None ]; then
    machine=$("${aws[@]}" stepfunctions create-state-machine --name "$name" --role-arn "$role/$name-states" \
        --definition "file://$here/vod-sr.asl.json" --query stateMachineArn --output text)
else
    "${aws[@]}" stepfunctions update-state-machine --state-machine-arn "$machine" \
        --definition "file://$here/vod-sr.asl.json" >/dev/null
fi

"${aws[@]}" events put-rule --name "$name" --event-pattern '{
    "source": ["aws.s3"], "detail-type": ["Object Created"],
    "detail": {"bucket": {"name": ["'"$source"'"]}}}' >/dev/null
failed=$("${aws[@]}" events put-targets --rule "$name" --query FailedEntryCount --output text --targets '[{
    "Id": "states", "Arn": "'"$machine"'", "RoleArn": "'"$role/$name-events"'",
    "InputTransformer": {
        "InputPathsMap": {"bucket": "$.detail.bucket.name", "key": "$.detail.object.key"},
        "InputTemplate": "{\"srcBucket\": <bucket>, \"srcKey\": <key>, \"dstBucket\": \"'"$result"'\", \"instanceId\": \"'"$instance"'\", \"mediaConvertRole\": \"'"$role/$name-mediaconvert"'\"}"
    }}]')
[ "$failed" = 0 ] || { echo "install.sh: EventBridge did not take the target" >&2; exit 1; }
echo "$machine"
