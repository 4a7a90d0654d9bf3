/*
 * The library for Node.js, through Node-API alone: lib/ makes the public interface of these functions.
 *
 * Handles of the library travel as externals; the garbage collector releases them, and so may release(), since a second
 * release of a handle is harmless. Whatever encodes or decodes runs on the library's threads (packs.c, batches.c) or on
 * Node's pool (work.c), never on JavaScript's thread unless it was asked to.
 */
#ifndef ADDON_H
#define ADDON_H

#define NAPI_VERSION 8
#include <image_packer.h>
#include <node_api.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- errors: an Error whose `code` is the status; its text is the library's ---- */

typedef struct {
  ImageStatus status;
  ImageErrorCause cause;
  char text[512];
} Failure;

napi_value error_of(napi_env env, const Failure *failure);
/* Notes this thread's last error, if `status` is one. */
void note_failure(Failure *failure, ImageStatus status);
/* Throws this thread's last error unless `status` is IMAGE_OK. */
bool passed(napi_env env, ImageStatus status);
bool no_memory(napi_env env);

/* ---- arguments: a wrong type throws a TypeError, and the caller returns ---- */

bool arguments(napi_env env, napi_callback_info info, size_t wanted, napi_value *values);
bool handle_in(napi_env env, napi_value value, void **handle);
/* `null` is NULL. */
bool maybe_handle_in(napi_env env, napi_value value, void **handle);
bool integer_in(napi_env env, napi_value value, int64_t low, int64_t high, int64_t *number);
bool real_in(napi_env env, napi_value value, double *number);
bool flag_in(napi_env env, napi_value value, bool *flag);
/* A copy with malloc(); false if an exception is pending. `null` is NULL. */
bool text_in(napi_env env, napi_value value, char **text);
/* An ArrayBuffer or a view of one. `null` is NULL and 0. */
bool bytes_in(napi_env env, napi_value value, void **bytes, size_t *size);
bool is_null(napi_env env, napi_value value);

/* ---- answers ---- */

napi_value handle_out(napi_env env, void *handle, napi_finalize drop);
napi_value pixelmap_out(napi_env env, ImagePixelMap *pixelmap);
napi_value picture_out(napi_env env, ImagePicture *picture);
napi_value number_out(napi_env env, double number);
napi_value text_out(napi_env env, const char *text, size_t size);
/* The bytes as an ArrayBuffer: the library's own memory where the runtime allows it. Releases `data`; NULL without
 * memory. */
napi_value bytes_out(napi_env env, ImageData *data);
void set(napi_env env, napi_value object, const char *name, napi_value value);

/* ---- calls that take a while ---- */

/* A call of the library. `run` is called on any thread, `answer` on JavaScript's if that went well. */
typedef struct Work Work;
struct Work {
  ImageStatus (*run)(Work *work);
  napi_value (*answer)(napi_env env, Work *work);
  void *first, *second;
  int64_t numbers[4];
  double real;
  char *text;
  void *out;
  /* Its own business. */
  Failure failure;
  napi_deferred deferred;
  napi_async_work task;
  napi_ref keeps;
};

/* A promise of what `work` answers, or the answer itself if `now`. `values` are kept alive until then; takes
 * work->text. */
napi_value begin(napi_env env, const Work *work, bool now, const napi_value *values, size_t count);

/* ---- from the library's threads to a function of JavaScript ---- */

typedef struct Line Line;

/* A line for so many messages; `deliver` gets each on JavaScript's thread. NULL if an exception is pending. */
Line *line_open(napi_env env, napi_value function, napi_threadsafe_function_call_js deliver, size_t messages);
/* From any thread; the last message ends the line. False if JavaScript is gone: the message stays the caller's. */
bool line_send(Line *line, void *message);
/* On JavaScript's thread, for a line that nothing was sent through. */
void line_abandon(Line *line);

/* ---- the functions, file by file ---- */

typedef struct {
  const char *name;
  napi_callback function;
} Function;
#define FUNCTION(name) \
  { #name, name }

typedef enum { PIXELMAP, SOURCE, PICTURE, SEQUENCE, SOURCE_SEQUENCE } Kind;

extern const Function pixel_functions[], source_functions[], picture_functions[], option_functions[],
    report_functions[], pack_functions[], batch_functions[], sequence_functions[];

/* What `report` holds as an object. */
napi_value report_out(napi_env env, ImageReport *report);

#endif
