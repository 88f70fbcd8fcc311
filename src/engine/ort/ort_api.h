/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_ENGINE_ORT_API_H
#define SH_ENGINE_ORT_API_H
/* What is used here of ONNX Runtime's C interface, so that no header of it is needed to build. The library
 * exports one function, OrtGetApiBase; version 1 of the interface, which it gives, is a table of function
 * pointers whose order its header (include/onnxruntime/core/session/onnxruntime_c_api.h, struct OrtApi)
 * promises never to change: later versions append. The places below were counted there; the header itself
 * asserts one of the same version, ReleaseCustomOpDomain at 101, right behind the last one here. Every
 * function that may fail gives NULL or a status to be released. */
#include <stddef.h>
#include <stdint.h>

typedef struct ort_status ort_status;
typedef struct ort_env ort_env;
typedef struct ort_session ort_session;
typedef struct ort_options ort_options;
typedef struct ort_value ort_value;
typedef struct ort_memory ort_memory;
typedef struct ort_allocator ort_allocator;
typedef struct ort_type ort_type;
typedef struct ort_shape ort_shape;

enum {
    ORT_LOG_FATAL = 4,
    ORT_OPTIMISE_ALL = 99,
    ORT_FLOAT = 1,
    ORT_ALLOCATOR_DEVICE = 0,
    ORT_MEMORY_DEFAULT = 0
};

typedef struct ort_api {
    void *unused_0[2];
    const char *(*get_error_message)(const ort_status *status); /* 2 */
    ort_status *(*create_env)(int log_level, const char *id, ort_env **out);
    void *unused_4[4];
    ort_status *(*create_session_from_array)(const ort_env *env, const void *model, size_t size,
                                             const ort_options *options, ort_session **out); /* 8 */
    ort_status *(*run)(ort_session *session, const void *run_options, const char *const *input_names,
                       const ort_value *const *inputs, size_t input_count, const char *const *output_names,
                       size_t output_count, ort_value **outputs);
    ort_status *(*create_session_options)(ort_options **out); /* 10 */
    void *unused_11[12];
    ort_status *(*set_optimisation)(ort_options *options, int level); /* 23 */
    ort_status *(*set_intra_op_threads)(ort_options *options, int threads);
    ort_status *(*set_inter_op_threads)(ort_options *options, int threads);
    void *unused_26[4];
    ort_status *(*get_input_count)(const ort_session *session, size_t *count); /* 30 */
    ort_status *(*get_output_count)(const ort_session *session, size_t *count);
    void *unused_32;
    ort_status *(*get_input_type)(const ort_session *session, size_t index, ort_type **out); /* 33 */
    void *unused_34[2];
    ort_status *(*get_input_name)(const ort_session *session, size_t index, ort_allocator *allocator,
                                  char **name); /* 36 */
    ort_status *(*get_output_name)(const ort_session *session, size_t index, ort_allocator *allocator,
                                   char **name);
    void *unused_38[11];
    ort_status *(*create_tensor)(const ort_memory *memory, void *data, size_t bytes, const int64_t *shape,
                                 size_t rank, int type, ort_value **out); /* 49 */
    void *unused_50[5];
    ort_status *(*get_tensor_type)(const ort_type *type, const ort_shape **shape); /* 55 */
    void *unused_56[4];
    ort_status *(*get_element_type)(const ort_shape *shape, int *type); /* 60 */
    ort_status *(*get_rank)(const ort_shape *shape, size_t *rank);
    ort_status *(*get_dims)(const ort_shape *shape, int64_t *dims, size_t rank);
    void *unused_63[2];
    ort_status *(*get_value_shape)(const ort_value *value, ort_shape **out); /* 65 */
    void *unused_66[3];
    ort_status *(*create_cpu_memory)(int allocator, int memory, ort_memory **out); /* 69 */
    void *unused_70[6];
    ort_status *(*allocator_free)(ort_allocator *allocator, void *memory); /* 76 */
    void *unused_77;
    ort_status *(*get_allocator)(ort_allocator **out); /* 78 */
    void *unused_79[13];
    void (*release_env)(ort_env *env); /* 92 */
    void (*release_status)(ort_status *status);
    void (*release_memory)(ort_memory *memory);
    void (*release_session)(ort_session *session);
    void (*release_value)(ort_value *value); /* 96 */
    void *unused_97;
    void (*release_type)(ort_type *type); /* 98 */
    void (*release_shape)(ort_shape *shape);
    void (*release_options)(ort_options *options); /* 100 */
} ort_api;

typedef struct ort_api_base {
    const ort_api *(*get_api)(uint32_t version);
    const char *(*get_version)(void);
} ort_api_base;

#define ORT_PLACE(member, place)                                                                             \
    _Static_assert(offsetof(ort_api, member) == (place) * sizeof(void *), #member " is not at its place")
ORT_PLACE(get_error_message, 2);
ORT_PLACE(create_session_from_array, 8);
ORT_PLACE(create_session_options, 10);
ORT_PLACE(set_optimisation, 23);
ORT_PLACE(get_input_count, 30);
ORT_PLACE(get_input_type, 33);
ORT_PLACE(get_input_name, 36);
ORT_PLACE(create_tensor, 49);
ORT_PLACE(get_tensor_type, 55);
ORT_PLACE(get_element_type, 60);
ORT_PLACE(get_value_shape, 65);
ORT_PLACE(create_cpu_memory, 69);
ORT_PLACE(allocator_free, 76);
ORT_PLACE(get_allocator, 78);
ORT_PLACE(release_env, 92);
ORT_PLACE(release_value, 96);
ORT_PLACE(release_options, 100);

#endif
