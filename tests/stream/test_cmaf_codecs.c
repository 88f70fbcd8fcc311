/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* CMAF tracks of real packets, as other programs see them: what ffmpeg decodes from our boxes is what it
 * decodes from its own, and ffprobe reads the numbers that we wrote. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cmafwork.h"
#include "stream/mp4_read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SOURCE "testsrc2=s=96x64:r=25:d=2"

static int open_folder(void **state)
{
    work_open();
    return 0;
}

static int close_folder(void **state)
{
    work_close();
    return 0;
}

static void same_files(const char *a, const char *b)
{
    size_t size_a, size_b;
    char *text_a = (char *)work_read(a, &size_a), *text_b = (char *)work_read(b, &size_b);
    assert_true(size_a > 0);
    assert_string_equal(text_a, text_b);
    free(text_a);
    free(text_b);
}

/* Hashes of all decoded pictures, with their times, from both files. */
static void same_pictures(const char *ours, const char *theirs)
{
    char line[256];
    snprintf(line, sizeof(line), "-nostdin -v error -xerror -i @%s -f framemd5 -", ours);
    work_run("ffmpeg", line, "ours.md5");
    snprintf(line, sizeof(line), "-nostdin -v error -xerror -i @%s -f framemd5 -", theirs);
    work_run("ffmpeg", line, "theirs.md5");
    same_files("ours.md5", "theirs.md5");
}

static void probe_tells(const char *name, const char *entries, const char *expected)
{
    char line[256];
    size_t size;
    snprintf(line, sizeof(line), "-v error -show_entries %s -of csv=p=0 @%s", entries, name);
    work_run("ffprobe", line, "probe.txt");
    char *text = (char *)work_read("probe.txt", &size);
    text[strcspn(text, "\n")] = 0;
    for (size_t n = strlen(text); n > 0 && text[n - 1] == ','; n--)
        text[n - 1] = 0; /* where side data is there, but not asked for */
    assert_string_equal(text, expected);
    free(text);
}

static void codecs_are(const clip *c, const char *expected)
{
    char text[64];
    assert_int_equal(
        sh_codecs_string(text, sizeof(text), c->codec, (uint8_t *)c->config.data, c->config.length, NULL), 0);
    assert_string_equal(text, expected);
}

/* Every segment of a file read back against the clip it was made of. */
static void read_back(const clip *c, const char *name)
{
    sh_err err = {0};
    size_t size;
    uint8_t *bytes = work_read(name, &size);
    sh_mp4_init *init = calloc(1, sizeof(*init));
    sh_mp4_segment segment;
    assert_non_null(init);
    if (sh_mp4_read_init(init, bytes, size, &err) ||
        sh_mp4_read_segment(&segment, &init->tracks[0], bytes, size, &err))
        fail_msg("%s", err.message);
    const sh_mp4_track *track = &init->tracks[0];
    assert_int_equal(init->track_count, 1);
    assert_int_equal(track->codec, c->codec);
    assert_int_equal(track->config_size, c->config.length);
    assert_memory_equal(track->config, c->config.data, c->config.length);
    assert_int_equal(segment.sample_count, c->count);
    assert_int_equal(segment.loose, 0);
    for (size_t i = 0; i < c->count; i++) {
        const sh_mp4_sample *s = &segment.samples[i];
        sh_sample_look look;
        assert_int_equal(s->pts, c->sample[i].pts - (c->codec == SH_CODEC_AAC ? sh_mp4_skipped(track) : 0));
        assert_int_equal(s->size, c->sample[i].size);
        assert_int_equal(s->sync, c->sample[i].sync);
        assert_false(s->outside);
        assert_memory_equal(bytes + s->offset, c->sample[i].data, s->size);
        if (sh_sample_look_at(&look, c->codec, track->config, track->config_size, bytes + s->offset, s->size,
                              &err))
            fail_msg("%s", err.message);
        assert_int_equal(look.idr, s->sync && c->codec != SH_CODEC_AAC);
        assert_false(look.delimiter || look.sequence_other);
    }
    for (size_t i = 0; i + 1 < segment.fragment_count; i++) {
        const sh_mp4_fragment *f = &segment.fragments[i];
        assert_true(f->self_contained && f->base_is_moof && f->has_tfdt && f->truns == 1);
        assert_int_equal(f->tfdt + f->duration, f[1].tfdt);
        assert_int_equal(f->sequence + 1, f[1].sequence);
    }
    sh_mp4_segment_free(&segment);
    free(init);
    free(bytes);
}

static void test_avc(void **state)
{
    clip c;
    clip_video(&c, SH_CODEC_AVC, "avc", SOURCE,
               "-c:v libx264 -preset fast -g 12 -bf 3 -pix_fmt yuv420p -profile:v high -level 3.1 "
               "-force_key_frames 1 -color_primaries bt709 -color_trc bt709 -colorspace bt709 -x264-params "
               "open-gop=0:threads=1");
    sh_cmaf_track track = clip_track(&c);
    track.max_bitrate = 200000;
    track.duration = 2 * (uint64_t)c.timescale;
    clip_write(&c, &track, c.timescale, "avc.cmfv");
    same_pictures("avc.cmfv", "avc.mp4");
    read_back(&c, "avc.cmfv");
    codecs_are(&c, "avc1.64001f");
    probe_tells("avc.cmfv",
                "stream=codec_tag_string,profile,width,height,sample_aspect_ratio,level,color_space",
                "High,avc1,96,64,1:1,31,bt709");
    probe_tells("avc.cmfv", "format=duration", "2.000000");
    clip_free(&c);
}

/* Players that are made of libavformat show each picture at its time, and not later by what is reordered. */
static void shown_in_time(const clip *c, const char *name, const char *theirs)
{
    char line[256];
    snprintf(line, sizeof(line), "-v error -show_entries frame=pts_time -of default=nk=1:nw=1 @%s", name);
    work_run("ffprobe", line, "ours.csv");
    snprintf(line, sizeof(line), "-v error -show_entries frame=pts_time -of default=nk=1:nw=1 @%s", theirs);
    work_run("ffprobe", line, "theirs.csv");
    same_files("ours.csv", "theirs.csv");
    probe_tells(name, "stream=start_time", "0.000000");
    read_back(c, name);
}

/* Each picture stays until the next one (other files tell the steps of decoding). */
static void stay(clip *c)
{
    for (size_t i = 0; i < c->count; i++) {
        int64_t next = INT64_MAX;
        for (size_t n = 0; n < c->count; n++)
            if (c->sample[n].pts > c->sample[i].pts && c->sample[n].pts < next)
                next = c->sample[n].pts;
        if (next < INT64_MAX)
            c->sample[i].duration = next - c->sample[i].pts;
    }
}

static void test_delay(void **state)
{
    static const struct {
        sh_codec codec;
        const char *options;
        int pictures; /* how many the longest lasts */
    } rows[] = {
        {SH_CODEC_AVC, "-c:v libx264 -preset fast -g 12 -bf 3 -pix_fmt yuv420p -x264-params open-gop=0", 1},
        {SH_CODEC_AVC,
         "-vf select=not(between(n\\,15\\,19)+eq(mod(n\\,7)\\,3)) -fps_mode vfr -c:v libx264 -preset fast "
         "-g 12 -bf 3 -pix_fmt yuv420p -x264-params open-gop=0",
         7},
        {SH_CODEC_HEVC,
         "-c:v libx265 -preset fast -pix_fmt yuv420p -tag:v hvc1 -x265-params "
         "keyint=12:min-keyint=12:bframes=3:open-gop=0:aud=1:log-level=none",
         1},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        clip c;
        clip_video(&c, rows[i].codec, "late", SOURCE, rows[i].options);
        stay(&c);
        sh_cmaf_track track = clip_track(&c);
        track.delay = 2 * (uint32_t)rows[i].pictures * c.timescale / 25;
        clip_write(&c, &track, c.timescale, "late.cmfv");
        shown_in_time(&c, "late.cmfv", "late.mp4");
        clip_free(&c);
    }
}

static void test_avc_cropped_anamorphic(void **state)
{
    clip c;
    sh_video_config video;
    clip_video(&c, SH_CODEC_AVC, "crop", "testsrc2=s=98x54:r=30000/1001:d=1,setsar=16/11",
               "-c:v libx264 -preset ultrafast -pix_fmt yuv420p");
    assert_int_equal(sh_video_config_read(&video, c.codec, (uint8_t *)c.config.data, c.config.length, NULL),
                     0);
    assert_int_equal(video.width, 98);
    assert_int_equal(video.height, 54);
    assert_int_equal(video.sar_num, 16);
    assert_int_equal(video.sar_den, 11);
    assert_int_equal(video.rate_num, 30000);
    assert_int_equal(video.rate_den, 1001);
    assert_false(video.interlaced);
    sh_cmaf_track track = clip_track(&c);
    track.sar_num = video.sar_num;
    track.sar_den = video.sar_den;
    clip_write(&c, &track, c.timescale, "crop.cmfv");
    same_pictures("crop.cmfv", "crop.mp4");
    probe_tells("crop.cmfv", "stream=width,height,sample_aspect_ratio", "98,54,16:11");
    clip_free(&c);
}

static void test_avc_interlaced(void **state)
{
    clip c;
    sh_video_config video;
    clip_video(&c, SH_CODEC_AVC, "inter", "testsrc2=s=96x96:r=25:d=1",
               "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -flags +ilme+ildct -x264-params tff=1");
    assert_int_equal(sh_video_config_read(&video, c.codec, (uint8_t *)c.config.data, c.config.length, NULL),
                     0);
    assert_true(video.interlaced);
    assert_int_equal(video.height, 96);
    clip_free(&c);
}

static void test_hevc_hdr(void **state)
{
    clip c;
    sh_video_config video;
    clip_video(
        &c, SH_CODEC_HEVC, "hevc", "testsrc2=s=98x70:r=25:d=2",
        "-c:v libx265 -preset ultrafast -pix_fmt yuv420p10le -g 12 -force_key_frames 1 -color_primaries "
        "bt2020 -color_trc smpte2084 -colorspace bt2020nc -tag:v hvc1 -x265-params "
        "open-gop=0:aud=1:bframes=3:pools=1:log-level=none:hdr10=1:repeat-headers=1:"
        "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)");
    assert_int_equal(sh_video_config_read(&video, c.codec, (uint8_t *)c.config.data, c.config.length, NULL),
                     0);
    assert_int_equal(video.width, 98);
    assert_int_equal(video.height, 70);
    assert_int_equal(video.bit_depth, 10);
    assert_int_equal(video.colour.transfer, 16);
    assert_int_equal(video.colour.matrix, 9);
    assert_true(video.colour_told && !video.colour.full_range);
    assert_int_equal(video.rate_num, 25);
    sh_cmaf_track track = clip_track(&c);
    track.has_mastering = track.has_light_level = true;
    track.mastering = (sh_mastering){.primary_x = {13250, 7500, 34000},
                                     .primary_y = {34500, 3000, 16000},
                                     .white_x = 15635,
                                     .white_y = 16450,
                                     .max_luminance = 10000000,
                                     .min_luminance = 1};
    track.light_level = (sh_light_level){1000, 400};
    clip_write(&c, &track, c.timescale, "hevc.cmfv");
    same_pictures("hevc.cmfv", "hevc.mp4");
    read_back(&c, "hevc.cmfv");
    codecs_are(&c, "hvc1.2.4.L30.90");
    probe_tells("hevc.cmfv", "stream=codec_tag_string,profile,pix_fmt,color_transfer,color_primaries",
                "Main 10,hvc1,yuv420p10le,smpte2084,bt2020");
    probe_tells("hevc.cmfv",
                "stream_side_data=red_x,green_y,blue_x,white_point_y,max_luminance,min_luminance",
                "34000/50000,34500/50000,7500/50000,16450/50000,1/10000,10000000/10000");
    clip_free(&c);
}

static void test_av1(void **state)
{
    clip c;
    clip_video(
        &c, SH_CODEC_AV1, "av1", "testsrc2=s=96x64:r=25:d=2",
        "-c:v libsvtav1 -preset 10 -g 25 -pix_fmt yuv420p10le -svtav1-params lp=1:scd=0 -color_primaries "
        "bt2020 -color_trc smpte2084 -colorspace bt2020nc");
    sh_cmaf_track track = clip_track(&c);
    clip_write(&c, &track, c.timescale, "av1.cmfv");
    same_pictures("av1.cmfv", "av1.mp4");
    read_back(&c, "av1.cmfv");
    codecs_are(&c, "av01.0.00M.10.0.110.09.16.09.0");
    probe_tells("av1.cmfv", "stream=codec_tag_string,width,height,pix_fmt,color_transfer",
                "av01,96,64,yuv420p10le,smpte2084");
    clip_free(&c);
}

/* The edit list moves the encoder's priming before 0, as ffprobe tells (the decoder that ffmpeg has for files
 * in fragments still gives it); what follows is what ffmpeg hears of its own file. */
static void test_aac(void **state)
{
    clip c;
    size_t size, other;
    clip_audio(&c, "aac", "sine=r=48000:d=2", "-ac 2 -b:a 96k");
    sh_cmaf_track track = clip_track(&c);
    track.priming = 1024;
    track.language = "fra";
    clip_write(&c, &track, c.timescale, "aac.cmfa");
    read_back(&c, "aac.cmfa");
    codecs_are(&c, "mp4a.40.2");
    probe_tells("aac.cmfa", "stream=codec_tag_string,sample_rate,channels:stream_tags=language",
                "mp4a,48000,2,fra");
    probe_tells("aac.cmfa", "packet=pts", "-1024");
    work_run("ffmpeg", "-nostdin -v error -xerror -i @aac.cmfa -f s16le -", "ours.pcm");
    work_run("ffmpeg", "-nostdin -v error -y -f lavfi -i sine=r=48000:d=2 -ac 2 -b:a 96k -c:a aac @aac.m4a",
             NULL);
    work_run("ffmpeg", "-nostdin -v error -i @aac.m4a -f s16le -", "theirs.pcm");
    uint8_t *ours = work_read("ours.pcm", &size), *theirs = work_read("theirs.pcm", &other);
    assert_true(other >= 48000 * 2 * 4);
    assert_int_equal(size, c.count * 4096);
    assert_true(other <= size - 4096);
    assert_memory_equal(ours + 4096, theirs, other);
    free(ours);
    free(theirs);
    clip_free(&c);
}

/* What encoders do beyond the common: each clip's configuration read against ffprobe, its pictures decoded.
 */
static const struct {
    sh_codec codec;
    const char *name, *source, *options;
    int depth, chroma;
    const char *codecs;
} variants[] = {
    {SH_CODEC_AVC, "v422", "testsrc2=s=98x50:r=50:d=0.4",
     "-c:v libx264 -preset medium -pix_fmt yuv422p10le -x264-params cqm=jvt:bframes=5:b-pyramid=normal:ref=6",
     10, 2, "avc1.7a000a"},
    {SH_CODEC_AVC, "gray", "testsrc2=s=96x64:r=25:d=0.4", "-c:v libx264 -preset ultrafast -pix_fmt gray", 8,
     0, "avc1.64000a"},
    {SH_CODEC_HEVC, "v444", "testsrc2=s=98x70:r=24:d=0.4",
     "-c:v libx265 -preset medium -pix_fmt yuv444p12le -tag:v hvc1 -x265-params "
     "log-level=none:aud=1:pools=1:bframes=4:b-pyramid=1:ref=5:open-gop=0:scaling-list=default:vui-timing-"
     "info=0",
     12, 3, "hvc1.4.10.L30.98.8"},
    {SH_CODEC_HEVC, "layers", "testsrc2=s=128x96:r=60:d=0.6",
     "-c:v libx265 -preset fast -pix_fmt yuv420p -tag:v hvc1 -color_range pc -x265-params "
     "log-level=none:aud=1:pools=1:temporal-layers=1:open-gop=0:hrd=1:vbv-maxrate=500:vbv-bufsize=500:high-"
     "tier=1:"
     "level-idc=4.1",
     8, 1, NULL},
    {SH_CODEC_AV1, "aom", "testsrc2=s=98x50:r=30:d=0.3",
     "-c:v libaom-av1 -cpu-used 8 -row-mt 0 -usage realtime -pix_fmt yuv444p -color_range pc", 8, 3,
     "av01.1.00M.08.0.000.02.02.02.1"},
    {SH_CODEC_AV1, "mono", "testsrc2=s=64x64:r=30:d=0.2",
     "-c:v libaom-av1 -cpu-used 8 -usage realtime -pix_fmt gray", 8, 0, "av01.0.00M.08.1.110.02.02.02.1"},
    {SH_CODEC_AV1, "rav1e", "testsrc2=s=64x64:r=30:d=0.2", "-c:v librav1e -speed 10 -pix_fmt yuv420p10le", 10,
     1, "av01.0.31M.10"},
};

static void variant(size_t i)
{
    char expected[64], ours[64], theirs[64];
    sh_video_config video;
    clip c;
    clip_video(&c, variants[i].codec, variants[i].name, variants[i].source, variants[i].options);
    assert_int_equal(sh_video_config_read(&video, c.codec, (uint8_t *)c.config.data, c.config.length, NULL),
                     0);
    assert_int_equal(video.bit_depth, variants[i].depth);
    assert_int_equal(video.chroma, variants[i].chroma);
    if (variants[i].codecs)
        codecs_are(&c, variants[i].codecs);
    const sh_cmaf_track track = clip_track(&c);
    snprintf(ours, sizeof(ours), "%s.cmfv", variants[i].name);
    snprintf(theirs, sizeof(theirs), "%s.mp4", variants[i].name);
    snprintf(expected, sizeof(expected), "%d,%d,%d", video.width, video.height, video.level);
    clip_write(&c, &track, c.timescale, ours);
    probe_tells(ours, "stream=width,height,level", expected);
    same_pictures(ours, theirs);
    read_back(&c, ours);
    clip_free(&c);
}

static void test_variants(void **state)
{
    for (size_t i = 0; i < sizeof(variants) / sizeof(variants[0]); i++)
        variant(i);
}

/* A file in fragments of another make: sidx and styp between them, trex in use, sound and pictures apart. */
static void test_other_makes(void **state)
{
    static const char *const flags[] = {"frag_keyframe+empty_moov+default_base_moof",
                                        "frag_keyframe+empty_moov",
                                        "dash+delay_moov+frag_keyframe+negative_cts_offsets"};
    for (size_t i = 0; i < 3; i++) {
        char line[512];
        size_t size;
        sh_err err = {0};
        sh_mp4_segment segment;
        sh_mp4_init *init = calloc(1, sizeof(*init));
        snprintf(
            line, sizeof(line),
            "-nostdin -v error -y -f lavfi -i %s -c:v libx264 -preset ultrafast -g 10 -bf 2 -pix_fmt yuv420p "
            "-movflags %s @other.mp4",
            SOURCE, flags[i]);
        work_run("ffmpeg", line, NULL);
        uint8_t *bytes = work_read("other.mp4", &size);
        assert_non_null(init);
        if (sh_mp4_read_init(init, bytes, size, &err) ||
            sh_mp4_read_segment(&segment, &init->tracks[0], bytes, size, &err))
            fail_msg("%s: %s", flags[i], err.message);
        assert_int_equal(segment.sample_count, 50);
        assert_int_equal(segment.fragment_count, 5);
        assert_int_equal(segment.duration, 2 * (int64_t)init->tracks[0].timescale);
        assert_int_equal(segment.fragments[0].base_is_moof, i != 1);
        assert_int_equal(segment.fragments[0].base_data_offset, i == 1);
        for (size_t n = 0; n < segment.sample_count; n++) {
            const sh_mp4_sample *s = &segment.samples[n];
            sh_sample_look look;
            assert_false(s->outside);
            assert_int_equal(s->sync, n % 10 == 0);
            assert_int_equal(sh_sample_look_at(&look, SH_CODEC_AVC, init->tracks[0].config,
                                               init->tracks[0].config_size, bytes + s->offset, s->size, NULL),
                             0);
            assert_int_equal(look.idr, s->sync);
        }
        sh_mp4_segment_free(&segment);
        free(init);
        free(bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_avc),
        cmocka_unit_test(test_delay),
        cmocka_unit_test(test_avc_cropped_anamorphic),
        cmocka_unit_test(test_avc_interlaced),
        cmocka_unit_test(test_hevc_hdr),
        cmocka_unit_test(test_av1),
        cmocka_unit_test(test_aac),
        cmocka_unit_test(test_variants),
        cmocka_unit_test(test_other_makes),
    };
    return cmocka_run_group_tests(tests, open_folder, close_folder);
}
