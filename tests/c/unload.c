/* dlopen, use, dlclose, a thousand times, with threads that used the library and live on. The argument is the path of
 * the shared library. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <stdbool.h>
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
typedef int32_t (*PackAsync)(void *, const void *, const void *, void *, void *, void **);
typedef int32_t (*Wait)(const void *, int64_t);
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
  uint8_t pixels[16 * 16 * 3];
  void *packer = NULL, *map = NULL, *options = NULL, *data = NULL, *job = NULL;
  memset(pixels, 77, sizeof pixels);
  if ((__extension__(Create) symbol(handle, "image_packer_create"))(&packer) != 0 ||
      (__extension__(FromCopy) symbol(handle, "image_pixelmap_create_from_copy"))(16, 16, 5, pixels, sizeof pixels, 0,
                                                                                  &map) != 0 ||
      (__extension__(OptionsCreate) symbol(handle, "image_packing_options_create"))("image/jpeg", 80, &options) != 0 ||
      (__extension__(Pack) symbol(handle, "image_packer_pack_to_data"))(packer, map, options, &data) != 0) {
    fprintf(stderr, "pack: %s\n", (__extension__(Message) symbol(handle, "image_packer_last_error_message"))());
    exit(1);
  }
  (__extension__(Release) symbol(handle, "image_data_release"))(data);
  /* And in the background: the packer's end below waits for the thread of the job that was waited for. */
  if ((__extension__(PackAsync) symbol(handle, "image_packer_pack_to_data_async"))(packer, map, options, NULL, NULL,
                                                                                   &job) != 0 ||
      (__extension__(Wait) symbol(handle, "image_job_wait"))(job, -1) != 0) {
    fprintf(stderr, "job: %s\n", (__extension__(Message) symbol(handle, "image_packer_last_error_message"))());
    exit(1);
  }
  (__extension__(Release) symbol(handle, "image_job_release"))(job);
  /* A failure leaves a message in this thread. */
  if ((__extension__(Release) symbol(handle, "image_data_release"))(data) == 0) exit(1);
  (__extension__(Release) symbol(handle, "image_packing_options_release"))(options);
  (__extension__(Release) symbol(handle, "image_pixelmap_release"))(map);
  (__extension__(Release) symbol(handle, "image_packer_release"))(packer);
  return NULL;
}

static pthread_barrier_t used, closed;

static void *outlive(void *handle) {
  use(handle);
  pthread_barrier_wait(&used);
  pthread_barrier_wait(&closed);
  return NULL; /* thread-local data of a closed library are cleaned up here */
}

/* KiB that malloc has given out. Resident memory would say more about the allocator than about the library. */
static long in_use(void) {
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 33)
  struct mallinfo2 info = mallinfo2();
  return (long)((info.uordblks + info.hblkhd) / 1024);
#else
  return 0;
#endif
}

int main(int count, char **arguments) {
  long before = 0;
  int unloaded = 0;
  if (count < 2) return 1;
  library = arguments[1];
  pthread_barrier_init(&used, NULL, 2);
  pthread_barrier_init(&closed, NULL, 2);
  for (int round = 0; round < ROUNDS; ++round) {
    pthread_t thread;
    bool outlives = round % 2 == 1;
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL) {
      fprintf(stderr, "%s\n", dlerror());
      return 1;
    }
    if (pthread_create(&thread, NULL, outlives ? outlive : use, handle) != 0) return 1;
    if (outlives)
      pthread_barrier_wait(&used);
    else
      pthread_join(thread, NULL);
    if (dlclose(handle) != 0) return 1;
    if (outlives) {
      pthread_barrier_wait(&closed);
      pthread_join(thread, NULL);
    } else {
      void *still = dlopen(library, RTLD_NOW | RTLD_NOLOAD);
      unloaded += still == NULL;
      if (still != NULL) dlclose(still);
    }
    if (round == ROUNDS / 10) before = in_use();
  }
  long growth = in_use() - before;
  printf("%d rounds: unloaded %d times; %ld KiB more at the end than after a tenth of them\n", ROUNDS, unloaded,
         growth);
  return unloaded == ROUNDS / 2 && growth < 256 ? 0 : 1;
}
