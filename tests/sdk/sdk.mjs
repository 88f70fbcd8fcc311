// SPDX-License-Identifier: LGPL-2.1-or-later
// The packages of build/sdk, clients of the server, and what the cases share. Modules of the SDK are found by the folder that is
// named in $SPYHOP_SDK: there is nothing above this folder in which they could be looked for.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import http from "node:http";
import https from "node:https";
import { createRequire } from "node:module";
import path from "node:path";

const load = createRequire(path.join(process.env.SPYHOP_SDK, "index.js"));

export const S3 = load("@aws-sdk/client-s3");
export const { STSClient, AssumeRoleCommand, GetCallerIdentityCommand } = load("@aws-sdk/client-sts");
export const { Upload } = load("@aws-sdk/lib-storage");
export const { createPresignedPost } = load("@aws-sdk/s3-presigned-post");
export const { getSignedUrl } = load("@aws-sdk/s3-request-presigner");

export const setting = JSON.parse(process.env.SPYHOP_SDK_SETTING);  // written by test_sdk.py

// Every name is this machine: who asks the resolver for *.localhost depends on how it is set up.
function lookup(name, options, done) {
  if (options.all) done(null, [{ address: "127.0.0.1", family: 4 }]);
  else done(null, "127.0.0.1", 4);
}

const common = {
  region: "us-east-1",
  maxAttempts: 1,
  credentials: setting.root,
  requestHandler: {
    requestTimeout: 60000,
    httpAgent: new http.Agent({ lookup, keepAlive: true }),
    httpsAgent: new https.Agent({ lookup, keepAlive: true }),
  },
};

export function client(more = {}) {
  return new S3.S3Client({ ...common, endpoint: setting.endpoint, forcePathStyle: true, ...more });
}

export function tokens(more = {}) {
  return new STSClient({ ...common, endpoint: setting.endpoint, ...more });
}

export const s3 = client();

// call("PutObject", {...}, client): the answer of the command of that name
export function call(name, input, by = s3) {
  return by.send(new S3[`${name}Command`](input));
}

// The same, and the request as it was sent.
export async function seen(name, input, by = s3) {
  const command = new S3[`${name}Command`](input);
  let request;
  command.middlewareStack.add((next) => (args) => {
    request = args.request;
    return next(args);
  }, { step: "finalizeRequest", priority: "low", name: "seen" });
  return { answer: await by.send(command), headers: request.headers };
}

export async function text(input, by = s3) {
  return (await call("GetObject", input, by)).Body.transformToString();
}

export async function bytes(input, by = s3) {
  return Buffer.from(await (await call("GetObject", input, by)).Body.transformToByteArray());
}

// what: the class of the SDK that the error has to be of, or its name; status: of HTTP
export async function fails(promise, what, status) {
  const error = await promise.then(() => null, (e) => e);
  assert.ok(error, "the call did not fail");
  const name = typeof what === "string" ? what : what.name;
  assert.equal(error.name, name, `${error.name}: ${error.message}`);
  if (typeof what !== "string") assert.ok(error instanceof what, `${error.name} is not an instance of the SDK's class`);
  assert.ok(error instanceof S3.S3ServiceException, "not an error of the service");
  assert.equal(error.$metadata.httpStatusCode, status);
  assert.ok(error.$metadata.requestId, "no request id");
  return error;
}

export function random(size) {
  return randomBytes(size);
}

let made = 0;

export async function bucket(more = {}) {
  const name = `made-${++made}`;
  await call("CreateBucket", { Bucket: name, ...more });
  return name;
}

export async function keys(paginator, input) {
  const found = [];
  let pages = 0;
  for await (const page of paginator({ client: s3, ...input.paging }, input.command)) {
    pages++;
    found.push(...(page.Contents ?? []).map((item) => item.Key));
  }
  return { found, pages };
}

// The code of an error document, of answers that did not come through the SDK.
export function code(document) {
  return /<Code>(.*?)<\/Code>/.exec(document)?.[1];
}
