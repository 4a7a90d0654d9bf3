/* Calls that take a while, on the threads of Node's pool. */

#include "addon.h"

static void execute(napi_env env, void *data) {
  Work *work = data;
  (void)env;
  note_failure(&work->failure, work->run(work));
}

static void complete(napi_env env, napi_status status, void *data) {
  Work *work = data;
  napi_value answer = NULL;
  if (status == napi_cancelled) {
    work->failure = (Failure){IMAGE_ERROR_CANCELLED, IMAGE_CAUSE_CANCELLED, "the process is ending"};
  } else if (work->failure.status == IMAGE_OK && (answer = work->answer(env, work)) == NULL) {
    work->failure = (Failure){IMAGE_ERROR_FAILED, IMAGE_CAUSE_OUT_OF_MEMORY, "no memory for the result"};
  }
  if (work->failure.status == IMAGE_OK)
    napi_resolve_deferred(env, work->deferred, answer);
  else
    napi_reject_deferred(env, work->deferred, error_of(env, &work->failure));
  napi_delete_reference(env, work->keeps);
  napi_delete_async_work(env, work->task);
  free(work->text);
  free(work);
}

napi_value begin(napi_env env, const Work *given, bool now, const napi_value *values, size_t count) {
  napi_value promise = NULL, kept, name;
  Work *work;
  if (now) {
    Work here = *given;
    napi_value answer = passed(env, here.run(&here)) ? here.answer(env, &here) : NULL;
    free(here.text);
    return answer;
  }
  if ((work = malloc(sizeof *work)) == NULL) {
    free(given->text);
    return no_memory(env), NULL;
  }
  *work = *given;
  napi_create_array(env, &kept);
  for (size_t index = 0; index < count; index++) napi_set_element(env, kept, (uint32_t)index, values[index]);
  name = text_out(env, "image_packer", NAPI_AUTO_LENGTH);
  if (napi_create_async_work(env, NULL, name, execute, complete, work, &work->task) != napi_ok) goto failed;
  if (napi_create_reference(env, kept, 1, &work->keeps) != napi_ok ||
      napi_create_promise(env, &work->deferred, &promise) != napi_ok ||
      napi_queue_async_work(env, work->task) != napi_ok) {
    napi_delete_async_work(env, work->task);
    goto failed;
  }
  return promise;
failed:
  free(work->text);
  free(work);
  return no_memory(env), NULL;
}
