export ONNX_DIR=/usr/local/bluedot/models/
export PATH=/usr/local/bluedot:$PATH
export AWS_ACCESS_KEY_ID=your_access_key_id
export AWS_SECRET_ACCESS_KEY=your_secret_access_key
export AWS_DEFAULT_REGION=ap-northeast-2

FROM=s3://bluewhale-ami-sample/original_640x480_10s.mp4
TO=s3://bluewhale-ami-sample-sr/sr_1280x960_10s.mp4

cd /root
aws s3 cp $FROM ./before.mp4
ffmpeg -y -i before.mp4 -vf bdsr_coupang_aws -c:v h264_nvenc -cq 13 -c:a copy after.mp4
aws s3 cp ./after.mp4 $TO
