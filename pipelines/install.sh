#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# usage: install.sh --source BUCKET --result BUCKET --account ACCOUNT {--instance-id ID ... | --nodes tag:KEY=VALUE}
#                   [--trigger rule|lambda] [--keep-upscaled] [--notify ARN] [--endpoint-url URL] [--name NAME]
# Sets the pipeline up with the AWS CLI: both buckets, the state machine of vod-sr.asl.json, what starts it for every
# object made in the source bucket (an EventBridge rule, or a notification of the bucket to the function of trigger/), and
# the roles NAME-states, NAME-events, NAME-mediaconvert and NAME-trigger under which these act, allowed what iam/*.json
# says and no more. An upload goes to the node with the fewest open commands, of those named by id (the option may be
# given several times) or of those that have a tag. The upscaled film is removed once the stream is made, but for
# --keep-upscaled. --notify: a target of EventBridge (a log group's or function's ARN) that hears of every end of the
# pipeline. May be run again: what is there is kept or brought up to date; another --trigger takes the other's place. The
# source bucket's notifications are replaced. The nodes need a role of their own that may read the source and write the
# result.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

usage() { sed -n 's/^# //; 3,4p' "$0" >&2; exit 2; }
fail() { printf 'install.sh: %s\n' "$1" >&2; exit "${2:-1}"; }

name=spyhop-vod-sr source='' result='' account='' trigger=rule keep=false notify='' tag='' instances=() aws=(aws)
while [ $# -gt 0 ]; do
    if [ "$1" = --keep-upscaled ]; then
        keep=true
        shift
        continue
    fi
    [ $# -gt 1 ] || usage
    case $1 in
    --source) source=$2 ;;
    --result) result=$2 ;;
    --instance-id) instances+=("$2") ;;
    --nodes) tag=$2 ;;
    --account) account=$2 ;;
    --trigger) trigger=$2 ;;
    --notify) notify=$2 ;;
    --endpoint-url) aws+=(--endpoint-url "$2") ;;
    --name) name=$2 ;;
    *) usage ;;
    esac
    shift 2
done
[ -n "$source" ] && [ -n "$result" ] && [ -n "$account" ] || usage
case $trigger in rule | lambda) ;; *) usage ;; esac
[ "$source" != "$result" ] ||
    fail "the results need a bucket of their own, or each of them would start the pipeline again" 2
role=arn:aws:iam::$account:role

# nodes: the filter of DescribeInstanceInformation; node_arns: whom the machine may send commands, as members of a list
node_arns=''
case $tag,${#instances[@]} in
tag:?*=?*,0)
    nodes='[{"Key": "'${tag%%=*}'", "Values": ["'${tag#*=}'"]}]'
    instances=('*')
    ;;
,0 | ?*) [ -z "$tag" ] && [ ${#instances[@]} -gt 0 ] || usage ;;
esac
for instance in "${instances[@]}"; do
    node_arns+="${node_arns:+, }\"arn:aws:ec2:*:$account:instance/$instance\", "
    node_arns+="\"arn:aws:ssm:*:$account:managed-instance/$instance\""
done
if [ -z "$tag" ]; then
    printf -v nodes '"%s", ' "${instances[@]}"
    nodes='[{"Key": "InstanceIds", "Values": ['${nodes%, }']}]'
fi
# what is the same for every upload
job='"dstBucket": "'$result'", "nodes": '$nodes', "mediaConvertRole": "'$role/$name-mediaconvert'", "keepUpscaled": '$keep

make_bucket() {
    "${aws[@]}" s3api head-bucket --bucket "$1" 2>/dev/null || "${aws[@]}" s3 mb "s3://$1" >/dev/null
}
# may_exist ERROR COMMAND...: runs it; that the thing is there already is no failure
may_exist() {
    local error=$1 said
    shift
    said=$("$@" 2>&1) || case $said in *"($error)"*) ;; *) printf '%s\n' "$said" >&2; return 1 ;; esac
}
policy_of() {
    local text
    text=$(<"$here/iam/$1.json")
    text=${text//NODES/"$node_arns"}
    text=${text//RESULT/"$result"}
    text=${text//NAME/"$name"}
    printf %s "${text//ACCOUNT/"$account"}"
}
# make_role KIND SERVICE: NAME-KIND, which SERVICE.amazonaws.com may take on
make_role() {
    may_exist EntityAlreadyExists "${aws[@]}" iam create-role --role-name "$name-$1" --assume-role-policy-document \
        '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
          "Principal": {"Service": "'"$2"'.amazonaws.com"}}]}'
    "${aws[@]}" iam put-role-policy --role-name "$name-$1" --policy-name pipeline --policy-document "$(policy_of "$1")"
}
make_machine() {
    machine=$("${aws[@]}" stepfunctions list-state-machines --output text \
        --query "stateMachines[?name=='$name'].stateMachineArn | [0]")
    if [ "${machine%%$'\n'*}" = None ]; then
        machine=$("${aws[@]}" stepfunctions create-state-machine --name "$name" --role-arn "$role/$name-states" \
            --definition "file://$here/vod-sr.asl.json" --query stateMachineArn --output text)
    else
        "${aws[@]}" stepfunctions update-state-machine --state-machine-arn "$machine" \
            --definition "file://$here/vod-sr.asl.json" >/dev/null
    fi
}
put_target() { # RULE TARGETS
    local failed
    failed=$("${aws[@]}" events put-targets --rule "$1" --query FailedEntryCount --output text --targets "$2")
    [ "$failed" = 0 ] || fail "EventBridge did not take the target of the rule $1"
}
notify_bucket() {
    "${aws[@]}" s3api put-bucket-notification-configuration --bucket "$source" --notification-configuration "$1"
}

start_by_rule() {
    notify_bucket '{"EventBridgeConfiguration": {}}'
    "${aws[@]}" events put-rule --name "$name" --event-pattern '{
        "source": ["aws.s3"], "detail-type": ["Object Created"],
        "detail": {"bucket": {"name": ["'"$source"'"]}}}' >/dev/null
    local template='{"srcBucket": <bucket>, "srcKey": <key>, "etag": <etag>, "uploadId": <upload>, '$job'}'
    put_target "$name" '[{
        "Id": "states", "Arn": "'"$machine"'", "RoleArn": "'"$role/$name-events"'",
        "InputTransformer": {
            "InputPathsMap": {"bucket": "$.detail.bucket.name", "key": "$.detail.object.key",
                              "etag": "$.detail.object.etag", "upload": "$.detail.object.sequencer"},
            "InputTemplate": "'"${template//\"/\\\"}"'"
        }}]'
}

make_function() {
    local variables='{"Variables": {"STATE_MACHINE": "'$machine'", "JOB": "{'${job//\"/\\\"}'}"}}' function=$name-trigger
    zip=$(mktemp -d) # not local: the trap needs it when the function has ended
    trap 'rm -rf -- "$zip"' EXIT
    if command -v zip >/dev/null; then
        zip -jqX "$zip/code.zip" "$here/trigger/index.mjs"
    else
        (cd "$here/trigger" && python3 -m zipfile -c "$zip/code.zip" index.mjs)
    fi
    if "${aws[@]}" lambda get-function-configuration --function-name "$function" >/dev/null 2>&1; then
        "${aws[@]}" lambda update-function-code --function-name "$function" --zip-file "fileb://$zip/code.zip" >/dev/null
        "${aws[@]}" lambda wait function-updated --function-name "$function"
        "${aws[@]}" lambda update-function-configuration --function-name "$function" --environment "$variables" >/dev/null
        "${aws[@]}" lambda wait function-updated --function-name "$function"
    else
        "${aws[@]}" lambda create-function --function-name "$function" --runtime nodejs22.x --handler index.handler \
            --role "$role/$name-trigger" --timeout 60 --zip-file "fileb://$zip/code.zip" --environment "$variables" >/dev/null
        "${aws[@]}" lambda wait function-active-v2 --function-name "$function"
    fi
}
start_by_lambda() {
    make_function
    may_exist ResourceConflictException "${aws[@]}" lambda add-permission --function-name "$name-trigger" \
        --statement-id "source-$source" --action lambda:InvokeFunction --principal s3.amazonaws.com \
        --source-arn "arn:aws:s3:::$source" --source-account "$account"
    notify_bucket '{"LambdaFunctionConfigurations": [{"Id": "'"$name"'", "Events": ["s3:ObjectCreated:*"],
        "LambdaFunctionArn": "'"$("${aws[@]}" lambda get-function-configuration --function-name "$name-trigger" \
        --query FunctionArn --output text)"'"}]}'
}

# Who is to be told hears of every end, and of one that left no report too.
tell_of_the_end() {
    "${aws[@]}" events put-rule --name "$name-ends" --event-pattern '{
        "source": ["aws.states"], "detail-type": ["Step Functions Execution Status Change"],
        "detail": {"stateMachineArn": ["'"$machine"'"], "status": [{"anything-but": "RUNNING"}]}}' >/dev/null
    put_target "$name-ends" '[{"Id": "told", "Arn": "'"$notify"'"}]'
}

pids=()
make_role states states & pids+=($!)
make_role mediaconvert mediaconvert & pids+=($!)
case $trigger in
rule) make_role events events & pids+=($!) ;;
lambda) make_role trigger lambda & pids+=($!) ;;
esac
make_bucket "$source" & pids+=($!)
make_bucket "$result" & pids+=($!)
for pid in "${pids[@]}"; do
    wait "$pid"
done
make_machine
"start_by_$trigger"
[ -z "$notify" ] || tell_of_the_end
echo "$machine"
