#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""usage: bench/lambda.py [--calls N] [--cold N] [--functions N] [--queued N]

How fast functions are invoked; a client that keeps its connection, and whose requests are signed beforehand.

    warm    one function of Node.js that returns its event, called again and again. Bar: 3 ms at the median
    cold    the first call of a function, each time another one: the sandbox, Node.js, the handler. Bar: 400 ms at the median
    sdk     the same with a handler that imports a client of the AWS SDK; no bar
    queued  1,000 events over 100 functions, 32 at once, while synchronous calls beyond that are answered
            TooManyRequestsException. Bar: none is lost, none runs twice
    memory  resident memory of the idle server. Bar: 30 MB

Wants `script/build`, boto3 (Debian's) and Node.js; SPYHOP_PROGRAM names another program. Exits 1 where a bar is missed."""
import argparse
import http.client
import io
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import zipfile

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

ROOT = pathlib.Path(__file__).resolve().parents[1]
PROGRAM = os.environ.get("SPYHOP_PROGRAM", str(ROOT / "build/spyhop"))
KEYS = Credentials("AKIDBENCH", "bench/secret")
WARM_BAR_MS, COLD_BAR_MS, IDLE_BAR_MB, AT_ONCE = 3, 400, 30, 32
TRUST = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]})
ECHO = "export const handler = async (event) => event;\n"
SDK = "import { SFNClient } from '@aws-sdk/client-sfn';\nexport const handler = async () => typeof SFNClient;\n"
MARK = """import { S3Client, PutObjectCommand } from '@aws-sdk/client-s3';
const s3 = new S3Client({ forcePathStyle: true });
export const handler = async (event) => {
  await s3.send(new PutObjectCommand({ Bucket: 'marks', Key: `${event.n}/${Math.random()}`, Body: 'x' }));
};
"""
missed = []


def hold(what, good):
    if not good:
        missed.append(what)
    return "" if good else "   <- bar missed"


class Server:
    def __init__(self, folder):
        env = dict(os.environ, SPYHOP_ACCESS_KEY_ID=KEYS.access_key, SPYHOP_SECRET_ACCESS_KEY=KEYS.secret_key,
                   AWS_ACCESS_KEY_ID=KEYS.access_key, AWS_SECRET_ACCESS_KEY=KEYS.secret_key)
        self.process = subprocess.Popen(
            [PROGRAM, "serve", "--data", folder, "--listen", "127.0.0.1:0", "--functions", str(AT_ONCE), "--no-agent"],
            stdout=subprocess.PIPE, text=True, env=env)
        line = self.process.stdout.readline()
        found = re.match(r"listening on (http://\S+)", line)
        if not found:
            raise SystemExit("the server did not start: %s" % line)
        self.endpoint = found.group(1)

    def client(self, name):
        return boto3.client(name, endpoint_url=self.endpoint, region_name="us-east-1", aws_access_key_id=KEYS.access_key,
                            aws_secret_access_key=KEYS.secret_key)

    def resident_mb(self):
        status = pathlib.Path("/proc/%d/status" % self.process.pid).read_text(encoding="ascii")
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) / 1024

    def stop(self):
        self.process.terminate()
        self.process.wait(30)


def zipped(code):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("index.mjs", code)
    return out.getvalue()


class Caller:
    """One connection; a request is signed once for each function."""

    def __init__(self, endpoint):
        self.host = urllib.parse.urlsplit(endpoint).netloc
        self.connection = http.client.HTTPConnection(self.host)
        self.signed = {}

    def call(self, name, body=b"{}", kind="RequestResponse"):
        key = (name, body, kind)
        path = "/2015-03-31/functions/%s/invocations" % name
        if key not in self.signed:
            request = AWSRequest("POST", "http://%s%s" % (self.host, path), data=body,
                                 headers={"X-Amz-Invocation-Type": kind})
            SigV4Auth(KEYS, "lambda", "us-east-1").add_auth(request)
            self.signed[key] = dict(request.headers)
        self.connection.request("POST", path, body, self.signed[key])
        answer = self.connection.getresponse()
        return answer.status, answer.getheader("X-Amz-Function-Error"), answer.read()


def make(lam, name, code):
    lam.create_function(FunctionName=name, Runtime="nodejs20.x", Handler="index.handler", Timeout=60, MemorySize=512,
                        Role="arn:aws:iam::000000000000:role/bench", Code={"ZipFile": code})


def timed(caller, name):
    begin = time.perf_counter()
    status, error, body = caller.call(name)
    if status != 200 or error:
        raise SystemExit("%s: %d %s" % (name, status, body))
    return (time.perf_counter() - begin) * 1000


def spread(values):
    values = sorted(values)
    return "median %.2f ms, 90%% %.2f ms, most %.2f ms" % (
        statistics.median(values), values[int(len(values) * 0.9)], values[-1])


def bench_warm(lam, caller, calls):
    make(lam, "warm", zipped(ECHO))
    for _ in range(50):
        caller.call("warm")
    times = [timed(caller, "warm") for _ in range(calls)]
    print("warm    %s%s" % (spread(times), hold("warm", statistics.median(times) < WARM_BAR_MS)))


def bench_cold(lam, caller, count, label, code, bar):
    times = []
    for i in range(count):
        make(lam, "%s-%d" % (label, i), zipped(code))
        times.append(timed(caller, "%s-%d" % (label, i)))
    good = bar is None or statistics.median(times) < bar
    print("%-7s %s%s" % (label, spread(times), hold(label, good)))


def flood(endpoint, names, refused, stop):
    caller = Caller(endpoint)
    while not stop.is_set():
        status, _, _ = caller.call(names[0], b'{"n":"sync"}')
        refused.append(status)


def bench_queued(server, lam, functions, queued):
    s3 = server.client("s3")
    s3.create_bucket(Bucket="marks")
    code = zipped(MARK)
    names = ["queued-%d" % i for i in range(functions)]
    for name in names:
        make(lam, name, code)
    caller, answers, stop = Caller(server.endpoint), [], threading.Event()
    begin = time.perf_counter()
    for n in range(queued):
        status, _, body = caller.call(names[n % functions], json.dumps({"n": n}).encode(), "Event")
        if status != 202:
            raise SystemExit("an event was answered %d %s" % (status, body))
    accepted = time.perf_counter() - begin
    threads = [threading.Thread(target=flood, args=(server.endpoint, names, answers, stop)) for _ in range(AT_ONCE + 8)]
    for thread in threads:
        thread.start()
    time.sleep(3)
    stop.set()
    for thread in threads:
        thread.join()
    marks = {}
    while len(marks) < queued and time.perf_counter() - begin < 600:
        marks = {}
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket="marks"):
            for one in page.get("Contents", []):
                n = one["Key"].split("/")[0]
                if n != "sync":
                    marks[int(n)] = marks.get(int(n), 0) + 1
        time.sleep(0.2)
    taken = time.perf_counter() - begin
    twice = sum(count > 1 for count in marks.values())
    print("queued  %d events over %d functions, accepted in %.1f s, run in %.1f s: %d lost, %d ran twice%s" % (
        queued, functions, accepted, taken, queued - len(marks), twice, hold("queued", len(marks) == queued and not twice)))
    print("        synchronous beside them: %d ran, %d refused with 429%s" % (
        answers.count(200), answers.count(429),
        hold("refused", answers.count(429) > 0 and set(answers) <= {200, 429})))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--cold", type=int, default=15)
    parser.add_argument("--functions", type=int, default=100)
    parser.add_argument("--queued", type=int, default=1000)
    o = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = Server(folder + "/data")
        try:
            server.client("iam").create_role(RoleName="bench", AssumeRolePolicyDocument=TRUST)
            for policy in ("service-role/AWSLambdaBasicExecutionRole", "AmazonS3FullAccess"):
                server.client("iam").attach_role_policy(RoleName="bench", PolicyArn="arn:aws:iam::aws:policy/" + policy)
            idle = server.resident_mb()
            print("memory  idle %.1f MB%s" % (idle, hold("memory", idle < IDLE_BAR_MB)))
            lam, caller = server.client("lambda"), Caller(server.endpoint)
            bench_warm(lam, caller, o.calls)
            bench_cold(lam, caller, o.cold, "cold", ECHO, COLD_BAR_MS)
            bench_cold(lam, caller, o.cold, "sdk", SDK, None)
            bench_queued(server, lam, o.functions, o.queued)
            print("memory  after %.1f MB" % server.resident_mb())
        finally:
            server.stop()
    return 1 if missed else 0


sys.exit(main())
