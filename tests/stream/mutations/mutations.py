# SPDX-License-Identifier: LGPL-2.1-or-later
"""usage: mutations.py SPYHOP [NAME]...

Makes a few good streams, which `SPYHOP check` must find nothing in, and from them one stream for each row of
faults.py, in which it must name the row's rule and nothing that the row does not allow.
"""
import concurrent.futures
import http.server
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import faults  # noqa: E402
import streams  # noqa: E402


def check(program, folder, words):
    words = [w.replace("{folder}", folder) for w in words]
    done = subprocess.run([program, "check", "--json", *words, folder], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, check=False, timeout=120)
    if done.returncode not in (0, 1) or not done.stdout:
        raise AssertionError("exit code %d: %s" % (done.returncode, done.stderr[-2000:]))
    report = json.loads(done.stdout)
    found = {f["rule"]: f for f in reversed(report["findings"])}
    if bool(found) != bool(done.returncode):
        raise AssertionError("exit code %d with %d findings" % (done.returncode, len(found)))
    return found


def one(program, good, work, row):
    name, base, rule, also, words, change = row
    folder = os.path.join(work, name)
    shutil.copytree(os.path.join(good, base), folder, symlinks=True)
    try:
        change(folder)
        found = check(program, folder, words)
    except Exception as problem:  # noqa: BLE001: told with the row's name
        return "%s: %s: %s" % (name, type(problem).__name__, problem)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if rule not in found:
        return "%s: %s is not named; found: %s" % (name, rule, {k: v["words"] for k, v in found.items()})
    if not (found[rule]["file"] or rule.startswith("plan")):
        return "%s: %s names no file" % (name, rule)
    strays = set(found) - {rule} - also
    if strays:
        return "%s: false alarms %s" % (name, {k: found[k]["words"] for k in strays})
    return None


class Server(http.server.SimpleHTTPRequestHandler):
    """The good streams; below /moved/ each segment is a redirect to itself, below /loop/ to itself for ever."""

    def do_GET(self):
        path = self.path
        if path.startswith("/moved/") and path.endswith((".m4s", ".ts")):
            return self.away(path[6:])
        if path.startswith("/loop/") and path.endswith(".m4s"):
            return self.away(path)
        if path.startswith("/away/") and path.endswith(".m4s"):
            return self.away("file:///etc/passwd")
        if path.startswith(("/moved/", "/loop/", "/away/")):
            self.path = "/" + path.split("/", 2)[2]
        return super().do_GET()

    def away(self, where):
        self.send_response(302)
        self.send_header("Location", where)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def over_http(program, good):
    """The same stream by URL: nothing is found; redirects are; and they lead nowhere but to http."""
    bad = []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), lambda *a: Server(*a, directory=good))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    root = "http://127.0.0.1:%d" % server.server_address[1]
    wanted = {"/cmaf/": set(), "/cmaf/index.mpd": set(), "/ts/film.m3u8": set(), "/moved/cmaf/": {"apple-redirect"},
              "/loop/cmaf/": {"rfc8216-available"}, "/away/cmaf/": {"rfc8216-available"}}
    try:
        for path, rules in wanted.items():
            found = check(program, root + path, [])
            if set(found) != rules:
                bad.append("%s: %s" % (path, {k: v["words"] for k, v in found.items()}))
        done = subprocess.run([program, "check", root + "/nothing/"], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, check=False, timeout=60)
        if done.returncode != 1 or "404" not in done.stderr:
            bad.append("a URL of nothing: exit code %d, %s" % (done.returncode, done.stderr))
    finally:
        server.shutdown()
        server.server_close()
    return bad


def wrong_plans(program, good):
    """What cannot be understood, or says nothing, is no plan that a stream keeps to."""
    bad = []
    for plan, words in (("{", "line 1"), ("[]", "an object"), ('{"plan": 3}', "an object"), ('{"other": 1}', "says nothing"),
                        ('{"plan": {"frames": "75"}}', "a whole number"), ('{"video": 3}', "a list"),
                        ('{"video": [{"name": 3}]}', "a string"), ('{"colour": {"full_range": 1}}', "true or false"),
                        ('{"source": {"black": [[1]]}}', "[from, to]")):
        path = os.path.join(good, "wrong-plan.json")
        streams.write(path, plan)
        done = subprocess.run([program, "check", "--plan", path, os.path.join(good, "cmaf")], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, check=False, timeout=60)
        os.remove(path)
        if done.returncode != 1 or words not in done.stderr:
            bad.append("the plan %s: exit code %d, %s" % (plan, done.returncode, done.stderr))
    return bad


def main():
    program, names = sys.argv[1], sys.argv[2:]
    work = tempfile.mkdtemp(prefix="spyhop-mutations-")
    bad = []
    try:
        good, encoded = os.path.join(work, "good"), os.path.join(work, "encoded")
        os.makedirs(encoded)
        streams.cmaf(os.path.join(good, "cmaf"), encoded)
        streams.transport(os.path.join(good, "ts"), encoded)
        streams.transport(os.path.join(good, "ts_sound"), encoded, sound=streams.SECONDS + 0.2)
        for base in ("cmaf", "ts", "ts_sound"):
            found = check(program, os.path.join(good, base), ["--same-bytes"])
            if found:
                bad.append("the good stream %s: %s" % (base, {k: v["words"] for k, v in found.items()}))
        if not names:
            bad += over_http(program, good) + wrong_plans(program, good)
        rows = [r for r in faults.FAULTS if not names or r[0] in names]
        if len({r[0] for r in rows}) != len(rows):
            bad.append("two faults have one name")
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            bad += [p for p in pool.map(lambda r: one(program, good, work, r), rows) if p]
    finally:
        shutil.rmtree(work, ignore_errors=True)
    for problem in bad:
        print(problem)
    print("%d streams, %d rules; %d wrong" % (len(rows), len({r[2] for r in rows}), len(bad)))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
