aws s3 cp output.mp4 s3://<s3-upscaled-bucket-name>/output.mp4
upload: ./output.mp4 to s3://<s3-upscaled-bucket-name>/output.mp4
