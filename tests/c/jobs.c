/* Jobs: every way of packing in the background, the promises of the handle, cancel, order, memory, fork. */
#include "host.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

static ImagePacker *packer;

/* What a completion callback saw. */
typedef struct {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  int calls;
  ImageStatus status;
  ImageData *data;
  pthread_t thread;
  char message[512];
} End;

static void end_init(End *end) {
  memset(end, 0, sizeof *end);
  pthread_mutex_init(&end->lock, NULL);
  pthread_cond_init(&end->changed, NULL);
}

static void done(void *user, ImageStatus status, ImageData *data) {
  End *end = user;
  pthread_mutex_lock(&end->lock);
  ++end->calls;
  end->status = status;
  end->data = data;
  end->thread = pthread_self();
  snprintf(end->message, sizeof end->message, "%s", image_packer_last_error_message());
  pthread_cond_broadcast(&end->changed);
  pthread_mutex_unlock(&end->lock);
}

static void end_wait(End *end) {
  pthread_mutex_lock(&end->lock);
  while (end->calls == 0) pthread_cond_wait(&end->changed, &end->lock);
  pthread_mutex_unlock(&end->lock);
}

static bool same(ImageData *data, HostBytes want) {
  return image_data_size(data) == want.size && memcmp(image_data_bytes(data), want.bytes, want.size) == 0;
}

static int write_piece(void *user, const uint8_t *bytes, size_t size) {
  HostBytes *all = user;
  all->bytes = realloc(all->bytes, all->size + size);
  NEED(all->bytes != NULL);
  memcpy(all->bytes + all->size, bytes, size);
  all->size += size;
  return 0;
}

/* Every way out, from pixels and from a source; the inputs are gone when the job begins. */
static void ways(void) {
  ImagePixelMap *map = host_picture(120, 80);
  ImagePackingOptions *options = host_options("image/jpeg");
  HostBytes want = host_expected(packer, map, options), want_source, file, written = {NULL, 0};
  ImageSource *source = NULL;
  ImageJob *job = NULL;
  ImageData *data = NULL;
  const char *folder = host_folder();
  char path[4200];
  snprintf(path, sizeof path, "%s/image.jpg", folder);
  NEED(image_source_create_from_copy(want.bytes, want.size, &source) == IMAGE_OK);
  NEED(image_packer_pack_to_data_from_source(packer, source, options, &data) == IMAGE_OK);
  NEED(image_data_take(data, &want_source.bytes, &want_source.size) == IMAGE_OK);

  for (int from_source = 0; from_source < 2; ++from_source) {
    HostBytes expected = from_source ? want_source : want;
    /* With a callback. */
    End end;
    end_init(&end);
    ImageStatus status = from_source
                             ? image_packer_pack_to_data_from_source_async(packer, source, options, done, &end, &job)
                             : image_packer_pack_to_data_async(packer, map, options, done, &end, &job);
    NEED(status == IMAGE_OK);
    CHECK(image_job_wait(job, -1) == IMAGE_OK, "wait");
    CHECK(end.calls == 1 && end.status == IMAGE_OK && same(end.data, expected), "done got the image");
    CHECK(!pthread_equal(end.thread, pthread_self()) && end.message[0] == 0, "a worker without an error");
    CHECK(image_job_take_data(job, &data) == 401, "the callback had it");
    uint32_t progress = 0;
    CHECK(image_job_get_progress(job, &progress) == IMAGE_OK && progress == 1000, "%u of 1000", progress);
    CHECK(image_job_cancel(job) == IMAGE_OK && image_job_wait(job, 0) == IMAGE_OK, "a cancel comes too late");
    image_data_release(end.data);
    CHECK(image_job_release(job) == IMAGE_OK && image_job_release(job) == 401, "released once");

    /* Without one. */
    status = from_source ? image_packer_pack_to_data_from_source_async(packer, source, options, NULL, NULL, &job)
                         : image_packer_pack_to_data_async(packer, map, options, NULL, NULL, &job);
    NEED(status == IMAGE_OK);
    CHECK(image_job_wait(job, 60000) == IMAGE_OK, "wait");
    CHECK(image_job_take_data(job, &data) == IMAGE_OK && same(data, expected), "taken");
    image_data_release(data);
    CHECK(image_job_take_data(job, &data) == 401, "taken once");
    image_job_release(job);

    /* Into a descriptor that is closed at once, into a path, to a writer. */
    int fd = open(path, O_CREAT | O_RDWR | O_TRUNC | O_CLOEXEC, 0600);
    NEED(fd >= 0);
    status = from_source ? image_packer_pack_to_file_from_source_async(packer, source, fd, options, NULL, NULL, &job)
                         : image_packer_pack_to_file_async(packer, map, fd, options, NULL, NULL, &job);
    close(fd);
    CHECK(status == IMAGE_OK && image_job_wait(job, -1) == IMAGE_OK, "to a file");
    file = host_file(path);
    CHECK(file.size == expected.size && memcmp(file.bytes, expected.bytes, file.size) == 0, "the file");
    free(file.bytes);
    image_job_release(job);
    unlink(path);
    status = from_source ? image_packer_pack_to_path_from_source_async(packer, source, path, options, NULL, NULL, &job)
                         : image_packer_pack_to_path_async(packer, map, path, options, NULL, NULL, &job);
    CHECK(status == IMAGE_OK && image_job_wait(job, -1) == IMAGE_OK, "to a path");
    file = host_file(path);
    CHECK(file.size == expected.size && memcmp(file.bytes, expected.bytes, file.size) == 0, "the path");
    free(file.bytes);
    image_job_release(job);
    written.size = 0;
    status = from_source
                 ? image_packer_pack_to_writer_from_source_async(packer, source, write_piece, &written, options, NULL,
                                                                 NULL, &job)
                 : image_packer_pack_to_writer_async(packer, map, write_piece, &written, options, NULL, NULL, &job);
    CHECK(status == IMAGE_OK && image_job_wait(job, -1) == IMAGE_OK, "to a writer");
    CHECK(written.size == expected.size && memcmp(written.bytes, expected.bytes, written.size) == 0, "the writer");
    image_job_release(job);
  }
  unlink(path);
  rmdir(folder);

  /* From a picture: its own codes for errors. */
  ImagePicture *picture = NULL;
  End of_picture;
  end_init(&of_picture);
  NEED(image_picture_create(map, &picture) == IMAGE_OK);
  NEED(image_packer_pack_to_data_from_picture_async(packer, picture, options, done, &of_picture, &job) == IMAGE_OK);
  CHECK(image_job_wait(job, -1) == IMAGE_OK && same(of_picture.data, want), "from a picture");
  image_data_release(of_picture.data);
  image_job_release(job);
  CHECK(
      image_packer_pack_to_path_from_picture_async(packer, picture, "/none/such", options, NULL, NULL, NULL) == 7800301,
      "a picture's code");
  image_picture_release(picture);

  /* An animation. */
  ImageSequenceOptions *animation = NULL;
  ImagePixelMap *frames[2] = {map, map};
  ImageData *still = NULL;
  NEED(image_sequence_options_create("image/webp", 2, &animation) == IMAGE_OK);
  NEED(image_packer_pack_to_data_from_sequence(packer, frames, 2, animation, &still) == IMAGE_OK);
  NEED(image_packer_pack_to_data_from_sequence_async(packer, frames, 2, animation, NULL, NULL, &job) == IMAGE_OK);
  CHECK(image_job_wait(job, -1) == IMAGE_OK && image_job_take_data(job, &data) == IMAGE_OK, "an animation");
  CHECK(image_data_size(data) == image_data_size(still) &&
            memcmp(image_data_bytes(data), image_data_bytes(still), image_data_size(data)) == 0,
        "the same animation");
  image_data_release(data);
  image_data_release(still);
  image_job_release(job);
  image_sequence_options_release(animation);

  /* Neither handle is needed, and every input may go and its place be used again. */
  End end;
  end_init(&end);
  ImagePackingOptions *other = host_options("image/png");
  NEED(image_packer_pack_to_data_async(packer, map, options, done, &end, NULL) == IMAGE_OK);
  image_pixelmap_release(map);
  image_packing_options_release(options);
  map = host_picture(1, 1);
  end_wait(&end);
  CHECK(end.status == IMAGE_OK && same(end.data, want), "the job keeps what it was given");
  image_data_release(end.data);
  image_pixelmap_release(map);
  image_packing_options_release(other);
  image_source_release(source);
  free(want.bytes);
  free(want_source.bytes);
  free(written.bytes);
}

/* A call that fails starts nothing; a job that fails says why, there and here. */
static void mistakes(void) {
  ImagePixelMap *map = host_picture(8, 8);
  ImagePackingOptions *options = host_options("image/png");
  ImageJob *job = (ImageJob *)1;
  ImageData *data = NULL;
  End end;
  end_init(&end);
  CHECK(image_packer_pack_to_data_async(NULL, map, options, done, &end, &job) == 401, "no packer");
  CHECK(image_packer_pack_to_data_async(packer, NULL, options, done, &end, &job) == 401, "no map");
  CHECK(image_packer_pack_to_data_async(packer, map, NULL, done, &end, &job) == 401, "no options");
  CHECK(image_packer_pack_to_data_async(packer, map, options, NULL, NULL, NULL) == 401, "nobody to tell");
  CHECK(image_packer_pack_to_file_async(packer, map, -1, options, done, &end, &job) == 62980115, "no descriptor");
  CHECK(image_packer_pack_to_path_async(packer, map, "/none/such", options, done, &end, &job) == 62980096, "no folder");
  CHECK(image_packer_pack_to_writer_async(packer, map, NULL, NULL, options, done, &end, &job) == 401, "no writer");
  CHECK(end.calls == 0 && job == (ImageJob *)1, "nothing was started or stored");
  CHECK(image_job_wait(NULL, 0) == 401 && image_job_take_data(NULL, &data) == 401, "no job");
  CHECK(image_job_cancel(NULL) == 401 && image_job_release(NULL) == 401, "no job");

  HostBytes good = host_expected(packer, map, options);
  ImageSource *source = NULL;
  NEED(image_source_create_from_copy(good.bytes, good.size - good.size / 3, &source) == IMAGE_OK); /* cut off */
  NEED(image_packer_pack_to_data_from_source_async(packer, source, options, done, &end, &job) == IMAGE_OK);
  CHECK(image_job_wait(job, -1) == 62980101, "the job's status");
  CHECK(end.calls == 1 && end.status == 62980101 && end.data == NULL, "told once");
  CHECK(strcmp(end.message, image_packer_last_error_message()) == 0 && end.message[0], "the same sentence: %s",
        end.message);
  CHECK(image_job_take_data(job, &data) == 62980101, "nothing to take");
  image_job_release(job);
  free(good.bytes);
  image_source_release(source);
  image_pixelmap_release(map);
  image_packing_options_release(options);
}

/* Progress that waits for the test's word. */
typedef struct {
  atomic_int started, go;
  atomic_uint last;
} Gate;

static int32_t gate_progress(void *user, uint32_t permille) {
  Gate *gate = user;
  if (permille < atomic_load(&gate->last)) return 1;
  atomic_store(&gate->last, permille);
  atomic_store(&gate->started, 1);
  while (!atomic_load(&gate->go)) usleep(500);
  return 0;
}

static ImageStatus status_in_callback;
static ImageJob *job_in_callback;
static void waits_inside(void *user, ImageStatus status, ImageData *data) {
  (void)status;
  image_data_release(data);
  status_in_callback = image_job_wait(job_in_callback, 1000);
  atomic_store((atomic_int *)user, 1);
}

static void cancel(void) {
  ImagePixelMap *map = host_picture(700, 500);
  ImagePackingOptions *options = host_options("image/jpeg"), *gated = host_options("image/jpeg");
  Gate gate = {0};
  ImageJob *first = NULL, *second = NULL, *third = NULL;
  End end;
  end_init(&end);
  NEED(image_packer_set_threads(packer, 1) == IMAGE_OK);
  NEED(image_packing_options_set_progress(gated, gate_progress, &gate) == IMAGE_OK);
  NEED(image_packer_pack_to_data_async(packer, map, gated, NULL, NULL, &first) == IMAGE_OK);
  NEED(image_packer_pack_to_data_async(packer, map, options, NULL, NULL, &second) == IMAGE_OK);
  NEED(image_packer_pack_to_data_async(packer, map, options, done, &end, &third) == IMAGE_OK);
  while (!atomic_load(&gate.started)) usleep(500);
  CHECK(image_job_wait(first, 0) == 1002 && image_job_wait(second, 20) == 1002, "they are not ready");
  ImageData *data = NULL;
  CHECK(image_job_take_data(second, &data) == 1002, "nothing to take yet");
  /* One in the queue and one at work. */
  CHECK(image_job_cancel(third) == IMAGE_OK && image_job_cancel(first) == IMAGE_OK, "cancel");
  CHECK(end.calls == 0, "the only thread is busy");
  atomic_store(&gate.go, 1);
  CHECK(image_job_wait(first, -1) == 1001, "stopped at work");
  CHECK(image_packer_last_error_cause() == IMAGE_CAUSE_CANCELLED, "cause");
  CHECK(image_job_wait(third, -1) == 1001 && end.calls == 1 && end.status == 1001, "stopped in the queue");
  CHECK(image_job_wait(second, -1) == IMAGE_OK, "the other one is not touched");
  image_job_release(first);
  image_job_release(second);
  image_job_release(third);

  /* The time of a job, and of a call. */
  NEED(image_packing_options_set_timeout(gated, 30) == IMAGE_OK);
  Gate slow = {0};
  NEED(image_packing_options_set_progress(gated, gate_progress, &slow) == IMAGE_OK);
  NEED(image_packer_pack_to_data_async(packer, map, gated, NULL, NULL, &first) == IMAGE_OK);
  usleep(60000);
  atomic_store(&slow.go, 1);
  CHECK(image_job_wait(first, -1) == 1001 && image_packer_last_error_cause() == IMAGE_CAUSE_TIMED_OUT, "time is over");
  image_job_release(first);

  /* A callback that waits for a job would wait for its own thread. The other job is small: it takes one thread of two.
   */
  ImagePixelMap *small = host_picture(8, 8);
  Gate held = {0};
  atomic_int called = 0;
  NEED(image_packing_options_set_timeout(gated, 0) == IMAGE_OK);
  NEED(image_packing_options_set_progress(gated, gate_progress, &held) == IMAGE_OK);
  NEED(image_packer_set_threads(packer, 2) == IMAGE_OK);
  NEED(image_packer_pack_to_data_async(packer, small, gated, NULL, NULL, &job_in_callback) == IMAGE_OK);
  NEED(image_packer_pack_to_data_async(packer, map, options, waits_inside, &called, NULL) == IMAGE_OK);
  while (!atomic_load(&called)) usleep(500);
  CHECK(status_in_callback == 401, "a wait inside a callback: %d", status_in_callback);
  atomic_store(&held.go, 1);
  CHECK(image_job_wait(job_in_callback, -1) == IMAGE_OK, "the job itself");
  image_job_release(job_in_callback);
  NEED(image_packer_set_threads(packer, 0) == IMAGE_OK);
  image_pixelmap_release(small);
  image_pixelmap_release(map);
  image_packing_options_release(options);
  image_packing_options_release(gated);
}

/* Many jobs of all formats on few threads: right bytes, each end once, and no thread is left. */
static void many(void) {
  enum { JOBS = 200 };
  ImagePacker *own = NULL;
  ImagePixelMap *maps[3] = {host_picture(64, 64), host_picture(90, 130), host_picture(800, 600)};
  ImagePackingOptions *options[8];
  HostBytes want[8][3];
  size_t formats = 0;
  static End ends[JOBS];
  NEED(image_packer_create(&own) == IMAGE_OK);
  NEED(image_packer_set_threads(own, 3) == IMAGE_OK);
  for (size_t i = 0; image_packer_get_supported_format(i) && formats < 8; ++i) {
    if (host_is_foreign(image_packer_get_supported_format(i))) continue;
    options[formats] = host_options(image_packer_get_supported_format(i));
    for (int m = 0; m < 3; ++m) want[formats][m] = host_expected(packer, maps[m], options[formats]);
    ++formats;
  }
  int most = 0;
  CHECK(host_is_alone(), "%d threads while nothing runs", host_threads());
  for (int i = 0; i < JOBS; ++i) {
    end_init(&ends[i]);
    NEED(image_packer_pack_to_data_async(own, maps[i % 7 == 0 ? 2 : i % 2], options[(size_t)i % formats], done,
                                         &ends[i], NULL) == IMAGE_OK);
    int now = host_threads();
    /* One that was joined may be seen for a moment; one too many would stay for longer. */
    for (int look = 0; look < 100 && now > 1 + 3; ++look) {
      usleep(100);
      now = host_threads();
    }
    most = now > most ? now : most;
  }
  for (int i = 0; i < JOBS; ++i) {
    end_wait(&ends[i]);
    CHECK(ends[i].status == IMAGE_OK && same(ends[i].data, want[(size_t)i % formats][i % 7 == 0 ? 2 : i % 2]), "job %d",
          i);
    image_data_release(ends[i].data);
  }
  for (int i = 0; i < JOBS; ++i) CHECK(ends[i].calls == 1, "job %d ended %d times", i, ends[i].calls);
  CHECK(most <= 1 + 3, "%d threads for jobs", most - 1);
  image_packer_release(own);
  CHECK(host_is_alone(), "%d threads after the packer", host_threads());
  for (size_t f = 0; f < formats; ++f) {
    for (int m = 0; m < 3; ++m) free(want[f][m].bytes);
    image_packing_options_release(options[f]);
  }
  for (int m = 0; m < 3; ++m) image_pixelmap_release(maps[m]);
}

/* Jobs wait for memory; one that is too large by itself fails. */
static void memory(void) {
  enum { JOBS = 12 };
  ImagePacker *own = NULL;
  ImagePixelMap *map = host_picture(600, 500);
  ImagePackingOptions *options = host_options("image/png");
  HostBytes want = host_expected(packer, map, options);
  ImageSource *source = NULL;
  ImageJob *jobs[JOBS];
  ImageData *data = NULL;
  NEED(image_source_create_from_copy(want.bytes, want.size, &source) == IMAGE_OK);
  NEED(image_packer_create(&own) == IMAGE_OK);
  NEED(image_packer_set_threads(own, 4) == IMAGE_OK);
  /* The smallest limit that lets one through. */
  uint64_t limit = 1 << 16;
  for (;; limit += limit / 4) {
    NEED(image_packer_set_memory_limit(own, limit) == IMAGE_OK);
    if (image_packer_pack_to_data_from_source(own, source, options, &data) == IMAGE_OK) break;
    NEED(limit < (1 << 28));
  }
  image_data_release(data);
  for (int i = 0; i < JOBS; ++i)
    NEED(image_packer_pack_to_data_from_source_async(own, source, options, NULL, NULL, &jobs[i]) == IMAGE_OK);
  for (int i = 0; i < JOBS; ++i) {
    CHECK(image_job_wait(jobs[i], 60000) == IMAGE_OK, "job %d with room for one at a time", i);
    image_job_release(jobs[i]);
  }
  NEED(image_packer_set_memory_limit(own, 1 << 16) == IMAGE_OK);
  NEED(image_packer_pack_to_data_from_source_async(own, source, options, NULL, NULL, &jobs[0]) == IMAGE_OK);
  CHECK(image_job_wait(jobs[0], 60000) == 62980096 && image_packer_last_error_cause() == IMAGE_CAUSE_LIMIT,
        "too large");
  image_job_release(jobs[0]);
  /* What an open sequence holds may be held for ever: that is not waited for. */
  ImageSequenceOptions *frames = NULL;
  ImageSequence *sequence = NULL;
  NEED(image_packer_set_memory_limit(own, 0) == IMAGE_OK);
  NEED(image_sequence_options_create("image/gif", 0, &frames) == IMAGE_OK);
  NEED(image_sequence_begin(own, frames, &sequence) == IMAGE_OK);
  NEED(image_sequence_add_frame(sequence, map, 10, 1) == IMAGE_OK);
  NEED(image_packer_set_memory_limit(own, limit) == IMAGE_OK);
  for (int open = 1; open >= 0; --open) {
    NEED(image_packer_pack_to_data_from_source_async(own, source, options, NULL, NULL, &jobs[0]) == IMAGE_OK);
    CHECK(image_job_wait(jobs[0], 60000) == (open ? 62980096 : IMAGE_OK), "beside %d open sequences", open);
    image_job_release(jobs[0]);
    if (open) image_sequence_release(sequence);
  }
  image_sequence_options_release(frames);
  image_packer_release(own);
  image_source_release(source);
  image_pixelmap_release(map);
  image_packing_options_release(options);
  free(want.bytes);
}

/* A child forked while jobs run has a packer that works, and jobs that are not its own. */
static void forks(void) {
  ImagePixelMap *map = host_picture(300, 200);
  ImagePackingOptions *options = host_options("image/jpeg");
  HostBytes want = host_expected(packer, map, options);
  NEED(image_packer_set_threads(packer, 3) == IMAGE_OK);
  NEED(image_packer_set_memory_limit(packer, 1 << 26) == IMAGE_OK);
  int failed = 0;
  for (int round = 0; round < 150 && failed < 3; ++round) {
    ImageJob *jobs[4];
    for (int i = 0; i < 4; ++i)
      NEED(image_packer_pack_to_data_async(packer, map, options, NULL, NULL, &jobs[i]) == IMAGE_OK);
    if (round % 3 == 1) usleep(300);
    pid_t child = fork();
    NEED(child >= 0);
    if (child == 0) {
      ImageJob *own = NULL;
      ImageData *data = NULL;
      alarm(60);
      if (image_job_wait(jobs[0], -1) != 401 || image_job_cancel(jobs[1]) != 401) _exit(2);
      image_job_release(jobs[2]);
      if (image_packer_pack_to_data_async(packer, map, options, NULL, NULL, &own) != IMAGE_OK) _exit(3);
      if (image_job_wait(own, -1) != IMAGE_OK || image_job_take_data(own, &data) != IMAGE_OK) _exit(4);
      bool right = same(data, want);
      image_data_release(data);
      image_job_release(own);
      if (image_packer_release(packer) != IMAGE_OK) _exit(5);
      _exit(right ? 0 : 6);
    }
    int status = 0;
    NEED(waitpid(child, &status, 0) == child);
    bool well = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    CHECK(well, "child %d: status %x", round, status);
    failed += !well;
    for (int i = 0; i < 4; ++i) {
      CHECK(image_job_wait(jobs[i], -1) == IMAGE_OK, "the parent's job %d", i);
      image_job_release(jobs[i]);
    }
  }
  NEED(image_packer_set_memory_limit(packer, 0) == IMAGE_OK);
  image_pixelmap_release(map);
  image_packing_options_release(options);
  free(want.bytes);
}

int main(void) {
  NEED(image_packer_create(&packer) == IMAGE_OK);
  ways();
  mistakes();
  cancel();
  many();
  memory();
#ifndef __SANITIZE_ADDRESS__ /* whose own locks a child of many threads may inherit */
  forks();
#else
  (void)forks;
#endif
  /* A packer may go before its jobs. */
  ImagePixelMap *map = host_picture(500, 400);
  ImagePackingOptions *options = host_options("image/webp");
  ImageJob *job = NULL;
  NEED(image_packer_pack_to_data_async(packer, map, options, NULL, NULL, &job) == IMAGE_OK);
  CHECK(image_packer_release(packer) == IMAGE_OK, "released before its job");
  image_pixelmap_release(map);
  image_packing_options_release(options);
  CHECK(image_job_wait(job, -1) == IMAGE_OK, "the job goes on");
  image_job_release(job);
  CHECK(host_is_alone(), "%d threads are left", host_threads());
  return host_end("jobs");
}
