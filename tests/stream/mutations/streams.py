# SPDX-License-Identifier: LGPL-2.1-or-later
"""Small good streams: CMAF with HLS and DASH, and HLS over transport streams.

Media comes from ffmpeg; it is cut into segments here, and the manifests are written here from what the boxes and
packets say, by a reader of boxes of its own: nothing of the checker under test is used to make them.
"""
import math
import os
import struct
import subprocess

RATE = 25          # pictures a second
SEGMENT = 2        # seconds
SECONDS = 6
AUDIO = 48000
SIZES = [(320, 180, "400k"), (160, 90, "150k")]


def run(*words):
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(" ".join(words) + ": " + done.stderr[-800:])
    return done.stdout


def write(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data if isinstance(data, bytes) else data.encode())


def read(path):
    with open(path, "rb") as f:
        return f.read()


# ---- boxes ----

def boxes(data, start=0, end=None):
    """(type, offset, header, size) of each box."""
    at = start
    end = len(data) if end is None else end
    while at < end:
        size, kind = struct.unpack_from(">I4s", data, at)
        header = 8
        if size == 1:
            size, header = struct.unpack_from(">Q", data, at + 8)[0], 16
        yield kind.decode("latin-1"), at, header, size
        at += size


def find(data, path, start=0, end=None):
    """Offset and size of the first box at a path such as "moof/traf/tfdt"."""
    name, _, rest = path.partition("/")
    for kind, at, header, size in boxes(data, start, end):
        if kind == name:
            if not rest:
                return at, size
            skip = header
            if kind == "stsd":
                skip += 8
            elif kind in ("avc1",):
                skip += 78
            elif kind in ("mp4a",):
                skip += 28
            got = find(data, rest, at + skip, at + size)
            if got:
                return got
    return None


def tfdt(data, moof):
    at, _ = find(data, "moof/traf/tfdt", moof)
    return struct.unpack_from(">Q" if data[at + 8] else ">I", data, at + 12)[0]


def trun(data, moof):
    """[(duration, size, flags, cts)] of the fragment at `moof`, defaults of tfhd applied."""
    at, _ = find(data, "moof/traf/tfhd", moof)
    flags = struct.unpack_from(">I", data, at + 8)[0] & 0xFFFFFF
    p, base = at + 16, {}
    for bit, name, size in ((1, "base", 8), (2, "entry", 4), (8, "duration", 4), (16, "size", 4), (32, "flags", 4)):
        if flags & bit:
            base[name] = int.from_bytes(data[p:p + size], "big")
            p += size
    at, _ = find(data, "moof/traf/trun", moof)
    flags, count = struct.unpack_from(">II", data, at + 8)
    flags &= 0xFFFFFF
    p = at + 16 + (4 if flags & 1 else 0)
    first = None
    if flags & 4:
        first = struct.unpack_from(">I", data, p)[0]
        p += 4
    out = []
    for i in range(count):
        d, s, f, c = base.get("duration"), base.get("size"), base.get("flags", 0), 0
        if flags & 0x100:
            d = struct.unpack_from(">I", data, p)[0]
            p += 4
        if flags & 0x200:
            s = struct.unpack_from(">I", data, p)[0]
            p += 4
        if flags & 0x400:
            f = struct.unpack_from(">I", data, p)[0]
            p += 4
        if flags & 0x800:
            c = struct.unpack_from(">i", data, p)[0]
            p += 4
        out.append((d, s, first if i == 0 and first is not None else f, c))
    return out


def cut(path):
    """Header, and [(tfdt, duration, bytes)] of the fragments of a fragmented file."""
    data = read(path)
    header, fragments = b"", []
    moof = None
    for kind, at, _, size in boxes(data):
        if kind in ("ftyp", "moov"):
            header += data[at:at + size]
        elif kind == "moof":
            moof = at
        elif kind == "mdat" and moof is not None:
            fragments.append((tfdt(data, moof), sum(s[0] for s in trun(data, moof)), data[moof:at + size]))
            moof = None
    return header, fragments


STYP = struct.pack(">I4s4sI4s4s", 24, b"styp", b"msdh", 0, b"msdh", b"cmfc")


# ---- numbers for manifests ----

def codec_string(header):
    got = find(header, "moov/trak/mdia/minf/stbl/stsd/avc1/avcC")
    if got:
        return "avc1.%02x%02x%02x" % tuple(header[got[0] + 9:got[0] + 12])
    return "mp4a.40.2"


def timescale(header):
    at, _ = find(header, "moov/trak/mdia/mdhd")
    return struct.unpack_from(">I", header, at + (28 if header[at + 8] else 20))[0]


def peak(sizes, seconds, target):
    most = 0.0
    for i in range(len(sizes)):
        b = s = 0
        for k in range(i, len(sizes)):
            b += sizes[k]
            s += seconds[k]
            if s > target * 1.5:
                break
            if s >= target / 2:
                most = max(most, b * 8 / s)
    return math.ceil(most or sum(sizes) * 8 / sum(seconds))


def average(sizes, seconds):
    return math.ceil(sum(sizes) * 8 / sum(seconds))


def playlist(target, rows, init=None, iframes=False):
    text = "#EXTM3U\n#EXT-X-VERSION:%d\n#EXT-X-TARGETDURATION:%d\n" % (6 if init else 4, target)
    text += "#EXT-X-MEDIA-SEQUENCE:1\n#EXT-X-PLAYLIST-TYPE:VOD\n"
    text += "#EXT-X-I-FRAMES-ONLY\n" if iframes else "#EXT-X-INDEPENDENT-SEGMENTS\n"
    if init:
        text += '#EXT-X-MAP:URI="%s"\n' % init
    for seconds, name, span in rows:
        text += "#EXTINF:%.6f,\n" % seconds
        if span:
            text += "#EXT-X-BYTERANGE:%d@%d\n" % span
        text += name + "\n"
    return text + "#EXT-X-ENDLIST\n"


# ---- CMAF ----

# In one rendition pictures are shown before they are decoded, by negative offsets; in the other an edit list takes off
# what offsets add.
NEGATIVE, EDITED = "+cmaf+empty_moov+negative_cts_offsets", "+delay_moov"


def encode_video(folder, size, colour="bt709", look="null", keys=25, delay=NEGATIVE):
    width, height, rate = size
    out = os.path.join(folder, "v%d.mp4" % height)
    run("ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i",
        "testsrc2=size=%dx%d:rate=%d:duration=%d" % (width, height, RATE, SECONDS), "-vf", look, "-c:v", "libx264",
        "-threads", "1", "-preset", "veryfast", "-b:v", rate, "-pix_fmt", "yuv420p", "-x264-params",
        "keyint=%d:min-keyint=%d:scenecut=0:open-gop=0:bframes=2:colorprim=%s:transfer=%s:colormatrix=bt709" % (
            keys, keys, "bt2020" if colour == "smpte2084" else colour, "bt709" if colour == "bt470bg" else colour),
        "-color_primaries", "bt2020" if colour == "smpte2084" else colour, "-color_trc",
        "bt709" if colour == "bt470bg" else colour, "-colorspace", "bt709", "-video_track_timescale", "12800",
        "-brand", "iso6", "-movflags", "+frag_keyframe+default_base_moof" + delay, out)
    return out


def encode_audio(folder):
    out = os.path.join(folder, "a.mp4")
    run("ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i",
        "sine=frequency=440:sample_rate=%d:duration=%d" % (AUDIO, SECONDS), "-c:a", "aac", "-b:a", "64k", "-ac", "2",
        "-movflags", "+cmaf+empty_moov+default_base_moof", "-frag_duration", "20000", out)
    return out


def video_track(folder, name, path):
    header, fragments = cut(path)
    scale = timescale(header)
    segments, keys = [], []
    for n in range(SECONDS // SEGMENT):
        part = [f for f in fragments if n * SEGMENT * scale <= f[0] < (n + 1) * SEGMENT * scale]
        data, file = STYP, "seg_%05d.m4s" % (n + 1)
        for at, _, fragment in part:
            first = trun(fragment, 0)[0][1]
            mdat = find(fragment, "mdat")[0]
            keys.append((at, file, (mdat + 8 + first, len(data))))
            data += fragment
        write(os.path.join(folder, name, file), data)
        segments.append((part[0][0], sum(f[1] for f in part), file, len(data)))
    write(os.path.join(folder, name, "init.mp4"), header)
    return {"name": name, "scale": scale, "segments": segments, "keys": keys, "codec": codec_string(header)}


def audio_track(folder, name, path):
    """Fragments of one frame each are joined: a segment is one moof with all of its frames."""
    header, fragments = cut(path)
    segments, groups = [], [[] for _ in range(SECONDS // SEGMENT)]
    fragments = [f for f in fragments if f[0] < SECONDS * AUDIO]
    for f in fragments:
        groups[min(round(f[0] / AUDIO / SEGMENT - 0.499), SECONDS // SEGMENT - 1)].append(f)
    for n, group in enumerate(groups):
        frames = [(d, f[2][find(f[2], "mdat")[0] + 8:]) for f in group for d in [f[1]]]
        data = STYP + moof(n + 1, group[0][0], [(d, len(b)) for d, b in frames])
        payload = b"".join(b for _, b in frames)
        data += struct.pack(">I4s", 8 + len(payload), b"mdat") + payload
        file = "seg_%05d.m4s" % (n + 1)
        write(os.path.join(folder, name, file), data)
        segments.append((group[0][0], sum(d for d, _ in frames), file, len(data)))
    write(os.path.join(folder, name, "init.mp4"), header)
    return {"name": name, "scale": AUDIO, "segments": segments, "codec": "mp4a.40.2"}


def box(kind, *parts):
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def moof(sequence, time, samples):
    """Of audio frames: (duration, size)."""
    def make(offset):
        rows = b"".join(struct.pack(">II", d, s) for d, s in samples)
        return box(b"moof", box(b"mfhd", struct.pack(">II", 0, sequence)), box(
            b"traf", box(b"tfhd", struct.pack(">III", 0x020020, 1, 0x02000000)),
            box(b"tfdt", struct.pack(">IQ", 1 << 24, time)),
            box(b"trun", struct.pack(">III", 1 << 24 | 0x301, len(samples), offset), rows)))
    return make(len(make(0)) + 8)


def seconds_of(track):
    return [d / track["scale"] for _, d, _, _ in track["segments"]]


def sizes_of(track):
    return [b for _, _, _, b in track["segments"]]


def iframe_playlist(folder, track):
    rows = []
    ends = [k[0] for k in track["keys"][1:]] + [sum(track["segments"][-1][:2])]
    for (at, file, span), end in zip(track["keys"], ends):
        rows.append(((end - at) / track["scale"], file, span))
    write(os.path.join(folder, track["name"], "iframes.m3u8"), playlist(SEGMENT, rows, "init.mp4", True))
    sizes, seconds = [r[2][0] for r in rows], [r[0] for r in rows]
    return peak(sizes, seconds, SEGMENT), average(sizes, seconds)


def subtitles(folder):
    rows = []
    for n in range(SECONDS // SEGMENT):
        file = "seg_%05d.vtt" % (n + 1)
        text = "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n\n"
        text += "00:00:%02d.200 --> 00:00:%02d.900\nline %d\n" % (n * SEGMENT, n * SEGMENT, n + 1)
        write(os.path.join(folder, "s0", file), text)
        rows.append((SEGMENT, file, None))
    text = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:1\n#EXT-X-PLAYLIST-TYPE:VOD\n"
    text += "".join("#EXTINF:%.6f,\n%s\n" % (s, f) for s, f, _ in rows) + "#EXT-X-ENDLIST\n"
    write(os.path.join(folder, "s0", "index.m3u8"), text)
    write(os.path.join(folder, "s0", "all.vtt"), "WEBVTT\n\n" + "\n".join(
        "00:00:%02d.200 --> 00:00:%02d.900\nline %d\n" % (n * 2, n * 2, n + 1) for n in range(SECONDS // SEGMENT)))


def thumbnails(folder):
    path = os.path.join(folder, "thumbs", "sprite_001.jpg")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    run("ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=size=160x90:rate=1:duration=1", "-frames:v", "1",
        path)
    write(os.path.join(folder, "thumbs", "thumbs.vtt"), "WEBVTT\n\n" + "\n".join(
        "00:00:%02d.000 --> 00:00:%02d.000\nsprite_001.jpg#xywh=%d,0,80,90\n" % (n * 3, n * 3 + 3, n * 80)
        for n in range(2)))


def master(folder, sizes, videos, audio):
    text = "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-INDEPENDENT-SEGMENTS\n"
    text += ('#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="English",LANGUAGE="en",DEFAULT=YES,AUTOSELECT=YES,'
             'CHANNELS="2",URI="a0/index.m3u8"\n')
    text += ('#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="text",NAME="English",LANGUAGE="en",DEFAULT=NO,AUTOSELECT=YES,'
             'FORCED=NO,URI="s0/index.m3u8"\n')
    extra = [f(sizes_of(audio), seconds_of(audio), *more) for f, more in ((peak, [SEGMENT]), (average, []))]
    frames = []
    for (width, height, _), v in zip(sizes, videos):
        text += ('#EXT-X-STREAM-INF:BANDWIDTH=%d,AVERAGE-BANDWIDTH=%d,CODECS="%s,%s",RESOLUTION=%dx%d,'
                 'FRAME-RATE=%d.000,VIDEO-RANGE=SDR,AUDIO="audio",SUBTITLES="text",CLOSED-CAPTIONS=NONE\n'
                 '%s/index.m3u8\n') % (
                     peak(sizes_of(v), seconds_of(v), SEGMENT) + extra[0], average(sizes_of(v), seconds_of(v)) + extra[1],
                     v["codec"], audio["codec"], width, height, RATE, v["name"])
        rates = iframe_playlist(folder, v)
        frames.append(('#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=%d,AVERAGE-BANDWIDTH=%d,CODECS="%s",RESOLUTION=%dx%d,'
                       'VIDEO-RANGE=SDR,URI="%s/iframes.m3u8"\n') % (*rates, v["codec"], width, height, v["name"]))
    write(os.path.join(folder, "index.m3u8"), text + "".join(frames))


def timeline(track):
    text = ""
    for n, (at, lasts, _, _) in enumerate(track["segments"]):
        text += '            <S%s d="%d"/>\n' % (' t="%d"' % at if n == 0 else "", lasts)
    return ('          <SegmentTemplate timescale="%d" startNumber="1" initialization="%s/init.mp4" '
            'media="%s/seg_$Number%%05d$.m4s">\n          <SegmentTimeline>\n%s          </SegmentTimeline>\n'
            '          </SegmentTemplate>\n') % (track["scale"], track["name"], track["name"], text)


def mpd(folder, sizes, videos, audio):
    text = ('<?xml version="1.0" encoding="UTF-8"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" '
            'profiles="urn:mpeg:dash:profile:isoff-live:2011,urn:mpeg:dash:profile:cmaf:2019" type="static" '
            'mediaPresentationDuration="PT%d.0S" minBufferTime="PT%d.1S">\n  <Period id="0" start="PT0S">\n'
            '    <AdaptationSet id="1" contentType="video" mimeType="video/mp4" segmentAlignment="true" '
            'startWithSAP="1" par="16:9">\n      <Role schemeIdUri="urn:mpeg:dash:role:2011" value="main"/>\n') % (
                SECONDS, SEGMENT)
    for (width, height, _), v in zip(sizes, videos):
        text += ('      <Representation id="%s" bandwidth="%d" codecs="%s" width="%d" height="%d" sar="1:1" '
                 'frameRate="%d">\n%s      </Representation>\n') % (
                     v["name"], peak(sizes_of(v), seconds_of(v), SEGMENT), v["codec"], width, height, RATE, timeline(v))
    text += ('    </AdaptationSet>\n    <AdaptationSet id="2" contentType="audio" mimeType="audio/mp4" lang="en" '
             'segmentAlignment="true" startWithSAP="1">\n      <Representation id="a0" bandwidth="%d" codecs="%s" '
             'audioSamplingRate="%d">\n        <AudioChannelConfiguration '
             'schemeIdUri="urn:mpeg:dash:23003:3:audio_channel_configuration:2011" value="2"/>\n%s'
             '      </Representation>\n    </AdaptationSet>\n') % (
                 peak(sizes_of(audio), seconds_of(audio), SEGMENT), audio["codec"], AUDIO, timeline(audio))
    text += ('    <AdaptationSet id="3" contentType="text" mimeType="text/vtt" lang="en">\n      <Representation '
             'id="s0" bandwidth="1000">\n        <BaseURL>s0/all.vtt</BaseURL>\n      </Representation>\n'
             '    </AdaptationSet>\n  </Period>\n</MPD>\n')
    write(os.path.join(folder, "index.mpd"), text)


def cmaf(folder, work, sizes=None, looks=({}, {})):
    """Two renditions, audio, subtitles, I-frame playlists, thumbnails; HLS and DASH over the same bytes. looks: what
    is special about the pictures of each rendition."""
    sizes = sizes or SIZES
    videos = [video_track(folder, "v%d" % n, encode_video(work, s, delay=delay, **k))
              for n, (s, k, delay) in enumerate(zip(sizes, looks, (NEGATIVE, EDITED)))]
    audio = audio_track(folder, "a0", encode_audio(work))
    for track in videos + [audio]:
        rows = [(d / track["scale"], f, None) for _, d, f, _ in track["segments"]]
        write(os.path.join(folder, track["name"], "index.m3u8"), playlist(SEGMENT, rows, "init.mp4"))
    subtitles(folder)
    thumbnails(folder)
    master(folder, sizes, videos, audio)
    mpd(folder, sizes, videos, audio)


# ---- transport streams ----

def stamps(data, pid=0x100):
    """PTS of each picture, in order of decoding."""
    out = []
    for at in range(0, len(data), 188):
        p = data[at:at + 188]
        if ((p[1] & 0x1F) << 8 | p[2]) != pid or not p[1] & 0x40:
            continue
        start = 4 + (1 + p[4] if p[3] & 0x20 else 0)
        b = p[start + 9:start + 14]
        out.append((b[0] >> 1 & 7) << 30 | b[1] << 22 | (b[2] >> 1) << 15 | b[3] << 7 | b[4] >> 1)
    return out


def sound_ends(path):
    """Seconds on the file's clock, by ffprobe, which counts the frames of each packet."""
    ends = run("ffprobe", "-v", "error", "-select_streams", "a", "-show_entries", "packet=pts,duration", "-of", "csv=p=0",
               path).split()
    return max(sum(int(n) for n in line.strip(",").split(",")[:2]) for line in ends) / 90000


def transport(folder, work, codec="libx264", rate=RATE, sound=SECONDS):
    """One rendition with its audio, as the reference's job makes it; the last picture stays as long as there is sound."""
    os.makedirs(folder, exist_ok=True)
    run("ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i",
        "testsrc2=size=320x180:rate=%d:duration=%d" % (rate, SECONDS), "-f", "lavfi", "-i",
        "sine=frequency=440:sample_rate=48000:duration=%g" % sound, "-c:v", codec, "-threads", "1", "-preset",
        "veryfast", "-b:v", "300k", "-pix_fmt", "yuv420p", "-x265-params" if codec == "libx265" else "-x264-params",
        "keyint=%d:min-keyint=%d:scenecut=0:open-gop=0:bframes=2%s" % (
            2 * rate, 2 * rate, ":log-level=none" if codec == "libx265" else ""), "-c:a", "aac", "-b:a", "64k", "-ac", "2",
        "-f", "hls", "-hls_time", str(SEGMENT), "-hls_list_size", "0", "-start_number", "1", "-hls_segment_filename",
        os.path.join(folder, "film_%05d.ts"), os.path.join(work, "film.m3u8"))
    names = sorted(n for n in os.listdir(folder) if n.endswith(".ts"))
    times = [sorted(stamps(read(os.path.join(folder, n)))) for n in names]
    end = times[-1][-1] + 90000 // rate
    starts = [t[0] for t in times] + [max(end, round(90000 * sound_ends(os.path.join(folder, names[-1])))) if sound > SECONDS else end]
    rows = [((b - a) / 90000, n, None) for a, b, n in zip(starts, starts[1:], names)]
    sizes = [os.path.getsize(os.path.join(folder, n)) for n in names]
    seconds = [r[0] for r in rows]
    write(os.path.join(folder, "film_1.m3u8"), playlist(SEGMENT, rows).replace("VERSION:4", "VERSION:3"))
    data = read(os.path.join(folder, names[0]))
    at = data.find(b"\x00\x00\x01\x67")
    codecs = "hvc1.1.6.L60.90" if codec == "libx265" else "avc1.%02x%02x%02x" % tuple(data[at + 4:at + 7])
    text = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-INDEPENDENT-SEGMENTS\n"
    text += ('#EXT-X-STREAM-INF:BANDWIDTH=%d,AVERAGE-BANDWIDTH=%d,CODECS="%s,mp4a.40.2",'
             'RESOLUTION=320x180,FRAME-RATE=%d.000\nfilm_1.m3u8\n') % (
                 peak(sizes, seconds, SEGMENT), average(sizes, seconds), codecs, rate)
    write(os.path.join(folder, "film.m3u8"), text)
