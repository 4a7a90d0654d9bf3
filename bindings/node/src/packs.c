/* Packers, and packs as jobs of the library, whose end goes to JavaScript. */

#include "addon.h"

static void drop_packer(napi_env env, void *data, void *hint) {
  (void)env, (void)hint;
  (void)image_packer_release(data);
}

static void drop_job(napi_env env, void *data, void *hint) {
  (void)env, (void)hint;
  (void)image_job_release(data);
}

static napi_value createPacker(napi_env env, napi_callback_info info) {
  ImagePacker *packer;
  (void)info;
  return passed(env, image_packer_create(&packer)) ? handle_out(env, packer, drop_packer) : NULL;
}

static napi_value releasePacker(napi_env env, napi_callback_info info) {
  napi_value value;
  void *packer;
  if (arguments(env, info, 1, &value) && handle_in(env, value, &packer)) passed(env, image_packer_release(packer));
  return NULL;
}

/* setLimits(packer, threads, pixels, bytes of memory): 0 is the default of each */
static napi_value setLimits(napi_env env, napi_callback_info info) {
  napi_value values[4];
  void *packer;
  int64_t threads, pixels, memory;
  if (arguments(env, info, 4, values) && handle_in(env, values[0], &packer) &&
      integer_in(env, values[1], 0, UINT32_MAX, &threads) && integer_in(env, values[2], 0, INT64_C(1) << 53, &pixels) &&
      integer_in(env, values[3], 0, INT64_C(1) << 53, &memory) &&
      passed(env, image_packer_set_threads(packer, (uint32_t)threads)) &&
      passed(env, image_packer_set_max_pixels(packer, (uint64_t)pixels)))
    passed(env, image_packer_set_memory_limit(packer, (uint64_t)memory));
  return NULL;
}

static napi_value supportedFormats(napi_env env, napi_callback_info info) {
  napi_value list;
  const char *format;
  (void)info;
  napi_create_array(env, &list);
  for (uint32_t index = 0; (format = image_packer_get_supported_format(index)) != NULL; index++)
    napi_set_element(env, list, index, text_out(env, format, NAPI_AUTO_LENGTH));
  return list;
}

static napi_value formatFeatures(napi_env env, napi_callback_info info) {
  napi_value value, result;
  char *format;
  if (!arguments(env, info, 1, &value) || !text_in(env, value, &format)) return NULL;
  result = number_out(env, image_packer_get_format_features(format));
  free(format);
  return result;
}

static napi_value formatSettings(napi_env env, napi_callback_info info) {
  napi_value value, list;
  char *format;
  const char *setting;
  if (!arguments(env, info, 1, &value) || !text_in(env, value, &format)) return NULL;
  napi_create_array(env, &list);
  for (uint32_t index = 0; (setting = image_packer_get_setting(format, index)) != NULL; index++)
    napi_set_element(env, list, index, text_out(env, setting, NAPI_AUTO_LENGTH));
  free(format);
  return list;
}

/* The end of a pack on its way to JavaScript. */
typedef struct {
  Line *line;
  Failure failure;
  ImageData *data;
} End;

/* On JavaScript's thread: end(error or null, bytes or undefined). `env` is NULL when the runtime is going away. */
static void deliver(napi_env env, napi_value function, void *context, void *data) {
  End *end = data;
  (void)context;
  if (env != NULL) {
    napi_value values[2], undefined;
    napi_get_undefined(env, &undefined);
    napi_get_null(env, values);
    values[1] = undefined;
    if (end->failure.status == IMAGE_OK && end->data != NULL) {
      napi_value bytes = bytes_out(env, end->data);
      end->data = NULL;
      if (bytes == NULL)
        end->failure = (Failure){IMAGE_ERROR_FAILED, IMAGE_CAUSE_OUT_OF_MEMORY, "no memory for the encoded image"};
      else
        values[1] = bytes;
    }
    if (end->failure.status != IMAGE_OK) values[0] = error_of(env, &end->failure);
    napi_call_function(env, undefined, function, 2, values, NULL);
  }
  if (end->data != NULL) (void)image_data_release(end->data);
  free(end);
}

/* On a thread of the library. */
static void done(void *user, ImageStatus status, ImageData *data) {
  End *end = user;
  end->data = data;
  note_failure(&end->failure, status);
  if (!line_send(end->line, end)) deliver(NULL, NULL, NULL, end);
}

/* The three ways of one kind: into the file of a path, into a descriptor, into memory. */
#define START(to_path, to_file, to_data, ...)                                 \
  (path != NULL ? to_path(packer, __VA_ARGS__, path, options, done, end, job) \
   : fd >= 0    ? to_file(packer, __VA_ARGS__, fd, options, done, end, job)   \
                : to_data(packer, __VA_ARGS__, options, done, end, job))

static ImageStatus start(Kind kind, ImagePacker *packer, void **inputs, size_t count, void *options, int fd,
                         const char *path, End *end, ImageJob **job) {
  switch (kind) {
    case PIXELMAP:
      return START(image_packer_pack_to_path_async, image_packer_pack_to_file_async, image_packer_pack_to_data_async,
                   inputs[0]);
    case SOURCE:
      return START(image_packer_pack_to_path_from_source_async, image_packer_pack_to_file_from_source_async,
                   image_packer_pack_to_data_from_source_async, inputs[0]);
    case PICTURE:
      return START(image_packer_pack_to_path_from_picture_async, image_packer_pack_to_file_from_picture_async,
                   image_packer_pack_to_data_from_picture_async, inputs[0]);
    case SOURCE_SEQUENCE:
      return START(image_packer_pack_to_path_from_source_sequence_async,
                   image_packer_pack_to_file_from_source_sequence_async,
                   image_packer_pack_to_data_from_source_sequence_async, inputs[0]);
    default:
      return START(image_packer_pack_to_path_from_sequence_async, image_packer_pack_to_file_from_sequence_async,
                   image_packer_pack_to_data_from_sequence_async, (ImagePixelMap *const *)inputs, count);
  }
}

/* pack(packer, kind, inputs, options, descriptor or -1, path or null, end) answers the job. */
static napi_value pack(napi_env env, napi_callback_info info) {
  napi_value values[7], value, result = NULL;
  void *packer, *options, **inputs = NULL;
  int64_t kind, fd;
  uint32_t count;
  char *path = NULL;
  End *end = NULL;
  ImageJob *job;
  if (!arguments(env, info, 7, values) || !handle_in(env, values[0], &packer) ||
      !integer_in(env, values[1], PIXELMAP, SOURCE_SEQUENCE, &kind) || !handle_in(env, values[3], &options) ||
      !integer_in(env, values[4], INT32_MIN, INT32_MAX, &fd) || !text_in(env, values[5], &path))
    return NULL;
  if (napi_get_array_length(env, values[2], &count) != napi_ok) {
    napi_throw_type_error(env, NULL, "expected an array");
    goto failed;
  }
  inputs = calloc((size_t)count + 1, sizeof *inputs);
  end = calloc(1, sizeof *end);
  if (inputs == NULL || end == NULL) {
    no_memory(env);
    goto failed;
  }
  for (uint32_t index = 0; index < count; index++)
    if (napi_get_element(env, values[2], index, &value) != napi_ok || !handle_in(env, value, inputs + index))
      goto failed;
  if ((end->line = line_open(env, values[6], deliver, 1)) == NULL) goto failed;
  if (passed(env, start((Kind)kind, packer, inputs, count, options, (int)fd, path, end, &job))) {
    result = handle_out(env, job, drop_job);
    end = NULL; /* the job's */
  } else {
    line_abandon(end->line);
  }
failed:
  free(end);
  free(inputs);
  free(path);
  return result;
}

static napi_value cancel(napi_env env, napi_callback_info info) {
  napi_value value;
  void *job;
  if (arguments(env, info, 1, &value) && handle_in(env, value, &job)) passed(env, image_job_cancel(job));
  return NULL;
}

static napi_value progress(napi_env env, napi_callback_info info) {
  napi_value value;
  void *job;
  uint32_t per_mille;
  if (!arguments(env, info, 1, &value) || !handle_in(env, value, &job) ||
      !passed(env, image_job_get_progress(job, &per_mille)))
    return NULL;
  return number_out(env, per_mille / 1000.0);
}

static napi_value version(napi_env env, napi_callback_info info) {
  (void)info;
  return text_out(env, image_packer_version_string(), NAPI_AUTO_LENGTH);
}

const Function pack_functions[] = {
    FUNCTION(createPacker),   FUNCTION(releasePacker),  FUNCTION(setLimits), FUNCTION(supportedFormats),
    FUNCTION(formatFeatures), FUNCTION(formatSettings), FUNCTION(pack),      FUNCTION(cancel),
    FUNCTION(progress),       FUNCTION(version),        {NULL, NULL},
};
