# SPDX-License-Identifier: LGPL-2.1-or-later
"""A database of each earlier version (schema/N.sql has its tables) is opened: afterwards it has the columns, keys, indexes and
triggers of a new one, and the rows it had."""
import pathlib
import sqlite3
import subprocess
import tempfile
import unittest

from server import Server, program

SCHEMAS = pathlib.Path(__file__).with_name("schema")
FILE = "00/00000000000000000000000000000000"
ROWS = """
    INSERT INTO settings (name, value) VALUES ('kept', 'yes');
    INSERT INTO buckets (name, region, created_ms, eventbridge) VALUES ('bucket', 'us-east-1', 1, 1);
    INSERT INTO objects (bucket, key, file, size, etag, content_type, headers, modified_ms)
      VALUES ('bucket', 'key', '%s', 4, '8d777f385d3dfec8815d20f7496026dc', 'text/plain', '{}', 5);
    INSERT INTO mcjobs (id, status, request, priority, created_ms, started_ms, finished_ms, percent, phase, error_code, error,
      details) VALUES ('old', 'COMPLETE', '{}', 0, 1, 2, 3, 100, '', 0, '', '{}');
    INSERT INTO uploads (id, bucket, key, headers, created_ms) VALUES ('up', 'bucket', 'film', '{}', 6);
""" % FILE


def layout(path):
    """A line for each column, key, index and trigger, whatever the order of columns is."""
    lines = []
    with sqlite3.connect(path) as db:
        for (table,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
            lines += ["column %s.%s %s" % (table, row[1], row[2:]) for row in db.execute("PRAGMA table_info(%s)" % table)]
            lines += ["key %s %s" % (table, row[2:]) for row in db.execute("PRAGMA foreign_key_list(%s)" % table)]
            for _, name, unique, _, partial in db.execute("PRAGMA index_list(%s)" % table).fetchall():
                columns = [row[2] for row in db.execute("PRAGMA index_info('%s')" % name)]
                lines.append("index %s %s %s %s" % (table, unique, partial, columns))
        lines += ["trigger %s %s" % row for row in db.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'")]
    return sorted(lines)


def version_of(path):
    with sqlite3.connect(path) as db:
        return db.execute("PRAGMA user_version").fetchone()[0]


class Schema(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="spyhop-schema-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def fsck(self, data, code=0):
        done = subprocess.run([program(), "fsck", "--data", data, "--scrub"], capture_output=True, text=True, timeout=60,
                              check=False)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stderr

    def make(self, name, sql="", version=0):
        data = self.folder / name
        (data / "objects/00").mkdir(parents=True)
        (data / "objects" / FILE).write_bytes(b"data")
        with sqlite3.connect(data / "spyhop.db") as db:
            db.executescript(sql)
            db.execute("PRAGMA user_version = %d" % version)
        return data

    def test_every_version(self):
        fresh = self.make("fresh")
        (fresh / "objects" / FILE).unlink()
        self.fsck(fresh)
        current = version_of(fresh / "spyhop.db")
        expected = layout(fresh / "spyhop.db")
        self.assertGreater(len(expected), 100)
        for version in range(1, current):
            with self.subTest(version=version):
                sql = (SCHEMAS / ("%d.sql" % version)).read_text(encoding="ascii")
                data = self.make(str(version), sql + ROWS, version)
                self.fsck(data)
                self.assertEqual(layout(data / "spyhop.db"), expected)
                self.assertEqual(version_of(data / "spyhop.db"), current)
                with sqlite3.connect(data / "spyhop.db") as db:
                    self.assertEqual(db.execute("SELECT queue, settings FROM mcjobs").fetchall(), [("Default", None)])
                self.fsck(data)  # nothing is done twice
                with Server(data=str(data)) as server:
                    s3 = server.client("s3")
                    self.assertEqual(s3.get_object(Bucket="bucket", Key="key")["Body"].read(), b"data")
                    self.assertNotIn("Status", s3.get_bucket_versioning(Bucket="bucket"))
                    self.assertEqual([u["UploadId"] for u in s3.list_multipart_uploads(Bucket="bucket")["Uploads"]], ["up"])

    def test_a_later_version(self):
        data = self.make("later", version=1000)
        self.assertIn("newer version", self.fsck(data, 1))
        self.assertEqual(version_of(data / "spyhop.db"), 1000)


if __name__ == "__main__":
    unittest.main()
