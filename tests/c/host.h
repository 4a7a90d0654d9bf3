/* What the programs that put the host in danger share: checks, a picture, the formats of this build.
 *
 * Each program prints one line per group of cases and ends with 0, with 1 when the contract was broken, or with
 * SKIPPED when this machine does not let the fault happen. */
#ifndef HOST_H
#define HOST_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <image_packer.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#define SKIPPED 77

static int host_failures;
static int host_cases;

/* Counts a case; says what was expected when it did not hold. */
#define CHECK(condition, ...)                                                   \
  do {                                                                          \
    ++host_cases;                                                               \
    if (!(condition)) host_broken(__FILE__, __LINE__, #condition, __VA_ARGS__); \
  } while (0)

/* For what the test itself needs. */
#define NEED(condition)                                                                                     \
  do {                                                                                                      \
    if (!(condition)) {                                                                                     \
      fprintf(stderr, "%s:%d: cannot test: %s: %s (%s)\n", __FILE__, __LINE__, #condition, strerror(errno), \
              image_packer_last_error_message());                                                           \
      exit(1);                                                                                              \
    }                                                                                                       \
  } while (0)

__attribute__((format(printf, 4, 5), unused)) static void host_broken(const char *file, int line, const char *condition,
                                                                      const char *format, ...) {
  va_list arguments;
  ++host_failures;
  if (host_failures > 20) return; /* the first ones tell enough */
  fprintf(stderr, "%s:%d: broken: %s: ", file, line, condition);
  va_start(arguments, format);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  fprintf(stderr, " [%s]\n", image_packer_last_error_message());
}

__attribute__((unused)) static int host_end(const char *what) {
  printf("%s: %d checks, %d broken\n", what, host_cases, host_failures);
  return host_failures ? 1 : 0;
}

/* A picture with detail, so that its files have some size. */
__attribute__((unused)) static ImagePixelMap *host_picture(uint32_t width, uint32_t height) {
  ImagePixelMap *map = NULL;
  size_t size = (size_t)width * height * 3;
  uint8_t *rgb = malloc(size);
  uint32_t noise = 1;
  NEED(rgb != NULL);
  for (size_t i = 0; i < size; ++i) {
    noise = noise * 1664525u + 1013904223u;
    rgb[i] = (uint8_t)((i / 3 % width) * 255 / width / 2 + (noise >> 24) / 4);
  }
  NEED(image_pixelmap_create_from_copy(width, height, IMAGE_PIXEL_FORMAT_RGB_888, rgb, size, 0, &map) == IMAGE_OK);
  free(rgb);
  return map;
}

__attribute__((unused)) static ImagePackingOptions *host_options(const char *format) {
  ImagePackingOptions *options = NULL;
  NEED(image_packing_options_create(format, 90, &options) == IMAGE_OK);
  NEED(image_packing_options_set_effort(options, 2) == IMAGE_OK);
  return options;
}

/* The codecs behind these come with the platform and keep promises of their own. */
__attribute__((unused)) static bool host_is_foreign(const char *format) {
  return strcmp(format, "image/heic") == 0 || strcmp(format, "image/heif") == 0 || strcmp(format, "image/avif") == 0;
}

typedef struct {
  uint8_t *bytes;
  size_t size;
} HostBytes;

/* The image as it has to arrive, whatever the way. */
__attribute__((unused)) static HostBytes host_expected(ImagePacker *packer, const ImagePixelMap *map,
                                                       const ImagePackingOptions *options) {
  ImageData *data = NULL;
  HostBytes expected;
  NEED(image_packer_pack_to_data(packer, map, options, &data) == IMAGE_OK);
  expected.size = image_data_size(data);
  expected.bytes = malloc(expected.size);
  NEED(expected.bytes != NULL);
  memcpy(expected.bytes, image_data_bytes(data), expected.size);
  image_data_release(data);
  return expected;
}

/* Whether this build can read what it writes. */
__attribute__((unused)) static bool host_can_decode(HostBytes image) {
  ImageSource *source = NULL;
  if (image_source_create_from_copy(image.bytes, image.size, &source) != IMAGE_OK) return false;
  image_source_release(source);
  return true;
}

/* Reads all of a file by its path, apart from every descriptor under test. */
__attribute__((unused)) static HostBytes host_file(const char *path) {
  HostBytes content = {NULL, 0};
  struct stat status;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return content;
  NEED(fstat(fd, &status) == 0);
  content.bytes = malloc((size_t)status.st_size + 1);
  NEED(content.bytes != NULL);
  while (content.size < (size_t)status.st_size) {
    ssize_t got = pread(fd, content.bytes + content.size, (size_t)status.st_size - content.size, (off_t)content.size);
    if (got <= 0) break;
    content.size += (size_t)got;
  }
  close(fd);
  return content;
}

__attribute__((unused)) static void host_fill(const char *path, size_t size) {
  FILE *file = fopen(path, "wb");
  NEED(file != NULL);
  for (size_t i = 0; i < size; ++i) putc((int)(i * 7 % 251), file);
  NEED(fclose(file) == 0);
}

__attribute__((unused)) static bool host_is_filled(const uint8_t *bytes, size_t from, size_t to) {
  for (size_t i = from; i < to; ++i)
    if (bytes[i] != (uint8_t)(i * 7 % 251)) return false;
  return true;
}

__attribute__((unused)) static int host_threads(void) {
  int count = 0;
  DIR *tasks = opendir("/proc/self/task");
  if (tasks == NULL) return 1;
  for (struct dirent *entry; (entry = readdir(tasks)) != NULL;) count += entry->d_name[0] != '.';
  closedir(tasks);
  return count;
}

/* Whether this process comes down to its first thread: a joined one may still be on its way out of the kernel's list,
 * and a worker stays for a moment. */
__attribute__((unused)) static bool host_is_alone(void) {
  for (int wait = 0; wait < 30000 && host_threads() > 1; ++wait) usleep(1000);
  return host_threads() == 1;
}

/* Runs in a child of its own, whose signals are at their defaults: one would end it, and so does waiting too long.
 * 0, SKIPPED if the body exited so, or another number that tells how it ended. */
__attribute__((unused)) static int host_apart(void (*body)(void)) {
  fflush(NULL);
  pid_t child = fork();
  NEED(child >= 0);
  if (child == 0) {
    host_failures = 0;
    alarm(240);
    body();
    fflush(NULL);
    _exit(host_failures ? 1 : 0);
  }
  int status = 0;
  NEED(waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + status;
}

/* A folder of its own, under the current one or $TMPDIR. */
__attribute__((unused)) static const char *host_folder(void) {
  static char path[4096];
  const char *base = getenv("TMPDIR");
  snprintf(path, sizeof path, "%s/image_packer-XXXXXX", base ? base : "/tmp");
  NEED(mkdtemp(path) != NULL);
  return path;
}

#endif
