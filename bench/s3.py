#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""usage: bench/s3.py [--runs N] [--folder DIR] [--only small,big,memory,many] [--no-peer] [--objects N]

How fast the object store is, on a real disk, answered only when on disk; plain HTTP, UNSIGNED-PAYLOAD, a client in C that keeps
its connections (build/bench/s3load):

    small   puts and gets of 4 KiB from 1, 16 and 256 clients, beside moto's server (which keeps objects in memory and syncs
            nothing) in the same run. Bar: 10 times moto. From one client each put waits for the disk by itself: the
            median fdatasync of 4 KiB is printed beside it, and only 16 and 256 clients are held to the bar.
    big     an object of 1 GiB up, beside dd with conv=fsync and one core's MD5: bar half of the slower; and down, beside nginx
            serving the same file: bar 0.8
    memory  resident: idle (bar 30 MB), and the most while 256 clients put and get and a GiB goes up and down (bar 200 MB)
    many    a million objects in a thousand folders: the start (bar 1 s), a page of 1,000 common prefixes and one of 1,000 keys
            (bar 50 ms)

ext4 does not reuse inodes that were freed in the last minutes, and looks at each of them whenever it makes a file: run it where
nobody has removed many files for five minutes (`perf` shows recently_deleted otherwise).

Rounds take turns, medians are printed and how far the rounds lie apart. The data folder is made in --folder (default: this
checkout's build). moto is looked for in the interpreter that runs this and in python3 (--peer-python names another), nginx in
PATH (--nginx names one); what is not there is said. Wants `script/build`; SPYHOP_PROGRAM names another program. Exits 1 where
a bar is missed."""
import argparse
import hashlib
import json
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
PROGRAM = pathlib.Path(os.environ.get("SPYHOP_PROGRAM", str(ROOT / "build/spyhop")))
TOOLS = PROGRAM.parent / "bench"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIDBENCH", "AWS_SECRET_ACCESS_KEY": "bench/secret", "AWS_DEFAULT_REGION": "us-east-1"}
SMALL, BIG = 4096, 1 << 30
RATIO_BAR, UP_BAR, DOWN_BAR, IDLE_BAR_MB, LOAD_BAR_MB, START_BAR, PAGE_BAR_MS = 10, 0.5, 0.8, 30, 200, 1, 50
READY_SECONDS = 60
missed = []
folders_made = []  # removed at the end, see above


def hold(what, good):
    if not good:
        missed.append(what)
    return "" if good else "   <- bar missed"


def load(host, *words):
    done = subprocess.run([TOOLS / "s3load", "--host", host, *map(str, words)], capture_output=True, text=True, check=False,
                          env=dict(os.environ, **KEYS))
    if done.returncode:
        raise SystemExit("s3load %s: %s%s" % (" ".join(map(str, words)), done.stdout, done.stderr))
    return json.loads(done.stdout)


def spread(values):
    return "%.0f %%" % (100 * (max(values) - min(values)) / statistics.median(values))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


# ---- servers ----

class Spyhop:
    def __init__(self, folder, data=None):
        self.folder = tempfile.mkdtemp(prefix="s3-bench-", dir=folder)
        folders_made.append(self.folder)
        self.data = data or self.folder + "/data"
        begun = time.monotonic()
        with open(self.folder + "/log", "wb") as log:
            self.process = subprocess.Popen([PROGRAM, "serve", "--data", self.data, "--listen", "127.0.0.1:0"],
                                            stdout=subprocess.PIPE, stderr=log, text=True,
                                            env=dict(os.environ, SPYHOP_ACCESS_KEY_ID=KEYS["AWS_ACCESS_KEY_ID"],
                                                     SPYHOP_SECRET_ACCESS_KEY=KEYS["AWS_SECRET_ACCESS_KEY"]))
        line = self.process.stdout.readline().strip()
        self.start_seconds = time.monotonic() - begun
        if not line.startswith("listening on http://"):
            raise SystemExit("the server did not start:\n" + pathlib.Path(self.folder, "log").read_text(errors="replace"))
        self.host = line.rsplit("/", 1)[1]

    def resident_mb(self, most=False):
        status = pathlib.Path("/proc/%d/status" % self.process.pid).read_text()
        line = [line for line in status.splitlines() if line.startswith("VmHWM:" if most else "VmRSS:")][0]
        return int(line.split()[1]) / 1024

    def stop(self):
        self.process.terminate()
        code = self.process.wait()
        if code:
            raise SystemExit("the server ended with exit code %d" % code)


class Moto:
    def __init__(self, python, folder):
        self.host = "127.0.0.1:%d" % free_port()
        self.process = subprocess.Popen([python, "-c", "from moto.server import main; main()", "-H", "127.0.0.1", "-p",
                                         self.host.split(":")[1]], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                        cwd=folder)
        wait_for(self.host, self.process, "moto's server")

    def stop(self):
        self.process.kill()
        self.process.wait()


class Nginx:
    def __init__(self, program, folder, root):
        self.folder = tempfile.mkdtemp(prefix="s3-bench-nginx-", dir=folder)
        self.host = "127.0.0.1:%d" % free_port()
        configuration = pathlib.Path(self.folder, "nginx.conf")
        configuration.write_text(
            "daemon off; master_process off; pid nginx.pid; error_log error.log; events { worker_connections 1024; }\n"
            "http { access_log off; sendfile on; tcp_nopush on; client_body_temp_path b; proxy_temp_path p;"
            " fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;\n"
            "  server { listen %s; root %s; } }\n" % (self.host, root))
        self.process = subprocess.Popen([program, "-p", self.folder, "-c", configuration, "-e", "error.log"],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(self.host, self.process, "nginx")

    def stop(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder)


def wait_for(host, process, what):
    until = time.monotonic() + READY_SECONDS
    while True:
        try:
            address, port = host.split(":")
            socket.create_connection((address, int(port)), 1).close()
            return
        except OSError:
            if time.monotonic() > until or process.poll() is not None:
                raise SystemExit(what + " did not start") from None
            time.sleep(0.2)


def find_moto(named, folder):
    for python in [named] if named else [sys.executable, "python3"]:
        found = subprocess.run([python, "-c", "import moto.server, importlib.metadata as m; print(m.version('moto'))"],
                               capture_output=True, text=True, check=False, cwd=folder)
        if found.returncode == 0:
            return python, found.stdout.strip()
    return None, None


def sync_ms(folder):
    with tempfile.TemporaryFile(dir=folder) as file:
        times = []
        for i in range(100):
            os.pwrite(file.fileno(), os.urandom(4096), 4096 * i)
            begun = time.monotonic()
            os.fdatasync(file.fileno())
            times.append(time.monotonic() - begun)
    return 1000 * statistics.median(times)


# ---- measurements ----

def make_bucket(host):
    """s3load with no bucket puts to /bench0: a bucket of that name."""
    load(host, "--op", "put", "--bucket", "", "--prefix", "bench", "--size", 0, "--requests", 1, "--keys", 1)


def small(arguments, python, version):
    for clients, ours, theirs in ((1, 500, 300), (16, 8000, 600), (256, 8000, 600)):
        rates = {}
        for _ in range(arguments.runs):
            servers = [("spyhop", Spyhop(arguments.folder), ours)]
            if python:
                servers.append(("moto", Moto(python, arguments.folder), theirs))
            for name, server, count in servers:
                make_bucket(server.host)
                common = ("--bucket", "bench0", "--clients", clients, "--size", SMALL)
                put = load(server.host, *common, "--op", "put", "--requests", count)
                get = load(server.host, *common, "--op", "get", "--requests", 2 * count, "--keys", count)
                rates.setdefault((name, "put"), []).append(put["rate"])
                rates.setdefault((name, "get"), []).append(get["rate"])
                server.stop()
        for what in ("put", "get"):
            mine = statistics.median(rates["spyhop", what])
            line = "%-4s %3d clients: %7.0f /s (spread %s)" % (what, clients, mine, spread(rates["spyhop", what]))
            if python:
                peer = statistics.median(rates["moto", what])
                ratio = mine / peer
                line += "; moto %s %6.0f /s (%s): %.1f times" % (version, peer, spread(rates["moto", what]), ratio)
                if clients > 1 or what == "get":
                    line += hold("%s of %d clients" % (what, clients), ratio >= RATIO_BAR)
                else:
                    line += "; median fdatasync here %.2f ms" % sync_ms(arguments.folder)
            print(line, flush=True)


def dd_seconds(folder):
    path = os.path.join(folder, "dd.bin")
    begun = time.monotonic()
    subprocess.run(["dd", "if=/dev/zero", "of=" + path, "bs=1M", "count=%d" % (BIG >> 20), "conv=fsync"], check=True,
                   capture_output=True)
    seconds = time.monotonic() - begun
    os.unlink(path)
    return seconds


def md5_seconds():
    block, md5 = bytes(1 << 20), hashlib.md5()
    begun = time.monotonic()
    for _ in range(BIG >> 20):
        md5.update(block)
    return time.monotonic() - begun


def big(arguments, nginx):
    times = {}
    for _ in range(arguments.runs):
        times.setdefault("dd", []).append(dd_seconds(arguments.folder))
        times.setdefault("md5", []).append(md5_seconds())
        server = Spyhop(arguments.folder)
        make_bucket(server.host)
        common = ("--bucket", "bench0", "--keys", 1, "--size", BIG)
        times.setdefault("up", []).append(load(server.host, *common, "--op", "put", "--requests", 1)["seconds"])
        load(server.host, *common, "--op", "get", "--requests", 1)
        times.setdefault("down", []).append(load(server.host, *common, "--op", "get", "--requests", 4)["seconds"] / 4)
        if nginx:
            root = tempfile.mkdtemp(dir=arguments.folder)
            os.mkdir(root + "/bench0")
            os.chmod(root, 0o755)
            name = max((p for p in pathlib.Path(server.data, "objects").rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
            os.link(name, root + "/bench0/key-0")
            os.chmod(root + "/bench0/key-0", 0o644)
            peer = Nginx(nginx, arguments.folder, root)
            load(peer.host, *common, "--op", "get", "--requests", 1)
            times.setdefault("nginx", []).append(load(peer.host, *common, "--op", "get", "--requests", 4)["seconds"] / 4)
            peer.stop()
            shutil.rmtree(root)
        server.stop()
        shutil.rmtree(server.data)
    speed = {name: BIG / 1e6 / statistics.median(values) for name, values in times.items()}
    slower = min(speed["dd"], speed["md5"])
    print("1 GiB up: %.0f MB/s (spread %s); dd conv=fsync %.0f (%s), MD5 on a core %.0f: %.2f of the slower%s"
          % (speed["up"], spread(times["up"]), speed["dd"], spread(times["dd"]), speed["md5"], speed["up"] / slower,
             hold("1 GiB up", speed["up"] >= UP_BAR * slower)), flush=True)
    if nginx:
        print("1 GiB down: %.0f MB/s (spread %s); nginx %.0f (%s): %.2f of it%s"
              % (speed["down"], spread(times["down"]), speed["nginx"], spread(times["nginx"]), speed["down"] / speed["nginx"],
                 hold("1 GiB down", speed["down"] >= DOWN_BAR * speed["nginx"])), flush=True)
    else:
        print("1 GiB down: %.0f MB/s; nginx is not installed" % speed["down"], flush=True)


def memory(arguments):
    server = Spyhop(arguments.folder)
    time.sleep(2)
    idle = server.resident_mb()
    make_bucket(server.host)
    common = ("--bucket", "bench0", "--clients", 256, "--size", 65536)
    load(server.host, *common, "--op", "put", "--requests", 5000, "--keys", 1000)
    load(server.host, *common, "--op", "get", "--requests", 10000, "--keys", 1000)
    for operation in ("put", "get"):
        load(server.host, "--bucket", "bench0", "--prefix", "big", "--keys", 1, "--size", BIG, "--op", operation, "--requests", 1)
    most = server.resident_mb(most=True)
    server.stop()
    print("resident: idle %.1f MB%s, under load %.1f MB at most%s"
          % (idle, hold("idle memory", idle < IDLE_BAR_MB), most, hold("memory under load", most < LOAD_BAR_MB)), flush=True)


def many(arguments):
    folder = tempfile.mkdtemp(prefix="s3-bench-many-", dir=arguments.folder)
    folders = 1000
    begun = time.monotonic()
    subprocess.run([TOOLS / "s3fill", folder + "/data", "bench0", str(folders), str(arguments.objects // folders)], check=True)
    print("%d objects made in %.0f s" % (arguments.objects, time.monotonic() - begun), flush=True)
    starts, pages = [], {"prefixes": [], "keys": []}
    for _ in range(max(3, arguments.runs)):
        server = Spyhop(arguments.folder, folder + "/data")
        starts.append(server.start_seconds)
        for what, query in (("prefixes", "delimiter=%2F&list-type=2"), ("keys", "list-type=2")):
            pages[what].append(load(server.host, "--bucket", "", "--prefix", "bench", "--query", query, "--op", "get", "--requests",
                                    20, "--keys", 1)["median_ms"])
        server.stop()
    shutil.rmtree(folder)
    start = statistics.median(starts)
    print("start with %d objects: %.2f s (spread %s)%s" % (arguments.objects, start, spread(starts), hold("start", start < START_BAR)))
    for what, values in pages.items():
        value = statistics.median(values)
        print("a page of 1,000 %s: %.1f ms (spread %s)%s" % (what, value, spread(values), hold("page of " + what, value < PAGE_BAR_MS)))


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("\n\n", maxsplit=1)[0][len("usage: "):], description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--folder", default=str(PROGRAM.parent))
    parser.add_argument("--only", default="small,big,memory,many")
    parser.add_argument("--objects", type=int, default=1000000)
    parser.add_argument("--no-peer", action="store_true")
    parser.add_argument("--peer-python")
    parser.add_argument("--nginx", default=shutil.which("nginx"))
    arguments = parser.parse_args()
    arguments.folder = os.path.abspath(arguments.folder)
    python, version = (None, None) if arguments.no_peer else find_moto(arguments.peer_python, arguments.folder)
    if not python:
        print("moto is not there: nothing is compared with it")
    print("%d cores, load %.1f at the start" % (os.cpu_count(), os.getloadavg()[0]))
    only = arguments.only.split(",")
    if "small" in only:
        small(arguments, python, version)
    if "big" in only:
        big(arguments, None if arguments.no_peer else arguments.nginx)
    if "memory" in only:
        memory(arguments)
    if "many" in only:
        many(arguments)
    for folder in folders_made:
        shutil.rmtree(folder)
    if missed:
        print("missed: " + ", ".join(missed))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
