// SPDX-License-Identifier: LGPL-2.1-or-later
// usage: node drive.mjs FOLDER_OF_NODE_MODULES BROWSER ADDRESS < runs.json > seen.json
// Starts a browser that reaches nothing but 127.0.0.1 and carries out the runs, a page of its own for each, `together` at
// a time. In: {together, runs: [run, ...]}; out: what page.js saw of each, with what stood on the console, in the same order.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [modules, browserPath, address] = process.argv.slice(2);
const { chromium } = createRequire(`${modules}/`)("playwright-core");
const { together, runs } = JSON.parse(readFileSync(0));

async function carryOut(browser, run) {
    const context = await browser.newContext({ viewport: { width: 320, height: 180 } });
    const page = await context.newPage();
    const console = [];
    page.on("console", (message) => {
        if (["error", "assert"].includes(message.type())) console.push(message.text());
    });
    page.on("pageerror", (fault) => console.push(String(fault)));
    page.on("crash", () => console.push("the page crashed"));
    try {
        await page.goto(`${address}/page.html`);
        await page.waitForFunction(() => window.spyhopRun);
        let timer = null;
        const late = new Promise((_, failed) => {
            timer = setTimeout(() => failed(new Error("the page did not come back")), 110000);
        });
        const seen = await Promise.race([page.evaluate((r) => window.spyhopRun(r), run), late]);
        clearTimeout(timer);
        return { ...seen, console };
    } catch (fault) {
        return { errors: [String(fault)], console };
    } finally {
        await context.close().catch(() => {});
    }
}

const browser = await chromium.launch({
    executablePath: browserPath,
    args: ["--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"],
});
const seen = new Array(runs.length);
let next = 0;
async function worker() {
    while (next < runs.length) {
        const mine = next++;
        const start = Date.now();
        seen[mine] = await carryOut(browser, { rate: 1, ...runs[mine] });
        seen[mine].seconds = (Date.now() - start) / 1000;
    }
}
await Promise.all(Array.from({ length: together }, worker));
await browser.close();
process.stdout.write(JSON.stringify(seen));
