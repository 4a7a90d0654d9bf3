/*
 * The way from the library's threads to JavaScript's. Node destroys a thread-safe function with the runtime it belongs
 * to (a worker's, say), whoever may still have a share of it; so a line knows, under a lock, whether there still is
 * one.
 */

#include "addon.h"
#include <pthread.h>

struct Line {
  pthread_mutex_t lock;
  napi_threadsafe_function call;
  bool closed;
  size_t messages; /* that are still to come */
  size_t users;    /* those who send them, as one, and the runtime */
};

/* With the lock, which it gives back. */
static void leave(Line *line) {
  bool last = --line->users == 0;
  pthread_mutex_unlock(&line->lock);
  if (!last) return;
  pthread_mutex_destroy(&line->lock);
  free(line);
}

/* On JavaScript's thread, before the runtime destroys its thread-safe functions. */
static void close_line(void *data) {
  Line *line = data;
  pthread_mutex_lock(&line->lock);
  line->closed = true;
  pthread_mutex_unlock(&line->lock);
}

/* The runtime is done with the line. */
static void finalize(napi_env env, void *data, void *hint) {
  Line *line = data;
  (void)hint;
  napi_remove_env_cleanup_hook(env, close_line, line);
  pthread_mutex_lock(&line->lock);
  line->closed = true;
  leave(line);
}

Line *line_open(napi_env env, napi_value function, napi_threadsafe_function_call_js deliver, size_t messages) {
  Line *line = calloc(1, sizeof *line);
  if (line == NULL || pthread_mutex_init(&line->lock, NULL) != 0) {
    free(line);
    return no_memory(env), NULL;
  }
  line->messages = messages;
  line->users = 2;
  if (napi_create_threadsafe_function(env, function, NULL, text_out(env, "image_packer", NAPI_AUTO_LENGTH), 0, 1, line,
                                      finalize, NULL, deliver, &line->call) != napi_ok) {
    napi_throw_type_error(env, NULL, "expected a function");
    pthread_mutex_destroy(&line->lock);
    free(line);
    return NULL;
  }
  /* Hooks run in the opposite order: this one before the function's own. */
  napi_add_env_cleanup_hook(env, close_line, line);
  return line;
}

bool line_send(Line *line, void *message) {
  bool sent;
  pthread_mutex_lock(&line->lock);
  sent = !line->closed && napi_call_threadsafe_function(line->call, message, napi_tsfn_blocking) == napi_ok;
  if (--line->messages > 0) {
    pthread_mutex_unlock(&line->lock);
  } else {
    if (!line->closed) napi_release_threadsafe_function(line->call, napi_tsfn_release);
    leave(line);
  }
  return sent;
}

void line_abandon(Line *line) {
  pthread_mutex_lock(&line->lock);
  napi_release_threadsafe_function(line->call, napi_tsfn_abort);
  leave(line);
}
