# SPDX-License-Identifier: LGPL-2.1-or-later
"""fsck, scrub, backup and restore as a person runs them, beside a server that works."""
import fcntl
import hashlib
import json
import os
import pathlib
import sqlite3
import subprocess
import tempfile
import threading
import time
import unittest

from server import Server, program


def run(*words, code=0):
    done = subprocess.run([program(), *map(str, words)], capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != code:
        raise AssertionError("spyhop %s: exit %d\n%s%s" % (" ".join(map(str, words)), done.returncode, done.stdout, done.stderr))
    return done


def fsck(data, code=0, *words):
    return json.loads(run("fsck", "--data", data, "--json", *words, code=code).stdout)


class Backups(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.s3 = cls.server.client("s3")
        cls.s3.create_bucket(Bucket="bucket")
        cls.s3.put_bucket_versioning(Bucket="bucket", VersioningConfiguration={"Status": "Enabled"})
        cls.s3.create_bucket(Bucket="busy")

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="spyhop-backup-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def churn(self, stop):
        """Overwrites and deletes all the time; each object's bytes say which it is."""
        s3 = self.server.client("s3")
        n = 0
        while not stop.is_set():
            n += 1
            key = "k%d" % (n % 20)
            if n % 7:
                s3.put_object(Bucket="busy", Key=key, Body=hashlib.sha256(str(n).encode()).digest() * (n % 200))
            else:
                s3.delete_object(Bucket="busy", Key=key)

    def test_while_the_server_works(self):
        upload = self.s3.create_multipart_upload(Bucket="bucket", Key="film")["UploadId"]
        self.s3.upload_part(Bucket="bucket", Key="film", UploadId=upload, PartNumber=1, Body=b"part")
        self.s3.put_object(Bucket="bucket", Key="a/b", Body=b"first")
        self.s3.put_object(Bucket="bucket", Key="a/b", Body=b"second", Metadata={"who": "me"})
        stop = threading.Event()
        threads = [threading.Thread(target=self.churn, args=(stop,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            copies = []
            for way in ([], ["--link"], []):
                copies.append(self.folder / ("copy%d" % len(copies)))
                run("backup", "--data", self.server.data, "--to", copies[-1], *way)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        for number, copy in enumerate(copies):
            self.assertEqual(fsck(copy, 0, "--scrub")["problems"], [])
            data = self.folder / ("data%d" % number)
            run("restore", "--from", copy, "--data", data)
            self.assertEqual(fsck(data, 0, "--scrub")["problems"], [])
        with Server(data=str(data)) as again:
            s3 = again.client("s3")
            got = s3.get_object(Bucket="bucket", Key="a/b")
            self.assertEqual((got["Body"].read(), got["Metadata"]), (b"second", {"who": "me"}))
            versions = s3.list_object_versions(Bucket="bucket", Prefix="a/b")["Versions"]
            self.assertEqual([v["Size"] for v in versions], [6, 5])
            old = s3.get_object(Bucket="bucket", Key="a/b", VersionId=versions[1]["VersionId"])
            self.assertEqual(old["Body"].read(), b"first")
            parts = s3.list_parts(Bucket="bucket", Key="film", UploadId=upload)["Parts"]
            self.assertEqual(len(parts), 1)
            for item in s3.list_objects_v2(Bucket="busy").get("Contents", []):
                self.assertEqual(item["Size"], len(s3.get_object(Bucket="busy", Key=item["Key"])["Body"].read()))
        self.assertFalse(pathlib.Path(self.server.data, "backup.pin").exists())

    def test_space_is_given_back(self):
        """What was deleted while a backup was made is unlinked afterwards."""
        self.s3.put_object(Bucket="busy", Key="gone", Body=b"g" * 30000)
        pin = pathlib.Path(self.server.data, "backup.pin")
        with open(pin, "w") as held:  # a backup at work holds it
            fcntl.flock(held, fcntl.LOCK_EX)
            self.s3.delete_object(Bucket="busy", Key="gone")
            self.assertEqual(self.files_of(30000), 1)
        pin.unlink()
        until = time.monotonic() + 30
        while self.files_of(30000) and time.monotonic() < until:
            time.sleep(0.2)  # the server looks every five seconds
        self.assertEqual(self.files_of(30000), 0)

    def files_of(self, size):
        return sum(p.stat().st_size == size for p in pathlib.Path(self.server.data, "objects").rglob("*") if p.is_file())

    def test_scrub_beside_a_server(self):
        self.s3.put_object(Bucket="bucket", Key="rotten", Body=b"r" * 27777)
        self.assertIn(": 0 wrong", run("scrub", "--data", self.server.data, "--rate", "100").stdout)
        file = [p for p in pathlib.Path(self.server.data, "objects").rglob("*") if p.is_file() and p.stat().st_size == 27777][0]
        file.write_bytes(b"r" * 27776 + b"R")
        done = run("scrub", "--data", self.server.data, code=1)
        self.assertIn("s3://bucket/rotten version ", done.stdout)
        self.assertIn("not those that were written", done.stdout)
        file.write_bytes(b"r" * 27777)
        self.assertIn(": 0 wrong", run("scrub", "--data", self.server.data).stdout)

    def test_scrub_of_bytes_in_the_database(self):
        whole, rotten = b"s" * 777, b"s" * 776 + b"S"
        self.s3.put_object(Bucket="bucket", Key="small", Body=whole)
        self.change_body(whole, rotten)
        done = run("scrub", "--data", self.server.data, code=1)
        self.assertRegex(done.stdout, r"s3://bucket/small version \S+ \(row/\d{19}\): the bytes .* not those that were written")
        self.change_body(rotten, whole)
        self.assertIn(": 0 wrong", run("scrub", "--data", self.server.data).stdout)

    def change_body(self, before, after):
        with sqlite3.connect(pathlib.Path(self.server.data, "spyhop.db")) as db:
            self.assertEqual(db.execute("UPDATE bodies SET bytes = ? WHERE bytes = ?", (after, before)).rowcount, 1)

    def test_refusals(self):
        self.assertIn("a server runs on data folder", run("fsck", "--data", self.server.data, code=1).stderr)
        self.assertIn("is no data folder", run("fsck", "--data", self.folder, code=1).stderr)
        self.assertEqual(os.listdir(self.folder), [])
        for words in (["fsck"], ["fsck", "--data", "x", "more"], ["fsck", "--nonsense"], ["backup", "--data", "x"],
                      ["backup", "--data", "x", "--from", "y"], ["restore", "--from", "x"], ["restore", "--data", "x", "--to", "y"],
                      ["scrub"], ["scrub", "--data", "x", "--rate", "0"], ["scrub", "--data", "x", "--rate", "fast"]):
            self.assertIn("usage: spyhop " + words[0], run(*words, code=2).stderr)
        for name in ("fsck", "backup", "restore", "scrub"):
            self.assertIn("usage: spyhop " + name, run(name, "--help").stdout)
        (self.folder / "there").mkdir()
        (self.folder / "there" / "file").write_text("kept")
        done = run("backup", "--data", self.server.data, "--to", self.folder / "there", code=1)
        self.assertIn("is not empty", done.stderr)
        done = run("restore", "--from", self.folder / "there", "--data", self.folder / "new", code=1)
        self.assertIn("is no finished backup", done.stderr)
        self.assertEqual(sorted(p.name for p in self.folder.iterdir()), ["there"])
        self.assertEqual((self.folder / "there" / "file").read_text(), "kept")


class Repairs(unittest.TestCase):
    def test_the_server_reads_its_files_again(self):
        with Server() as server:
            s3 = server.client("s3")
            s3.create_bucket(Bucket="bucket")
            s3.put_object(Bucket="bucket", Key="rotten", Body=b"r" * 27777)
            for path in pathlib.Path(server.data, "objects").rglob("*"):
                if path.is_file():
                    path.write_bytes(b"R" * 27777)
            until = time.monotonic() + 60
            while "scrub" not in server.log_text() and time.monotonic() < until:
                time.sleep(0.1)  # some seconds after its first start
            self.assertRegex(server.log_text(), "error scrub.*s3://bucket/rotten.*not those that were written")

    def test_repair(self):
        with Server() as server:
            s3 = server.client("s3")
            s3.create_bucket(Bucket="bucket")
            for key in ("good", "lost"):
                s3.put_object(Bucket="bucket", Key=key, Body=key.encode() * 10000)
            for key in ("well", "gone"):  # these are in the database
                s3.put_object(Bucket="bucket", Key=key, Body=key.encode() * 100)
            server.terminate()
            self.assertEqual(fsck(server.data)["problems"], [])
            for path in [p for p in pathlib.Path(server.data, "objects").rglob("*") if p.is_file()]:
                if path.read_bytes().startswith(b"lost"):
                    path.unlink()
            orphan = pathlib.Path(server.data, "objects/ab/ab" + "0" * 30)
            orphan.write_bytes(b"of nobody")
            with sqlite3.connect(pathlib.Path(server.data, "spyhop.db")) as db:
                db.execute("DELETE FROM bodies WHERE bytes = ?", (b"gone" * 100,))
                spare = db.execute("INSERT INTO bodies (bytes) VALUES (?)", (b"spare",)).lastrowid
            report = fsck(server.data, 1, "--repair")
            self.assertEqual(sorted((p["kind"], p["repaired"]) for p in report["problems"]),
                             [("missing", False), ("missing", False), ("orphan", True), ("orphan", True)])
            self.assertFalse(report["clean"])
            self.assertEqual(pathlib.Path(server.data, "lost", "body-%d" % spare).read_bytes(), b"spare")
            self.assertTrue(pathlib.Path(server.data, "lost", orphan.name).exists())
            server.start()
            s3 = server.client("s3")
            self.assertEqual(s3.get_object(Bucket="bucket", Key="good")["Body"].read(), b"good" * 10000)
            self.assertEqual(s3.get_object(Bucket="bucket", Key="well")["Body"].read(), b"well" * 100)
            s3.put_object(Bucket="bucket", Key="lost", Body=b"again")
            s3.delete_object(Bucket="bucket", Key="gone")
            server.terminate()
            self.assertEqual(fsck(server.data, 0, "--scrub")["problems"], [])
            server.start()


if __name__ == "__main__":
    unittest.main()
