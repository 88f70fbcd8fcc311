aws s3 cp s3://<s3-input-bucket-name>/original_input.mp4 ./
download: s3://<s3-input-bucket-name>/original_input.mp4 to ./original_input.mp4
