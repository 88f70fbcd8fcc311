// SPDX-License-Identifier: LGPL-2.1-or-later
// Objects: bodies of each kind, reads, fields, checksums, copies, conditions, tags.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { Readable } from "node:stream";
import { S3, bytes, call, client, fails, random, s3, seen, setting, text } from "./sdk.mjs";

const Bucket = "objects";
const SUMS = ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"];
const ODD = ["a b+c", "100%25", "a//b", "../up", "é/ü/日本語", "🐋", "a&b=c?d#e", "'quoted\"(*)!~", " lead", "<tag>&amp;", "tab\there"];

function put(Key, Body, more = {}) {
  return call("PutObject", { Bucket, Key, Body, ...more });
}

async function* pieces(body, size) {
  for (let at = 0; at < body.length; at += size) yield body.subarray(at, at + size);
}

const bodies = [
  ["a text", () => "what was put"],
  ["an empty body", () => ""],
  ["no body", () => undefined],
  ["a buffer", () => random(5_000_000)],
  ["a Uint8Array", () => new Uint8Array(random(70_001))],
  ["text outside ASCII", () => "Grüße, 世界 🐋"],
].map(([name, make]) => [`put and get ${name}`, async () => {
  const body = make();
  const done = await put("body", body);
  const wanted = Buffer.from(body ?? "");
  assert.equal(done.ETag, `"${createHash("md5").update(wanted).digest("hex")}"`);
  assert.deepEqual(await bytes({ Bucket, Key: "body" }), wanted);
}]);

const streams = [
  ["put a file's stream", async () => {
    const name = path.join(setting.folder, "file");
    const body = random(3_000_000);
    await writeFile(name, body);
    const { headers } = await seen("PutObject", { Bucket, Key: "file", Body: createReadStream(name), ContentLength: body.length });
    assert.equal(headers["x-amz-content-sha256"], "STREAMING-UNSIGNED-PAYLOAD-TRAILER");
    assert.equal(headers["x-amz-trailer"], "x-amz-checksum-crc32");
    const got = await call("GetObject", { Bucket, Key: "file", ChecksumMode: "ENABLED" });
    assert.deepEqual(Buffer.from(await got.Body.transformToByteArray()), body);
    assert.ok(got.ChecksumCRC32);
    assert.equal(got.ContentEncoding, undefined);
  }],
  ["put a stream of odd pieces", async () => {
    const body = random(300_001);
    await put("pieces", Readable.from(pieces(body, 777)), { ContentLength: body.length });
    assert.deepEqual(await bytes({ Bucket, Key: "pieces" }), body);
  }],
  ["put a stream of unknown length is refused", async () => {
    const none = client({ requestChecksumCalculation: "WHEN_REQUIRED" });  // with checksums the SDK itself refuses it
    const Body = Readable.from(pieces(random(1000), 100));
    await fails(call("PutObject", { Bucket, Key: "unknown", Body }, none), "MissingContentLength", 411);
    await fails(call("HeadObject", { Bucket, Key: "unknown" }), S3.NotFound, 404);
  }],
  ["get as a stream", async () => {
    const body = random(2_000_000);
    await put("streamed", body);
    const parts = [];
    for await (const part of (await call("GetObject", { Bucket, Key: "streamed" })).Body) parts.push(part);
    assert.deepEqual(Buffer.concat(parts), body);
  }],
  ["get as a web stream", async () => {
    await put("web", "of the web");
    const got = await call("GetObject", { Bucket, Key: "web" });
    assert.equal(await new Response(got.Body.transformToWebStream()).text(), "of the web");
  }],
];

const reads = [
  ["ranges", async () => {
    await put("digits", "0123456789");
    for (const [Range, body, told] of [["bytes=0-0", "0", "0-0"], ["bytes=2-4", "234", "2-4"], ["bytes=7-", "789", "7-9"],
      ["bytes=-3", "789", "7-9"], ["bytes=5-100", "56789", "5-9"]]) {
      const got = await call("GetObject", { Bucket, Key: "digits", Range });
      assert.equal(got.$metadata.httpStatusCode, 206);
      assert.equal(got.ContentRange, `bytes ${told}/10`);
      assert.equal(got.ContentLength, body.length);
      assert.equal(await got.Body.transformToString(), body);
    }
    await fails(call("GetObject", { Bucket, Key: "digits", Range: "bytes=10-" }), "InvalidRange", 416);
  }],
  ["head", async () => {
    const done = await put("head", "12345", { ContentType: "text/x-of-ours" });
    const head = await call("HeadObject", { Bucket, Key: "head" });
    assert.equal(head.ContentLength, 5);
    assert.equal(head.ContentType, "text/x-of-ours");
    assert.equal(head.ETag, done.ETag);
    assert.equal(head.AcceptRanges, "bytes");
    assert.ok(Math.abs(head.LastModified.getTime() - Date.now()) < 600_000);
    await fails(call("HeadObject", { Bucket, Key: "none" }), S3.NotFound, 404);
  }],
  ["delete", async () => {
    await put("gone", "x");
    const done = await call("DeleteObject", { Bucket, Key: "gone" });
    assert.equal(done.$metadata.httpStatusCode, 204);
    await fails(call("GetObject", { Bucket, Key: "gone" }), S3.NoSuchKey, 404);
    await call("DeleteObject", { Bucket, Key: "gone" });
  }],
  ["delete many", async () => {
    const names = ["m/1", "m/2 &<>", "m/é", "m/none"];
    for (const key of names.slice(0, 3)) await put(key, key);
    const done = await call("DeleteObjects", { Bucket, Delete: { Objects: names.map((Key) => ({ Key })) } });
    assert.deepEqual(done.Deleted.map((one) => one.Key).sort(), [...names].sort());
    assert.equal(done.Errors, undefined);
    assert.equal((await call("ListObjectsV2", { Bucket, Prefix: "m/" })).KeyCount, 0);
  }],
  ["keys of every kind", async () => {
    for (const key of ODD) await put(`odd/${key}`, key);
    for (const key of ODD) assert.equal(await text({ Bucket, Key: `odd/${key}` }), key);
    const listed = await call("ListObjectsV2", { Bucket, Prefix: "odd/" });
    assert.deepEqual(listed.Contents.map((one) => one.Key).sort(), ODD.map((key) => `odd/${key}`).sort());
  }],
  ["fields of the answer that a reader asks for", async () => {
    await put("response", "x", { ContentType: "text/plain" });
    const got = await call("GetObject", { Bucket, Key: "response", ResponseContentType: "image/png",
      ResponseContentDisposition: 'attachment; filename="a b.png"', ResponseCacheControl: "no-store" });
    assert.equal(got.ContentType, "image/png");
    assert.equal(got.ContentDisposition, 'attachment; filename="a b.png"');
    assert.equal(got.CacheControl, "no-store");
  }],
  ["wait until it is there, and until it is gone", async () => {
    await put("waited", "x");
    const times = { client: s3, maxWaitTime: 10 };
    assert.equal((await S3.waitUntilObjectExists(times, { Bucket, Key: "waited" })).state, "SUCCESS");
    await call("DeleteObject", { Bucket, Key: "waited" });
    assert.equal((await S3.waitUntilObjectNotExists(times, { Bucket, Key: "waited" })).state, "SUCCESS");
  }],
  ["fifty at once", async () => {
    const all = Array.from({ length: 50 }, (_, i) => `at-once/${i}`);
    await Promise.all(all.map((key) => put(key, key)));
    assert.deepEqual(await Promise.all(all.map((Key) => text({ Bucket, Key }))), all);
  }],
];

const fields = [
  ["fields come back as they were sent", async () => {
    const kept = { CacheControl: "max-age=60", ContentDisposition: 'inline; filename="x"', ContentEncoding: "br",
      ContentLanguage: "de, en", ContentType: "video/mp4", StorageClass: "STANDARD_IA", ServerSideEncryption: "AES256",
      WebsiteRedirectLocation: "/elsewhere", Metadata: { one: "1", "with-dash": "a  b", empty: "" } };
    await put("fields", "x", { ...kept, Expires: new Date("2031-02-03T04:05:06Z") });
    const head = await call("HeadObject", { Bucket, Key: "fields" });
    for (const [name, value] of Object.entries(kept)) assert.deepEqual(head[name], value, name);
    assert.equal(head.ExpiresString, "Mon, 03 Feb 2031 04:05:06 GMT");
  }],
  ["metadata outside ASCII, as encoded words", async () => {
    const word = `=?UTF-8?B?${Buffer.from("Grüße 世界").toString("base64")}?=`;
    await put("words", "x", { Metadata: { title: word, percent: encodeURIComponent("世界") } });
    const got = (await call("HeadObject", { Bucket, Key: "words" })).Metadata;
    const decoded = /^=\?UTF-8\?B\?(.*)\?=$/i.exec(got.title);
    assert.equal(Buffer.from(decoded[1], "base64").toString(), "Grüße 世界");
    assert.equal(decodeURIComponent(got.percent), "世界");
  }],
  ["metadata outside ASCII, as it is", async () => {  // the example of AWS's user guide: UTF-8 is read as ISO 8859-1
    await put("letters", "x", { Metadata: { nonascii: "ÄMÄZÕÑ S3" } });
    const head = await call("HeadObject", { Bucket, Key: "letters" });
    assert.equal(head.Metadata.nonascii, "=?UTF-8?B?w4PChE3Dg8KEWsODwpXDg8KRIFMz?=");
  }],
  ["metadata of more than 2 KB is refused", async () => {
    await fails(put("much", "x", { Metadata: { much: "x".repeat(2100) } }), "MetadataTooLarge", 400);
  }],
  ["attributes", async () => {
    await put("attributes", "12345", { ChecksumAlgorithm: "SHA256" });
    const got = await call("GetObjectAttributes", { Bucket, Key: "attributes",
      ObjectAttributes: ["ETag", "Checksum", "ObjectSize", "StorageClass"] });
    assert.equal(got.ObjectSize, 5);
    assert.equal(got.StorageClass, "STANDARD");
    assert.equal(got.Checksum.ChecksumSHA256, createHash("sha256").update("12345").digest("base64"));
    assert.match(got.ETag, /^[0-9a-f]{32}$/);
  }],
  ["tags", async () => {
    await put("tagged", "x", { Tagging: "a=1&b=x%20y" });
    assert.equal((await call("GetObject", { Bucket, Key: "tagged" })).TagCount, 2);
    const TagSet = [{ Key: "colour", Value: "grün" }, { Key: "empty", Value: "" }];
    await call("PutObjectTagging", { Bucket, Key: "tagged", Tagging: { TagSet } });
    assert.deepEqual((await call("GetObjectTagging", { Bucket, Key: "tagged" })).TagSet, TagSet);
    await call("DeleteObjectTagging", { Bucket, Key: "tagged" });
    assert.deepEqual((await call("GetObjectTagging", { Bucket, Key: "tagged" })).TagSet, []);
    const eleven = Array.from({ length: 11 }, (_, i) => ({ Key: `${i}`, Value: "" }));
    await fails(call("PutObjectTagging", { Bucket, Key: "tagged", Tagging: { TagSet: eleven } }), "InvalidTag", 400);
  }],
  ["what is not served is refused by name", async () => {
    const error = await fails(call("SelectObjectContent", { Bucket, Key: "x", Expression: "select 1", ExpressionType: "SQL",
      InputSerialization: { CSV: {} }, OutputSerialization: { CSV: {} } }), "NotImplemented", 501);
    assert.match(error.message, /select/);
  }],
];

// Of a buffer the SDK sends the checksum in a field, of a stream in a trailer.
const checksums = SUMS.flatMap((sum) => [["a buffer", (b) => b], ["a stream", (b) => Readable.from(pieces(b, 9000))]].map(
  ([what, body]) => [`checksum ${sum} of ${what}`, async () => {
    const sent = random(100_003);
    const Key = `sum-${sum}`;
    const { answer, headers } = await seen("PutObject", { Bucket, Key, Body: body(sent), ContentLength: sent.length,
      ChecksumAlgorithm: sum });
    const field = `x-amz-checksum-${sum.toLowerCase()}`;
    assert.ok(headers[field] || headers["x-amz-trailer"] === field, "the SDK sent none");
    assert.ok(answer[`Checksum${sum}`]);
    assert.equal(answer.ChecksumType, "FULL_OBJECT");
    const got = await call("GetObject", { Bucket, Key, ChecksumMode: "ENABLED" });
    assert.equal(got[`Checksum${sum}`], answer[`Checksum${sum}`]);
    assert.deepEqual(Buffer.from(await got.Body.transformToByteArray()), sent);  // the SDK compares, too
  }]));

const more_checksums = [
  ["checksum by default is CRC32", async () => {
    const { answer, headers } = await seen("PutObject", { Bucket, Key: "default", Body: "123456789" });
    assert.equal(headers["x-amz-checksum-crc32"], "y/Q5Jg==");
    assert.equal(answer.ChecksumCRC32, "y/Q5Jg==");
  }],
  ["a wrong checksum is refused", async () => {
    await fails(put("wrong", "123456789", { ChecksumCRC32: "AAAAAA==" }), "BadDigest", 400);
    await fails(put("wrong", "123456789", { ContentMD5: "AAAAAAAAAAAAAAAAAAAAAA==" }), "BadDigest", 400);
    await fails(put("wrong", "123456789", { ContentMD5: "no digest" }), "InvalidDigest", 400);
    await fails(call("HeadObject", { Bucket, Key: "wrong" }), S3.NotFound, 404);
  }],
  ["a client that sends none", async () => {
    const none = client({ requestChecksumCalculation: "WHEN_REQUIRED", responseChecksumValidation: "WHEN_REQUIRED" });
    const { headers } = await seen("PutObject", { Bucket, Key: "none-sent", Body: "123456789" }, none);
    assert.equal(Object.keys(headers).find((name) => name.startsWith("x-amz-checksum")), undefined);
    assert.equal(await text({ Bucket, Key: "none-sent" }, none), "123456789");
    assert.equal((await call("HeadObject", { Bucket, Key: "none-sent", ChecksumMode: "ENABLED" })).ChecksumCRC64NVME, "rosUhgp5mIg=");
  }],
];

const copies = [
  ["copy", async () => {
    await put("from é+ %", "copied", { ContentType: "text/csv", Metadata: { kept: "yes" }, Tagging: "t=1" });
    const CopySource = `${Bucket}/${encodeURIComponent("from é+ %")}`;
    const done = await call("CopyObject", { Bucket, Key: "to", CopySource });
    assert.match(done.CopyObjectResult.ETag, /^"[0-9a-f]{32}"$/);
    assert.ok(done.CopyObjectResult.LastModified instanceof Date);
    const got = await call("GetObject", { Bucket, Key: "to" });
    assert.equal(await got.Body.transformToString(), "copied");
    assert.deepEqual([got.ContentType, got.Metadata, got.TagCount], ["text/csv", { kept: "yes" }, 1]);
    await call("CopyObject", { Bucket, Key: "to", CopySource, MetadataDirective: "REPLACE", Metadata: { new: "1" },
      ContentType: "text/plain", TaggingDirective: "REPLACE", Tagging: "" });
    const head = await call("HeadObject", { Bucket, Key: "to" });
    assert.deepEqual([head.ContentType, head.Metadata], ["text/plain", { new: "1" }]);
  }],
  ["copy refused", async () => {
    await put("self", "x");
    await fails(call("CopyObject", { Bucket, Key: "self", CopySource: `${Bucket}/self` }), "InvalidRequest", 400);
    await fails(call("CopyObject", { Bucket, Key: "x", CopySource: `${Bucket}/none` }), S3.NoSuchKey, 404);
    await fails(call("CopyObject", { Bucket, Key: "x", CopySource: "no-such-bucket/x" }), S3.NoSuchBucket, 404);
    await fails(call("CopyObject", { Bucket, Key: "x", CopySource: `${Bucket}/self`, CopySourceIfMatch: '"0"' }),
      "PreconditionFailed", 412);
  }],
];

const conditions = [
  ["reads on conditions", async () => {
    const { ETag } = await put("conditions", "x");
    assert.equal(await text({ Bucket, Key: "conditions", IfMatch: ETag }), "x");
    await fails(call("GetObject", { Bucket, Key: "conditions", IfMatch: '"0"' }), "PreconditionFailed", 412);
    await assert.rejects(call("GetObject", { Bucket, Key: "conditions", IfNoneMatch: ETag }),
      (e) => e.$metadata.httpStatusCode === 304);
    const { LastModified } = await call("HeadObject", { Bucket, Key: "conditions" });
    await assert.rejects(call("HeadObject", { Bucket, Key: "conditions", IfModifiedSince: LastModified }),
      (e) => e.$metadata.httpStatusCode === 304);
  }],
  ["writes on conditions", async () => {
    const first = await put("once", "1", { IfNoneMatch: "*" });
    await fails(put("once", "2", { IfNoneMatch: "*" }), "PreconditionFailed", 412);
    await put("once", "3", { IfMatch: first.ETag });
    await fails(put("once", "4", { IfMatch: first.ETag }), "PreconditionFailed", 412);
    await fails(put("never", "5", { IfMatch: first.ETag }), S3.NoSuchKey, 404);
    assert.equal(await text({ Bucket, Key: "once" }), "3");
  }],
  ["one of many writers comes first", async () => {
    const all = await Promise.allSettled(Array.from({ length: 10 }, (_, i) => put("race", `${i}`, { IfNoneMatch: "*" })));
    assert.equal(all.filter((one) => one.status === "fulfilled").length, 1);
    const winner = all.findIndex((one) => one.status === "fulfilled");
    assert.equal(await text({ Bucket, Key: "race" }), `${winner}`);
  }],
  ["delete on a condition", async () => {
    const { ETag } = await put("deleted", "x");
    await fails(call("DeleteObject", { Bucket, Key: "deleted", IfMatch: '"0"' }), "PreconditionFailed", 412);
    await call("DeleteObject", { Bucket, Key: "deleted", IfMatch: ETag });
  }],
];

export async function prepare() {
  await call("CreateBucket", { Bucket });
}

export const cases = [...bodies, ...streams, ...reads, ...fields, ...checksums, ...more_checksums, ...copies, ...conditions];
