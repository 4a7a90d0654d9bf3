/* Options of single images and of sequences: setters by name. */

#include "addon.h"
#include <stdio.h>

static void drop_options(napi_env env, void *data, void *hint) {
  (void)env, (void)hint;
  (void)image_packing_options_release(data);
}

static void drop_sequence_options(napi_env env, void *data, void *hint) {
  (void)env, (void)hint;
  (void)image_sequence_options_release(data);
}

/* createOptions(format, quality) */
static napi_value createOptions(napi_env env, napi_callback_info info) {
  napi_value values[2];
  int64_t quality;
  ImagePackingOptions *options;
  char *format;
  ImageStatus status;
  if (!arguments(env, info, 2, values) || !integer_in(env, values[1], INT32_MIN, INT32_MAX, &quality) ||
      !text_in(env, values[0], &format))
    return NULL;
  status = image_packing_options_create(format, (int32_t)quality, &options);
  free(format);
  return passed(env, status) ? handle_out(env, options, drop_options) : NULL;
}

/* createSequenceOptions(format, frames) */
static napi_value createSequenceOptions(napi_env env, napi_callback_info info) {
  napi_value values[2];
  int64_t frames;
  ImageSequenceOptions *options;
  char *format;
  ImageStatus status;
  if (!arguments(env, info, 2, values) || !integer_in(env, values[1], 0, UINT32_MAX, &frames) ||
      !text_in(env, values[0], &format))
    return NULL;
  status = image_sequence_options_create(format, (uint32_t)frames, &options);
  free(format);
  return passed(env, status) ? handle_out(env, options, drop_sequence_options) : NULL;
}

enum { UNKNOWN = -1 };

/* Density is of both axes; the others have one number. */
static ImageStatus of_image(ImagePackingOptions *options, const char *name, int64_t value, int64_t second) {
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
  if (strcmp(name, "density") == 0)
    return image_packing_options_set_density(options, (uint16_t)(value > 65535 ? 65535 : value),
                                             (uint16_t)(second > 65535 ? 65535 : second));
  if (strcmp(name, "tail") == 0) return image_packing_options_set_tail(options, (ImageTail)value);
  if (strcmp(name, "sync") == 0) return image_packing_options_set_sync(options, value != 0);
  if (strcmp(name, "timeout") == 0) return image_packing_options_set_timeout(options, (uint32_t)value);
  return UNKNOWN;
}

/* A canvas has width and height; the others have one number. */
static ImageStatus of_sequence(ImageSequenceOptions *options, const char *name, int64_t value, int64_t second) {
  if (strcmp(name, "quality") == 0) return image_sequence_options_set_quality(options, (int32_t)value);
  if (strcmp(name, "effort") == 0) return image_sequence_options_set_effort(options, (int32_t)value);
  if (strcmp(name, "loopCount") == 0) return image_sequence_options_set_loop_count(options, (uint32_t)value);
  if (strcmp(name, "canvas") == 0) return image_sequence_options_set_canvas(options, (uint32_t)value, (uint32_t)second);
  if (strcmp(name, "lossless") == 0) return image_sequence_options_set_lossless(options, value != 0);
  if (strcmp(name, "dithering") == 0) return image_sequence_options_set_dithering(options, (ImageDithering)value);
  if (strcmp(name, "needsPackProperties") == 0)
    return image_sequence_options_set_needs_pack_properties(options, value != 0);
  if (strcmp(name, "keepGps") == 0) return image_sequence_options_set_keep_gps(options, value != 0);
  if (strcmp(name, "tail") == 0) return image_sequence_options_set_tail(options, (ImageTail)value);
  if (strcmp(name, "sync") == 0) return image_sequence_options_set_sync(options, value != 0);
  if (strcmp(name, "timeout") == 0) return image_sequence_options_set_timeout(options, (uint32_t)value);
  return UNKNOWN;
}

/* setOption(options, of a sequence?, name, number, second number) */
static napi_value setOption(napi_env env, napi_callback_info info) {
  napi_value values[5];
  void *options;
  bool sequence;
  int64_t value, second;
  char *name;
  ImageStatus status;
  if (!arguments(env, info, 5, values) || !handle_in(env, values[0], &options) || !flag_in(env, values[1], &sequence) ||
      !integer_in(env, values[3], 0, UINT32_MAX, &value) || !integer_in(env, values[4], 0, UINT32_MAX, &second) ||
      !text_in(env, values[2], &name))
    return NULL;
  status = name == NULL ? UNKNOWN
           : sequence   ? of_sequence(options, name, value, second)
                        : of_image(options, name, value, second);
  if (status == UNKNOWN) {
    char text[128];
    snprintf(text, sizeof text, "no such option: %s", name == NULL ? "null" : name);
    napi_throw_type_error(env, NULL, text);
  } else {
    passed(env, status);
  }
  free(name);
  return NULL;
}

/* setList(options, name, Int32Array): delays, disposals, or offsets x0, y0, x1, y1 … of a sequence */
static napi_value setList(napi_env env, napi_callback_info info) {
  napi_value values[3];
  void *options, *list;
  size_t size, count;
  char *name;
  if (!arguments(env, info, 3, values) || !handle_in(env, values[0], &options) ||
      !bytes_in(env, values[2], &list, &size) || !text_in(env, values[1], &name))
    return NULL;
  count = size / sizeof(int32_t);
  if (name == NULL)
    napi_throw_type_error(env, NULL, "no such list");
  else if (strcmp(name, "delays") == 0)
    passed(env, image_sequence_options_set_delay_times(options, list, count));
  else if (strcmp(name, "disposals") == 0)
    passed(env, image_sequence_options_set_disposal_types(options, list, count));
  else
    passed(env, image_sequence_options_set_offsets(options, list, count / 2));
  free(name);
  return NULL;
}

/* setSetting(options, of a sequence?, name, value): a setting of one codec */
static napi_value setSetting(napi_env env, napi_callback_info info) {
  napi_value values[4];
  void *options;
  bool sequence;
  char *name = NULL, *value = NULL;
  if (arguments(env, info, 4, values) && handle_in(env, values[0], &options) && flag_in(env, values[1], &sequence) &&
      text_in(env, values[2], &name) && text_in(env, values[3], &value))
    passed(env, sequence ? image_sequence_options_set(options, name, value)
                         : image_packing_options_set(options, name, value));
  free(name);
  free(value);
  return NULL;
}

/* setReport(options, of a sequence?, report) */
static napi_value setReport(napi_env env, napi_callback_info info) {
  napi_value values[3];
  void *options, *report;
  bool sequence;
  if (arguments(env, info, 3, values) && handle_in(env, values[0], &options) && flag_in(env, values[1], &sequence) &&
      maybe_handle_in(env, values[2], &report))
    passed(env, sequence ? image_sequence_options_set_report(options, report)
                         : image_packing_options_set_report(options, report));
  return NULL;
}

/* setSequenceMetadata(options, picture or null) */
static napi_value setSequenceMetadata(napi_env env, napi_callback_info info) {
  napi_value values[2];
  void *options, *picture;
  if (arguments(env, info, 2, values) && handle_in(env, values[0], &options) &&
      maybe_handle_in(env, values[1], &picture))
    passed(env, image_sequence_options_set_metadata(options, picture));
  return NULL;
}

const Function option_functions[] = {
    FUNCTION(createOptions),       FUNCTION(createSequenceOptions),
    FUNCTION(setOption),           FUNCTION(setList),
    FUNCTION(setSetting),          FUNCTION(setReport),
    FUNCTION(setSequenceMetadata), {NULL, NULL},
};
