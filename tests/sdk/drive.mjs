// SPDX-License-Identifier: LGPL-2.1-or-later
// usage: drive.mjs [WORD]      (started by test_sdk.py)
// Runs every case, or those with the word in their names, and tells of each; exits 1 when one failed, 2 when none was run.
import * as access from "./access.mjs";
import * as buckets from "./buckets.mjs";
import * as objects from "./objects.mjs";
import * as uploads from "./uploads.mjs";

const SECONDS = 120;
const word = process.argv[2] ?? "";
let number = 0;
let failed = 0;

// A case that hangs is one that failed.
function in_time(work) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${SECONDS} s`)), SECONDS * 1000);
  });
  return Promise.race([work(), late]).finally(() => clearTimeout(timer));
}

for (const [group, { prepare, cases }] of Object.entries({ objects, uploads, buckets, access })) {
  await prepare();
  for (const [name, work] of cases) {
    if (!name.includes(word)) continue;
    number++;
    try {
      await in_time(work);
      console.log(`ok ${number} ${group}: ${name}`);
    } catch (error) {
      failed++;
      console.log(`not ok ${number} ${group}: ${name}`);
      console.log(String(error.stack ?? error).replace(/^/gm, "    "));
    }
  }
}
console.log(`${number} cases, ${failed} failed`);
process.exit(number === 0 ? 2 : failed ? 1 : 0);
