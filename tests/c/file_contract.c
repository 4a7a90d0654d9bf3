/* pack_to_file: what its comment in the header promises, with real descriptors and real faults. */
#include "host.h"

#include <poll.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#define MANY 100000u /* bytes of an old file; more than any image here */

static ImagePacker *packer;
static ImagePixelMap *small_map, *large_map;
static ImagePackingOptions *options;
static HostBytes small, large;
static char path[5000];

static bool equal(HostBytes content, const uint8_t *bytes, size_t size) {
  bool same = content.size == size && (size == 0 || memcmp(content.bytes, bytes, size) == 0);
  free(content.bytes);
  return same;
}

static off_t offset_of(int fd) { return lseek(fd, 0, SEEK_CUR); }

static int reopen(size_t old, int flags) {
  unlink(path);
  if (old > 0) host_fill(path, old);
  int fd = open(path, flags | O_CREAT | O_CLOEXEC, 0600);
  NEED(fd >= 0);
  return fd;
}

static ImageStatus pack(int fd) { return image_packer_pack_to_file(packer, small_map, fd, options); }
static ImageStatus pack_large(int fd) { return image_packer_pack_to_file(packer, large_map, fd, options); }

static void regular_files(void) {
  int fd = reopen(0, O_RDWR);
  CHECK(pack(fd) == IMAGE_OK, "new file");
  CHECK(equal(host_file(path), small.bytes, small.size), "new file");
  CHECK(offset_of(fd) == (off_t)small.size, "offset behind the image");
  CHECK(pack(fd) == IMAGE_OK, "second image");
  HostBytes two = host_file(path);
  CHECK(two.size == 2 * small.size && memcmp(two.bytes, small.bytes, small.size) == 0 &&
            memcmp(two.bytes + small.size, small.bytes, small.size) == 0,
        "two images back to back");
  free(two.bytes);
  close(fd);

  for (int flags = O_WRONLY; flags <= O_RDWR; ++flags) {
    fd = reopen(MANY, flags);
    CHECK(pack(fd) == IMAGE_OK, "longer old file");
    CHECK(equal(host_file(path), small.bytes, small.size), "no old tail");
    close(fd);
  }

  fd = reopen(MANY, O_RDWR);
  NEED(lseek(fd, 1000, SEEK_SET) == 1000);
  CHECK(pack(fd) == IMAGE_OK, "further in");
  HostBytes inside = host_file(path);
  CHECK(inside.size == MANY && host_is_filled(inside.bytes, 0, 1000) &&
            memcmp(inside.bytes + 1000, small.bytes, small.size) == 0 &&
            host_is_filled(inside.bytes, 1000 + small.size, MANY),
        "head and tail kept");
  CHECK(offset_of(fd) == (off_t)(1000 + small.size), "offset behind the image");
  free(inside.bytes);
  close(fd);

  fd = reopen(10, O_RDWR);
  NEED(lseek(fd, 500, SEEK_SET) == 500);
  CHECK(pack(fd) == IMAGE_OK, "past the end");
  HostBytes hole = host_file(path);
  CHECK(hole.size == 500 + small.size && host_is_filled(hole.bytes, 0, 10) && hole.bytes[499] == 0 &&
            memcmp(hole.bytes + 500, small.bytes, small.size) == 0,
        "a hole and the image");
  free(hole.bytes);
  close(fd);

  fd = reopen(300, O_RDWR | O_APPEND);
  CHECK(pack(fd) == IMAGE_OK, "append");
  HostBytes both = host_file(path);
  CHECK(both.size == 300 + small.size && host_is_filled(both.bytes, 0, 300) &&
            memcmp(both.bytes + 300, small.bytes, small.size) == 0,
        "old bytes and the image");
  free(both.bytes);
  close(fd);

  const struct {
    ImageTail tail;
    off_t start;
    size_t size;
  } tails[] = {
      {IMAGE_TAIL_KEEP, 0, MANY},
      {IMAGE_TAIL_CUT, 0, small.size},
      {IMAGE_TAIL_CUT, 1000, 1000 + small.size},
      {IMAGE_TAIL_KEEP, 1000, MANY},
  };
  for (size_t i = 0; i < sizeof tails / sizeof *tails; ++i) {
    NEED(image_packing_options_set_tail(options, tails[i].tail) == IMAGE_OK);
    fd = reopen(MANY, O_RDWR);
    NEED(lseek(fd, tails[i].start, SEEK_SET) == tails[i].start);
    CHECK(pack(fd) == IMAGE_OK, "tail rule %zu", i);
    HostBytes content = host_file(path);
    CHECK(content.size == tails[i].size, "tail rule %zu: %zu bytes", i, content.size);
    free(content.bytes);
    close(fd);
  }
  CHECK(image_packing_options_set_tail(options, 99) == IMAGE_ERROR_INVALID_ARGUMENT, "no such rule");
  NEED(image_packing_options_set_tail(options, IMAGE_TAIL_AUTO) == IMAGE_OK);

  NEED(image_packing_options_set_sync(options, true) == IMAGE_OK);
  fd = reopen(MANY, O_RDWR);
  CHECK(pack(fd) == IMAGE_OK, "synced");
  CHECK(equal(host_file(path), small.bytes, small.size), "synced");
  close(fd);
  NEED(image_packing_options_set_sync(options, false) == IMAGE_OK);
}

static void memory_files(void) {
  int fd = memfd_create("image", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  NEED(fd >= 0);
  CHECK(pack(fd) == IMAGE_OK, "memfd");
  char proc[64];
  snprintf(proc, sizeof proc, "/proc/self/fd/%d", fd);
  CHECK(equal(host_file(proc), small.bytes, small.size), "memfd");
  close(fd);

  const int seals[] = {F_SEAL_GROW, F_SEAL_SHRINK, F_SEAL_WRITE, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_WRITE};
  const size_t olds[] = {0, 10, MANY};
  for (size_t i = 0; i < sizeof seals / sizeof *seals; ++i) {
    for (size_t o = 0; o < sizeof olds / sizeof *olds; ++o) {
      fd = memfd_create("sealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);
      NEED(fd >= 0);
      snprintf(proc, sizeof proc, "/proc/self/fd/%d", fd);
      if (olds[o] > 0) host_fill(proc, olds[o]);
      NEED(fcntl(fd, F_ADD_SEALS, seals[i]) == 0);
      ImageStatus status = pack(fd);
      bool fits = (seals[i] & F_SEAL_WRITE) == 0 && ((seals[i] & F_SEAL_GROW) == 0 || olds[o] >= small.size) &&
                  ((seals[i] & F_SEAL_SHRINK) == 0 || olds[o] <= small.size);
      CHECK((status == IMAGE_OK) == fits, "seals %#x over %zu bytes: %d", (unsigned)seals[i], olds[o], status);
      HostBytes content = host_file(proc);
      if (fits) {
        CHECK(equal(content, small.bytes, small.size), "seals %#x over %zu bytes", (unsigned)seals[i], olds[o]);
      } else {
        CHECK(status == IMAGE_ERROR_FAILED, "status %d", status);
        CHECK(content.size == olds[o] && host_is_filled(content.bytes, 0, olds[o]), "seals %#x: old %zu bytes",
              (unsigned)seals[i], olds[o]);
        CHECK(offset_of(fd) == 0, "offset");
        free(content.bytes);
      }
      close(fd);
    }
  }
}

/* Refused before anything is encoded, so that even a picture too large for the format gets this answer. */
static void refused(void) {
  int closed = open("/dev/null", O_WRONLY | O_CLOEXEC);
  NEED(closed >= 0);
  close(closed);
  int fds[8], count = 0;
  fds[count++] = -1;
  fds[count++] = INT32_MIN;
  fds[count++] = INT32_MAX;
  fds[count++] = closed;
  close(reopen(300, O_RDWR));
  fds[count++] = open(path, O_RDONLY | O_CLOEXEC);
  fds[count++] = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  fds[count++] = open(path, O_PATH | O_CLOEXEC);
  for (int i = 0; i < count; ++i) {
    ImageStatus status = pack(fds[i]);
    CHECK(status == IMAGE_ERROR_INVALID_FILE_ARGUMENT, "bad descriptor %d: %d", i, status);
    CHECK(image_packer_last_error_message()[0] != 0, "a message");
    if (i >= 4) close(fds[i]);
  }
  int direct = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
  if (direct >= 0) {
    CHECK(pack(direct) != IMAGE_OK, "O_DIRECT");
    CHECK(strstr(image_packer_last_error_message(), "O_DIRECT") != NULL, "says why");
    close(direct);
  }
  HostBytes content = host_file(path);
  CHECK(content.size == 300 && host_is_filled(content.bytes, 0, 300), "untouched");
  free(content.bytes);

  int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
  if (full >= 0) {
    ImagePixelMap *dot = host_picture(1, 1);
    CHECK(image_packer_pack_to_file(packer, dot, full, options) == IMAGE_ERROR_FAILED, "/dev/full");
    CHECK(image_packer_last_error_cause() == IMAGE_CAUSE_WRITE, "cause");
    image_pixelmap_release(dot);
    close(full);
  }
}

struct reader {
  int fd;
  bool slow;
  HostBytes got;
};

static void *read_all(void *argument) {
  struct reader *reader = argument;
  size_t capacity = 1 << 16;
  reader->got.bytes = malloc(capacity);
  for (;;) {
    if (reader->got.size + 4096 > capacity) reader->got.bytes = realloc(reader->got.bytes, capacity *= 2);
    if (reader->slow && reader->got.size % (64 * 4096) == 0) usleep(2000);
    ssize_t got = read(reader->fd, reader->got.bytes + reader->got.size, 4096);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    reader->got.size += (size_t)got;
  }
  return NULL;
}

static void on_alarm(int signal) { (void)signal; }

static void storm(bool on) {
  struct sigaction action = {0};
  action.sa_handler = on_alarm; /* without SA_RESTART */
  NEED(sigaction(SIGALRM, &action, NULL) == 0);
  struct itimerval often = {{0, on ? 200 : 0}, {0, on ? 200 : 0}};
  NEED(setitimer(ITIMER_REAL, &often, NULL) == 0);
}

static void through(int write_fd, int read_fd, bool slow, bool storming, const char *what) {
  struct reader reader = {read_fd, slow, {NULL, 0}};
  pthread_t thread;
  sigset_t alarms, before;
  sigemptyset(&alarms);
  sigaddset(&alarms, SIGALRM); /* only the packing thread shall feel the storm */
  pthread_sigmask(SIG_BLOCK, &alarms, &before);
  NEED(pthread_create(&thread, NULL, read_all, &reader) == 0);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (storming) storm(true);
  ImageStatus status = pack_large(write_fd);
  if (storming) storm(false);
  close(write_fd);
  pthread_join(thread, NULL);
  close(read_fd);
  CHECK(status == IMAGE_OK, "%s: %d", what, status);
  CHECK(equal(reader.got, large.bytes, large.size), "%s: every byte, in order", what);
}

static void streams(void) {
  int ends[2];
  for (int mode = 0; mode < 8; ++mode) {
    bool nonblocking = mode & 1, storming = mode & 2, is_socket = mode & 4;
    NEED((is_socket ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) : pipe2(ends, O_CLOEXEC)) == 0);
    if (is_socket) {
      int swap = ends[0];
      ends[0] = ends[1];
      ends[1] = swap;
    }
    if (nonblocking) NEED(fcntl(ends[1], F_SETFL, O_NONBLOCK | O_WRONLY) == 0);
    char what[64];
    snprintf(what, sizeof what, "%s%s%s", nonblocking ? "non-blocking " : "", is_socket ? "socket" : "pipe",
             storming ? " in an EINTR storm" : "");
    through(ends[1], ends[0], true, storming, what);
  }
  int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
  CHECK(pack(null) == IMAGE_OK, "/dev/null");
  close(null);

  for (int round = 0; round < 20; ++round) {
    int fd = reopen(MANY, O_RDWR);
    storm(true);
    ImageStatus status = pack_large(fd);
    storm(false);
    CHECK(status == IMAGE_OK, "file in an EINTR storm: %d", status);
    CHECK(equal(host_file(path), large.bytes, large.size), "file in an EINTR storm");
    close(fd);
  }
}

/* Nobody reads: the pack ends when its time is over, or when the job is cancelled, on descriptors of either kind. */
static void stalled(void) {
  for (int mode = 0; mode < 4; ++mode) {
    bool nonblocking = mode & 1, is_socket = mode & 2;
    int ends[2];
    NEED((is_socket ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) : pipe2(ends, O_CLOEXEC)) == 0);
    if (nonblocking) NEED(fcntl(ends[1], F_SETFL, O_NONBLOCK | O_WRONLY) == 0);
    ImagePackingOptions *lossless = host_options("image/png"); /* 600 KB of noise: more than pipes and sockets hold */
    size_t bytes = (size_t)500 * 400 * 3;
    uint8_t *noise = malloc(bytes);
    NEED(noise != NULL);
    uint32_t state = 1;
    for (size_t i = 0; i < bytes; ++i) noise[i] = (uint8_t)((state = state * 1664525u + 1013904223u) >> 24);
    ImagePixelMap *map = NULL;
    NEED(image_pixelmap_create_from_copy(500, 400, IMAGE_PIXEL_FORMAT_RGB_888, noise, bytes, 0, &map) == IMAGE_OK);
    free(noise);

    ImageJob *job = NULL;
    NEED(image_packer_pack_to_file_async(packer, map, ends[1], lossless, NULL, NULL, &job) == IMAGE_OK);
    struct pollfd some = {ends[0], POLLIN, 0};
    NEED(poll(&some, 1, -1) == 1); /* it writes, so it will wait */
    CHECK(image_job_cancel(job) == IMAGE_OK, "cancel");
    CHECK(image_job_wait(job, -1) == IMAGE_ERROR_CANCELLED, "stalled, mode %d: %s", mode,
          image_packer_last_error_message());
    CHECK(image_packer_last_error_cause() == IMAGE_CAUSE_CANCELLED, "cause");
    CHECK(strstr(image_packer_last_error_message(), "bytes were sent") != NULL, "%s",
          image_packer_last_error_message());
    image_job_release(job);

    NEED(image_packing_options_set_timeout(lossless, 300) == IMAGE_OK);
    ImageStatus status = image_packer_pack_to_file(packer, map, ends[1], lossless);
    CHECK(status == IMAGE_ERROR_CANCELLED, "stalled, mode %d: %d", mode, status);
    CHECK(image_packer_last_error_cause() == IMAGE_CAUSE_TIMED_OUT, "%s", image_packer_last_error_message());
    image_pixelmap_release(map);
    image_packing_options_release(lossless);
    close(ends[0]);
    close(ends[1]);
  }
}

static void in_child(void (*body)(void), const char *what) {
  int ended = host_apart(body);
  CHECK(ended == 0, "%s: child ended with %d", what, ended);
}

static void closed_ends(void) {
  for (int is_socket = 0; is_socket <= 1; ++is_socket) {
    int ends[2];
    sigset_t before, after;
    NEED((is_socket ? socketpair(AF_UNIX, SOCK_STREAM, 0, ends) : pipe(ends)) == 0);
    close(ends[0]);
    NEED(sigprocmask(SIG_SETMASK, NULL, &before) == 0);
    CHECK(pack(ends[1]) == IMAGE_ERROR_FAILED, "closed end");
    CHECK(image_packer_last_error_cause() == IMAGE_CAUSE_WRITE, "cause");
    NEED(sigprocmask(SIG_SETMASK, NULL, &after) == 0);
    CHECK(sigismember(&before, SIGPIPE) == sigismember(&after, SIGPIPE), "mask as before");
    sigset_t waiting;
    sigpending(&waiting);
    CHECK(!sigismember(&waiting, SIGPIPE), "nothing left waiting");
    close(ends[1]);
  }
}

/* A SIGPIPE that was waiting before the call is the host's and stays. */
static void waiting_signal(void) {
  int ends[2];
  sigset_t pipes, waiting;
  sigemptyset(&pipes);
  sigaddset(&pipes, SIGPIPE);
  NEED(sigprocmask(SIG_BLOCK, &pipes, NULL) == 0 && raise(SIGPIPE) == 0);
  NEED(pipe(ends) == 0);
  close(ends[0]);
  CHECK(pack(ends[1]) == IMAGE_ERROR_FAILED, "closed end");
  sigpending(&waiting);
  CHECK(sigismember(&waiting, SIGPIPE), "the host's own signal still waits");
}

static void limited(void) {
  size_t limits[] = {0, 1, small.size / 2, small.size - 1};
  for (size_t i = 0; i < sizeof limits / sizeof *limits; ++i) {
    size_t olds[] = {0, 300, MANY};
    for (size_t o = 0; o < 3; ++o) {
      int fd = reopen(olds[o], O_RDWR);
      struct rlimit limit = {limits[i], RLIM_INFINITY}, none = {RLIM_INFINITY, RLIM_INFINITY};
      NEED(setrlimit(RLIMIT_FSIZE, &limit) == 0);
      ImageStatus status = pack(fd);
      NEED(setrlimit(RLIMIT_FSIZE, &none) == 0);
      CHECK(status == IMAGE_ERROR_FAILED, "limit %zu over %zu bytes: %d", limits[i], olds[o], status);
      HostBytes content = host_file(path);
      CHECK(content.size == olds[o] && host_is_filled(content.bytes, 0, olds[o]), "old %zu bytes", olds[o]);
      CHECK(offset_of(fd) == 0, "offset");
      free(content.bytes);
      close(fd);
    }
  }
}

/* 17 MB of ICC profile are more than 255 segments of a JPEG hold: nothing is written, nothing moves. */
static void profile_without_room(void) {
  size_t size = 17000000;
  uint8_t *profile = calloc(size, 1);
  NEED(profile != NULL);
  for (int i = 0; i < 4; ++i) profile[i] = (uint8_t)(size >> (24 - 8 * i));
  memcpy(profile + 8, "\4\60\0\0mntrRGB XYZ ", 16);
  memcpy(profile + 36, "acsp", 4);
  ImagePixelMap *map = host_picture(64, 48);
  CHECK(image_pixelmap_set_icc_profile(map, profile, size) == IMAGE_OK, "a profile of 17 MB");
  int fd = reopen(MANY, O_RDWR);
  NEED(lseek(fd, 500, SEEK_SET) == 500);
  HostBytes before = host_file(path);
  CHECK(image_packer_pack_to_file(packer, map, fd, options) == IMAGE_ERROR_ICC, "no room for the profile");
  CHECK(offset_of(fd) == 500 && equal(host_file(path), before.bytes, before.size), "the file is as it was");
  close(fd);
  free(before.bytes);
  image_pixelmap_release(map);
  free(profile);
}

int main(void) {
  const char *folder = host_folder();
  snprintf(path, sizeof path, "%s/image", folder);
  NEED(image_packer_create(&packer) == IMAGE_OK);
  small_map = host_picture(64, 48);
  large_map = host_picture(500, 400);
  for (size_t i = 0; image_packer_get_supported_format(i) != NULL; ++i) {
    const char *format = image_packer_get_supported_format(i);
    options = host_options(format);
    small = host_expected(packer, small_map, options);
    large = host_expected(packer, large_map, options);
    printf("%s: %zu and %zu bytes\n", format, small.size, large.size);
    regular_files();
    if (strcmp(format, "image/jpeg") == 0) profile_without_room();
    if (i == 0) { /* the same for every format: they see the image, not the codec */
      memory_files();
      refused();
      streams();
      stalled();
      in_child(closed_ends, "closed end");
      in_child(waiting_signal, "waiting signal");
      in_child(limited, "limited file size");
    }
    free(small.bytes);
    free(large.bytes);
    image_packing_options_release(options);
  }
  image_pixelmap_release(small_map);
  image_pixelmap_release(large_map);
  image_packer_release(packer);
  unlink(path);
  rmdir(folder);
  return host_end("file contract");
}
