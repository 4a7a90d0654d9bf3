/* 32 threads share a packer, pixel maps, options and a source, each packs in every format that is not the platform's:
 * every image has the bytes that one thread alone would have made, and errors stay with the thread that met them. */
#include "host.h"

#include <pthread.h>

enum { THREADS = 32, ROUNDS = 4, MOST_FORMATS = 16 };

static ImagePacker *packer;
static ImagePixelMap *map;
static ImageSource *source;
static ImagePackingOptions *options[MOST_FORMATS];
static HostBytes expected[MOST_FORMATS], from_source[MOST_FORMATS];
static size_t formats;
static pthread_barrier_t start;

static int same(ImageStatus status, ImageData **data, HostBytes want) {
  int ok = status == IMAGE_OK && image_data_size(*data) == want.size &&
           memcmp(image_data_bytes(*data), want.bytes, want.size) == 0;
  image_data_release(*data);
  *data = NULL;
  return ok;
}

static void *work(void *user) {
  size_t number = (size_t)user;
  size_t wrong = 0;
  char want[64];
  snprintf(want, sizeof want, "%zu", number + 200);
  pthread_barrier_wait(&start);
  for (int round = 0; round < ROUNDS; ++round) {
    for (size_t i = 0; i < formats; ++i) {
      size_t format = (i + number) % formats;
      ImageData *data = NULL;
      wrong += !same(image_packer_pack_to_data(packer, map, options[format], &data), &data, expected[format]);
      wrong += !same(image_packer_pack_to_data_from_source(packer, source, options[format], &data), &data,
                     from_source[format]);
      /* This thread's mistake has this thread's number in its message, whatever the others do. */
      ImagePackingOptions *bad = NULL;
      wrong += image_packing_options_create("image/jpeg", (int32_t)number + 200, &bad) != 401;
      wrong += strstr(image_packer_last_error_message(), want) == NULL;
    }
  }
  return (void *)wrong;
}

int main(void) {
  NEED(image_packer_create(&packer) == IMAGE_OK);
  map = host_picture(96, 64);
  for (size_t i = 0; image_packer_get_supported_format(i) && formats < MOST_FORMATS; ++i) {
    const char *format = image_packer_get_supported_format(i);
    if (!host_is_foreign(format)) options[formats++] = host_options(format);
  }
  for (size_t i = 0; i < formats; ++i) expected[i] = host_expected(packer, map, options[i]);
  NEED(image_source_create_from_copy(expected[0].bytes, expected[0].size, &source) == IMAGE_OK);
  for (size_t i = 0; i < formats; ++i) {
    ImageData *data = NULL;
    NEED(image_packer_pack_to_data_from_source(packer, source, options[i], &data) == IMAGE_OK);
    NEED(image_data_take(data, &from_source[i].bytes, &from_source[i].size) == IMAGE_OK);
  }

  pthread_t threads[THREADS];
  NEED(pthread_barrier_init(&start, NULL, THREADS) == 0);
  for (size_t i = 0; i < THREADS; ++i) NEED(pthread_create(&threads[i], NULL, work, (void *)i) == 0);
  for (size_t i = 0; i < THREADS; ++i) {
    void *wrong = NULL;
    NEED(pthread_join(threads[i], &wrong) == 0);
    CHECK(wrong == NULL, "thread %zu: %zu answers differ", i, (size_t)wrong);
  }
  printf("%d threads, %zu formats, %d rounds\n", THREADS, formats, ROUNDS);

  for (size_t i = 0; i < formats; ++i) {
    free(expected[i].bytes);
    free(from_source[i].bytes);
    image_packing_options_release(options[i]);
  }
  image_source_release(source);
  image_pixelmap_release(map);
  image_packer_release(packer);
  pthread_barrier_destroy(&start);
  return host_end("threads");
}
