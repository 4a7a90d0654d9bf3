/*
 * The library for Node.js, through Node-API alone: index.js makes the public interface of these functions.
 *
 * Handles of the library travel as externals; the garbage collector releases them, and so may release(), since a second
 * release of a handle is harmless. Packs are jobs of the library; a thread-safe function brings their end to
 * JavaScript.
 */

#define NAPI_VERSION 8
#include <image_packer.h>
#include <node_api.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* An Error whose `code` is the status; its text is the library's. */
static napi_value error_of(napi_env env, ImageStatus status, ImageErrorCause cause, const char *text) {
  napi_value message, error, number;
  napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &message);
  napi_create_error(env, NULL, message, &error);
  napi_create_int32(env, status, &number);
  napi_set_named_property(env, error, "code", number);
  napi_create_int32(env, cause, &number);
  napi_set_named_property(env, error, "causeCode", number);
  return error;
}

static bool passed(napi_env env, ImageStatus status) {
  if (status == IMAGE_OK) return true;
  napi_throw(env, error_of(env, status, image_packer_last_error_cause(), image_packer_last_error_message()));
  return false;
}

/* ---- arguments: a wrong type throws a TypeError, and the caller returns ---- */

static bool arguments(napi_env env, napi_callback_info info, size_t wanted, napi_value *values) {
  size_t count = wanted;
  if (napi_get_cb_info(env, info, &count, values, NULL, NULL) == napi_ok && count >= wanted) return true;
  napi_throw_type_error(env, NULL, "too few arguments");
  return false;
}

static bool handle_in(napi_env env, napi_value value, void **handle) {
  napi_valuetype type;
  if (napi_typeof(env, value, &type) == napi_ok && type == napi_external &&
      napi_get_value_external(env, value, handle) == napi_ok)
    return true;
  napi_throw_type_error(env, NULL, "not a handle of this module");
  return false;
}

static bool integer_in(napi_env env, napi_value value, int64_t low, int64_t high, int64_t *number) {
  double real;
  if (napi_get_value_double(env, value, &real) != napi_ok) {
    napi_throw_type_error(env, NULL, "expected a number");
    return false;
  }
  /* Written so that a NaN fails. */
  if (!(real >= (double)low && real <= (double)high)) {
    napi_throw_range_error(env, NULL, "the number is out of range");
    return false;
  }
  *number = (int64_t)real;
  return true;
}

/* A copy with malloc(); NULL if an exception is pending. */
static char *text_in(napi_env env, napi_value value) {
  size_t size;
  char *text;
  if (napi_get_value_string_utf8(env, value, NULL, 0, &size) != napi_ok) {
    napi_throw_type_error(env, NULL, "expected a string");
    return NULL;
  }
  text = malloc(size + 1);
  if (text == NULL)
    napi_throw_error(env, NULL, "out of memory");
  else
    napi_get_value_string_utf8(env, value, text, size + 1, &size);
  return text;
}

/* An ArrayBuffer or a view of one. */
static bool bytes_in(napi_env env, napi_value value, void **bytes, size_t *size) {
  bool is;
  if (napi_is_arraybuffer(env, value, &is) == napi_ok && is)
    return napi_get_arraybuffer_info(env, value, bytes, size) == napi_ok;
  if (napi_is_buffer(env, value, &is) == napi_ok && is) return napi_get_buffer_info(env, value, bytes, size) == napi_ok;
  if (napi_is_typedarray(env, value, &is) == napi_ok && is) {
    static const size_t widths[] = {1, 1, 1, 2, 2, 4, 4, 4, 8, 8, 8};
    napi_typedarray_type type;
    if (napi_get_typedarray_info(env, value, &type, size, bytes, NULL, NULL) != napi_ok) return false;
    *size *= (size_t)type < COUNT(widths) ? widths[type] : 1;
    return true;
  }
  napi_throw_type_error(env, NULL, "expected an ArrayBuffer or a view of one");
  return false;
}

/* ---- handles ---- */

#define FINALIZER(type, release)                                  \
  static void drop_##type(napi_env env, void *data, void *hint) { \
    (void)env, (void)hint;                                        \
    (void)release(data);                                          \
  }
FINALIZER(packer, image_packer_release)
FINALIZER(pixelmap, image_pixelmap_release)
FINALIZER(source, image_source_release)
FINALIZER(picture, image_picture_release)
FINALIZER(options, image_packing_options_release)
FINALIZER(sequence_options, image_sequence_options_release)
FINALIZER(job, image_job_release)

static napi_value handle_out(napi_env env, void *handle, napi_finalize drop) {
  napi_value value;
  if (napi_create_external(env, handle, drop, NULL, &value) == napi_ok) return value;
  drop(env, handle, NULL);
  return NULL;
}

static napi_value create_packer(napi_env env, napi_callback_info info) {
  ImagePacker *packer;
  (void)info;
  return passed(env, image_packer_create(&packer)) ? handle_out(env, packer, drop_packer) : NULL;
}

static napi_value release_packer(napi_env env, napi_callback_info info) {
  napi_value value;
  void *packer;
  if (arguments(env, info, 1, &value) && handle_in(env, value, &packer)) passed(env, image_packer_release(packer));
  return NULL;
}

static napi_value supported_formats(napi_env env, napi_callback_info info) {
  napi_value list, text;
  const char *format;
  (void)info;
  napi_create_array(env, &list);
  for (uint32_t index = 0; (format = image_packer_get_supported_format(index)) != NULL; index++) {
    napi_create_string_utf8(env, format, NAPI_AUTO_LENGTH, &text);
    napi_set_element(env, list, index, text);
  }
  return list;
}

/* createPixelMap(bytes, width, height, format, stride) copies: JavaScript may write to its memory at any time. */
static napi_value create_pixelmap(napi_env env, napi_callback_info info) {
  napi_value values[5];
  void *bytes;
  size_t size;
  int64_t width, height, format, stride;
  ImagePixelMap *pixelmap;
  if (!arguments(env, info, 5, values) || !bytes_in(env, values[0], &bytes, &size) ||
      !integer_in(env, values[1], 0, UINT32_MAX, &width) || !integer_in(env, values[2], 0, UINT32_MAX, &height) ||
      !integer_in(env, values[3], 0, INT32_MAX, &format) || !integer_in(env, values[4], 0, INT64_C(1) << 53, &stride))
    return NULL;
  return passed(env, image_pixelmap_create_from_copy((uint32_t)width, (uint32_t)height, (ImagePixelFormat)format, bytes,
                                                     size, (size_t)stride, &pixelmap))
             ? handle_out(env, pixelmap, drop_pixelmap)
             : NULL;
}

static napi_value set_alpha_type(napi_env env, napi_callback_info info) {
  napi_value values[2];
  void *pixelmap;
  int64_t type;
  if (arguments(env, info, 2, values) && handle_in(env, values[0], &pixelmap) &&
      integer_in(env, values[1], 0, INT32_MAX, &type))
    passed(env, image_pixelmap_set_alpha_type(pixelmap, (ImageAlphaType)type));
  return NULL;
}

/* setColor(pixelmap, primaries, transfer, matrix, fullRange) */
static napi_value set_color(napi_env env, napi_callback_info info) {
  napi_value values[5];
  void *pixelmap;
  int64_t codes[3];
  bool full;
  if (!arguments(env, info, 5, values) || !handle_in(env, values[0], &pixelmap)) return NULL;
  for (size_t index = 0; index < 3; index++)
    if (!integer_in(env, values[index + 1], 0, 255, codes + index)) return NULL;
  if (napi_get_value_bool(env, values[4], &full) != napi_ok)
    return napi_throw_type_error(env, NULL, "expected a boolean"), NULL;
  passed(env, image_pixelmap_set_cicp(pixelmap, (uint8_t)codes[0], (uint8_t)codes[1], (uint8_t)codes[2], full));
  return NULL;
}

static napi_value set_icc_profile(napi_env env, napi_callback_info info) {
  napi_value values[2];
  void *pixelmap, *bytes;
  size_t size;
  if (arguments(env, info, 2, values) && handle_in(env, values[0], &pixelmap) &&
      bytes_in(env, values[1], &bytes, &size))
    passed(env, image_pixelmap_set_icc_profile(pixelmap, bytes, size));
  return NULL;
}

/* createSource(path, descriptor or bytes) */
static napi_value create_source(napi_env env, napi_callback_info info) {
  napi_value value;
  napi_valuetype type;
  ImageSource *source = NULL;
  ImageStatus status;
  if (!arguments(env, info, 1, &value)) return NULL;
  napi_typeof(env, value, &type);
  if (type == napi_string) {
    char *path = text_in(env, value);
    if (path == NULL) return NULL;
    status = image_source_create_from_path(path, &source);
    free(path);
  } else if (type == napi_number) {
    int64_t fd;
    if (!integer_in(env, value, 0, INT32_MAX, &fd)) return NULL;
    status = image_source_create_from_fd((int)fd, &source);
  } else {
    void *bytes;
    size_t size;
    if (!bytes_in(env, value, &bytes, &size)) return NULL;
    status = image_source_create_from_copy(bytes, size, &source);
  }
  return passed(env, status) ? handle_out(env, source, drop_source) : NULL;
}

static napi_value source_info(napi_env env, napi_callback_info info) {
  napi_value value, result, part;
  void *source;
  const char *mime;
  uint32_t width, height, loops;
  size_t frames;
  if (!arguments(env, info, 1, &value) || !handle_in(env, value, &source) ||
      !passed(env, image_source_get_format(source, &mime)) ||
      !passed(env, image_source_get_size(source, &width, &height)) ||
      !passed(env, image_source_get_frame_count(source, &frames)) ||
      !passed(env, image_source_get_loop_count(source, &loops)))
    return NULL;
  napi_create_object(env, &result);
  napi_create_string_utf8(env, mime, NAPI_AUTO_LENGTH, &part);
  napi_set_named_property(env, result, "mimeType", part);
  napi_create_uint32(env, width, &part);
  napi_set_named_property(env, result, "width", part);
  napi_create_uint32(env, height, &part);
  napi_set_named_property(env, result, "height", part);
  napi_create_double(env, (double)frames, &part);
  napi_set_named_property(env, result, "frameCount", part);
  napi_create_uint32(env, loops, &part);
  napi_set_named_property(env, result, "loopCount", part);
  return result;
}

static napi_value picture_of_pixelmap(napi_env env, napi_callback_info info) {
  napi_value value;
  void *pixelmap;
  ImagePicture *picture;
  if (!arguments(env, info, 1, &value) || !handle_in(env, value, &pixelmap)) return NULL;
  return passed(env, image_picture_create(pixelmap, &picture)) ? handle_out(env, picture, drop_picture) : NULL;
}

static napi_value picture_of_source(napi_env env, napi_callback_info info) {
  napi_value value;
  void *source;
  ImagePicture *picture;
  if (!arguments(env, info, 1, &value) || !handle_in(env, value, &source)) return NULL;
  return passed(env, image_source_create_picture(source, &picture)) ? handle_out(env, picture, drop_picture) : NULL;
}

/* setProperty(picture, number, text or null) */
static napi_value set_property(napi_env env, napi_callback_info info) {
  napi_value values[3];
  napi_valuetype type;
  void *picture;
  int64_t property;
  char *text = NULL;
  if (!arguments(env, info, 3, values) || !handle_in(env, values[0], &picture) ||
      !integer_in(env, values[1], 0, INT32_MAX, &property))
    return NULL;
  napi_typeof(env, values[2], &type);
  if (type != napi_null && (text = text_in(env, values[2])) == NULL) return NULL;
  passed(env, image_picture_set_property(picture, (ImageProperty)property, text));
  free(text);
  return NULL;
}

/* ---- options ---- */

static napi_value create_options(napi_env env, napi_callback_info info) {
  napi_value values[2];
  int64_t quality;
  ImagePackingOptions *options;
  char *format;
  ImageStatus status;
  if (!arguments(env, info, 2, values) || !integer_in(env, values[1], INT32_MIN, INT32_MAX, &quality)) return NULL;
  if ((format = text_in(env, values[0])) == NULL) return NULL;
  status = image_packing_options_create(format, (int32_t)quality, &options);
  free(format);
  return passed(env, status) ? handle_out(env, options, drop_options) : NULL;
}

static ImageStatus set_number(ImagePackingOptions *options, const char *name, int64_t value) {
  if (strcmp(name, "bufferSize") == 0) return image_packing_options_set_buffer_size(options, (uint64_t)value);
  if (strcmp(name, "maxBytes") == 0) return image_packing_options_set_max_bytes(options, (uint64_t)value);
  if (strcmp(name, "desiredDynamicRange") == 0)
    return image_packing_options_set_dynamic_range(options, (ImageDynamicRange)value);
  if (strcmp(name, "needsPackProperties") == 0)
    return image_packing_options_set_needs_pack_properties(options, value != 0);
  if (strcmp(name, "keepGps") == 0) return image_packing_options_set_keep_gps(options, value != 0);
  if (strcmp(name, "maxEmbedThumbnailDimension") == 0)
    return image_packing_options_set_max_embed_thumbnail(options, (uint32_t)value);
  if (strcmp(name, "backgroundColor") == 0) return image_packing_options_set_background(options, (uint32_t)value);
  if (strcmp(name, "effort") == 0) return image_packing_options_set_effort(options, (int32_t)value);
  if (strcmp(name, "lossless") == 0) return image_packing_options_set_lossless(options, value != 0);
  if (strcmp(name, "chromaSubsampling") == 0)
    return image_packing_options_set_subsampling(options, (ImageSubsampling)value);
  if (strcmp(name, "color") == 0) return image_packing_options_set_color(options, (ImageColorPolicy)value);
  /* Dots per inch, of both axes. */
  if (strcmp(name, "density") == 0)
    return image_packing_options_set_density(options, (uint16_t)(value > 65535 ? 65535 : value),
                                             (uint16_t)(value > 65535 ? 65535 : value));
  if (strcmp(name, "sync") == 0) return image_packing_options_set_sync(options, value != 0);
  if (strcmp(name, "timeout") == 0) return image_packing_options_set_timeout(options, (uint32_t)value);
  return -1;
}

/* setOption(options, name, number) */
static napi_value set_option(napi_env env, napi_callback_info info) {
  napi_value values[3];
  void *options;
  int64_t value;
  char *name;
  ImageStatus status;
  if (!arguments(env, info, 3, values) || !handle_in(env, values[0], &options) ||
      !integer_in(env, values[2], 0, UINT32_MAX, &value) || (name = text_in(env, values[1])) == NULL)
    return NULL;
  status = set_number(options, name, value);
  free(name);
  if (status == -1)
    napi_throw_type_error(env, NULL, "no such option");
  else
    passed(env, status);
  return NULL;
}

/* set(options, name, value): a setting of one codec; of sequences too if `sequence`. */
static napi_value set_setting(napi_env env, napi_callback_info info) {
  napi_value values[4];
  void *options;
  bool sequence;
  char *name, *value = NULL;
  if (!arguments(env, info, 4, values) || !handle_in(env, values[0], &options) ||
      napi_get_value_bool(env, values[3], &sequence) != napi_ok || (name = text_in(env, values[1])) == NULL)
    return NULL;
  if ((value = text_in(env, values[2])) != NULL)
    passed(env, sequence ? image_sequence_options_set(options, name, value)
                         : image_packing_options_set(options, name, value));
  free(name);
  free(value);
  return NULL;
}

/* Numbers of a JavaScript array in memory of malloc(); NULL with `count` 0 for an empty one. */
static bool list_in(napi_env env, napi_value array, int64_t high, int32_t **list, uint32_t *count) {
  *list = NULL;
  if (napi_get_array_length(env, array, count) != napi_ok)
    return napi_throw_type_error(env, NULL, "expected an array"), false;
  if (*count == 0) return true;
  if ((*list = malloc(*count * sizeof **list)) == NULL) return napi_throw_error(env, NULL, "out of memory"), false;
  for (uint32_t index = 0; index < *count; index++) {
    napi_value value;
    int64_t number;
    if (napi_get_element(env, array, index, &value) != napi_ok || !integer_in(env, value, INT32_MIN, high, &number)) {
      free(*list);
      return false;
    }
    (*list)[index] = (int32_t)number;
  }
  return true;
}

/* createSequenceOptions(format, frameCount, delays, disposals, loopCount or -1, quality or -1, effort or -1) */
static napi_value create_sequence_options(napi_env env, napi_callback_info info) {
  napi_value values[7];
  int64_t frames, numbers[3];
  int32_t *delays, *disposals;
  uint32_t delay_count, disposal_count;
  ImageSequenceOptions *options = NULL;
  char *format;
  ImageStatus status;
  if (!arguments(env, info, 7, values) || !integer_in(env, values[1], 0, UINT32_MAX, &frames)) return NULL;
  for (size_t index = 0; index < 3; index++)
    if (!integer_in(env, values[4 + index], -1, INT32_MAX, numbers + index)) return NULL;
  if (!list_in(env, values[2], INT32_MAX, &delays, &delay_count)) return NULL;
  if (!list_in(env, values[3], INT32_MAX, &disposals, &disposal_count)) return free(delays), NULL;
  if ((format = text_in(env, values[0])) == NULL) return free(delays), free(disposals), NULL;
  status = image_sequence_options_create(format, (uint32_t)frames, &options);
  if (status == IMAGE_OK && delay_count > 0)
    status = image_sequence_options_set_delay_times(options, delays, delay_count);
  if (status == IMAGE_OK)
    status = image_sequence_options_set_disposal_types(options, (const uint32_t *)disposals, disposal_count);
  if (status == IMAGE_OK && numbers[0] >= 0)
    status = image_sequence_options_set_loop_count(options, (uint32_t)numbers[0]);
  if (status == IMAGE_OK && numbers[1] >= 0) status = image_sequence_options_set_quality(options, (int32_t)numbers[1]);
  if (status == IMAGE_OK && numbers[2] >= 0) status = image_sequence_options_set_effort(options, (int32_t)numbers[2]);
  free(format);
  free(delays);
  free(disposals);
  if (passed(env, status)) return handle_out(env, options, drop_sequence_options);
  if (options != NULL) (void)image_sequence_options_release(options);
  return NULL;
}

/* ---- packs ---- */

/* The end of a pack on its way to JavaScript. */
typedef struct {
  napi_threadsafe_function call;
  ImageStatus status;
  ImageErrorCause cause;
  ImageData *data;
  char text[512];
} End;

static void free_bytes(napi_env env, void *bytes, void *hint) {
  (void)env, (void)hint;
  free(bytes);
}

/* The encoded bytes as an ArrayBuffer: the library's own memory where the runtime allows it. */
static napi_value bytes_out(napi_env env, ImageData *data) {
  napi_value buffer = NULL;
  uint8_t *bytes;
  size_t size;
  void *copy;
  if (image_data_take(data, &bytes, &size) != IMAGE_OK) return NULL;
  if (napi_create_external_arraybuffer(env, bytes, size, free_bytes, NULL, &buffer) == napi_ok) return buffer;
  if (napi_create_arraybuffer(env, size, &copy, &buffer) == napi_ok) memcpy(copy, bytes, size);
  free(bytes);
  return buffer;
}

/* On JavaScript's thread: end(error or null, bytes or undefined). `env` is NULL when the runtime is going away. */
static void deliver(napi_env env, napi_value function, void *context, void *data) {
  End *end = data;
  (void)context;
  if (env != NULL) {
    napi_value values[2], undefined;
    napi_get_undefined(env, &undefined);
    napi_get_null(env, values);
    values[1] = undefined;
    if (end->status != IMAGE_OK)
      values[0] = error_of(env, end->status, end->cause, end->text);
    else if (end->data != NULL) {
      napi_value bytes = bytes_out(env, end->data);
      end->data = NULL;
      if (bytes == NULL)
        values[0] = error_of(env, IMAGE_ERROR_FAILED, IMAGE_CAUSE_OUT_OF_MEMORY, "no memory for the encoded image");
      else
        values[1] = bytes;
    }
    napi_call_function(env, undefined, function, 2, values, NULL);
  }
  if (end->data != NULL) (void)image_data_release(end->data);
  free(end);
}

/* On a thread of the library. */
static void done(void *user, ImageStatus status, ImageData *data) {
  End *end = user;
  napi_threadsafe_function call = end->call;
  end->status = status;
  end->data = data;
  if (status != IMAGE_OK) {
    end->cause = image_packer_last_error_cause();
    strncpy(end->text, image_packer_last_error_message(), sizeof end->text - 1);
  }
  if (napi_call_threadsafe_function(call, end, napi_tsfn_blocking) != napi_ok) deliver(NULL, NULL, NULL, end);
  napi_release_threadsafe_function(call, napi_tsfn_release);
}

typedef enum { PIXELMAP, SOURCE, PICTURE, SEQUENCE } Kind;

static ImageStatus start(Kind kind, ImagePacker *packer, void **inputs, size_t count, void *options, int fd,
                         const char *path, End *end, ImageJob **job) {
  void *input = inputs[0];
  switch (kind) {
    case PIXELMAP:
      if (path != NULL) return image_packer_pack_to_path_async(packer, input, path, options, done, end, job);
      if (fd >= 0) return image_packer_pack_to_file_async(packer, input, fd, options, done, end, job);
      return image_packer_pack_to_data_async(packer, input, options, done, end, job);
    case SOURCE:
      if (path != NULL)
        return image_packer_pack_to_path_from_source_async(packer, input, path, options, done, end, job);
      if (fd >= 0) return image_packer_pack_to_file_from_source_async(packer, input, fd, options, done, end, job);
      return image_packer_pack_to_data_from_source_async(packer, input, options, done, end, job);
    case PICTURE:
      if (path != NULL)
        return image_packer_pack_to_path_from_picture_async(packer, input, path, options, done, end, job);
      if (fd >= 0) return image_packer_pack_to_file_from_picture_async(packer, input, fd, options, done, end, job);
      return image_packer_pack_to_data_from_picture_async(packer, input, options, done, end, job);
    default:
      if (fd >= 0)
        return image_packer_pack_to_file_from_sequence_async(packer, (ImagePixelMap *const *)inputs, count, fd, options,
                                                             done, end, job);
      return image_packer_pack_to_data_from_sequence_async(packer, (ImagePixelMap *const *)inputs, count, options, done,
                                                           end, job);
  }
}

/* pack(packer, kind, inputs, options, descriptor, path or null, end) answers the job. */
static napi_value pack(napi_env env, napi_callback_info info) {
  napi_value values[7], name, result = NULL;
  napi_valuetype type;
  void *packer, *options, **inputs;
  int64_t kind, fd;
  uint32_t count;
  char *path = NULL;
  End *end;
  ImageJob *job;
  napi_threadsafe_function call;
  if (!arguments(env, info, 7, values) || !handle_in(env, values[0], &packer) ||
      !integer_in(env, values[1], PIXELMAP, SEQUENCE, &kind) || !handle_in(env, values[3], &options) ||
      !integer_in(env, values[4], INT32_MIN, INT32_MAX, &fd))
    return NULL;
  if (napi_get_array_length(env, values[2], &count) != napi_ok)
    return napi_throw_type_error(env, NULL, "expected an array"), NULL;
  napi_typeof(env, values[5], &type);
  if (type != napi_null && (path = text_in(env, values[5])) == NULL) return NULL;
  inputs = calloc(count + 1, sizeof *inputs);
  end = calloc(1, sizeof *end);
  if (inputs == NULL || end == NULL) {
    napi_throw_error(env, NULL, "out of memory");
    goto failed;
  }
  for (uint32_t index = 0; index < count; index++) {
    napi_value value;
    if (napi_get_element(env, values[2], index, &value) != napi_ok || !handle_in(env, value, inputs + index))
      goto failed;
  }
  napi_create_string_utf8(env, "image_packer", NAPI_AUTO_LENGTH, &name);
  if (napi_create_threadsafe_function(env, values[6], NULL, name, 0, 1, NULL, NULL, NULL, deliver, &call) != napi_ok) {
    napi_throw_type_error(env, NULL, "expected a function");
    goto failed;
  }
  end->call = call;
  if (passed(env, start((Kind)kind, packer, inputs, count, options, (int)fd, path, end, &job))) {
    result = handle_out(env, job, drop_job);
    end = NULL; /* the job's */
  } else {
    napi_release_threadsafe_function(call, napi_tsfn_abort);
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
  napi_value value, result = NULL;
  void *job;
  uint32_t per_mille;
  if (arguments(env, info, 1, &value) && handle_in(env, value, &job) &&
      passed(env, image_job_get_progress(job, &per_mille)))
    napi_create_double(env, per_mille / 1000.0, &result);
  return result;
}

static napi_value version(napi_env env, napi_callback_info info) {
  napi_value text;
  (void)info;
  napi_create_string_utf8(env, image_packer_version_string(), NAPI_AUTO_LENGTH, &text);
  return text;
}

NAPI_MODULE_INIT() {
  static const struct {
    const char *name;
    napi_callback function;
  } functions[] = {
      {"createPacker", create_packer},
      {"releasePacker", release_packer},
      {"supportedFormats", supported_formats},
      {"createPixelMap", create_pixelmap},
      {"setAlphaType", set_alpha_type},
      {"setColor", set_color},
      {"setIccProfile", set_icc_profile},
      {"createSource", create_source},
      {"sourceInfo", source_info},
      {"pictureOfPixelMap", picture_of_pixelmap},
      {"pictureOfSource", picture_of_source},
      {"setProperty", set_property},
      {"createOptions", create_options},
      {"setOption", set_option},
      {"setSetting", set_setting},
      {"createSequenceOptions", create_sequence_options},
      {"pack", pack},
      {"cancel", cancel},
      {"progress", progress},
      {"version", version},
  };
  for (size_t index = 0; index < COUNT(functions); index++) {
    napi_value function;
    if (napi_create_function(env, functions[index].name, NAPI_AUTO_LENGTH, functions[index].function, NULL,
                             &function) != napi_ok ||
        napi_set_named_property(env, exports, functions[index].name, function) != napi_ok)
      return NULL;
  }
  return exports;
}
