# SPDX-License-Identifier: LGPL-2.1-or-later
"""The faults: each row breaks a good stream in one way.

FAULT(name, base, rule, also, words, break): `rule` has to be named; `also` are rules that the same fault breaks
too; anything else is a false alarm. `words` are options of the check. `break` gets the folder.
"""
import os
import re
import shutil
import struct

import streams

FAULTS = []


def fault(rule, also=(), base="cmaf", words=()):
    def add(function):
        FAULTS.append((function.__name__, base, rule, set(also), tuple(words), function))
        return function
    return add


def sub(folder, path, pattern, into, count=1):
    name = os.path.join(folder, path)
    text = streams.read(name).decode()
    changed, times = re.subn(pattern, into, text, count=count, flags=re.M)
    assert times, "%s: nothing matches %s" % (path, pattern)
    streams.write(name, changed)


def patch(folder, path, at, data):
    name = os.path.join(folder, path)
    old = streams.read(name)
    assert old[at:at + len(data)] != data, path
    streams.write(name, old[:at] + data + old[at + len(data):])


def moofs(data):
    return [at for kind, at, _, _ in streams.boxes(data) if kind == "moof"]


def place(folder, path, box, moof=0):
    data = streams.read(os.path.join(folder, path))
    return data, streams.find(data, box, moofs(data)[moof] if box.startswith("moof") else 0)[0]


def scale_number(folder, path, name, factor, count=1):
    sub(folder, path, r"([:,]" + name + r"=)(\d+)", lambda m: m.group(1) + str(int(int(m.group(2)) * factor)), count)


# ---- multivariant playlist ----

@fault("apple-bandwidth-peak")
def bandwidth_too_low(d):
    scale_number(d, "index.m3u8", "BANDWIDTH", 0.7)


@fault("apple-bandwidth-peak")
def bandwidth_too_high(d):
    scale_number(d, "index.m3u8", "BANDWIDTH", 1.3)


@fault("rfc8216-bandwidth")
def bandwidth_a_little_low(d):
    scale_number(d, "index.m3u8", "BANDWIDTH", 0.97)


@fault("apple-bandwidth-average")
def average_too_high(d):
    scale_number(d, "index.m3u8", "AVERAGE-BANDWIDTH", 1.5)


@fault("apple-average-bandwidth")
def average_missing(d):
    sub(d, "index.m3u8", r",AVERAGE-BANDWIDTH=\d+", "")


@fault("rfc8216-stream-inf")
def bandwidth_missing(d):
    sub(d, "index.m3u8", r"INF:BANDWIDTH=\d+,", "INF:")


@fault("apple-codecs")
def codecs_missing(d):
    sub(d, "index.m3u8", r',CODECS="[^"]*"', "")


@fault("rfc8216-codecs")
def codecs_other_level(d):
    sub(d, "index.m3u8", r'CODECS="avc1\.64000d', 'CODECS="avc1.640028')


@fault("rfc8216-codecs")
def codecs_without_audio(d):
    sub(d, "index.m3u8", r",mp4a\.40\.2", "")


@fault("apple-resolution")
def resolution_missing(d):
    sub(d, "index.m3u8", r",RESOLUTION=\d+x\d+", "")


@fault("rfc8216-resolution")
def resolution_wrong(d):
    sub(d, "index.m3u8", r"RESOLUTION=320x180", "RESOLUTION=640x360")


@fault("apple-frame-rate")
def frame_rate_missing(d):
    sub(d, "index.m3u8", r",FRAME-RATE=[\d.]+", "")


@fault("rfc8216-frame-rate")
def frame_rate_wrong(d):
    sub(d, "index.m3u8", r"FRAME-RATE=25.000", "FRAME-RATE=24.000")


@fault("rfc8216-frame-rate")
def frame_rate_wrong_in_the_third_decimal(d):
    sub(d, "index.m3u8", r"FRAME-RATE=25.000", "FRAME-RATE=25.001")


@fault("rfc8216-frame-rate", base="ts")
def frame_rate_of_a_transport_stream(d):
    sub(d, "film.m3u8", r"FRAME-RATE=25.000", "FRAME-RATE=24.990")


@fault("rfc8216bis-video-range")
def video_range_wrong(d):
    sub(d, "index.m3u8", r"VIDEO-RANGE=SDR", "VIDEO-RANGE=PQ")


@fault("rfc8216-group")
def group_unknown(d):
    sub(d, "index.m3u8", r',AUDIO="audio"', ',AUDIO="sound"', 2)
    scale_number(d, "index.m3u8", "BANDWIDTH", 1)


# the audio is no part of these variants then
FAULTS[-1][3].update({"rfc8216-codecs", "apple-bandwidth-peak", "apple-bandwidth-average"})


@fault("apple-independent")
def independent_missing(d):
    sub(d, "index.m3u8", "#EXT-X-INDEPENDENT-SEGMENTS\n", "")
    sub(d, "v0/index.m3u8", "#EXT-X-INDEPENDENT-SEGMENTS\n", "")


@fault("apple-language")
def language_missing(d):
    sub(d, "index.m3u8", ',LANGUAGE="en"', "")


@fault("rfc8216-media")
def rendition_name_twice(d):
    sub(d, "index.m3u8", r"(#EXT-X-MEDIA:TYPE=AUDIO.*\n)", lambda m: m.group(1) + m.group(1).replace("DEFAULT=YES",
                                                                                                     "DEFAULT=NO"))


@fault("rfc8216-media")
def rendition_without_name(d):
    sub(d, "index.m3u8", ',NAME="English"', "")


@fault("rfc8216-channels")
def channels_wrong(d):
    sub(d, "index.m3u8", 'CHANNELS="2"', 'CHANNELS="6"')


@fault("rfc8216-attributes", ["rfc8216-group"])
def quote_not_closed(d):
    sub(d, "index.m3u8", r'SUBTITLES="text",CLOSED', 'SUBTITLES="text,CLOSED')


@fault("rfc8216-attributes")
def attribute_twice(d):
    sub(d, "index.m3u8", r",RESOLUTION=320x180", ",RESOLUTION=320x180,RESOLUTION=320x180")


@fault("rfc8216-stream-inf")
def variant_without_uri(d):
    sub(d, "index.m3u8", r"^v1/index.m3u8\n", "")


@fault("rfc8216-available")
def playlist_missing(d):
    os.remove(os.path.join(d, "v1", "index.m3u8"))


# ---- media playlists ----

@fault("rfc8216-extm3u")
def first_line_missing(d):
    sub(d, "v0/index.m3u8", r"\A#EXTM3U\n", "")


@fault("rfc8216-utf8")
def byte_order_mark(d):
    sub(d, "v0/index.m3u8", r"\A", "\ufeff")


@fault("rfc8216-endlist")
def endlist_missing(d):
    sub(d, "v0/index.m3u8", "#EXT-X-ENDLIST\n", "")


@fault("apple-vod-type")
def type_missing(d):
    sub(d, "v0/index.m3u8", "#EXT-X-PLAYLIST-TYPE:VOD\n", "")


@fault("apple-vod-type")
def type_event(d):
    sub(d, "a0/index.m3u8", "TYPE:VOD", "TYPE:EVENT")


@fault("apple-map")
def map_missing(d):
    sub(d, "v1/index.m3u8", r"#EXT-X-MAP.*\n", "")


@fault("rfc8216-version")
def version_too_low(d):
    sub(d, "v0/index.m3u8", "VERSION:6", "VERSION:3")


@fault("rfc8216-tag")
def tag_twice(d):
    sub(d, "v0/index.m3u8", "(#EXT-X-PLAYLIST-TYPE:VOD\n)", r"\1\1")


@fault("rfc8216-tag")
def master_tag_in_media(d):
    sub(d, "v0/index.m3u8", "#EXT-X-MAP", "#EXT-X-STREAM-INF:BANDWIDTH=1\n#EXT-X-MAP")


@fault("rfc8216-target", ["apple-target-same", "apple-bandwidth-peak"])
def target_too_low(d):
    sub(d, "v0/index.m3u8", "TARGETDURATION:2", "TARGETDURATION:1")


@fault("apple-target-same")
def target_differs(d):
    sub(d, "v1/index.m3u8", "TARGETDURATION:2", "TARGETDURATION:3")


@fault("apple-extinf-exact")
def extinf_wrong(d):
    sub(d, "v0/index.m3u8", "EXTINF:2.000000", "EXTINF:2.020000")


@fault("apple-extinf-exact")
def extinf_rounded(d):
    sub(d, "a0/index.m3u8", r"EXTINF:(\d\.\d\d\d)\d+", r"EXTINF:\1", 9)


@fault("rfc8216-extinf")
def extinf_missing(d):
    sub(d, "v0/index.m3u8", r"#EXTINF:.*\n", "")


@fault("rfc8216-extinf")
def extinf_no_number(d):
    sub(d, "v0/index.m3u8", r"EXTINF:2\.000000", "EXTINF:2s")


@fault("rfc8216-uri")
def uri_leads_outside(d):
    sub(d, "v0/index.m3u8", "seg_00002.m4s", "../../../etc/passwd")


@fault("rfc8216-available")
def segment_missing(d):
    os.remove(os.path.join(d, "v0", "seg_00002.m4s"))


@fault("rfc8216-available")
def segment_is_a_link(d):
    name = os.path.join(d, "v0", "seg_00002.m4s")
    os.rename(name, name + ".real")
    os.symlink("seg_00002.m4s.real", name)


@fault("rfc8216-available")
def segment_empty(d):
    streams.write(os.path.join(d, "v0", "seg_00002.m4s"), b"")


@fault("apple-duration-same", ["cmaf-same-bytes"])
def last_segment_unnamed(d):
    sub(d, "v1/index.m3u8", r"#EXTINF.*\nseg_00003.m4s\n", "")


# the last I-frames of that track belong to no named segment
FAULTS[-1][3].update({"rfc8216-iframe-time", "apple-iframe-range", "apple-bandwidth-peak", "apple-bandwidth-average",
                      "rfc8216-bandwidth"})


@fault("apple-duration-same", ["cmaf-same-bytes", "apple-bandwidth-average", "apple-bandwidth-peak"])
def audio_ends_early(d):
    sub(d, "a0/index.m3u8", r"#EXTINF.*\nseg_00003.m4s\n", "")


@fault("apple-boundaries", ["cmaf-same-bytes", "apple-bandwidth-peak", "apple-target-same", "rfc8216-bandwidth",
                            "rfc8216-target"])
def boundaries_differ(d):
    one, two = (os.path.join(d, "v1", "seg_0000%d.m4s" % n) for n in (1, 2))
    streams.write(one, streams.read(one) + streams.read(two)[len(streams.STYP):])
    sub(d, "v1/index.m3u8", r"#EXTINF.*\nseg_00001.m4s\n#EXTINF.*\nseg_00002.m4s", "#EXTINF:4.000000,\nseg_00001.m4s")
    sub(d, "v1/iframes.m3u8", r"#EXTINF(.*\n)*", "")
    streams.write(os.path.join(d, "v1", "iframes.m3u8"), streams.read(os.path.join(d, "v0", "iframes.m3u8")).replace(
        b"seg", b"../v0/seg").replace(b'"init', b'"../v0/init'))
    sub(d, "index.m3u8", r'(#EXT-X-I-FRAME.*)\n#EXT-X-I-FRAME.*\n', r"\1\n")
    sub(d, "index.mpd", r'<Representation id="v1"(.*\n)*?      </Representation>\n', "")
    for name in ("v0", "v1", "a0"):
        sub(d, name + "/index.m3u8", "TARGETDURATION:2", "TARGETDURATION:4")


@fault("stream-encrypted")
def key_in_playlist(d):
    sub(d, "v1/index.m3u8", "#EXT-X-MAP", '#EXT-X-KEY:METHOD=AES-128,URI="key"\n#EXT-X-MAP')


# ---- I-frames ----

@fault("apple-iframe-range")
def iframe_range_short(d):
    sub(d, "v0/iframes.m3u8", r"BYTERANGE:(\d+)@", lambda m: "BYTERANGE:%d@" % (int(m.group(1)) - 7))


@fault("rfc8216-byterange")
def iframe_range_outside(d):
    sub(d, "v0/iframes.m3u8", r"BYTERANGE:(\d+)@(\d+)", r"BYTERANGE:\1@99999999")


@fault("rfc8216-iframe-time")
def iframe_time_wrong(d):
    sub(d, "v0/iframes.m3u8", r"EXTINF:1\.000000", "EXTINF:0.960000")


@fault("apple-iframes-only")
def iframes_only_missing(d):
    sub(d, "v0/iframes.m3u8", "#EXT-X-I-FRAMES-ONLY\n", "")


# ---- boxes ----

@fault("apple-tfdt", ["dash-timeline", "apple-boundaries", "rfc8216-iframe-time"])
def tfdt_off_by_one(d):
    data, at = place(d, "v0/seg_00002.m4s", "moof/traf/tfdt")
    patch(d, "v0/seg_00002.m4s", at + 12, struct.pack(">Q", streams.tfdt(data, moofs(data)[0]) + 1)
          if data[at + 8] else struct.pack(">I", streams.tfdt(data, moofs(data)[0]) + 1))


@fault("apple-tfdt", ["rfc8216-iframe-time", "iso-sample-time", "apple-extinf-exact", "dash-timeline",
                      "apple-continuous", "apple-duration-same"])
def tfdt_of_a_later_fragment(d):
    data, at = place(d, "v0/seg_00002.m4s", "moof/traf/tfdt", 1)
    patch(d, "v0/seg_00002.m4s", at + 12, struct.pack(">Q" if data[at + 8] else ">I",
                                                      streams.tfdt(data, moofs(data)[1]) + 512))


@fault("apple-tfdt", ["dash-timeline", "apple-extinf-exact", "apple-boundaries", "apple-continuous",
                      "apple-duration-same", "rfc8216-iframe-time", "cmaf-closed-gop", "apple-extinf-sum"])
def segments_swapped(d):
    one, two = (os.path.join(d, "v0", "seg_0000%d.m4s" % n) for n in (2, 3))
    a, b = streams.read(one), streams.read(two)
    streams.write(one, b)
    streams.write(two, a)


FAULTS[-1][3].update({"apple-iframe-range", "rfc8216-byterange"})


@fault("apple-idr")
def first_picture_no_idr(d):
    name = os.path.join(d, "v0", "seg_00002.m4s")
    data = streams.read(name)
    at = data.index(b"mdat") + 4
    while data[at + 4] & 0x1F != 5:
        at += 4 + struct.unpack_from(">I", data, at)[0]
    patch(d, "v0/seg_00002.m4s", at + 4, bytes([data[at + 4] & 0xE0 | 1]))


@fault("iso-sync-flag", ["apple-iframe-range", "cmaf-fragment-key"])
def key_not_flagged(d):
    data, at = place(d, "v0/seg_00002.m4s", "moof/traf/trun")
    flags = struct.unpack_from(">I", data, at + 8)[0]
    assert flags & 4
    patch(d, "v0/seg_00002.m4s", at + 20, struct.pack(">I", 0x01010000))


@fault("iso-nal")
def nal_length_wrong(d):
    data, at = place(d, "v0/seg_00002.m4s", "mdat")
    patch(d, "v0/seg_00002.m4s", at + 8, struct.pack(">I", 0x00FFFFFF))


@fault("iso-box")
def segment_cut_short(d):
    name = os.path.join(d, "v0", "seg_00002.m4s")
    streams.write(name, streams.read(name)[:-200])


@fault("iso-media-data", ["apple-bandwidth-peak", "apple-bandwidth-average", "dash-bandwidth", "rfc8216-bandwidth"])
def bytes_without_sample(d):
    name = os.path.join(d, "v0", "seg_00003.m4s")
    data = streams.read(name)
    last = [at for kind, at, _, _ in streams.boxes(data) if kind == "mdat"][-1]
    size = struct.unpack_from(">I", data, last)[0]
    streams.write(name, data[:last] + struct.pack(">I", size + 64) + data[last + 4:] + bytes(64))


@fault("iso-box")
def box_too_long(d):
    data, at = place(d, "v0/seg_00002.m4s", "moof/traf")
    patch(d, "v0/seg_00002.m4s", at, struct.pack(">I", 0x7FFFFFFF))


@fault("iso-sequence")
def sequence_backwards(d):
    _, at = place(d, "v0/seg_00002.m4s", "moof/mfhd", 1)
    patch(d, "v0/seg_00002.m4s", at + 12, struct.pack(">I", 1))


@fault("cmaf-sample-entry", ["rfc8216-codecs", "dash-codecs"])
def record_other_than_sps(d):
    _, at = place(d, "v0/init.mp4", "moov/trak/mdia/minf/stbl/stsd/avc1/avcC")
    patch(d, "v0/init.mp4", at + 11, b"\x33")


@fault("cmaf-picture-size")
def entry_of_another_size(d):
    _, at = place(d, "v0/init.mp4", "moov/trak/mdia/minf/stbl/stsd/avc1")
    patch(d, "v0/init.mp4", at + 32, struct.pack(">HH", 640, 360))


@fault("cmaf-colour")
def colour_box_wrong(d):
    _, at = place(d, "v0/init.mp4", "moov/trak/mdia/minf/stbl/stsd/avc1/colr")
    patch(d, "v0/init.mp4", at + 12, struct.pack(">HHH", 9, 16, 9))


@fault("cmaf-pixel-shape", ["cmaf-picture-size"])
def pixel_shape_wrong(d):
    _, at = place(d, "v0/init.mp4", "moov/trak/mdia/minf/stbl/stsd/avc1/pasp")
    patch(d, "v0/init.mp4", at + 8, struct.pack(">II", 4, 3))


@fault("cmaf-brand")
def brands_of_plain_files(d):
    name = os.path.join(d, "v0", "init.mp4")
    data = streams.read(name)
    size = struct.unpack_from(">I", data)[0]
    streams.write(name, data[:8] + b"isom" * ((size - 8) // 4) + data[size:])


@fault("cmaf-header")
def no_mvex(d):
    _, at = place(d, "v0/init.mp4", "moov/mvex")
    patch(d, "v0/init.mp4", at + 4, b"free")


@fault("cmaf-fragment")
def no_tfdt(d):
    _, at = place(d, "v0/seg_00002.m4s", "moof/traf/tfdt")
    patch(d, "v0/seg_00002.m4s", at + 4, b"free")


# nothing is known of its times then
FAULTS[-1][3].update({"apple-tfdt", "apple-boundaries", "dash-timeline", "dash-duration", "rfc8216-iframe-time"})


@fault("stream-av-start", ["dash-timeline", "dash-count"])
def audio_late(d):
    for n in range(1, 4):
        path = "a0/seg_%05d.m4s" % n
        data, at = place(d, path, "moof/traf/tfdt")
        patch(d, path, at + 12, struct.pack(">Q", streams.tfdt(data, moofs(data)[0]) + 24000))


# ---- text and thumbnails ----

@fault("apple-timestamp-map")
def timestamp_map_missing(d):
    sub(d, "s0/seg_00001.vtt", r"X-TIMESTAMP-MAP.*\n", "")


@fault("webvtt-cue-time")
def cue_ends_before_it_begins(d):
    sub(d, "s0/seg_00002.vtt", "02.900", "02.100")


@fault("webvtt-cue-time")
def cue_of_another_segment(d):
    sub(d, "s0/seg_00002.vtt", r"00:02\.200 --> 00:00:02\.900", "00:05.200 --> 00:00:05.900")


@fault("webvtt-syntax")
def text_without_signature(d):
    sub(d, "s0/seg_00002.vtt", "WEBVTT\n", "")


@fault("webvtt-syntax")
def cue_without_time(d):
    sub(d, "s0/seg_00002.vtt", r"00:00:02\.200", "soon")


@fault("apple-duration-same", ["apple-bandwidth-peak", "apple-bandwidth-average"])
def subtitles_end_early(d):
    sub(d, "s0/index.m3u8", r"#EXTINF.*\nseg_00002.vtt\n#EXTINF.*\nseg_00003.vtt\n", "")


@fault("stream-thumbnails")
def thumbnail_outside_its_picture(d):
    sub(d, "thumbs/thumbs.vtt", "xywh=80,0", "xywh=120,0")


@fault("stream-thumbnails")
def sprite_missing(d):
    os.remove(os.path.join(d, "thumbs", "sprite_001.jpg"))


# ---- MPD ----

@fault("dash-xml")
def mpd_not_closed(d):
    sub(d, "index.mpd", "</Period>", "")


@fault("dash-xml")
def mpd_with_entities(d):
    sub(d, "index.mpd", r"\?>\n", '?>\n<!DOCTYPE MPD [<!ENTITY a "b">]>\n')


@fault("dash-schema")
def mpd_unknown_attribute(d):
    sub(d, "index.mpd", 'type="static"', 'type="static" speed="1"')


@fault("dash-schema")
def mpd_without_buffer(d):
    sub(d, "index.mpd", r' minBufferTime="[^"]*"', "")


@fault("dash-schema", ["dash-start-with-sap"])
def mpd_no_boolean(d):
    sub(d, "index.mpd", 'segmentAlignment="true"', 'segmentAlignment="yes"')


@fault("dash-schema")
def mpd_order(d):
    sub(d, "index.mpd", r"(      <Role.*\n)((.*\n)*?)(    </AdaptationSet>)", r"\2\1\4")


@fault("dash-schema")
def mpd_unknown_element(d):
    sub(d, "index.mpd", "<Role ", "<Rolle ")


@fault("dash-timeline")
def timeline_wrong(d):
    sub(d, "index.mpd", r'd="25600"', 'd="25601"')


@fault("dash-duration", ["dash-count"])
def duration_wrong(d):
    sub(d, "index.mpd", "PT6.0S", "PT6.5S")


@fault("dash-duration")
def duration_rounded_as_ffmpeg_does(d):
    sub(d, "index.mpd", "PT6.0S", "PT6.012S")


@fault("dash-type")
def duration_missing(d):
    sub(d, "index.mpd", r' mediaPresentationDuration="[^"]*"', "")


@fault("dash-type")
def mpd_dynamic(d):
    sub(d, "index.mpd", 'type="static"', 'type="dynamic" availabilityStartTime="2026-01-01T00:00:00Z"')


@fault("dash-codecs")
def mpd_codecs_wrong(d):
    sub(d, "index.mpd", 'codecs="avc1.64000d"', 'codecs="avc1.640028"')


@fault("dash-frame-rate")
def mpd_frame_rate_wrong(d):
    sub(d, "index.mpd", 'frameRate="25"', 'frameRate="30000/1001"')


@fault("dash-size")
def mpd_size_wrong(d):
    sub(d, "index.mpd", 'width="320"', 'width="640"')


@fault("dash-bandwidth")
def mpd_bandwidth_low(d):
    sub(d, "index.mpd", r'bandwidth="(\d+)"', lambda m: 'bandwidth="%d"' % (int(m.group(1)) // 2))


@fault("dash-start-with-sap")
def sap_missing(d):
    sub(d, "index.mpd", ' startWithSAP="1"', "")


@fault("dash-id")
def id_twice(d):
    sub(d, "index.mpd", 'Representation id="v1"', 'Representation id="v0"')


@fault("dash-profile")
def profile_wrong(d):
    sub(d, "index.mpd", r'profiles="[^"]*"', 'profiles="urn:mpeg:dash:profile:full:2011"')


@fault("dash-mime")
def mime_wrong(d):
    sub(d, "index.mpd", 'mimeType="audio/mp4"', 'mimeType="audio/mpeg"')


@fault("dash-audio")
def mpd_sample_rate_wrong(d):
    sub(d, "index.mpd", 'audioSamplingRate="48000"', 'audioSamplingRate="44100"')


@fault("dash-audio")
def mpd_channels_wrong(d):
    sub(d, "index.mpd", 'channel_configuration:2011" value="2"', 'channel_configuration:2011" value="6"')


@fault("dash-count", ["cmaf-same-bytes", "dash-bandwidth"])
def timeline_short(d):
    sub(d, "index.mpd", r'(<Representation id="v1"(.*\n)*?)            <S d="25600"/>\n', r"\1")


@fault("cmaf-same-bytes")
def other_bytes(d):
    shutil.copytree(os.path.join(d, "v0"), os.path.join(d, "x0"))
    sub(d, "index.mpd", 'media="v0/', 'media="x0/')


# the copies are the same segments: what they break, they break twice
FAULTS[-1][3].update({"dash-count"})


# ---- plans ----

PLAN = os.path.join("{folder}", "plan.json")


def plan(d, text):
    streams.write(os.path.join(d, "plan.json"), text)


@fault("plan-frames", words=("--plan", PLAN))
def plan_of_more_frames(d):
    plan(d, '{"plan": {"frames": 151}}')


@fault("plan-colour", words=("--plan", PLAN))
def plan_of_another_colour(d):
    plan(d, '{"video": [{"name": "v0", "colour": {"primaries": 9, "transfer": 1, "matrix": 1}}, {"name": "v1"}]}')


@fault("plan-picture", words=("--plan", PLAN))
def plan_of_another_size(d):
    plan(d, '{"video": [{"name": "v0", "width": 640, "height": 180}, {"name": "v1", "codec": "avc1"}]}')


@fault("plan-tracks", words=("--plan", PLAN))
def plan_of_more_tracks(d):
    plan(d, '{"video": [{"name": "v0"}, {"name": "v1"}, {"name": "v2"}], "audio": [{"name": "a0", "channels": 2}]}')


@fault("plan-audio", words=("--plan", PLAN))
def plan_of_other_audio(d):
    plan(d, '{"audio": [{"name": "a0", "channels": 2, "sample_rate": 44100}]}')


# ---- transport streams ----

def packets(data):
    return [data[at:at + 188] for at in range(0, len(data), 188)]


def pid_of(p):
    return (p[1] & 0x1F) << 8 | p[2]


def change_packet(d, name, choose, change):
    path = os.path.join(d, name)
    rows = packets(streams.read(path))
    n = next(i for i, p in enumerate(rows) if choose(p))
    rows[n] = change(bytearray(rows[n]))
    streams.write(path, b"".join(bytes(r) for r in rows))


def replaced(p, at, data):
    p[at:at + len(data)] = data
    return p


@fault("ts-packet", base="ts")
def packet_without_sync(d):
    change_packet(d, "film_00002.ts", lambda p: pid_of(p) == 0x100 and not p[1] & 0x40,
                  lambda p: replaced(p, 0, b"\x00"))


@fault("ts-packet", base="ts")
def packet_cut_short(d):
    path = os.path.join(d, "film_00002.ts")
    streams.write(path, streams.read(path)[:-100])


@fault("apple-ts-continuity", base="ts")
def counter_skips(d):
    path = os.path.join(d, "film_00002.ts")
    rows = packets(streams.read(path))
    n = next(i for i, p in enumerate(rows) if pid_of(p) == 0x100 and not p[1] & 0x40 and not p[3] & 0x20)
    streams.write(path, b"".join(rows[:n] + rows[n + 1:]))


@fault("ts-tables", base="ts")
def pat_checksum_wrong(d):
    change_packet(d, "film_00002.ts", lambda p: pid_of(p) == 0, lambda p: replaced(p, 17, b"\xff"))


@fault("ts-tables", base="ts")
def tables_missing(d):
    path = os.path.join(d, "film_00002.ts")
    rows = packets(streams.read(path))
    streams.write(path, b"".join(p for p in rows if pid_of(p) not in (0, 0x1000)))


@fault("apple-idr", base="ts")
def picture_no_idr(d):
    path = os.path.join(d, "film_00002.ts")
    data = streams.read(path)
    at = data.index(b"\x00\x00\x01\x65")
    streams.write(path, data[:at + 3] + b"\x41" + data[at + 4:])


@fault("ts-pes", base="ts")
def pes_without_pts(d):
    def drop(p):
        start = 4 + (1 + p[4] if p[3] & 0x20 else 0)
        p[start + 7] &= 0x3F
        return p
    change_packet(d, "film_00002.ts", lambda p: pid_of(p) == 0x101 and p[1] & 0x40, drop)


def shift(data, by):
    """All times of a segment moved."""
    def put(p, at, value):
        p[at] = p[at] & 0xF1 | (value >> 30 & 7) << 1
        p[at + 1:at + 3] = struct.pack(">H", (value >> 15 & 0x7FFF) << 1 | 1)
        p[at + 3:at + 5] = struct.pack(">H", (value & 0x7FFF) << 1 | 1)

    def get(p, at):
        return (p[at] >> 1 & 7) << 30 | p[at + 1] << 22 | (p[at + 2] >> 1) << 15 | p[at + 3] << 7 | p[at + 4] >> 1
    out = []
    for row in packets(data):
        p = bytearray(row)
        if p[3] & 0x20 and p[4] >= 7 and p[5] & 0x10:
            base = p[6] << 25 | p[7] << 17 | p[8] << 9 | p[9] << 1 | p[10] >> 7
            base += by
            p[6:11] = bytes([base >> 25 & 255, base >> 17 & 255, base >> 9 & 255, base >> 1 & 255,
                             (base & 1) << 7 | p[10] & 0x7F])
        if pid_of(p) in (0x100, 0x101) and p[1] & 0x40:
            start = 4 + (1 + p[4] if p[3] & 0x20 else 0)
            told = p[start + 7] >> 6
            put(p, start + 9, get(p, start + 9) + by)
            if told == 3:
                put(p, start + 14, get(p, start + 14) + by)
        out.append(bytes(p))
    return b"".join(out)


@fault("apple-continuous", ["apple-extinf-exact", "ts-pcr"], base="ts")
def gap_between_segments(d):
    path = os.path.join(d, "film_00003.ts")
    streams.write(path, shift(streams.read(path), 45000))


@fault("apple-ts-time", ["apple-extinf-exact", "ts-pcr"], base="ts")
def times_go_back(d):
    path = os.path.join(d, "film_00003.ts")
    streams.write(path, shift(streams.read(path), -90000))


@fault("apple-extinf-exact", base="ts")
def ts_extinf_wrong(d):
    sub(d, "film_1.m3u8", "EXTINF:2.000000", "EXTINF:2.040000")


@fault("rfc8216-codecs", base="ts")
def ts_codecs_wrong(d):
    sub(d, "film.m3u8", "mp4a.40.2", "mp4a.40.5")


@fault("apple-bandwidth-peak", base="ts")
def ts_bandwidth_as_ffmpeg_has_it(d):
    scale_number(d, "film.m3u8", "BANDWIDTH", 0.1)


@fault("apple-ts-continuity", ["apple-ts-time", "ts-pcr", "apple-extinf-exact", "apple-continuous",
                               "rfc8216-extinf"], base="ts")
def ts_segments_swapped(d):
    one, two = (os.path.join(d, "film_0000%d.ts" % n) for n in (2, 3))
    a, b = streams.read(one), streams.read(two)
    streams.write(one, b)
    streams.write(two, a)


def crc32(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ 0x04C11DB7 if crc & 0x80000000 else crc << 1) & 0xFFFFFFFF
    return crc


@fault("ts-streams", base="ts")
def stream_type_changes(d):
    def change(p):
        start = 4 + (1 + p[4] if p[3] & 0x20 else 0)
        at = start + 1 + p[start]
        size = 3 + ((p[at + 1] & 0x0F) << 8 | p[at + 2])
        assert p[at] == 2 and p[at + 12] == 0x1B
        p[at + 12] = 0x24
        return replaced(p, at + size - 4, struct.pack(">I", crc32(p[at:at + size - 4])))
    change_packet(d, "film_00002.ts", lambda p: pid_of(p) == 0x1000, change)


@fault("ts-pcr", ["apple-ts-time"], base="ts")
def clock_too_late(d):
    def late(p):
        base = (p[6] << 25 | p[7] << 17 | p[8] << 9 | p[9] << 1 | p[10] >> 7) + 900000
        return replaced(p, 6, bytes([base >> 25 & 255, base >> 17 & 255, base >> 9 & 255, base >> 1 & 255,
                                     (base & 1) << 7 | p[10] & 0x7F]))
    change_packet(d, "film_00003.ts", lambda p: p[3] & 0x20 and p[4] >= 7 and p[5] & 0x10, late)


# ---- more of boxes ----

def cts_of(data, moof, index):
    """Where a sample's composition offset stands in its trun."""
    at, _ = streams.find(data, "moof/traf/trun", moof)
    flags = struct.unpack_from(">I", data, at + 8)[0] & 0xFFFFFF
    assert flags & 0x800
    row = sum(4 for bit in (0x100, 0x200, 0x400, 0x800) if flags & bit)
    return at + 16 + (4 if flags & 1 else 0) + (4 if flags & 4 else 0) + row * (index + 1) - 4


@fault("cmaf-closed-gop", ["apple-continuous", "apple-extinf-exact", "apple-boundaries", "apple-duration-same",
                           "dash-timeline", "iso-sample-time"])
def picture_before_its_key(d):
    data = streams.read(os.path.join(d, "v0", "seg_00002.m4s"))
    patch(d, "v0/seg_00002.m4s", cts_of(data, moofs(data)[0], 2), struct.pack(">i", -5120))


@fault("iso-sample-time")
def two_pictures_at_one_time(d):
    data = streams.read(os.path.join(d, "v0", "seg_00002.m4s"))
    at = moofs(data)[0]
    rows, time, shown = streams.trun(data, at), 0, []
    for lasts, _, _, offset in rows:
        shown.append(time + offset)
        time += lasts
    times = sorted(shown)
    inner = shown.index(times[5])
    patch(d, "v0/seg_00002.m4s", cts_of(data, at, inner), struct.pack(">i", rows[inner][3] + times[6] - times[5]))


@fault("cmaf-fragment-key", ["apple-iframe-range"])
def fragment_without_key(d):
    path = "v0/seg_00002.m4s"
    data, at = place(d, path, "moof/traf/trun", 1)
    patch(d, path, at + 20, struct.pack(">I", 0x01010000))
    mdat = [p for kind, p, _, _ in streams.boxes(data) if kind == "mdat"][1] + 8
    end = mdat + streams.trun(data, moofs(data)[1])[0][1]
    while mdat < end:
        if data[mdat + 4] & 0x1F == 5:
            patch(d, path, mdat + 4, bytes([data[mdat + 4] & 0xE0 | 1]))
        mdat += 4 + struct.unpack_from(">I", data, mdat)[0]


@fault("iso-parameter-sets")
def parameter_sets_in_a_picture(d):
    data, at = place(d, "v0/seg_00001.m4s", "mdat")
    at += 8
    while data[at + 4] & 0x1F != 6:
        at += 4 + struct.unpack_from(">I", data, at)[0]
    patch(d, "v0/seg_00001.m4s", at + 4, b"\x67")


@fault("cmaf-edit-list", ["iso-box"])
def two_edits(d):
    name = os.path.join(d, "v0", "init.mp4")
    data = streams.read(name)
    elst = streams.box(b"edts", streams.box(b"elst", struct.pack(">II", 0, 2), struct.pack(">IiI", 1000, 0, 0x10000),
                                            struct.pack(">IiI", 0, 512, 0x10000)))
    found = streams.find(data, "moov/trak/edts")
    moov, size = streams.find(data, "moov")
    trak, length = streams.find(data, "moov/trak")
    tkhd, head = streams.find(data, "moov/trak/tkhd")
    before, after = (found[0], sum(found)) if found else (tkhd + head, tkhd + head)
    more = len(elst) - (after - before)
    out = bytearray(data[:before] + elst + data[after:])
    out[moov:moov + 4] = struct.pack(">I", size + more)
    out[trak:trak + 4] = struct.pack(">I", length + more)
    streams.write(name, bytes(out))


@fault("cmaf-edit-list")
def edit_list_under_cmf2(d):
    data = streams.read(os.path.join(d, "v1", "init.mp4"))
    patch(d, "v1/init.mp4", data.index(b"mp41"), b"cmf2")


@fault("cmaf-edit-list", ["apple-boundaries"])
def edit_list_skips_too_much(d):
    data, at = place(d, "v1/init.mp4", "moov/trak/edts/elst")
    assert struct.unpack_from(">I", data, at + 12)[0] == 1 and data[at + 8] == 0
    patch(d, "v1/init.mp4", at + 20, struct.pack(">I", struct.unpack_from(">I", data, at + 20)[0] + 512))


@fault("cmaf-edit-list", ["apple-boundaries", "dash-duration"])
def edit_list_skips_nothing(d):
    data, at = place(d, "v1/init.mp4", "moov/trak/edts/elst")
    patch(d, "v1/init.mp4", at + 20, bytes(4))


@fault("apple-boundaries", ["dash-duration"])
def offsets_without_an_edit_list(d):
    _, at = place(d, "v1/init.mp4", "moov/trak/edts")
    patch(d, "v1/init.mp4", at + 4, b"free")


# ---- other pictures: the stream is made anew ----

def again(d, **how):
    shutil.rmtree(d)
    work = d + ".work"
    os.makedirs(work)
    try:
        streams.cmaf(d, work, **how)
    finally:
        shutil.rmtree(work)


@fault("cmaf-switching-colour")
def renditions_of_two_colours(d):
    again(d, looks=({}, {"colour": "bt470bg"}))


@fault("apple-hdr-codec", ["apple-video-range", "rfc8216bis-video-range"])
def hdr_in_h264(d):
    again(d, looks=({"colour": "smpte2084"}, {"colour": "smpte2084"}))


@fault("apple-video-range", ["apple-hdr-codec"])
def hdr_untold(d):
    again(d, looks=({"colour": "smpte2084"}, {"colour": "smpte2084"}))
    sub(d, "index.m3u8", ",VIDEO-RANGE=SDR", "", 9)


@fault("apple-aspect")
def renditions_of_two_shapes(d):
    again(d, sizes=[(320, 180, "400k"), (160, 120, "150k")])


@fault("apple-key-interval", ["apple-peak-to-average"], words=("--strict",))
def keys_far_apart(d):
    again(d, looks=({"keys": 60}, {"keys": 60}))


# nothing is cut at the playlists' times then
FAULTS[-1][3].update({"apple-extinf-exact", "dash-count", "dash-duration", "apple-duration-same", "apple-boundaries",
                      "dash-bandwidth"})


@fault("apple-iframes", ["apple-peak-to-average"], words=("--strict",))
def no_iframe_playlists(d):
    sub(d, "index.m3u8", r"#EXT-X-I-FRAME.*\n", "", 9)


@fault("apple-variants", ["apple-peak-to-average"], words=("--strict",))
def one_variant(d):
    sub(d, "index.m3u8", r"#EXT-X-STREAM-INF.*RESOLUTION=160x90.*\n.*\n", "")
    sub(d, "index.m3u8", r"#EXT-X-I-FRAME.*RESOLUTION=160x90.*\n", "")
    sub(d, "index.mpd", r'      <Representation id="v1"(.*\n)*?      </Representation>\n', "")


@fault("rfc8216-empty", ["apple-duration-same"])
def playlist_of_nothing(d):
    sub(d, "v1/index.m3u8", r"(#EXTINF.*\n.*\n)+", "")


# the variant has no bytes, and its files are named by nobody
FAULTS[-1][3].update({"rfc8216-iframe-time", "cmaf-same-bytes", "apple-bandwidth-peak", "apple-bandwidth-average"})


# ---- decoded pictures ----

@fault("decode-damage", ["decode-count"], words=("--decode",))
def slice_damaged(d):
    data, at = place(d, "v0/seg_00002.m4s", "mdat")
    patch(d, "v0/seg_00002.m4s", at + 2000, bytes(range(255, 155, -1)))


@fault("plan-black", ["plan-frozen"], words=("--decode", "--plan", PLAN))
def black_run(d):
    again(d, looks=({"look": "drawbox=t=fill:c=black:enable='between(t,2.5,3.5)'"}, {}))
    plan(d, '{"source": {"black": [[0.5, 1.0]], "frozen": []}}')


@fault("plan-frozen", words=("--decode", "--plan", PLAN))
def frozen_run(d):
    again(d, looks=({"look": "trim=end=4,tpad=stop_mode=clone:stop_duration=2"}, {}))
    plan(d, '{"source": {"black": [], "frozen": [[0.0, 3.0]]}}')


def transport_again(d, **how):
    shutil.rmtree(d)
    work = d + ".work"
    os.makedirs(work)
    try:
        streams.transport(d, work, **how)
    finally:
        shutil.rmtree(work)


@fault("apple-hevc-fmp4", base="ts")
def hevc_in_transport(d):
    transport_again(d, codec="libx265")


@fault("apple-frame-rate-most", base="ts")
def too_many_pictures(d):
    transport_again(d, rate=75)


@fault("apple-extinf-exact", ["apple-bandwidth-average"], base="ts_sound")
def last_extinf_beyond_the_sound(d):
    """The last packet of sound holds several frames, and each of them counts."""
    sub(d, "film_1.m3u8", r"EXTINF:(\d+\.\d+)(,\n.*\n#EXT-X-ENDLIST)",
        lambda m: "EXTINF:%.6f%s" % (float(m.group(1)) + 0.21, m.group(2)))


@fault("apple-extinf-exact", base="ts")
def last_extinf_beyond_the_pictures(d):
    sub(d, "film_1.m3u8", r"EXTINF:2\.000000(,\n.*\n#EXT-X-ENDLIST)", r"EXTINF:2.250000\1")


@fault("apple-hvc1", ["rfc8216-codecs", "dash-codecs"])
def parameter_sets_in_samples(d):
    _, at = place(d, "v0/init.mp4", "moov/trak/mdia/minf/stbl/stsd/avc1")
    patch(d, "v0/init.mp4", at + 4, b"avc3")
