// SPDX-License-Identifier: LGPL-2.1-or-later
// Buckets: life, lists, versions, what is configured of them.
import assert from "node:assert/strict";
import { S3, bucket, call, client, fails, keys, s3, setting, text } from "./sdk.mjs";

const Bucket = "buckets";
const LISTED = Array.from({ length: 25 }, (_, i) => `d${i % 3}/key ${String(i).padStart(2, "0")}`).sort();

const life = [
  ["a bucket's life", async () => {
    const name = await bucket();
    const head = await call("HeadBucket", { Bucket: name });
    assert.equal(head.BucketRegion, "us-east-1");
    assert.equal((await call("GetBucketLocation", { Bucket: name })).LocationConstraint, undefined);
    const { Buckets, Owner } = await call("ListBuckets", {});
    const found = Buckets.find((one) => one.Name === name);
    assert.ok(found.CreationDate instanceof Date);
    assert.ok(Owner.ID);
    await call("DeleteBucket", { Bucket: name });
    await fails(call("HeadBucket", { Bucket: name }), S3.NotFound, 404);
    const waited = await S3.waitUntilBucketNotExists({ client: s3, maxWaitTime: 10 }, { Bucket: name });
    assert.equal(waited.state, "SUCCESS");
  }],
  ["a bucket that is not there", async () => {
    await fails(call("ListObjectsV2", { Bucket: "no-such-bucket" }), S3.NoSuchBucket, 404);
    await fails(call("GetObject", { Bucket: "no-such-bucket", Key: "k" }), "NoSuchBucket", 404);
    await fails(call("PutObject", { Bucket: "no-such-bucket", Key: "k", Body: "x" }), "NoSuchBucket", 404);
    await fails(call("DeleteBucket", { Bucket: "no-such-bucket" }), "NoSuchBucket", 404);
  }],
  ["a bucket that is there", async () => {
    const name = await bucket();
    await call("CreateBucket", { Bucket: name });  // in us-east-1 it is no error
    await fails(call("CreateBucket", { Bucket: name, CreateBucketConfiguration: { LocationConstraint: "us-east-1" } }),
      "InvalidLocationConstraint", 400);
  }],
  ["a bucket of another region", async () => {
    const by = client({ endpoint: setting.elsewhere, region: "eu-central-1" });
    const name = "elsewhere";
    await call("CreateBucket", { Bucket: name }, by);  // the SDK names the region
    assert.equal((await call("GetBucketLocation", { Bucket: name }, by)).LocationConstraint, "eu-central-1");
    await fails(call("CreateBucket", { Bucket: name }, by), S3.BucketAlreadyOwnedByYou, 409);
  }],
  ["a bucket with something in it", async () => {
    const name = await bucket();
    await call("PutObject", { Bucket: name, Key: "k", Body: "x" });
    await fails(call("DeleteBucket", { Bucket: name }), "BucketNotEmpty", 409);
  }],
  ["a name that is none", async () => {
    await fails(call("CreateBucket", { Bucket: "No_Name" }), "InvalidBucketName", 400);
  }],
  ["buckets page by page", async () => {
    const names = [];
    for await (const page of S3.paginateListBuckets({ client: s3, pageSize: 2 }, {})) names.push(...page.Buckets.map((b) => b.Name));
    assert.deepEqual(names, [...names].sort());
    assert.ok(names.includes(Bucket) && names.length === new Set(names).size);
  }],
];

const lists = [
  ["list, page by page", async () => {
    const { found, pages } = await keys(S3.paginateListObjectsV2, { paging: { pageSize: 10 }, command: { Bucket } });
    assert.deepEqual(found, LISTED);
    assert.equal(pages, 3);
  }],
  ["list below a prefix", async () => {
    const { found } = await keys(S3.paginateListObjectsV2, { paging: {}, command: { Bucket, Prefix: "d1/", StartAfter: "d1/key 10" } });
    assert.deepEqual(found, LISTED.filter((key) => key > "d1/key 10" && key < "d2"));
  }],
  ["list folders", async () => {
    const got = await call("ListObjectsV2", { Bucket, Delimiter: "/", FetchOwner: true });
    assert.deepEqual(got.CommonPrefixes, ["d0/", "d1/", "d2/"].map((Prefix) => ({ Prefix })));
    assert.equal(got.Contents, undefined);
    assert.equal(got.KeyCount, 3);
    assert.equal(got.IsTruncated, false);
  }],
  ["list in the old way", async () => {
    const found = [];
    let Marker;
    do {
      const page = await call("ListObjects", { Bucket, MaxKeys: 7, Marker, EncodingType: "url" });
      found.push(...page.Contents.map((one) => decodeURIComponent(one.Key.replaceAll("+", " "))));
      Marker = page.IsTruncated ? found.at(-1) : undefined;
    } while (Marker);
    assert.deepEqual(found, LISTED);
  }],
  ["list wrongly", async () => {
    await fails(call("ListObjectsV2", { Bucket, ContinuationToken: "no token" }), "InvalidArgument", 400);
    await fails(call("ListObjectsV2", { Bucket, MaxKeys: -1 }), "InvalidArgument", 400);
  }],
];

const versions = [
  ["versions", async () => {
    const name = await bucket();
    await call("PutBucketVersioning", { Bucket: name, VersioningConfiguration: { Status: "Enabled" } });
    assert.equal((await call("GetBucketVersioning", { Bucket: name })).Status, "Enabled");
    const one = await call("PutObject", { Bucket: name, Key: "k", Body: "one" });
    const two = await call("PutObject", { Bucket: name, Key: "k", Body: "two" });
    assert.notEqual(one.VersionId, two.VersionId);
    assert.equal(await text({ Bucket: name, Key: "k" }), "two");
    assert.equal(await text({ Bucket: name, Key: "k", VersionId: one.VersionId }), "one");
    const gone = await call("DeleteObject", { Bucket: name, Key: "k" });
    assert.equal(gone.DeleteMarker, true);
    await fails(call("GetObject", { Bucket: name, Key: "k" }), S3.NoSuchKey, 404);
    await fails(call("GetObject", { Bucket: name, Key: "k", VersionId: gone.VersionId }), "MethodNotAllowed", 405);
    const listed = await call("ListObjectVersions", { Bucket: name });
    assert.deepEqual(listed.Versions.map((v) => [v.VersionId, v.IsLatest]), [[two.VersionId, false], [one.VersionId, false]]);
    assert.deepEqual(listed.DeleteMarkers.map((m) => [m.VersionId, m.IsLatest]), [[gone.VersionId, true]]);
    await call("DeleteObject", { Bucket: name, Key: "k", VersionId: gone.VersionId });
    assert.equal(await text({ Bucket: name, Key: "k" }), "two");
    const Objects = [one, two].map(({ VersionId }) => ({ Key: "k", VersionId }));
    assert.equal((await call("DeleteObjects", { Bucket: name, Delete: { Objects } })).Deleted.length, 2);
    await call("DeleteBucket", { Bucket: name });
  }],
  ["versions, copied and suspended", async () => {
    const name = await bucket();
    await call("PutBucketVersioning", { Bucket: name, VersioningConfiguration: { Status: "Enabled" } });
    const { VersionId } = await call("PutObject", { Bucket: name, Key: "k", Body: "one" });
    await call("PutObject", { Bucket: name, Key: "k", Body: "two" });
    const done = await call("CopyObject", { Bucket: name, Key: "k", CopySource: `${name}/k?versionId=${VersionId}` });
    assert.equal(done.CopySourceVersionId, VersionId);
    assert.equal(await text({ Bucket: name, Key: "k" }), "one");
    await call("PutBucketVersioning", { Bucket: name, VersioningConfiguration: { Status: "Suspended" } });
    await call("PutObject", { Bucket: name, Key: "k", Body: "three" });
    assert.equal(await text({ Bucket: name, Key: "k", VersionId: "null" }), "three");
  }],
];

// What is put is given back. name: of the commands; field: of the input and of the answer
const kept = [
  ["BucketTagging", { TagSet: [{ Key: "a", Value: "ä" }] }, "Tagging", (got) => ({ TagSet: got.TagSet })],
  ["BucketCors", { CORSRules: [{ AllowedMethods: ["GET", "PUT"], AllowedOrigins: ["https://*.example.com"], AllowedHeaders: ["*"],
    ExposeHeaders: ["ETag"], MaxAgeSeconds: 60 }] }, "CORSConfiguration", (got) => ({ CORSRules: got.CORSRules })],
  ["BucketLifecycleConfiguration", { Rules: [{ ID: "r", Status: "Enabled", Filter: { Prefix: "tmp/" }, Expiration: { Days: 3 } }] },
    "LifecycleConfiguration", (got) => ({ Rules: got.Rules })],
  ["BucketOwnershipControls", { Rules: [{ ObjectOwnership: "BucketOwnerEnforced" }] }, "OwnershipControls",
    (got) => got.OwnershipControls],
  ["PublicAccessBlock", { BlockPublicAcls: true, IgnorePublicAcls: false, BlockPublicPolicy: true, RestrictPublicBuckets: false },
    "PublicAccessBlockConfiguration", (got) => got.PublicAccessBlockConfiguration],
  ["BucketNotificationConfiguration", { EventBridgeConfiguration: {} }, "NotificationConfiguration",
    (got) => ({ EventBridgeConfiguration: got.EventBridgeConfiguration })],
].map(([name, value, field, taken]) => [`${name} is kept`, async () => {
  const made = await bucket();
  await call(`Put${name}`, { Bucket: made, [field]: value });
  assert.deepEqual(taken(await call(`Get${name}`, { Bucket: made })), value);
}]);

const absent = [
  ["Get", "BucketPolicy", "NoSuchBucketPolicy"],
  ["Get", "BucketCors", "NoSuchCORSConfiguration"],
  ["Get", "BucketTagging", "NoSuchTagSet"],
  ["Get", "BucketLifecycleConfiguration", "NoSuchLifecycleConfiguration"],
  ["Get", "BucketWebsite", "NoSuchWebsiteConfiguration"],
  ["Get", "BucketReplication", "ReplicationConfigurationNotFoundError"],
].map(([verb, name, error]) => [`${name} that was never put`, () => fails(call(verb + name, { Bucket }), error, 404)]);

export async function prepare() {
  await call("CreateBucket", { Bucket });
  await Promise.all(LISTED.map((Key) => call("PutObject", { Bucket, Key, Body: "x" })));
}

export const cases = [...life, ...lists, ...versions, ...kept, ...absent];
