/* dlopen, use, dlclose, a thousand times, with threads that used the library and live on. The argument is the path of
 * the shared library. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 1000

typedef int32_t (*Create)(void **);
typedef int32_t (*Release)(void *);
typedef int32_t (*FromCopy)(uint32_t, uint32_t, int32_t, const void *, size_t, size_t, void **);
typedef int32_t (*OptionsCreate)(const char *, int32_t, void **);
typedef int32_t (*Pack)(void *, const void *, const void *, void **);
typedef const char *(*Message)(void);

static const char *library;

static void *symbol(void *handle, const char *name) {
  void *found = dlsym(handle, name);
  if (found == NULL) {
    fprintf(stderr, "%s: %s\n", name, dlerror());
    exit(1);
  }
  return found;
}

static void *use(void *handle) {
  uint8_t pixels[16 * 16 * 4];
  void *packer = NULL, *map = NULL, *options = NULL, *data = NULL;
  memset(pixels, 77, sizeof pixels);
  if (((Create)symbol(handle, "image_packer_create"))(&packer) != 0 ||
      ((FromCopy)symbol(handle, "image_pixelmap_create_from_copy"))(16, 16, 3, pixels, sizeof pixels, 0, &map) != 0 ||
      ((OptionsCreate)symbol(handle, "image_packing_options_create"))("image/jpeg", 80, &options) != 0 ||
      ((Pack)symbol(handle, "image_packer_pack_to_data"))(packer, map, options, &data) != 0) {
    fprintf(stderr, "pack: %s\n", ((Message)symbol(handle, "image_packer_last_error_message"))());
    exit(1);
  }
  ((Release)symbol(handle, "image_data_release"))(data);
  /* A failure leaves a message in this thread. */
  if (((Release)symbol(handle, "image_data_release"))(data) == 0) exit(1);
  ((Release)symbol(handle, "image_packing_options_release"))(options);
  ((Release)symbol(handle, "image_pixelmap_release"))(map);
  ((Release)symbol(handle, "image_packer_release"))(packer);
  return NULL;
}

static pthread_barrier_t used, closed;

static void *outlive(void *handle) {
  use(handle);
  pthread_barrier_wait(&used);
  pthread_barrier_wait(&closed);
  return NULL; /* thread-local data of a closed library are cleaned up here */
}

static long resident(void) {
  long total = 0, pages = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  if (file == NULL || fscanf(file, "%ld %ld", &total, &pages) != 2) pages = 0;
  if (file != NULL) fclose(file);
  return pages * 4;
}

int main(int count, char **arguments) {
  long before = 0;
  if (count < 2) return 1;
  library = arguments[1];
  pthread_barrier_init(&used, NULL, 2);
  pthread_barrier_init(&closed, NULL, 2);
  for (int round = 0; round < ROUNDS; ++round) {
    pthread_t thread;
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL) {
      fprintf(stderr, "%s\n", dlerror());
      return 1;
    }
    if (pthread_create(&thread, NULL, outlive, handle) != 0) return 1;
    pthread_barrier_wait(&used);
    if (round % 2 == 0) use(handle);
    if (dlclose(handle) != 0) return 1;
    pthread_barrier_wait(&closed);
    pthread_join(thread, NULL);
    if (round == ROUNDS / 10) before = resident();
  }
  long growth = resident() - before;
  void *still = dlopen(library, RTLD_NOW | RTLD_NOLOAD);
  printf("%d rounds, %ld KiB more at the end than after a tenth of them, %s at the end\n", ROUNDS, growth,
         still ? "still loaded" : "unloaded");
  return growth < 1024 ? 0 : 1;
}
