/* Every allocation of a call fails in turn, once and from there on: an answer, no abort, nothing leaked, and the next
 * call works. For every format whose codec is ours, into memory and into a file, for decoding, and for animations.
 *
 * This program's malloc stands before the C library's, for the library and its codecs as well. */
#include "host.h"

#include <dirent.h>
#include <malloc.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>

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

enum way { TO_DATA, TO_FILE, DECODE, TRANSCODE, FRAMES, STREAM, REANIMATE, WAYS };
static const char *const way_names[] = {"to data", "to file", "decode", "transcode", "frames", "stream", "reanimate"};

static ImagePacker *packer;
static ImagePixelMap *map;
static ImagePackingOptions *options;
static ImagePixelMap *maps[3]; /* of an animation */
static ImageSequenceOptions *animation;
static HostBytes image;
static size_t frame; /* that is decoded */
static int file;

/* What a child saw, in memory that it shares with the parent: it may die on the way. */
static struct result {
  long points, failed, succeeded, wrong, at;
  bool for_good;
  char why[200];
} * result;

static ImageErrorCause cause; /* of the last call: its thread may be gone */
static char message[200];
static bool cold; /* every call on a thread of its own, which has not been here before */

static void wrong(const char *why, long number) {
  if (result->wrong++ == 0)
    snprintf(result->why, sizeof result->why, "%s (%ld) at %s %ld: %.100s", why, number,
             fail_for_good ? "from here on" : "once", fail_at, message);
}

/* Decodes; NULL when it cannot. */
static uint8_t *pixels_of(const void *bytes, size_t size, size_t *count) {
  ImageSource *source = NULL;
  ImagePixelMap *decoded = NULL;
  uint32_t width = 0, height = 0;
  uint8_t *pixels = NULL;
  if (image_source_create_from_copy(bytes, size, &source) != IMAGE_OK) return NULL;
  if (image_source_create_pixelmap(source, 0, &decoded) == IMAGE_OK &&
      image_pixelmap_get_size(decoded, &width, &height) == IMAGE_OK) {
    *count = (size_t)width * height * 8; /* more than any of these formats needs */
    pixels = calloc(1, *count);
    if (pixels != NULL && image_pixelmap_read_pixels(decoded, pixels, *count, 0) != IMAGE_OK) {
      free(pixels);
      pixels = NULL;
    }
  }
  if (decoded != NULL) image_pixelmap_release(decoded);
  image_source_release(source);
  return pixels;
}

static size_t frames_of(const void *bytes, size_t size) {
  ImageSource *source = NULL;
  size_t frames = 0;
  if (image_source_create_from_copy(bytes, size, &source) != IMAGE_OK) return 0;
  image_source_get_frame_count(source, &frames);
  image_source_release(source);
  return frames;
}

/* Three frames, one by one. */
static ImageStatus stream(ImageData **data) {
  ImageSequence *sequence = NULL;
  ImageStatus status = image_sequence_begin(packer, animation, &sequence);
  if (status != IMAGE_OK) return status;
  for (int i = 0; i < 3 && status == IMAGE_OK; ++i) status = image_sequence_add_frame(sequence, maps[i], 0, -1);
  if (status == IMAGE_OK) status = image_sequence_finish(sequence, data);
  armed = false;
  image_sequence_release(sequence); /* leaves the last error as it is */
  return status;
}

/* A codec may find a way round a failed allocation, to other bytes; never to another image. */
static bool same_image(const void *bytes, size_t size) {
  size_t count = 0, expected_count = 0;
  if (size == image.size && memcmp(bytes, image.bytes, size) == 0) return true;
  if (!host_can_decode(image)) return true; /* nothing to tell it by */
  uint8_t *pixels = pixels_of(bytes, size, &count), *expected = pixels_of(image.bytes, image.size, &expected_count);
  bool same = pixels != NULL && expected != NULL && count == expected_count && memcmp(pixels, expected, count) == 0;
  free(pixels);
  free(expected);
  return same;
}

/* One call with the armed allocator: the status; complains if what it made is not right. */
static ImageStatus call(enum way way) {
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
    case FRAMES:
      status = image_packer_pack_to_data_from_sequence(packer, maps, 3, animation, &data);
      break;
    case STREAM:
      status = stream(&data);
      break;
    default:
      status = image_source_create_from_copy(image.bytes, image.size, &source);
      if (status == IMAGE_OK)
        status = way == DECODE      ? image_source_create_pixelmap(source, frame, &decoded)
                 : way == REANIMATE ? image_packer_pack_to_data_from_source_sequence(packer, source, animation, &data)
                                    : image_packer_pack_to_data_from_source(packer, source, options, &data);
  }
  armed = false;
  cause = image_packer_last_error_cause();
  snprintf(message, sizeof message, "%s", status == IMAGE_OK ? "" : image_packer_last_error_message());
  if (status == IMAGE_OK && way == TO_DATA) right = same_image(image_data_bytes(data), image_data_size(data));
  if (status == IMAGE_OK && way >= FRAMES) right = frames_of(image_data_bytes(data), image_data_size(data)) == 3;
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

struct thread_call {
  enum way way;
  ImageStatus status;
};

static void *call_there(void *argument) {
  struct thread_call *there = argument;
  there->status = call(there->way);
  return NULL;
}

static ImageStatus one(enum way way) {
  struct thread_call there = {way, IMAGE_OK};
  pthread_t thread;
  if (!cold) return call(way);
  NEED(pthread_create(&thread, NULL, call_there, &there) == 0);
  pthread_join(thread, NULL);
  return there.status;
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
        if (status != IMAGE_OK && cause != IMAGE_CAUSE_OUT_OF_MEMORY) wrong("another cause than out of memory", cause);
      }
      if (alive > before) wrong("blocks leaked", alive - before);
      fail_at = 0;
      if (reached && one(way) != IMAGE_OK) wrong("the next call fails", 0);
      if (!reached) break;
    }
  }
}

/* Real shortage: the address space ends a little above what is in use, a little higher each time. */
static void squeeze(enum way way) {
  smallest = (size_t)-1;
  for (int step = 0; step < 40; ++step) {
    pid_t child = fork();
    NEED(child >= 0);
    if (child == 0) {
      long pages = 0;
      FILE *statm = fopen("/proc/self/statm", "r");
      NEED(statm != NULL && fscanf(statm, "%ld", &pages) == 1);
      fclose(statm);
      rlim_t room = (rlim_t)step * 128 * 1024;
      struct rlimit limit = {(rlim_t)pages * 4096 + room, RLIM_INFINITY}, none = {RLIM_INFINITY, RLIM_INFINITY};
      alarm(60);
      result->at = step;
      NEED(setrlimit(RLIMIT_AS, &limit) == 0);
      ImageStatus status = one(way);
      NEED(setrlimit(RLIMIT_AS, &none) == 0);
      ++result->points;
      status == IMAGE_OK ? ++result->succeeded : ++result->failed;
      if (status != IMAGE_OK && cause != IMAGE_CAUSE_OUT_OF_MEMORY) wrong("another cause than out of memory", cause);
      if (one(way) != IMAGE_OK) wrong("the next call fails", 0);
      _exit(0);
    }
    int status = 0;
    NEED(waitpid(child, &status, 0) == child);
    if (!WIFEXITED(status)) wrong("ended by a signal", WTERMSIG(status));
  }
}

/* Runs a sweep in a child, which may die of it. */
static void sweep_apart(enum way way, size_t from_size, const char *what, bool by_limit) {
  memset(result, 0, sizeof *result);
  fflush(NULL);
  pid_t child = fork();
  NEED(child >= 0);
  if (child == 0) {
    alarm(250);
    by_limit ? squeeze(way) : sweep(way, from_size);
    _exit(0);
  }
  int status = 0;
  NEED(waitpid(child, &status, 0) == child);
  printf("%s, %s: %ld points, %ld failed, %ld succeeded, %ld wrong\n", what, way_names[way], result->points,
         result->failed, result->succeeded, result->wrong);
  CHECK(WIFEXITED(status), "%s, %s: ended with %#x at allocation %ld%s", what, way_names[way], (unsigned)status,
        result->at, result->for_good ? " and later" : "");
  CHECK(result->wrong == 0, "%s, %s: %s", what, way_names[way], result->why);
  CHECK(from_size > 0 || result->points > 10, "%s, %s: only %ld points", what, way_names[way], result->points);
  CHECK(from_size > 0 || way != TO_DATA || result->failed > 0, "%s: nothing ever failed", what);
}

static void format(const char *name) {
  char what[100];
  ImagePixelMap *small = host_picture(64, 48), *large = host_picture(320, 240);
  if (host_is_foreign(name)) {
    printf("%s: left out, its codec is the platform's\n", name);
    return;
  }
  options = host_options(name);
  for (int effort = 1; effort <= 10; effort += effort == 1 ? 4 : 5) {
    bool lossless = effort == 5 && (image_packer_get_format_features(name) & IMAGE_FORMAT_LOSSLESS) != 0 &&
                    strcmp(name, "image/gif") != 0; /* these pictures have more than 256 colours */
    NEED(image_packing_options_set_effort(options, effort) == IMAGE_OK);
    NEED(image_packing_options_set_lossless(options, lossless) == IMAGE_OK);
    map = small;
    image = host_expected(packer, map, options);
    snprintf(what, sizeof what, "%s effort %d%s", name, effort, lossless ? " lossless" : "");
    sweep_apart(TO_DATA, 0, what, false);
    if (effort == 1) {
      char fresh[150];
      snprintf(fresh, sizeof fresh, "%s, each on a new thread", what);
      cold = true;
      sweep_apart(TO_DATA, 0, fresh, false);
      if (host_can_decode(image)) sweep_apart(TRANSCODE, 0, fresh, false);
      cold = false;
      sweep_apart(TO_FILE, 0, what, false);
      if (host_can_decode(image)) {
        sweep_apart(DECODE, 0, what, false);
        sweep_apart(TRANSCODE, 0, what, false);
      } else {
        printf("%s: decoding left out, this build cannot\n", name);
      }
    }
    free(image.bytes);
    if (effort == 10) continue;
    /* A large picture has as many small allocations; here only the large buffers are made to fail. */
    map = large;
    image = host_expected(packer, map, options);
    snprintf(what, sizeof what, "%s effort %d%s, large buffers", name, effort, lossless ? " lossless" : "");
    sweep_apart(TO_DATA, 16384, what, false);
    if (effort == 1) {
      if (host_can_decode(image)) sweep_apart(TRANSCODE, 16384, what, false);
      snprintf(what, sizeof what, "%s, limited address space", name);
      sweep_apart(TO_DATA, 1, what, true);
      if (host_can_decode(image)) sweep_apart(TRANSCODE, 1, what, true);
    }
    free(image.bytes);
  }
  image_packing_options_release(options);
  image_pixelmap_release(small);
  image_pixelmap_release(large);
}

/* Decodes the first and the last frame of `image` under every shortage. */
static void decoder(const char *name) {
  ImageSource *source = NULL;
  size_t frames = 0;
  char what[300];
  NEED(image_source_create_from_copy(image.bytes, image.size, &source) == IMAGE_OK);
  NEED(image_source_get_frame_count(source, &frames) == IMAGE_OK);
  image_source_release(source);
  for (frame = 0; frame<frames; frame += frames> 1 ? frames - 1 : 1) {
    snprintf(what, sizeof what, "%s frame %zu", name, frame);
    sweep_apart(DECODE, 0, what, false);
    cold = true;
    snprintf(what, sizeof what, "%s frame %zu, each on a new thread", name, frame);
    sweep_apart(DECODE, 0, what, false);
    cold = false;
  }
  frame = 0;
}

/* Animations, with a profile and metadata: from an array, as a stream, and from an animated source. */
static void animations(const char *name) {
  char what[100];
  ImagePicture *picture = NULL;
  ImageData *data = NULL;
  for (int i = 0; i < 3; ++i) {
    static uint8_t rgb[40 * 30 * 3];
    for (size_t at = 0; at < sizeof rgb; ++at)
      rgb[at] = (uint8_t)(at / 3 % 40 / 10 == (size_t)i ? 250 - i * 90 : (int)(at % 3 * 40 + at / 120));
    NEED(image_pixelmap_create_from_copy(40, 30, IMAGE_PIXEL_FORMAT_RGB_888, rgb, sizeof rgb, 0, &maps[i]) == IMAGE_OK);
    NEED(image_pixelmap_set_cicp(maps[i], 12, 13, 0, true) == IMAGE_OK);
  }
  NEED(image_picture_create(maps[0], &picture) == IMAGE_OK);
  NEED(image_picture_set_property(picture, IMAGE_PROPERTY_MAKE, "Maker") == IMAGE_OK);
  NEED(image_picture_set_metadata(picture, IMAGE_METADATA_XMP, "<x:xmpmeta xmlns:x='adobe:ns:meta/'/>", 37) ==
       IMAGE_OK);
  for (int effort = 1; effort <= 7; effort += 6) {
    NEED(image_sequence_options_create(name, 3, &animation) == IMAGE_OK);
    NEED(image_sequence_options_set_effort(animation, effort) == IMAGE_OK);
    NEED(image_sequence_options_set_needs_pack_properties(animation, true) == IMAGE_OK);
    NEED(image_sequence_options_set_metadata(animation, picture) == IMAGE_OK);
    snprintf(what, sizeof what, "animated %s effort %d", name, effort);
    NEED(image_packer_pack_to_data_from_sequence(packer, maps, 3, animation, &data) == IMAGE_OK);
    NEED(image_data_take(data, &image.bytes, &image.size) == IMAGE_OK);
    sweep_apart(FRAMES, 0, what, false);
    if (effort == 1) {
      sweep_apart(STREAM, 0, what, false);
      NEED(image_sequence_options_set_metadata(animation, NULL) == IMAGE_OK); /* the source's own */
      sweep_apart(REANIMATE, 0, what, false);
      decoder(what);
    }
    free(image.bytes);
    NEED(image_sequence_options_release(animation) == IMAGE_OK);
  }
  image_picture_release(picture);
  for (int i = 0; i < 3; ++i) image_pixelmap_release(maps[i]);
}

/* Every kind of file that can be read: the test data of the decoders. */
static void sources(const char *folder) {
  DIR *listing = opendir(folder);
  int count = 0;
  NEED(listing != NULL);
  for (struct dirent *entry; (entry = readdir(listing)) != NULL;) {
    char path[5000];
    if (entry->d_name[0] == '.' || strstr(entry->d_name, ".py") != NULL) continue;
    snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
    image = host_file(path);
    if (host_can_decode(image)) decoder(entry->d_name), ++count;
    free(image.bytes);
  }
  closedir(listing);
  CHECK(count >= 20, "%d files were decoded", count);
}

/* PNG of the kinds that are not among them, as the library writes them. */
static void png_kinds(void) {
  static const struct {
    const char *name;
    int32_t format;
    uint8_t mask; /* of its bytes */
  } kinds[] = {
      {"PNG of 1 bit", IMAGE_PIXEL_FORMAT_GRAY_8, 0x80},
      {"PNG with a palette", IMAGE_PIXEL_FORMAT_RGB_888, 0x80},
      {"PNG with a palette and alpha", IMAGE_PIXEL_FORMAT_RGBA_8888, 0x80},
      {"PNG gray", IMAGE_PIXEL_FORMAT_GRAY_8, 0xFF},
      {"PNG gray and alpha", IMAGE_PIXEL_FORMAT_GRAY_ALPHA_88, 0xFF},
      {"PNG RGB", IMAGE_PIXEL_FORMAT_RGB_888, 0xFF},
      {"PNG RGBA", IMAGE_PIXEL_FORMAT_RGBA_8888, 0xFF},
      {"PNG gray of 16 bits", IMAGE_PIXEL_FORMAT_GRAY_16, 0xFF},
      {"PNG RGB of 16 bits", IMAGE_PIXEL_FORMAT_RGB_161616, 0xFF},
      {"PNG RGBA of 16 bits", IMAGE_PIXEL_FORMAT_RGBA_16161616, 0xFF},
  };
  static uint8_t bytes[31 * 23 * 8];
  options = host_options("image/png");
  NEED(image_packing_options_set_effort(options, 5) == IMAGE_OK);
  for (size_t k = 0; k < sizeof kinds / sizeof *kinds; ++k) {
    uint32_t noise = 1;
    for (size_t i = 0; i < sizeof bytes; ++i)
      bytes[i] = (uint8_t)((noise = noise * 1664525u + 1013904223u) >> 24) & kinds[k].mask;
    NEED(image_pixelmap_create_borrowed(31, 23, kinds[k].format, bytes, sizeof bytes, 0, NULL, NULL, &map) == IMAGE_OK);
    image = host_expected(packer, map, options);
    decoder(kinds[k].name);
    free(image.bytes);
    image_pixelmap_release(map);
  }
  image_packing_options_release(options);
}

/* HDR pixels that are developed while they are encoded, with a gain map and to a format that has none. */
static void hdr(const char *name) {
  static uint32_t pixels[96 * 40];
  char what[100];
  for (uint32_t i = 0; i < 96 * 40; ++i) pixels[i] = (i % 96 * 8) * 0x100401u | 3u << 30;
  NEED(image_pixelmap_create_borrowed(96, 40, IMAGE_PIXEL_FORMAT_RGBA_1010102, pixels, sizeof pixels, 0, NULL, NULL,
                                      &map) == IMAGE_OK);
  NEED(image_pixelmap_set_cicp(map, 9, 16, 0, true) == IMAGE_OK);
  options = host_options(name);
  image = host_expected(packer, map, options);
  snprintf(what, sizeof what, "HDR to %s", name);
  sweep_apart(TO_DATA, 0, what, false);
  free(image.bytes);
  image_packing_options_release(options);
  image_pixelmap_release(map);
}

int main(int count, char **arguments) {
  char path[5000];
  const char *folder = host_folder();
  snprintf(path, sizeof path, "%s/image", folder);
  file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  NEED(file >= 0);
  result = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  NEED(result != MAP_FAILED && image_packer_create(&packer) == IMAGE_OK);
  NEED(count == 2);
  sources(arguments[1]);
  png_kinds();
  hdr("image/jpeg");
  hdr("image/png");
  for (size_t f = 0; image_packer_get_supported_format(f) != NULL; ++f) {
    const char *name = image_packer_get_supported_format(f);
    if (image_packer_get_format_features(name) & IMAGE_FORMAT_ANIMATION) animations(name);
    format(name);
  }
  image_packer_release(packer);
  close(file);
  unlink(path);
  rmdir(folder);
  return host_end("out of memory");
}
