/* A host with threads in the library forks: the child can pack, whatever the threads were doing. And what is idle has
 * no threads. */
#include "host.h"

#include <pthread.h>

#define FORKS 2000

static ImagePacker *packer;
static ImagePixelMap *map;
static ImagePackingOptions *options[64];
static HostBytes images[64];
static size_t formats;
static volatile bool stop;

static bool right(size_t format) {
  ImageData *data = NULL;
  if (image_packer_pack_to_data(packer, map, options[format], &data) != IMAGE_OK) return false;
  bool same = image_data_size(data) == images[format].size &&
              memcmp(image_data_bytes(data), images[format].bytes, images[format].size) == 0;
  image_data_release(data);
  return same;
}

/* All that takes locks anywhere: handles, options, errors, threads. */
static void *hammer(void *unused) {
  size_t format = 0;
  while (!stop) {
    ImagePixelMap *dot = host_picture(2, 2);
    ImagePackingOptions *copy = NULL;
    right(format++ % formats);
    if (image_packing_options_create("image/nothing", 1, &copy) == IMAGE_OK) exit(1); /* a message in this thread */
    image_pixelmap_release(dot);
    image_pixelmap_release(dot);
  }
  return unused;
}

static int called; /* tells the one who forks that a thread is in the callback; a byte back lets it go on */
static int go_on[2];
static HostBytes encoded;

static int32_t slow_read(void *user, uint64_t offset, uint8_t *buffer, size_t capacity, size_t *size) {
  char byte;
  if (*(bool *)user) NEED(write(called, "", 1) == 1 && read(go_on[0], &byte, 1) == 1);
  *size = offset < encoded.size ? encoded.size - (size_t)offset : 0;
  if (*size > capacity) *size = capacity;
  memcpy(buffer, encoded.bytes + offset, *size);
  return 0;
}

static void *decode(void *source) {
  ImagePixelMap *decoded = NULL;
  CHECK(image_source_create_pixelmap(source, 0, &decoded) == IMAGE_OK, "the parent's read goes on");
  image_pixelmap_release(decoded);
  return NULL;
}

/* The child reads the source from which a thread of the parent is reading. */
static void in_a_callback(void) {
  ImageSource *source = NULL;
  ImagePixelMap *decoded = NULL;
  pthread_t thread;
  bool slow = false;
  int calls[2], status = 0;
  char byte;
  NEED(pipe(calls) == 0 && pipe(go_on) == 0);
  called = calls[1];
  encoded = images[0];
  NEED(image_source_create_from_reader(slow_read, NULL, &slow, &source) == IMAGE_OK);
  slow = true;
  NEED(pthread_create(&thread, NULL, decode, source) == 0 && read(calls[0], &byte, 1) == 1);
  slow = false;
  pid_t child = fork();
  NEED(child >= 0);
  if (child == 0) {
    alarm(60);
    _exit(image_source_create_pixelmap(source, 0, &decoded) == IMAGE_OK ? 0 : 1);
  }
  NEED(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "a child reads what its parent is reading: %d", status);
  NEED(write(go_on[1], "", 1) == 1 && pthread_join(thread, NULL) == 0);
  image_source_release(source);
}

int main(void) {
  pthread_t threads[2];
  int hung = 0, failed = 0;
  NEED(image_packer_create(&packer) == IMAGE_OK);
  map = host_picture(40, 30);
  for (size_t f = 0; image_packer_get_supported_format(f) != NULL && formats < 64; ++f) {
    if (host_is_foreign(image_packer_get_supported_format(f))) continue; /* their libraries have locks of their own */
    options[formats] = host_options(image_packer_get_supported_format(f));
    images[formats] = host_expected(packer, map, options[formats]);
    ++formats;
  }
  CHECK(host_is_alone(), "idle: %d threads", host_threads());
  ImagePixelMap *large = host_picture(1500, 1200);
  ImageData *data = NULL;
  NEED(image_packer_set_threads(packer, 4) == IMAGE_OK);
  for (size_t f = 0; f < formats; ++f) {
    CHECK(image_packer_pack_to_data(packer, large, options[f], &data) == IMAGE_OK, "four threads");
    image_data_release(data);
    CHECK(host_is_alone(), "idle again: %d threads", host_threads());
  }
  image_pixelmap_release(large);
  in_a_callback();

  for (int t = 0; t < 2; ++t) NEED(pthread_create(&threads[t], NULL, hammer, NULL) == 0);
  for (int round = 0; round < FORKS; ++round) {
    pid_t child = fork();
    NEED(child >= 0);
    if (child == 0) {
      alarm(60);
      _exit(right((size_t)round % formats) ? 0 : 1);
    }
    int status = 0;
    NEED(waitpid(child, &status, 0) == child);
    hung += WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM;
    failed += !(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    if (failed > 3) break;
  }
  stop = true;
  for (int t = 0; t < 2; ++t) pthread_join(threads[t], NULL);
  printf("%d forks: %d hung, %d failed\n", FORKS, hung, failed);
  CHECK(hung == 0, "%d children hung", hung);
  CHECK(failed == 0, "%d children failed", failed);
  for (size_t f = 0; f < formats; ++f) {
    free(images[f].bytes);
    image_packing_options_release(options[f]);
  }
  image_pixelmap_release(map);
  image_packer_release(packer);
  return host_end("fork");
}
