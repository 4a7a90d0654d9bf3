/* pack_to_path and pack_to_writer, image_data_take and the buffer hint: what their comments in the header promise. */
#include "host.h"

#include <dirent.h>
#include <pthread.h>
#include <sys/resource.h>

static ImagePacker *packer;
static ImagePixelMap *map;
static ImagePackingOptions *options;
static HostBytes image;
static char folder[4096], path[5000], other[5000];

static ImageStatus pack(const char *target) { return image_packer_pack_to_path(packer, map, target, options); }

static bool is_image(const char *name) {
  HostBytes file = host_file(name);
  bool same = file.size == image.size && memcmp(file.bytes, image.bytes, image.size) == 0;
  free(file.bytes);
  return same;
}

static bool is_old(const char *name, size_t size) {
  HostBytes file = host_file(name);
  bool same = file.size == size && host_is_filled(file.bytes, 0, size);
  free(file.bytes);
  return same;
}

static unsigned mode_of(const char *name) {
  struct stat status;
  return lstat(name, &status) == 0 ? (unsigned)status.st_mode : 0;
}

/* Nothing but these files is in the folder. */
static int entries(void) {
  int count = 0;
  DIR *listing = opendir(folder);
  NEED(listing != NULL);
  for (struct dirent *entry; (entry = readdir(listing)) != NULL;)
    count += strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
  closedir(listing);
  return count;
}

static void over_its_own_source(void) {
  ImageSource *source = NULL;
  NEED(image_source_create_from_path(path, &source) == IMAGE_OK);
  CHECK(image_packer_pack_to_path_from_source(packer, source, path, options) == IMAGE_OK, "over its own source");
  image_source_release(source);
  ImagePixelMap *decoded = NULL;
  NEED(image_source_create_from_path(path, &source) == IMAGE_OK);
  CHECK(image_source_create_pixelmap(source, 0, &decoded) == IMAGE_OK, "and it is an image");
  image_pixelmap_release(decoded);
  image_source_release(source);
}

static void files(void) {
  mode_t mask = umask(027);
  CHECK(pack(path) == IMAGE_OK && is_image(path), "new file");
  CHECK((mode_of(path) & 07777) == 0640, "mode %o by the umask", mode_of(path));
  umask(mask);

  NEED(chmod(path, 0604) == 0);
  host_fill(path, 50000);
  CHECK(pack(path) == IMAGE_OK && is_image(path), "longer old file");
  CHECK((mode_of(path) & 07777) == 0604, "mode %o kept", mode_of(path));
  CHECK(entries() == 1, "%d entries", entries());

  NEED(symlink("image", other) == 0);
  host_fill(path, 300);
  CHECK(pack(other) == IMAGE_OK && is_image(path), "through a link");
  CHECK(S_ISLNK(mode_of(other)), "the link stays");
  unlink(path);
  CHECK(pack(other) == IMAGE_OK && is_image(path), "through a link to nothing");
  CHECK(S_ISLNK(mode_of(other)), "the link stays");
  unlink(other);
  NEED(symlink("other", other) == 0);
  CHECK(pack(other) == IMAGE_ERROR_FAILED, "a link to itself");
  unlink(other);

  host_fill(path, 300);
  NEED(link(path, other) == 0);
  CHECK(pack(path) == IMAGE_OK && is_image(path) && is_old(other, 300), "a second hard link keeps the old bytes");
  unlink(other);

  int here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  NEED(here >= 0 && chdir(folder) == 0);
  CHECK(pack("relative") == IMAGE_OK && is_image("relative"), "relative name");
  unlink("relative");
  NEED(fchdir(here) == 0);
  close(here);

  NEED(image_packing_options_set_sync(options, true) == IMAGE_OK);
  CHECK(pack(path) == IMAGE_OK && is_image(path), "synced");
  NEED(image_packing_options_set_sync(options, false) == IMAGE_OK);

  if (host_can_decode(image)) over_its_own_source();
  unlink(path);
  CHECK(entries() == 0, "%d entries", entries());
}

static void refused(void) {
  char name[5200];
  CHECK(pack(NULL) == IMAGE_ERROR_INVALID_FILE_ARGUMENT, "NULL");
  CHECK(pack("") != IMAGE_OK, "no name");
  CHECK(pack(folder) == IMAGE_ERROR_INVALID_FILE_ARGUMENT, "a folder");
  CHECK(pack("/") == IMAGE_ERROR_INVALID_FILE_ARGUMENT, "the root");
  snprintf(name, sizeof name, "%s/none/image", folder);
  CHECK(pack(name) == IMAGE_ERROR_FAILED, "no such folder");
  snprintf(name, sizeof name, "%s/%0300d", folder, 1);
  CHECK(pack(name) == IMAGE_ERROR_FAILED, "too long a name");
  host_fill(path, 300);
  snprintf(name, sizeof name, "%s/image", path);
  CHECK(pack(name) == IMAGE_ERROR_FAILED, "a file as folder");
  CHECK(is_old(path, 300) && entries() == 1, "nothing changed");
  unlink(path);
}

static void *drain(void *argument) {
  static HostBytes got;
  int fd = *(int *)argument;
  got.bytes = malloc(1 << 20);
  got.size = 0;
  for (ssize_t count; got.size < image.size && (count = read(fd, got.bytes + got.size, (1 << 20) - got.size)) > 0;)
    got.size += (size_t)count;
  close(fd);
  return &got;
}

static void specials(void) {
  pthread_t thread;
  void *result = NULL;
  NEED(mkfifo(path, 0600) == 0);
  /* Nobody waits for the other end. */
  CHECK(pack(path) == IMAGE_ERROR_FAILED, "a FIFO without a reader");
  CHECK(strstr(image_packer_last_error_message(), "nobody reads there"), "why");
  ImageSource *source = NULL;
  CHECK(image_source_create_from_path(path, &source) == IMAGE_ERROR_FAILED, "a FIFO to read from");
  int reader = open(path, O_RDWR | O_CLOEXEC);
  NEED(reader >= 0);
  NEED(pthread_create(&thread, NULL, drain, &reader) == 0);
  CHECK(pack(path) == IMAGE_OK, "a FIFO");
  pthread_join(thread, &result);
  HostBytes *got = result;
  CHECK(got->size == image.size && memcmp(got->bytes, image.bytes, image.size) == 0, "every byte");
  free(got->bytes);
  CHECK(S_ISFIFO(mode_of(path)) && entries() == 1, "the FIFO stays");
  unlink(path);
  /* A device of our own: a library that replaced it would not harm the machine. */
  if (mknod(path, S_IFCHR | 0600, (dev_t)(1 << 8 | 3)) == 0) {
    int usable = open(path, O_WRONLY | O_CLOEXEC);
    if (usable >= 0) {
      close(usable);
      CHECK(pack(path) == IMAGE_OK, "a device");
      CHECK(S_ISCHR(mode_of(path)), "the device stays");
    }
    unlink(path);
  }
}

static void limited(void) {
  const size_t olds[] = {0, 300, 50000};
  for (size_t o = 0; o < 3; ++o) {
    unlink(path);
    if (olds[o] > 0) host_fill(path, olds[o]);
    struct rlimit limit = {image.size / 2, RLIM_INFINITY}, none = {RLIM_INFINITY, RLIM_INFINITY};
    NEED(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    ImageStatus status = pack(path);
    NEED(setrlimit(RLIMIT_FSIZE, &none) == 0);
    CHECK(status == IMAGE_ERROR_FAILED && image_packer_last_error_cause() == IMAGE_CAUSE_WRITE, "status %d", status);
    CHECK(olds[o] > 0 ? is_old(path, olds[o]) : access(path, F_OK) != 0, "old %zu bytes", olds[o]);
    CHECK(entries() == (olds[o] > 0), "%d entries", entries());
  }
  unlink(path);
}

static void unprivileged(void) {
  NEED(chmod(folder, 0777) == 0);
  if (geteuid() == 0) NEED(setgid(65534) == 0 && setuid(65534) == 0);
  host_fill(path, 300);
  NEED(chmod(path, 0400) == 0);
  CHECK(pack(path) == IMAGE_ERROR_FAILED && is_old(path, 300), "a read-only file is not replaced");
  NEED(chmod(path, 0600) == 0);
  CHECK(pack(path) == IMAGE_OK && is_image(path), "a writable one is");
  unlink(path);
  CHECK(pack("/proc/image") == IMAGE_ERROR_FAILED, "a folder that takes no files");
  CHECK(entries() == 0, "%d entries", entries());
}

struct writing {
  size_t calls, bytes, stop_after;
};

static int32_t take(void *user, const uint8_t *bytes, size_t size) {
  struct writing *writing = user;
  CHECK(size > 0, "an empty piece");
  CHECK(writing->stop_after == 0 || writing->calls < writing->stop_after, "called after the stop");
  if (writing->bytes + size <= image.size)
    CHECK(memcmp(image.bytes + writing->bytes, bytes, size) == 0, "at %zu", writing->bytes);
  writing->bytes += size;
  return ++writing->calls == writing->stop_after ? 7 : 0;
}

static void writers(void) {
  struct writing all = {0, 0, 0}, stopped = {0, 0, 1};
  CHECK(image_packer_pack_to_writer(packer, map, take, &all, options) == IMAGE_OK, "writer");
  CHECK(all.bytes == image.size, "%zu of %zu bytes", all.bytes, image.size);
  CHECK(image_packer_pack_to_writer(packer, map, take, &stopped, options) == IMAGE_ERROR_FAILED, "stopped");
  CHECK(image_packer_last_error_cause() == IMAGE_CAUSE_WRITE && stopped.calls == 1, "%zu calls", stopped.calls);
}

static void taken(void) {
  ImageData *data = NULL;
  uint8_t *bytes = NULL;
  size_t size = 0;
  const uint64_t hints[] = {0, 1, 10, 1u << 20, UINT64_C(1) << 40, UINT64_MAX};
  for (size_t h = 0; h < sizeof hints / sizeof *hints; ++h) {
    NEED(image_packing_options_set_buffer_size(options, hints[h]) == IMAGE_OK);
    CHECK(image_packer_pack_to_data(packer, map, options, &data) == IMAGE_OK, "a hint of %llu",
          (unsigned long long)hints[h]);
    CHECK(image_data_size(data) == image.size, "the same image");
    const uint8_t *lent = image_data_bytes(data);
    CHECK(image_data_take(data, NULL, &size) == IMAGE_ERROR_INVALID_ARGUMENT, "nowhere to put it");
    CHECK(image_data_take(data, &bytes, &size) == IMAGE_OK && bytes == lent && size == image.size, "without a copy");
    CHECK(memcmp(bytes, image.bytes, size) == 0, "the same bytes");
    CHECK(image_data_release(data) == IMAGE_ERROR_INVALID_ARGUMENT, "taking released it");
    CHECK(image_data_take(data, &bytes, &size) == IMAGE_ERROR_INVALID_ARGUMENT, "once");
    bytes = realloc(bytes, size * 2); /* plain malloc memory */
    NEED(bytes != NULL);
    free(bytes);
  }
  NEED(image_packing_options_set_buffer_size(options, 0) == IMAGE_OK);
}

int main(void) {
  snprintf(folder, sizeof folder, "%s", host_folder());
  snprintf(path, sizeof path, "%s/image", folder);
  snprintf(other, sizeof other, "%s/other", folder);
  NEED(image_packer_create(&packer) == IMAGE_OK);
  map = host_picture(64, 48);
  for (size_t f = 0; image_packer_get_supported_format(f) != NULL; ++f) {
    options = host_options(image_packer_get_supported_format(f));
    image = host_expected(packer, map, options);
    files();
    writers();
    taken();
    if (f == 0) {
      refused();
      specials();
      int ended = host_apart(limited);
      CHECK(ended == 0, "limited file size: child ended with %d", ended);
      ended = host_apart(unprivileged);
      CHECK(ended == 0, "unprivileged: child ended with %d", ended);
    }
    free(image.bytes);
    image_packing_options_release(options);
  }
  image_pixelmap_release(map);
  image_packer_release(packer);
  rmdir(folder);
  return host_end("path contract");
}
