/* Arguments, answers and errors: between JavaScript's values and C's. */

#include "addon.h"

napi_value error_of(napi_env env, const Failure *failure) {
  napi_value message = text_out(env, failure->text, NAPI_AUTO_LENGTH), error = NULL;
  napi_create_error(env, NULL, message, &error);
  set(env, error, "code", number_out(env, failure->status));
  set(env, error, "causeCode", number_out(env, failure->cause));
  return error;
}

void note_failure(Failure *failure, ImageStatus status) {
  failure->status = status;
  if (status == IMAGE_OK) return;
  failure->cause = image_packer_last_error_cause();
  strncpy(failure->text, image_packer_last_error_message(), sizeof failure->text - 1);
}

bool passed(napi_env env, ImageStatus status) {
  Failure failure = {0};
  if (status == IMAGE_OK) return true;
  note_failure(&failure, status);
  napi_throw(env, error_of(env, &failure));
  return false;
}

bool no_memory(napi_env env) {
  Failure failure = {IMAGE_ERROR_FAILED, IMAGE_CAUSE_OUT_OF_MEMORY, "out of memory"};
  napi_throw(env, error_of(env, &failure));
  return false;
}

static bool wrong_type(napi_env env, const char *text) {
  napi_throw_type_error(env, NULL, text);
  return false;
}

bool arguments(napi_env env, napi_callback_info info, size_t wanted, napi_value *values) {
  size_t count = wanted;
  if (napi_get_cb_info(env, info, &count, values, NULL, NULL) == napi_ok && count >= wanted) return true;
  return wrong_type(env, "too few arguments");
}

bool is_null(napi_env env, napi_value value) {
  napi_valuetype type;
  return napi_typeof(env, value, &type) == napi_ok && (type == napi_null || type == napi_undefined);
}

bool handle_in(napi_env env, napi_value value, void **handle) {
  napi_valuetype type;
  if (napi_typeof(env, value, &type) == napi_ok && type == napi_external &&
      napi_get_value_external(env, value, handle) == napi_ok)
    return true;
  return wrong_type(env, "not an object of this module");
}

bool maybe_handle_in(napi_env env, napi_value value, void **handle) {
  *handle = NULL;
  return is_null(env, value) || handle_in(env, value, handle);
}

bool real_in(napi_env env, napi_value value, double *number) {
  return napi_get_value_double(env, value, number) == napi_ok || wrong_type(env, "expected a number");
}

bool integer_in(napi_env env, napi_value value, int64_t low, int64_t high, int64_t *number) {
  double real;
  if (!real_in(env, value, &real)) return false;
  /* Written so that a NaN fails. */
  if (!(real >= (double)low && real <= (double)high)) {
    napi_throw_range_error(env, NULL, "the number is out of range");
    return false;
  }
  *number = (int64_t)real;
  return true;
}

bool flag_in(napi_env env, napi_value value, bool *flag) {
  return napi_get_value_bool(env, value, flag) == napi_ok || wrong_type(env, "expected a boolean");
}

bool text_in(napi_env env, napi_value value, char **text) {
  size_t size;
  *text = NULL;
  if (is_null(env, value)) return true;
  if (napi_get_value_string_utf8(env, value, NULL, 0, &size) != napi_ok) return wrong_type(env, "expected a string");
  if ((*text = malloc(size + 1)) == NULL) return no_memory(env);
  napi_get_value_string_utf8(env, value, *text, size + 1, &size);
  if (strlen(*text) == size) return true;
  free(*text);
  *text = NULL;
  return wrong_type(env, "a string with a NUL in it");
}

bool bytes_in(napi_env env, napi_value value, void **bytes, size_t *size) {
  static const size_t widths[] = {1, 1, 1, 2, 2, 4, 4, 4, 8, 8, 8};
  napi_typedarray_type type;
  bool is;
  *bytes = NULL;
  *size = 0;
  if (is_null(env, value)) return true;
  if (napi_is_arraybuffer(env, value, &is) == napi_ok && is)
    return napi_get_arraybuffer_info(env, value, bytes, size) == napi_ok;
  if (napi_is_dataview(env, value, &is) == napi_ok && is)
    return napi_get_dataview_info(env, value, size, bytes, NULL, NULL) == napi_ok;
  if (napi_is_typedarray(env, value, &is) == napi_ok && is) {
    if (napi_get_typedarray_info(env, value, &type, size, bytes, NULL, NULL) != napi_ok) return false;
    *size *= (size_t)type < COUNT(widths) ? widths[type] : 1;
    return true;
  }
  return wrong_type(env, "expected an ArrayBuffer or a view of one");
}

napi_value number_out(napi_env env, double number) {
  napi_value value = NULL;
  napi_create_double(env, number, &value);
  return value;
}

napi_value text_out(napi_env env, const char *text, size_t size) {
  napi_value value = NULL;
  napi_create_string_utf8(env, text, size, &value);
  return value;
}

void set(napi_env env, napi_value object, const char *name, napi_value value) {
  if (value != NULL) napi_set_named_property(env, object, name, value);
}

napi_value handle_out(napi_env env, void *handle, napi_finalize drop) {
  napi_value value;
  if (napi_create_external(env, handle, drop, NULL, &value) == napi_ok) return value;
  drop(env, handle, NULL);
  return NULL;
}

static void free_bytes(napi_env env, void *bytes, void *hint) {
  (void)env, (void)hint;
  free(bytes);
}

napi_value bytes_out(napi_env env, ImageData *data) {
  napi_value buffer = NULL;
  uint8_t *bytes;
  size_t size;
  void *copy;
  if (image_data_take(data, &bytes, &size) != IMAGE_OK) return NULL;
  if (size > 0 && napi_create_external_arraybuffer(env, bytes, size, free_bytes, NULL, &buffer) == napi_ok)
    return buffer;
  if (napi_create_arraybuffer(env, size, &copy, &buffer) == napi_ok && size > 0) memcpy(copy, bytes, size);
  free(bytes);
  return buffer;
}
