/* Every format from threads with 64 KiB and 128 KiB of stack, and from a coroutine on a stack of its own. */
#include "host.h"

#include <pthread.h>
#include <sys/mman.h>
#include <ucontext.h>

static ImagePacker *packer;
static ImagePixelMap *map;
static ImagePackingOptions *options;
static HostBytes image;
static int file;
static bool done;

static int32_t take(void *user, const uint8_t *bytes, size_t size) {
  (void)bytes;
  *(size_t *)user += size;
  return 0;
}

static void *all_ways(void *name) {
  const char *what = name;
  ImageData *data = NULL;
  ImageSource *source = NULL;
  ImagePixelMap *decoded = NULL;
  size_t taken = 0;
  CHECK(image_packer_pack_to_data(packer, map, options, &data) == IMAGE_OK, "%s: to data", what);
  CHECK(image_data_size(data) == image.size && memcmp(image_data_bytes(data), image.bytes, image.size) == 0,
        "%s: the same bytes", what);
  NEED(lseek(file, 0, SEEK_SET) == 0);
  CHECK(image_packer_pack_to_file(packer, map, file, options) == IMAGE_OK, "%s: to file", what);
  CHECK(image_packer_pack_to_writer(packer, map, take, &taken, options) == IMAGE_OK && taken == image.size,
        "%s: to writer", what);
  image_data_release(data);
  done = true;
  if (!host_can_decode(image)) return NULL;
  NEED(image_source_create_from_copy(image.bytes, image.size, &source) == IMAGE_OK);
  CHECK(image_source_create_pixelmap(source, 0, &decoded) == IMAGE_OK, "%s: decode", what);
  data = NULL;
  CHECK(image_packer_pack_to_data_from_source(packer, source, options, &data) == IMAGE_OK, "%s: transcode", what);
  image_data_release(data);
  image_pixelmap_release(decoded);
  image_source_release(source);
  return NULL;
}

static ucontext_t outside, inside;
static void coroutine(void) { all_ways("coroutine"); }

int main(void) {
  char path[5000];
  const char *folder = host_folder();
  snprintf(path, sizeof path, "%s/image", folder);
  file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  NEED(file >= 0 && image_packer_create(&packer) == IMAGE_OK);
  map = host_picture(640, 480);
  for (size_t f = 0; image_packer_get_supported_format(f) != NULL; ++f) {
    const char *format = image_packer_get_supported_format(f);
    options = host_options(format);
    image = host_expected(packer, map, options);
    for (size_t kib = 32; kib <= 1024; kib *= 2) {
      if (kib > 128 && host_is_foreign(format)) break; /* slow, and nothing new */
      pthread_attr_t attributes;
      pthread_t thread;
      char what[100];
      snprintf(what, sizeof what, "%s on %zu KiB", format, kib);
      NEED(pthread_attr_init(&attributes) == 0 && pthread_attr_setstacksize(&attributes, kib << 10) == 0);
      done = false;
      NEED(pthread_create(&thread, &attributes, all_ways, what) == 0);
      pthread_join(thread, NULL);
      CHECK(done, "%s", what);
      pthread_attr_destroy(&attributes);
    }
    size_t size = 64 << 10;
    char *stack = mmap(NULL, size + 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    NEED(stack != MAP_FAILED && mprotect(stack + 4096, size, PROT_READ | PROT_WRITE) == 0);
    NEED(getcontext(&inside) == 0);
    inside.uc_stack.ss_sp = stack + 4096;
    inside.uc_stack.ss_size = size;
    inside.uc_link = &outside;
    makecontext(&inside, coroutine, 0);
    done = false;
    NEED(swapcontext(&outside, &inside) == 0);
    CHECK(done, "%s in a coroutine", format);
    munmap(stack, size + 8192);
    free(image.bytes);
    image_packing_options_release(options);
  }
  image_pixelmap_release(map);
  image_packer_release(packer);
  close(file);
  unlink(path);
  rmdir(folder);
  return host_end("small stacks");
}
