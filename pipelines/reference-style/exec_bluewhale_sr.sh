#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# usage: exec_bluewhale_sr.sh FROM_BUCKET FROM_NAME TO_BUCKET TO_NAME
[ $# -eq 4 ] || exit 255
export AWS_ACCESS_KEY_ID=YOUR_ACCESS_KEY_ID
export AWS_SECRET_ACCESS_KEY=YOUR_SECRET_ACCESS_KEY
export AWS_DEFAULT_REGION=YOUR_REGION
export ONNX_DIR=/usr/local/bluedot/models/
export PATH=/usr/local/bluedot:$PATH

cd /root || exit
aws s3 cp s3://$1/$2 ./$2
ffmpeg -y -i $2 -vf bdsr_aws=scale=2 -c:v h264_nvenc -cq 13 $4
aws s3 cp ./$4 s3://$3/$4
