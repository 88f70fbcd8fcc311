// SPDX-License-Identifier: LGPL-2.1-or-later
// One class a player, all of the same shape:
//   open(url, first, ahead, start)  loads, with rendition `first` (0 the smallest, -1 the largest) from the first segment on, and
//                         nothing chosen by measured speed; about `ahead` seconds are kept loaded; resolves when the stream is
//                         known
//   renditions()          heights, the smallest first
//   select(index, now)    stays with that rendition; now: what lies ahead in the buffer is thrown away
//   over                  how many pictures were decoded when the player said of itself that the end was reached
// Whatever a player calls an error is added to the list given, also those that it got over by itself.
/* global Hls, dashjs, shaka */

async function script(path) {
    await new Promise((done, failed) => {
        const element = Object.assign(document.createElement("script"), { src: path, onload: done });
        element.onerror = () => failed(new Error(`no ${path}`));
        document.head.append(element);
    });
}

// With a limit, so that a player that says nothing is a fault with a name.
const within = (seconds, words, promise) =>
    Promise.race([promise, new Promise((_, failed) => setTimeout(() => failed(new Error(words)), seconds * 1000))]);

class HlsJs {
    constructor(video, errors) {
        Object.assign(this, { video, errors });
    }
    // for a smooth switch it throws away what it has beyond the next segment, whatever that is
    async open(url, first) {
        await script("/npm/hls.js/dist/hls.min.js");
        this.hls = new Hls({ autoStartLoad: false });
        this.hls.on(Hls.Events.ERROR, (_, data) => {
            // no faults of the stream: a decoder that waits for data after a switch, a request that the switch made needless
            if (["bufferStalledError", "aborted"].includes(data.details) && !data.fatal) return;
            this.errors.push(`hls.js: ${data.fatal ? "fatal " : ""}${data.type} ${data.details} ${data.reason ?? ""} ${data.error?.message ?? ""}`);
        });
        const known = new Promise((done) => this.hls.on(Hls.Events.MANIFEST_PARSED, done));
        this.hls.loadSource(url);
        this.hls.attachMedia(this.video);
        await within(20, "hls.js: no manifest", known);
        this.order = this.hls.levels.map((level, i) => [level.height, level.bitrate, i]).sort((a, b) => a[0] - b[0] || a[1] - b[1]);
        this.hls.loadLevel = this.order.at(first)[2];
        this.hls.startLoad(0);
    }
    renditions() {
        return this.order.map((o) => o[0]);
    }
    select(index, now) {
        this.hls[now ? "currentLevel" : "nextLevel"] = this.order.at(index)[2];
    }
}

class DashJs {
    constructor(video, errors) {
        Object.assign(this, { video, errors });
    }
    async open(url, first, ahead) {
        await script("/npm/dashjs/dist/modern/umd/dash.all.min.js");
        this.player = dashjs.MediaPlayer().create();
        this.player.updateSettings({
            debug: { logLevel: dashjs.Debug.LOG_LEVEL_NONE },
            streaming: {
                abr: {
                    autoSwitchBitrate: { video: false, audio: false },
                    initialBitrate: { video: first === 0 ? 1 : 1e8, audio: -1 },
                    limitBitrateByPortal: false,
                },
                buffer: { bufferTimeDefault: ahead, bufferTimeAtTopQuality: ahead, bufferTimeAtTopQualityLongForm: ahead },
                // a hole is a fault to be told of, not to be got over; and while segments are under way it takes their place for one
                gaps: { jumpGaps: false },
                utcSynchronization: { enabled: false },
            },
        });
        this.player.on(dashjs.MediaPlayer.events.ERROR, (event) => {
            this.errors.push(`dash.js: ${event.error?.code ?? ""} ${event.error?.message ?? event.error}`);
        });
        // it calls the end by its own clock, too, and then goes back half a second, where the last frame of sound is longer than
        // the MPD says
        this.player.on(dashjs.MediaPlayer.events.PLAYBACK_ENDED, () => (this.over ??= this.video.getVideoPlaybackQuality().totalVideoFrames));
        const known = new Promise((done) => this.player.on(dashjs.MediaPlayer.events.STREAM_INITIALIZED, done));
        this.player.initialize(this.video, url, false);
        await within(20, "dash.js: no manifest", known);
        this.order = this.player.getRepresentationsByType("video").slice().sort((a, b) => a.height - b.height || a.bandwidth - b.bandwidth);
    }
    renditions() {
        return this.order.map((o) => o.height);
    }
    select(index, now) {
        this.player.setRepresentationForTypeById("video", this.order.at(index).id, now);
    }
}

class Shaka {
    constructor(video, errors) {
        Object.assign(this, { video, errors });
    }
    async open(url, first, ahead, start) {
        await script("/npm/shaka-player/dist/shaka-player.compiled.js");
        shaka.polyfill.installAll();
        this.player = new shaka.Player();
        await this.player.attach(this.video);
        this.player.configure({ abr: { enabled: false, useNetworkInformation: false, defaultBandwidthEstimate: first === 0 ? 1 : 1e12 },
            // a slow machine is no stall to be skipped
            streaming: { bufferingGoal: ahead, rebufferingGoal: Math.min(ahead, 1), stallEnabled: false } });
        this.player.addEventListener("error", (event) => this.errors.push(this.words(event.detail)));
        try {
            await within(20, "shaka: no manifest", this.player.load(url, start ?? null));
        } catch (fault) {
            throw new Error(this.words(fault));
        }
    }
    words(fault) {
        return fault.code ? `shaka: ${fault.code} ${JSON.stringify(fault.data)}` : `shaka: ${fault.message}`;
    }
    tracks() {
        const now = this.player.getVariantTracks().find((track) => track.active);
        return this.player
            .getVariantTracks()
            .filter((track) => !now || (track.audioId ?? null) === (now.audioId ?? null))
            .sort((a, b) => a.height - b.height || a.bandwidth - b.bandwidth);
    }
    renditions() {
        return this.tracks().map((track) => track.height);
    }
    select(index, now) {
        this.player.selectVariantTrack(this.tracks().at(index), now, 0);
    }
}

export const players = { "hls.js": HlsJs, "dash.js": DashJs, shaka: Shaka };
