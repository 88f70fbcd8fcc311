// SPDX-License-Identifier: LGPL-2.1-or-later
// Who may: presigned addresses, forms, other origins, policies, keys of roles, hosts, wrong keys.
import assert from "node:assert/strict";
import { AssumeRoleCommand, GetCallerIdentityCommand, S3, bucket, bytes, call, client, code, createPresignedPost, fails, getSignedUrl,
  random, s3, setting, text, tokens } from "./sdk.mjs";

const Bucket = "access";

function signed(name, input, options = {}) {
  return getSignedUrl(s3, new S3[`${name}Command`]({ Bucket, ...input }), { expiresIn: 300, ...options });
}

async function refused(answer, status, wanted) {
  const document = await answer.text();
  assert.equal(answer.status, status, document);
  assert.equal(code(document), wanted, document);
}

function address(Key, name = Bucket) {
  return `${setting.endpoint}/${name}/${Key}`;
}

const addresses = [
  ["presigned get", async () => {
    const Key = "a b/é+.txt";
    await call("PutObject", { Bucket, Key, Body: "signed", ContentType: "text/plain" });
    const answer = await fetch(await signed("GetObject", { Key, ResponseContentType: "text/html" }));
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get("content-type"), "text/html");
    assert.equal(await answer.text(), "signed");
    const part = await fetch(await signed("GetObject", { Key }), { headers: { Range: "bytes=1-3" } });
    assert.deepEqual([part.status, await part.text()], [206, "ign"]);
  }],
  ["presigned head and delete", async () => {
    await call("PutObject", { Bucket, Key: "hd", Body: "12345" });
    const head = await fetch(await signed("HeadObject", { Key: "hd" }), { method: "HEAD" });
    assert.deepEqual([head.status, head.headers.get("content-length")], [200, "5"]);
    assert.equal((await fetch(await signed("DeleteObject", { Key: "hd" }), { method: "DELETE" })).status, 204);
    await fails(call("HeadObject", { Bucket, Key: "hd" }), S3.NotFound, 404);
  }],
  ["presigned put", async () => {
    const body = random(1_000_000);
    const url = await signed("PutObject", { Key: "put", ContentType: "video/mp4", Metadata: { of: "us" } });
    const answer = await fetch(url, { method: "PUT", body, headers: { "Content-Type": "video/mp4" } });
    assert.equal(answer.status, 200, await answer.text());
    assert.deepEqual(await bytes({ Bucket, Key: "put" }), body);
    const head = await call("HeadObject", { Bucket, Key: "put" });
    assert.deepEqual([head.ContentType, head.Metadata], ["video/mp4", { of: "us" }]);
  }],
  ["presigned put of a signed field", async () => {
    const url = await signed("PutObject", { Key: "typed", ContentType: "text/css" }, { signableHeaders: new Set(["content-type"]) });
    const send = (type) => fetch(url, { method: "PUT", body: "x", headers: { "Content-Type": type } });
    await refused(await send("text/html"), 403, "SignatureDoesNotMatch");
    assert.equal((await send("text/css")).status, 200);
  }],
  ["presigned put of a checksum", async () => {
    const url = await signed("PutObject", { Key: "summed", ChecksumSHA256: "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU=" });
    await refused(await fetch(url, { method: "PUT", body: "another" }), 400, "BadDigest");
    assert.equal((await fetch(url, { method: "PUT", body: "123456789" })).status, 200);
  }],
  ["presigned parts of an upload", async () => {
    const { UploadId } = await call("CreateMultipartUpload", { Bucket, Key: "parts" });
    const url = await signed("UploadPart", { Key: "parts", UploadId, PartNumber: 1 });
    const answer = await fetch(url, { method: "PUT", body: "a part" });
    const Parts = [{ PartNumber: 1, ETag: answer.headers.get("etag") }];
    await call("CompleteMultipartUpload", { Bucket, Key: "parts", UploadId, MultipartUpload: { Parts } });
    assert.equal(await text({ Bucket, Key: "parts" }), "a part");
  }],
  ["presigned, and changed or too late", async () => {
    await call("PutObject", { Bucket, Key: "k", Body: "x" });
    const url = await signed("GetObject", { Key: "k" });
    await refused(await fetch(url.replace("/k?", "/another?")), 403, "SignatureDoesNotMatch");
    await refused(await fetch(url, { method: "PUT", body: "x" }), 403, "SignatureDoesNotMatch");
    const late = await signed("GetObject", { Key: "k" }, { signingDate: new Date(Date.now() - 3_600_000) });
    await refused(await fetch(late), 403, "AccessDenied");
  }],
];

function form(fields, body, name = "my file.txt", type = "text/plain") {
  const data = new FormData();
  for (const [field, value] of Object.entries(fields)) data.append(field, value);
  data.append("file", new Blob([body], { type }), name);
  return data;
}

async function post(input, body, more = {}) {
  const { url, fields } = await createPresignedPost(s3, { Bucket, Expires: 300, ...input });
  return fetch(url, { method: "POST", body: form({ ...fields, ...more }, body), redirect: "manual" });
}

const forms = [
  ["form", async () => {
    const answer = await post({ Key: "form/${filename}", Fields: { "Content-Type": "text/x-form", "x-amz-meta-title": "Grüße" } },
      "of a form");
    assert.equal(answer.status, 204, await answer.text());
    const got = await call("GetObject", { Bucket, Key: "form/my file.txt" });
    assert.equal(await got.Body.transformToString(), "of a form");
    assert.equal(got.ContentType, "text/x-form");
    assert.equal(got.Metadata.title, `=?UTF-8?B?${Buffer.from("Grüße").toString("base64")}?=`);
  }],
  ["form with an answer", async () => {
    const answer = await post({ Key: "answered", Fields: { success_action_status: "201" } }, random(300_000));
    assert.equal(answer.status, 201);
    const document = await answer.text();
    assert.match(document, /<PostResponse>.*<Key>answered<\/Key>/s);
    const to = await post({ Key: "sent-on", Fields: { success_action_redirect: "http://example.com/done" } }, "x");
    assert.equal(to.status, 303);
    assert.match(to.headers.get("location"), /^http:\/\/example\.com\/done\?bucket=access&key=sent-on&etag=/);
  }],
  ["form that breaks its policy", async () => {
    const Conditions = [["content-length-range", 2, 5], ["starts-with", "$Content-Type", "image/"]];
    const fields = { "Content-Type": "image/png" };
    assert.equal((await post({ Key: "held", Conditions }, "1234", fields)).status, 204);
    await refused(await post({ Key: "held", Conditions }, "123456", fields), 400, "EntityTooLarge");
    await refused(await post({ Key: "held", Conditions }, "1", fields), 400, "EntityTooSmall");
    await refused(await post({ Key: "held", Conditions }, "1234", { "Content-Type": "text/html" }), 403, "AccessDenied");
    await refused(await post({ Key: "held", Conditions }, "1234", { ...fields, key: "another" }), 403, "AccessDenied");
  }],
];

const outside = [
  ["other origins", async () => {
    const name = await bucket();
    await call("PutBucketCors", { Bucket: name, CORSConfiguration: { CORSRules: [{ AllowedMethods: ["PUT", "GET"], MaxAgeSeconds: 77,
      AllowedOrigins: ["https://app.example.com"], AllowedHeaders: ["content-type", "x-amz-*"], ExposeHeaders: ["ETag"] }] } });
    const ask = (origin, method, fields = "content-type,x-amz-date") => fetch(address("k", name), { method: "OPTIONS",
      headers: { Origin: origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": fields } });
    const yes = await ask("https://app.example.com", "PUT");
    assert.equal(yes.status, 200);
    assert.equal(yes.headers.get("access-control-allow-origin"), "https://app.example.com");
    assert.match(yes.headers.get("access-control-allow-methods"), /PUT/);
    assert.equal(yes.headers.get("access-control-max-age"), "77");
    assert.match(yes.headers.get("vary"), /Origin/i);
    await refused(await ask("https://evil.example.com", "PUT"), 403, "AccessForbidden");
    await refused(await ask("https://app.example.com", "DELETE"), 403, "AccessForbidden");
    await refused(await ask("https://app.example.com", "PUT", "authorization"), 403, "AccessForbidden");
    await call("PutObject", { Bucket: name, Key: "k", Body: "x" });
    const url = await getSignedUrl(s3, new S3.GetObjectCommand({ Bucket: name, Key: "k" }));
    const got = await fetch(url, { headers: { Origin: "https://app.example.com" } });
    assert.equal(got.headers.get("access-control-allow-origin"), "https://app.example.com");
    assert.equal(got.headers.get("access-control-expose-headers"), "ETag");
  }],
  ["a policy lets in who has no key", async () => {
    const name = await bucket();
    await call("PutObject", { Bucket: name, Key: "public/k", Body: "for all" });
    await call("PutObject", { Bucket: name, Key: "private/k", Body: "not" });
    await refused(await fetch(address("public/k", name)), 403, "AccessDenied");
    const Policy = JSON.stringify({ Version: "2012-10-17", Statement: [{ Effect: "Allow", Principal: "*", Action: "s3:GetObject",
      Resource: `arn:aws:s3:::${name}/public/*` }] });
    await call("PutBucketPolicy", { Bucket: name, Policy });
    assert.deepEqual(JSON.parse((await call("GetBucketPolicy", { Bucket: name })).Policy), JSON.parse(Policy));
    assert.equal((await call("GetBucketPolicyStatus", { Bucket: name })).PolicyStatus.IsPublic, true);
    assert.equal(await (await fetch(address("public/k", name))).text(), "for all");
    await refused(await fetch(address("private/k", name)), 403, "AccessDenied");
    await refused(await fetch(address("public/k", name), { method: "PUT", body: "x" }), 403, "AccessDenied");
    await call("DeleteBucketPolicy", { Bucket: name });
    await refused(await fetch(address("public/k", name)), 403, "AccessDenied");
    await fails(call("PutBucketPolicy", { Bucket: name, Policy: "{" }), "MalformedPolicy", 400);
  }],
  ["an ACL lets in who has no key", async () => {
    const name = await bucket({ ObjectOwnership: "ObjectWriter" });
    await call("DeletePublicAccessBlock", { Bucket: name });
    await call("PutObject", { Bucket: name, Key: "k", Body: "for all", ACL: "public-read" });
    assert.equal(await (await fetch(address("k", name))).text(), "for all");
    await call("PutObjectAcl", { Bucket: name, Key: "k", ACL: "private" });
    await refused(await fetch(address("k", name)), 403, "AccessDenied");
    assert.equal((await call("GetObjectAcl", { Bucket: name, Key: "k" })).Grants[0].Permission, "FULL_CONTROL");
  }],
];

const identities = [
  ["who am I", async () => {
    const got = await tokens().send(new GetCallerIdentityCommand({}));
    assert.equal(got.Account, setting.account);
    assert.equal(got.Arn, `arn:aws:iam::${setting.account}:root`);
  }],
  ["keys of a role", async () => {
    const { Credentials, AssumedRoleUser } = await tokens({ credentials: setting.user }).send(
      new AssumeRoleCommand({ RoleArn: setting.role, RoleSessionName: "of-a-test", DurationSeconds: 900 }));
    assert.match(AssumedRoleUser.Arn, /assumed-role\/.*\/of-a-test$/);
    assert.ok(Credentials.Expiration instanceof Date);
    const by = client({ credentials: { accessKeyId: Credentials.AccessKeyId, secretAccessKey: Credentials.SecretAccessKey,
      sessionToken: Credentials.SessionToken } });
    await call("PutObject", { Bucket, Key: "role/k", Body: "of a role" }, by);
    assert.equal(await text({ Bucket, Key: "role/k" }, by), "of a role");
    const url = await getSignedUrl(by, new S3.GetObjectCommand({ Bucket, Key: "role/k" }));
    assert.equal(await (await fetch(url)).text(), "of a role");
    await fails(call("PutObject", { Bucket, Key: "other/k", Body: "x" }, by), "AccessDenied", 403);
    await fails(call("ListBuckets", {}, by), "AccessDenied", 403);
    const stale = client({ credentials: { ...setting.user, sessionToken: "no token" } });
    await assert.rejects(call("ListBuckets", {}, stale), (e) => [400, 403].includes(e.$metadata.httpStatusCode));
  }],
  ["a role that may not be taken on", async () => {
    await assert.rejects(tokens({ credentials: setting.user }).send(new AssumeRoleCommand({ RoleSessionName: "of-a-test",
      RoleArn: `${setting.role}-not` })), (e) => e.name === "AccessDenied" && e.$metadata.httpStatusCode === 403);
  }],
  ["wrong keys", async () => {
    const wrong = (more) => client({ credentials: { ...setting.root, ...more } });
    await fails(call("ListBuckets", {}, wrong({ secretAccessKey: "wrong" })), "SignatureDoesNotMatch", 403);
    await fails(call("ListBuckets", {}, wrong({ accessKeyId: "AKIANOBODY0000000000" })), "InvalidAccessKeyId", 403);
    await fails(call("PutObject", { Bucket, Key: "k", Body: "x" }, wrong({ secretAccessKey: "wrong" })), "SignatureDoesNotMatch", 403);
  }],
  ["no key at all", async () => {
    const nobody = client({ signer: { sign: async (request) => request } });
    await fails(call("GetObject", { Bucket, Key: "k" }, nobody), "AccessDenied", 403);
  }],
  ["a clock that is wrong is set by the answer", async () => {
    const off = client({ systemClockOffset: -3_600_000, maxAttempts: 1 });
    await fails(call("ListBuckets", {}, off), "RequestTimeTooSkewed", 403);
    assert.ok(Math.abs(off.config.systemClockOffset) < 600_000, `${off.config.systemClockOffset}`);
    await call("ListBuckets", {}, off);
  }],
  ["another region", async () => {
    const other = client({ region: "eu-central-1" });
    const error = await fails(call("ListObjectsV2", { Bucket }, other), "AuthorizationHeaderMalformed", 400);
    assert.equal(error.Region, "us-east-1");
  }],
];

// The bucket's name is in the certificate of the https server, test_sdk.py.
const hosts = [
  ["a bucket by its host", async () => {
    const by = client({ endpoint: setting.endpoint.replace("127.0.0.1", "localhost"), forcePathStyle: false });
    await call("CreateBucket", { Bucket: "hosted" }, by);
    const body = random(200_000);
    await call("PutObject", { Bucket: "hosted", Key: "k/é", Body: body }, by);
    assert.deepEqual(await bytes({ Bucket: "hosted", Key: "k/é" }, by), body);
    assert.deepEqual(await bytes({ Bucket: "hosted", Key: "k/é" }), body);
    assert.equal((await call("ListObjectsV2", { Bucket: "hosted" }, by)).Contents[0].Key, "k/é");
    await fails(call("GetObject", { Bucket: "hosted", Key: "none" }, by), S3.NoSuchKey, 404);
    const url = await getSignedUrl(by, new S3.GetObjectCommand({ Bucket: "hosted", Key: "k/é" }));
    assert.equal(new URL(url).hostname, "hosted.localhost");
  }],
];

export async function prepare() {
  await call("CreateBucket", { Bucket });
}

export const cases = [...addresses, ...forms, ...outside, ...identities, ...hosts];
