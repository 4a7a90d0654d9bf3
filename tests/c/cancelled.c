/* A host cancels a thread of its own (pthread_cancel) that is in a call: the call ends as if nobody had, the thread
 * after it, and nothing is lost. */
#include "host.h"

#include <pthread.h>

static ImagePacker *packer;
static ImagePixelMap *map;
static ImagePackingOptions *options;
static int ends[2];
static volatile bool inside, cancelled;

/* The call waits here until the cancel has come, and passes cancellation points itself. */
static int32_t wait_for_cancel(void *user, uint32_t done) {
  (void)user, (void)done;
  inside = true;
  while (!cancelled) usleep(1000);
  pthread_testcancel();
  return 0;
}

static ImageStatus into_data(void) {
  ImageData *data = NULL;
  ImageStatus status = image_packer_pack_to_data(packer, map, options, &data);
  image_data_release(data);
  return status;
}

static ImageStatus into_path(void) { return image_packer_pack_to_path(packer, map, "cancelled.out", options); }

static ImageStatus into_pipe(void) { return image_packer_pack_to_file(packer, map, ends[1], options); }

static void *drain(void *unused) {
  static uint8_t bytes[1 << 16];
  while (read(ends[0], bytes, sizeof bytes) > 0) continue;
  return unused;
}

static ImageStatus by_job(void) {
  ImageJob *job = NULL;
  NEED(image_packer_pack_to_data_async(packer, map, options, NULL, NULL, &job) == IMAGE_OK);
  ImageStatus status = image_job_wait(job, -1);
  image_job_release(job);
  return status;
}

static volatile ImageStatus answer;

static void *call(void *function) {
  answer = -1;
  answer = (*(ImageStatus(**)(void))function)();
  pthread_testcancel();
  return NULL;
}

static void cancel_in(ImageStatus (*function)(void), const char *format, const char *what) {
  pthread_t thread;
  void *result = NULL;
  inside = cancelled = false;
  options = host_options(format);
  NEED(image_packing_options_set_progress(options, wait_for_cancel, NULL) == IMAGE_OK);
  NEED(pthread_create(&thread, NULL, call, &function) == 0);
  while (!inside) usleep(1000);
  NEED(pthread_cancel(thread) == 0);
  cancelled = true;
  NEED(pthread_join(thread, &result) == 0);
  CHECK(result == PTHREAD_CANCELED, "%s: the thread ends by the cancel", what);
  CHECK(answer == IMAGE_OK, "%s: after its call, which answers %d", what, answer);
  image_packing_options_release(options);
}

int main(void) {
  pthread_t reader;
  const char *folder = host_folder();
  NEED(chdir(folder) == 0 && pipe(ends) == 0 && pthread_create(&reader, NULL, drain, NULL) == 0);
  NEED(image_packer_create(&packer) == IMAGE_OK && image_packer_set_threads(packer, 3) == IMAGE_OK);
  map = host_picture(400, 1000);
  for (size_t f = 0; image_packer_get_supported_format(f) != NULL; ++f) {
    const char *format = image_packer_get_supported_format(f);
    cancel_in(into_data, format, format);
    cancel_in(into_path, format, format);
    cancel_in(into_pipe, format, format);
    cancel_in(by_job, format, format);
  }
  HostBytes written = host_file("cancelled.out");
  CHECK(host_can_decode(written), "the file is whole");
  free(written.bytes);
  CHECK(unlink("cancelled.out") == 0 && chdir("/") == 0 && rmdir(folder) == 0, "nothing else is left");
  close(ends[1]);
  NEED(pthread_join(reader, NULL) == 0);
  image_pixelmap_release(map);
  image_packer_release(packer);
  return host_end("cancelled");
}
