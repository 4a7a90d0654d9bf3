/* Batches: many packs as one, each of whose ends comes to JavaScript by itself. */

#include "addon.h"
#include <stdatomic.h>

static void drop_batch(napi_env env, void *data, void *hint) {
  (void)env, (void)hint;
  (void)image_batch_release(data);
}

static napi_value createBatch(napi_env env, napi_callback_info info) {
  napi_value value;
  void *packer;
  ImageBatch *batch;
  if (!arguments(env, info, 1, &value) || !handle_in(env, value, &packer)) return NULL;
  return passed(env, image_batch_create(packer, &batch)) ? handle_out(env, batch, drop_batch) : NULL;
}

/* addToBatch(batch, kind, input, options) */
static napi_value addToBatch(napi_env env, napi_callback_info info) {
  napi_value values[4];
  void *batch, *input, *options;
  int64_t kind;
  if (arguments(env, info, 4, values) && handle_in(env, values[0], &batch) &&
      integer_in(env, values[1], PIXELMAP, PICTURE, &kind) && handle_in(env, values[2], &input) &&
      handle_in(env, values[3], &options))
    passed(env, kind == PIXELMAP ? image_batch_add_pixelmap(batch, input, options)
                : kind == SOURCE ? image_batch_add_source(batch, input, options)
                                 : image_batch_add_picture(batch, input, options));
  return NULL;
}

/* batchToFiles(batch, Int32Array of descriptors) */
static napi_value batchToFiles(napi_env env, napi_callback_info info) {
  napi_value values[2];
  void *batch, *fds;
  size_t size;
  if (arguments(env, info, 2, values) && handle_in(env, values[0], &batch) && bytes_in(env, values[1], &fds, &size))
    passed(env, image_batch_to_files(batch, fds, size / sizeof(int)));
  return NULL;
}

/* batchToFolder(batch, folder, array of names, what of the same name, prefix, suffix, extension: text or null) */
static napi_value batchToFolder(napi_env env, napi_callback_info info) {
  napi_value values[7], value;
  void *batch;
  int64_t same;
  uint32_t count, made = 0;
  char *folder = NULL, *part[3] = {NULL, NULL, NULL}, **names = NULL;
  if (!arguments(env, info, 7, values) || !handle_in(env, values[0], &batch) ||
      !integer_in(env, values[3], 0, INT32_MAX, &same))
    return NULL;
  if (napi_get_array_length(env, values[2], &count) != napi_ok)
    return napi_throw_type_error(env, NULL, "expected an array"), NULL;
  if ((names = calloc((size_t)count + 1, sizeof *names)) == NULL) return no_memory(env), NULL;
  if (!text_in(env, values[1], &folder)) goto end;
  for (; made < count; made++)
    if (napi_get_element(env, values[2], made, &value) != napi_ok || !text_in(env, value, names + made)) goto end;
  for (size_t index = 0; index < COUNT(part); index++)
    if (!text_in(env, values[4 + index], part + index)) goto end;
  if (passed(env, image_batch_to_folder(batch, folder, (const char *const *)names, count, (ImageSameName)same)))
    passed(env, image_batch_set_names(batch, part[0], part[1], part[2]));
end:
  for (size_t index = 0; index < COUNT(part); index++) free(part[index]);
  while (made > 0) free(names[--made]);
  free(names);
  free(folder);
  return NULL;
}

/* The end of an image on its way to JavaScript; `last` is that of the batch. */
typedef struct {
  struct Ends *of;
  size_t index;
  ImageStatus status;
  ImageData *data;
  bool last;
} End;

typedef struct Ends {
  Line *line;
  ImageBatch *batch;
  atomic_size_t left;
  End list[]; /* one for each image, and the batch's */
} Ends;

/* On JavaScript's thread: end(index, error or null, bytes or undefined), and end(-1) for the batch. */
static void deliver(napi_env env, napi_value function, void *context, void *data) {
  End *end = data;
  (void)context;
  if (env != NULL) {
    napi_value values[3], undefined;
    napi_get_undefined(env, &undefined);
    values[0] = number_out(env, end->last ? -1.0 : (double)end->index);
    napi_get_null(env, values + 1);
    values[2] = undefined;
    if (end->last) end->status = IMAGE_OK;
    if (end->status != IMAGE_OK) {
      Failure failure = {0};
      note_failure(&failure, image_batch_get_status(end->of->batch, end->index));
      values[1] = error_of(env, &failure);
    } else if (end->data != NULL) {
      Failure failure = {IMAGE_ERROR_FAILED, IMAGE_CAUSE_OUT_OF_MEMORY, "no memory for the encoded image"};
      napi_value bytes = bytes_out(env, end->data);
      end->data = NULL;
      if (bytes == NULL)
        values[1] = error_of(env, &failure);
      else
        values[2] = bytes;
    }
    napi_call_function(env, undefined, function, 3, values, NULL);
  }
  if (end->data != NULL) (void)image_data_release(end->data);
  if (atomic_fetch_sub(&end->of->left, 1) == 1) free(end->of);
}

/* On threads of the library. */
static void send(End *end) {
  if (!line_send(end->of->line, end)) deliver(NULL, NULL, NULL, end);
}

static void item(void *user, size_t index, ImageStatus status, ImageData *data) {
  Ends *ends = user;
  ends->list[index] = (End){ends, index, status, data, false};
  send(ends->list + index);
}

static void done(void *user, ImageStatus status, ImageData *data) {
  Ends *ends = user;
  size_t count = 0;
  (void)data;
  (void)image_batch_get_progress(ends->batch, NULL, NULL, &count);
  ends->list[count] = (End){ends, count, status, NULL, true};
  send(ends->list + count);
}

/* startBatch(batch, end); the caller keeps the batch until end(-1). */
static napi_value startBatch(napi_env env, napi_callback_info info) {
  napi_value values[2];
  void *batch;
  size_t count = 0;
  Ends *ends;
  if (!arguments(env, info, 2, values) || !handle_in(env, values[0], &batch) ||
      !passed(env, image_batch_get_progress(batch, NULL, NULL, &count)))
    return NULL;
  if ((ends = calloc(1, sizeof *ends + (count + 1) * sizeof *ends->list)) == NULL) return no_memory(env), NULL;
  ends->batch = batch;
  ends->left = count + 1;
  if ((ends->line = line_open(env, values[1], deliver, count + 1)) == NULL) {
    free(ends);
  } else if (!passed(env, image_batch_start(batch, item, done, ends))) {
    line_abandon(ends->line);
    free(ends);
  }
  return NULL;
}

static napi_value cancelBatch(napi_env env, napi_callback_info info) {
  napi_value value;
  void *batch;
  if (arguments(env, info, 1, &value) && handle_in(env, value, &batch)) passed(env, image_batch_cancel(batch));
  return NULL;
}

/* batchReport(batch, index) of an image that ended well, with the milliseconds that it was worked on */
static napi_value batchReport(napi_env env, napi_callback_info info) {
  napi_value values[2], result = NULL;
  void *batch;
  int64_t index;
  ImageReport *report;
  if (!arguments(env, info, 2, values) || !handle_in(env, values[0], &batch) ||
      !integer_in(env, values[1], 0, UINT32_MAX, &index) || !passed(env, image_report_create(&report)))
    return NULL;
  if (passed(env, image_batch_get_report(batch, (size_t)index, report)) && (result = report_out(env, report)) != NULL)
    set(env, result, "milliseconds", number_out(env, (double)image_batch_get_time(batch, (size_t)index) / 1e6));
  (void)image_report_release(report);
  return result;
}

const Function batch_functions[] = {
    FUNCTION(createBatch), FUNCTION(addToBatch),  FUNCTION(batchToFiles), FUNCTION(batchToFolder),
    FUNCTION(startBatch),  FUNCTION(cancelBatch), FUNCTION(batchReport),  {NULL, NULL},
};
