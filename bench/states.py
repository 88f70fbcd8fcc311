#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""usage: bench/states.py [--runs N] [--executions N] [--states N] [--folder DIR] [--only transitions,latency,waiting] [--no-peer]

How fast and how cheap state machines are, answered only when on disk:

    transitions  named executions of a machine of 200 Pass states, 1,000 side by side, started over 32 connections: states a
                 second, from the first start to the last end. moto's server, configured to execute, does the same in the
                 same run with fewer executions (--peer-executions): its rate does not depend on how many there are.
                 Bar: 20 times moto.
    latency      a machine of ten Pass states, one after the other: from the call of StartExecution to the answer of
                 DescribeExecution that says SUCCEEDED, median. Bar: 10 ms and two fdatasyncs of 4 KiB, whose median is
                 taken in the same folder before and after.
    waiting      10,000 executions that wait for an hour: what they add to resident memory, and processor time of ten
                 seconds. Bars: 100 MB, and no processor time worth the name (1 %).

The data folder is made in --folder (default: this checkout's build), which must be on a real disk. Rounds take turns; medians
are printed, and how far the rounds lie apart. moto is looked for in the interpreter that runs this and in python3
(--peer-python names another). Wants `script/build`; SPYHOP_PROGRAM names another program. Exits 1 where a bar is missed."""
import argparse
import concurrent.futures
import datetime
import hashlib
import hmac
import http.client
import json
import multiprocessing
import os
import pathlib
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
PROGRAM = os.environ.get("SPYHOP_PROGRAM", str(ROOT / "build/spyhop"))
KEY, SECRET = "AKIDBENCH", "bench/secret"
ACCOUNT = 100000000000  # and the following ones: the peer has one for each machine
CLIENTS, CONNECTIONS = 4, 8  # processes, and connections of each
RATIO_BAR, LATENCY_BAR_MS, MEMORY_BAR_MB, IDLE_BAR = 20, 10, 100, 0.01
READY_SECONDS, LIMIT_SECONDS = 60, 3600


# ---- a client that costs little: one connection, one signature ----

def sign(secret, text):
    return hmac.new(secret, text.encode(), hashlib.sha256).digest()


class Client:
    """of_peer: moto's server cuts connections at times; there each call has its own, and is tried again."""

    def __init__(self, host, of_peer=False):
        self.host = host
        self.of_peer = of_peer
        self.connection = http.client.HTTPConnection(host, timeout=LIMIT_SECONDS)
        self.day = self.secret = None

    def headers(self, target, body):
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        if now[:8] != self.day:
            self.day, self.secret = now[:8], ("AWS4" + SECRET).encode()
            for part in (self.day, "us-east-1", "states", "aws4_request"):
                self.secret = sign(self.secret, part)
        scope = f"{self.day}/us-east-1/states/aws4_request"
        request = (f"POST\n/\n\nhost:{self.host}\nx-amz-date:{now}\nx-amz-target:{target}\n\nhost;x-amz-date;x-amz-target\n"
                   + hashlib.sha256(body).hexdigest())
        text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n" + hashlib.sha256(request.encode()).hexdigest()
        return {"Host": self.host, "X-Amz-Date": now, "X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.0",
                "Authorization": f"AWS4-HMAC-SHA256 Credential={KEY}/{scope}, SignedHeaders=host;x-amz-date;x-amz-target, "
                                 f"Signature={sign(self.secret, text).hex()}"}

    def call(self, action, **parameters):
        body = json.dumps(parameters).encode()
        headers = self.headers("AWSStepFunctions." + action, body)
        arn = parameters.get("stateMachineArn") or parameters.get("roleArn")
        if self.of_peer and arn:
            headers["X-Moto-Account-Id"] = arn.split(":")[4]
        for left in range(20 if self.of_peer else 0, -1, -1):
            try:
                self.connection.request("POST", "/", body, headers)
                answer = self.connection.getresponse()
                text = answer.read()
                break
            except (ConnectionError, http.client.HTTPException):
                if not left:
                    raise
            finally:
                if self.of_peer:
                    self.connection.close()
        if answer.status != 200:
            raise SystemExit(f"{action}: {answer.status} {text.decode(errors='replace')[:500]}")
        return json.loads(text)


def start_some(clients, executions, gate):
    """What one process starts, over all of its connections at once."""
    def start(client, some):
        for arn, name in some:
            client.call("StartExecution", stateMachineArn=arn, name=name, input="{}")

    for client in clients:
        client.call("ListStateMachines")
    gate.wait()
    with concurrent.futures.ThreadPoolExecutor(len(clients)) as pool:
        for done in [pool.submit(start, client, executions[i::len(clients)]) for i, client in enumerate(clients)]:
            done.result()


def start_all(server, executions):
    """Starts executions (machine, name) from several clients at once; the moment of the first start."""
    gate = multiprocessing.Barrier(CLIENTS + 1)
    clients = [multiprocessing.Process(target=start_some, args=([server.client() for _ in range(CONNECTIONS)],
                                                                executions[i::CLIENTS], gate)) for i in range(CLIENTS)]
    for client in clients:
        client.start()
    gate.wait()
    begun = time.monotonic()
    for client in clients:
        client.join()
        if client.exitcode:
            raise SystemExit("a client failed")
    return begun


# ---- servers ----

class Spyhop:
    machine_each = False

    def __init__(self, folder):
        self.folder = tempfile.mkdtemp(prefix="states-bench-", dir=folder)
        with open(self.folder + "/log", "wb") as log:
            self.process = subprocess.Popen([PROGRAM, "serve", "--data", self.folder + "/data", "--listen", "127.0.0.1:0"],
                                            stdout=subprocess.PIPE, stderr=log, text=True,
                                            env=dict(os.environ, SPYHOP_ACCESS_KEY_ID=KEY, SPYHOP_SECRET_ACCESS_KEY=SECRET))
        line = self.process.stdout.readline().strip()
        if not line.startswith("listening on http://"):
            raise SystemExit("the server did not start:\n" + pathlib.Path(self.folder, "log").read_text(errors="replace"))
        self.host = line.rsplit("/", 1)[1]

    def client(self):
        return Client(self.host)

    def stop(self):
        self.process.terminate()
        code = self.process.wait()
        shutil.rmtree(self.folder)
        if code:
            raise SystemExit(f"the server ended with exit code {code}")


class Moto:
    machine_each = True  # moto 5.2 starts one execution in each account, no second one

    def __init__(self, python):
        self.host = "127.0.0.1:%d" % free_port()
        self.process = subprocess.Popen([python, "-c", "from moto.server import main; main()", "-H", "127.0.0.1", "-p",
                                         self.host.split(":")[1]], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + READY_SECONDS
        while not self.configure():
            if time.monotonic() > until or self.process.poll() is not None:
                raise SystemExit("moto's server did not start")
            time.sleep(0.2)

    def configure(self):
        try:
            connection = http.client.HTTPConnection(self.host, timeout=10)
            connection.request("POST", "/moto-api/config", json.dumps({"stepfunctions": {"execute_state_machine": True}}))
            return connection.getresponse().status in (200, 201)
        except OSError:
            return False

    def client(self):
        return Client(self.host, of_peer=True)

    def stop(self):
        self.process.kill()
        self.process.wait()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def find_moto(named):
    for python in [named] if named else [sys.executable, "python3"]:
        found = subprocess.run([python, "-c", "import moto.server, importlib.metadata as m; print(m.version('moto'))"],
                               capture_output=True, text=True, check=False)
        if found.returncode == 0:
            return python, found.stdout.strip()
    return None, None


# ---- machines ----

def passes(count):
    states = {f"S{i}": {"Type": "Pass", "Next": f"S{i + 1}"} for i in range(1, count)}
    states[f"S{count}"] = {"Type": "Pass", "End": True}
    return json.dumps({"StartAt": "S1", "States": states})


def create(client, name, definition, number=0):
    role = f"arn:aws:iam::{ACCOUNT + number}:role/bench"
    return client.call("CreateStateMachine", name=name, definition=definition, roleArn=role)["stateMachineArn"]


def running(client, arn):
    return client.call("ListExecutions", stateMachineArn=arn, statusFilter="RUNNING", maxResults=1)["executions"]


def count_succeeded(client, arn):
    count, token = 0, {}
    while True:
        page = client.call("ListExecutions", stateMachineArn=arn, statusFilter="SUCCEEDED", maxResults=1000, **token)
        count += len(page["executions"])
        if not page.get("nextToken"):
            return count
        token = {"nextToken": page["nextToken"]}


# ---- measures ----

def transitions(server, executions, states):
    """States a second, starts a second while the others run, and the server's processor time of a state in microseconds."""
    client = server.client()
    count = executions if server.machine_each else 1
    machines = [create(client, f"passes-{i}", passes(states), i) for i in range(count)]
    used = cpu_seconds(server.process.pid)
    begun = start_all(server, [(machines[i % count], f"execution-{i}") for i in range(executions)])
    started = time.monotonic()
    for machine in machines:
        while running(client, machine):
            time.sleep(0.01)
    ended = time.monotonic()
    used = (cpu_seconds(server.process.pid) - used) / (executions * states)
    if sum(count_succeeded(client, machine) for machine in machines) != executions:
        raise SystemExit("not every execution succeeded")
    return {"rate": executions * states / (ended - begun), "starts": executions / (started - begun), "cpu": 1e6 * used}


def synced(folder, times=100):
    """Median of fdatasync after 4 KiB more, in milliseconds."""
    taken = []
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        for _ in range(times):
            os.write(file.fileno(), b"x" * 4096)
            begun = time.perf_counter()
            os.fdatasync(file.fileno())
            taken.append(1000 * (time.perf_counter() - begun))
    return statistics.median(taken)


def latency(server, times):
    """Start to end in milliseconds, as the client sees it and as the server's dates tell it."""
    client = server.client()
    arn = create(client, "ten", passes(10))
    seen, told = [], []
    for i in range(times):
        begun = time.perf_counter()
        execution = client.call("StartExecution", stateMachineArn=arn, name=f"one-{i}", input="{}")["executionArn"]
        while True:
            answer = client.call("DescribeExecution", executionArn=execution)
            if answer["status"] != "RUNNING":
                break
        seen.append(1000 * (time.perf_counter() - begun))
        told.append(1000 * (answer["stopDate"] - answer["startDate"]))
        if answer["status"] != "SUCCEEDED":
            raise SystemExit(f"an execution ended as {answer['status']}")
    return statistics.median(seen), statistics.median(told)


def memory_mb(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        for line in file:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1000
    raise SystemExit("the server is gone")


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def waiting(server, executions, seconds):
    client = server.client()
    pid = server.process.pid
    arn = create(client, "wait", json.dumps({"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 3600, "End": True}}}))
    before = memory_mb(pid)
    start_all(server, [(arn, f"wait-{i}") for i in range(executions)])
    while len(client.call("GetExecutionHistory", executionArn=arn.replace(":stateMachine:", ":execution:")
                          + f":wait-{executions - 1}")["events"]) < 2:
        time.sleep(0.1)
    time.sleep(1)
    used, memory = cpu_seconds(pid), memory_mb(pid)
    time.sleep(seconds)
    return memory - before, memory_mb(pid), (cpu_seconds(pid) - used) / seconds


# ---- the report ----

def spread(values):
    return f"{min(values):,.0f} to {max(values):,.0f}"


def verdict(name, holds, text):
    print(f"{name:22} {text}: {'holds' if holds else 'MISSED'}")
    return holds


def with_server(make, measure, *arguments):
    server = make()
    try:
        return measure(server, *arguments)
    finally:
        server.stop()


def report_transitions(options, folder):
    rounds, theirs = [], []
    python, version = (None, None) if options.no_peer else find_moto(options.peer_python)
    for _ in range(options.runs):
        rounds.append(with_server(lambda: Spyhop(folder), transitions, options.executions, options.states))
        if python:
            theirs.append(with_server(lambda: Moto(python), transitions, options.peer_executions, options.states)["rate"])
    rate, starts, cpu = (statistics.median(r[name] for r in rounds) for name in ("rate", "starts", "cpu"))
    print(f"{'spyhop':22} {rate:,.0f} states/s ({spread([r['rate'] for r in rounds])}), {options.executions} executions of "
          f"{options.states} states; {starts:,.0f} starts/s, {cpu:.1f} us of processor time a state")
    if not python:
        print(f"{'moto':22} absent: not measured" if not options.no_peer else "moto not asked for")
        return True
    peer = statistics.median(theirs)
    print(f"{'moto ' + version:22} {peer:,.0f} states/s ({spread(theirs)}), {options.peer_executions} executions")
    return verdict("transitions", rate >= RATIO_BAR * peer, f"{rate / peer:,.1f} times moto (bar {RATIO_BAR})")


def report_latency(options, folder):
    rounds = []
    for _ in range(options.runs):
        before = synced(folder)
        seen, told = with_server(lambda: Spyhop(folder), latency, options.times)
        rounds.append((seen, told, (before + synced(folder)) / 2))
    seen, told, disk = (statistics.median(r[i] for r in rounds) for i in range(3))
    bar = LATENCY_BAR_MS + 2 * disk
    return verdict("start to end", seen <= bar, f"{seen:.2f} ms at the median of ten states ({told:.0f} ms by its dates), fdatasync "
                   f"{disk:.2f} ms (bar {bar:.2f} ms)")


def report_waiting(options, folder):
    grown, memory, share = with_server(lambda: Spyhop(folder), waiting, options.waiting, 10)
    held = verdict("waiting: memory", grown < MEMORY_BAR_MB, f"{grown:.1f} MB more for {options.waiting} executions, {memory:.1f} MB "
                   f"in all (bar {MEMORY_BAR_MB} MB)")
    return verdict("waiting: processor", share <= IDLE_BAR, f"{share:.2%} of one (bar {IDLE_BAR:.0%})") and held


def disk_of(folder):
    """What the folder lies on; a file system in memory is refused."""
    best = ("", "", "")
    with open("/proc/mounts", encoding="utf-8") as file:
        for line in file:
            device, point, kind = line.split()[:3]
            if (os.path.realpath(folder) + "/").startswith(point.rstrip("/") + "/") and len(point) >= len(best[1]):
                best = (device, point, kind)
    if best[2] in ("tmpfs", "ramfs"):
        raise SystemExit(f"{folder} is in memory ({best[2]}): name a folder on a disk (--folder)")
    return f"{best[2]} on {best[0]}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--executions", type=int, default=1000)
    parser.add_argument("--states", type=int, default=200)
    parser.add_argument("--peer-executions", type=int, default=10)
    parser.add_argument("--peer-python")
    parser.add_argument("--no-peer", action="store_true")
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--waiting", type=int, default=10000)
    parser.add_argument("--only", default="transitions,latency,waiting")
    parser.add_argument("--folder", default=str(ROOT / "build"))
    options = parser.parse_args()
    os.makedirs(options.folder, exist_ok=True)
    print(f"{options.folder}: {disk_of(options.folder)}; {os.cpu_count()} processors, load {os.getloadavg()[0]:.2f}")
    parts = {"transitions": report_transitions, "latency": report_latency, "waiting": report_waiting}
    if not set(options.only.split(",")) <= set(parts):
        parser.error(f"--only takes some of {', '.join(parts)}")
    results = [parts[name](options, options.folder) for name in options.only.split(",")]
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
