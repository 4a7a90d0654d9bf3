/* Reports: what became of an image. */

#include "addon.h"

static void drop_report(napi_env env, void *data, void *hint) {
  (void)env, (void)hint;
  (void)image_report_release(data);
}

static napi_value createReport(napi_env env, napi_callback_info info) {
  ImageReport *report;
  (void)info;
  return passed(env, image_report_create(&report)) ? handle_out(env, report, drop_report) : NULL;
}

napi_value report_out(napi_env env, ImageReport *report) {
  napi_value result, list, entry;
  uint64_t bytes;
  uint32_t width, height;
  int32_t quality;
  const char *mime;
  char text[512];
  ImageBackend backend;
  ImageWarning warning;
  size_t count;
  if (!passed(env, image_report_get_bytes(report, &bytes)) ||
      !passed(env, image_report_get_size(report, &width, &height)) ||
      !passed(env, image_report_get_quality(report, &quality)) ||
      !passed(env, image_report_get_format(report, &mime)) ||
      !passed(env, image_report_get_codec(report, text, sizeof text)) ||
      !passed(env, image_report_get_backend(report, &backend)) ||
      !passed(env, image_report_get_warning_count(report, &count)))
    return NULL;
  napi_create_object(env, &result);
  set(env, result, "bytes", number_out(env, (double)bytes));
  set(env, result, "width", number_out(env, width));
  set(env, result, "height", number_out(env, height));
  set(env, result, "quality", number_out(env, quality));
  set(env, result, "format", text_out(env, mime, NAPI_AUTO_LENGTH));
  set(env, result, "codec", text_out(env, text, NAPI_AUTO_LENGTH));
  set(env, result, "backend", number_out(env, backend));
  napi_create_array(env, &list);
  for (size_t index = 0; index < count; index++) {
    if (!passed(env, image_report_get_warning(report, index, &warning, text, sizeof text))) return NULL;
    napi_create_object(env, &entry);
    set(env, entry, "code", number_out(env, warning));
    set(env, entry, "text", text_out(env, text, NAPI_AUTO_LENGTH));
    napi_set_element(env, list, (uint32_t)index, entry);
  }
  set(env, result, "warnings", list);
  return result;
}

static napi_value readReport(napi_env env, napi_callback_info info) {
  napi_value value;
  void *report;
  return arguments(env, info, 1, &value) && handle_in(env, value, &report) ? report_out(env, report) : NULL;
}

const Function report_functions[] = {FUNCTION(createReport), FUNCTION(readReport), {NULL, NULL}};
