// SPDX-License-Identifier: LGPL-2.1-or-later
// Multipart uploads: by lib-storage, and call by call.
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { S3, Upload, bytes, call, fails, random, s3 } from "./sdk.mjs";

const Bucket = "uploads";
const MB = 1 << 20;

async function* pieces(body, size) {
  for (let at = 0; at < body.length; at += size) yield body.subarray(at, at + size);
}

function upload(Key, Body, more = {}) {
  return new Upload({ client: s3, params: { Bucket, Key, Body, ...more }, partSize: 5 * MB, queueSize: 3 });
}

async function begin(Key, more = {}) {
  const { UploadId } = await call("CreateMultipartUpload", { Bucket, Key, ...more });
  return { Bucket, Key, UploadId };
}

const by_library = [
  ["upload of a stream of unknown length", async () => {
    const body = random(12 * MB + 17);
    const work = upload("unknown", Readable.from(pieces(body, 100_000)), { ContentType: "video/mp4", Metadata: { a: "b" } });
    const told = [];
    work.on("httpUploadProgress", (now) => told.push(now.loaded));
    const done = await work.done();
    assert.match(done.ETag, /-3"$/);
    assert.equal(done.Bucket, Bucket);
    assert.equal(done.Key, "unknown");
    assert.equal(told.at(-1), body.length);
    assert.deepEqual(await bytes({ Bucket, Key: "unknown" }), body);
    const head = await call("HeadObject", { Bucket, Key: "unknown" });
    assert.deepEqual([head.ContentType, head.Metadata], ["video/mp4", { a: "b" }]);
  }],
  ["upload of little is a put", async () => {
    const done = await upload("little", Readable.from(pieces(random(1000), 100))).done();
    assert.match(done.ETag, /^"[0-9a-f]{32}"$/);
  }],
  ["upload of a stream of nothing", async () => {
    await upload("nothing", Readable.from([])).done();
    assert.equal((await call("HeadObject", { Bucket, Key: "nothing" })).ContentLength, 0);
  }],
  ["upload with tags", async () => {
    const work = new Upload({ client: s3, params: { Bucket, Key: "tagged", Body: random(6 * MB) }, partSize: 5 * MB,
      tags: [{ Key: "a", Value: "1" }] });
    await work.done();
    assert.deepEqual((await call("GetObjectTagging", { Bucket, Key: "tagged" })).TagSet, [{ Key: "a", Value: "1" }]);
  }],
  ["upload that is aborted", async () => {
    const work = upload("aborted", random(20 * MB));
    work.once("httpUploadProgress", () => work.abort());
    await assert.rejects(work.done(), (e) => e.name === "AbortError");
    await fails(call("HeadObject", { Bucket, Key: "aborted" }), S3.NotFound, 404);
  }],
  ["parts of an upload by number", async () => {
    const body = random(11 * MB);
    await upload("parts", body).done();
    for (const [PartNumber, from, to] of [[1, 0, 5], [2, 5, 10], [3, 10, 11]]) {
      const got = await call("GetObject", { Bucket, Key: "parts", PartNumber });
      assert.equal(got.PartsCount, 3);
      assert.equal(got.ContentRange, `bytes ${from * MB}-${to * MB - 1}/${body.length}`);
      assert.deepEqual(Buffer.from(await got.Body.transformToByteArray()), body.subarray(from * MB, to * MB));
    }
    await fails(call("GetObject", { Bucket, Key: "parts", PartNumber: 4 }), "InvalidPartNumber", 416);
  }],
].concat([["CRC32", "FULL_OBJECT"], ["CRC32C", "COMPOSITE"], ["CRC64NVME", "FULL_OBJECT"], ["SHA1", "COMPOSITE"],
  ["SHA256", "COMPOSITE"]].map(([sum, kind]) => [`upload with ${sum} (${kind})`, async () => {
  const body = random(6 * MB);
  await upload(`sum-${sum}`, Readable.from(pieces(body, 65536)), { ChecksumAlgorithm: sum, ChecksumType: kind }).done();
  const head = await call("HeadObject", { Bucket, Key: `sum-${sum}`, ChecksumMode: "ENABLED" });
  assert.equal(head.ChecksumType, kind);
  assert.equal(/-2$/.test(head[`Checksum${sum}`]), kind === "COMPOSITE");
  assert.deepEqual(await bytes({ Bucket, Key: `sum-${sum}` }), body);
}]));

const by_hand = [
  ["upload call by call", async () => {
    const one = random(5 * MB);
    const work = await begin("by-hand", { ChecksumAlgorithm: "CRC32" });
    const first = await call("UploadPart", { ...work, PartNumber: 1, Body: one, ChecksumAlgorithm: "CRC32" });
    const second = await call("UploadPart", { ...work, PartNumber: 7, Body: "the end", ChecksumAlgorithm: "CRC32" });
    const Parts = [[1, first], [7, second]].map(([PartNumber, p]) => ({ PartNumber, ETag: p.ETag, ChecksumCRC32: p.ChecksumCRC32 }));
    const listed = await call("ListParts", work);
    assert.deepEqual(listed.Parts.map((p) => [p.PartNumber, p.Size, p.ChecksumCRC32]),
      [[1, 5 * MB, first.ChecksumCRC32], [7, 7, second.ChecksumCRC32]]);
    const done = await call("CompleteMultipartUpload", { ...work, MultipartUpload: { Parts } });
    assert.match(done.Location, /by-hand$/);
    assert.match(done.ETag, /-2"$/);
    assert.deepEqual(await bytes({ Bucket, Key: "by-hand" }), Buffer.concat([one, Buffer.from("the end")]));
  }],
  ["parts that are copies", async () => {
    const body = random(8 * MB);
    await call("PutObject", { Bucket, Key: "source", Body: body });
    const work = await begin("copied");
    const Parts = [];
    for (const [PartNumber, from, to] of [[1, 0, 6 * MB], [2, 6 * MB, 8 * MB]]) {
      const { CopyPartResult } = await call("UploadPartCopy", { ...work, PartNumber, CopySource: `${Bucket}/source`,
        CopySourceRange: `bytes=${from}-${to - 1}` });
      Parts.push({ PartNumber, ETag: CopyPartResult.ETag });
    }
    await call("CompleteMultipartUpload", { ...work, MultipartUpload: { Parts } });
    assert.deepEqual(await bytes({ Bucket, Key: "copied" }), body);
  }],
  ["list parts, page by page", async () => {
    const work = await begin("paged");
    for (let PartNumber = 1; PartNumber <= 5; PartNumber++) await call("UploadPart", { ...work, PartNumber, Body: "x" });
    const found = [];
    for await (const page of S3.paginateListParts({ client: s3, pageSize: 2 }, work))
      found.push(...page.Parts.map((p) => p.PartNumber));
    assert.deepEqual(found, [1, 2, 3, 4, 5]);
    await call("AbortMultipartUpload", work);
  }],
  ["list uploads, and abort", async () => {
    const work = await begin("listed/é");
    const listed = await call("ListMultipartUploads", { Bucket, Prefix: "listed/" });
    assert.deepEqual(listed.Uploads.map((u) => [u.Key, u.UploadId]), [[work.Key, work.UploadId]]);
    await call("AbortMultipartUpload", work);
    await fails(call("ListParts", work), "NoSuchUpload", 404);
    await fails(call("AbortMultipartUpload", work), S3.NoSuchUpload, 404);
    await fails(call("UploadPart", { ...work, PartNumber: 1, Body: "x" }), "NoSuchUpload", 404);
  }],
  ["completions that are refused", async () => {
    const work = await begin("refused");
    const { ETag } = await call("UploadPart", { ...work, PartNumber: 1, Body: "small" });
    await call("UploadPart", { ...work, PartNumber: 2, Body: "last" });
    const complete = (Parts) => call("CompleteMultipartUpload", { ...work, MultipartUpload: { Parts } });
    const two = (await call("ListParts", work)).Parts.map((p) => ({ PartNumber: p.PartNumber, ETag: p.ETag }));
    await fails(complete(two), "EntityTooSmall", 400);
    await fails(complete([{ PartNumber: 1, ETag: '"0"' }]), "InvalidPart", 400);
    await fails(complete([...two].reverse()), "InvalidPartOrder", 400);
    await complete([{ PartNumber: 1, ETag }]);
  }],
  ["a completion on a condition", async () => {
    await call("PutObject", { Bucket, Key: "there", Body: "x" });
    const work = await begin("there");
    const { ETag } = await call("UploadPart", { ...work, PartNumber: 1, Body: "y" });
    await fails(call("CompleteMultipartUpload", { ...work, IfNoneMatch: "*",
      MultipartUpload: { Parts: [{ PartNumber: 1, ETag }] } }), "PreconditionFailed", 412);
  }],
];

export async function prepare() {
  await call("CreateBucket", { Bucket });
}

export const cases = [...by_library, ...by_hand];
