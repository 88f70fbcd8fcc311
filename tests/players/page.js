// SPDX-License-Identifier: LGPL-2.1-or-later
// Runs inside the page: one player, one stream, one scenario, and what was seen of it as plain numbers. It judges nothing:
// that is done by test_players.py, which knows the stream.
//
// What is counted. `decoded`: pictures that the browser decoded, those it was too slow to show among them
// (VideoPlaybackQuality.totalVideoFrames); this is exact however busy the machine is. `times`: media times of the
// pictures that came to the screen; a busy machine shows fewer, never others.
import { players } from "/players.js";

const video = document.querySelector("video");
let patience = 30;
const seen = { times: [], sizes: [], errors: [], seeks: 0, waits: 0, ended: false };

const size = () => `${video.videoWidth}x${video.videoHeight}`;

function watch() {
    const shown = (_, frame) => {
        seen.times.push(frame.mediaTime);
        video.requestVideoFrameCallback(shown);
    };
    video.requestVideoFrameCallback(shown);
    video.addEventListener("seeking", () => seen.seeks++);
    video.addEventListener("waiting", () => seen.waits++);
    video.addEventListener("resize", () => seen.sizes.push(size()));
    video.addEventListener("error", () => seen.errors.push(`video: ${video.error.code} ${video.error.message}`));
}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

// Until the condition holds, or an error is seen, or the time is up.
async function until(words, condition, seconds = patience) {
    const end = performance.now() + seconds * 1000;
    while (!condition()) {
        if (seen.errors.length) throw new Error(`${words}: ${seen.errors[0]}`);
        if (performance.now() > end) throw new Error(`${words}: not within ${seconds} s, at ${video.currentTime.toFixed(3)} s`);
        await pause(10);
    }
}

// What the browser tells of decoded pictures lags a little behind.
async function settled(value) {
    let last = value(), since = performance.now();
    while (performance.now() - since < 400) {
        await pause(20);
        if (value() !== last) [last, since] = [value(), performance.now()];
    }
    return last;
}

const decoded = () => video.getVideoPlaybackQuality().totalVideoFrames;

// Pictures that were decoded before the beginning was settled.
let before = 0;

async function anew(time) {
    before = await settled(decoded);
    await pictureAt(time);
    seen.seeks = 0;
}

async function toTheEnd(player) {
    video.play();
    await until("to the end", () => video.ended || player.over);
    const ended = video.ended;
    seen.ended = true;
    seen.decoded = (await settled(decoded)) - before;
    if (!ended) seen.decoded = player.over;
    seen.dropped = video.getVideoPlaybackQuality().droppedVideoFrames;
    seen.corrupted = video.getVideoPlaybackQuality().corruptedVideoFrames;
}

// The picture that stands at a time, by its media time.
async function pictureAt(time) {
    const before = seen.times.length;
    const arrived = new Promise((done) => video.addEventListener("seeked", done, { once: true }));
    video.currentTime = time;
    await Promise.race([arrived, pause(20000)]);
    await until(`a picture at ${time.toFixed(3)} s`, () => seen.times.length > before && !video.seeking, 20);
    await settled(() => seen.times.length);
    return { asked: time, got: seen.times.at(-1), grey: grey() };
}

// A square of 8x8 grey values: enough to tell what the picture shows and which way up it is.
function grey() {
    const canvas = new OffscreenCanvas(8, 8).getContext("2d");
    canvas.imageSmoothingQuality = "high";
    canvas.drawImage(video, 0, 0, 8, 8);
    const rgba = canvas.getImageData(0, 0, 8, 8).data;
    return Array.from({ length: 64 }, (_, i) => Math.round(0.2126 * rgba[4 * i] + 0.7152 * rgba[4 * i + 1] + 0.0722 * rgba[4 * i + 2]));
}

async function switchTo(player, index, wanted, now) {
    player.select(index, now);
    await until(`the switch to ${wanted}`, () => size() === wanted);
    // it goes on, and does not hang on what it has just thrown away
    const from = video.currentTime;
    await until(`playing on after the switch to ${wanted}`, () => video.ended || video.currentTime > from + 0.2);
}

const scenarios = {
    async play(player) {
        await toTheEnd(player);
    },
    async seek(player, run) {
        // a seek to 0 has to go somewhere
        video.play();
        await until("playing at first", () => video.currentTime > 0.2);
        video.pause();
        seen.found = [];
        for (const part of run.parts) seen.found.push(await pictureAt(part * video.duration));
        await toTheEnd(player);
    },
    async switch(player, run) {
        video.play();
        for (const [time, index] of run.switches) {
            await until(`reaching ${time} s`, () => video.currentTime >= time);
            await switchTo(player, index, run.sizes[index], run.now);
        }
        await toTheEnd(player);
    },
};
// the same, but that what was loaded stays: each segment is played once
scenarios.smooth = scenarios.switch;

window.spyhopRun = async (run) => {
    watch();
    patience = run.patience ?? patience;
    let player = null;
    try {
        player = new players[run.player](video, seen.errors);
        await player.open(run.url, run.first, run.ahead, run.start);
        await until("the first picture", () => video.readyState >= 2);
        if (run.start !== undefined) await anew(run.start);
        video.playbackRate = run.rate;
        seen.renditions = player.renditions();
        await scenarios[run.scenario](player, run);
    } catch (fault) {
        seen.errors.push(String(fault.message ?? fault));
    }
    seen.duration = video.duration;
    seen.size = size();
    seen.audioBytes = video.webkitAudioDecodedByteCount;
    seen.buffered = Array.from({ length: video.buffered.length }, (_, i) => [video.buffered.start(i), video.buffered.end(i)]);
    seen.cues = Array.from(video.textTracks).map((track) => (track.cues ? track.cues.length : 0));
    return seen;
};
