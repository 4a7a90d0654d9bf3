/* Every allocation of a call fails in turn, once and from there on: an answer, no abort, nothing leaked, and the next
 * call works. For every format whose codec is ours, into memory and into a file, and for decoding.
 *
 * This program's malloc stands before the C library's, for the library and its codecs as well. */
#include "host.h"

#include <malloc.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

static volatile bool armed; /* counts and fails */
static long made;           /* allocations since it was armed */
static long fail_at;        /* the one that fails; 0: none */
static bool fail_for_good;  /* and all after it */
static size_t smallest;     /* smaller requests do not count */
static long alive;          /* blocks not freed, ever */

static bool refused(size_t size) {
  if (!armed || size < smallest) return false;
  long number = __atomic_add_fetch(&made, 1, __ATOMIC_RELAXED);
  return fail_at != 0 && (number == fail_at || (fail_for_good && number > fail_at));
}

static void *counted(void *block) {
  if (block != NULL) __atomic_add_fetch(&alive, 1, __ATOMIC_RELAXED);
  return block;
}

#define REFUSE(size) \
  if (refused(size)) return errno = ENOMEM, NULL

void *malloc(size_t size) {
  REFUSE(size);
  return counted(__libc_malloc(size));
}
void *calloc(size_t count, size_t size) {
  REFUSE(count * size);
  return counted(__libc_calloc(count, size));
}
void *realloc(void *block, size_t size) {
  REFUSE(size);
  void *moved = __libc_realloc(block, size);
  return block == NULL ? counted(moved) : moved;
}
void *memalign(size_t alignment, size_t size) {
  REFUSE(size);
  return counted(__libc_memalign(alignment, size));
}
void *aligned_alloc(size_t alignment, size_t size) {
  REFUSE(size);
  return counted(__libc_memalign(alignment, size));
}
int posix_memalign(void **block, size_t alignment, size_t size) {
  if (refused(size)) return ENOMEM;
  *block = counted(__libc_memalign(alignment, size));
  return *block == NULL ? ENOMEM : 0;
}
void free(void *block) {
  if (block != NULL) __atomic_sub_fetch(&alive, 1, __ATOMIC_RELAXED);
  __libc_free(block);
}

enum way { TO_DATA, TO_FILE, DECODE, TRANSCODE, WAYS };
static const char *const way_names[] = {"to data", "to file", "decode", "transcode"};

static ImagePacker *packer;
static ImagePixelMap *map;
static ImagePackingOptions *options;
static HostBytes image;
static int file;

/* What a child saw, in memory that it shares with the parent: it may die on the way. */
static struct result {
  long points, failed, succeeded, wrong, at;
  bool for_good;
  char why[200];
} *result;

static void wrong(const char *why, long number) {
  if (result->wrong++ == 0)
    snprintf(result->why, sizeof result->why, "%s (%ld) at %s %ld: %.100s", why, number,
             fail_for_good ? "from here on" : "once", fail_at, image_packer_last_error_message());
}

/* One call with the armed allocator. The status, and whether what it made is right. */
static ImageStatus one(enum way way) {
  ImageData *data = NULL;
  ImagePixelMap *decoded = NULL;
  ImageSource *source = NULL;
  ImageStatus status = IMAGE_OK;
  bool right = true;
  if (way == TO_FILE) NEED(ftruncate(file, 0) == 0 && lseek(file, 0, SEEK_SET) == 0);
  made = 0;
  armed = true;
  switch (way) {
    case TO_DATA:
      status = image_packer_pack_to_data(packer, map, options, &data);
      break;
    case TO_FILE:
      status = image_packer_pack_to_file(packer, map, file, options);
      break;
    default:
      status = image_source_create_from_copy(image.bytes, image.size, &source);
      if (status == IMAGE_OK)
        status = way == DECODE ? image_source_create_pixelmap(source, 0, &decoded)
                               : image_packer_pack_to_data_from_source(packer, source, options, &data);
  }
  armed = false;
  if (status == IMAGE_OK && way == TO_DATA)
    right = image_data_size(data) == image.size && memcmp(image_data_bytes(data), image.bytes, image.size) == 0;
  if (way == TO_FILE) {
    struct stat now;
    NEED(fstat(file, &now) == 0);
    right = (size_t)now.st_size == (status == IMAGE_OK ? image.size : 0);
  }
  if (status != IMAGE_OK && (data != NULL || decoded != NULL)) right = false;
  if (!right) wrong("status and output disagree", status);
  if (data != NULL) image_data_release(data);
  if (decoded != NULL) image_pixelmap_release(decoded);
  if (source != NULL) image_source_release(source);
  return status;
}

static void sweep(enum way way, size_t from_size) {
  smallest = from_size;
  fail_at = 0;
  for (int warm = 0; warm < 3; ++warm)
    if (one(way) != IMAGE_OK) wrong("fails without a fault", 0);
  for (int for_good = 0; for_good < 2; ++for_good) {
    for (long at = 1;; ++at) {
      long before = alive;
      fail_at = at;
      fail_for_good = for_good;
      result->at = at;
      result->for_good = for_good;
      ImageStatus status = one(way);
      bool reached = made >= at;
      if (reached) {
        ++result->points;
        status == IMAGE_OK ? ++result->succeeded : ++result->failed;
        if (status != IMAGE_OK && image_packer_last_error_cause() != IMAGE_CAUSE_OUT_OF_MEMORY)
          wrong("another cause than out of memory", image_packer_last_error_cause());
      }
      if (alive > before) wrong("blocks leaked", alive - before);
      fail_at = 0;
      if (reached && one(way) != IMAGE_OK) wrong("the next call fails", 0);
      if (!reached) break;
    }
  }
}

int main(void) {
  const uint32_t sizes[][2] = {{64, 48}, {700, 500}};
  char path[5000];
  const char *folder = host_folder();
  snprintf(path, sizeof path, "%s/image", folder);
  file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  NEED(file >= 0);
  result = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  NEED(result != MAP_FAILED && image_packer_create(&packer) == IMAGE_OK);
  for (size_t s = 0; s < sizeof sizes / sizeof *sizes; ++s) {
    map = host_picture(sizes[s][0], sizes[s][1]);
    /* A large picture has as many small allocations; there only the large buffers are made to fail. */
    size_t from_size = s == 0 ? 0 : 16384;
    for (size_t f = 0; image_packer_get_supported_format(f) != NULL; ++f) {
      const char *format = image_packer_get_supported_format(f);
      if (host_is_foreign(format)) {
        printf("%s: left out, its codec is the platform's\n", format);
        continue;
      }
      options = host_options(format);
      image = host_expected(packer, map, options);
      bool readable = host_can_decode(image);
      if (!readable) printf("%s: decoding left out, this build cannot\n", format);
      for (enum way way = TO_DATA; way < (readable ? WAYS : DECODE); ++way) {
        memset(result, 0, sizeof *result);
        fflush(NULL);
        pid_t child = fork();
        NEED(child >= 0);
        if (child == 0) {
          alarm(120);
          sweep(way, from_size);
          _exit(0);
        }
        int status = 0;
        NEED(waitpid(child, &status, 0) == child);
        printf("%s %ux%u %s: %ld points, %ld failed, %ld succeeded, %ld wrong\n", format, sizes[s][0], sizes[s][1],
               way_names[way], result->points, result->failed, result->succeeded, result->wrong);
        CHECK(WIFEXITED(status), "%s %s: ended with %#x at allocation %ld%s", format, way_names[way], (unsigned)status,
              result->at, result->for_good ? " and later" : "");
        CHECK(result->wrong == 0, "%s %s: %s", format, way_names[way], result->why);
        CHECK(s > 0 || result->points > 10, "%s %s: only %ld points", format, way_names[way], result->points);
        CHECK(s > 0 || way != TO_DATA || result->failed > 0, "nothing ever failed");
      }
      free(image.bytes);
      image_packing_options_release(options);
    }
    image_pixelmap_release(map);
  }
  image_packer_release(packer);
  close(file);
  unlink(path);
  rmdir(folder);
  return host_end("out of memory");
}
