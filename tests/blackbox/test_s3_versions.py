# SPDX-License-Identifier: LGPL-2.1-or-later
"""Versioning of buckets, as the documentation of S3 tells it: what a write, a delete and a read do in each state."""
import json
import unittest

from s3_case import S3Case, error_code, raw

DATA = [b"one", b"two!", b"three"]


class VersionCase(S3Case):
    def versioned(self, name, status="Enabled"):
        self.s3.create_bucket(Bucket=name)
        self.status(name, status)
        return name

    def status(self, bucket, status):
        self.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})

    def put(self, bucket, key, body=b"x", **more):
        return self.s3.put_object(Bucket=bucket, Key=key, Body=body, **more).get("VersionId")

    def listed(self, bucket, **arguments):
        """(key, id, latest, marker) in the order of the list."""
        page = self.s3.list_object_versions(Bucket=bucket, **arguments)
        both = [(v["Key"], v["VersionId"], v["IsLatest"], False) for v in page.get("Versions", [])]
        both += [(v["Key"], v["VersionId"], v["IsLatest"], True) for v in page.get("DeleteMarkers", [])]
        return both

    def field(self, answer, name):
        return answer["ResponseMetadata"]["HTTPHeaders"].get(name)


class States(VersionCase):
    def test_never(self):
        bucket = self.new_bucket("never")
        self.assertNotIn("Status", self.s3.get_bucket_versioning(Bucket=bucket))
        self.assertIsNone(self.put(bucket, "k"))
        self.assertNotIn("VersionId", self.s3.head_object(Bucket=bucket, Key="k"))
        self.assertEqual(self.listed(bucket), [("k", "null", True, False)])
        self.assertEqual(self.body("k", bucket, VersionId="null"), b"x")
        answer = self.s3.delete_object(Bucket=bucket, Key="k")
        self.assertNotIn("VersionId", answer)
        self.assertNotIn("DeleteMarker", answer)
        self.assertEqual(self.listed(bucket), [])
        self.s3.delete_bucket(Bucket=bucket)

    def test_turned_on_and_off(self):
        bucket = self.versioned("on-and-off")
        for status in ("Enabled", "Suspended", "Enabled"):
            self.status(bucket, status)
            self.assertEqual(self.s3.get_bucket_versioning(Bucket=bucket)["Status"], status)

    def test_configurations_refused(self):
        head = '<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        for inner, status, code in [
                ("", 400, "IllegalVersioningConfigurationException"),
                ("<Status>Off</Status>", 400, "MalformedXML"),
                ("<Status>enabled</Status>", 400, "MalformedXML"),
                ("<Status>Enabled</Status><MfaDelete>Enabled</MfaDelete>", 501, "NotImplemented"),
                ("<Status>Enabled</Status><MfaDelete>Maybe</MfaDelete>", 400, "MalformedXML")]:
            with self.subTest(inner):
                answer = raw(self.server, "PUT", "/bucket?versioning",
                             (head + inner + "</VersioningConfiguration>").encode())
                self.assertEqual((answer.status, error_code(answer)), (status, code))
        for body in (b"", b"<Versioning/>", b"<VersioningConfiguration>"):
            self.assertEqual(error_code(raw(self.server, "PUT", "/bucket?versioning", body)), "MalformedXML")
        self.assertNotIn("Status", self.s3.get_bucket_versioning(Bucket="bucket"))
        self.fails("NoSuchBucket", 404, self.s3.put_bucket_versioning, Bucket="nowhere",
                   VersioningConfiguration={"Status": "Enabled"})
        self.fails("NoSuchBucket", 404, self.s3.get_bucket_versioning, Bucket="nowhere")

    def test_mfa_disabled_is_fine(self):
        bucket = self.new_bucket("mfa")
        self.s3.put_bucket_versioning(Bucket=bucket,
                                      VersioningConfiguration={"Status": "Enabled", "MFADelete": "Disabled"})
        self.assertEqual(self.s3.get_bucket_versioning(Bucket=bucket)["Status"], "Enabled")


class Enabled(VersionCase):
    def test_versions_are_kept(self):
        bucket = self.versioned("kept")
        ids = [self.put(bucket, "k", data) for data in DATA]
        self.assertEqual(len(set(ids)), 3)
        self.assertNotIn("null", ids)
        answer = self.s3.get_object(Bucket=bucket, Key="k")
        self.assertEqual((answer["Body"].read(), answer["VersionId"]), (b"three", ids[2]))
        for version, data in zip(ids, DATA):
            answer = self.s3.get_object(Bucket=bucket, Key="k", VersionId=version)
            self.assertEqual((answer["Body"].read(), answer["VersionId"]), (data, version))
            head = self.s3.head_object(Bucket=bucket, Key="k", VersionId=version)
            self.assertEqual((head["ContentLength"], head["VersionId"]), (len(data), version))
        self.assertEqual(self.keys(bucket), ["k"])
        self.assertEqual(self.listed(bucket), [("k", ids[2], True, False), ("k", ids[1], False, False),
                                               ("k", ids[0], False, False)])

    def test_the_object_of_before_is_null(self):
        bucket = self.new_bucket("before")
        self.put(bucket, "k", b"old")
        self.status(bucket, "Enabled")
        self.assertEqual(self.s3.head_object(Bucket=bucket, Key="k")["VersionId"], "null")
        new = self.put(bucket, "k", b"new")
        self.assertEqual(self.body("k", bucket), b"new")
        self.assertEqual(self.body("k", bucket, VersionId="null"), b"old")
        self.s3.delete_object(Bucket=bucket, Key="k", VersionId="null")
        self.assertEqual(self.listed(bucket), [("k", new, True, False)])

    def test_delete_makes_a_marker(self):
        bucket = self.versioned("marker")
        version = self.put(bucket, "k", b"data")
        answer = self.s3.delete_object(Bucket=bucket, Key="k")
        marker = answer["VersionId"]
        self.assertTrue(answer["DeleteMarker"])
        self.assertNotEqual(marker, version)
        self.assertEqual(self.keys(bucket), [])
        self.assertEqual(self.listed(bucket), [("k", version, False, False), ("k", marker, True, True)])
        answer = self.fails("NoSuchKey", 404, self.s3.get_object, Bucket=bucket, Key="k")
        self.assertEqual(self.field(answer, "x-amz-delete-marker"), "true")
        self.assertEqual(self.field(answer, "x-amz-version-id"), marker)
        answer = self.fails("404", 404, self.s3.head_object, Bucket=bucket, Key="k")
        self.assertEqual(self.field(answer, "x-amz-delete-marker"), "true")
        self.assertEqual(self.body("k", bucket, VersionId=version), b"data")

    def test_a_marker_is_asked_for(self):
        bucket = self.versioned("marker-asked")
        self.put(bucket, "k")
        marker = self.s3.delete_object(Bucket=bucket, Key="k")["VersionId"]
        for method in ("GET", "HEAD"):
            answer = raw(self.server, method, f"/{bucket}/k?versionId={marker}")
            self.assertEqual(answer.status, 405)
            self.assertEqual(answer.getheader("x-amz-delete-marker"), "true")
            self.assertEqual(answer.getheader("x-amz-version-id"), marker)
            self.assertEqual(answer.getheader("Allow"), "DELETE")
            self.assertIn("GMT", answer.getheader("Last-Modified"))
        answer = raw(self.server, "GET", f"/{bucket}/k?versionId={marker}")
        self.assertEqual(error_code(answer), "MethodNotAllowed")
        self.assertIn(b"<ResourceType>DeleteMarker</ResourceType>", answer.data)

    def test_delete_of_nothing_makes_a_marker(self):
        bucket = self.versioned("of-nothing")
        first = self.s3.delete_object(Bucket=bucket, Key="k")
        second = self.s3.delete_object(Bucket=bucket, Key="k")
        self.assertTrue(first["DeleteMarker"] and second["DeleteMarker"])
        self.assertEqual(self.listed(bucket), [("k", second["VersionId"], True, True),
                                               ("k", first["VersionId"], False, True)])

    def test_delete_of_a_marker_brings_the_object_back(self):
        bucket = self.versioned("back")
        version = self.put(bucket, "k", b"data")
        marker = self.s3.delete_object(Bucket=bucket, Key="k")["VersionId"]
        answer = self.s3.delete_object(Bucket=bucket, Key="k", VersionId=marker)
        self.assertEqual((answer["VersionId"], answer["DeleteMarker"]), (marker, True))
        self.assertEqual(self.body("k", bucket), b"data")
        self.assertEqual(self.listed(bucket), [("k", version, True, False)])
        self.assertEqual(self.keys(bucket), ["k"])

    def test_delete_of_versions(self):
        bucket = self.versioned("of-versions")
        ids = [self.put(bucket, "k", data) for data in DATA]
        answer = self.s3.delete_object(Bucket=bucket, Key="k", VersionId=ids[2])
        self.assertEqual(answer["VersionId"], ids[2])
        self.assertNotIn("DeleteMarker", answer)
        self.assertEqual(self.body("k", bucket), b"two!")
        self.s3.delete_object(Bucket=bucket, Key="k", VersionId=ids[0])
        self.assertEqual(self.listed(bucket), [("k", ids[1], True, False)])
        self.assertEqual(len(self.s3.list_objects_v2(Bucket=bucket)["Contents"]), 1)
        self.s3.delete_object(Bucket=bucket, Key="k", VersionId=ids[1])
        self.assertEqual(self.listed(bucket), [])
        answer = self.fails("NoSuchKey", 404, self.s3.get_object, Bucket=bucket, Key="k")
        self.assertIsNone(self.field(answer, "x-amz-delete-marker"))

    def test_files_go_with_their_versions(self):
        bucket = self.versioned("files")
        before = len(self.object_files())
        sent = [*DATA, b"a file" * 5000, b"in the database"]
        ids = [self.put(bucket, "k", data) for data in sent]
        self.s3.delete_object(Bucket=bucket, Key="k")
        self.assertEqual(len(self.object_files()), before + len(sent))
        for version, data in zip(ids, sent):
            self.assertEqual(self.s3.get_object(Bucket=bucket, Key="k", VersionId=version)["Body"].read(), data)
            self.s3.delete_object(Bucket=bucket, Key="k", VersionId=version)
        self.assertEqual(len(self.object_files()), before)

    def test_a_version_that_is_not_there(self):
        bucket = self.versioned("not-there")
        gone = self.put(bucket, "k")
        self.s3.delete_object(Bucket=bucket, Key="k", VersionId=gone)
        self.put(bucket, "k")
        answer = self.fails("NoSuchVersion", 404, self.s3.get_object, Bucket=bucket, Key="k", VersionId=gone)
        self.assertEqual(answer["Error"]["VersionId"], gone)
        self.fails("404", 404, self.s3.head_object, Bucket=bucket, Key="k", VersionId=gone)
        self.assertEqual(self.s3.delete_object(Bucket=bucket, Key="k", VersionId=gone)["VersionId"], gone)
        self.fails("NoSuchVersion", 404, self.s3.get_object, Bucket=bucket, Key="k", VersionId="null")
        other = self.put(bucket, "other")
        self.fails("NoSuchVersion", 404, self.s3.get_object, Bucket=bucket, Key="k", VersionId=other)

    def test_what_is_no_version_id(self):
        bucket = self.versioned("no-id")
        self.put(bucket, "k")
        for version in ("x", "3%2FL4kqtJlcpXroDTDmJ%2BrmSpXd3dIbrHY", "a" * 33, "%20null", "Null"):
            with self.subTest(version):
                answer = raw(self.server, "GET", f"/{bucket}/k?versionId={version}")
                self.assertEqual((answer.status, error_code(answer)), (400, "InvalidArgument"))
        for method in ("GET", "DELETE", "HEAD"):
            self.assertEqual(raw(self.server, method, f"/{bucket}/k?versionId=").status, 400)
        self.assertIn(b"Version id cannot be the empty string", raw(self.server, "GET", f"/{bucket}/k?versionId=").data)
        answer = raw(self.server, "PUT", f"/{bucket}/k?versionId=null", b"x")
        self.assertEqual((answer.status, error_code(answer)), (400, "InvalidArgument"))
        self.assertIn(b"does not accept a version-id", answer.data)

    def test_a_bucket_with_versions_is_not_empty(self):
        bucket = self.versioned("not-empty")
        version = self.put(bucket, "k")
        marker = self.s3.delete_object(Bucket=bucket, Key="k")["VersionId"]
        self.fails("BucketNotEmpty", 409, self.s3.delete_bucket, Bucket=bucket)
        self.s3.delete_object(Bucket=bucket, Key="k", VersionId=version)
        self.fails("BucketNotEmpty", 409, self.s3.delete_bucket, Bucket=bucket)
        self.s3.delete_object(Bucket=bucket, Key="k", VersionId=marker)
        self.s3.delete_bucket(Bucket=bucket)

    def test_conditional_reads_of_a_version(self):
        bucket = self.versioned("conditions")
        old = self.s3.put_object(Bucket=bucket, Key="k", Body=b"old")
        self.put(bucket, "k", b"new")
        self.assertEqual(self.body("k", bucket, VersionId=old["VersionId"], IfMatch=old["ETag"]), b"old")
        self.fails("PreconditionFailed", 412, self.s3.get_object, Bucket=bucket, Key="k", IfMatch=old["ETag"])
        answer = self.s3.get_object(Bucket=bucket, Key="k", VersionId=old["VersionId"], Range="bytes=1-1")
        self.assertEqual((answer["Body"].read(), answer["VersionId"]), (b"l", old["VersionId"]))

    def test_copies_and_multipart_have_versions(self):
        bucket = self.versioned("all-ways")
        self.put(bucket, "from", b"data")
        copied = self.s3.copy_object(Bucket=bucket, Key="k", CopySource={"Bucket": bucket, "Key": "from"})["VersionId"]
        upload = self.s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
        part = self.s3.upload_part(Bucket=bucket, Key="k", UploadId=upload, PartNumber=1, Body=b"part")
        joined = self.s3.complete_multipart_upload(
            Bucket=bucket, Key="k", UploadId=upload,
            MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})["VersionId"]
        self.assertEqual([row[1] for row in self.listed(bucket, Prefix="k")], [joined, copied])
        self.assertEqual(self.body("k", bucket, VersionId=copied), b"data")
        self.assertEqual(self.body("k", bucket), b"part")

    def test_a_copy_of_a_version(self):
        bucket = self.versioned("copy-version")
        old = self.put(bucket, "from", b"old")
        new = self.put(bucket, "from", b"new")
        source = {"Bucket": bucket, "Key": "from", "VersionId": old}
        answer = self.s3.copy_object(Bucket=bucket, Key="to", CopySource=source)
        self.assertEqual(answer["CopySourceVersionId"], old)
        self.assertEqual(self.body("to", bucket), b"old")
        answer = self.s3.copy_object(Bucket=bucket, Key="to", CopySource={"Bucket": bucket, "Key": "from"})
        self.assertEqual(answer["CopySourceVersionId"], new)
        # An old version copied onto its key is the latest again.
        self.s3.copy_object(Bucket=bucket, Key="from", CopySource=source)
        self.assertEqual(self.body("from", bucket), b"old")
        marker = self.s3.delete_object(Bucket=bucket, Key="from")["VersionId"]
        self.fails("NoSuchKey", 404, self.s3.copy_object, Bucket=bucket, Key="x",
                   CopySource={"Bucket": bucket, "Key": "from"})
        self.fails("InvalidRequest", 400, self.s3.copy_object, Bucket=bucket, Key="x",
                   CopySource={"Bucket": bucket, "Key": "from", "VersionId": marker})


class Suspended(VersionCase):
    def test_a_write_replaces_the_null_version(self):
        bucket = self.versioned("suspended")
        kept = self.put(bucket, "k", b"kept")
        self.status(bucket, "Suspended")
        for data in DATA:
            self.assertEqual(self.put(bucket, "k", data), "null")
        self.assertEqual(self.listed(bucket), [("k", "null", True, False), ("k", kept, False, False)])
        self.assertEqual(self.body("k", bucket), b"three")
        self.assertEqual(self.body("k", bucket, VersionId=kept), b"kept")

    def test_a_null_version_that_is_not_the_latest(self):
        bucket = self.new_bucket("null-older")
        self.put(bucket, "k", b"null")
        self.status(bucket, "Enabled")
        version = self.put(bucket, "k", b"middle")
        self.status(bucket, "Suspended")
        files = len(self.object_files())
        self.put(bucket, "k", b"null again")
        self.assertEqual(len(self.object_files()), files)
        self.assertEqual(self.listed(bucket), [("k", "null", True, False), ("k", version, False, False)])

    def test_a_delete_replaces_it_by_a_marker(self):
        bucket = self.versioned("null-marker")
        kept = self.put(bucket, "k", b"kept")
        self.status(bucket, "Suspended")
        self.put(bucket, "k", b"null")
        answer = self.s3.delete_object(Bucket=bucket, Key="k")
        self.assertEqual((answer["VersionId"], answer["DeleteMarker"]), ("null", True))
        self.assertEqual(self.listed(bucket), [("k", kept, False, False), ("k", "null", True, True)])
        self.s3.delete_object(Bucket=bucket, Key="k")
        self.assertEqual(len(self.listed(bucket)), 2)
        self.put(bucket, "k", b"null")
        self.assertEqual(self.listed(bucket), [("k", "null", True, False), ("k", kept, False, False)])
        self.s3.delete_object(Bucket=bucket, Key="k")
        self.s3.delete_object(Bucket=bucket, Key="k", VersionId="null")
        self.assertEqual(self.body("k", bucket), b"kept")

    def test_a_delete_keeps_versions_with_an_id(self):
        bucket = self.versioned("ids-stay")
        kept = self.put(bucket, "k", b"kept")
        self.status(bucket, "Suspended")
        self.s3.delete_object(Bucket=bucket, Key="k")
        self.assertEqual(self.listed(bucket), [("k", kept, False, False), ("k", "null", True, True)])
        self.assertEqual(self.body("k", bucket, VersionId=kept), b"kept")

    def test_enabled_again(self):
        bucket = self.versioned("again", "Suspended")
        self.assertEqual(self.put(bucket, "k", b"null"), "null")
        self.status(bucket, "Enabled")
        version = self.put(bucket, "k", b"new")
        self.assertEqual(self.listed(bucket), [("k", version, True, False), ("k", "null", False, False)])


class Lists(VersionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.s3.create_bucket(Bucket="list")
        cls.s3.put_bucket_versioning(Bucket="list", VersioningConfiguration={"Status": "Enabled"})
        cls.rows = []
        for key in ("a/1", "a/2", "b", "c d/ü", "~"):
            ids = [cls.s3.put_object(Bucket="list", Key=key, Body=b"x" * i)["VersionId"] for i in range(2)]
            cls.rows += [(key, ids[1]), (key, ids[0])]
        marker = cls.s3.delete_object(Bucket="list", Key="b")["VersionId"]
        cls.rows.insert(4, ("b", marker))

    def pages(self, size, **arguments):
        rows, markers, prefixes = [], {}, []
        for _ in range(50):
            page = self.s3.list_object_versions(Bucket="list", MaxKeys=size, **markers, **arguments)
            both = page.get("Versions", []) + page.get("DeleteMarkers", [])
            prefixes += [p["Prefix"] for p in page.get("CommonPrefixes", [])]
            self.assertLessEqual(len(both) + len(page.get("CommonPrefixes", [])), size)
            rows += [(v["Key"], v["VersionId"]) for v in both]
            if not page["IsTruncated"]:
                self.assertNotIn("NextKeyMarker", page)
                return rows, prefixes
            markers = {"KeyMarker": page["NextKeyMarker"]}
            if page.get("NextVersionIdMarker"):
                markers["VersionIdMarker"] = page["NextVersionIdMarker"]
        self.fail("the list does not end")

    def test_pages_of_every_size(self):
        for size in range(1, 13):
            with self.subTest(size):
                rows, _ = self.pages(size)
                self.assertEqual(sorted(rows), sorted(self.rows))

    def test_order(self):
        answer = raw(self.server, "GET", "/list?versions")
        text = answer.data.decode()
        at = [text.index(f"<VersionId>{version}</VersionId>") for _, version in self.rows]
        self.assertEqual(at, sorted(at))

    def test_prefix(self):
        self.assertEqual(self.pages(3, Prefix="a/")[0], self.rows[:4])
        self.assertEqual(self.pages(3, Prefix="none"), ([], []))

    def test_delimiter(self):
        for size in (1, 2, 3, 100):
            with self.subTest(size):
                rows, prefixes = self.pages(size, Delimiter="/")
                self.assertEqual(prefixes, ["a/", "c d/"])
                self.assertEqual({key for key, _ in rows}, {"b", "~"})
                self.assertEqual(len(rows), 5)

    def test_key_marker_alone(self):
        self.assertEqual({row[0] for row in self.listed("list", KeyMarker="a/2")}, {"b", "c d/ü", "~"})
        self.assertEqual({row[0] for row in self.listed("list", KeyMarker="a/15")}, {"a/2", "b", "c d/ü", "~"})

    def test_encoding(self):
        answer = raw(self.server, "GET", "/list?versions&encoding-type=url&prefix=c%20d")
        self.assertIn(b"<Key>c%20d/%C3%BC</Key>", answer.data)
        self.assertIn(b"<EncodingType>url</EncodingType>", answer.data)
        self.assertIn(b"<Prefix>c%20d</Prefix>", answer.data)

    def test_fields(self):
        page = self.s3.list_object_versions(Bucket="list", Prefix="~")
        version = page["Versions"][0]
        self.assertEqual((version["Size"], version["StorageClass"], version["IsLatest"]), (1, "STANDARD", True))
        self.assertEqual(version["ETag"], '"9dd4e461268c8034f5c8564e155c67a6"')
        self.assertIn("ID", version["Owner"])
        marker = self.s3.list_object_versions(Bucket="list", Prefix="b")["DeleteMarkers"][0]
        self.assertNotIn("Size", marker)
        self.assertIn("LastModified", marker)

    def test_max_keys(self):
        page = self.s3.list_object_versions(Bucket="list", MaxKeys=0)
        self.assertEqual((page["MaxKeys"], page["IsTruncated"]), (0, False))
        self.assertNotIn("Versions", page)
        self.assertEqual(self.s3.list_object_versions(Bucket="list", MaxKeys=5000)["MaxKeys"], 1000)
        self.assertEqual(raw(self.server, "GET", "/list?versions&max-keys=-1").status, 400)
        self.assertEqual(raw(self.server, "GET", "/list?versions&max-keys=x").status, 400)

    def test_markers_refused(self):
        for query in ("version-id-marker=null", "key-marker=a&version-id-marker=", "key-marker=a&version-id-marker=x"):
            with self.subTest(query):
                answer = raw(self.server, "GET", "/list?versions&" + query)
                self.assertEqual((answer.status, error_code(answer)), (400, "InvalidArgument"))
        self.fails("NoSuchBucket", 404, self.s3.list_object_versions, Bucket="nowhere")

    def test_a_bucket_is_emptied_page_by_page(self):
        # Each page is deleted before the next is asked for, so that the version of the marker is gone.
        bucket = self.versioned("emptied")
        for i in range(7):
            for _ in range(3):
                self.put(bucket, f"k{i % 3}")
        self.status(bucket, "Suspended")
        self.put(bucket, "k1")
        markers = {}
        while True:
            page = self.s3.list_object_versions(Bucket=bucket, MaxKeys=4, **markers)
            for v in page.get("Versions", []):
                self.s3.delete_object(Bucket=bucket, Key=v["Key"], VersionId=v["VersionId"])
            if not page["IsTruncated"]:
                break
            markers = {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page["NextVersionIdMarker"]}
        self.assertEqual(self.listed(bucket), [])
        self.s3.delete_bucket(Bucket=bucket)

    def test_cli(self):
        # The CLI asks for pages and shows the first three of all.
        out = json.loads(self.server.aws("s3api", "list-object-versions", "--bucket", "list", "--max-items", "3").stdout)
        self.assertEqual([v["VersionId"] for v in out["Versions"]], [version for _, version in self.rows[:3]])


class DeleteObjects(VersionCase):
    def test_versions_and_markers(self):
        bucket = self.versioned("many")
        version = self.put(bucket, "a")
        self.put(bucket, "b")
        marker = self.s3.delete_object(Bucket=bucket, Key="c")["VersionId"]
        answer = self.s3.delete_objects(Bucket=bucket, Delete={"Objects": [
            {"Key": "a", "VersionId": version}, {"Key": "b"}, {"Key": "c", "VersionId": marker}]})
        rows = {row["Key"]: row for row in answer["Deleted"]}
        self.assertEqual(rows["a"], {"Key": "a", "VersionId": version})
        self.assertTrue(rows["b"]["DeleteMarker"])
        self.assertNotIn("VersionId", rows["b"])
        self.assertEqual(rows["c"], {"Key": "c", "VersionId": marker, "DeleteMarker": True,
                                     "DeleteMarkerVersionId": marker})
        self.assertEqual([(r[0], r[3]) for r in self.listed(bucket)], [("b", False), ("b", True)])
        self.assertEqual(rows["b"]["DeleteMarkerVersionId"], self.listed(bucket)[1][1])

    def test_a_wrong_version_fails_by_itself(self):
        bucket = self.versioned("by-itself")
        self.put(bucket, "a")
        answer = self.s3.delete_objects(Bucket=bucket, Delete={"Objects": [
            {"Key": "a", "VersionId": "nonsense"}, {"Key": "a"}]})
        self.assertEqual([(e["Key"], e["VersionId"], e["Code"]) for e in answer["Errors"]],
                         [("a", "nonsense", "NoSuchVersion")])
        self.assertEqual(len(answer["Deleted"]), 1)

    def test_the_same_key_twice(self):
        bucket = self.versioned("twice")
        ids = [self.put(bucket, "a") for _ in range(3)]
        answer = self.s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "a", "VersionId": v} for v in ids]})
        self.assertEqual([row["VersionId"] for row in answer["Deleted"]], ids)
        self.assertEqual(self.listed(bucket), [])


class Tasks(VersionCase):
    def test_tasks_of_state_machines_tell_versions(self):
        bucket = self.versioned("tasks")
        states = self.server.client("stepfunctions")
        role = self.server.role("tasks", {"Effect": "Allow", "Action": "s3:*", "Resource": "*"})

        def task(action, **arguments):
            answer = states.create_state_machine(name=action + str(len(self.listed(bucket))), type="EXPRESS", roleArn=role,
                                                 definition=json.dumps({"StartAt": "A", "States": {"A": {
                                                     "Type": "Task", "Resource": "arn:aws:states:::aws-sdk:s3:" + action,
                                                     "Parameters": arguments, "End": True}}}))
            done = states.start_sync_execution(stateMachineArn=answer["stateMachineArn"], input="{}")
            self.assertEqual(done["status"], "SUCCEEDED", done)
            return json.loads(done["output"])
        made = task("putObject", Bucket=bucket, Key="k", Body="text")
        self.assertEqual(made["VersionId"], self.s3.head_object(Bucket=bucket, Key="k")["VersionId"])
        self.assertEqual(task("headObject", Bucket=bucket, Key="k")["VersionId"], made["VersionId"])
        gone = task("deleteObject", Bucket=bucket, Key="k")
        self.assertEqual((gone["DeleteMarker"], gone["VersionId"]), (True, self.listed(bucket)[1][1]))
        self.assertNotIn("VersionId", task("putObject", Bucket="bucket", Key="k", Body="text"))


class Kill(VersionCase):
    def test_versions_outlive_a_crash(self):
        bucket = self.versioned("outlive")
        ids = [self.put(bucket, "k", data) for data in DATA]
        marker = self.s3.delete_object(Bucket=bucket, Key="k")["VersionId"]
        self.server.kill()
        self.server.start()
        type(self).s3 = self.server.client("s3")
        self.assertEqual([(v, m) for _, v, _, m in self.listed(bucket)],
                         [(ids[2], False), (ids[1], False), (ids[0], False), (marker, True)])
        for version, data in zip(ids, DATA):
            self.assertEqual(self.body("k", bucket, VersionId=version), data)


if __name__ == "__main__":
    unittest.main()
