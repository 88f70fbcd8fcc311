# SPDX-License-Identifier: LGPL-2.1-or-later
"""kill -9 under mixed puts, multipart uploads, copies, deletes and versions, and the same on a disk that fills up: what was
acknowledged is there byte for byte, nothing else is half there, and fsck finds nothing.

SPYHOP_KILLS: how many kills (8 here; the bar is 200). SPYHOP_SEED repeats a run."""
import hashlib
import json
import os
import random
import subprocess
import tempfile
import threading
import time
import unittest

import botocore.exceptions

from server import Server, program

KILLS = int(os.environ.get("SPYHOP_KILLS", "8"))
SEED = int(os.environ.get("SPYHOP_SEED", str(time.time_ns() & 0xFFFFFFFF)))
WORKERS = 4
PART = 5 << 20
GONE = (botocore.exceptions.EndpointConnectionError, botocore.exceptions.ConnectionClosedError,
        botocore.exceptions.ReadTimeoutError, botocore.exceptions.HTTPClientError)


def body_of(generator, most=40000):
    return generator.randbytes(generator.choice([0, 1, 100, 5000, generator.randrange(most)]))


class Worker:
    """Keys that nobody else touches. `plain`: key -> the bytes that were acknowledged (None: deleted). `versions`: (key,
    version id) -> bytes (None: a delete marker). `pending`: what may have been done or not, as (what, key, bytes)."""

    def __init__(self, number, seed):
        self.number = number
        self.random = random.Random(seed)
        self.plain = {}
        self.versions = {}
        self.uploads = {}  # (key, id) -> {part number: its ETag}
        self.pending = None
        self.refused = self.done = 0

    def key(self):
        return "w%d/k%d" % (self.number, self.random.randrange(12))

    def run(self, s3, stop):
        while not stop.is_set():
            one = self.random.choice([self.put] * 4 + [self.copy, self.delete, self.put_version, self.put_version,
                                                       self.delete_latest, self.delete_version, self.upload, self.many])
            try:
                one(s3)
                self.done += 1
                self.pending = None
            except GONE:
                return
            except botocore.exceptions.ClientError as error:
                if error.response["ResponseMetadata"]["HTTPStatusCode"] < 500:
                    raise
                self.refused += 1  # a full disk: then nothing was done
                self.pending = None

    # ---- a bucket without versions ----

    def put(self, s3):
        key, body = self.key(), body_of(self.random)
        self.pending = ("plain", {key: body})
        s3.put_object(Bucket="plain", Key=key, Body=body)
        self.plain[key] = body

    def copy(self, s3):
        there = [key for key, body in self.plain.items() if body is not None]
        if not there:
            return
        source, key = self.random.choice(there), self.key()
        if source == key:
            return
        self.pending = ("plain", {key: self.plain[source]})
        s3.copy_object(Bucket="plain", Key=key, CopySource={"Bucket": "plain", "Key": source})
        self.plain[key] = self.plain[source]

    def delete(self, s3):
        key = self.key()
        self.pending = ("plain", {key: None})
        s3.delete_object(Bucket="plain", Key=key)
        self.plain[key] = None

    def many(self, s3):
        keys = sorted({self.key() for _ in range(4)})
        self.pending = ("all", {key: None for key in keys})
        s3.delete_objects(Bucket="plain", Delete={"Objects": [{"Key": key} for key in keys]})
        self.plain.update({key: None for key in keys})

    def upload(self, s3):
        key, last = self.key(), body_of(self.random)
        first = bytes([self.random.randrange(256)]) * PART
        bodies = [first, last] if self.random.random() < 0.3 else [last]
        upload = s3.create_multipart_upload(Bucket="plain", Key=key)["UploadId"]
        self.uploads[key, upload] = {}
        tags = []
        for number, body in enumerate(bodies, 1):
            tags.append(s3.upload_part(Bucket="plain", Key=key, UploadId=upload, PartNumber=number, Body=body)["ETag"])
            self.uploads[key, upload][number] = tags[-1]
        if self.random.random() < 0.3:
            return  # left open
        parts = {"Parts": [{"PartNumber": n, "ETag": tag} for n, tag in enumerate(tags, 1)]}
        self.pending = ("plain", {key: b"".join(bodies)})
        open_parts = self.uploads.pop((key, upload))
        try:
            s3.complete_multipart_upload(Bucket="plain", Key=key, UploadId=upload, MultipartUpload=parts)
        except botocore.exceptions.ClientError:
            self.uploads[key, upload] = open_parts
            raise
        self.plain[key] = b"".join(bodies)

    # ---- a bucket with versions ----

    def put_version(self, s3):
        key, body = self.key(), body_of(self.random)
        self.pending = ("version", {key: body})
        version = s3.put_object(Bucket="versions", Key=key, Body=body)["VersionId"]
        self.versions[key, version] = body

    def delete_latest(self, s3):
        key = self.key()
        self.pending = ("version", {key: None})
        version = s3.delete_object(Bucket="versions", Key=key)["VersionId"]
        self.versions[key, version] = None

    def delete_version(self, s3):
        if not self.versions:
            return
        key, version = self.random.choice(sorted(self.versions))
        self.pending = ("gone", {(key, version): self.versions[key, version]})
        s3.delete_object(Bucket="versions", Key=key, VersionId=version)
        del self.versions[key, version]


class Kills(unittest.TestCase):
    def setUp(self):
        self.random = random.Random(SEED)
        self.addCleanup(lambda: print("seed", SEED) if self._outcome and not self._outcome.success else None)

    def make(self, server):
        s3 = server.client("s3")
        s3.create_bucket(Bucket="plain")
        s3.create_bucket(Bucket="versions")
        s3.put_bucket_versioning(Bucket="versions", VersioningConfiguration={"Status": "Enabled"})

    def load(self, server, workers, seconds):
        """All workers at once, for that long, then kill -9."""
        stop, errors = threading.Event(), []

        def run(worker):
            try:
                worker.run(server.client("s3", max_pool_connections=1, read_timeout=20), stop)
            except BaseException as error:  # told below, in the test's own thread
                errors.append(error)

        threads = [threading.Thread(target=run, args=(worker,)) for worker in workers]
        for thread in threads:
            thread.start()
        stop.wait(seconds)
        server.kill()
        stop.set()
        for thread in threads:
            thread.join()
        if errors:
            raise errors[0]

    # ---- what must hold afterwards ----

    def check(self, server, workers):
        s3 = server.client("s3")
        for worker in workers:
            kind, pending = worker.pending or ("nothing", {})
            self.check_plain(s3, worker, kind, pending)
            self.check_versions(s3, worker, kind, pending)
            self.check_uploads(s3, worker)
            worker.pending = None

    def listed(self, s3, worker):
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket="plain", Prefix="w%d/" % worker.number)
        return {item["Key"]: item for page in pages for item in page.get("Contents", [])}

    def check_plain(self, s3, worker, kind, pending):
        there = self.listed(s3, worker)
        before = {key: worker.plain.get(key) for key in pending}
        for key in set(there) | set(worker.plain) | set(pending if kind in ("plain", "all") else ()):
            body = None
            if key in there:
                body = s3.get_object(Bucket="plain", Key=key)["Body"].read()
                self.assertEqual(there[key]["Size"], len(body), key)
            allowed = [worker.plain.get(key)] + ([pending[key]] if kind in ("plain", "all") and key in pending else [])
            self.assertTrue(any(body == one for one in allowed),
                            "%s: %s, but %s was acknowledged" % (key, digest(body), [digest(one) for one in allowed]))
            worker.plain[key] = body
        if kind == "all":  # one transaction: all of them, or none
            self.assertIn(sum(key in there for key in pending), {0, sum(before[key] is not None for key in pending)})

    def check_versions(self, s3, worker, kind, pending):
        there = {}
        for page in s3.get_paginator("list_object_versions").paginate(Bucket="versions", Prefix="w%d/" % worker.number):
            for item in page.get("Versions", []):
                body = s3.get_object(Bucket="versions", Key=item["Key"], VersionId=item["VersionId"])["Body"].read()
                self.assertEqual(item["Size"], len(body))
                there[item["Key"], item["VersionId"]] = body
            for item in page.get("DeleteMarkers", []):
                there[item["Key"], item["VersionId"]] = None
        for name, body in worker.versions.items():
            if kind == "gone" and name in pending and name not in there:
                continue
            self.assertIn(name, there)
            self.assertTrue(there[name] == body, name)
        new = [name for name in there if name not in worker.versions]
        self.assertLessEqual(len(new), 1, new)
        for name in new:
            self.assertEqual(kind, "version", name)
            self.assertIn(name[0], pending)
            self.assertTrue(there[name] == pending[name[0]], name)
        worker.versions = there

    def check_uploads(self, s3, worker):
        for (key, upload), parts in worker.uploads.items():
            got = s3.list_parts(Bucket="plain", Key=key, UploadId=upload).get("Parts", [])
            got = {part["PartNumber"]: part["ETag"] for part in got}
            self.assertEqual({n: got.get(n) for n in parts}, parts)
            s3.abort_multipart_upload(Bucket="plain", Key=key, UploadId=upload)
        worker.uploads = {}

    def fsck(self, server):
        done = subprocess.run([program(), "fsck", "--data", server.data, "--scrub", "--json"], capture_output=True, text=True,
                              timeout=120)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        report = json.loads(done.stdout)
        self.assertEqual((report["problems"], report["clean"], report["unverified"]), ([], True, 0))
        return report

    def kills(self, server, count, seconds):
        workers = [Worker(n, self.random.random()) for n in range(WORKERS)]
        for _ in range(count):
            self.load(server, workers, self.random.uniform(*seconds))
            self.fsck(server)
            server.start()
            self.check(server, workers)
        self.assertGreater(sum(worker.done for worker in workers), count)
        return workers

    # ---- the tests ----

    def test_mixed(self):
        with Server() as server:
            self.make(server)
            self.kills(server, KILLS, (0.02, 0.5))
            server.terminate()
            report = self.fsck(server)
            self.assertEqual(report["files"] + report["bodies"], report["objects"] + report["versions"] + report["parts"])
            server.start()

    def test_full_disk(self):
        folder = tempfile.mkdtemp(prefix="spyhop-kill-")
        self.addCleanup(os.rmdir, folder)
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=14m,mode=700", "tmpfs", folder], capture_output=True,
                          check=False).returncode:
            self.skipTest("a file system cannot be mounted here")
        self.addCleanup(subprocess.run, ["umount", "-l", folder], check=True)
        with Server(data=folder + "/data") as server:
            self.make(server)
            workers = self.kills(server, max(2, KILLS // 4), (0.3, 0.9))
            self.assertGreater(sum(worker.refused for worker in workers), 0, "the disk was never full")


def digest(body):
    return None if body is None else "%d bytes %s" % (len(body), hashlib.md5(body).hexdigest())


if __name__ == "__main__":
    unittest.main()
