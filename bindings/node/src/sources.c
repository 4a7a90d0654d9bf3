/* Image sources: what is in them, their frames, their metadata. */

#include "addon.h"

static void drop_source(napi_env env, void *data, void *hint) {
  (void)env, (void)hint;
  (void)image_source_release(data);
}

/* createSource(path, descriptor or bytes) */
static napi_value createSource(napi_env env, napi_callback_info info) {
  napi_value value;
  napi_valuetype type;
  ImageSource *source = NULL;
  ImageStatus status;
  if (!arguments(env, info, 1, &value)) return NULL;
  napi_typeof(env, value, &type);
  if (type == napi_string) {
    char *path;
    if (!text_in(env, value, &path)) return NULL;
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

static napi_value releaseSource(napi_env env, napi_callback_info info) {
  napi_value value;
  void *source;
  if (arguments(env, info, 1, &value) && handle_in(env, value, &source)) passed(env, image_source_release(source));
  return NULL;
}

static napi_value sourceInfo(napi_env env, napi_callback_info info) {
  napi_value value, result;
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
  set(env, result, "mimeType", text_out(env, mime, NAPI_AUTO_LENGTH));
  set(env, result, "width", number_out(env, width));
  set(env, result, "height", number_out(env, height));
  set(env, result, "frameCount", number_out(env, (double)frames));
  set(env, result, "loopCount", number_out(env, loops));
  return result;
}

/* frameInfo(source, index) is [milliseconds, disposal] */
static napi_value frameInfo(napi_env env, napi_callback_info info) {
  napi_value values[2], list;
  void *source;
  int64_t index;
  uint32_t milliseconds, disposal;
  if (!arguments(env, info, 2, values) || !handle_in(env, values[0], &source) ||
      !integer_in(env, values[1], 0, UINT32_MAX, &index) ||
      !passed(env, image_source_get_frame_delay(source, (size_t)index, &milliseconds)) ||
      !passed(env, image_source_get_frame_disposal(source, (size_t)index, &disposal)))
    return NULL;
  napi_create_array_with_length(env, 2, &list);
  napi_set_element(env, list, 0, number_out(env, milliseconds));
  napi_set_element(env, list, 1, number_out(env, disposal));
  return list;
}

static ImageStatus decode(Work *work) {
  return image_source_create_pixelmap(work->first, (size_t)work->numbers[0], (ImagePixelMap **)&work->out);
}

static napi_value decoded(napi_env env, Work *work) { return pixelmap_out(env, work->out); }

/* decodeFrame(source, index, now) */
static napi_value decodeFrame(napi_env env, napi_callback_info info) {
  napi_value values[3];
  Work work = {.run = decode, .answer = decoded};
  bool now;
  if (!arguments(env, info, 3, values) || !handle_in(env, values[0], &work.first) ||
      !integer_in(env, values[1], 0, UINT32_MAX, work.numbers) || !flag_in(env, values[2], &now))
    return NULL;
  return begin(env, &work, now, values, 1);
}

static ImageStatus open_picture(Work *work) {
  return image_source_create_picture(work->first, (ImagePicture **)&work->out);
}

static ImageStatus open_metadata(Work *work) {
  return image_source_create_metadata(work->first, (ImagePicture **)&work->out);
}

static napi_value opened(napi_env env, Work *work) { return picture_out(env, work->out); }

static napi_value open(napi_env env, napi_callback_info info, ImageStatus (*run)(Work *)) {
  napi_value values[2];
  Work work = {.run = run, .answer = opened};
  bool now;
  if (!arguments(env, info, 2, values) || !handle_in(env, values[0], &work.first) || !flag_in(env, values[1], &now))
    return NULL;
  return begin(env, &work, now, values, 1);
}

/* openPicture(source, now), openMetadata(source, now) */
static napi_value openPicture(napi_env env, napi_callback_info info) { return open(env, info, open_picture); }
static napi_value openMetadata(napi_env env, napi_callback_info info) { return open(env, info, open_metadata); }

static ImageStatus edit(Work *work) {
  if (work->text != NULL) return image_packer_edit_metadata_to_path(work->first, work->second, work->text);
  if (work->numbers[0] >= 0)
    return image_packer_edit_metadata_to_file(work->first, work->second, (int)work->numbers[0]);
  return image_packer_edit_metadata_to_data(work->first, work->second, (ImageData **)&work->out);
}

static napi_value edited(napi_env env, Work *work) {
  napi_value nothing;
  if (work->out != NULL) return bytes_out(env, work->out);
  napi_get_undefined(env, &nothing);
  return nothing;
}

/* editMetadata(source, picture, descriptor or -1, path or null) */
static napi_value editMetadata(napi_env env, napi_callback_info info) {
  napi_value values[4];
  Work work = {.run = edit, .answer = edited};
  if (!arguments(env, info, 4, values) || !handle_in(env, values[0], &work.first) ||
      !handle_in(env, values[1], &work.second) || !integer_in(env, values[2], INT32_MIN, INT32_MAX, work.numbers) ||
      !text_in(env, values[3], &work.text))
    return NULL;
  return begin(env, &work, false, values, 2);
}

const Function source_functions[] = {
    FUNCTION(createSource), FUNCTION(releaseSource), FUNCTION(sourceInfo),   FUNCTION(frameInfo), FUNCTION(decodeFrame),
    FUNCTION(openPicture),  FUNCTION(openMetadata),  FUNCTION(editMetadata), {NULL, NULL},
};
