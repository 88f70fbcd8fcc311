// SPDX-License-Identifier: LGPL-2.1-or-later
import path from 'path';
import { SFNClient, StartExecutionCommand } from '@aws-sdk/client-sfn';

const stateMachineArn = 'arn:aws:states:ap-northeast-2:034954464192:stateMachine:sr_exec_with_ssm_run_cmd';

export const handler = async ({ Records: [{ s3, awsRegion }] }) => {
  const origFile = path.basename(decodeURIComponent(s3.object.key.replaceAll('+', ' ')));
  const { name, ext } = path.parse(origFile);
  const input = {
    instanceId: 'i-0fc7eb64184f98251',
    origBucket: s3.bucket.name,
    origFile,
    srBucket: 'bluewhale-ami-sample-sr',
    srFile: `${name}_sr_2x${ext}`,
  };
  console.log('step function input:', input);
  const client = new SFNClient({ region: awsRegion });
  const { executionArn } = await client.send(new StartExecutionCommand({ stateMachineArn, input: JSON.stringify(input) }));
  console.log('Step Function success:', executionArn);
  return { statusCode: 200, body: JSON.stringify({ executionArn }) };
};
