// SPDX-License-Identifier: LGPL-2.1-or-later
// The Lambda function that starts the pipeline for every object of a notification of S3. Environment:
// STATE_MACHINE (ARN) and JOB (JSON: the part of the input that is the same for every upload).
//
// An execution's name is made of bucket, key and sequencer: a notification that comes twice, or again because one of
// its objects failed, starts nothing twice. Objects of the bucket of results are left alone, or each of them would start the
// pipeline again.
import { createHash } from 'node:crypto';
import { SFNClient, StartExecutionCommand } from '@aws-sdk/client-sfn';

const client = new SFNClient({});
const job = JSON.parse(process.env.JOB);

const keyOf = object => decodeURIComponent(object.key.replace(/\+/g, ' '));

function inputOf({ bucket, object }) {
  return {
    ...job,
    srcBucket: bucket.name,
    srcKey: keyOf(object),
    etag: object.eTag ?? '',
    uploadId: object.sequencer,
  };
}

const nameOf = input =>
  createHash('sha256')
    .update(JSON.stringify([input.srcBucket, input.srcKey, input.uploadId]))
    .digest('hex');

async function start(record) {
  const input = inputOf(record.s3);
  const source = `s3://${input.srcBucket}/${input.srcKey}`;
  if (input.srcBucket === job.dstBucket) {
    console.warn(`${source} lies in the bucket of results: not started`);
    return { source, skipped: true };
  }
  const name = nameOf(input);
  try {
    const { executionArn } = await client.send(
      new StartExecutionCommand({ stateMachineArn: process.env.STATE_MACHINE, name, input: JSON.stringify(input) }),
    );
    console.log(`${source}: ${executionArn}`);
    return { source, executionArn };
  } catch (error) {
    if (error.name !== 'ExecutionAlreadyExists') throw new Error(`${source}: ${error.message}`, { cause: error });
    console.log(`${source}: ${name} was started before`);
    return { source, executionArn: null };
  }
}

export const handler = async event => {
  if (event.Event === 's3:TestEvent') return { started: [] };
  const ends = await Promise.allSettled((event.Records ?? []).map(start));
  const failed = ends.filter(end => end.status === 'rejected').map(end => end.reason.message);
  // whoever calls tries again; what did start is not started twice
  if (failed.length > 0) throw new Error(`${failed.length} of ${ends.length} were not started: ${failed.join('; ')}`);
  return { started: ends.map(end => end.value) };
};
