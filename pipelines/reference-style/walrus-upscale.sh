ffmpeg -hide_banner -y -i original_input.mp4 -vf bdwalrus_aws -c:v libx264 output.mp4
