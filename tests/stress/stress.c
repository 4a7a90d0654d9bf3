/* Calls every function of the header from several threads with random arguments: valid ones, hostile ones, handles that
 * are of another type, released, or just being released by another thread. calls.py writes the calls.
 *
 * stress SEED CALLS IMAGES BLOCKS: the seed (0: a new one), the number of calls, a folder of encoded images and one of
 * metadata and profiles. Broken: an error without a message, a bug, a status that is not the last error's, a result
 * written by a call that failed, a callback that does not come or comes twice, and, when everything has been released,
 * a thread, a descriptor or a scratch file that is left. A call that never ends is a crash. */
#include "../c/host.h"
#include "stress.h"

#include <dirent.h>
#include <ftw.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

enum { THREADS = 4, MOST_FILES = 400, MOST_SECONDS = 100 };
#define MOST_MEMORY ((rlim_t)6 << 30)

static uint64_t seed;
static bool ending; /* callbacks call nothing any more */

/* Says what is broken in the call that this thread is in. */
static __thread const char *calling = "";
#define BROKEN(...)                                          \
  do {                                                       \
    fprintf(stderr, "%s(): ", calling);                      \
    fprintf(stderr, __VA_ARGS__);                            \
    fputc('\n', stderr);                                     \
    __atomic_add_fetch(&host_failures, 1, __ATOMIC_SEQ_CST); \
  } while (0)

static void owing(size_t *debt, size_t sign) { __atomic_add_fetch(debt, sign, __ATOMIC_SEQ_CST); }

/* --- chance ------------------------------------------------------------------------------------------------------- */

static __thread uint64_t state;

/* Each thread has numbers of its own; the library's come here from callbacks. */
static void begin_numbers(void) {
  static uint64_t threads;
  state = seed + __atomic_add_fetch(&threads, 1, __ATOMIC_SEQ_CST) * UINT64_C(0x9E3779B97F4A7C15);
}

size_t below(size_t limit) {
  if (state == 0) begin_numbers();
  state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return limit == 0 ? 0 : (size_t)(state >> 33) % limit;
}

bool given(void) { return below(20) != 0; }

int32_t one_of(const int32_t *values, size_t count) { return below(12) ? values[below(count)] : (int32_t)number(2000); }

int64_t number(int64_t most) {
  static const int64_t hostile[] = {0,         -1,        -2,         255,       256,       65535,     65536,
                                    INT32_MAX, INT32_MIN, UINT32_MAX, 1ll << 32, INT64_MAX, INT64_MIN, INT64_MAX / 2,
                                    1ll << 62, 1000000};
  return below(6) ? (int64_t)below((size_t)most + 1) : hostile[below(sizeof hostile / sizeof *hostile)];
}

uint32_t any_side(void) {
  static const uint32_t hostile[] = {0, 16383, 16384, 65500, 65535, 65536, INT32_MAX, 1u << 31, UINT32_MAX};
  if (below(100) == 0) return hostile[below(sizeof hostile / sizeof *hostile)];
  return 1 + (uint32_t)below(below(10) ? 64 : 300);
}

double real(void) {
  static const double hostile[] = {NAN, INFINITY, -INFINITY, 1e308, 1e-320, -1, 0, 1};
  if (below(3) == 0) return hostile[below(sizeof hostile / sizeof *hostile)];
  return (double)below(4000) / 16 - (below(3) ? 0 : 125);
}

double gain(void) { return below(60) ? (double)(1 + below(32)) / 16 : real(); }

size_t some_size(void) { return below(3) ? READABLE : below(READABLE + 1); }

/* A callback may hold what a job waits for: there nobody waits for ever. */
static __thread int depth;
int64_t patience(void) { return depth == 0 && below(4) == 0 ? -1 : (int64_t)below(100); }

/* --- arguments ---------------------------------------------------------------------------------------------------- */

static Bytes images[MOST_FILES], blocks[MOST_FILES];
static size_t image_count, block_count;
__thread const Bytes *file, *block;

static uint8_t noise[READABLE];

/* The last bytes of `noise`, so that one more is not readable. */
const void *readable(size_t size) { return given() ? noise + (READABLE - size) : NULL; }

void *writable(size_t size) {
  uint8_t *buffer = given() ? malloc(size) : NULL;
  if (buffer != NULL) memset(buffer, UNTOUCHED, size);
  return buffer;
}

static char long_text[70000];

const char *any_text(void) {
  static const char *texts[] = {"",
                                "\xff\xfe",
                                "/",
                                "a/b",
                                "..",
                                "a",
                                "b.png",
                                "out",
                                "jpg",
                                "%s%n%d",
                                "0",
                                "1",
                                "2",
                                "-1",
                                "100",
                                "nan",
                                "1e999",
                                "99999999999999999999",
                                "true",
                                "false",
                                "signal",
                                "2024:05:06 07:08:09",
                                "2024:13:06 07:08:09",
                                long_text,
                                NULL};
  return texts[below(sizeof texts / sizeof *texts)];
}

const char *any_format(void) {
  const char *known = image_packer_get_supported_format(below(8));
  return known != NULL && below(12) ? known : below(2) ? "image/apng" : any_text();
}

/* The name before the colon. */
const char *any_setting(void) {
  static __thread char name[64];
  const char *known = image_packer_get_setting(any_format(), below(12));
  if (known == NULL || below(12) == 0) return any_text();
  snprintf(name, sizeof name, "%.*s", (int)strcspn(known, ":"), known);
  return name;
}

/* Paths are relative: whatever is written is in the test's own folder. */
const char *any_path(void) {
  static const char *paths[] = {"a", "b", "c", ".", "..", "link", "fifo", "none/x", "folder", "/dev/full"};
  return below(20) ? paths[below(sizeof paths / sizeof *paths)] : any_text();
}

static int descriptors[16];
static size_t descriptor_count;
int any_descriptor(void) {
  static const int hostile[] = {-1, INT32_MIN, INT32_MAX, 900, 1000000};
  return below(20) ? descriptors[below(descriptor_count)] : hostile[below(sizeof hostile / sizeof *hostile)];
}

void *take(Pool *pool) {
  switch (below(80)) {
    case 0:
      return NULL;
    case 1:
      return (void *)(uintptr_t)(below(SIZE_MAX) | 1);
    case 2:
      return (void *)"text";
    case 3:
      pool = pools[below(pool_count)];
  }
  return __atomic_load_n(&pool->handles[below(POOL)], __ATOMIC_SEQ_CST);
}

/* --- DLPack, version 1 and before --------------------------------------------------------------------------------- */

typedef struct {
  void *data;
  struct {
    int32_t type, number;
  } device;
  int32_t dimensions;
  struct {
    uint8_t code, bits;
    uint16_t lanes;
  } type;
  int64_t *shape, *strides;
  uint64_t offset;
} DLTensor;

typedef struct DLManagedTensor {
  DLTensor tensor;
  void *context;
  void (*deleter)(struct DLManagedTensor *);
  int64_t shape[4];
} DLManagedTensor;

typedef struct DLManagedTensorVersioned {
  uint32_t major, minor;
  void *context;
  void (*deleter)(struct DLManagedTensorVersioned *);
  uint64_t flags;
  DLTensor tensor;
  int64_t shape[4];
} DLManagedTensorVersioned;

static size_t tensors;

static void forget_legacy(DLManagedTensor *managed) {
  owing(&tensors, (size_t)-1);
  free(managed);
}

static void forget(DLManagedTensorVersioned *managed) {
  owing(&tensors, (size_t)-1);
  free(managed);
}

/* 8-bit numbers that `noise` has, mostly. */
static void fill(DLTensor *tensor, int64_t *shape) {
  static const uint8_t codes[] = {0, 1, 2, 4};
  static const int64_t empty[] = {0, -1, INT32_MIN, INT64_MIN};
  owe(&tensors);
  /* A tensor of DLPack says no size: what its shape promises has to be there. */
  for (int i = 0; i < 4; ++i) shape[i] = below(30) ? 1 + (int64_t)below(11) : empty[below(4)];
  if (below(2)) shape[3] = 3;
  *tensor = (DLTensor){noise,
                       {given() ? 1 : (int32_t)number(3), 0},
                       (int32_t)(given() ? 2 + (int64_t)below(3) : number(4)),
                       {1, 8, 1},
                       shape,
                       NULL,
                       0};
  if (below(4) == 0) tensor->type.code = codes[below(4)], tensor->type.bits = (uint8_t)(8 << below(3));
}

void *dlpack_legacy(void) {
  DLManagedTensor *managed = calloc(1, sizeof *managed);
  managed->deleter = forget_legacy;
  fill(&managed->tensor, managed->shape);
  return managed;
}

void *dlpack(void) {
  DLManagedTensorVersioned *managed = calloc(1, sizeof *managed);
  managed->major = given() ? 1 : (uint32_t)number(2);
  managed->deleter = forget;
  fill(&managed->tensor, managed->shape);
  return managed;
}

/* --- what came back ----------------------------------------------------------------------------------------------- */

size_t releases, dones;
void owe(size_t *debt) { owing(debt, 1); }

void answered(ImageStatus status) {
  const char *message = image_packer_last_error_message();
  if (status == IMAGE_OK) return;
  ImageErrorCause cause = image_packer_last_error_cause();
  if (cause == IMAGE_CAUSE_BUG || cause == IMAGE_CAUSE_NONE)
    BROKEN("status %d of cause %d: %s", status, cause, message);
  if (message[0] == 0) BROKEN("status %d without a message", status);
  if (image_packer_last_error_status() != status) {
    BROKEN("status %d, but the last error is %d: %s", status, image_packer_last_error_status(), message);
  }
}

static bool is_untouched(const void *place, size_t size) {
  const uint8_t *bytes = place;
  for (size_t i = 0; i < size; ++i) {
    if (bytes[i] != UNTOUCHED) return false;
  }
  return true;
}

void untouched(const void *place, size_t size) {
  if (!is_untouched(place, size)) BROKEN("failed and wrote a result [%s]", image_packer_last_error_message());
}

void written(ImageStatus status, void *buffer, size_t size) {
  if (status != IMAGE_OK && buffer != NULL) untouched(buffer, size);
  free(buffer);
}

void legible(const char *text) {
  if (text != NULL && strlen(text) > 4096) BROKEN("%zu bytes of text", strlen(text));
}

/* A new handle, or a place for one that nothing was written to. What it takes the place of is released. */
void keep(Pool *pool, void *handle) {
  if (handle == NULL || is_untouched(&handle, sizeof handle)) return;
  /* Nothing takes minutes. */
  if (pool == &pool_ImagePackingOptions) image_packing_options_set_timeout(handle, 1000);
  if (pool == &pool_ImageSequenceOptions) image_sequence_options_set_timeout(handle, 1000);
  if (pool == &pool_ImagePacker) image_packer_set_max_pixels(handle, 1 << 20);
  void *old = __atomic_exchange_n(&pool->handles[below(POOL)], handle, __ATOMIC_SEQ_CST);
  if (old != NULL) pool->release(old);
}

/* --- calls, and callbacks, which may call too --------------------------------------------------------------------- */

static size_t total_weight;

static void any_call(void) {
  size_t at = below(total_weight), i = 0;
  while (at >= calls[i].weight) at -= calls[i++].weight;
  const char *outer = calling;
  const Bytes *outer_file = file, *outer_block = block;
  calling = calls[i].name;
  file = &images[below(image_count)];
  block = &blocks[below(block_count)];
  calls[i].call();
  calling = outer, file = outer_file, block = outer_block;
}

static void maybe_call(void) {
  if (depth > 0 || below(20) || __atomic_load_n(&ending, __ATOMIC_SEQ_CST)) return;
  ++depth;
  any_call();
  --depth;
}

void on_done(void *user, ImageStatus status, ImageData *data) {
  (void)user;
  owing(&dones, (size_t)-1);
  if (status != IMAGE_OK && data != NULL) BROKEN("a job that failed with %d has data", status);
  maybe_call();
  if (data != NULL) image_data_release(data);
}

void on_item(void *user, size_t index, ImageStatus status, ImageData *data) {
  (void)user, (void)index;
  if (status != IMAGE_OK && data != NULL) BROKEN("image %zu failed with %d and has data", index, status);
  maybe_call();
  if (data != NULL) image_data_release(data);
}

void on_log(void *user, int32_t level, const char *line) {
  (void)user;
  if (level < 1 || level > 4 || strlen(line) == 0) BROKEN("a line of level %d for the log: %s", level, line);
}

int32_t on_progress(void *user, uint32_t done) {
  (void)user;
  if (done > 1000) BROKEN("%u of 1000 are done", done);
  maybe_call();
  return below(300) == 0;
}

int32_t on_read(void *user, uint64_t offset, uint8_t *buffer, size_t capacity, size_t *size) {
  const Bytes *image = &images[(uintptr_t)user % image_count];
  if (below(200) == 0) return -1;
  *size = offset < image->size ? image->size - (size_t)offset : 0;
  if (*size > capacity) *size = capacity;
  if (*size > 0 && below(50) == 0) *size = 1 + below(*size);
  if (*size > 0) memcpy(buffer, image->bytes + offset, *size);
  if (below(300) == 0) *size = capacity + 1 + below(1000000);
  return 0;
}

void on_release(void *user) {
  (void)user;
  owing(&releases, (size_t)-1);
}

int32_t on_write(void *user, const uint8_t *bytes, size_t size) {
  volatile uint8_t seen = 0;
  (void)user;
  for (size_t i = 0; i < size; i += 61) seen ^= bytes[i];
  maybe_call();
  return below(40) == 0;
}

/* --- the world ---------------------------------------------------------------------------------------------------- */

static Bytes part(const uint8_t *bytes, size_t size) {
  Bytes copy = {malloc(size), size};
  NEED(copy.bytes != NULL);
  memcpy(copy.bytes, bytes, size);
  return copy;
}

/* Each file without its first `skip` bytes, as it is, cut, and with some bytes changed. */
static void load(const char *folder, size_t skip, Bytes *files, size_t *count) {
  struct dirent **names;
  int found = scandir(folder, &names, NULL, alphasort);
  for (int i = 0; i < found; ++i) {
    char name[4096];
    snprintf(name, sizeof name, "%s/%s", folder, names[i]->d_name);
    HostBytes all = names[i]->d_name[0] == '.' ? (HostBytes){NULL, 0} : host_file(name);
    if (all.size > skip && *count + 3 <= MOST_FILES) {
      Bytes whole = files[(*count)++] = part(all.bytes + skip, all.size - skip);
      files[(*count)++] = part(whole.bytes, below(whole.size));
      Bytes changed = files[(*count)++] = part(whole.bytes, whole.size);
      for (int change = 0; change < 4; ++change)
        changed.bytes[below(below(2) ? changed.size : 1 + changed.size / 16)] = (uint8_t)below(256);
    }
    free(all.bytes);
    free(names[i]);
  }
  NEED(found > 0 && *count > 0);
  free(names);
}

/* A child that reads pipes and sockets to their ends. */
static void drain(int *ends, nfds_t count) {
  static char bytes[1 << 16];
  struct pollfd polled[4];
  for (nfds_t i = 0; i < count; ++i) polled[i] = (struct pollfd){ends[i], POLLIN, 0};
  for (nfds_t open = count; open > 0;) {
    if (poll(polled, count, -1) < 0) break;
    for (nfds_t i = 0; i < count; ++i) {
      if (polled[i].revents == 0 || read(polled[i].fd, bytes, sizeof bytes) > 0) continue;
      polled[i].fd = -1, --open;
    }
  }
  _exit(0);
}

static void add(int fd) {
  NEED(fd >= 0);
  descriptors[descriptor_count++] = fd;
}

static void open_descriptors(void) {
  int slow[2], nonblocking[2], closed[2], sockets[2];
  NEED(pipe(slow) == 0 && pipe(nonblocking) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0);
  pid_t child = fork();
  NEED(child >= 0);
  if (child == 0) {
    close(slow[1]), close(nonblocking[1]), close(sockets[0]);
    drain((int[]){slow[0], nonblocking[0], sockets[1]}, 3);
  }
  NEED(pipe(closed) == 0);
  close(slow[0]), close(nonblocking[0]), close(closed[0]), close(sockets[1]);
  NEED(fcntl(nonblocking[1], F_SETFL, O_NONBLOCK) == 0);
  add(slow[1]), add(nonblocking[1]), add(closed[1]), add(sockets[0]);
  add(open("/dev/full", O_RDWR)), add(open("/dev/null", O_RDWR));
  add(open("a", O_CREAT | O_RDWR, 0600)), add(open("b", O_CREAT | O_RDWR | O_APPEND, 0600));
  add(open("c", O_CREAT | O_WRONLY, 0600)), add(open("a", O_RDONLY));
  add(open(".", O_RDONLY)), add(open(".", O_PATH));
}

static int descriptors_open(void) {
  int count = 0;
  DIR *folder = opendir("/proc/self/fd");
  if (folder == NULL) return 0;
  while (readdir(folder) != NULL) ++count;
  closedir(folder);
  return count;
}

static int removed(const char *name, const struct stat *status, int type, struct FTW *walk) {
  (void)status, (void)type;
  if (strstr(name, ".image_packer-") != NULL) CHECK(false, "%s is left behind", name);
  if (walk->level > 0) remove(name);
  return 0;
}

/* --- the run ------------------------------------------------------------------------------------------------------ */

static struct {
  const char **calling;
  size_t done;
} progress[THREADS];
static const char *nothing = "nothing";
static size_t calls_each;

static void *work(void *user) {
  size_t number = (size_t)user;
  begin_numbers();
  progress[number].calling = &calling;
  for (size_t i = 0; i < calls_each; ++i) {
    any_call();
    __atomic_store_n(&progress[number].done, i + 1, __ATOMIC_SEQ_CST);
  }
  progress[number].calling = &nothing;
  return NULL;
}

static void short_sleep(void) { nanosleep(&(struct timespec){0, 20000000}, NULL); }

/* Waits for the calls; ends the process when one takes too long. */
static void watch(void) {
  size_t last = 0, sum = 0;
  for (time_t since = time(NULL); sum < calls_each * THREADS; short_sleep()) {
    sum = 0;
    for (size_t i = 0; i < THREADS; ++i) sum += __atomic_load_n(&progress[i].done, __ATOMIC_SEQ_CST);
    if (sum != last) last = sum, since = time(NULL);
    if (time(NULL) - since < MOST_SECONDS) continue;
    for (size_t i = 0; i < THREADS; ++i) fprintf(stderr, "thread %zu hangs in %s()\n", i, *progress[i].calling);
    abort();
  }
}

/* Waits until nothing is owed and nothing is left, but not for ever. */
static void settle(int descriptors_before, int threads_before) {
  for (time_t since = time(NULL); time(NULL) - since < MOST_SECONDS; short_sleep()) {
    if (releases == 0 && dones == 0 && descriptors_open() == descriptors_before && host_threads() == threads_before)
      break;
  }
  CHECK(releases == 0, "%zd release callbacks have not come", (ssize_t)releases);
  CHECK(dones == 0, "%zd jobs have not told their end", (ssize_t)dones);
  CHECK(tensors == 0, "%zd tensors of DLPack have not been deleted", (ssize_t)tensors);
  CHECK(descriptors_open() == descriptors_before, "%d descriptors more", descriptors_open() - descriptors_before);
  CHECK(host_threads() == threads_before, "%d threads more", host_threads() - threads_before);
}

int main(int argc, char **argv) {
  NEED(argc == 5);
  seed = strtoull(argv[1], NULL, 10);
  if (seed == 0) seed = (uint64_t)time(NULL) << 16 ^ (uint64_t)getpid();
  calls_each = strtoull(argv[2], NULL, 10) / THREADS;
  printf("seed %llu, %d threads\n", (unsigned long long)seed, THREADS);
  fflush(stdout);
  load(argv[3], 0, images, &image_count);
  load(argv[4], 1, blocks, &block_count);
  memset(long_text, 'x', sizeof long_text - 1);
  for (size_t i = 0; i < READABLE; ++i) noise[i] = (uint8_t)below(256);
  for (size_t i = 0; i < call_count; ++i) total_weight += calls[i].weight;

  /* Even ".." is the test's own. */
  char folder[4200];
  snprintf(folder, sizeof folder, "%s/inner", host_folder());
  NEED(mkdir(folder, 0700) == 0 && chdir(folder) == 0 && mkdir("folder", 0700) == 0);
  NEED(mkfifo("fifo", 0600) == 0 && symlink("c", "link") == 0);
  open_descriptors();
#ifndef __SANITIZE_ADDRESS__ /* which reserves more than any limit */
  NEED(setrlimit(RLIMIT_AS, &(struct rlimit){MOST_MEMORY, MOST_MEMORY}) == 0);
#endif
  int descriptors_before = descriptors_open(), threads_before = host_threads();

  pthread_t threads[THREADS];
  for (size_t i = 0; i < THREADS; ++i) progress[i].calling = &nothing;
  for (size_t i = 0; i < THREADS; ++i) NEED(pthread_create(&threads[i], NULL, work, (void *)i) == 0);
  watch();
  for (size_t i = 0; i < THREADS; ++i) NEED(pthread_join(threads[i], NULL) == 0);
  __atomic_store_n(&ending, true, __ATOMIC_SEQ_CST);
  for (size_t i = 0; i < pool_count; ++i) {
    for (size_t slot = 0; slot < POOL; ++slot) {
      if (pools[i]->handles[slot] != NULL) pools[i]->release(pools[i]->handles[slot]);
    }
  }
  settle(descriptors_before, threads_before);

  for (size_t i = 0; i < image_count; ++i) free(images[i].bytes);
  for (size_t i = 0; i < block_count; ++i) free(blocks[i].bytes);
  NEED(chdir("/") == 0);
  *strrchr(folder, '/') = 0;
  NEED(nftw(folder, removed, 8, FTW_DEPTH | FTW_PHYS) == 0);
  rmdir(folder);
  host_cases = (int)(calls_each * THREADS);
  return host_end("stress");
}
