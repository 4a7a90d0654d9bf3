/* Animations that take their frames one at a time. */

#include "addon.h"

static void drop_sequence(napi_env env, void *data, void *hint) {
  (void)env, (void)hint;
  (void)image_sequence_release(data);
}

/* beginSequence(packer, options, descriptor or -1, path or null) */
static napi_value beginSequence(napi_env env, napi_callback_info info) {
  napi_value values[4];
  void *packer, *options;
  int64_t fd;
  char *path;
  ImageSequence *sequence;
  ImageStatus status;
  if (!arguments(env, info, 4, values) || !handle_in(env, values[0], &packer) || !handle_in(env, values[1], &options) ||
      !integer_in(env, values[2], INT32_MIN, INT32_MAX, &fd) || !text_in(env, values[3], &path))
    return NULL;
  status = path != NULL ? image_sequence_begin_to_path(packer, path, options, &sequence)
           : fd >= 0    ? image_sequence_begin_to_file(packer, (int)fd, options, &sequence)
                        : image_sequence_begin(packer, options, &sequence);
  free(path);
  return passed(env, status) ? handle_out(env, sequence, drop_sequence) : NULL;
}

static ImageStatus add(Work *work) {
  const int64_t *n = work->numbers;
  if (n[0] < 0) return image_sequence_add_frame(work->first, work->second, (int32_t)n[2], (int32_t)n[3]);
  return image_sequence_add_frame_at(work->first, work->second, (uint32_t)n[0], (uint32_t)n[1], (int32_t)n[2],
                                     (int32_t)n[3]);
}

static napi_value nothing(napi_env env, Work *work) {
  napi_value value = NULL;
  (void)work;
  napi_get_undefined(env, &value);
  return value;
}

/* addFrame(sequence, pixel map, x or -1, y, delay or 0, disposal or -1) */
static napi_value addFrame(napi_env env, napi_callback_info info) {
  napi_value values[6];
  Work work = {.run = add, .answer = nothing};
  if (!arguments(env, info, 6, values) || !handle_in(env, values[0], &work.first) ||
      !handle_in(env, values[1], &work.second) || !integer_in(env, values[2], -1, UINT32_MAX, work.numbers) ||
      !integer_in(env, values[3], 0, UINT32_MAX, work.numbers + 1) ||
      !integer_in(env, values[4], INT32_MIN, INT32_MAX, work.numbers + 2) ||
      !integer_in(env, values[5], INT32_MIN, INT32_MAX, work.numbers + 3))
    return NULL;
  return begin(env, &work, false, values, 2);
}

static ImageStatus finish(Work *work) { return image_sequence_finish(work->first, (ImageData **)&work->out); }

static napi_value finished(napi_env env, Work *work) {
  return work->out == NULL ? nothing(env, work) : bytes_out(env, work->out);
}

/* finishSequence(sequence) answers its bytes, or undefined for one that goes into a file */
static napi_value finishSequence(napi_env env, napi_callback_info info) {
  napi_value value;
  Work work = {.run = finish, .answer = finished};
  if (!arguments(env, info, 1, &value) || !handle_in(env, value, &work.first)) return NULL;
  return begin(env, &work, false, &value, 1);
}

static napi_value cancelSequence(napi_env env, napi_callback_info info) {
  napi_value value;
  void *sequence;
  if (arguments(env, info, 1, &value) && handle_in(env, value, &sequence)) passed(env, image_sequence_cancel(sequence));
  return NULL;
}

const Function sequence_functions[] = {
    FUNCTION(beginSequence), FUNCTION(addFrame), FUNCTION(finishSequence), FUNCTION(cancelSequence), {NULL, NULL},
};
