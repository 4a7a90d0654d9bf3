/* Sequences in the background and in trouble: every way out gives the same bytes, a bad frame in the middle leaves no
 * trace in a file, a stream that has failed, ended or been cancelled says so, and one call at a time is let in. */
#include "host.h"

#include <pthread.h>
#include <stdatomic.h>

enum { FRAMES = 6, WIDTH = 40, HEIGHT = 30 };

static ImagePacker *packer;
static ImagePixelMap *maps[FRAMES];
static char folder[4096], path[4200];
static const char OLD[] = "what was there before";

static const char *animated(size_t index) {
  for (size_t i = 0;; ++i) {
    const char *format = image_packer_get_supported_format(i);
    if (format == NULL) return NULL;
    if ((image_packer_get_format_features(format) & IMAGE_FORMAT_ANIMATION) && index-- == 0) return format;
  }
}

static ImagePixelMap *frame(int number) {
  static uint8_t pixels[WIDTH * HEIGHT * 3];
  ImagePixelMap *map = NULL;
  for (int i = 0; i < WIDTH * HEIGHT; ++i) {
    pixels[3 * i] = (uint8_t)(i % WIDTH * 5 + number * 20), pixels[3 * i + 1] = (uint8_t)(i / WIDTH * 8);
    pixels[3 * i + 2] = (uint8_t)(number * 40);
  }
  NEED(image_pixelmap_create_from_copy(WIDTH, HEIGHT, IMAGE_PIXEL_FORMAT_RGB_888, pixels, sizeof pixels, 0, &map) ==
       IMAGE_OK);
  return map;
}

static ImageSequenceOptions *options_for(const char *format, uint32_t count) {
  ImageSequenceOptions *options = NULL;
  NEED(image_sequence_options_create(format, count, &options) == IMAGE_OK);
  NEED(image_sequence_options_set_effort(options, 2) == IMAGE_OK);
  return options;
}

static HostBytes taken(ImageData *data) {
  HostBytes bytes = {NULL, 0};
  NEED(image_data_take(data, &bytes.bytes, &bytes.size) == IMAGE_OK);
  return bytes;
}

static bool equal(HostBytes a, HostBytes b) { return a.size == b.size && memcmp(a.bytes, b.bytes, a.size) == 0; }

/* Whether the file holds this, and nothing of ours lies beside it. */
static bool file_is(HostBytes want) {
  HostBytes file = host_file(path);
  bool right = file.bytes != NULL && equal(file, want);
  free(file.bytes);
  return right;
}

static void old_file(void) {
  FILE *file = fopen(path, "wb");
  NEED(file != NULL && fwrite(OLD, sizeof OLD, 1, file) == 1 && fclose(file) == 0);
}

static bool is_old(void) {
  HostBytes old = {(uint8_t *)OLD, sizeof OLD};
  return file_is(old);
}

static int32_t collect(void *user, const uint8_t *bytes, size_t size) {
  HostBytes *all = user;
  all->bytes = realloc(all->bytes, all->size + size);
  NEED(all->bytes != NULL);
  memcpy(all->bytes + all->size, bytes, size);
  all->size += size;
  return 0;
}

typedef struct {
  atomic_int calls;
  ImageStatus status;
  ImageData *data;
  char message[300];
} End;

static void done(void *user, ImageStatus status, ImageData *data) {
  End *end = user;
  end->status = status;
  end->data = data;
  snprintf(end->message, sizeof end->message, "%s", image_packer_last_error_message());
  atomic_fetch_add(&end->calls, 1);
}

static void end_job(ImageJob *job, const char *what) {
  uint32_t progress = 0;
  CHECK(image_job_wait(job, 60000) == IMAGE_OK, "%s", what);
  CHECK(image_job_get_progress(job, &progress) == IMAGE_OK && progress == 1000, "%s: %u", what, (unsigned)progress);
  CHECK(image_job_release(job) == IMAGE_OK, "%s", what);
}

/* Every way out in the background, from pixel maps and from a source; what was passed is gone when the job begins. */
static void ways(const char *format) {
  ImageSequenceOptions *options = options_for(format, FRAMES);
  ImageData *data = NULL;
  ImageSource *source = NULL;
  HostBytes want[2];
  NEED(image_packer_pack_to_data_from_sequence(packer, maps, FRAMES, options, &data) == IMAGE_OK);
  want[0] = taken(data);
  NEED(image_source_create_from_copy(want[0].bytes, want[0].size, &source) == IMAGE_OK);
  NEED(image_packer_pack_to_data_from_source_sequence(packer, source, options, &data) == IMAGE_OK);
  want[1] = taken(data);
  image_source_release(source);
  for (int from = 0; from < 2; ++from)
    for (int way = 0; way < 5; ++way) {
      ImageJob *job = NULL;
      ImageSequenceOptions *own = options_for(format, FRAMES);
      ImagePixelMap **list = malloc(sizeof maps);
      HostBytes written = {NULL, 0};
      End end = {0};
      int fd = open(path, O_CREAT | O_RDWR | O_TRUNC | O_CLOEXEC, 0600);
      NEED(list != NULL && fd >= 0);
      for (int i = 0; i < FRAMES; ++i) list[i] = frame(i);
      NEED(image_source_create_from_copy(want[0].bytes, want[0].size, &source) == IMAGE_OK);
      ImageStatus status = -1;
      switch (way * 2 + from) {
        case 0:
          status = image_packer_pack_to_data_from_sequence_async(packer, list, FRAMES, own, done, &end, &job);
          break;
        case 1:
          status = image_packer_pack_to_data_from_source_sequence_async(packer, source, own, done, &end, &job);
          break;
        case 2:
          status = image_packer_pack_to_data_from_sequence_async(packer, list, FRAMES, own, NULL, NULL, &job);
          break;
        case 3:
          status = image_packer_pack_to_data_from_source_sequence_async(packer, source, own, NULL, NULL, &job);
          break;
        case 4:
          status = image_packer_pack_to_file_from_sequence_async(packer, list, FRAMES, fd, own, done, &end, &job);
          break;
        case 5:
          status = image_packer_pack_to_file_from_source_sequence_async(packer, source, fd, own, done, &end, &job);
          break;
        case 6:
          status = image_packer_pack_to_path_from_sequence_async(packer, list, FRAMES, path, own, done, &end, &job);
          break;
        case 7:
          status = image_packer_pack_to_path_from_source_sequence_async(packer, source, path, own, done, &end, &job);
          break;
        case 8:
          status = image_packer_pack_to_writer_from_sequence_async(packer, list, FRAMES, collect, &written, own, done,
                                                                   &end, &job);
          break;
        default:
          status = image_packer_pack_to_writer_from_source_sequence_async(packer, source, collect, &written, own, done,
                                                                          &end, &job);
      }
      CHECK(status == IMAGE_OK, "%s, way %d", format, way);
      close(fd);
      for (int i = 0; i < FRAMES; ++i) image_pixelmap_release(list[i]);
      memset(list, 0x5A, sizeof maps);
      free(list);
      image_sequence_options_release(own);
      image_source_release(source);
      if (way == 1) {
        CHECK(image_job_wait(job, 60000) == IMAGE_OK && image_job_take_data(job, &data) == IMAGE_OK, "%s", format);
        written = taken(data);
      }
      end_job(job, format);
      CHECK(atomic_load(&end.calls) == (way != 1), "%s, way %d: ended %d times", format, way, atomic_load(&end.calls));
      CHECK(end.status == IMAGE_OK && (end.data != NULL) == (way == 0), "%s, way %d", format, way);
      if (way == 0) written = taken(end.data);
      if (way == 2 || way == 3) written = host_file(path);
      CHECK(written.bytes != NULL && equal(written, want[from]), "%s, way %d from %d: other bytes", format, way, from);
      free(written.bytes);
      unlink(path);
    }
  free(want[0].bytes);
  free(want[1].bytes);
  image_sequence_options_release(options);
}

/* A call that fails starts nothing; one that fails later says it once, in the words of sequences. */
static void mistakes(const char *format) {
  ImageSequenceOptions *options = options_for(format, FRAMES);
  ImagePixelMap *wide = NULL, *list[3] = {maps[0], NULL, maps[2]};
  ImageJob *job = NULL;
  End end = {0};
  CHECK(image_packer_pack_to_data_from_sequence_async(packer, list, 3, options, done, &end, &job) == 401, "NULL frame");
  CHECK(image_packer_pack_to_data_from_sequence_async(packer, NULL, 3, options, done, &end, &job) == 401, "NULL list");
  CHECK(image_packer_pack_to_data_from_sequence_async(packer, list, 0, options, done, &end, &job) == 401, "no frames");
  CHECK(image_packer_pack_to_data_from_sequence_async(packer, maps, 2, options, NULL, NULL, NULL) == 401, "for nobody");
  CHECK(image_packer_pack_to_file_from_sequence_async(packer, maps, 2, -1, options, done, &end, &job) == 401, "fd");
  CHECK(image_packer_pack_to_path_from_sequence_async(packer, maps, 2, NULL, options, done, &end, &job) == 401, "path");
  CHECK(image_packer_pack_to_writer_from_sequence_async(packer, maps, 2, NULL, NULL, options, done, &end, &job) == 401,
        "writer");
  CHECK(end.calls == 0 && job == NULL, "a call that fails calls nothing back");
  static uint8_t line[70000];
  NEED(image_pixelmap_create_borrowed(sizeof line, 1, IMAGE_PIXEL_FORMAT_GRAY_8, line, sizeof line, 0, NULL, NULL,
                                      &wide) == IMAGE_OK);
  list[0] = list[1] = list[2] = wide;
  NEED(image_packer_set_max_pixels(packer, 60000) == IMAGE_OK);
  CHECK(image_packer_pack_to_data_from_sequence_async(packer, list, 3, options, done, &end, &job) == IMAGE_OK, "%s",
        format);
  CHECK(image_job_wait(job, -1) == 7800301 && image_packer_last_error_cause() == IMAGE_CAUSE_LIMIT, "%s", format);
  CHECK(end.calls == 1 && end.status == 7800301 && end.data == NULL, "%s: ended %d times", format, end.calls);
  CHECK(strstr(end.message, "70000") != NULL, "%s: %s", format, end.message);
  NEED(image_packer_set_max_pixels(packer, 0) == IMAGE_OK || image_packer_set_max_pixels(packer, 1 << 28) == IMAGE_OK);
  image_job_release(job);
  image_pixelmap_release(wide);
  image_sequence_options_release(options);
}

/* A frame in the middle that passes the canvas: the file is as it was, by descriptor and by path, at once and later. */
static void bad_frame_in_the_middle(const char *format) {
  ImageSequenceOptions *options = options_for(format, FRAMES);
  ImagePixelMap *list[FRAMES], *large = host_picture(WIDTH + 1, HEIGHT);
  memcpy(list, maps, sizeof list);
  list[FRAMES / 2] = large;
  NEED(image_sequence_options_set_canvas(options, WIDTH, HEIGHT) == IMAGE_OK);
  for (int way = 0; way < 6; ++way) {
    ImageJob *job = NULL;
    ImageSequence *sequence = NULL;
    ImageStatus status = IMAGE_OK;
    old_file();
    int fd = open(path, O_RDWR | O_CLOEXEC);
    NEED(fd >= 0);
    if (way == 0) status = image_packer_pack_to_file_from_sequence(packer, list, FRAMES, fd, options);
    if (way == 1) status = image_packer_pack_to_path_from_sequence(packer, list, FRAMES, path, options);
    if (way == 2)
      status = image_packer_pack_to_file_from_sequence_async(packer, list, FRAMES, fd, options, NULL, NULL, &job);
    if (way == 3)
      status = image_packer_pack_to_path_from_sequence_async(packer, list, FRAMES, path, options, NULL, NULL, &job);
    if (way == 2 || way == 3) {
      CHECK(status == IMAGE_OK, "%s, way %d", format, way);
      status = image_job_wait(job, -1);
      image_job_release(job);
    }
    if (way >= 4) {
      NEED((way == 4 ? image_sequence_begin_to_file(packer, fd, options, &sequence)
                     : image_sequence_begin_to_path(packer, path, options, &sequence)) == IMAGE_OK);
      for (int i = 0; i < FRAMES && status == IMAGE_OK; ++i)
        status = image_sequence_add_frame(sequence, list[i], 0, -1);
    }
    CHECK(status == 401 && strstr(image_packer_last_error_message(), "frame 3") != NULL, "%s, way %d: %d", format, way,
          (int)status);
    if (sequence != NULL) {
      /* A frame that was refused changes nothing, but the number that was announced is missing. */
      CHECK(image_sequence_finish(sequence, NULL) == 7800301, "%s: too few frames", format);
      CHECK(is_old(), "%s, way %d: the file before the release", format, way);
      CHECK(image_sequence_release(sequence) == IMAGE_OK, "%s", format);
    }
    CHECK(is_old() && lseek(fd, 0, SEEK_CUR) == 0, "%s, way %d: the file has changed", format, way);
    close(fd);
  }
  image_pixelmap_release(large);
  image_sequence_options_release(options);
}

/* Animated data that is cut off anywhere: an error of one sentence, or fewer frames told from the start; never a file.
 */
static void damaged_sources(const char *from, const char *to) {
  ImageSequenceOptions *options = options_for(from, FRAMES), *again = options_for(to, 0);
  ImageData *data = NULL;
  NEED(image_packer_pack_to_data_from_sequence(packer, maps, FRAMES, options, &data) == IMAGE_OK);
  HostBytes whole = taken(data);
  int refused = 0;
  for (size_t size = 1; size < whole.size; size += size < 64 ? 1 : whole.size / 40) {
    ImageSource *source = NULL;
    if (image_source_create_from_copy(whole.bytes, size, &source) != IMAGE_OK) {
      ++refused;
      continue;
    }
    size_t frames = 0;
    image_source_get_frame_count(source, &frames);
    old_file();
    ImageStatus status = image_packer_pack_to_path_from_source_sequence(packer, source, path, again);
    if (status == IMAGE_OK) {
      /* A GIF does not say how many frames it has: it has those that are whole. */
      CHECK(frames < FRAMES || size + 16 > whole.size, "%s of %zu of %zu bytes has %zu frames", from, size, whole.size,
            frames);
    } else {
      ++refused;
      CHECK(status == 7800301 && image_packer_last_error_cause() == IMAGE_CAUSE_BAD_DATA, "%s: %d", from, (int)status);
      CHECK(strlen(image_packer_last_error_message()) > 10 && is_old(), "%s of %zu bytes", from, size);
    }
    image_source_release(source);
  }
  CHECK(refused > 40, "%s: only %d were refused", from, refused);
  /* A flipped byte anywhere: any answer, but an answer. */
  for (size_t at = 12; at < whole.size; at += 1 + whole.size / 150) {
    ImageSource *source = NULL;
    whole.bytes[at] ^= 0x55;
    if (image_source_create_from_copy(whole.bytes, whole.size, &source) == IMAGE_OK) {
      if (image_packer_pack_to_data_from_source_sequence(packer, source, again, &data) == IMAGE_OK)
        image_data_release(data);
      image_source_release(source);
    }
    whole.bytes[at] ^= 0x55;
  }
  free(whole.bytes);
  image_sequence_options_release(options);
  image_sequence_options_release(again);
}

static int pieces;
static int32_t full(void *user, const uint8_t *bytes, size_t size) {
  (void)user, (void)bytes, (void)size;
  ++pieces;
  return 1;
}

/* A stream whose writer has failed takes nothing more, and neither does one that is finished. */
static void ended(const char *format) {
  ImageSequenceOptions *options = options_for(format, 0);
  ImageSequence *sequence = NULL;
  ImageData *data = NULL;
  ImageStatus status = IMAGE_OK;
  pieces = 0;
  NEED(image_sequence_begin_to_writer(packer, full, NULL, options, &sequence) == IMAGE_OK);
  for (int i = 0; i < FRAMES && status == IMAGE_OK; ++i) status = image_sequence_add_frame(sequence, maps[i], 0, -1);
  if (status == IMAGE_OK) status = image_sequence_finish(sequence, NULL);
  CHECK(status == 7800301 && image_packer_last_error_cause() == IMAGE_CAUSE_WRITE, "%s: %d", format, (int)status);
  CHECK(pieces == 1, "%s: %d pieces", format, pieces);
  for (int again = 0; again < 2; ++again) {
    CHECK(image_sequence_add_frame(sequence, maps[0], 0, -1) == 401, "%s: a frame after an error", format);
    CHECK(image_sequence_finish(sequence, NULL) == 401, "%s: an end after an error", format);
  }
  CHECK(pieces == 1, "%s: %d pieces in the end", format, pieces);
  CHECK(image_sequence_release(sequence) == IMAGE_OK, "%s", format);

  NEED(image_sequence_begin(packer, options, &sequence) == IMAGE_OK);
  NEED(image_sequence_add_frame(sequence, maps[0], 0, -1) == IMAGE_OK);
  CHECK(image_sequence_finish(sequence, &data) == IMAGE_OK, "%s", format);
  image_data_release(data);
  CHECK(image_sequence_add_frame(sequence, maps[0], 0, -1) == 401, "%s: a frame after the end", format);
  CHECK(image_sequence_finish(sequence, &data) == 401, "%s: two ends", format);
  CHECK(image_sequence_cancel(sequence) == IMAGE_OK, "%s: a cancel after the end", format);
  CHECK(image_sequence_release(sequence) == IMAGE_OK && image_sequence_release(sequence) == 401, "%s", format);

  /* Released in the middle: nothing is left, and what it used may go too. */
  NEED(image_sequence_begin(packer, options, &sequence) == IMAGE_OK);
  for (int i = 0; i < FRAMES; ++i) NEED(image_sequence_add_frame(sequence, maps[i], 0, -1) == IMAGE_OK);
  image_sequence_options_release(options);
  CHECK(image_sequence_release(sequence) == IMAGE_OK, "%s: released in the middle", format);
}

typedef struct {
  ImageSequence *sequence;
  int added, refused;
} Adder;

static void *add_many(void *user) {
  Adder *adder = user;
  for (int i = 0; i < 60; ++i) {
    ImageStatus status = image_sequence_add_frame(adder->sequence, maps[i % FRAMES], 0, -1);
    if (status == IMAGE_OK) ++adder->added;
    if (status == 401) ++adder->refused;
    if (status == 401) CHECK(strstr(image_packer_last_error_message(), "in progress") != NULL, "the reason");
  }
  return NULL;
}

/* Two threads at one sequence: each frame is taken whole or refused. */
static void at_once(const char *format) {
  ImageSequenceOptions *options = options_for(format, 0);
  ImageData *data = NULL;
  ImageSource *source = NULL;
  Adder adders[2] = {{NULL, 0, 0}, {NULL, 0, 0}};
  pthread_t threads[2];
  size_t frames = 0;
  NEED(image_sequence_options_set_lossless(options, false) == IMAGE_OK);
  NEED(image_sequence_begin(packer, options, &adders[0].sequence) == IMAGE_OK);
  adders[1].sequence = adders[0].sequence;
  for (int i = 0; i < 2; ++i) NEED(pthread_create(&threads[i], NULL, add_many, &adders[i]) == 0);
  for (int i = 0; i < 2; ++i) pthread_join(threads[i], NULL);
  int added = adders[0].added + adders[1].added, refused = adders[0].refused + adders[1].refused;
  CHECK(added > 0 && added + refused == 120, "%s: %d added, %d refused", format, added, refused);
  CHECK(image_sequence_finish(adders[0].sequence, &data) == IMAGE_OK, "%s", format);
  HostBytes bytes = taken(data);
  NEED(image_source_create_from_copy(bytes.bytes, bytes.size, &source) == IMAGE_OK);
  NEED(image_source_get_frame_count(source, &frames) == IMAGE_OK);
  /* Frames that are equal to the one before may be one in APNG and WebP. */
  CHECK(frames <= (size_t)added && (strcmp(format, "image/gif") != 0 || frames == (size_t)added),
        "%s: %zu frames of %d", format, frames, added);
  image_source_release(source);
  free(bytes.bytes);
  image_sequence_release(adders[0].sequence);
  image_sequence_options_release(options);
}

static int32_t cancel_it(void *user, const uint8_t *bytes, size_t size) {
  (void)bytes, (void)size;
  CHECK(image_sequence_cancel(*(ImageSequence **)user) == IMAGE_OK, "from inside");
  return 0;
}

static void *cancel_from_elsewhere(void *user) {
  CHECK(image_sequence_cancel(user) == IMAGE_OK, "from another thread");
  return NULL;
}

static int32_t slow(void *user, uint32_t done_) {
  pthread_t thread;
  (void)done_;
  NEED(pthread_create(&thread, NULL, cancel_from_elsewhere, *(ImageSequence **)user) == 0);
  pthread_join(thread, NULL);
  return 0;
}

/* A cancel stops the call in progress and every later one; a file stays as it was. */
static void cancelled(const char *format) {
  ImageSequenceOptions *options = options_for(format, 0);
  ImageSequence *sequence = NULL;
  ImageStatus status = IMAGE_OK;
  NEED(image_sequence_begin_to_writer(packer, cancel_it, &sequence, options, &sequence) == IMAGE_OK);
  for (int i = 0; i < 2 && status == IMAGE_OK; ++i) status = image_sequence_add_frame(sequence, maps[i], 0, -1);
  if (status == IMAGE_OK) status = image_sequence_finish(sequence, NULL); /* where most formats begin to write */
  CHECK(status == 1001 && image_packer_last_error_cause() == IMAGE_CAUSE_CANCELLED, "%s: %d", format, (int)status);
  CHECK(image_sequence_add_frame(sequence, maps[0], 0, -1) == 1001, "%s: a later frame", format);
  CHECK(image_sequence_finish(sequence, NULL) == 1001, "%s: a later end", format);
  image_sequence_release(sequence);
  image_sequence_options_release(options);

  old_file();
  options = options_for(format, FRAMES);
  NEED(image_sequence_options_set_progress(options, slow, &sequence) == IMAGE_OK);
  NEED(image_sequence_begin_to_path(packer, path, options, &sequence) == IMAGE_OK);
  status = IMAGE_OK;
  for (int i = 0; i < FRAMES && status == IMAGE_OK; ++i) status = image_sequence_add_frame(sequence, maps[i], 0, -1);
  CHECK(status == 1001, "%s: %d", format, (int)status);
  CHECK(image_sequence_add_frame(sequence, maps[0], 0, -1) != IMAGE_OK, "%s: after the cancel", format);
  CHECK(image_sequence_finish(sequence, NULL) != IMAGE_OK && is_old(), "%s: the file", format);
  image_sequence_release(sequence);
  image_sequence_options_release(options);
}

/* Progress that waits for the test's word. */
typedef struct {
  atomic_int started, go;
} Gate;

static int32_t wait_at(void *user, uint32_t done_) {
  Gate *gate = user;
  (void)done_;
  atomic_store(&gate->started, 1);
  while (!atomic_load(&gate->go)) usleep(500);
  return 0;
}

/* The time is over: a pack, a job, a stream. A job that is cancelled leaves the file alone. */
static void in_time(const char *format) {
  ImageSequenceOptions *options = options_for(format, 400);
  ImagePixelMap *list[1] = {host_picture(600, 400)};
  ImageSequence *sequence = NULL;
  ImageData *data = NULL;
  ImageJob *job = NULL;
  NEED(image_sequence_options_set_lossless(options, strcmp(format, "image/gif") != 0) == IMAGE_OK);
  NEED(image_sequence_options_set_timeout(options, 1) == IMAGE_OK);
  CHECK(image_packer_pack_to_data_from_sequence(packer, list, 1, options, &data) == 1001, "%s", format);
  CHECK(image_packer_last_error_cause() == IMAGE_CAUSE_TIMED_OUT, "%s", format);
  NEED(image_packer_pack_to_data_from_sequence_async(packer, list, 1, options, NULL, NULL, &job) == IMAGE_OK);
  CHECK(image_job_wait(job, -1) == 1001 && image_packer_last_error_cause() == IMAGE_CAUSE_TIMED_OUT, "%s", format);
  image_job_release(job);
  NEED(image_sequence_begin(packer, options, &sequence) == IMAGE_OK);
  usleep(3000);
  CHECK(image_sequence_add_frame(sequence, list[0], 0, -1) == 1001, "%s: counted from the beginning", format);
  image_sequence_release(sequence);
  NEED(image_sequence_options_set_timeout(options, 0) == IMAGE_OK);
  Gate gate = {0, 0};
  NEED(image_sequence_options_set_progress(options, wait_at, &gate) == IMAGE_OK);
  old_file();
  NEED(image_packer_pack_to_path_from_sequence_async(packer, list, 1, path, options, NULL, NULL, &job) == IMAGE_OK);
  while (!atomic_load(&gate.started)) usleep(500);
  CHECK(image_job_cancel(job) == IMAGE_OK, "%s", format);
  atomic_store(&gate.go, 1);
  CHECK(image_job_wait(job, -1) == 1001 && is_old(), "%s: cancelled, the file stays", format);
  image_job_release(job);
  image_pixelmap_release(list[0]);
  image_sequence_options_release(options);
}

int main(void) {
  snprintf(folder, sizeof folder, "%s", host_folder());
  snprintf(path, sizeof path, "%.4000s/animation", folder);
  NEED(image_packer_create(&packer) == IMAGE_OK);
  for (int i = 0; i < FRAMES; ++i) maps[i] = frame(i);
  for (size_t i = 0; animated(i); ++i) {
    const char *format = animated(i), *other = animated(i + 1) ? animated(i + 1) : animated(0);
    ways(format);
    mistakes(format);
    bad_frame_in_the_middle(format);
    damaged_sources(format, other);
    ended(format);
    at_once(format);
    cancelled(format);
    in_time(format);
  }
  for (int i = 0; i < FRAMES; ++i) image_pixelmap_release(maps[i]);
  image_packer_release(packer);
  unlink(path);
  CHECK(rmdir(folder) == 0, "something is left in %s", folder);
  return host_end("animations");
}
