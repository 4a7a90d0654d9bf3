/* pack_to_file with every system call on the descriptor failing in turn, once and for good, in every way.
 *
 * This program's own pwrite, ftruncate and so on stand before the C library's, for the library as well: no ptrace is
 * needed and a case takes microseconds. A success must leave exactly the image; a failure must leave the old file, or
 * say that it could not, which is allowed only where more than one call failed or the descriptor cannot be read. */
#include "old_files.h"

#include <stdint.h>
#include <sys/syscall.h>

static int target = -1;    /* the descriptor under test; -1: nothing fails */
static long seen;          /* calls on it so far */
static long fail_at;       /* the call that fails; 0: none */
static bool fail_for_good; /* and all after it */
static int fail_with;      /* errno; 0 with ZERO: a transfer of nothing */
static bool short_counts;  /* transfers move a few bytes at a time, some are interrupted */
static uint32_t dice = 1;

enum { PASS = 0, FAIL = 1 };

static int fate(int fd) {
  if (fd != target) return PASS;
  ++seen;
  if (fail_at == 0 || !(seen == fail_at || (fail_for_good && seen > fail_at))) return PASS;
  errno = fail_with;
  return FAIL;
}

static size_t shorter(int fd, size_t count, bool *interrupted) {
  *interrupted = false;
  if (fd != target || !short_counts) return count;
  dice = dice * 1664525u + 1013904223u;
  *interrupted = (dice >> 8) % 5 == 0;
  size_t most = (dice >> 12) % 4093 + 1;
  return count < most ? count : most;
}

#define TRANSFER(name, parameters, call)                  \
  ssize_t name parameters;                                \
  ssize_t name parameters {                               \
    bool interrupted;                                     \
    if (fate(fd) == FAIL) return fail_with == 0 ? 0 : -1; \
    count = shorter(fd, count, &interrupted);             \
    if (interrupted) return errno = EINTR, -1;            \
    return (ssize_t)(call);                               \
  }
#define PLAIN(type, name, parameters, call) \
  type name parameters;                     \
  type name parameters { return fate(fd) == FAIL ? (type)-1 : (type)(call); }

TRANSFER(write, (int fd, const void *bytes, size_t count), syscall(SYS_write, fd, bytes, count))
TRANSFER(pwrite, (int fd, const void *bytes, size_t count, off_t at), syscall(SYS_pwrite64, fd, bytes, count, at))
TRANSFER(pwrite64, (int fd, const void *bytes, size_t count, off_t at), syscall(SYS_pwrite64, fd, bytes, count, at))
TRANSFER(pread, (int fd, void *bytes, size_t count, off_t at), syscall(SYS_pread64, fd, bytes, count, at))
TRANSFER(pread64, (int fd, void *bytes, size_t count, off_t at), syscall(SYS_pread64, fd, bytes, count, at))
PLAIN(off_t, lseek, (int fd, off_t at, int whence), syscall(SYS_lseek, fd, at, whence))
PLAIN(off_t, lseek64, (int fd, off_t at, int whence), syscall(SYS_lseek, fd, at, whence))
PLAIN(int, ftruncate, (int fd, off_t size), syscall(SYS_ftruncate, fd, size))
PLAIN(int, ftruncate64, (int fd, off_t size), syscall(SYS_ftruncate, fd, size))
PLAIN(int, fallocate, (int fd, int mode, off_t from, off_t size), syscall(SYS_fallocate, fd, mode, from, size))
PLAIN(int, fallocate64, (int fd, int mode, off_t from, off_t size), syscall(SYS_fallocate, fd, mode, from, size))
PLAIN(int, fsync, (int fd), syscall(SYS_fsync, fd))
PLAIN(int, fdatasync, (int fd), syscall(SYS_fdatasync, fd))
PLAIN(int, fstat, (int fd, struct stat *status), syscall(SYS_fstat, fd, status))
PLAIN(int, statx, (int fd, const char *name, int flags, unsigned mask, struct statx *status),
      syscall(SYS_statx, fd, name, flags, mask, status))

int fcntl64(int fd, int command, ...);
int fcntl64(int fd, int command, ...) {
  va_list arguments;
  va_start(arguments, command);
  long argument = va_arg(arguments, long);
  va_end(arguments);
  return fate(fd) == FAIL ? -1 : (int)syscall(SYS_fcntl, fd, command, argument);
}
int fcntl(int fd, int command, ...) {
  va_list arguments;
  va_start(arguments, command);
  long argument = va_arg(arguments, long);
  va_end(arguments);
  return fate(fd) == FAIL ? -1 : (int)syscall(SYS_fcntl, fd, command, argument);
}

static ImagePacker *packer;
static ImagePixelMap *map;
static ImagePackingOptions *options;
static HostBytes image;
static char path[5000];
static long succeeded, restored, reported;

/* One pack with what fail_* say. */
static void one(const OldFile *old, int fd, bool may_report) {
  NEED(syscall(SYS_ftruncate, fd, 0) == 0);
  if (old->size > 0) host_fill(path, old->size);
  NEED(syscall(SYS_lseek, fd, old->start, SEEK_SET) == old->start);
  seen = 0;
  target = fd;
  ImageStatus status = image_packer_pack_to_file(packer, map, fd, options);
  target = -1;
  HostBytes file = host_file(path);
  off_t offset = syscall(SYS_lseek, fd, 0, SEEK_CUR);
  const char *message = image_packer_last_error_message();
  if (status == IMAGE_OK) {
    ++succeeded;
    CHECK(old_file_is_packed(old, file, image), "%s, call %ld%s, errno %d: success and another file (%zu bytes)",
          old->name, fail_at, fail_for_good ? "+" : "", fail_with, file.size);
    CHECK(offset == (old->flags & O_APPEND ? (off_t)file.size : old->start + (off_t)image.size),
          "%s, call %ld%s, errno %d: offset %ld", old->name, fail_at, fail_for_good ? "+" : "", fail_with,
          (long)offset);
  } else if (strstr(message, "could not be restored") != NULL || strstr(message, "not synced") != NULL) {
    ++reported;
    CHECK(may_report || strstr(message, "not synced") != NULL, "%s, call %ld%s, errno %d: not restored: %s", old->name,
          fail_at, fail_for_good ? "+" : "", fail_with, message);
  } else {
    ++restored;
    CHECK(old_file_is_whole(old, file), "%s, call %ld%s, errno %d: status %d and another file (%zu bytes)", old->name,
          fail_at, fail_for_good ? "+" : "", fail_with, status, file.size);
    CHECK(offset == old->start, "%s, call %ld%s, errno %d: offset %ld", old->name, fail_at, fail_for_good ? "+" : "",
          fail_with, (long)offset);
  }
  free(file.bytes);
}

int main(void) {
  const int errors[] = {0, EIO, ENOSPC, EDQUOT, EFBIG, EPERM, EINTR, EAGAIN, EINVAL, EBADF, ENOMEM, EOPNOTSUPP};
  const char *folder = host_folder();
  long cases = 0;
  snprintf(path, sizeof path, "%s/image", folder);
  NEED(image_packer_create(&packer) == IMAGE_OK);
  map = host_picture(48, 40);
  options = host_options(image_packer_get_supported_format(0));
  image = host_expected(packer, map, options);
  NEED(image.size > 300 && image.size < LONG_FILE - 2000);
  for (size_t s = 0; s < OLD_FILES; ++s) {
    const OldFile *old = &old_files[s];
    NEED(image_packing_options_set_sync(options, old->sync) == IMAGE_OK);
    unlink(path);
    int fd = open(path, old->flags | O_CREAT | O_CLOEXEC, 0600);
    NEED(fd >= 0);
    fail_at = 0;
    one(old, fd, false);
    CHECK(seen >= 4, "the calls are seen: %ld", seen);
    for (int mode = 0; mode < 2; ++mode) {
      bool was_short = mode == 1;
      short_counts = was_short;
      for (int round = 0; was_short && round < 20; ++round, ++cases) {
        fail_at = 0;
        one(old, fd, false);
      }
      for (size_t e = 0; e < sizeof errors / sizeof *errors; ++e) {
        for (int for_good = 0; for_good < 2; ++for_good) {
          if (for_good && errors[e] == EINTR) continue; /* never ends, by design */
          for (fail_at = 1;; ++fail_at, ++cases) {
            fail_with = errors[e];
            fail_for_good = for_good;
            dice = (uint32_t)cases;
            one(old, fd, for_good || (old->flags & O_ACCMODE) == O_WRONLY);
            if (seen < fail_at) break; /* the pack made fewer calls: all have had their turn */
          }
        }
      }
    }
    short_counts = false;
    close(fd);
  }
  printf("%ld cases: %ld succeeded, %ld failed and restored, %ld failed and reported\n", cases, succeeded, restored,
         reported);
  CHECK(cases >= 480, "only %ld cases", cases);
  CHECK(succeeded > 0 && restored > 0 && reported > 0, "every outcome occurs");
  free(image.bytes);
  image_packing_options_release(options);
  image_pixelmap_release(map);
  image_packer_release(packer);
  unlink(path);
  rmdir(folder);
  return host_end("interposed faults");
}
