/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SPYHOP_SPYHOP_H
#define SPYHOP_SPYHOP_H
/*
 * libspyhop: super-resolution of picture planes.
 *
 * Planes in, planes out. A model is read once from an ONNX file and checked; a context runs it on planes of
 * one plane at a time. The library knows nothing of files other than the model, of codecs or of colour: the
 * caller decides which plane is luma and what the code values mean. Everything here may be used from C and
 * C++.
 *
 * Typical use:
 *
 *     spyhop_model *model = NULL;
 *     spyhop_context *context = NULL;
 *     spyhop_error error;
 *     spyhop_settings settings;
 *     spyhop_settings_default(&settings);
 *     if (spyhop_model_load(&model, "fast.onnx", &error) < 0 ||
 *         spyhop_open(&context, model, &settings, &error) < 0)
 *         ... error.message says what, where and what to do ...
 *     spyhop_run(context, &in, &out, &error);
 *     spyhop_close(&context);
 *     spyhop_model_free(&model);
 *
 * Threads: a model is immutable after loading and may be shared. A context serves one caller at a time; two
 * contexts are independent.
 */
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define SPYHOP_API __attribute__((visibility("default")))
#else
#define SPYHOP_API
#endif

#define SPYHOP_VERSION_MAJOR 0
#define SPYHOP_VERSION_MINOR 1
#define SPYHOP_VERSION_PATCH 0

/* Every function that can fail returns one of these: 0, or a negative value. */
typedef enum spyhop_status {
    SPYHOP_OK = 0,
    SPYHOP_E_ARGUMENT = -1, /* a value out of its documented range, a NULL that may not be one */
    SPYHOP_E_MEMORY = -2,   /* an allocation failed */
    SPYHOP_E_IO = -3,       /* the operating system refused to open or read the file */
    SPYHOP_E_FORMAT = -4,   /* the file is not ONNX, is cut short, or contradicts itself */
    SPYHOP_E_UNSUPPORTED =
        -5,              /* valid ONNX, but an operator, attribute or shape that this library does not run */
    SPYHOP_E_LIMIT = -6, /* valid, but larger than the limits below */
    SPYHOP_E_INTERNAL = -7, /* a bug in this library */
    SPYHOP_E_NOT_FOUND = -8 /* there is no such file */
} spyhop_status;

/* What went wrong, in words. Filled only when a call fails; a caller may pass NULL instead. */
typedef struct spyhop_error {
    int status;        /* the value that was returned */
    char message[512]; /* one line of UTF-8, NUL-terminated, no newline at its end */
} spyhop_error;

/*
 * What a model file may hold. ONNX of operator sets 7 to 21, one input and one output, both [N, C, H, W] of
 * float32 with C of 1 or 3, values of 0..1 standing for the code values. H and W are those of whatever plane
 * is run: where the file gives numbers for them, they are taken as an example. Weights are float32, float16
 * or quantised inside the file. Operators:
 *
 *     Conv           2-D, any groups, strides 1, dilations 1; pads or auto_pad that change the size by as
 *                    much on all four sides, if at all
 *     ConvTranspose  2-D, any groups, strides 1 to 8, pads and output_padding with which the output is
 *                    one whole factor larger
 *     Relu, LeakyRelu, PRelu (a slope for all, or one a channel), Clip (constant bounds), Sigmoid, Tanh,
 *                    HardSigmoid, HardSwish; x * Sigmoid(x) is recognised as SiLU
 *     Add, Sub, Mul  of two tensors (the channels of one may be 1), or with constants for all or one a
 *                    channel
 *     Div            by such constants
 *     Concat, Split  of channels
 *     Slice          of channels; of rows and columns by as much at all four sides
 *     Pad            by as much on all four sides: constant, edge, reflect
 *     DepthToSpace   both modes
 *     Resize         by one whole factor of 1 to 8, told as scales or as sizes computed from the input's
 *                    shape: nearest, linear, cubic; half_pixel, pytorch_half_pixel, asymmetric,
 *                    tf_half_pixel_for_nn (nearest only); Upsample likewise
 *     QuantizeLinear, DequantizeLinear
 *                    in pairs on a computed tensor, with one scale; on constants, also with one for each
 *                    index of an axis
 *     Identity, Constant; and on whole numbers (sizes, pads, cuts) what exporters compute them with:
 *                    Shape, Gather, Concat, Slice, Reshape, Transpose, Squeeze, Unsqueeze, Cast,
 *                    ConstantOfShape, Add, Sub, Mul, Div
 *
 * A tensor may be larger than the picture on its way: a network that replicates the picture's border once
 * and convolves without pads from there on sees what it would see of a larger picture.
 *
 * Arithmetic is in single precision, half precision or 8-bit integers (spyhop_precision).
 *
 * Anything else runs on ONNX Runtime where its library is found (info.backend tells): the environment
 * variable SPYHOP_ORT names the file libonnxruntime.so.1 (empty: none is used); without it the system's
 * places for libraries and npm's global onnxruntime-node are searched. Pictures then go through whole,
 * memory is taken while running, band_rows has no effect, and the file must leave H and W open and hold all
 * of its tensors. A process that may open no files while it works loads the model once before: the library
 * stays. Where there is no such library, the file is refused with SPYHOP_E_UNSUPPORTED and the operator's
 * name.
 */

/* Limits on what a model file may ask for. A file past one of them is refused with SPYHOP_E_LIMIT. */
#define SPYHOP_MAX_FILE_BYTES ((size_t)256 << 20) /* of the ONNX file */
#define SPYHOP_MAX_NODES 4096                     /* operators in the graph */
#define SPYHOP_MAX_CHANNELS 1024                  /* of any tensor */
#define SPYHOP_MAX_KERNEL 15                      /* height and width of a convolution's kernel */
#define SPYHOP_MAX_MACS 100000000                 /* multiply-adds of a network for one input pixel */
#define SPYHOP_MAX_SIDE 32768                     /* width and height of a plane, in samples, in and out */

/* Instruction sets, from the slowest. A machine may lack one in the middle: spyhop_cpu_supported. */
typedef enum spyhop_cpu {
    SPYHOP_CPU_C = 0,          /* portable scalar C: the specification of every kernel */
    SPYHOP_CPU_AVX2 = 1,       /* AVX2 and FMA */
    SPYHOP_CPU_AVXVNNI = 2,    /* AVX2 with AVX-VNNI, which multiplies 8-bit integers */
    SPYHOP_CPU_AVX512 = 3,     /* AVX-512 F, BW, DQ and VL */
    SPYHOP_CPU_AVX512VNNI = 4, /* AVX-512 with VNNI */
    SPYHOP_CPU_AVX512FP16 = 5, /* AVX-512 with VNNI and FP16, which computes in half floats */
    SPYHOP_CPU_AUTO = 255      /* the highest that this machine and its operating system support */
} spyhop_cpu;

/* How numbers are computed with. */
typedef enum spyhop_precision {
    SPYHOP_PRECISION_AUTO = 0, /* INT8 where the model allows it, else FP32 */
    SPYHOP_PRECISION_FP32 = 1, /* single floats; what a file quantises is quantised, in floats */
    SPYHOP_PRECISION_INT8 = 2, /* 8-bit integers between the layers: the same bits at every level */
    SPYHOP_PRECISION_FP16 = 3  /* half floats between the layers. Of use with AVX512FP16; other levels compute
                                  the same the long way, many times slower than FP32, and have to be asked
                                  for by name. AUTO never means it */
} spyhop_precision;

/* A loaded, checked and immutable network. */
typedef struct spyhop_model spyhop_model;
/* A model made ready to run: its packed weights, its threads and its scratch memory. */
typedef struct spyhop_context spyhop_context;

/*
 * What a model is. Filled by spyhop_model_describe. The strings belong to the model and live as long as it
 * does.
 */
typedef struct spyhop_model_info {
    size_t size;            /* sizeof(spyhop_model_info), set by the caller: room for later fields */
    const char *name;       /* metadata "name", else the graph's name; never NULL */
    int scale;              /* output width / input width = output height / input height, 1..8 */
    int channels;           /* planes taken and given: 1 (luma) or 3 */
    int64_t parameters;     /* weights and biases, counted once */
    int64_t macs_per_pixel; /* multiply-adds for one INPUT pixel */
    int halo;               /* input samples to each side that an output sample may depend on */
    int precision;          /* what SPYHOP_PRECISION_AUTO means for it: FP32 or INT8 */
    const char *backend; /* "spyhop", or "onnxruntime 1.30.0", which tells no parameters, macs and halo (0) */
} spyhop_model_info;

/*
 * How to run a model. Call spyhop_settings_default first, then change what you want.
 */
typedef struct spyhop_settings {
    size_t size; /* sizeof(spyhop_settings), set by spyhop_settings_default: room for later fields */
    int threads; /* 1..256 threads, the caller's own among them; 0 (default): one for each CPU */
    int cpu; /* a spyhop_cpu; SPYHOP_CPU_AUTO by default. A level the machine lacks is SPYHOP_E_ARGUMENT */
    int band_rows; /* input rows of one band, 1..SPYHOP_MAX_SIDE; 0 (default): chosen so that all threads end
                      together. The output does not depend on it, nor on threads. For tests and tuning */
    int precision; /* a spyhop_precision; AUTO by default. INT8 for a model whose file is not quantised
                      through and through (info.precision tells) is SPYHOP_E_UNSUPPORTED, and so is FP16
                      where the machine lacks AVX512FP16 and cpu is AUTO, or the model runs on ONNX Runtime */
} spyhop_settings;

/*
 * A plane of samples, owned by the caller, rows from top to bottom.
 */
typedef struct spyhop_plane {
    /* the first sample of the first row: uint8_t for depth 8, uint16_t in native order for more */
    void *data;
    /* bytes from one row to the next, negative for bottom-up pictures; |stride| >= width * bytes of a sample
     */
    ptrdiff_t stride;
    int width;  /* samples, 1..SPYHOP_MAX_SIDE */
    int height; /* rows, 1..SPYHOP_MAX_SIDE */
    int depth;  /* bits of a sample, 8..16, right-aligned: code value / (2^depth - 1) is what the network sees
                 */
} spyhop_plane;

/* The version of the library that is running, as "0.1.0". Static; never NULL. */
SPYHOP_API const char *spyhop_version(void);

/* The highest level that this machine's CPUID and its operating system's XGETBV allow. Never SPYHOP_CPU_AUTO.
 */
SPYHOP_API int spyhop_cpu_detect(void);

/* 1 when this machine and its operating system have that level, else 0; AUTO is always there. */
SPYHOP_API int spyhop_cpu_supported(int cpu);

/* "c", "avx2", "avxvnni", "avx512", "avx512vnni", "avx512fp16" or "auto"; NULL for any other value. */
SPYHOP_API const char *spyhop_cpu_name(int cpu);

/* "auto", "fp32", "int8" or "fp16"; NULL for any other value. */
SPYHOP_API const char *spyhop_precision_name(int precision);

/*
 * Reads, checks and keeps the ONNX model in the file `path`.
 * On success *out is a new model, to be freed with spyhop_model_free. On failure *out is untouched.
 * Errors: NOT_FOUND, IO, FORMAT (with the byte where reading stopped), UNSUPPORTED (with the operator's
 * name), LIMIT, MEMORY, ARGUMENT.
 */
SPYHOP_API int spyhop_model_load(spyhop_model **out, const char *path, spyhop_error *error);

/* As spyhop_model_load, from `size` bytes at `data`, which need not live longer than the call. */
SPYHOP_API int spyhop_model_parse(spyhop_model **out, const void *data, size_t size, spyhop_error *error);

/* Frees *model and sets it to NULL. *model may be NULL. No open context may still use it. */
SPYHOP_API void spyhop_model_free(spyhop_model **model);

/* Fills *info, of which the caller has set `size`. */
SPYHOP_API int spyhop_model_describe(const spyhop_model *model, spyhop_model_info *info);

/* Sets every field of *settings to its default. */
SPYHOP_API void spyhop_settings_default(spyhop_settings *settings);

/*
 * Makes a context that runs `model`, which must outlive it. `settings` may be NULL: the defaults. It is
 * copied. On success *out is a new context, to be freed with spyhop_close. On failure *out is untouched.
 */
SPYHOP_API int spyhop_open(spyhop_context **out, const spyhop_model *model, const spyhop_settings *settings,
                           spyhop_error *error);

/* Frees *context and sets it to NULL. *context may be NULL. */
SPYHOP_API void spyhop_close(spyhop_context **context);

/* What the context settled on: threads, and cpu as a level other than AUTO. */
SPYHOP_API int spyhop_get_settings(const spyhop_context *context, spyhop_settings *settings);

/*
 * Runs a model of one channel on one plane.
 * in:  width x height, any depth from 8 to 16.
 * out: width * scale x height * scale, the same depth; every one of its samples is written, rounded to
 * nearest and clipped to 0..2^depth - 1; bytes between width and stride are not touched. in and out must not
 * overlap. The result does not depend on strides, threads or band_rows. Levels of instruction set give the
 * same bits in INT8, and agree within 1 code value of 8 bits in FP32 and FP16.
 */
SPYHOP_API int spyhop_run(spyhop_context *context, const spyhop_plane *in, const spyhop_plane *out,
                          spyhop_error *error);

/*
 * Runs a model of `count` channels on as many planes, in[0 .. count - 1] to out[0 .. count - 1], under the
 * same conditions; all planes of `in` have one size. A model of 1 channel takes 1 plane, one of 3 takes 3.
 */
SPYHOP_API int spyhop_run_planes(spyhop_context *context, const spyhop_plane *in, const spyhop_plane *out,
                                 int count, spyhop_error *error);

#ifdef __cplusplus
}
#endif
#endif
