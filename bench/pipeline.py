#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""usage: bench/pipeline.py [--runs N] [--uploads N] [--clip FILE] [--folder DIR] [--only start,overhead]

What the pipeline of pipelines/ costs beside the work that it has done.

    start     from the moment a small put is sent, over a kept connection, to the start that stands in its execution, by a rule of
              EventBridge and by the function of trigger/ (warm). Bar: 50 ms and two fdatasyncs of 4 KiB, whose median is taken in the
              same folder before and after
    overhead  from the 200 of the upload to the playlist, less the same work by hand right after it: run-sr.sh with its two `aws`
              processes, and `spyhop transcode` of the execution's job on local files. Bar: 1 s

Medians are printed, and how far the rounds lie apart. The data folder is made in --folder (default: this checkout's build), which must be
on a real disk. Wants `script/build`, boto3 (Debian's), the AWS CLI and, for the function, Node.js with script/sdk;
SPYHOP_PROGRAM names another program. Exits 1 where a bar is missed."""
import argparse
import datetime
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "blackbox"))
from server import ACCESS_KEY, SECRET_KEY, Server  # noqa: E402

PROGRAM = os.environ.get("SPYHOP_PROGRAM", str(ROOT / "build/spyhop"))
SOURCE, RESULT = "films", "streams"
START_BAR_MS, OVERHEAD_BAR_S = 50, 1
LIMIT_SECONDS = 600
PASSES = json.dumps({"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}})
missed = []


def verdict(what, value, bar, unit):
    good = value <= bar
    if not good:
        missed.append(what)
    return f"bar {bar:.1f} {unit}" + ("" if good else "   <- missed")


def spread(values):
    return f"{min(values):.1f} to {max(values):.1f}"


def fdatasync_ms(folder):
    """Median of fdatasyncs of 4 KiB there."""
    times = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(50):
            os.pwrite(file.fileno(), os.urandom(4096), 0)
            begun = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append((time.perf_counter() - begun) * 1000)
    return statistics.median(times)


def install(server, trigger, name):
    done = subprocess.run([ROOT / "pipelines/install.sh", "--endpoint-url", server.endpoint, "--source", SOURCE, "--result", RESULT,
                           "--instance-id", server.instance_id, "--account", server.account, "--name", name, "--trigger", trigger,
                           "--keep-upscaled"], capture_output=True, text=True, env=server.env, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return done.stdout.strip()


def wait_for(look, what):
    end = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.01)
    raise SystemExit(f"{what}: not in {LIMIT_SECONDS} s")


def seconds(moment):
    return moment.timestamp() if isinstance(moment, datetime.datetime) else moment


# ---- start ----

def started_ms(server, machine, uploads):
    """From each put to its execution, one after the other."""
    s3, sfn = server.client("s3"), server.client("stepfunctions")
    times = []
    for i in range(uploads + 5):  # the first ones warm up
        known = i
        begun = time.time()
        s3.put_object(Bucket=SOURCE, Key=f"start/{i}", Body=b"x")
        found = wait_for(lambda: len(all_of(sfn, machine)) > known and all_of(sfn, machine), "an execution")
        times.append((max(seconds(one["startDate"]) for one in found) - begun) * 1000)
    return times[5:]


def all_of(sfn, machine):
    return sfn.list_executions(stateMachineArn=machine, maxResults=1000)["executions"]


def measure_start(folder, uploads):
    for trigger in ["rule"] + ["lambda"] * bool(shutil.which("node")):
        with Server(data=tempfile.mkdtemp(dir=folder)) as server:
            sync = fdatasync_ms(server.data)
            machine = install(server, trigger, "bench")
            server.client("stepfunctions").update_state_machine(stateMachineArn=machine, definition=PASSES)
            times = started_ms(server, machine, uploads)
            sync = (sync + fdatasync_ms(server.data)) / 2
            shutil.rmtree(server.data, ignore_errors=True)
        median = statistics.median(times)
        print(f"start by {trigger:7} {median:7.1f} ms   ({spread(times)}; fdatasync {sync:.2f} ms)   "
              + verdict("start by " + trigger, median, START_BAR_MS + 2 * sync, "ms"))


# ---- overhead ----

def by_hand(server, words):
    """Seconds of run-sr.sh outside of the pipeline, with the two `aws` processes that it has there too."""
    environment = dict(server.env, AWS_ENDPOINT_URL=server.endpoint, AWS_ACCESS_KEY_ID=ACCESS_KEY, AWS_SECRET_ACCESS_KEY=SECRET_KEY,
                       ONNX_DIR=str(ROOT / "models"),
                       PATH=os.path.dirname(PROGRAM) + ":" + server.env["PATH"])
    begun = time.monotonic()
    subprocess.run([ROOT / "pipelines/run-sr.sh", *(urllib.parse.quote(word, safe="") for word in words)], check=True,
                   env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.monotonic() - begun


def job_by_hand(server, job, folder):
    """Seconds of the same job on local files, by `spyhop transcode`."""
    settings = server.client("mediaconvert").get_job(Id=job)["Job"]["Settings"]
    place = settings["Inputs"][0]["FileInput"].split("/", 3)
    film, request = os.path.join(folder, "upscaled.mp4"), os.path.join(folder, "job.json")
    server.client("s3").download_file(place[2], place[3], film)
    pathlib.Path(request).write_text(json.dumps(settings))
    begun = time.monotonic()
    subprocess.run([PROGRAM, "transcode", request, "--in", film, "--out", os.path.join(folder, "made"), "--quiet"], check=True)
    return time.monotonic() - begun


def listed(s3, prefix):
    return [one["Key"] for one in s3.list_objects_v2(Bucket=RESULT, Prefix=prefix).get("Contents", [])]


def overhead(server, machine, clip, number):
    """Seconds of the pipeline, and of the same work by hand."""
    s3, sfn = server.client("s3"), server.client("stepfunctions")
    key = f"film{number}.mp4"
    s3.put_object(Bucket=SOURCE, Key=key, Body=clip)
    begun = time.monotonic()
    wait_for(lambda: [one for one in listed(s3, key + "/") if one.endswith("/hls/index.m3u8")], "a playlist")
    took = time.monotonic() - begun
    execution = max(all_of(sfn, machine), key=lambda one: one["startDate"])["executionArn"]
    ended = wait_for(lambda: (lambda seen: seen["status"] != "RUNNING" and seen)(sfn.describe_execution(executionArn=execution)),
                     "an end")
    sent, made = json.loads(ended["input"]), json.loads(ended["output"])
    words = [SOURCE, key, sent["etag"], RESULT, f"{key}/byhand"]
    with tempfile.TemporaryDirectory(dir=os.path.dirname(server.data)) as folder:
        return took, by_hand(server, words), job_by_hand(server, made["Stream"]["Job"], folder)


def measure_overhead(folder, runs, clip):
    with Server(data=tempfile.mkdtemp(dir=folder)) as server:
        machine = install(server, "rule", "bench")
        rounds = [overhead(server, machine, clip, i) for i in range(runs + 1)][1:]
        shutil.rmtree(server.data, ignore_errors=True)
    costs = [took - script - job for took, script, job in rounds]
    for name, values in zip(("pipeline", "run-sr.sh", "the job"), zip(*rounds)):
        print(f"{name:16} {statistics.median(values):7.2f} s    ({spread(values)})")
    median = statistics.median(costs)
    print(f"{'overhead':16} {median:7.2f} s    ({min(costs):.2f} to {max(costs):.2f})   " + verdict("overhead", median, OVERHEAD_BAR_S, "s"))


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("\n\n")[0][len("usage: "):])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--uploads", type=int, default=50)
    parser.add_argument("--clip", default=str(ROOT / "samples/sample.mp4"))
    parser.add_argument("--folder", default=str(ROOT / "build"))
    parser.add_argument("--only", default="start,overhead")
    options = parser.parse_args()
    if "start" in options.only.split(","):
        measure_start(options.folder, options.uploads)
    if "overhead" in options.only.split(","):
        measure_overhead(options.folder, options.runs, pathlib.Path(options.clip).read_bytes())
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
