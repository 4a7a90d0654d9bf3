/* A host with threads in the library forks: the child can pack, whatever the threads were doing. And what is idle has
 * no threads. */
#include "host.h"

#include <dirent.h>
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

static int threads_now(void) {
  int count = 0;
  DIR *tasks = opendir("/proc/self/task");
  if (tasks == NULL) return 1;
  for (struct dirent *entry; (entry = readdir(tasks)) != NULL;) count += entry->d_name[0] != '.';
  closedir(tasks);
  return count;
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
  CHECK(threads_now() == 1, "idle: %d threads", threads_now());
  ImagePixelMap *large = host_picture(1500, 1200);
  ImageData *data = NULL;
  NEED(image_packer_set_threads(packer, 4) == IMAGE_OK);
  for (size_t f = 0; f < formats; ++f) {
    CHECK(image_packer_pack_to_data(packer, large, options[f], &data) == IMAGE_OK, "four threads");
    image_data_release(data);
    /* A joined thread may still be on its way out of the kernel's list. */
    for (int wait = 0; wait < 200 && threads_now() > 1; ++wait) usleep(1000);
    CHECK(threads_now() == 1, "idle again: %d threads", threads_now());
  }
  image_pixelmap_release(large);

  for (int t = 0; t < 2; ++t) NEED(pthread_create(&threads[t], NULL, hammer, NULL) == 0);
  for (int round = 0; round < FORKS; ++round) {
    pid_t child = fork();
    NEED(child >= 0);
    if (child == 0) {
      alarm(20);
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
